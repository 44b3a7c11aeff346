/*
 * What the files of this folder share: the client, its shared connection and its leased ones.
 */
#ifndef BIDE_REDIS_REDIS_H
#define BIDE_REDIS_REDIS_H

#include "base/caps.h"
#include "core/loop.h"
#include "redis/resp.h"

#include <bide/net.h>
#include <bide/pool.h>

/* A URL, taken apart. */
struct bide__redis_url {
    char host[BIDE_ADDRESS_BYTES]; /* or a path */
    char user[BIDE_ADDRESS_BYTES]; /* "": none */
    char password[BIDE_ADDRESS_BYTES];
    uint16_t port; /* 0: a unix socket */
    int64_t database;
};

/* url.c: NULL, or what is wrong; that never has the password in it. */
const char *bide__redis_url_parse(const char *text, struct bide__redis_url *ret_url);

/* A connection that was logged in. All zero: none. */
struct bide__redis_link {
    bide_stream *stream;
    struct bide__redis_reader *reader;
    bool busy;   /* a reply is owed: nobody else may use it */
    bool in_use; /* logged in: a loss is one of a user's command */
};

/* Growing bytes that wait to be sent. */
struct bide__redis_output {
    char *data;
    size_t length, capacity;
};

/* A command in the order of the replies. */
struct bide__redis_slot {
    struct bide__redis_waiter *waiter; /* NULL: cancelled */
    size_t bytes;                      /* in `unsent`, until it is sent */
};

/*
 * A client. The handles of leased connections are of the same type, with `link` set.
 *
 *     slots   | first ... sent | sent ... end |        numbers only grow; slot n is at n % capacity
 *               sent, a reply    in `unsent`
 *               is owed
 */
struct bide_redis {
    struct bide_redis *client;         /* of a leased handle; else itself */
    struct bide__redis_link *link;     /* a leased connection; NULL: the shared one */
    struct bide_redis_options options; /* of a leased handle only `timeout` */
    struct bide__redis_url url;
    char name[64];                    /* options.name */
    char address[BIDE_ADDRESS_BYTES]; /* for messages */
    const struct bide__loop *loop;
    unsigned forks; /* base/process.h */
    uint32_t users; /* the handle, the task of the connection, tasks that wait: the last frees */
    bool closed;
    bool repeatable; /* all that it does, as of a cache */

    struct bide__redis_link shared;
    struct bide__redis_slot *slots;
    size_t capacity; /* a power of two, or 0 */
    uint64_t first, sent, end;
    size_t dropped; /* cancelled slots from `sent` on */
    struct bide__redis_output unsent, sending;
    struct bide__queue sender; /* the task that sends, while there is nothing to send */
    struct bide__object object;
    bide_task_ref task;
    uint64_t jitter;

    struct bide_pool *leases;
    size_t blocks; /* of users that have a lease */
};

/* link.c. Connects and logs in; raises. */
bide_async(void) bide__redis_link_open(bide_redis *client, struct bide__redis_link *ret_link);
void bide__redis_link_close(struct bide__redis_link *link);

/* Sends `commands` commands that stand in `data`, and reads as many replies; only the last one is
   kept in `answer`; if it is an error, the text of the first one. Raises what is not an answer of
   the server, BIDE_REDIS_LOST when the connection is lost; the link then stays busy. */
bide_async(void) bide__redis_link_call(const bide_redis *client, struct bide__redis_link *link,
                                       const char *data, size_t size, size_t commands,
                                       struct bide__redis_answer *answer);

/* The same for one command. */
bide_async(void) bide__redis_link_command(const bide_redis *client, struct bide__redis_link *link,
                                          const bide_redis_arg *args, size_t count,
                                          struct bide__redis_answer *answer);

/* The next reply; reads as often as it takes. Raises. */
bide_async(void) bide__redis_link_next(const bide_redis *client, struct bide__redis_link *link,
                                       struct bide__redis_answer *answer);

/* How long to pause before the n-th attempt, from 1. */
bide_duration bide__redis_pause(bide_redis *client, unsigned attempt);

/* pipeline.c: starts the task of the shared connection, which is `shared`; one command over it:
   0 with the answer (its code too), or a negative code. */
void bide__redis_pipeline_start(bide_redis *client);
int bide__redis_pipeline_call(bide_redis *client, const bide_redis_arg *args, size_t count,
                              struct bide__redis_answer *answer);

/* Wakes all that wait, with -ESHUTDOWN. */
void bide__redis_pipeline_stop(bide_redis *client);

/* Makes room for `more` bytes and gives where they go; NULL: out of memory, nothing is lost. */
char *bide__redis_output_room(struct bide__redis_output *output, size_t more);

/* lease.c. The pool of a client: 0 or -ENOMEM. Its end waits for every connection, and cannot be
   cancelled. */
int bide__redis_leases_init(bide_redis *client);
void bide__redis_leases_close(bide_redis *client);

/* A connection beside the shared one, for any task of the loop; waits while all are in use, and
   raises. And the end of it: it is kept if it is provably idle and `clean`. */
bide_async(bide_redis_ptr) bide__redis_take(bide_redis *client);
void bide__redis_give(bide_redis *leased, bool clean);

/* Who took it has nothing to do with it any more, though somebody else has. */
void bide__redis_disown(bide_redis *leased);

/* The end of bide__redis_lease, the same for a block of the user's. */
void bide__redis_return(bide_redis *leased, bool clean);

/* client.c. Checks who calls: a task of the client's loop and of its process. */
void bide__redis_check_caller(const bide_redis *client);
void bide__redis_use(bide_redis *client);
void bide__redis_unuse(bide_redis *client);

/* command.c: does one command for an answer, error replies too. Raises all else. */
bide_async(void) bide__redis_do(bide_redis *r, const bide_redis_arg *args, size_t count,
                                struct bide__redis_answer *answer);

/* Where replies go: the request's arena, or the outermost task's. Raises. */
bide_arena *bide__redis_arena(const bide_redis *r);

/* Raises the error that an answer holds; `args` name the command, and no value of it. */
void bide__redis_check(const bide_redis *r, const bide_redis_arg *args,
                       const struct bide__redis_answer *answer);

extern const struct bide__kind bide__redis_kind;

#endif
