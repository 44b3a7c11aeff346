/*
 * The second half of a picture: what the tasks wait for, the tasks above them, who holds what, and
 * all names. Called by look.c, which has the records; its invariants hold here too.
 */
#include "core/look_take.h"

#include <string.h>

enum { MAX_TEXT_BYTES = 256, PAGE_BYTES = 4096, TRIES = 4 };

static uint32_t text_of(struct bide__look_taker *taker, uint64_t address)
{
    return bide__look_number(taker, &taker->texts, &taker->text_at_list, &taker->text_count,
                             address);
}

static uint32_t kind_of(struct bide__look_taker *taker, uint64_t address)
{
    return bide__look_number(taker, &taker->kinds, &taker->kind_at_list, &taker->look->kind_count,
                             address);
}

/* ---- what tasks wait for ---- */

/* The front of a record, up to its wait: what must be the same before and after. */
struct step {
    char wait[BIDE__LOOK_MAX_OTHER_BYTES], scope[BIDE__LOOK_MAX_OTHER_BYTES];
    char object[BIDE__LOOK_MAX_OTHER_BYTES], front[BIDE__LOOK_MAX_OTHER_BYTES];
    uint64_t low_high[2];
};

static void want_step(struct bide__look_taker *taker, const struct bide__look_work *work,
                      struct step *step)
{
    if (work->wait)
        bide__look_want(taker, work->wait, step->wait, taker->debug.sizes[BIDE__SIZE_wait]);
    if (work->scope)
        bide__look_want(taker, work->scope, step->scope,
                        taker->debug.offsets[BIDE__AT_scope_deadline_ns] + sizeof(uint64_t));
    if (work->stack) /* low, then high */
        bide__look_want(taker, bide__look_at(taker, work->stack, BIDE__AT_stack_low),
                        step->low_high, sizeof step->low_high);
}

/* What was read of a task's wait, scope and stack. */
static void use_step(struct bide__look_taker *taker, struct bide__look_work *work,
                     struct bide__look_task *task, const struct step *step)
{
    work->again = bide__look_word(taker, step->front, BIDE__AT_task_at) != work->at ||
                  bide__look_word(taker, step->front, BIDE__AT_task_id) != task->id ||
                  bide__look_word(taker, step->front, BIDE__AT_task_sp) != work->sp ||
                  bide__look_word(taker, step->front, BIDE__AT_task_wait) != work->wait;
    if (work->wait && bide__look_word(taker, step->wait, BIDE__AT_wait_task) != work->address)
        work->again = true;
    if (work->again)
        return;
    if (work->wait) {
        task->since_ns = (int64_t)bide__look_word(taker, step->wait, BIDE__AT_wait_since_ns);
        work->object = bide__look_word(taker, step->wait, BIDE__AT_wait_object);
        work->kind = bide__look_word(taker, step->object, BIDE__AT_object_kind);
        work->object_name = bide__look_word(taker, step->object, BIDE__AT_object_name);
        work->object_made = bide__look_word(taker, step->object, BIDE__AT_object_made);
    }
    if (work->scope && bide__look_word(taker, step->scope, BIDE__AT_scope_task) == work->address)
        task->deadline_ns =
            (int64_t)bide__look_word(taker, step->scope, BIDE__AT_scope_deadline_ns);
    uint64_t low = step->low_high[0], high = step->low_high[1];
    if (work->stack && high > low && high - low < UINT32_MAX) {
        task->stack_size = (uint32_t)(high - low);
        if (work->sp >= low && work->sp < high)
            task->stack_used = (uint32_t)(high - work->sp);
    }
}

/* Some tasks at a time: a step is large. */
static void take_waits(struct bide__look_taker *taker, uint32_t first, uint32_t end,
                       struct step *steps)
{
    struct bide__look_work *work = taker->work;
    struct bide__look_task *tasks = taker->look->tasks;
    for (uint32_t i = first; i < end; i++)
        if (work[i].again)
            want_step(taker, &work[i], &steps[i - first]);
    bide__look_read(taker);
    for (uint32_t i = first; i < end; i++) {
        struct step *step = &steps[i - first];
        if (work[i].again && work[i].wait)
            bide__look_want(taker, bide__look_word(taker, step->wait, BIDE__AT_wait_object),
                            step->object, taker->debug.sizes[BIDE__SIZE_object]);
    }
    bide__look_read(taker);
    for (uint32_t i = first; i < end; i++)
        if (work[i].again)
            bide__look_want(taker, work[i].address, steps[i - first].front,
                            taker->debug.offsets[BIDE__AT_task_wait] + sizeof(uint64_t));
    bide__look_read(taker);
    for (uint32_t i = first; i < end; i++)
        if (work[i].again)
            use_step(taker, &work[i], &tasks[i], &steps[i - first]);
}

