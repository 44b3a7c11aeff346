/*
 * Takes a picture of a running program; core/look.h has the types. Called by the command `bide` and
 * by look_serve.c; calls the reader that they give.
 *
 *     bide_debug -> runtime -> loops -> chunks of records: every task, whatever the lists look like
 *     records -> waits, scopes, stacks -> objects; then the records again: those that changed, anew
 *     -> groups (the task above), kinds, holders -> sites -> texts
 *
 * Everything of one step is read at once: a task costs some hundred nanoseconds.
 *
 * Invariants
 *  1. Nothing that was read is trusted: addresses are only given to the reader, numbers are checked
 *     before they are used as an index or a size, every walk is bounded.
 *  2. A task's wait is believed only if its record was the same before and after, and the wait
 *     names the task.
 */
#include "core/look_take.h"

#include <string.h>

enum {
    MAX_LOOPS = 4096,
    MAX_CHUNKS = 1 << 20,
    MAX_TASK_BYTES = BIDE__LOOK_MAX_TASK_BYTES,
    MAX_OTHER_BYTES = BIDE__LOOK_MAX_OTHER_BYTES,
    MAX_CHUNK_TASKS = 4096,
    MAX_RING = 1 << 20,
    NEWER_TICKS = 1024,
};

void *bide__look_room(struct bide__look_taker *taker, struct bide__look_list *list, size_t count,
                      size_t entry_bytes)
{
    if (count < list->capacity)
        return list->entries;
    size_t capacity = list->capacity ? 2 * list->capacity : 64;
    void *entries = taker->reader->resize(list->entries, capacity * entry_bytes);
    if (!entries) {
        taker->out_of_memory = true;
        return NULL;
    }
    list->entries = entries;
    list->capacity = capacity;
    return entries;
}

void bide__look_want(struct bide__look_taker *taker, uint64_t address, void *to, size_t size)
{
    struct bide__look_piece *pieces =
        bide__look_room(taker, &taker->piece_list, taker->piece_count, sizeof *pieces);
    memset(to, 0, size);
    if (!pieces)
        return;
    taker->pieces = pieces;
    pieces[taker->piece_count++] = (struct bide__look_piece){address, to, (uint32_t)size, false};
}

bool bide__look_read(struct bide__look_taker *taker)
{
    bool all = !taker->out_of_memory;
    taker->reader->read(taker->reader, taker->pieces, taker->piece_count);
    for (size_t i = 0; i < taker->piece_count; i++) {
        if (taker->pieces[i].read)
            continue;
        memset(taker->pieces[i].to, 0, taker->pieces[i].size);
        all = false;
    }
    taker->piece_count = 0;
    return all;
}

bool bide__look_read_now(struct bide__look_taker *taker, uint64_t address, void *to, size_t size)
{
    bide__look_want(taker, address, to, size);
    return bide__look_read(taker);
}

uint32_t bide__look_number(struct bide__look_taker *taker, struct bide__look_map *map,
                           struct bide__look_list *list, uint32_t *count, uint64_t address)
{
    uint32_t number;
    if (!address)
        return 0;
    if (bide__look_map_get(map, address, &number))
        return number;
    uint64_t *addresses = bide__look_room(taker, list, *count, sizeof *addresses);
    if (!addresses || !bide__look_map_put(taker->reader, map, address, *count)) {
        taker->out_of_memory = true;
        return 0;
    }
    addresses[*count] = address;
    return (*count)++;
}

/* ---- records ---- */

