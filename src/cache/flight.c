/*
 * flight.c: single flight. Of the tasks of a loop that ask for a missing key one, the runner, makes
 * the value, the others wait for it. Called by users through the macros of cache.h; calls cache.c
 * for the store, value.c for texts.
 *
 *     look --hit--> decode
 *      +--miss--> a flight that may be joined? --yes--> wait --> its text, its failure,
 *                     | no                                |      or: you are the runner now
 *                     v                                   v
 *                   runner: reserve --> load --> encode --> fill --> wake all
 *
 * Invariants
 *  1. A flight is in its list while it may be joined, and at most one of a key is. It goes when its
 *     runner has left it, or when somebody finds that it began before an invalidation: what is in
 *     the store is not its token.
 *  2. A runner's value may be given to who asked before it began to load, or saw its token.
 *  3. A runner that is cancelled hands over to the task that waits longest, which reserves again.
 *     The last one that knows a flight frees it.
 */
#include "cache/cache.h"

#include "base/mem.h"
#include "core/scope.h"

#include <errno.h>
#include <string.h>

enum { HANDED_OVER = 1 };

struct flight {
    struct bide__list_node node;
    struct bide__object object;
    bide_task_ref runner;
    const struct bide_site *running_at;
    struct bide__queue waiting;
    uint32_t users;
    bool loading, away; /* it has reserved; without the store */
    uint64_t token;
    bide_buf text; /* the value, when `done` */
    bool done, failed;
    int code, system_errno; /* of what it failed with */
    char field[BIDE__NAME_BYTES], message[BIDE__MESSAGE_BYTES];
    char key[];
};

static struct bide_task *runner_of(const struct bide__object *object, size_t index,
                                   const struct bide_site **ret_since)
{
    const struct flight *flight = bide__container_of(object, struct flight, object);
    if (index > 0 || !flight->runner.task)
        return NULL;
    *ret_since = flight->running_at;
    return flight->runner.task;
}

static const struct bide__kind flight_kind = {
    .noun = "the loader of",
    .verb = "waits for",
    .holder = runner_of,
    .place = {BIDE__HOLDER_AT, BIDE__HOLDER_FROM(struct flight, object, runner), 0}};

static struct bide__list *list_of(bide_cache *c, const char *key)
{
    uint64_t hash = UINT64_C(14695981039346656037); /* FNV-1a: the lists are short */
    for (; *key; key++)
        hash = (hash ^ (unsigned char)*key) * UINT64_C(1099511628211);
    return &c->flights[hash % (sizeof c->flights / sizeof *c->flights)];
}

static void leave(struct flight *flight)
{
    if (--flight->users > 0)
        return;
    bide_buf_done(&flight->text);
    bide__free(flight);
}

static void leave_it(struct flight **flight)
{
    leave(*flight);
}

/* The flight of this key that who has seen `look` may join; one that is outdated goes. */
static struct flight *joinable(bide_cache *c, const char *key, const struct bide__cache_seen *look)
{
    bide__list_foreach(node, list_of(c, key))
    {
        struct flight *flight = bide__container_of(node, struct flight, node);
        if (strcmp(flight->key, key) != 0)
            continue;
        if (!flight->loading || (flight->away && look->found == BIDE__CACHE_AWAY) ||
            (look->found == BIDE__CACHE_TOKEN && look->token == flight->token))
            return flight;
        bide__list_remove(&flight->node);
        return NULL;
    }
    return NULL;
}

static void make_runner(struct flight *flight, struct bide_task *task)
{
    flight->runner = (bide_task_ref){task, task->head.id};
    flight->running_at = task->head.at;
    flight->loading = flight->away = false;
    flight->token = 0;
}

