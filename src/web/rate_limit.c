/*
 * bide_rate_limit, bide_limit_take: so many requests of one client in some time. Called through
 * bide_proceed, by handlers and by middleware.c; calls siphash.c.
 *
 * Each client has a bucket of `burst` tokens that fills evenly; a request takes one. All that has
 * to be kept of it is when it will be full again (GCRA, the generic cell rate algorithm). A bucket
 * that is full by now is as good as none.
 *
 * The buckets are shared by all loops, so the limit is that of the process however many loops there
 * are: each may have an application of its own, and those that were given the same options, by
 * their address, have the same limit. They lie in sets of eight, found by a keyed hash of the
 * client; a new client takes the place of the one in its set that is nearest to full, so a flood of
 * clients forgets the harmless first and never takes more memory. A set is locked for some dozen
 * instructions.
 *
 * Invariants
 *  1. A bucket never gives more than `burst` at once, nor more than `requests` in `per` on average.
 *  2. A refused request takes nothing.
 *
 * Source: ITU-T I.371 annex A (GCRA); RFC 6585 4; draft-ietf-httpapi-ratelimit-headers-09.
 */
#include "web/middleware.h"

#include "base/mem.h"
#include "base/random.h"
#include "base/siphash.h"
#include "web/reply.h"

#include <arpa/inet.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

enum { WAYS = 8, LOCKS = 64, CLIENTS = 16384, CLIENTS_MOST = 1 << 20 };

struct bucket {
    uint64_t client;
    int64_t full_ns; /* when it is full again; 0: nobody's */
};

struct bide_limit {
    struct bide_limit *next;              /* of `limits` */
    const bide_rate_limit_options *given; /* who has these has this limit */
    unsigned users;                       /* applications */
    bide_rate_limit_options options;      /* with what was left out */
    int64_t token_ns;                     /* the time that gives one token */
    int64_t burst_ns;                     /* the time that fills an empty bucket */
    uint64_t hash_key[2];
    struct bucket (*sets)[WAYS];
    uint64_t set_mask;
    pthread_mutex_t locks[LOCKS]; /* of the sets */
};

/* Those of the process. */
static struct bide_limit *limits;
static pthread_mutex_t limits_lock = PTHREAD_MUTEX_INITIALIZER;

/* ---- who ---- */

/* The bytes that stand for an address: of IPv6 the network, which is what one customer has. */
static size_t put_address(bide_text text, unsigned char *out, size_t room)
{
    char address[INET6_ADDRSTRLEN];
    const char *zone = text.at ? memchr(text.at, '%', text.length) : NULL;
    size_t length = zone ? (size_t)(zone - text.at) : text.length;
    if (length < sizeof address) {
        if (length > 0)
            memcpy(address, text.at, length);
        address[length] = 0;
        struct in6_addr six;
        if (inet_pton(AF_INET, address, out) == 1)
            return 4;
        if (inet_pton(AF_INET6, address, &six) == 1) {
            bool is_four = IN6_IS_ADDR_V4MAPPED(&six);
            memcpy(out, six.s6_addr + (is_four ? 12 : 0), is_four ? 4 : 8);
            return is_four ? 4 : 8;
        }
    }
    length = text.length < room ? text.length : room;
    if (length > 0)
        memcpy(out, text.at, length); /* "unix", or a proxy's word for it */
    return length;
}

static uint64_t client_of(const struct bide_limit *limit, bide_request *req)
{
    unsigned char bytes[256];
    size_t length = put_address(bide_client_of(req), bytes, sizeof bytes);
    return bide__siphash(limit->hash_key, bytes, length);
}

/* False: a client that is not limited. */
static bool find_client(const struct bide_limit *limit, bide_request *req, uint64_t *ret_client)
{
    if (!limit->options.key) {
        *ret_client = client_of(limit, req);
        return true;
    }
    bide_text text = limit->options.key(req);
    if (text.at)
        *ret_client = bide__siphash(limit->hash_key, text.at, text.length);
    return text.at != NULL;
}