/* Reads the records of those that changed once more; one that is no task now is given up. */
static void take_again(struct bide__look_taker *taker)
{
    char bytes[BIDE__LOOK_MAX_TASK_BYTES];
    struct bide__look *look = taker->look;
    for (uint32_t i = 0; i < look->task_count; i++) {
        struct bide__look_work *work = &taker->work[i];
        struct bide__look_task *task = &look->tasks[i];
        if (!work->again)
            continue;
        if (!bide__look_read_now(taker, work->address, bytes,
                                 taker->debug.sizes[BIDE__SIZE_task]) ||
            !bide__look_decode(taker, bytes, look->loops[task->loop].address, UINT64_MAX, work,
                               task)) {
            task->state = BIDE__LOOK_ENDED;
            work->again = false;
            work->wait = 0;
        }
    }
}

static void take_all_waits(struct bide__look_taker *taker)
{
    enum { AT_A_TIME = 256 };
    struct bide__look *look = taker->look;
    struct step *steps = taker->reader->resize(NULL, AT_A_TIME * sizeof *steps);
    if (!steps) {
        taker->out_of_memory = true;
        return;
    }
    for (int try = 0; try < TRIES && !taker->out_of_memory; try++) {
        if (try > 0)
            take_again(taker);
        for (uint32_t i = 0; i < look->task_count; i += AT_A_TIME)
            take_waits(taker, i,
                       look->task_count - i < AT_A_TIME ? look->task_count : i + AT_A_TIME, steps);
    }
    taker->reader->resize(steps, 0);
    for (uint32_t i = 0; i < look->task_count; i++) {
        if (!taker->work[i].again)
            continue;
        look->tasks[i].state = BIDE__LOOK_MOVING;
        taker->work[i].object = taker->work[i].kind = 0;
    }
}

/* ---- groups: the task above, and what is meant ---- */

/* The scopes of a task, or those around a group, from the innermost on. */
struct chain {
    uint64_t owner, scope, up, task;
    uint8_t kind;
    bool meant; /* one of them is a with_deadline */
};

/* A group as it was read. */
struct group {
    uint64_t kind, parent;
    int64_t deadline_ns;
};

static void follow_chains(struct bide__look_taker *taker, struct chain *chains, size_t count)
{
    enum { MOST_SCOPES = 64, DEADLINE = 0 /* enum bide__scope_kind */ };
    for (int depth = 0; depth < MOST_SCOPES; depth++) {
        size_t left = 0;
        for (size_t i = 0; i < count; i++) {
            struct chain *chain = &chains[i];
            if (!chain->scope)
                continue;
            bide__look_want(taker, bide__look_at(taker, chain->scope, BIDE__AT_scope_up),
                            &chain->up, sizeof chain->up);
            bide__look_want(taker, bide__look_at(taker, chain->scope, BIDE__AT_scope_task),
                            &chain->task, sizeof chain->task);
            bide__look_want(taker, bide__look_at(taker, chain->scope, BIDE__AT_scope_kind),
                            &chain->kind, sizeof chain->kind);
            left++;
        }
        if (left == 0)
            return;
        bide__look_read(taker);
        for (size_t i = 0; i < count; i++) {
            struct chain *chain = &chains[i];
            bool is_there = chain->scope && chain->task == chain->owner;
            chain->meant |= is_there && chain->kind == DEADLINE;
            chain->scope = is_there && !chain->meant ? chain->up : 0;
        }
    }
}

/* As bide__unanswered_is_meant: `chains` are those of the groups, then those of the tasks. */
static bool is_meant(const struct bide__look_taker *taker, const struct group *groups,
                     const struct chain *chains, uint32_t task)
{
    enum { MOST_GROUPS = 64 };
    uint32_t group;
    bool meant = chains[taker->group_count + task].meant;
    for (int i = 0; i < MOST_GROUPS && !meant; i++) {
        if (!bide__look_map_get(&taker->groups, taker->work[task].group, &group) ||
            groups[group].kind != (uint64_t)(uintptr_t)taker->debug.kind_group)
            return false;
        if (!groups[group].parent)
            return !taker->work[task].called;
        meant = chains[group].meant;
        if (!bide__look_map_get(&taker->tasks, groups[group].parent, &task))
            return meant;
    }
    return meant;
}

