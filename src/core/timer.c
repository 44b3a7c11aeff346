/*
 * The timer wheel: expiry, and when it is next due. Called by loop.c once per turn; arming and
 * disarming are inline in timer.h.
 *
 * Invariants
 *  1. Level 0 has nothing before the digit of now_tick, level l > 0 nothing at or before it.
 *  2. The timers of one slot are in the order of their arming, so equal times stay in that order.
 *  3. While now_tick is less than the tick of the time that is being expired, all of its slot is
 *     due.
 */
#include "core/timer.h"

enum {
    SLOT_MASK = BIDE__TIMER_SLOTS - 1,
    WAKE_SCAN_MAX = 64, /* timers: a walk of a few hundred ns */
    SORT_BINS = 48,     /* 2^48 timers do not fit into memory */
};

#define timer_of(pointer) bide__container_of(pointer, struct bide__timer, node)

/* A list of timers in order of their time. */
struct due {
    struct bide__list list;
    bool unsorted;
};

void bide__timers_init(struct bide__timers *timers, int64_t now_ns)
{
    BIDE_ASSERT(now_ns >= 0, "the clock says %lld ns", (long long)now_ns);
    *timers = (struct bide__timers){.now_tick = now_ns >> BIDE__TIMER_TICK_SHIFT};
    for (unsigned level = 0; level < BIDE__TIMER_LEVELS; level++) {
        for (unsigned slot = 0; slot < BIDE__TIMER_SLOTS; slot++)
            bide__list_init(&timers->slots[level][slot]);
    }
}

static unsigned digit_of(int64_t tick, unsigned level)
{
    return (uint64_t)tick >> (level * BIDE__TIMER_SLOT_BITS) & SLOT_MASK;
}

/* The first tick of a slot: the digits above are those of now_tick. */
static int64_t slot_start(const struct bide__timers *timers, unsigned level, unsigned slot)
{
    unsigned shift = level * BIDE__TIMER_SLOT_BITS;
    uint64_t above = (uint64_t)timers->now_tick >> shift & ~(uint64_t)SLOT_MASK;
    return (int64_t)((above | slot) << shift);
}

/* The first slot in use at or after `from`, or BIDE__TIMER_SLOTS. Clears stale bits on its way. */
static unsigned first_slot(struct bide__timers *timers, unsigned level, unsigned from)
{
    if (from == BIDE__TIMER_SLOTS)
        return from;
    uint64_t mask = ~UINT64_C(0) << (from % 64);
    for (unsigned word = from / 64; word < BIDE__TIMER_SLOTS / 64; word++) {
        uint64_t bits = timers->occupied[level][word] & mask;
        for (; bits; bits &= bits - 1) {
            unsigned slot = word * 64 + (unsigned)__builtin_ctzll(bits);
            if (!bide__list_empty(&timers->slots[level][slot]))
                return slot;
            timers->occupied[level][word] &= ~(bits & -bits);
        }
        mask = ~UINT64_C(0);
    }
    return BIDE__TIMER_SLOTS;
}

/* The slot with the earliest timers, the current tick's included or not; false: there is none. */
static bool earliest_slot(struct bide__timers *timers, bool current, unsigned *ret_level,
                          unsigned *ret_slot)
{
    if (timers->armed == 0)
        return false;
    for (unsigned level = 0; level < BIDE__TIMER_LEVELS; level++) {
        unsigned from = digit_of(timers->now_tick, level) + !current; /* see invariant 1 */
        unsigned slot = first_slot(timers, level, from);
        if (slot < BIDE__TIMER_SLOTS) {
            *ret_level = level;
            *ret_slot = slot;
            return true;
        }
    }
    return false;
}

static int64_t earliest_ns(struct bide__timers *timers, size_t scan_max)
{
    unsigned level, slot;
    if (!earliest_slot(timers, true, &level, &slot))
        return INT64_MAX;
    int64_t start = slot_start(timers, level, slot);
    int64_t earliest = INT64_MAX;
    size_t scanned = 0;
    bide__list_foreach(node, &timers->slots[level][slot])
    {
        if (scanned++ >= scan_max && start > timers->now_tick)
            return start << BIDE__TIMER_TICK_SHIFT;
        if (timer_of(node)->expires_ns < earliest)
            earliest = timer_of(node)->expires_ns;
    }
    return earliest;
}

int64_t bide__timers_next_ns(struct bide__timers *timers)
{
    return earliest_ns(timers, SIZE_MAX);
}

int64_t bide__timers_wake_ns(struct bide__timers *timers)
{
    return earliest_ns(timers, WAKE_SCAN_MAX);
}

