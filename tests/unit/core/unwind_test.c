/*
 * unwind_test.c: what runs when a block is left, in which order, and what handlers may do: defer,
 * on_error, on_cancel, RESOURCE, raw cleanup attributes; many and deep unwindings.
 */
#include "core/loop.h"

#include <bide/bide.h>
#include <bide/test.h>

#include <stdio.h>
#include <string.h>

typedef int *int_ptr;
typedef const char *text_ptr;

static char journal[1024];

static void note(const char *text)
{
    size_t length = strlen(journal);
    snprintf(journal + length, sizeof journal - length, "%s ", text);
}

static void note_arg(void *text)
{
    note(text);
}

static void note_raw(text_ptr *text)
{
    note(*text);
}

static int64_t now_ms(void)
{
    return bide_clock_ns() / 1000000;
}

static void ignore(const bide_error *error, void *arg)
{
    (void)error;
    (void)arg;
}

enum way { WAY_END, WAY_RETURN, WAY_GOTO, WAY_CONTINUE, WAY_BREAK, WAY_ERROR, WAY_CANCEL, WAYS };

SPAWNABLE(int, leave, enum way)
async(int) leave(enum way way)
{
    for (int i = 0; i < 1; i++) {
        defer(note_arg, "d1");
        on_error(note_arg, "e");
        on_cancel(note_arg, "c");
        text_ptr raw __attribute__((cleanup(note_raw), unused)) = "raw";
        defer(note_arg, "d2");
        switch (way) {
        case WAY_RETURN:
            return ready(int, 1);
        case WAY_GOTO:
            goto out;
        case WAY_CONTINUE:
            continue;
        case WAY_ERROR:
            fail(bide_error_new(1000, "x"));
        case WAY_CANCEL:
            bide_cancel_task(bide_current_task(), "x");
            await(bide_yield());
            break;
        default:
            break;
        }
        if (way == WAY_BREAK)
            break;
        note("last");
    }
out:
    return ready(int, 2);
}

SPAWNABLE(void, leave_in_a_task, enum way)
async(void) leave_in_a_task(enum way way)
{
    bide_error *error;
    int value = attempt(&error, leave, way);
    check_int(error != NULL, way >= WAY_ERROR);
    check_int(value, way >= WAY_ERROR ? 0 : way == WAY_RETURN ? 1 : 2);
    check_ptr(bide_error_current(), NULL);
    return bide_void;
}

TEST(handlers_run_in_reverse_order_on_every_way_out)
{
    static const char *const wanted[WAYS] = {
        [WAY_END] = "last d2 raw d1 ",   [WAY_RETURN] = "d2 raw d1 ", [WAY_GOTO] = "d2 raw d1 ",
        [WAY_CONTINUE] = "d2 raw d1 ",   [WAY_BREAK] = "d2 raw d1 ",  [WAY_ERROR] = "d2 raw e d1 ",
        [WAY_CANCEL] = "d2 raw c e d1 ",
    };
    for (int way = 0; way < WAYS; way++) {
        journal[0] = 0;
        with_group(g) {
            spawn_void(g, leave_in_a_task, (enum way)way);
        }
        check_str(journal, wanted[way]);
    }
}

static bide_async(void) sleep_and_note(void *text)
{
    check(!bide_cancel_requested());
    await(bide_sleep(bide_ms(10)));
    note(text);
    return bide_void;
}

SPAWNABLE(int, clean_slowly, enum way)
async(int) clean_slowly(enum way way)
{
    defer(sleep_and_note, "slow");
    defer(note_arg, "quick");
    if (way == WAY_ERROR)
        fail(bide_error_new(1000, "x"));
    if (way == WAY_CANCEL)
        await(bide_sleep(bide_s(50)));
    return ready(int, 7);
}

TEST(handlers_may_await)
{
    bide_error *error;
    check_int(attempt(&error, clean_slowly, WAY_END), 7);
    check_int(now_ms(), 10);
    attempt(&error, clean_slowly, WAY_ERROR);
    check(error && error->code == 1000);
    check_int(now_ms(), 20);
    with_group(g) {
        task(int) child = spawn(g, clean_slowly, WAY_CANCEL);
        await(bide_sleep(bide_ms(5)));
        bide_cancel(child, "x");
        bide_group_cancel(g, "y");
        await(bide_sleep(bide_ms(5)));
        bide_cancel(child, "z");
    }
    check_int(now_ms(), 35);
    check_str(journal, "quick slow quick slow quick slow ");
}

