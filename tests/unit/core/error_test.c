/*
 * error_test.c: error values: making, messages, causes, reports word by word, how long they live.
 */
#include "core/error.h"

#include "base/mem.h"
#include "core/loop.h"

#include <bide/bide.h>
#include <bide/test.h>

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef bide_error *error_ptr;
typedef error_ptr *error_ptr_ptr;
typedef int *int_ptr;
typedef task(int) int_task;

static char report[8192];

/* The whole report of an error. */
static const char *text_of(const bide_error *error)
{
    bide_error_format(error, report, sizeof report);
    return report;
}

/* Builds an expected text: %F is this file. */
__attribute__((format(printf, 1, 2))) static const char *expected(const char *format, ...)
{
    static char texts[2][8192];
    static int next;
    char *text = texts[next++ % 2];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof texts[0], format, args);
    va_end(args);
    return text;
}

static int fail_line;

SPAWNABLE(int, break_with, int)
async(int) break_with(int code)
{
    fail_line = __LINE__ + 2;
    if (code != 0)
        fail(bide_error_new(code, "code %d", code));
    return ready(int, 1);
}

TEST(codes_have_names)
{
    check_int(BIDE_CANCELLED, 1);
    check_str(bide_code_name(BIDE_CANCELLED), "cancelled");
    check_str(bide_code_name(BIDE_TIMEOUT), "deadline exceeded");
    check_str(bide_code_name(BIDE_DEADLOCK), "would wait for ever");
    check_str(bide_code_name(BIDE_STOPPED), "the program is stopping");
    check_str(bide_code_name(404), "error");
    check_str(bide_code_name(0), "error");
    check_str(bide_code_name(-1), "error");
}

TEST(messages_are_formatted_and_cut)
{
    char longest[600];
    memset(longest, 'x', sizeof longest - 1);
    longest[sizeof longest - 1] = 0;
    bide_error *error = bide_error_new(1000, "%s %d%%", "five", 5);
    check_str(error->message, "five 5%");
    check_int(error->code, 1000);
    check_int(error->system_errno, 0);
    error = bide_error_new(1000, "%s", longest);
    check_int(strlen(error->message), 239);
    error = bide_error_new(1000, "plain words");
    check_str(error->message, "plain words");
    /* without a conversion it is copied, not formatted: also when it is too long */
    error =
        bide_error_new(1000, "0123456789 0123456789 0123456789 0123456789 0123456789 0123456789 "
                             "0123456789 0123456789 0123456789 0123456789 0123456789 0123456789 "
                             "0123456789 0123456789 0123456789 0123456789 0123456789 0123456789 "
                             "0123456789 0123456789 0123456789 0123456789 0123456789 end");
    check_int(strlen(error->message), 239);
    error = bide_error_of_errno(ENOENT, "open %s", "file");
    check_str(error->message, expected("open file: %s", strerror(ENOENT)));
    check_int(error->code, BIDE_SYSTEM);
    check_int(error->system_errno, ENOENT);
    error = bide_error_of_errno(ENOENT, "%s", longest);
    check_int(strlen(error->message), 239);
}

TEST(attempt_gives_the_value_or_the_error)
{
    bide_error *error = (bide_error *)&report;
    int value = attempt(&error, break_with, 1000);
    check_int(value, 0);
    check(error && error->code == 1000);
    check_int(error->at->line, fail_line);
    check_str(error->at->function, "break_with");
    check_ptr(error->cause, NULL);
    check_ptr(error->also, NULL);
    check_ptr(bide_error_current(), NULL);
}

static int inner_line, outer_line, attempt_line;

SPAWNABLE(int, pass_on, int)
async(int) pass_on(int code)
{
    inner_line = __LINE__ + 1;
    return ready(int, await(break_with(code)) + 1);
}

SPAWNABLE(int, pass_on_further, int)
async(int) pass_on_further(int code)
{
    int value = 0;
    outer_line = __LINE__ + 1;
    value = await(pass_on(code));
    return ready(int, value);
}