static struct flight *new_flight(bide_cache *c, const char *key)
{
    size_t size = strlen(key) + 1;
    struct flight *flight = bide__calloc(1, sizeof *flight + size);
    if (!flight)
        bide__raise(-ENOMEM, &c->object);
    memcpy(flight->key, key, size);
    bide__object_init(&flight->object, &flight_kind, flight->key, bide__current->at);
    bide__list_node_init(&flight->node);
    bide__list_push_back(list_of(c, key), &flight->node);
    bide_buf_init(&flight->text, BIDE_CAP_CACHE_GIVEN_BYTES);
    flight->users = 1;
    make_runner(flight, bide__task_current());
    return flight;
}

/* The runner, in its frame. */
struct run {
    bide_cache *cache;
    struct flight *flight;
    bide_error *was; /* in flight when it began */
};

static void note_failure(struct flight *flight, const bide_error *error)
{
    flight->failed = true;
    flight->code = error->code;
    flight->system_errno = error->system_errno;
    memcpy(flight->field, error->field, sizeof flight->field);
    memcpy(flight->message, error->message, sizeof flight->message);
}

/* The runner leaves, with a value or unwound. */
static void runner_left(struct run *run)
{
    struct flight *flight = run->flight;
    bide_error *error = bide_error_current();
    flight->runner.task = NULL;
    if (!flight->done) {
        run->cache->stats.load_failed += flight->loading;
        if (error && error != run->was && !error->is_cancel) {
            note_failure(flight, error);
        } else if (flight->waiting.first) {
            struct bide__wait *next = flight->waiting.first;
            make_runner(flight, next->task);
            bide__wake(next, HANDED_OVER);
            return;
        }
    }
    if (bide__list_linked(&flight->node))
        bide__list_remove(&flight->node);
    bide__wake_all(&flight->waiting, flight->failed ? -EIO : 0);
}

static __attribute__((noreturn)) void raise_unfit(bide_cache *c,
                                                  const struct bide__cache_load *load, int code)
{
    if (code == -EACCES)
        bide__fail(bide__current->at,
                   bide_error_new(BIDE_INVALID,
                                  "the value of '%s' has a secret field: keep a VIEW of %s",
                                  load->key, load->model->name));
    if (code == -EMSGSIZE)
        bide__fail(bide__current->at,
                   bide_error_new(BIDE_LIMIT, "the value of '%s' is larger than %d bytes",
                                  load->key, BIDE_CAP_CACHE_GIVEN_BYTES));
    if (code == -ENOMEM)
        bide__raise(code, &c->object);
    bide__fail(bide__current->at,
               bide_error_new(BIDE_INVALID, "the value of '%s' cannot be kept as text", load->key));
}

/* The value of a text, in the caller's memory. False: it is of another model or version. */
static bool decode(bide_cache *c, const struct bide__cache_load *load, const char *text,
                   size_t size, bide__rows *ret_rows)
{
    bide_arena *arena = bide_task_arena();
    int code = arena ? bide__cache_decode(load, text, size, arena, ret_rows) : -ENOMEM;
    if (code == -ENOMEM)
        bide__raise(code, &c->object);
    return code == 0;
}

/* Looks into the store; the text of a hit is there only for the decoding. */
static bide_async(bide__cache_seen) ask(bide_cache *c, const struct bide__cache_load *load,
                                        bool reserve, bide_arena *arena, bide__rows *ret_rows)
{
    struct bide__cache_seen look = {.found = BIDE__CACHE_NONE};
    bool outdated = false;
    bide_with_arena
    {
        look = reserve ? bide_await(bide__cache_reserve(c, load->key))
                       : bide_await(bide__cache_look(c, load->key));
        if (look.found == BIDE__CACHE_HIT) {
            int code = bide__cache_decode(load, look.text, look.size, arena, ret_rows);
            if (code == -ENOMEM)
                bide__raise(code, &c->object);
            outdated = code < 0;
        }
        look.text = NULL;
    }
    if (outdated) { /* as another version of the program has written it */
        (void)bide_await(bide_cache_invalidate_keys(c, &load->key, 1));
        look.found = BIDE__CACHE_AWAY;
    }
    return bide_ready(bide__cache_seen, look);
}

