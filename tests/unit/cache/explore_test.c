/*
 * What a cache and its codes promise, in all orders, with a cancel at every await: no value from
 * before an invalidation is given after it, one loads for all, a code is good once.
 */
#include <bide/bide.h>
#include <bide/test.h>

#include <stdlib.h>

typedef bide_cache *cache_ptr;

/* ---- a value that changes ---- */

static int truth, loads, loading;

static void load_over(void *arg)
{
    (void)arg;
    loading--;
}

/* As a query does: the answer is of the moment in which the database looked. */
static async(str) load(void)
{
    loads++;
    loading++;
    defer(load_over, NULL);
    if (test_choose(2))
        await(bide_sleep(bide_ms(1)));
    const char *text = bide_arena_printf(bide_task_arena(), "%d", truth);
    require(text);
    if (test_choose(2))
        await(bide_sleep(bide_ms(1)));
    if (test_fault("load"))
        fail(bide_error_new(1234, "no answer"));
    return ready(str, text);
}
SPAWNABLE(str, load)

static async(int) value_of(cache_ptr c)
{
    return ready(int, atoi(await(bide_cached_text(c, "key", bide_s(10), load))));
}

static async(void) read_it(cache_ptr c)
{
    int before = truth;
    check(await(value_of(c)) >= before);
    return bide_void;
}
SPAWNABLE(void, read_it, cache_ptr)

/* From its invalidation on nobody is given what was before. */
static async(void) change_it(cache_ptr c)
{
    int now = truth + 1;
    shielded(bide_s(10)) {
        await(bide_sleep(bide_ms(test_choose(2))));
        truth = now;
        await(bide_cache_invalidate(c, "key"));
    }
    check(await(value_of(c)) >= now);
    return bide_void;
}
SPAWNABLE(void, change_it, cache_ptr)

/* As on two loops, or in two processes: each knows the flights of its own handle only. */
EXPLORE(nothing_stale_is_kept, .schedules = 6000)
{
    truth = loads = loading = 0;
    with(bide_cache, mine, "memory:explored", NULL) {
        with(bide_cache, other, "memory:explored", NULL) {
            with_group(g) {
                spawn_void(g, change_it, other);
                for (int i = 0; i < 3; i++)
                    spawn_void(g, read_it, mine);
            }
            check_int(loading, 0);
            check_int(await(value_of(mine)), truth);
        }
    }
}

EXPLORE(one_loads_for_all)
{
    truth = loads = loading = 0;
    with(bide_cache, c, "memory:", NULL) {
        with_group(g) {
            for (int i = 0; i < 3; i++)
                spawn_void(g, read_it, c);
        }
        check(loads == 1 || test_injected());
        check_int(loading, 0);
    }
}

/* ---- codes ---- */

static int won;
static const bide_code_rules rules = {.purpose = "register",
                                      .secret = "a secret of the application"};

static async(void) take(bide_db *db, const char *code)
{
    won += await(bide_code_consume(db, &rules, "x", code));
    return bide_void;
}
SPAWNABLE(void, take, bide_db *, const char *)

EXPLORE(a_code_is_good_once, .schedules = 600)
{
    won = 0;
    with(bide_database, db, "sqlite://:memory:") {
        await(bide_create_table(db, bide_code_row));
        const char *code = await(bide_code_issue(db, &rules, "x"));
        with_group(g) {
            for (int i = 0; i < 3; i++)
                spawn_void(g, take, db, code);
        }
        check(won == 1 || (won == 0 && test_injected()));
    }
}