bool bide__look_decode(struct bide__look_taker *taker, const char *bytes, uint64_t loop,
                       uint64_t next_id, struct bide__look_work *work, struct bide__look_task *task)
{
    const uint32_t *offsets = taker->debug.offsets;
    uint16_t attention;
    uint32_t spawned;
    uint8_t state = (uint8_t)bytes[offsets[BIDE__AT_task_state]];
    const char *object = bytes + offsets[BIDE__AT_task_object];
    uint64_t id = bide__look_word(taker, bytes, BIDE__AT_task_id);
    if (id == 0 || id > next_id || state > 2 ||
        bide__look_word(taker, bytes, BIDE__AT_task_loop) != loop ||
        bide__look_word(taker, object, BIDE__AT_object_kind) !=
            (uint64_t)(uintptr_t)taker->debug.kind_task)
        return false;
    memcpy(&attention, bytes + offsets[BIDE__AT_task_attention], sizeof attention);
    memcpy(&spawned, bytes + offsets[BIDE__AT_task_spawned], sizeof spawned);
    work->at = bide__look_word(taker, bytes, BIDE__AT_task_at);
    work->wait = bide__look_word(taker, bytes, BIDE__AT_task_wait);
    work->scope = bide__look_word(taker, bytes, BIDE__AT_task_scope);
    work->group = bide__look_word(taker, bytes, BIDE__AT_task_group);
    work->stack = bide__look_word(taker, bytes, BIDE__AT_task_stack);
    work->sp = bide__look_word(taker, bytes, BIDE__AT_task_sp);
    work->called = bytes[offsets[BIDE__AT_task_called]];
    work->name = bide__look_word(taker, object, BIDE__AT_object_name);
    work->made = bide__look_word(taker, object, BIDE__AT_object_made);
    task->id = id;
    task->state = state == 0   ? BIDE__LOOK_QUEUED
                  : state == 2 ? BIDE__LOOK_ENDED
                  : work->wait ? BIDE__LOOK_WAITING
                               : BIDE__LOOK_READY;
    task->flags =
        attention & 1 || bytes[offsets[BIDE__AT_task_cancelled]] ? BIDE__LOOK_CANCELLED : 0;
    uint32_t bits = taker->debug.numbers[BIDE__NUMBER_spawn_tick_bits] & 31;
    uint32_t ticks = (uint32_t)((uint64_t)taker->look->now_ns >> bits) - spawned;
    if (ticks > UINT32_MAX - NEWER_TICKS) /* it is newer than the picture's clock */
        ticks = 0;
    task->spawned_ns = taker->look->now_ns - ((int64_t)ticks << bits);
    return true;
}

static void add_task(struct bide__look_taker *taker, const char *bytes, uint64_t address,
                     uint64_t next_id)
{
    struct bide__look *look = taker->look;
    struct bide__look_loop *loop = &look->loops[look->loop_count - 1];
    struct bide__look_task *tasks =
        bide__look_room(taker, &taker->task_list, look->task_count, sizeof *tasks);
    look->tasks = taker->task_list.entries; /* moved, whatever becomes of the other list */
    struct bide__look_work *work =
        bide__look_room(taker, &taker->work_list, look->task_count, sizeof *work);
    taker->work = taker->work_list.entries;
    if (!tasks || !work)
        return;
    work += look->task_count;
    tasks += look->task_count;
    *work = (struct bide__look_work){.address = address, .again = true};
    *tasks = (struct bide__look_task){.loop = look->loop_count - 1,
                                      .parent = BIDE__LOOK_NOBODY,
                                      .holder = BIDE__LOOK_NOBODY,
                                      .deadline_ns = INT64_MAX};
    if (!bide__look_decode(taker, bytes, loop->address, next_id, work, tasks))
        return;
    if (!bide__look_map_put(taker->reader, &taker->tasks, address, look->task_count)) {
        taker->out_of_memory = true;
        return;
    }
    look->task_count++;
    loop->task_count++;
}

/* A chunk of records; gives the next one. `fresh` to `fresh_end` was never used. */
static uint64_t take_chunk(struct bide__look_taker *taker, uint64_t chunk, char *bytes,
                           size_t count, const uint64_t *fresh, uint64_t next_id)
{
    size_t head = taker->debug.numbers[BIDE__NUMBER_chunk_head];
    size_t size = taker->debug.sizes[BIDE__SIZE_task];
    uint64_t next;
    if (!bide__look_read_now(taker, chunk, bytes, head + count * size)) {
        taker->look->unread++;
        return 0;
    }
    for (size_t i = 0; i < count; i++) {
        uint64_t address = chunk + head + i * size;
        if (address < fresh[0] || address >= fresh[1])
            add_task(taker, bytes + head + i * size, address, next_id);
    }
    memcpy(&next, bytes, sizeof next);
    return next;
}