TEST(a_report_has_the_line_the_awaits_and_the_tasks)
{
    bide_error *error;
    attempt_line = __LINE__ + 1;
    attempt(&error, pass_on_further, 409);
    check_str(text_of(error),
              expected("code 409 (409)\n"
                       "  at %s:%d in break_with\n"
                       "  awaited at %s:%d in pass_on: break_with(code)\n"
                       "  awaited at %s:%d in pass_on_further: pass_on(code)\n"
                       "  in task #1 'main'\n",
                       __FILE__, fail_line, __FILE__, inner_line, __FILE__, outer_line));
}

static int spawn_line, group_line;

SPAWNABLE(int, spawn_it, int)
async(int) spawn_it(int code)
{
    group_line = __LINE__ + 1;
    with_group(g) {
        spawn_line = __LINE__ + 1;
        spawn_void(g, pass_on, code);
    }
    return ready(int, 0);
}

TEST(a_report_goes_up_the_spawn_chain)
{
    bide_error *error;
    attempt(&error, spawn_it, BIDE_NOT_FOUND);
    check_str(text_of(error), expected("code 10 (not found)\n"
                                       "  at %s:%d in break_with\n"
                                       "  awaited at %s:%d in pass_on: break_with(code)\n"
                                       "  awaited at %s:%d in spawn_it: with_group\n"
                                       "  in task #2 'pass_on' spawned at %s:%d\n"
                                       "  in task #1 'main'\n",
                                       __FILE__, fail_line, __FILE__, inner_line, __FILE__,
                                       group_line, __FILE__, spawn_line));
}

SPAWNABLE(int, break_below, int)
async(int) break_below(int levels)
{
    static volatile int code = 1000; /* or the compiler sees that it never comes back */
    if (levels == 0)
        return break_with(code);
    return ready(int, await(break_below(levels - 1)) + 1);
}

TEST(a_long_await_chain_is_cut)
{
    bide_error *error;
    attempt(&error, break_below, 20);
    check_int(error->await_count, 20);
    check_contains(text_of(error), "\n  ... and 8 more awaits\n");
    attempt(&error, break_below, 12);
    check(!strstr(text_of(error), "more await"));
}

static int because_line;

SPAWNABLE(int, wrap, error_ptr, int)
async(int) wrap(error_ptr cause, int code)
{
    because_line = __LINE__ + 1;
    fail(bide_error_because(bide_error_new(code, "wrapped"), cause));
}

SPAWNABLE(int, wrap_two)
async(int) wrap_two(void)
{
    bide_error *first;
    attempt(&first, break_with, 1001);
    with_group(g) {
        spawn_void(g, wrap, first, 1002);
        spawn_void(g, break_with, 1003);
    }
    return ready(int, 0);
}

TEST(a_report_is_a_tree_of_causes_and_siblings, .in_order = true)
{
    bide_error *error;
    attempt(&error, wrap_two);
    const char *text = text_of(error);
    check_contains(text, "wrapped (1002)\n");
    check_contains(text, "\n  because: code 1001 (1001)\n    at ");
    check_contains(text, "\n  also: code 1003 (1003)\n    at ");
    check(strstr(text, "because: ") < strstr(text, "also: "));
}

TEST(format_is_bounded_as_snprintf)
{
    bide_error *error;
    char small[20];
    attempt(&error, pass_on_further, 1000);
    size_t whole = bide_error_format(error, report, sizeof report);
    check_int(whole, strlen(report));
    check_int(bide_error_format(error, NULL, 0), whole);
    memset(small, 'z', sizeof small);
    check_int(bide_error_format(error, small, 10), whole);
    check_int(strlen(small), 9);
    check_int(small[10], 'z');
    check_mem(small, report, 9);
    check_int(bide_error_format(error, small, 1), whole);
    check_str(small, "");
}

TEST(print_writes_the_report_on_stderr)
{
    bide_error *error;
    attempt(&error, break_with, 1000);
    test_capture_stderr();
    bide_error_print(error);
    check_str(test_captured(), expected("bide: error: %s", text_of(error)));
}

SPAWNABLE(int, raise_again, error_ptr)
async(int) raise_again(error_ptr error)
{
    return ready(int, await(wrap(error, 0)));
}

