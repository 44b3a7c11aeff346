/*
 * Timers of one loop: a hierarchical wheel (Varghese and Lauck, "Hashed and hierarchical timing
 * wheels", 1987). Arming and disarming are O(1) and touch the slot's neighbours only.
 *
 * A tick is 2^18 ns (262 us); read in base 256 it has 6 digits, enough for all of int64_t. A timer
 * is at the level of the highest digit in which its tick differs from now_tick, in the slot that
 * this digit says. So everything at one level is due before anything at the level above, and no
 * slot before now_tick's own digit is in use.
 *
 *      now_tick  01 20 07      tick 01 20 09 -> level 0, slot 09
 *                              tick 01 23 44 -> level 1, slot 23
 *
 * A timer fires at the first expiry at or after its time, never before it. Timers that are due
 * together fire in order of their time, then of arming.
 */
#ifndef BIDE_CORE_TIMER_H
#define BIDE_CORE_TIMER_H

#include "base/list.h"

#include <stdint.h>

enum {
    BIDE__TIMER_TICK_SHIFT = 18,
    BIDE__TIMER_SLOT_BITS = 8,
    BIDE__TIMER_SLOTS = 1 << BIDE__TIMER_SLOT_BITS,
    BIDE__TIMER_LEVELS = 6, /* 2^66 ns: no time is too far */
};

struct bide__timers {
    int64_t now_tick; /* all slots before it are empty */
    size_t armed;
    uint64_t occupied[BIDE__TIMER_LEVELS][BIDE__TIMER_SLOTS / 64]; /* a set bit may be stale */
    struct bide__list slots[BIDE__TIMER_LEVELS][BIDE__TIMER_SLOTS];
};

void bide__timers_init(struct bide__timers *timers, int64_t now_ns);

/* A zeroed timer is disarmed. */
static inline bool bide__timer_armed(const struct bide__timer *timer)
{
    return bide__list_linked(&timer->node);
}

static inline void bide__timer_disarm(struct bide__timers *timers, struct bide__timer *timer)
{
    if (bide__timer_armed(timer)) {
        bide__list_remove(&timer->node);
        timers->armed--;
    }
}

/* Private: the place of a time. One that is past belongs to the current tick. */
static inline void bide__timer_place(const struct bide__timers *timers, int64_t expires_ns,
                                     unsigned *ret_level, unsigned *ret_slot)
{
    int64_t tick = expires_ns >> BIDE__TIMER_TICK_SHIFT;
    if (tick < timers->now_tick)
        tick = timers->now_tick;
    uint64_t differing = (uint64_t)(tick ^ timers->now_tick);
    unsigned level = (63u - (unsigned)__builtin_clzll(differing | 1)) / BIDE__TIMER_SLOT_BITS;
    *ret_level = level;
    *ret_slot = (uint64_t)tick >> (level * BIDE__TIMER_SLOT_BITS) & (BIDE__TIMER_SLOTS - 1);
}

/* Private: links a timer whose expires_ns is set. */
static inline void bide__timer_link(struct bide__timers *timers, struct bide__timer *timer)
{
    unsigned level, slot;
    bide__timer_place(timers, timer->expires_ns, &level, &slot);
    timers->occupied[level][slot / 64] |= UINT64_C(1) << (slot % 64);
    bide__list_push_back(&timers->slots[level][slot], &timer->node);
}

/*
 * `timer->fire` is called from bide__timers_expire, with the timer disarmed. Any time will do; one
 * in the past fires at the next expiry. An armed timer moves.
 */
static inline void bide__timer_arm(struct bide__timers *timers, struct bide__timer *timer,
                                   int64_t expires_ns)
{
    bide__timer_disarm(timers, timer);
    timer->expires_ns = expires_ns;
    bide__timer_link(timers, timer);
    timers->armed++;
}

/*
 * Fires what is due at `now_ns`. `fire` may arm and disarm any timer; what it arms and is due fires
 * in the same call, at its place in the order. So a timer that arms itself must name a later time.
 * A clock that went back fires nothing new. Must not be called by `fire`, nor may the functions
 * below.
 */
void bide__timers_expire(struct bide__timers *timers, int64_t now_ns);

/* The earliest expiry, INT64_MAX when nothing is armed. Walks one slot: as long as what is armed
   for about the same time. */
int64_t bide__timers_next_ns(struct bide__timers *timers);

/* When to look again, for a poll's timeout: the same, but in bounded time. When the first slot is
   crowded this is the slot's start, at which an expiry sorts it out. Never later than the above. */
int64_t bide__timers_wake_ns(struct bide__timers *timers);

/* Debug: every timer is in the slot that its time says. */
void bide__timers_validate(const struct bide__timers *timers);

#endif