/* Merges two chains by time; at equal times those of `first` come first. */
static struct bide__list_node *merge(struct bide__list_node *first, struct bide__list_node *second)
{
    struct bide__list_node *chain = NULL, **end = &chain;
    while (first && second) {
        struct bide__list_node **from =
            timer_of(second)->expires_ns < timer_of(first)->expires_ns ? &second : &first;
        *end = *from;
        end = &(*from)->next;
        *from = (*from)->next;
    }
    *end = first ? first : second;
    return chain;
}

/* Stable merge sort: bin i holds a sorted chain of 2^i timers, older ones in higher bins. */
static void sort_by_time(struct bide__list *list)
{
    struct bide__list_node *bins[SORT_BINS] = {NULL};
    struct bide__list_node *node;
    while ((node = bide__list_pop_front(list))) {
        unsigned bin = 0;
        for (; bins[bin]; bin++) {
            node = merge(bins[bin], node);
            bins[bin] = NULL;
        }
        bins[bin] = node;
    }
    for (unsigned bin = 0; bin < SORT_BINS; bin++)
        node = merge(bins[bin], node);
    while (node) {
        struct bide__list_node *next = node->next;
        bide__list_push_back(list, node);
        node = next;
    }
}

/* Empties a slot: what is due is appended to `due`, the rest to `later`. */
static void sort_out(struct bide__list *slot, int64_t now_ns, struct due *due,
                     struct bide__list *later)
{
    struct bide__list_node *node;
    while ((node = bide__list_pop_front(slot))) {
        struct bide__list_node *last = bide__list_last(&due->list);
        int64_t expires_ns = timer_of(node)->expires_ns;
        if (expires_ns > now_ns) {
            bide__list_push_back(later, node);
            continue;
        }
        due->unsorted |= last && timer_of(last)->expires_ns > expires_ns;
        bide__list_push_back(&due->list, node);
    }
    if (due->unsorted)
        sort_by_time(&due->list);
    due->unsorted = false;
}

/* Fires what is due of the current tick. Meanwhile the slot holds only what was armed by firing. */
static void expire_tick(struct bide__timers *timers, int64_t now_ns)
{
    struct bide__list *slot = &timers->slots[0][digit_of(timers->now_tick, 0)];
    struct bide__list later;
    struct due due = {.unsorted = false};
    struct bide__list_node *node;
    bide__list_init(&due.list);
    bide__list_init(&later);
    do {
        if (!bide__list_empty(slot))
            sort_out(slot, now_ns, &due, &later);
        node = bide__list_pop_front(&due.list);
        if (node) {
            timers->armed--;
            timer_of(node)->fire(timer_of(node));
        }
    } while (node);
    bide__list_splice_back(slot, &later);
}

/* Goes to the next slot in use, and spreads it over the levels below; false: none until `target`.
 */
static bool advance(struct bide__timers *timers, int64_t target)
{
    unsigned level, slot;
    if (!earliest_slot(timers, false, &level, &slot) || slot_start(timers, level, slot) > target) {
        timers->now_tick = target;
        return false;
    }
    timers->now_tick = slot_start(timers, level, slot);
    if (level > 0) {
        struct bide__list_node *node;
        while ((node = bide__list_pop_front(&timers->slots[level][slot])))
            bide__timer_link(timers, timer_of(node));
    }
    return true;
}

void bide__timers_expire(struct bide__timers *timers, int64_t now_ns)
{
    int64_t target = now_ns >> BIDE__TIMER_TICK_SHIFT;
    do {
        expire_tick(timers, now_ns);
    } while (timers->now_tick < target && advance(timers, target));
}

void bide__timers_validate(const struct bide__timers *timers)
{
    size_t found = 0;
    for (unsigned level = 0; level < BIDE__TIMER_LEVELS; level++) {
        for (unsigned slot = 0; slot < BIDE__TIMER_SLOTS; slot++) {
            const struct bide__list *list = &timers->slots[level][slot];
            BIDE_ASSERT(bide__list_empty(list) ||
                            timers->occupied[level][slot / 64] >> (slot % 64) & 1,
                        "timer slot %u.%u is in use but not marked", level, slot);
            bide__list_foreach(node, list)
            {
                int64_t expires_ns = timer_of(node)->expires_ns;
                unsigned right_level, right_slot;
                bide__timer_place(timers, expires_ns, &right_level, &right_slot);
                BIDE_ASSERT(right_level == level && right_slot == slot,
                            "timer for %lld ns is in slot %u.%u, not in %u.%u at tick %lld",
                            (long long)expires_ns, level, slot, right_level, right_slot,
                            (long long)timers->now_tick);
                BIDE_ASSERT(node->next->previous == node && node->previous->next == node,
                            "timer slot %u.%u is torn", level, slot);
                found++;
            }
        }
    }
    BIDE_ASSERT(found == timers->armed, "%zu timers are linked, %zu are counted as armed", found,
                timers->armed);
}