static void mark_meant(struct bide__look_taker *taker, const struct group *groups)
{
    struct bide__look *look = taker->look;
    const uint64_t *addresses = taker->group_at_list.entries;
    size_t count = taker->group_count + (size_t)look->task_count;
    struct chain *chains = taker->reader->resize(NULL, count * sizeof *chains);
    if (!chains) {
        taker->out_of_memory = true;
        return;
    }
    memset(chains, 0, count * sizeof *chains);
    for (uint32_t i = 1; i < taker->group_count; i++)
        if (groups[i].parent && groups[i].kind == (uint64_t)(uintptr_t)taker->debug.kind_group)
            chains[i] =
                (struct chain){.owner = groups[i].parent,
                               .scope = bide__look_at(taker, addresses[i], BIDE__AT_group_scope)};
    for (uint32_t i = 0; i < look->task_count; i++)
        if (look->tasks[i].state == BIDE__LOOK_WAITING && look->tasks[i].deadline_ns == INT64_MAX)
            chains[taker->group_count + i] =
                (struct chain){.owner = taker->work[i].address, .scope = taker->work[i].scope};
    follow_chains(taker, chains, count);
    for (uint32_t i = 0; i < look->task_count; i++)
        if (chains[taker->group_count + i].owner && is_meant(taker, groups, chains, i))
            look->tasks[i].flags |= BIDE__LOOK_MEANT;
    taker->reader->resize(chains, 0);
}

static void take_groups(struct bide__look_taker *taker)
{
    struct bide__look *look = taker->look;
    taker->group_count = 1;
    for (uint32_t i = 0; i < look->task_count; i++)
        bide__look_number(taker, &taker->groups, &taker->group_at_list, &taker->group_count,
                          taker->work[i].group);
    struct group *groups = taker->reader->resize(NULL, taker->group_count * sizeof *groups);
    if (!groups || taker->out_of_memory) {
        taker->out_of_memory = true;
        taker->reader->resize(groups, 0);
        return;
    }
    const uint64_t *addresses = taker->group_at_list.entries;
    for (uint32_t i = 1; i < taker->group_count; i++) {
        uint64_t object = bide__look_at(taker, addresses[i], BIDE__AT_group_object);
        bide__look_want(taker, bide__look_at(taker, object, BIDE__AT_object_kind), &groups[i].kind,
                        8);
        bide__look_want(taker, bide__look_at(taker, addresses[i], BIDE__AT_group_parent),
                        &groups[i].parent, 8);
        bide__look_want(taker, bide__look_at(taker, addresses[i], BIDE__AT_group_deadline_ns),
                        &groups[i].deadline_ns, 8);
    }
    bide__look_read(taker);
    for (uint32_t i = 0; i < look->task_count; i++) {
        uint32_t group;
        struct bide__look_task *task = &look->tasks[i];
        if (!bide__look_map_get(&taker->groups, taker->work[i].group, &group) ||
            groups[group].kind != (uint64_t)(uintptr_t)taker->debug.kind_group)
            continue;
        if (!groups[group].parent)
            task->flags |= BIDE__LOOK_BACKGROUND;
        else
            bide__look_map_get(&taker->tasks, groups[group].parent, &task->parent);
        if (!taker->work[i].scope)
            task->deadline_ns = groups[group].deadline_ns;
    }
    mark_meant(taker, groups);
    taker->reader->resize(groups, 0);
}

/* ---- kinds, holders, sites, texts ---- */

