/*
 * look_test.c: pictures of this process itself, taken while the memory that they need is short and
 * while what is read is wrong. tests/run_look.py has pictures of other programs.
 */
#include "core/look.h"

#include "core/loop.h"
#include "core/task.h"
#include "core/unanswered.h"

#include <bide/bide.h>
#include <bide/test.h>

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { TASKS = 200, PAGE = 4096, MAX_BLOCKS = 512, MOST_BYTES = 1 << 26 };

/* Each allocation ends where the next page must not be touched; one that was freed nowhere can
   be. */
static struct block {
    char *pages, *start;
    size_t mapped, bytes;
    bool freed;
} blocks[MAX_BLOCKS];
static size_t block_count, asked, fail_from, most_bytes; /* fail_from 0: none fails */

static void free_block(void *start)
{
    for (size_t i = 0; i < block_count; i++) {
        if (blocks[i].start != start || blocks[i].freed)
            continue;
        blocks[i].freed = true;
        require(mprotect(blocks[i].pages, blocks[i].mapped, PROT_NONE) == 0);
        return;
    }
    check(!start); /* not twice, and only what was given */
}

static void *resize(void *memory, size_t bytes)
{
    if (bytes == 0) {
        free_block(memory);
        return NULL;
    }
    most_bytes = bytes > most_bytes ? bytes : most_bytes;
    if ((fail_from && ++asked >= fail_from) || bytes > MOST_BYTES)
        return NULL;
    require(block_count < MAX_BLOCKS);
    struct block *block = &blocks[block_count++];
    size_t rounded = (bytes + 7) / 8 * 8, pages = (rounded + PAGE - 1) / PAGE * PAGE;
    block->mapped = pages + PAGE;
    block->pages =
        mmap(NULL, block->mapped, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    require(block->pages != MAP_FAILED);
    require(mprotect(block->pages + pages, PAGE, PROT_NONE) == 0);
    block->start = block->pages + pages - rounded;
    block->bytes = bytes;
    block->freed = false;
    for (size_t i = 0; memory && i + 1 < block_count; i++)
        if (blocks[i].start == memory && !blocks[i].freed)
            memcpy(block->start, memory, blocks[i].bytes < bytes ? blocks[i].bytes : bytes);
    free_block(memory);
    return block->start;
}

static void read_self(struct bide__look_reader *reader, struct bide__look_piece *pieces,
                      size_t count)
{
    (void)reader;
    (void)bide__look_process_read(getpid(), pieces, count);
}

/* qemu-user has no process_vm_readv. */
static void need_own_memory(void)
{
    char from = 0, to;
    struct bide__look_piece piece = {(uint64_t)(uintptr_t)&from, &to, 1, false};
    if (bide__look_process_read(getpid(), &piece, 1) != 0)
        test_skip("process_vm_readv cannot read its own process here");
}

static int64_t clock_ns(void)
{
    return bide__loop_here->now_ns;
}

/* Takes a picture by this layout, calls `use` for it, and ends it. */
static enum bide__look_result take(const struct bide__debug *debug,
                                   void (*use)(const struct bide__look *look))
{
    struct bide__look_reader reader = {read_self, resize, clock_ns};
    struct bide__look look;
    most_bytes = 0;
    enum bide__look_result result =
        bide__look_take(&reader, (uint64_t)(uintptr_t)debug, BIDE__LOOK_ALL, &look);
    if (result == BIDE__LOOK_DONE && use)
        use(&look);
    bide__look_free(&reader, &look);
    for (size_t i = 0; i < block_count; i++) {
        check(blocks[i].freed);
        require(munmap(blocks[i].pages, blocks[i].mapped) == 0);
    }
    block_count = 0;
    return result;
}

static async(void) idle(void)
{
    await(bide_sleep(bide_s(60)));
    return bide_void;
}
SPAWNABLE(void, idle)

static void all_are_there(const struct bide__look *look)
{
    uint32_t sleeps = 0;
    for (uint32_t i = 0; i < look->task_count; i++)
        sleeps += strcmp(look->texts + look->tasks[i].name, "idle") == 0 &&
                  look->tasks[i].state == BIDE__LOOK_WAITING;
    check_int(sleeps, TASKS);
    check_int(look->unread, 0);
}

TEST(without_memory_a_picture_is_given_up)
{
    need_own_memory();
    with_group(g) {
        for (int i = 0; i < TASKS; i++)
            spawn_void(g, idle);
        await(bide_sleep(bide_ms(1)));
        enum bide__look_result result = BIDE__LOOK_NO_MEMORY;
        for (fail_from = 1; result != BIDE__LOOK_DONE; fail_from++) {
            require(fail_from < MAX_BLOCKS);
            asked = 0;
            result = take(&bide_debug, all_are_there);
            check(result == BIDE__LOOK_DONE || result == BIDE__LOOK_NO_MEMORY);
        }
        check(fail_from > 20);
        fail_from = 0;
        bide_group_cancel(g, "seen");
    }
}

static void all_are_young(const struct bide__look *look)
{
    for (uint32_t i = 0; i < look->task_count; i++)
        check(look->now_ns - look->tasks[i].spawned_ns < INT64_C(1000000000));
}

TEST(a_task_of_the_next_tick_has_no_age)
{
    need_own_memory();
    struct bide_task *me = bide__task_current();
    uint32_t spawned = me->spawned_ticks;
    me->spawned_ticks = (uint32_t)((uint64_t)clock_ns() >> BIDE__SPAWN_TICK_BITS) + 1;
    check_int(take(&bide_debug, all_are_young), BIDE__LOOK_DONE);
    me->spawned_ticks = spawned;
}

TEST(a_counter_that_was_overwritten_asks_for_no_memory)
{
    need_own_memory();
    uint64_t turns = bide__loop_here->turns;
    bide__loop_here->turns = UINT64_MAX;
    check_int(take(&bide_debug, NULL), BIDE__LOOK_DONE);
    bide__loop_here->turns = turns;
    check(most_bytes < MOST_BYTES);
}

TEST(a_layout_that_leads_out_of_a_record_is_damaged)
{
    need_own_memory();
    for (int i = BIDE__AT_task_at; i <= BIDE__AT_object_made; i++) {
        struct bide__debug debug = bide_debug;
        debug.offsets[i] = i >= BIDE__AT_wait_task ? 240 : 4080;
        check_int(take(&debug, NULL), BIDE__LOOK_DAMAGED);
    }
    struct bide__debug debug = bide_debug;
    debug.offsets[BIDE__AT_task_object] = debug.sizes[BIDE__SIZE_task] - 8;
    check_int(take(&debug, NULL), BIDE__LOOK_DAMAGED);
}

enum { PLAIN, OWN_FOREVER, IN_FOREVER, BEHIND, IN_BACKGROUND, CALLED, KINDS };
static bide_task_ref waiting[KINDS];

static async(void) idle_forever(void)
{
    with_deadline(BIDE_FOREVER)
        await(idle());
    return bide_void;
}
SPAWNABLE(void, idle_forever)

static async(void) idle_behind(void)
{
    with_group(inside)
        waiting[BEHIND] = bide_ref(spawn(inside, idle));
    return bide_void;
}
SPAWNABLE(void, idle_behind)

static void what_is_meant_is_known(const struct bide__look *look)
{
    for (int kind = 0; kind < KINDS; kind++) {
        const struct bide_task *task = waiting[kind].task;
        const struct bide__look_task *seen = NULL;
        for (uint32_t i = 0; i < look->task_count; i++)
            if (look->tasks[i].id == task->head.id)
                seen = &look->tasks[i];
        require(seen);
        check_int(seen->deadline_ns == INT64_MAX, true);
        check_int((seen->flags & BIDE__LOOK_MEANT) != 0, bide__unanswered_is_meant(task));
        check_int(bide__unanswered_is_meant(task), kind != PLAIN && kind != CALLED);
    }
}

TEST(what_is_meant_to_wait_is_so_from_outside_too)
{
    need_own_memory();
    with_group(g) {
        waiting[PLAIN] = bide_ref(spawn(g, idle));
        waiting[OWN_FOREVER] = bide_ref(spawn(g, idle_forever));
        waiting[IN_BACKGROUND] = bide_ref(spawn(bide_background(), idle));
        waiting[CALLED] = bide_ref(spawn(bide_background(), idle));
        waiting[CALLED].task->called = true;
        with_deadline(BIDE_FOREVER) {
            with_group(inside) {
                waiting[IN_FOREVER] = bide_ref(spawn(inside, idle));
                spawn_void(inside, idle_behind);
                await(bide_sleep(bide_ms(1)));
                check_int(take(&bide_debug, what_is_meant_is_known), BIDE__LOOK_DONE);
                bide_group_cancel(inside, "seen");
            }
        }
        waiting[CALLED].task->called = false;
        bide_group_cancel(g, "seen");
    }
}

TEST_PLAIN(texts_from_elsewhere_are_harmless)
{
    static const char *const texts[][2] = {
        {"\033[31mred\a\x7f", "?[31mred??"},
        {"gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x98\x80 \xf4\x8f\xbf\xbf",
         "gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x98\x80 \xf4\x8f\xbf\xbf"},
        {"\xc2\x9b \xc2\xa0", "?? \xc2\xa0"},
        {"\xc0\xaf \xc1\x81 \xe0\x9f\xbf \xf0\x8f\xbf\xbf", "?? ?? ??? ????"},
        {"\xed\xa0\x80 \xed\x9f\xbf", "??? \xed\x9f\xbf"},
        {"\xf4\x90\x80\x80 \xf5\x80\x80\x80 \xff", "???? ???? ?"},
        {"\x80 \xe2\x82 \xe2", "? ?? ?"},
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        char text[64];
        strcpy(text, texts[i][0]);
        check_int(bide__look_clean_text(text, sizeof text), strlen(texts[i][1]));
        check_str(text, texts[i][1]);
    }
    char cut[] = "12\xc3\xbc";
    check_int(bide__look_clean_text(cut, 4), 3);
    check_str(cut, "12?");
}