static void take_records(struct bide__look_taker *taker, uint64_t address)
{
    uint64_t chunk, fresh[2], next_id;
    uint32_t count, unused;
    bide__look_want(taker, bide__look_at(taker, address, BIDE__AT_loop_chunks), &chunk,
                    sizeof chunk);
    bide__look_want(taker, bide__look_at(taker, address, BIDE__AT_loop_fresh), &fresh[0],
                    sizeof fresh[0]);
    bide__look_want(taker, bide__look_at(taker, address, BIDE__AT_loop_fresh_end), &fresh[1],
                    sizeof fresh[1]);
    bide__look_want(taker, bide__look_at(taker, address, BIDE__AT_loop_chunk_tasks), &count,
                    sizeof count);
    bide__look_want(taker, bide__look_at(taker, address, BIDE__AT_loop_next_id), &next_id,
                    sizeof next_id);
    if (!bide__look_read(taker) || count == 0 || count > MAX_CHUNK_TASKS) {
        taker->look->unread++;
        return;
    }
    size_t bytes_size = taker->debug.numbers[BIDE__NUMBER_chunk_head] +
                        (size_t)count * taker->debug.sizes[BIDE__SIZE_task];
    char *bytes = taker->reader->resize(NULL, bytes_size);
    if (!bytes) {
        taker->out_of_memory = true;
        return;
    }
    next_id += 1 << 20; /* those that are spawned meanwhile */
    for (int i = 0; chunk && i < MAX_CHUNKS && !taker->out_of_memory; i++) {
        if (bide__look_map_get(&taker->chunks, chunk, &unused)) {
            taker->look->unread++; /* a ring of chunks: it was overwritten */
            break;
        }
        taker->out_of_memory |= !bide__look_map_put(taker->reader, &taker->chunks, chunk, 0);
        chunk = take_chunk(taker, chunk, bytes, count, fresh, next_id);
    }
    taker->reader->resize(bytes, 0);
}

/* ---- rings ---- */

/* One ring of a loop: `count` entries so far, of which the last `places` are there. Appends those
   that were not overwritten meanwhile; gives how many, and which was the first. */
static uint32_t take_ring(struct bide__look_taker *taker, uint64_t ring, uint64_t counter,
                          uint32_t places, size_t entry_bytes, struct bide__look_list *list,
                          uint32_t *total, uint64_t *ret_first)
{
    uint64_t before = 0, after = 0;
    uint32_t kept = 0;
    char *bytes = taker->reader->resize(NULL, places * entry_bytes);
    if (!bytes) {
        taker->out_of_memory = true;
        return 0;
    }
    if (bide__look_read_now(taker, counter, &before, sizeof before) &&
        bide__look_read_now(taker, ring, bytes, places * entry_bytes) &&
        bide__look_read_now(taker, counter, &after, sizeof after) && after >= before) {
        /* Entry number `after` may be written just now. */
        uint64_t first = after >= places ? after + 1 - places : 0;
        *ret_first = first;
        for (; first < before; first++) {
            char *entries = bide__look_room(taker, list, *total, entry_bytes);
            if (!entries)
                break;
            memcpy(entries + *total * entry_bytes, bytes + (first & (places - 1)) * entry_bytes,
                   entry_bytes);
            ++*total;
            kept++;
        }
    }
    taker->reader->resize(bytes, 0);
    return kept;
}