/* Makes the value, for all that wait. */
static bide_async(bide__rows) run_it(bide_cache *c, struct flight *flight,
                                     const struct bide__cache_load *load, bide_arena *arena)
{
    struct run run
        __attribute__((cleanup(runner_left), unused)) = {c, flight, bide_error_current()};
    bide__rows rows = {.items = NULL};
    struct bide__cache_seen look = bide_await(ask(c, load, true, arena, &rows));
    bool hit = look.found == BIDE__CACHE_HIT; /* another process was first */
    if (!hit) {
        flight->loading = true;
        flight->away = look.found != BIDE__CACHE_TOKEN;
        flight->token = look.token;
        c->stats.loads++;
        load->call.thunk((void *)(uintptr_t)load->call.args);
        rows = bide__cache_result(load);
    }
    if (hit && !flight->waiting.first) {
        flight->done = true;
        return bide_ready(bide__rows, rows);
    }
    int code = bide__cache_encode(load, rows, &flight->text);
    if (code < 0)
        raise_unfit(c, load, code);
    flight->done = true;
    if (!hit)
        (void)bide_await(bide__cache_fill(c, load->key, flight->token, bide_buf_str(&flight->text),
                                          flight->text.length, load->ttl));
    return bide_ready(bide__rows, rows);
}

static __attribute__((noreturn)) void raise_failure(const struct flight *flight)
{
    bide_error *error = bide_error_new(flight->code, "%s", flight->message);
    error->system_errno = flight->system_errno;
    memcpy(error->field, flight->field, sizeof error->field);
    bide__fail(bide__current->at, error);
}

/* Waits for the runner's value. False: this task is the runner now. */
static bool wait_for(bide_cache *c, struct flight *flight, const struct bide__cache_load *load,
                     bide__rows *ret_rows)
{
    struct bide__wait wait = {.payload = NULL};
    int code = bide__checkpoint(bide__task_current());
    c->stats.joined++;
    if (code == 0)
        code = bide__wait_checked(bide__task_current(), &flight->waiting, &wait, &flight->object);
    if (code == -EIO)
        raise_failure(flight);
    if (code < 0)
        bide__raise(code, &flight->object);
    if (code == HANDED_OVER)
        return false;
    if (!decode(c, load, bide_buf_str(&flight->text), flight->text.length, ret_rows))
        bide__fail(
            bide__current->at,
            bide_error_new(BIDE_INVALID, "'%s' is the key of a value of another kind", load->key));
    return true;
}

static void unuse(bide_cache **c)
{
    bide__cache_unuse(*c);
}

bide_async(bide__rows) bide__cache_fetch(bide_cache *c, struct bide__cache_load load)
{
    bide__rows rows = {.items = NULL};
    bide__cache_check(c, load.key);
    bide__cache_check_ttl(load.ttl);
    bide_arena *arena = bide_task_arena();
    if (!arena)
        bide__raise(-ENOMEM, &c->object);
    bide_cache *kept __attribute__((cleanup(unuse), unused)) = c;
    bide__cache_use(c);
    struct bide__cache_seen look = bide_await(ask(c, &load, false, arena, &rows));
    if (look.found == BIDE__CACHE_HIT) {
        bide__done_at_once(bide__task_current());
        return bide_ready(bide__rows, rows);
    }
    struct flight *flight = joinable(c, load.key, &look);
    bool runs = !flight;
    if (runs)
        flight = new_flight(c, load.key);
    else
        flight->users++;
    struct flight *known __attribute__((cleanup(leave_it), unused)) = flight;
    if (runs || !wait_for(c, flight, &load, &rows))
        rows = bide_await(run_it(c, flight, &load, arena));
    return bide_ready(bide__rows, rows);
}