/* The kinds that tasks wait for, and who holds the objects. */
static void take_kinds(struct bide__look_taker *taker)
{
    struct bide__look *look = taker->look;
    look->kind_count = 1;
    for (uint32_t i = 0; i < look->task_count; i++)
        look->tasks[i].kind = kind_of(taker, taker->work[i].kind);
    struct kind {
        uint64_t noun, verb;
        uint16_t way;
        int16_t from_object, then;
    } *kinds = taker->reader->resize(NULL, look->kind_count * sizeof *kinds);
    look->kinds = taker->reader->resize(NULL, look->kind_count * sizeof *look->kinds);
    if (!kinds || !look->kinds || taker->out_of_memory) {
        taker->out_of_memory = true;
        taker->reader->resize(kinds, 0);
        return;
    }
    const uint64_t *addresses = taker->kind_at_list.entries;
    for (uint32_t i = 1; i < look->kind_count; i++) {
        bide__look_want(taker, bide__look_at(taker, addresses[i], BIDE__AT_kind_noun),
                        &kinds[i].noun, 8);
        bide__look_want(taker, bide__look_at(taker, addresses[i], BIDE__AT_kind_verb),
                        &kinds[i].verb, 8);
        bide__look_want(taker, bide__look_at(taker, addresses[i], BIDE__AT_kind_way), &kinds[i].way,
                        2);
        bide__look_want(taker, bide__look_at(taker, addresses[i], BIDE__AT_kind_from_object),
                        &kinds[i].from_object, 2);
        bide__look_want(taker, bide__look_at(taker, addresses[i], BIDE__AT_kind_then),
                        &kinds[i].then, 2);
    }
    bide__look_read(taker);
    look->kinds[0] = (struct bide__look_kind){0, 0};
    for (uint32_t i = 1; i < look->kind_count; i++)
        look->kinds[i] =
            (struct bide__look_kind){text_of(taker, kinds[i].noun), text_of(taker, kinds[i].verb)};
    enum { UNTOLD, AT, BEHIND, IS }; /* enum bide__holder_way */
    for (int round = AT; round <= BEHIND; round++) {
        for (uint32_t i = 0; i < look->task_count; i++) {
            const struct kind *kind = &kinds[look->tasks[i].kind];
            struct bide__look_work *work = &taker->work[i];
            uint64_t address = round == BEHIND
                                   ? work->holder + (uint64_t)(int64_t)kind->then
                                   : work->object + (uint64_t)(int64_t)kind->from_object;
            if (!look->tasks[i].kind || kind->way == UNTOLD || kind->way < round)
                continue;
            if (kind->way == IS)
                work->holder = work->object + (uint64_t)(int64_t)kind->from_object;
            else if (round == AT || work->holder)
                bide__look_want(taker, address, &work->holder, sizeof work->holder);
        }
        bide__look_read(taker);
    }
    for (uint32_t i = 0; i < look->task_count; i++)
        bide__look_map_get(&taker->tasks, taker->work[i].holder, &look->tasks[i].holder);
    taker->reader->resize(kinds, 0);
}

static void take_sites(struct bide__look_taker *taker)
{
    struct bide__look *look = taker->look;
    struct {
        uint64_t file, function, what;
        int32_t line;
    } *sites = taker->reader->resize(NULL, look->site_count * sizeof *sites);
    look->sites = taker->reader->resize(NULL, look->site_count * sizeof *look->sites);
    if (!sites || !look->sites || taker->out_of_memory) {
        taker->out_of_memory = true;
        taker->reader->resize(sites, 0);
        return;
    }
    const uint64_t *addresses = taker->site_at_list.entries;
    for (uint32_t i = 1; i < look->site_count; i++) {
        bide__look_want(taker, bide__look_at(taker, addresses[i], BIDE__AT_site_file),
                        &sites[i].file, 8);
        bide__look_want(taker, bide__look_at(taker, addresses[i], BIDE__AT_site_function),
                        &sites[i].function, 8);
        bide__look_want(taker, bide__look_at(taker, addresses[i], BIDE__AT_site_what),
                        &sites[i].what, 8);
        bide__look_want(taker, bide__look_at(taker, addresses[i], BIDE__AT_site_line),
                        &sites[i].line, 4);
    }
    bide__look_read(taker);
    look->sites[0] = (struct bide__look_site){0, 0, 0, 0};
    for (uint32_t i = 1; i < look->site_count; i++)
        look->sites[i] = (struct bide__look_site){text_of(taker, sites[i].file),
                                                  text_of(taker, sites[i].function),
                                                  text_of(taker, sites[i].what), sites[i].line};
    taker->reader->resize(sites, 0);
}

/* The bytes of the printable character at `text`, in UTF-8 (RFC 3629, section 4); 0: there is
   none. */
static size_t character(const unsigned char *text)
{
    unsigned char low = 0x80, high = 0xbf; /* of the second byte */
    size_t more = text[0] < 0x80 ? 0 : text[0] < 0xe0 ? 1 : text[0] < 0xf0 ? 2 : 3;
    if (text[0] < ' ' || (text[0] >= 0x7f && text[0] < 0xc2) || text[0] > 0xf4)
        return 0;
    if (text[0] == 0xc2 || text[0] == 0xe0) /* below are control characters; overlong forms */
        low = 0xa0;
    if (text[0] == 0xed)
        high = 0x9f;
    if (text[0] == 0xf0)
        low = 0x90;
    if (text[0] == 0xf4)
        high = 0x8f;
    for (size_t i = 1; i <= more; i++, low = 0x80, high = 0xbf)
        if (text[i] < low || text[i] > high)
            return 0;
    return more + 1;
}

