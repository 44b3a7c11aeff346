/*
 * A server that dies, stops, or is none; and a client that goes on by itself.
 */
#include "../effects.h"
#include "redis/redis.h"
#include "redis_case.h"

static async(void) slow(bide_redis_ptr r, int *code);
SPAWNABLE(void, slow, bide_redis_ptr, int *)
static async(void) slow(bide_redis_ptr r, int *code)
{
    bide_error *err;
    attempt(&err, bide_redis, r, "BLPOP", "none", 0);
    *code = err ? err->code : 0;
    if (err)
        check_contains(err->message, "outcome is unknown");
    return bide_void;
}

TEST(killed_and_started_again, .real_clock = true, .timeout_ms = 30000)
{
    struct redis_server server = redis_make(NULL);
    defer(redis_end, &server);
    with(bide_redis, r, server.url, NULL) {
        int codes[8] = {0};
        with_group(g) {
            for (int i = 0; i < 8; i++)
                spawn_void(g, slow, r, &codes[i]);
            await(bide_sleep(bide_ms(20)));
            redis_kill(&server);
        }
        for (int i = 0; i < 8; i++)
            check_int(codes[i], BIDE_REDIS_LOST);
        /* What was not sent yet waits for the server, and is done once. */
        with_group(g) {
            task(int64_t) waiting = spawn(g, bide_redis_incr, r, "n", 1);
            await(bide_sleep(bide_ms(50)));
            check(!bide_task_done(bide_ref(waiting)));
            redis_start(&server);
            check_int(await_task(waiting), 1);
        }
        check_int(await(bide_redis_incr(r, "n", 1)), 2);
    }
}

/* ---- what is in flight on connections of one's own ---- */

static async(void) block(bide_redis_ptr r, int *code);
SPAWNABLE(void, block, bide_redis_ptr, int *)
static async(void) block(bide_redis_ptr r, int *code)
{
    bide_error *err;
    with(bide_redis_leased, c, r) {
        attempt(&err, bide_redis, c, "BLPOP", "none", 0);
        *code = err ? err->code : 0;
        if (err)
            check_contains(err->message, "outcome is unknown");
        attempt(&err, bide_redis, c, "PING"); /* nothing more goes over it */
        check(err && err->code == BIDE_CLOSED);
    }
    return bide_void;
}

static async(void) sell_one(bide_redis_ptr r, bide_event *watched, bide_event *go_on);
SPAWNABLE(void, sell_one, bide_redis_ptr, bide_event *, bide_event *)
static async(void) sell_one(bide_redis_ptr r, bide_event *watched, bide_event *go_on)
{
    with_redis_tx(tx, r) {
        await(bide_redis_watch(tx, "stock"));
        bide_redis_queue(tx, "DECR", "stock");
        bide_redis_queue(tx, "INCR", "sold");
        if (watched)
            bide_event_set(watched);
        if (go_on)
            await(bide_event_wait(go_on));
    }
    return bide_void;
}

static async(void) sell_and_tell(bide_redis_ptr r, bide_event *watched, bide_event *go_on,
                                 int *code);
SPAWNABLE(void, sell_and_tell, bide_redis_ptr, bide_event *, bide_event *, int *)
static async(void) sell_and_tell(bide_redis_ptr r, bide_event *watched, bide_event *go_on,
                                 int *code)
{
    bide_error *err;
    attempt(&err, sell_one, r, watched, go_on);
    *code = err ? err->code : 0;
    return bide_void;
}

static async(void) hear_one(bide_redis_subscription_ptr s, uint64_t *connection);
SPAWNABLE(void, hear_one, bide_redis_subscription_ptr, uint64_t *)
static async(void) hear_one(bide_redis_subscription_ptr s, uint64_t *connection)
{
    bide_redis_message *m;
    if (check(await(bide_receive(bide_redis_messages(s), &m)))) {
        check_str(m->text, "back");
        *connection = m->connection;
        bide_free(m);
    }
    return bide_void;
}

