/*
 * code_redis.c: codes in Redis: a hash with the digest `d` and the tries left `n`, which ends by
 * itself. Called by code.c; calls the client of src/redis and the hooks of src/db.
 *
 * Invariants
 *  1. A try is counted by the script that gives the digest; who deletes the hash has won.
 *  2. What a transaction has taken is put back after its rollback, if nothing is there, for the
 *     rest of its time. Whether it was taken is known, or it stays away: never two winners.
 */
#include "cache/code.h"

#include "base/caps.h"
#include "base/mem.h"
#include "core/graph.h"
#include "redis/redis.h"

#include <bide/log.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { KEY_BYTES = 16 + BIDE__CODE_DIGEST };

/* It has more time left than it would have after `resend`. */
static const char issue[] = "if redis.call('PTTL', KEYS[1]) > tonumber(ARGV[4]) then return 0 end\n"
                            "redis.call('DEL', KEYS[1])\n"
                            "redis.call('HSET', KEYS[1], 'd', ARGV[1], 'n', ARGV[2])\n"
                            "redis.call('PEXPIRE', KEYS[1], ARGV[3])\n"
                            "return 1";
static const char count[] = "local n = redis.call('HGET', KEYS[1], 'n')\n"
                            "if not n or tonumber(n) <= 0 then return false end\n"
                            "return {redis.call('HGET', KEYS[1], 'd'),\n"
                            "        redis.call('HINCRBY', KEYS[1], 'n', -1),\n"
                            "        redis.call('PTTL', KEYS[1])}";
static const char take[] = "if redis.call('HGET', KEYS[1], 'd') ~= ARGV[1] then return 0 end\n"
                           "return redis.call('DEL', KEYS[1])";
static const char restore[] = "if redis.call('EXISTS', KEYS[1]) == 1 then return 0 end\n"
                              "redis.call('HSET', KEYS[1], 'd', ARGV[1], 'n', ARGV[2])\n"
                              "return redis.call('PEXPIRE', KEYS[1], ARGV[3])";

static const char *key_of(const char *id, char *room)
{
    snprintf(room, KEY_BYTES, "bide:code:%s", id);
    return room;
}

bide_async(bool) bide__code_redis_issue(bide_redis *redis, const struct bide__code *code)
{
    char key[KEY_BYTES];
    int64_t ms = code->ttl.ns / 1000000, resend_ms = code->resend.ns / 1000000;
    bide_redis_reply reply =
        bide_await(bide_redis(redis, "EVAL", issue, 1, key_of(code->id, key), code->digest,
                              code->attempts, ms > 0 ? ms : 1, ms - resend_ms));
    return bide_ready(bool, reply.integer > 0);
}

/* What a transaction takes, until that ends. */
struct loan {
    bide_redis *redis;
    char id[BIDE__CODE_DIGEST], digest[BIDE__CODE_DIGEST];
    int64_t left; /* tries */
    int64_t expires_ns;
    bool taken;
};
typedef struct loan *loan_ptr;

static void end_loan(void *loan_)
{
    struct loan *loan = loan_;
    bide__redis_unuse(loan->redis);
    bide__free(loan);
}

static bide_async(void) restore_once(loan_ptr loan);
SPAWNABLE(void, restore_once, loan_ptr)
static bide_async(void) restore_once(loan_ptr loan)
{
    char key[KEY_BYTES];
    int64_t ms = (loan->expires_ns - bide_clock_ns()) / 1000000;
    if (ms > 0)
        (void)bide_await(bide_redis(loan->redis, "EVAL", restore, 1, key_of(loan->id, key),
                                    loan->digest, loan->left, ms));
    return bide_void;
}

static bide_async(void) give_back(loan_ptr loan);
SPAWNABLE(void, give_back, loan_ptr)
static bide_async(void) give_back(loan_ptr loan)
{
    bide_defer(end_loan, loan);
    bide_error *error;
    for (int64_t pause_ms = BIDE_CAP_REDIS_RETRY_FIRST_MS; bide_clock_ns() < loan->expires_ns;) {
        bide_attempt(&error, restore_once, loan);
        if (!error)
            return bide_void;
        if (error->is_cancel || error->code == BIDE_CLOSED)
            break;
        (void)bide_await(bide_sleep(bide_ms((double)pause_ms)));
        if (pause_ms < BIDE_CAP_REDIS_RETRY_LAST_MS)
            pause_ms *= 2;
    }
    bide_log(BIDE_LOG_ERROR, "codes: one that a transaction has not used is lost");
    return bide_void;
}

static bide_async(void) start_giving_back(loan_ptr loan);
SPAWNABLE(void, start_giving_back, loan_ptr)
static bide_async(void) start_giving_back(loan_ptr loan)
{
    bide_on_error(end_loan, loan);
    bide_spawn_void(bide_background(), give_back, loan);
    return bide_void;
}

BIDE__UNCHECKED static void rolled_back(void *loan_)
{
    struct loan *loan = loan_;
    bide_error *error;
    if (!loan->taken) {
        end_loan(loan);
        return;
    }
    bide_attempt(&error, start_giving_back, loan);
    if (error)
        bide_log(BIDE_LOG_ERROR, "codes: one that a transaction has not used is lost: %s",
                 error->message);
}

/* Before it is taken: afterwards nothing may fail. */
static struct loan *make_loan(bide_code_place place, const struct bide__code *code,
                              const bide_redis_reply *counted)
{
    struct loan *loan = bide__calloc(1, sizeof *loan);
    if (!loan)
        bide__raise(-ENOMEM, NULL);
    loan->redis = place.redis;
    loan->left = counted->items[1].integer;
    loan->expires_ns = bide_clock_ns() + counted->items[2].integer * 1000000;
    memcpy(loan->id, code->id, sizeof loan->id);
    memcpy(loan->digest, code->digest, sizeof loan->digest);
    bide__redis_use(loan->redis);
    {
        bide_on_error(end_loan, loan);
        bide_tx_on_rollback(place.tx, rolled_back, loan);
    }
    bide_tx_on_unknown(place.tx, end_loan, loan); /* never two winners */
    bide_tx_on_commit(place.tx, end_loan, loan);
    return loan;
}

bide_async(bool) bide__code_redis_consume(bide_code_place place, const struct bide__code *code)
{
    char key[KEY_BYTES];
    key_of(code->id, key);
    bide_redis_reply counted = bide_await(bide_redis(place.redis, "EVAL", count, 1, key));
    if (counted.count != 3 || !counted.items[0].text ||
        !bide__code_equal(counted.items[0].text, code->digest))
        return bide_ready(bool, false);
    struct loan *loan = place.tx ? make_loan(place, code, &counted) : NULL;
    bide_redis_reply taken =
        bide_await(bide_redis(place.redis, "EVAL", take, 1, key, code->digest));
    if (loan)
        loan->taken = taken.integer > 0;
    return bide_ready(bool, taken.integer > 0);
}