static bide_async(void) sleep_for_long(void *arg)
{
    (void)arg;
    on_cancel(note_arg, "cut");
    await(bide_sleep(bide_s(1000)));
    return bide_void;
}

SPAWNABLE(void, never_end_cleaning)
async(void) never_end_cleaning(void)
{
    defer(note_arg, "next");
    defer(sleep_for_long, NULL);
    fail(bide_error_new(1000, "x"));
}

TEST(a_cleanup_has_five_seconds)
{
    bide_error *error;
    attempt(&error, never_end_cleaning);
    check_int(now_ms(), BIDE_CAP_CLEANUP_MS);
    check_str(journal, "cut next ");
    check_int(error->code, 1000);
    if (!check(error->also))
        return;
    check_int(error->also->code, BIDE_TIMEOUT);
    check(!error->also->is_cancel);
    check_contains(error->also->message, "5000 ms");
}

static void fail_plainly(void *code)
{
    fail(bide_error_new(*(int *)code, "handler %d", *(int *)code));
}

static int code_1 = 1701, code_2 = 1702;

SPAWNABLE(void, fail_in_handlers, enum way)
async(void) fail_in_handlers(enum way way)
{
    defer(note_arg, "first");
    defer(fail_plainly, &code_1);
    on_error(note_arg, "between");
    defer(fail_plainly, &code_2);
    if (way == WAY_ERROR)
        fail(bide_error_new(1000, "x"));
    if (way == WAY_CANCEL) {
        bide_cancel_task(bide_current_task(), "x");
        await(bide_yield());
    }
    return bide_void;
}

TEST(what_handlers_fail_with_is_attached_while_unwinding)
{
    bide_error *error;
    attempt(&error, fail_in_handlers, WAY_ERROR);
    check_int(error->code, 1000);
    if (!check(error->also && error->also->next))
        return;
    check_int(error->also->code, 1702);
    check_int(error->also->next->code, 1701);
    check_str(journal, "between first ");
}

TEST(a_handler_that_fails_on_the_normal_way_raises)
{
    bide_error *error;
    attempt(&error, fail_in_handlers, WAY_END);
    check_int(error->code, 1702);
    check(error->also && error->also->code == 1701);
    check_str(journal, "between first ");
}

static int await_line;

SPAWNABLE(void, pass_the_handlers_error)
async(void) pass_the_handlers_error(void)
{
    await_line = __LINE__ + 1;
    await(fail_in_handlers(WAY_END));
    return bide_void;
}

TEST(the_await_around_a_failing_handler_is_in_the_chain)
{
    bide_error *error;
    char text[2048];
    attempt(&error, pass_the_handlers_error);
    bide_error_format(error, text, sizeof text);
    char wanted[256];
    snprintf(wanted, sizeof wanted,
             "awaited at %s:%d in pass_the_handlers_error: fail_in_handlers(WAY_END)\n", __FILE__,
             await_line);
    check_contains(text, wanted);
    check_ptr(bide__current->at, NULL);
}

static void attempt_in_handler(void *arg) BIDE__TASK
{
    bide_error *error;
    check(bide_error_current() != NULL);
    check_int(bide_error_current()->code, 1000);
    attempt(&error, fail_in_handlers, WAY_ERROR);
    check_int(error->code, 1000);
    check(bide_error_current() != error);
    note(arg);
}

SPAWNABLE(void, catch_in_a_handler)
async(void) catch_in_a_handler(void)
{
    defer(attempt_in_handler, "handled");
    fail(bide_error_new(1000, "outer"));
}

TEST(a_handler_may_catch_errors_of_its_own)
{
    bide_error *error;
    attempt(&error, catch_in_a_handler);
    check_str(error->message, "outer");
    check_ptr(error->also, NULL);
    check_str(journal, "between first handled ");
}

static void group_in_handler(void *arg)
{
    with_group(g) {
        spawn_void(g, clean_slowly, WAY_END);
        spawn_void(g, clean_slowly, WAY_ERROR);
    }
    note(arg);
}

SPAWNABLE(void, spawn_in_a_handler)
async(void) spawn_in_a_handler(void)
{
    defer(group_in_handler, "never");
    fail(bide_error_new(1000, "outer"));
}

TEST(a_handler_may_have_a_group_that_fails)
{
    bide_error *error;
    attempt(&error, spawn_in_a_handler);
    check_str(error->message, "outer");
    check(error->also && error->also->code == 1000);
    check_contains(journal, "slow");
}

