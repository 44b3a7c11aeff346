/*
 * `match("pattern")` by PCRE2: compiled once, when a model is completed; matched with limits, so
 * that no text makes a pattern run for long. Called by model.c and convert.c. Without PCRE2 no
 * pattern compiles, and a model with one says so at start.
 *
 * `$` means the very end, not the place before a last newline.
 *
 * Source: pcre2api(3).
 */
#include "base/caps.h"
#include "model/model.h"

#include <errno.h>

#if BIDE_PCRE2

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

const char *bide__pattern_compile(bide_field *field)
{
    int code;
    size_t offset;
    field->compiled = pcre2_compile((PCRE2_SPTR)field->pattern, PCRE2_ZERO_TERMINATED,
                                    PCRE2_UTF | PCRE2_DOLLAR_ENDONLY | PCRE2_NEVER_BACKSLASH_C,
                                    &code, &offset, NULL);
    return field->compiled ? NULL : "its pattern is not valid";
}

int bide__pattern_match(const bide_field *field, const char *text, size_t length)
{
    pcre2_match_data *data = pcre2_match_data_create(1, NULL);
    pcre2_match_context *context = pcre2_match_context_create(NULL);
    int result = -ENOMEM;
    if (data && context) {
        pcre2_set_match_limit(context, BIDE_CAP_PATTERN_STEPS);
        pcre2_set_depth_limit(context, BIDE_CAP_PATTERN_DEPTH);
        int found = pcre2_match(field->compiled, (PCRE2_SPTR)text, length, 0, PCRE2_NO_UTF_CHECK,
                                data, context);
        result = found >= 0 ? 1 : found == PCRE2_ERROR_NOMATCH ? 0 : -E2BIG;
    }
    pcre2_match_context_free(context);
    pcre2_match_data_free(data);
    return result;
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