SPAWNABLE(int, raise, error_ptr)
async(int) raise(error_ptr error)
{
    fail(error);
}

SPAWNABLE(int, raise_awaited, error_ptr)
async(int) raise_awaited(error_ptr error)
{
    return ready(int, await(raise(error)));
}

TEST(an_error_raised_again_keeps_its_line_and_chains)
{
    bide_error *error, *same;
    attempt(&error, pass_on, 1000);
    check_int(error->await_count, 1);
    attempt(&same, raise_awaited, error);
    check_ptr(same, error);
    check_int(same->at->line, fail_line);
    check_int(same->await_count, 2);
    check_int(same->spawn_count, 1);
    check_str(same->awaits[1]->function, "raise_awaited");
}

static void handler_that_catches(void *arg) BIDE__TASK
{
    bide_error *error;
    for (int i = 0; i < *(int *)arg; i++)
        attempt(&error, break_with, 2000 + i);
}

SPAWNABLE(int, break_while_others_are_caught, int_ptr)
async(int) break_while_others_are_caught(int_ptr count)
{
    defer(handler_that_catches, count);
    fail(bide_error_new(3000, "kept"));
}

static void check_kept_for_31_more(bide_error *kept, int code) BIDE__TASK
{
    for (int i = 0; i < 31; i++) {
        bide_error *error;
        attempt(&error, break_with, 2000 + i);
        if (!check(kept->code == code))
            return;
    }
}

TEST(a_caught_error_stays_until_32_more_are_caught)
{
    bide_error *error;
    int count = 40;
    attempt(&error, break_with, 3000);
    check_kept_for_31_more(error, 3000);
    attempt(&error, break_while_others_are_caught, &count);
    check_int(error->code, 3000);
    check_kept_for_31_more(error, 3000);
}

TEST(an_error_caught_again_stays_as_long_again)
{
    bide_error *error, *again;
    attempt(&error, break_with, 3000);
    check_kept_for_31_more(error, 3000);
    attempt(&again, raise, error);
    check_ptr(again, error);
    check_kept_for_31_more(error, 3000);
}

TEST(catching_for_ever_takes_no_memory)
{
    bide_error *error;
    for (int i = 0; i < 100; i++)
        attempt(&error, break_with, i + 1);
    int64_t live = bide__mem_live();
    for (int i = 0; i < 10000; i++)
        attempt(&error, pass_on, i);
    check_int(bide__mem_live(), live);
    check(bide_current_task().task->error_count <= BIDE_CAP_ERRORS_KEPT);
}

TEST(one_cause_of_two_errors)
{
    bide_error *cause, *a, *b;
    attempt(&cause, break_with, 1);
    attempt(&a, wrap, cause, 1001);
    attempt(&b, wrap, cause, 1002);
    check(a->cause && a->cause->code == 1);
    check(b->cause && b->cause->code == 1);
    check_contains(text_of(b), "because: code 1 (");
}

TEST(because_of_nothing_or_of_itself)
{
    bide_error *error = bide_error_new(1000, "x");
    check_ptr(bide_error_because(error, NULL), error);
    check_ptr(bide_error_because(error, error), error);
    check_ptr(error->cause, NULL);
}

static void fail_because_of_current(void *arg)
{
    (void)arg;
    fail(bide_error_because(bide_error_new(4001, "in cleanup"), bide_error_current()));
}

SPAWNABLE(int, clean_up_because)
async(int) clean_up_because(void)
{
    defer(fail_because_of_current, NULL);
    fail(bide_error_new(4000, "first"));
}

TEST(an_error_of_a_cleanup_because_of_the_one_in_flight)
{
    bide_error *error;
    attempt(&error, clean_up_because);
    check_int(error->code, 4000);
    const char *text = text_of(error);
    check_contains(text, "also: in cleanup (4001)");
    check(strlen(text) < 2000);
}

SPAWNABLE(int, retry_and_wrap, int)
async(int) retry_and_wrap(int times)
{
    bide_error *last = NULL, *error;
    for (int i = 0; i < times; i++) {
        attempt(&error, wrap, last, 1000 + i);
        last = error;
    }
    check_int(last->code, 1000 + times - 1);
    text_of(last);
    return ready(int, 0);
}