static void fail_raw(int_ptr *unused)
{
    (void)unused;
    fail(bide_error_new(1801, "from the raw one"));
}

static async(void) fail_in_a_raw_cleanup(void)
{
    int_ptr raw __attribute__((cleanup(fail_raw))) = NULL;
    (void)raw;
    fail(bide_error_new(1800, "the first"));
}

static void run_fail_in_a_raw_cleanup(void)
{
    bide_run(fail_in_a_raw_cleanup, .error_hook = ignore);
}

TEST_PLAIN(a_raw_cleanup_that_fails_while_unwinding_ends_the_program_naming_both)
{
    check_dies(run_fail_in_a_raw_cleanup, "bide: 'from the raw one' was raised at ");
    check_dies(run_fail_in_a_raw_cleanup, " by a raw cleanup handler while 'the first' unwinds: "
                                          "use defer() or RESOURCE");
}

typedef struct box {
    int number;
    bool open;
} box;
typedef box *box_ptr;
AWAITABLE(box_ptr);

static box the_box;
static int open_code, close_code, close_saw;
static bool close_saw_cancel;

static async(box_ptr) box_open(int number, int code)
{
    await(bide_sleep(bide_ms(1)));
    if (code)
        fail(bide_error_new(code, "cannot open"));
    the_box = (box){number, true};
    return ready(box_ptr, &the_box);
}

static async(void) box_close(box_ptr b, bide_error *error)
{
    close_saw = error ? error->code : 0;
    close_saw_cancel = error && error->is_cancel;
    await(bide_sleep(bide_ms(2)));
    b->open = false;
    note("closed");
    if (close_code)
        fail(bide_error_new(close_code, "cannot close"));
    return bide_void;
}
RESOURCE(a_box, box_ptr, box_open, box_close)

SPAWNABLE(int, use_box, enum way)
async(int) use_box(enum way way)
{
    for (int i = 0; i < 1; i++) {
        with(a_box, b, 5, open_code) {
            check(b->open);
            check_int(b->number, 5);
            if (way == WAY_RETURN)
                return ready(int, b->number);
            if (way == WAY_GOTO)
                goto out;
            if (way == WAY_CONTINUE)
                continue;
            if (way == WAY_ERROR)
                fail(bide_error_new(1000, "in use"));
            if (way == WAY_CANCEL)
                await(bide_sleep(bide_s(50)));
        }
    }
    note("after");
out:
    return ready(int, 6);
}

TEST(a_resource_is_closed_on_every_normal_way)
{
    check_int(await(use_box(WAY_END)), 6);
    check_int(await(use_box(WAY_RETURN)), 5);
    check_int(await(use_box(WAY_GOTO)), 6);
    check_int(await(use_box(WAY_CONTINUE)), 6);
    check_str(journal, "closed after closed closed closed after ");
    check_int(close_saw, 0);
    check(!the_box.open);
    check_int(now_ms(), 12);
}

TEST(close_sees_the_error_or_the_cancel)
{
    bide_error *error;
    bool late;
    attempt(&error, use_box, WAY_ERROR);
    check_int(error->code, 1000);
    check_int(close_saw, 1000);
    check(!close_saw_cancel);
    check_ptr(error->also, NULL);
    move_on_after(&late, bide_ms(10), use_box, WAY_CANCEL);
    check(late);
    check_int(close_saw, BIDE_CANCELLED);
    check(close_saw_cancel);
    check_str(journal, "closed closed ");
}

TEST(an_open_that_fails_is_not_closed)
{
    bide_error *error;
    open_code = 1601;
    attempt(&error, use_box, WAY_END);
    check_int(error->code, 1601);
    check_str(journal, "");
    char text[2048];
    bide_error_format(error, text, sizeof text);
    check_contains(text, "in use_box: with(a_box)\n");
}

TEST(a_close_that_fails_raises_or_is_attached)
{
    bide_error *error;
    close_code = 1602;
    attempt(&error, use_box, WAY_RETURN);
    check_int(error->code, 1602);
    check_ptr(error->also, NULL);
    attempt(&error, use_box, WAY_ERROR);
    check_int(error->code, 1000);
    check(error->also && error->also->code == 1602);
}

TEST(resources_with_everything_failing, .cancel_everywhere = true, .fail_allocations = true)
{
    with_group(g) {
        spawn_void(g, use_box, WAY_END);
        with(a_box, b, 5, 0) {
            defer(sleep_and_note, "slow");
            check_int(b->number, 5);
            with(a_box, inner, 6, 0) {
                check_int(inner->number, 6);
                await(bide_sleep(bide_ms(1)));
            }
        }
    }
}