TEST(gone_under_a_blocking_command_a_transaction_and_a_subscription, .real_clock = true,
     .timeout_ms = 30000)
{
    struct redis_server server = redis_make(NULL);
    defer(redis_end, &server);
    static const char *const names[] = {"news"};
    bide_event watched = {0}, go_on = {0};
    int blocked = 0, sold = 0;
    uint64_t connection = 0;
    bide_error *err;
    with(bide_redis, r, server.url, NULL) {
        with(bide_redis_subscription, s, r, names, 1, 4) {
            with_group(g) {
                spawn_void(g, block, r, &blocked);
                spawn_void(g, sell_and_tell, r, &watched, &go_on, &sold);
                spawn_void(g, hear_one, s, &connection);
                await(bide_event_wait(&watched));
                await(bide_sleep(bide_ms(20)));
                redis_kill(&server);
                redis_start(&server);
                do
                    attempt(&err, bide_redis_set, r, "stock", "5", BIDE_FOREVER);
                while (err);
                bide_event_set(&go_on); /* nobody watches the key any more */
                for (int64_t heard = 0; heard == 0;) {
                    heard = attempt(&err, bide_redis, r, "PUBLISH", "news", "back").integer;
                    await(bide_sleep(bide_ms(10)));
                }
            }
        }
        check_int(blocked, BIDE_REDIS_LOST);
        check_int(sold, BIDE_REDIS_LOST);
        check_int(connection, 2);
        check_int(await(bide_redis_incr(r, "stock", 0)), 5);
        await(sell_one(r, NULL, NULL));
        check_int(await(bide_redis_incr(r, "stock", 0)), 4);
        check_int(await(bide_redis_incr(r, "sold", 0)), 1);
    }
}

TEST(gone_between_exec_and_its_reply, .real_clock = true, .timeout_ms = 30000)
{
    struct redis_server server = redis_make(NULL);
    defer(redis_end, &server);
    bide_event watched = {0}, go_on = {0};
    int sold = 0;
    with(bide_redis, r, server.url, NULL) {
        with_group(g) {
            spawn_void(g, sell_and_tell, r, &watched, &go_on, &sold);
            await(bide_event_wait(&watched));
            kill(server.pid, SIGSTOP);
            bide_event_set(&go_on);
            await(bide_sleep(bide_ms(50)));
            check_int(sold, 0); /* it waits */
            redis_kill(&server);
        }
        check_int(sold, BIDE_REDIS_LOST);
        redis_start(&server);
        await(sell_one(r, NULL, NULL));
        check_int(await(bide_redis_incr(r, "sold", 0)), 1);
    }
}

TEST(without_a_server_nobody_waits_for_ever, .real_clock = true)
{
    struct redis_server server = redis_make(NULL);
    defer(redis_end, &server);
    struct bide_redis_options options = {.timeout = bide_ms(50), .max_waiting = 8};
    with(bide_redis, r, server.url, &options) {
        redis_kill(&server);
        await(bide_sleep(bide_ms(20)));
        /* More than max_waiting, one after the other: those that gave up take no room. */
        for (int i = 0; i < 12; i++) {
            bide_error *err;
            attempt(&err, bide_redis_incr, r, "n", 1);
            require(err);
            check_int(err->code, BIDE_TIMEOUT);
            check_contains(err->message, "INCRBY had no reply within 50 ms");
        }
        redis_start(&server);
        with_deadline(bide_s(5)) {
            bide_error *err;
            do
                attempt(&err, bide_redis_set, r, "k", "v", BIDE_FOREVER);
            while (err);
        }
    }
}

TEST(a_stopped_server, .real_clock = true, .timeout_ms = 30000)
{
    struct redis_server server = redis_make(NULL);
    defer(redis_end, &server);
    with(bide_redis, r, server.url, NULL) {
        kill(server.pid, SIGSTOP);
        for (int i = 0; i < 10; i++) {
            bool late;
            move_on_after(&late, bide_ms(10), bide_redis_incr, r, "n", 1);
            check(late);
        }
        kill(server.pid, SIGCONT);
        /* Ten replies come for tasks that are gone; this one is of the right command. */
        await(bide_redis_set(r, "k", "mine", BIDE_FOREVER));
        check_str(await(bide_redis_get(r, "k")).text, "mine");
        check_int(await(bide_redis_incr(r, "n", 0)), 10);
    }
}