/* ---- how much ---- */

/* The client's bucket, or the one whose place it takes. */
static struct bucket *bucket_of(struct bucket set[WAYS], uint64_t client)
{
    struct bucket *fullest = set;
    for (int i = 0; i < WAYS; i++) {
        if (set[i].client == client && set[i].full_ns)
            return &set[i];
        if (set[i].full_ns < fullest->full_ns)
            fullest = &set[i];
    }
    *fullest = (struct bucket){client, 0};
    return fullest;
}

/* Takes a token: 0, or for how long there is none. *ret_used_ns is the time that would fill the
   bucket afterwards. */
static int64_t take(struct bide_limit *limit, uint64_t client, int64_t now_ns, int64_t *ret_used_ns)
{
    uint64_t set = client & limit->set_mask;
    pthread_mutex_t *lock = &limit->locks[set % LOCKS];
    pthread_mutex_lock(lock);
    struct bucket *bucket = bucket_of(limit->sets[set], client);
    int64_t used_ns = bucket->full_ns > now_ns ? bucket->full_ns - now_ns : 0;
    int64_t wait_ns = used_ns + limit->token_ns - limit->burst_ns;
    if (wait_ns <= 0) {
        used_ns += limit->token_ns;
        bucket->full_ns = now_ns + used_ns;
    }
    pthread_mutex_unlock(lock);
    *ret_used_ns = used_ns;
    return wait_ns > 0 ? wait_ns : 0;
}

static long long seconds_up(int64_t ns)
{
    return (long long)((ns + 999999999) / 1000000000);
}

static void add_fields(bide_request *req, const struct bide_limit *limit, int64_t used_ns)
{
    char text[160];
    snprintf(text, sizeof text, "\"%s\";q=%u;w=%lld", limit->options.name, limit->options.burst,
             seconds_up(limit->burst_ns));
    bide_set_header(req, "RateLimit-Policy", text);
    snprintf(text, sizeof text, "\"%s\";r=%lld;t=%lld", limit->options.name,
             (long long)((limit->burst_ns - used_ns) / limit->token_ns), seconds_up(used_ns));
    bide_set_header(req, "RateLimit", text);
}

bide_async(void) bide_rate_limit(bide_request *req, bide_next *next, const void *arg)
{
    struct bide_limit *limit = (struct bide_limit *)(uintptr_t)arg;
    uint64_t client;
    int64_t used_ns, wait_ns;
    if (!find_client(limit, req, &client)) {
        bide_await(bide_proceed(next));
        return bide_void;
    }
    wait_ns = take(limit, client, bide_clock_ns(), &used_ns);
    if (wait_ns > 0) {
        char text[24];
        snprintf(text, sizeof text, "%lld", seconds_up(wait_ns));
        bide__web_refuse(req, 429, "Too Many Requests");
        bide_set_header(req, "Retry-After", text);
    } else {
        bide_await(bide_proceed(next));
    }
    add_fields(req, limit, used_ns);
    return bide_void;
}

void bide_limit_take(bide_request *req, bide_limit *limit, const char *subject)
{
    uint64_t client =
        subject ? bide__siphash(limit->hash_key, subject, strlen(subject)) : client_of(limit, req);
    int64_t used_ns, wait_ns = take(limit, client, bide_clock_ns(), &used_ns);
    char text[24];
    if (wait_ns == 0)
        return;
    snprintf(text, sizeof text, "%lld", seconds_up(wait_ns));
    bide_keep_header(req, "Retry-After", text);
    bide__fail(bide__current->at,
               bide_http_error(429, "Too many requests: try again in %s seconds", text));
}

/* ---- the start and the end ---- */

static void limit_free(struct bide_limit *limit)
{
    for (int i = 0; i < LOCKS; i++)
        pthread_mutex_destroy(&limit->locks[i]);
    bide__free(limit->sets);
    bide__free(limit);
}

