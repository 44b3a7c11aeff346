/*
 * The bytes of the protocol: commands into a buffer, replies out of one. resp.c is the only file
 * that knows hiredis; nothing here suspends. Called by link.c and pipeline.c.
 */
#ifndef BIDE_REDIS_RESP_H
#define BIDE_REDIS_RESP_H

#include <bide/redis.h>

/* What waits for a reply, in the frame of its task. */
struct bide__redis_answer {
    bide_redis_reply reply;
    bide_arena *arena;              /* for texts and items; NULL: they are dropped */
    int code;                       /* 0; -ENOMEM: the arena is full; what else cut it off */
    bool repeatable;                /* doing the command twice is as good as once */
    bool sent;                      /* the server may have done it */
    char text[BIDE__MESSAGE_BYTES]; /* of an error, at the root or of the connection */
};

/* Whether the server may have done what is not to be done twice. */
static inline bool bide__redis_may_have_changed(const struct bide__redis_answer *answer)
{
    return answer->sent && !answer->repeatable;
}

/* Why this bide can do nothing; NULL: it can. */
const char *bide__redis_missing(void);

/* Index of the first argument that is a NULL text; `count`: none is. */
size_t bide__redis_bad_arg(const bide_redis_arg *args, size_t count);

/* The bytes of a command, and the command itself into as many; gives its end. */
size_t bide__redis_command_bytes(const bide_redis_arg *args, size_t count);
char *bide__redis_command_write(char *at, const bide_redis_arg *args, size_t count);

/* hiredis' reader. NULL: out of memory. */
struct bide__redis_reader;
struct bide__redis_reader *bide__redis_reader_new(size_t reply_bytes);
void bide__redis_reader_free(struct bide__redis_reader *reader);

/* Takes bytes as they came. 0, -ENOMEM, or -EMSGSIZE: a reply is longer than is allowed. */
int bide__redis_reader_feed(struct bide__redis_reader *reader, const char *data, size_t size);

/*
 * Goes on with the reply under way, or begins the next: 1 when it is complete, 0 for more bytes,
 * -EPROTO. `answer` is whose it is; NULL: nobody's, it is dropped. Between two calls for one reply
 * it may become NULL, and its arena may then be gone; it never becomes another one's.
 */
int bide__redis_reader_next(struct bide__redis_reader *reader, struct bide__redis_answer *answer);

/* Whether it is in the middle of a reply, or has bytes of a further one. */
bool bide__redis_reader_holds(const struct bide__redis_reader *reader);

/* What is wrong, after an error. */
const char *bide__redis_reader_problem(const struct bide__redis_reader *reader);

#endif