static void take_rings(struct bide__look_taker *taker, struct bide__look_loop *loop)
{
    struct bide__look *look = taker->look;
    uint32_t resumes = taker->debug.numbers[BIDE__NUMBER_ring_resumes];
    uint32_t turns = taker->debug.numbers[BIDE__NUMBER_ring_turns];
    uint64_t unused;
    loop->first_turn = look->turn_count;
    loop->turn_count =
        take_ring(taker, bide__look_at(taker, loop->address, BIDE__AT_loop_ring_turns),
                  bide__look_at(taker, loop->address, BIDE__AT_loop_turns), turns,
                  sizeof *look->turns, &taker->turn_list, &look->turn_count, &unused);
    loop->first_resume = look->resume_count;
    loop->resume_count = take_ring(taker, bide__look_at(taker, loop->address, BIDE__AT_loop_ring),
                                   bide__look_at(taker, loop->address, BIDE__AT_loop_slices),
                                   resumes, sizeof *look->resumes, &taker->resume_list,
                                   &look->resume_count, &loop->resumes_from);
    look->turns = taker->turn_list.entries;
    look->resumes = taker->resume_list.entries;
    for (uint32_t i = loop->first_resume; i < look->resume_count; i++)
        look->resumes[i].at = (const void *)(uintptr_t)bide__look_site_of(
            taker, (uint64_t)(uintptr_t)look->resumes[i].at);
}

/* A loop that does not poll runs the task that it resumed last. */
static void find_running(struct bide__look_taker *taker, struct bide__look_loop *loop)
{
    struct bide__ring_resume last;
    uint32_t places = taker->debug.numbers[BIDE__NUMBER_ring_resumes];
    if (loop->polling || loop->slices == 0 ||
        !bide__look_read_now(taker,
                             bide__look_at(taker, loop->address, BIDE__AT_loop_ring) +
                                 ((loop->slices - 1) & (places - 1)) * sizeof last,
                             &last, sizeof last))
        return;
    for (uint32_t i = loop->first_task; i < loop->first_task + loop->task_count; i++)
        if (taker->look->tasks[i].state == BIDE__LOOK_READY &&
            (uint32_t)taker->look->tasks[i].id == last.task)
            taker->look->tasks[i].state = BIDE__LOOK_RUNNING;
}

/* ---- loops, and all of it ---- */

static void take_loop(struct bide__look_taker *taker, uint64_t address, uint64_t runtime,
                      uint32_t index, enum bide__look_what what)
{
    struct bide__look *look = taker->look;
    struct bide__look_loop *loops =
        bide__look_room(taker, &taker->loop_list, look->loop_count, sizeof *loops);
    if (!loops)
        return;
    look->loops = loops;
    struct bide__look_loop *loop = &loops[look->loop_count];
    uint64_t its_runtime;
    uint32_t polling;
    *loop = (struct bide__look_loop){.address = address, .first_task = look->task_count};
    bide__look_want(taker, bide__look_at(taker, address, BIDE__AT_loop_runtime), &its_runtime, 8);
    bide__look_want(taker, bide__look_at(taker, address, BIDE__AT_loop_index), &loop->index, 4);
    bide__look_want(taker, bide__look_at(taker, address, BIDE__AT_loop_tid), &loop->tid, 4);
    bide__look_want(taker, bide__look_at(taker, address, BIDE__AT_loop_slices), &loop->slices, 8);
    bide__look_want(taker, bide__look_at(taker, address, BIDE__AT_loop_now_ns), &loop->now_ns, 8);
    bide__look_want(taker, bide__look_at(taker, address, BIDE__AT_loop_timers), &loop->timers, 8);
    bide__look_want(taker, bide__look_at(taker, address, BIDE__AT_loop_stacks), &loop->stacks, 8);
    bide__look_want(taker, bide__look_at(taker, address, BIDE__AT_loop_polling), &polling, 4);
    if (!bide__look_read(taker) || its_runtime != runtime || loop->index != (int32_t)index) {
        look->unread++;
        return;
    }
    loop->polling = polling != 0;
    look->loop_count++;
    if (what & BIDE__LOOK_TASKS)
        take_records(taker, address);
    if (what & BIDE__LOOK_RINGS)
        take_rings(taker, loop);
}

