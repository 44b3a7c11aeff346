/*
 * `match("pattern")` by PCRE2: compiled once, when a model is completed, to machine code where the
 * system lets PCRE2 make it; matched with limits, so that no text makes a pattern run for long.
 * Called by model.c and convert.c. Without PCRE2 no pattern compiles, and a model with one says so
 * at start.
 *
 * `$` means the very end, not the place before a last newline.
 *
 * Invariants
 *  1. The machine code says only "matches" and "does not": what it gives up on (its stack is 32 KiB
 *     of the caller's, its steps are fewer and larger) the interpreter decides, by its own limits.
 *  2. A thread has one block of match data for all patterns: nothing suspends while one is matched.
 *
 * Source: pcre2api(3), pcre2jit(3).
 */
#include "base/assert.h"
#include "base/caps.h"
#include "model/model.h"

#include <errno.h>

#if BIDE_PCRE2

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#include <pthread.h>
#if BIDE_VALGRIND
#include <valgrind/valgrind.h>
#else
#define RUNNING_ON_VALGRIND 0
#endif

static pthread_once_t once = PTHREAD_ONCE_INIT;
static pthread_key_t data_key;
static pcre2_match_context *limits; /* constant once made; NULL without memory */
static _Thread_local pcre2_match_data *thread_data;

/* At the end of a thread. */
static void free_data(void *data)
{
    thread_data = NULL;
    pcre2_match_data_free(data);
}

static void make_limits(void)
{
    int failed = pthread_key_create(&data_key, free_data);
    BIDE_ASSERT(!failed, "pthread_key_create: error %d", failed);
    limits = pcre2_match_context_create(NULL);
    if (!limits)
        return;
    pcre2_set_match_limit(limits, BIDE_CAP_PATTERN_STEPS);
    pcre2_set_depth_limit(limits, BIDE_CAP_PATTERN_DEPTH);
}

static pcre2_match_data *data_of_thread(void)
{
    if (bide__likely(thread_data))
        return thread_data;
    pcre2_match_data *data = pcre2_match_data_create(1, NULL);
    if (data && pthread_setspecific(data_key, data)) {
        pcre2_match_data_free(data);
        data = NULL;
    }
    return thread_data = data;
}

const char *bide__pattern_compile(bide_field *field)
{
    int code;
    size_t offset;
    uint32_t options = PCRE2_UTF | PCRE2_DOLLAR_ENDONLY | PCRE2_NEVER_BACKSLASH_C;
    if (RUNNING_ON_VALGRIND) /* the search for a start reads whole vectors, which it cannot know */
        options |= PCRE2_NO_START_OPTIMIZE;
    pthread_once(&once, make_limits);
    if (!limits)
        return "no memory to match its pattern";
    field->compiled = pcre2_compile((PCRE2_SPTR)field->pattern, PCRE2_ZERO_TERMINATED, options,
                                    &code, &offset, NULL);
    if (!field->compiled)
        return "its pattern is not valid";
    field->machine_code = pcre2_jit_compile(field->compiled, PCRE2_JIT_COMPLETE) == 0;
    return NULL;
}

int bide__pattern_match(const bide_field *field, const char *text, size_t length)
{
    pcre2_match_data *data = data_of_thread();
    if (!data)
        return -ENOMEM;
    int found = PCRE2_ERROR_JIT_BADOPTION;
    if (field->machine_code)
        found = pcre2_jit_match(field->compiled, (PCRE2_SPTR)text, length, 0, PCRE2_NO_UTF_CHECK,
                                data, limits);
    if (found < 0 && found != PCRE2_ERROR_NOMATCH)
        found = pcre2_match(field->compiled, (PCRE2_SPTR)text, length, 0,
                            PCRE2_NO_UTF_CHECK | PCRE2_NO_JIT, data, limits);
    return found >= 0 ? 1 : found == PCRE2_ERROR_NOMATCH ? 0 : -E2BIG;
}

#else

const char *bide__pattern_compile(bide_field *field)
{
    (void)field;
    return "match() needs PCRE2, and bide was built without it (install libpcre2-dev, build again)";
}

int bide__pattern_match(const bide_field *field, const char *text, size_t length)
{
    (void)field;
    (void)text;
    (void)length;
    return -ENOTSUP; /* not reached: a model with a pattern is refused */
}

#endif