/* ---- what was sent to a server that does not answer is not made again, and is an effect ---- */

enum way { COUNTS, COUNTS_BESIDE, LEASED_COUNTS, TX_COUNTS, READS, LEASED_READS, LISTENS, LEARNS };

static async(void) fail_soon(void);
SPAWNABLE(void, fail_soon)
static async(void) fail_soon(void)
{
    await(bide_sleep(bide_ms(20)));
    fail(bide_error_new(BIDE_UNREACHABLE, "another one is away"));
}

static async(void) listen_shortly(bide_redis_ptr r)
{
    static const char *const names[] = {"news"};
    with(bide_redis_subscription, s, r, names, 1, 4)
        (void)s;
    return bide_void;
}

/* The server has to learn it first. */
static async(void) run_new_script(bide_redis_ptr r)
{
    bide_redis_script count = {.text = "return redis.call('INCR', 'n')"};
    (void)await(bide_redis_eval(r, &count, NULL, 0, 0));
    return bide_void;
}

static async(void) ask(bide_redis_ptr r, enum way way, int *calls);
SPAWNABLE(void, ask, bide_redis_ptr, enum way, int *)
static async(void) ask(bide_redis_ptr r, enum way way, int *calls)
{
    int64_t n;
    ++*calls;
    if (way == COUNTS)
        (void)await(bide_redis_incr(r, "n", 1));
    else if (way == COUNTS_BESIDE)
        await(gather(bide_into(&n, bide_redis_incr, r, "n", 1), bide_into_void(fail_soon)));
    else if (way == READS)
        (void)await(bide_redis_get(r, "n"));
    else if (way == TX_COUNTS)
        with_redis_tx(tx, r)
            bide_redis_queue(tx, "INCR", "n");
    else if (way == LISTENS)
        await(listen_shortly(r));
    else if (way == LEARNS)
        await(run_new_script(r));
    else
        with(bide_redis_leased, c, r)
            (void)await(bide_redis(c, way == LEASED_READS ? "strlen" : "INCR", "n"));
    return bide_void;
}

static async(void) ask_within(bide_redis_ptr r, enum way way, int *calls);
SPAWNABLE(void, ask_within, bide_redis_ptr, enum way, int *)
static async(void) ask_within(bide_redis_ptr r, enum way way, int *calls)
{
    with_deadline(bide_ms(50))
        await(ask(r, way, calls));
    return bide_void;
}

static const bide_retry_policy again = {
    .tries = 3, .first = {1000000}, .codes = {BIDE_TIMEOUT, BIDE_UNREACHABLE}};

static async(void) ask_again(const struct redis_server *server, bide_redis_ptr patient,
                             bide_redis_ptr r, enum way way, int expected)
{
    bide_error *err;
    struct bide__memory memory;
    int calls = 0;
    await(bide_redis_set(patient, "n", "0", BIDE_FOREVER));
    with(bide_redis_leased, c, r) /* the connection of a further one waits */
        check(c != r);
    effects_begin(&memory);
    kill(server->pid, SIGSTOP);
    if (r->options.timeout.ns < bide_s(1).ns)
        retry(&err, &again, ask, r, way, &calls);
    else
        retry(&err, &again, ask_within, r, way, &calls);
    kill(server->pid, SIGCONT);
    check_int(effects_end(&memory), way < READS);
    require(err);
    check_int(err->code, way == COUNTS_BESIDE ? BIDE_UNREACHABLE : BIDE_TIMEOUT);
    check_int(calls, expected);
    check(await(bide_redis_incr(patient, "n", 0)) <= 1);
    return bide_void;
}

TEST(what_was_sent_before_a_cancel_is_not_made_again, .real_clock = true, .timeout_ms = 30000)
{
    struct redis_server server = redis_make(NULL);
    defer(redis_end, &server);
    with(bide_redis, r, server.url, NULL) {
        struct bide_redis_options options = {.timeout = bide_ms(50)};
        for (enum way way = COUNTS; way <= TX_COUNTS; way++)
            await(ask_again(&server, r, r, way, 1));
        await(ask_again(&server, r, r, READS, 3));
        await(ask_again(&server, r, r, LEASED_READS, 3));
        await(ask_again(&server, r, r, LISTENS, 3));
        await(ask_again(&server, r, r, LEARNS, 3));
        with(bide_redis, hasty, server.url, &options) {
            await(ask_again(&server, r, hasty, COUNTS, 1));
            await(ask_again(&server, r, hasty, TX_COUNTS, 1));
            await(ask_again(&server, r, hasty, READS, 3));
        }
    }
}