/* The address of the runtime and of its loops. */
static enum bide__look_result find_loops(struct bide__look_taker *taker, uint64_t *ret_runtime,
                                         uint64_t *ret_loops, uint32_t *ret_count)
{
    uint8_t virtual_clock;
    int64_t virtual_now_ns;
    if (!bide__look_read_now(taker, (uint64_t)(uintptr_t)taker->debug.runtime, ret_runtime, 8))
        return BIDE__LOOK_UNREADABLE;
    if (!*ret_runtime)
        return BIDE__LOOK_NOT_RUNNING;
    bide__look_want(taker, bide__look_at(taker, *ret_runtime, BIDE__AT_runtime_loops), ret_loops,
                    8);
    bide__look_want(taker, bide__look_at(taker, *ret_runtime, BIDE__AT_runtime_loop_count),
                    ret_count, 4);
    bide__look_want(taker, bide__look_at(taker, *ret_runtime, BIDE__AT_runtime_virtual),
                    &virtual_clock, 1);
    bide__look_want(taker, bide__look_at(taker, *ret_runtime, BIDE__AT_runtime_virtual_now_ns),
                    &virtual_now_ns, 8);
    if (!bide__look_read(taker) || *ret_count > MAX_LOOPS)
        return BIDE__LOOK_DAMAGED;
    if (virtual_clock)
        taker->look->now_ns = virtual_now_ns;
    return BIDE__LOOK_DONE;
}

static enum bide__look_result take_loops(struct bide__look_taker *taker, enum bide__look_what what)
{
    uint64_t runtime = 0, loops = 0, addresses[64];
    uint32_t count = 0;
    enum bide__look_result result = find_loops(taker, &runtime, &loops, &count);
    if (result != BIDE__LOOK_DONE)
        return result;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t part = i % 64;
        if (part == 0) {
            size_t parts = count - i < 64 ? count - i : 64;
            if (!bide__look_read_now(taker, loops + (uint64_t)i * 8, addresses, parts * 8))
                return BIDE__LOOK_DAMAGED;
        }
        if (addresses[part])
            take_loop(taker, addresses[part], runtime, i, what);
    }
    if (taker->look->loop_count == 0)
        return taker->look->unread ? BIDE__LOOK_DAMAGED : BIDE__LOOK_NOT_RUNNING;
    return BIDE__LOOK_DONE;
}

/* Whether every member that is picked out of bytes lies within those that are read. */
static bool has_members(const struct bide__debug *debug)
{
    const uint32_t *offsets = debug->offsets, *sizes = debug->sizes;
    for (int i = BIDE__AT_task_at; i < BIDE__OFFSETS; i++) {
        bool is_byte =
            i == BIDE__AT_task_state || i == BIDE__AT_task_cancelled || i == BIDE__AT_task_called;
        uint32_t width = is_byte                        ? 1
                         : i == BIDE__AT_task_attention ? 2
                         : i == BIDE__AT_task_spawned   ? 4
                                                        : 8;
        uint32_t size = i < BIDE__AT_wait_task     ? sizes[BIDE__SIZE_task]
                        : i < BIDE__AT_object_kind ? sizes[BIDE__SIZE_wait]
                        : i < BIDE__AT_kind_noun   ? sizes[BIDE__SIZE_object]
                                                   : MAX_OTHER_BYTES;
        if (size < width || offsets[i] > size - width)
            return false;
    }
    return sizes[BIDE__SIZE_task] <= MAX_TASK_BYTES && sizes[BIDE__SIZE_wait] <= MAX_OTHER_BYTES &&
           sizes[BIDE__SIZE_object] <= MAX_OTHER_BYTES &&
           sizes[BIDE__SIZE_object] <= sizes[BIDE__SIZE_task] - offsets[BIDE__AT_task_object];
}