size_t bide__look_clean_text(char *text, size_t size)
{
    size_t length = strnlen(text, size - 1);
    text[length] = '\0';
    for (size_t i = 0; i < length;) {
        size_t bytes = character((const unsigned char *)text + i);
        if (bytes == 0)
            text[i] = '?';
        i += bytes ? bytes : 1;
    }
    return length;
}

/* Reads every text; from then on their numbers are offsets. */
static void take_texts(struct bide__look_taker *taker, uint32_t *offsets)
{
    struct bide__look *look = taker->look;
    const uint64_t *addresses = taker->text_at_list.entries;
    char *raw = taker->reader->resize(NULL, (size_t)taker->text_count * MAX_TEXT_BYTES);
    look->texts = taker->reader->resize(NULL, (size_t)taker->text_count * MAX_TEXT_BYTES);
    if (!raw || !look->texts) {
        taker->out_of_memory = true;
        taker->reader->resize(raw, 0);
        return;
    }
    for (uint32_t i = 1; i < taker->text_count; i++) {
        char *text = raw + (size_t)i * MAX_TEXT_BYTES;
        size_t to_end = PAGE_BYTES - addresses[i] % PAGE_BYTES;
        size_t first = to_end < MAX_TEXT_BYTES ? to_end : MAX_TEXT_BYTES;
        bide__look_want(taker, addresses[i], text, first);
        if (first < MAX_TEXT_BYTES) /* on another page, which may not be there */
            bide__look_want(taker, addresses[i] + first, text + first, MAX_TEXT_BYTES - first);
    }
    bide__look_read(taker);
    look->texts[0] = '\0';
    look->text_bytes = 1;
    offsets[0] = 0;
    for (uint32_t i = 1; i < taker->text_count; i++) {
        char *text = raw + (size_t)i * MAX_TEXT_BYTES;
        size_t length = bide__look_clean_text(text, MAX_TEXT_BYTES);
        offsets[i] = length ? look->text_bytes : 0;
        memcpy(look->texts + look->text_bytes, text, length + 1);
        look->text_bytes += length ? (uint32_t)length + 1 : 0;
    }
    taker->reader->resize(raw, 0);
}

static void take_names(struct bide__look_taker *taker)
{
    struct bide__look *look = taker->look;
    for (uint32_t i = 0; i < look->task_count; i++) {
        look->tasks[i].name = text_of(taker, taker->work[i].name);
        look->tasks[i].object = text_of(taker, taker->work[i].object_name);
    }
    uint32_t *offsets = taker->reader->resize(NULL, taker->text_count * sizeof *offsets);
    if (offsets && !taker->out_of_memory)
        take_texts(taker, offsets);
    taker->out_of_memory |= !offsets;
    if (taker->out_of_memory) {
        taker->reader->resize(offsets, 0);
        return;
    }
    for (uint32_t i = 0; i < look->task_count; i++) {
        look->tasks[i].name = offsets[look->tasks[i].name];
        look->tasks[i].object = offsets[look->tasks[i].object];
    }
    for (uint32_t i = 0; i < look->site_count; i++) {
        look->sites[i].file = offsets[look->sites[i].file];
        look->sites[i].function = offsets[look->sites[i].function];
        look->sites[i].what = offsets[look->sites[i].what];
    }
    for (uint32_t i = 0; i < look->kind_count; i++) {
        look->kinds[i].noun = offsets[look->kinds[i].noun];
        look->kinds[i].verb = offsets[look->kinds[i].verb];
    }
    taker->reader->resize(offsets, 0);
}

void bide__look_take_tasks(struct bide__look_taker *taker)
{
    struct bide__look *look = taker->look;
    take_all_waits(taker);
    for (uint32_t i = 0; i < look->task_count; i++) {
        look->tasks[i].at = bide__look_site_of(taker, taker->work[i].at);
        look->tasks[i].made = bide__look_site_of(taker, taker->work[i].made);
        look->tasks[i].object_made = bide__look_site_of(taker, taker->work[i].object_made);
    }
    take_groups(taker);
    take_kinds(taker);
    take_sites(taker);
    take_names(taker);
}