SPAWNABLE(void, nest_resources)
async(void) nest_resources(void)
{
    with(a_box, outer, 1, 0) {
        (void)outer;
        defer(note_arg, "inside");
        with(a_box, inner, 2, 0) {
            (void)inner;
            fail(bide_error_new(1000, "innermost"));
        }
    }
    return bide_void;
}

TEST(resources_nest)
{
    bide_error *error;
    attempt(&error, nest_resources);
    check_str(journal, "closed inside closed ");
    check_int(close_saw, 1000);
}

SPAWNABLE(int, fail_when, int, int_ptr)
async(int) fail_when(int n, int_ptr seen)
{
    int local[8];
    for (int i = 0; i < 8; i++)
        local[i] = n + i;
    defer(note_arg, "");
    *seen += local[n & 7];
    if (n % 2)
        fail(bide_error_new(1000 + n, "odd %d", local[0]));
    return ready(int, local[3]);
}

/* Catching lands at a call boundary: locals that changed since are not stale. */
TEST(locals_are_never_stale_after_a_catch)
{
    int sum = 0, caught = 0, seen = 0;
    char text[16] = "";
    for (int i = 0; i < 1000; i++) {
        bide_error *error;
        int before = sum + i;
        int value = attempt(&error, fail_when, i, &seen);
        journal[0] = 0;
        check_int(before, sum + i);
        sum += value;
        if (error) {
            caught++;
            text[caught % 15] = 'x';
            check_int(error->code, 1000 + i);
        }
    }
    check_int(caught, 500);
    check_int(sum, 500 * 499 + 3 * 500);
    check_int(strlen(text + 1), 14);
}

static int frames_left;
static bool fails = true;

static void leave_frame(int *depth)
{
    frames_left += *depth >= 0;
}

static int recurse(int depth) BIDE__TASK
{
    int mine __attribute__((cleanup(leave_frame))) = depth;
    char filler[64];
    memset(filler, depth, sizeof filler);
    if (depth == 0 && fails)
        fail(bide_error_new(1000, "deep %d", filler[3]));
    if (depth == 0)
        return 0;
    return recurse(depth - 1) + filler[5] + mine;
}

SPAWNABLE(int, recurse_deep, int)
async(int) recurse_deep(int depth)
{
    return ready(int, recurse(depth));
}

TEST(two_hundred_frames_are_unwound)
{
    bide_error *error;
    attempt(&error, recurse_deep, 200);
    check_int(error->code, 1000);
    check_int(frames_left, 201);
}

static void fail_outside(void)
{
    fail((bide_error *)(void *)&(bide_error){.message = "nowhere to go"});
}

static void await_outside(void) BIDE__UNCHECKED
{
    (void)bide_sleep(bide_ms(1)).await;
}

static void spawn_outside(void)
{
    static bide_group group;
    spawn_void(&group, use_box, WAY_END);
}

static void group_outside(void)
{
    with_group(g) {
        (void)g;
    }
}

static void deadline_outside(void)
{
    with_deadline(bide_ms(1)) {
        note("never");
    }
}

static void attempt_outside(void) BIDE__UNCHECKED
{
    bide_error *error;
    attempt(&error, use_box, WAY_END);
}

TEST_PLAIN(outside_of_tasks_everything_names_its_line)
{
    check_dies(fail_outside, "bide: fail outside a task at " __FILE__ ":");
    check_dies(fail_outside, " in fail_outside: nowhere to go");
    check_dies(await_outside, "await outside a task");
    check_dies(spawn_outside, "spawn outside a task at " __FILE__ ":");
    check_dies(spawn_outside, " in spawn_outside");
    check_dies(group_outside, "with_group outside a task at " __FILE__ ":");
    check_dies(deadline_outside, "outside a task at " __FILE__ ":");
    check_dies(attempt_outside, "outside a task at " __FILE__ ":");
}

static bide_async(void) await_in_place(void)
{
    await(bide_sleep(bide_ms(1)));
    return bide_void;
}

static void await_macro_outside(void) BIDE__UNCHECKED
{
    (void)await_in_place().await;
}

TEST_PLAIN(an_await_outside_of_tasks_names_its_line)
{
    check_dies(await_macro_outside, " in await_in_place: bide_sleep(bide_ms(1))");
}