static enum bide__look_result read_layout(struct bide__look_taker *taker, uint64_t address)
{
    struct bide__debug *debug = &taker->debug;
    struct bide__look *look = taker->look;
    if (!bide__look_read_now(taker, address, debug, offsetof(struct bide__debug, runtime)))
        return taker->out_of_memory ? BIDE__LOOK_NO_MEMORY : BIDE__LOOK_UNREADABLE;
    if (memcmp(debug->magic, BIDE__DEBUG_MAGIC, sizeof debug->magic) != 0)
        return BIDE__LOOK_NO_MAGIC;
    look->version = debug->version;
    if (debug->version != BIDE__DEBUG_VERSION || debug->offset_count != BIDE__OFFSETS ||
        debug->size_count != BIDE__SIZES || debug->number_count != BIDE__NUMBERS)
        return BIDE__LOOK_OTHER_VERSION;
    if (!bide__look_read_now(taker, address, debug, sizeof *debug))
        return BIDE__LOOK_UNREADABLE;
    if (!has_members(debug) ||
        debug->offsets[BIDE__AT_task_at] > debug->offsets[BIDE__AT_task_wait] ||
        debug->offsets[BIDE__AT_task_id] > debug->offsets[BIDE__AT_task_wait] ||
        debug->offsets[BIDE__AT_task_sp] > debug->offsets[BIDE__AT_task_wait] ||
        debug->offsets[BIDE__AT_task_wait] > MAX_OTHER_BYTES - sizeof(uint64_t) ||
        debug->offsets[BIDE__AT_stack_high] !=
            debug->offsets[BIDE__AT_stack_low] + sizeof(uint64_t))
        return BIDE__LOOK_DAMAGED;
    uint32_t resumes = debug->numbers[BIDE__NUMBER_ring_resumes];
    uint32_t turns = debug->numbers[BIDE__NUMBER_ring_turns];
    if (resumes == 0 || resumes > MAX_RING || (resumes & (resumes - 1)) || turns == 0 ||
        turns > MAX_RING || (turns & (turns - 1)) ||
        debug->numbers[BIDE__NUMBER_chunk_head] > MAX_TASK_BYTES)
        return BIDE__LOOK_DAMAGED;
    return BIDE__LOOK_DONE;
}

static void end_taking(struct bide__look_taker *taker)
{
    struct bide__look_map *maps[] = {&taker->tasks, &taker->chunks, &taker->groups,
                                     &taker->sites, &taker->kinds,  &taker->texts};
    struct bide__look_list *lists[] = {&taker->work_list,     &taker->site_at_list,
                                       &taker->kind_at_list,  &taker->text_at_list,
                                       &taker->group_at_list, &taker->piece_list};
    for (size_t i = 0; i < sizeof maps / sizeof *maps; i++)
        taker->reader->resize(maps[i]->places, 0);
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++)
        taker->reader->resize(lists[i]->entries, 0);
}

enum bide__look_result bide__look_take(struct bide__look_reader *reader, uint64_t debug,
                                       enum bide__look_what what, struct bide__look *ret_look)
{
    struct bide__look_taker taker = {.reader = reader, .look = ret_look, .text_count = 1};
    *ret_look = (struct bide__look){.magic = BIDE__DEBUG_MAGIC, .site_count = 1};
    ret_look->now_ns = reader->clock_ns();
    enum bide__look_result result = read_layout(&taker, debug);
    if (result == BIDE__LOOK_DONE)
        result = take_loops(&taker, what);
    if (result == BIDE__LOOK_DONE && !taker.out_of_memory) {
        bide__look_take_tasks(&taker);
        for (uint32_t i = 0; i < ret_look->loop_count; i++)
            find_running(&taker, &ret_look->loops[i]);
    }
    end_taking(&taker);
    return taker.out_of_memory ? BIDE__LOOK_NO_MEMORY : result;
}

void bide__look_free(struct bide__look_reader *reader, struct bide__look *look)
{
    void *all[] = {look->loops, look->tasks,   look->sites, look->kinds,
                   look->texts, look->resumes, look->turns};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        reader->resize(all[i], 0);
}