TEST(a_long_chain_of_causes_is_bounded)
{
    await(retry_and_wrap(100));
    int64_t live = bide__mem_live();
    await(retry_and_wrap(20000));
    check(bide__mem_live() < live + 200);
}

SPAWNABLE(int, raise_a_part, bool)
async(int) raise_a_part(bool cause)
{
    bide_error *error;
    attempt(&error, wrap_two);
    fail(cause ? error->cause : error->also);
}

SPAWNABLE(int, spawn_raise_a_part, bool)
async(int) spawn_raise_a_part(bool cause)
{
    with_group(g) {
        spawn_void(g, raise_a_part, cause);
    }
    return ready(int, 0);
}

TEST(a_cause_and_a_further_error_can_be_raised, .in_order = true)
{
    bide_error *error;
    attempt(&error, spawn_raise_a_part, true);
    check(error && error->code == 1001);
    attempt(&error, spawn_raise_a_part, false);
    check(error && error->code == 1003);
    check_contains(text_of(error), "code 1003 (1003)\n");
}

SPAWNABLE(int, join_shielded)
async(int) join_shielded(void)
{
    bide_error *first;
    attempt(&first, break_with, 1001);
    with_group(g) {
        task(int) child = spawn(g, wrap, first, 1002);
        shielded(bide_s(1)) {
            return ready(int, await_task(child));
        }
    }
    return ready(int, 0);
}

TEST(a_joined_error_keeps_its_cause)
{
    bide_error *error;
    attempt(&error, join_shielded);
    check_int(error->code, 1002);
    check_contains(text_of(error), "because: code 1001 (1001)");
}

static int_task shared;

SPAWNABLE(int, spawn_shared)
async(int) spawn_shared(void)
{
    with_group(g) {
        shared = spawn(g, break_with, 1001);
        await(bide_sleep(bide_ms(9)));
    }
    return ready(int, 0);
}

SPAWNABLE(int, attempt_shared)
async(int) attempt_shared(void)
{
    bide_error *error;
    attempt(&error, spawn_shared);
    check(error && error->code == 1001);
    return ready(int, 0);
}

SPAWNABLE(int, join_the_shared)
async(int) join_the_shared(void)
{
    return ready(int, await_task(shared));
}

SPAWNABLE(int, raise_beside_a_failure, error_ptr)
async(int) raise_beside_a_failure(error_ptr error)
{
    with_group(g) {
        spawn_void(g, break_with, 1002);
        await(bide_yield());
        shielded(bide_s(1)) {
            await(bide_yield());
        }
        fail(error);
    }
    return ready(int, 0);
}

/* The original of a joined error is gone, and a later failure may have its address. */
SPAWNABLE(int, raise_a_copy_of_what_is_gone)
async(int) raise_a_copy_of_what_is_gone(void)
{
    bide_error *copy, *error;
    await(bide_yield());
    attempt(&copy, join_the_shared);
    check(copy && copy->code == 1001);
    await(bide_sleep(bide_ms(20)));
    for (int i = 0; i < 3; i++) {
        attempt(&error, raise_beside_a_failure, copy);
        check_int(error->code == 1001 ? error->also && error->also->code == 1002
                                      : error->code == 1002,
                  1);
    }
    return ready(int, 0);
}

TEST(a_failure_is_not_taken_for_the_original_of_another, .in_order = true)
{
    with_group(g) {
        spawn_void(g, attempt_shared);
        spawn_void(g, raise_a_copy_of_what_is_gone);
    }
}

TEST(without_memory_errors_can_still_be_said)
{
    bide_error *error, *second;
    bide__mem_fail_at(1, true);
    for (int i = 0; i < 200; i++)
        attempt(&error, break_with, 1000);
    check(error->code == 1000 || error->code == BIDE_NO_MEMORY);
    attempt(&error, break_with, 1001);
    attempt(&second, break_with, 1002);
    check(error != second || error->code == BIDE_NO_MEMORY);
    bide__mem_fail_at(0, false);
    attempt(&error, break_with, 1003);
    check_int(error->code, 1003);
}
