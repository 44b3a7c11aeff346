/*
 * pattern_test.c: what matches, what is stopped and when, and threads that match and end.
 */
#include "model/model.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "models.h"

/* What is compiled stays, as in models. */
static const bide_field *compiled(const char *pattern)
{
    static bide_field fields[64];
    static size_t count;
    require(count < sizeof fields / sizeof *fields);
    bide_field *field = &fields[count++];
    field->pattern = pattern;
    check_str(bide__pattern_compile(field), NULL);
    return field;
}

static int matches(const char *pattern, const char *text, size_t length)
{
    char *exact = malloc(length + !length); /* nothing behind the text is its own */
    require(exact);
    memcpy(exact, text, length);
    int result = bide__pattern_match(compiled(pattern), exact, length);
    free(exact);
    return result;
}

TEST_PLAIN(what_matches)
{
    static const struct {
        const char *pattern, *text;
        int result;
    } cases[] = {
        {"^[a-z][a-z0-9_]{2,31}$", "frodo_9", 1},
        {"^[a-z][a-z0-9_]{2,31}$", "Frodo", 0},
        {"^[a-z][a-z0-9_]{2,31}$", "fr", 0},
        {"^[a-z]+$", "abc\n", 0},
        {"^[a-z]*$", "", 1},
        {"needle", "a needle in the hay", 1},
        {"needle", "a needl", 0},
        {"[0-9]+x$", "x 12 12345678901234567890x", 1},
        {"^.{3}$", "\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80", 1},
        {"^\\p{Lu}", "\xc3\x89", 1},
        {"(?i)^\xc3\xa9$", "\xc3\x89", 1},
        {"^(a)(b)?(c)\\1$", "aca", 1},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        if (!check_int(matches(cases[i].pattern, cases[i].text, strlen(cases[i].text)),
                       cases[i].result))
            printf("%s: %s\n", cases[i].pattern, cases[i].text);
}

/* Texts at which backtracking never ends: they are given up, soon. */
TEST_PLAIN(what_is_stopped)
{
    static const char *const patterns[] = {"^(a+)+$", "^(a|aa)+$", "^(a*)*b?$", "^(?:a|b|ab)*$",
                                           "^(.*a){20}$"};
    static char text[20000];
    memset(text, 'a', sizeof text);
    text[sizeof text - 1] = '!';
    for (size_t i = 0; i < sizeof patterns / sizeof *patterns; i++) {
        struct timespec from, to;
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &from);
        if (!check_int(matches(patterns[i], text, sizeof text), -E2BIG))
            printf("%s\n", patterns[i]);
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &to);
        check(to.tv_sec - from.tv_sec < 2);
    }
}

/* The machine code has less stack than the interpreter has memory: that is not the text's fault. */
TEST_PLAIN(what_takes_much_stack_matches)
{
    char text[800];
    memset(text, 'a', sizeof text);
    check_int(matches("^(?:a(b)?(c)?(d)?(e)?(f)?(g)?)*$", text, sizeof text), 1);
    text[sizeof text - 1] = '!';
    check(matches("^(?:a(b)?(c)?(d)?(e)?(f)?(g)?)*$", text, sizeof text) != 1);
}

static void *match_often(void *field_)
{
    const bide_field *field = field_;
    for (int i = 0; i < 1000; i++)
        if (bide__pattern_match(field, "frodo_9", 7) != 1 ||
            bide__pattern_match(field, "-", 1) != 0)
            return NULL;
    return field_;
}

TEST_PLAIN(threads_match_beside_each_other)
{
    const bide_field *field = compiled("^[a-z][a-z0-9_]*$");
    pthread_t threads[4];
    for (size_t i = 0; i < 4; i++)
        require(pthread_create(&threads[i], NULL, match_often, (void *)field) == 0);
    for (size_t i = 0; i < 4; i++) {
        void *result;
        pthread_join(threads[i], &result);
        check_ptr(result, field);
    }
}