TEST(a_server_that_says_nothing_is_left, .real_clock = true, .timeout_ms = 30000)
{
    struct redis_server server = redis_make(NULL);
    defer(redis_end, &server);
    struct bide_redis_options options = {.stall = bide_ms(100)};
    with(bide_redis, r, server.tcp_url, &options) {
        bide_error *err;
        kill(server.pid, SIGSTOP);
        attempt(&err, bide_redis_incr, r, "n", 1);
        kill(server.pid, SIGCONT);
        require(err);
        check_int(err->code, BIDE_REDIS_LOST);
        check_contains(err->message, "not replied for too long");
        await(bide_redis_set(r, "k", "v", BIDE_FOREVER));
        await(bide_sleep(bide_ms(250))); /* nothing is owed: silence is no fault */
        check_int(await(bide_redis(r, "CLIENT", "ID")).integer > 0, true);
    }
}

/* Answers the login, then what it is told to. */
static async(void) pretend(bide_listener_ptr listener, const char *const *replies);
SPAWNABLE(void, pretend, bide_listener_ptr, const char *const *)
static async(void) pretend(bide_listener_ptr listener, const char *const *replies)
{
    for (size_t i = 0; replies[i]; i++) {
        with(bide_accepted, stream, listener) {
            char bytes[256];
            await(bide_read(stream, bytes, sizeof bytes));
            await(bide_write(stream, "+PONG\r\n", 7));
            if (await(bide_read(stream, bytes, sizeof bytes)) > 0)
                await(bide_write(stream, replies[i], strlen(replies[i])));
            /* The client has to go: what it waits for will not come. */
            bide_error *err;
            attempt(&err, bide_read, stream, bytes, sizeof bytes);
        }
    }
    return bide_void;
}

TEST(a_peer_that_does_not_speak_the_protocol, .real_clock = true)
{
    static const char *const replies[] = {"HTTP/1.1 400 Bad Request\r\n\r\n", "$-7\r\n",
                                          "+OK\r\n+OK\r\n", NULL};
    with(bide_tcp_listener, listener, "127.0.0.1", 0, NULL) {
        with_group(g) {
            char url[64];
            bide_error *err;
            spawn_void(g, pretend, listener, replies);
            snprintf(url, sizeof url, "redis://127.0.0.1:%u",
                     (unsigned)bide_listener_port(listener));
            with(bide_redis, r, url, NULL) {
                attempt(&err, bide_redis, r, "GET", "k");
                require(err);
                check_int(err->code, BIDE_REDIS_LOST);
                attempt(&err, bide_redis, r, "GET", "k");
                require(err);
                check_int(err->code, BIDE_REDIS_LOST);
                /* One reply too many: the command has its own, the connection is ended. */
                attempt(&err, bide_redis, r, "GET", "k");
                check_ptr(err, NULL);
            }
        }
    }
}

static async(void) greet(bide_listener_ptr listener);
SPAWNABLE(void, greet, bide_listener_ptr)
static async(void) greet(bide_listener_ptr listener)
{
    with(bide_accepted, stream, listener)
        await(bide_write(stream, "220 mail.example ESMTP\r\n", 24));
    return bide_void;
}

TEST(a_port_of_another_service, .real_clock = true)
{
    with(bide_tcp_listener, listener, "127.0.0.1", 0, NULL) {
        with_group(g) {
            char url[64];
            bide_error *err;
            spawn_void(g, greet, listener);
            snprintf(url, sizeof url, "redis://127.0.0.1:%u",
                     (unsigned)bide_listener_port(listener));
            attempt(&err, bide_redis_open, url, NULL);
            require(err);
            check_int(err->code, BIDE_REDIS_PROTOCOL);
        }
    }
}
