/*
 * scope.h: cancellation, deadlines, shields, regions without await.
 *
 *     with_deadline(bide_s(2)) {                  // inherited by everything inside, children too
 *         await(send(peer, &request));
 *     }                                           // too late: BIDE_TIMEOUT leaves the block
 *
 *     bool late;
 *     int n = move_on_after(&late, bide_ms(50), count_all, db);
 *
 * A cancel scope is a region of one task: a deadline block, a shield, a group (group.h), or the
 * whole task. Cancelling a scope cancels all that runs inside: the region itself and the children
 * of the groups opened in it, down to the next shield.
 *
 * Invariants
 *  1. Level-triggered: in a cancelled scope every await raises BIDE_CANCELLED, again and again,
 *     until the scope is left.
 *  2. Completion against cancel is decided once: an await that has its result gives it, and the
 *     next await raises. No result and no wake-up is ever lost.
 *  3. The scope that was cancelled turns the error that leaves it into its own: a deadline into
 *     BIDE_TIMEOUT, a group into its first failure; unless a scope further out is cancelled too.
 *  4. Deadlines only get tighter inwards. A shield has a deadline of its own and inherits none.
 *  5. A scope is left by the task that entered it, innermost first.
 *
 * Source: N. J. Smith, "Timeouts and cancellation for humans" (2018); trio's cancel semantics.
 *
 * layer: core
 */
#ifndef BIDE_SCOPE_H
#define BIDE_SCOPE_H

#include <bide/clock.h>
#include <bide/error.h>

/*
 * with_deadline(duration) { ... }: what is inside has that long, counted from the entry. When it
 * passes, the awaits inside raise, and the block is left with BIDE_TIMEOUT. A body that ends
 * without an await noticing is not disturbed. Entering and leaving never suspend.
 */
#define bide_with_deadline(duration)                                                               \
    BIDE__WITH_SCOPE(__COUNTER__, bide__deadline_enter, duration, "with_deadline")

/*
 * shielded(duration) { ... }: cancels from outside wait until the block is left, for at most that
 * long; then the inside is cancelled and left with BIDE_TIMEOUT. For short work that must be
 * finished: a hand-over, a goodbye on a connection.
 */
#define bide_shielded(duration)                                                                    \
    BIDE__WITH_SCOPE(__COUNTER__, bide__shield_enter, duration, "shielded")

/*
 * move_on_after(&timed_out, duration, fn, args...): calls a SPAWNABLE function under a deadline:
 * gives its value, or a zero value with `timed_out` set when the deadline passed first. Other
 * errors pass through. May suspend.
 */
#define bide_move_on_after(ret_timed_out, duration, ...)                                           \
    BIDE__INVOKE(__move_on_after, (ret_timed_out, duration), __VA_ARGS__)

/*
 * with_no_await { ... }: nothing inside may suspend: an await is refused by clang when it compiles
 * and is BIDE_MISUSE at run time. The only place where a thread's lock (pthread) may be held.
 */
#define bide_with_no_await BIDE__WITH_NO_AWAIT(__COUNTER__)

#ifndef BIDE_NO_KEYWORDS
#define with_deadline(duration)                                                                    \
    BIDE__WITH_SCOPE(__COUNTER__, bide__deadline_enter, duration, "with_deadline")
#define shielded(duration) BIDE__WITH_SCOPE(__COUNTER__, bide__shield_enter, duration, "shielded")
#define move_on_after(ret_timed_out, duration, ...)                                                \
    BIDE__INVOKE(__move_on_after, (ret_timed_out, duration), __VA_ARGS__)
#define with_no_await BIDE__WITH_NO_AWAIT(__COUNTER__)
#endif

/* Whether the next await would raise BIDE_CANCELLED; for loops that compute. Never suspends. */
bool bide_cancel_requested(void);

/* How long until the deadline in force passes; BIDE_FOREVER without one. Never suspends. */
bide_duration bide_deadline_left(void);

void bide__deadline_enter(struct bide__scope *scope, const struct bide_site *at,
                          bide_duration duration);
void bide__shield_enter(struct bide__scope *scope, const struct bide_site *at,
                        bide_duration duration);
void bide__scope_leave(struct bide__scope *scope);

#define BIDE__WITH_SCOPE(n, enter, duration, text) BIDE__WITH_SCOPE2(n, enter, duration, text)
#define BIDE__WITH_SCOPE2(n, enter, duration, text)                                                \
    BIDE__WITH(n,                                                                                  \
               (struct bide__scope bide__scope_##n                                                 \
                __attribute__((__cleanup__(bide__scope_leave))) = {0}),                            \
               enter(&bide__scope_##n, BIDE__SITE(text), duration), (void)0)

struct bide__no_await {
    const struct bide_site *outer;
};
struct bide__no_await bide__no_await_enter(const struct bide_site *at);
void bide__no_await_leave(struct bide__no_await *region);

/* Markers for clang, which does not follow cleanups: the zone is asserted on entry and released
   on the normal edge out. */
static inline void bide__no_await_mark(void) BIDE__TSA(assert_capability(with_no_await_block));
static inline void bide__no_await_unmark(void) BIDE__TSA(release_capability(with_no_await_block));
static inline void bide__no_await_mark(void)
{
}
static inline void bide__no_await_unmark(void) BIDE__UNCHECKED
{
}
#define BIDE__WITH_NO_AWAIT(n) BIDE__WITH_NO_AWAIT2(n)
#define BIDE__WITH_NO_AWAIT2(n)                                                                    \
    BIDE__WITH(n,                                                                                  \
               (struct bide__no_await bide__region_##n                                             \
                __attribute__((__cleanup__(bide__no_await_leave), __unused__)) =                   \
                    bide__no_await_enter(BIDE__SITE("with_no_await"))),                            \
               bide__no_await_mark(), bide__no_await_unmark())

#endif