/* An application ends. */
static void leave(void *arg)
{
    struct bide_limit *limit = arg;
    pthread_mutex_lock(&limits_lock);
    bool is_last = --limit->users == 0;
    for (struct bide_limit **at = &limits; is_last && *at; at = &(*at)->next) {
        if (*at == limit) {
            *at = limit->next;
            break;
        }
    }
    pthread_mutex_unlock(&limits_lock);
    if (is_last)
        limit_free(limit);
}

/* A name is a string of a structured field: quoted as it is (RFC 8941 3.3.3). */
static bool is_name(const char *name)
{
    return *name && strlen(name) < 64 &&
           strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.") ==
               strlen(name);
}

static const char *wrong_with(const bide_rate_limit_options *options)
{
    if (!options || options->requests == 0)
        return "it says no number of requests";
    if (options->per.ns < 0 || options->per.ns > (int64_t)86400 * 366 * 1000000000)
        return "`per` is not a time up to a year";
    if (options->name && !is_name(options->name))
        return "its name is to be of letters, digits, '_', '-', '.'";
    if (options->clients > CLIENTS_MOST)
        return "it remembers a million clients at most";
    return NULL;
}

/* NULL: no memory. */
static struct bide_limit *limit_new(const bide_rate_limit_options *options)
{
    struct bide_limit *limit = bide__calloc(1, sizeof *limit);
    uint64_t sets = 1, clients = options->clients ? options->clients : CLIENTS;
    while (sets * WAYS < clients)
        sets *= 2;
    if (limit)
        limit->sets = bide__calloc(sets, sizeof *limit->sets);
    if (!limit || !limit->sets) {
        bide__free(limit);
        return NULL;
    }
    limit->given = options;
    limit->options = *options;
    if (!options->burst)
        limit->options.burst = options->requests;
    if (!options->name)
        limit->options.name = "default";
    int64_t per_ns = options->per.ns ? options->per.ns : 60000000000;
    limit->token_ns = per_ns / options->requests > 0 ? per_ns / options->requests : 1;
    limit->burst_ns = limit->token_ns * limit->options.burst;
    limit->set_mask = sets - 1;
    for (int i = 0; i < LOCKS; i++)
        pthread_mutex_init(&limit->locks[i], NULL);
    return limit;
}

/* The limit of these options, which is made for the first who asks. */
static struct bide_limit *limit_of(const bide_rate_limit_options *options, uint64_t seed)
{
    pthread_mutex_lock(&limits_lock);
    struct bide_limit *limit = limits;
    while (limit && limit->given != options)
        limit = limit->next;
    if (!limit && (limit = limit_new(options))) {
        if (bide__random(limit->hash_key, sizeof limit->hash_key) < 0)
            limit->hash_key[0] = seed;
        limit->next = limits;
        limits = limit;
    }
    if (limit)
        limit->users++;
    pthread_mutex_unlock(&limits_lock);
    return limit;
}

/* Whether a bucket is filled within some centuries. */
static bool has_time(const bide_rate_limit_options *options)
{
    int64_t per_ns = options->per.ns ? options->per.ns : 60000000000, all_ns;
    return !__builtin_mul_overflow(per_ns / options->requests + 1,
                                   (int64_t)(options->burst ? options->burst : options->requests),
                                   &all_ns);
}

bide_limit *bide_app_limit(bide_app *app, const bide_rate_limit_options *options)
{
    const char *wrong = wrong_with(options);
    if (!wrong && !has_time(options))
        wrong = "its burst takes longer than there is time";
    if (wrong) {
        bide__app_problem(app, "bide_rate_limit: %s", wrong);
        return NULL;
    }
    struct bide_limit *limit = limit_of(options, app->id_seed);
    if (limit && bide_arena_on_reset(&app->arena, leave, limit) < 0) {
        leave(limit);
        limit = NULL;
    }
    if (!limit)
        bide__app_problem(app, "out of memory");
    return limit;
}

int bide__rate_limit_prepare(bide_app *app, struct bide__middleware *middleware)
{
    struct bide_limit *limit = bide_app_limit(app, middleware->arg);
    middleware->arg = limit;
    return limit ? 0 : -EINVAL;
}
