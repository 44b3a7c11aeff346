/*
 * One connection of the server, and the exchange under way on it. connection.c has its life,
 * transfer.c its bytes, exchange.c, reply.c and upgrade.c what handlers call, server.c accepts and
 * stops, report.c says what is under way.
 *
 * States of a connection
 *     IDLE ---edge---> READABLE ---a task takes it---> SERVING ---nothing left to read---> IDLE
 *       \--- closed (too long idle, stopping)             \--- closed (error, last request, gone)
 *
 * A task serves one readable connection after the other until there are none. Before its first it
 * sees to it that another task will come for the rest: whatever a handler waits for, nobody else
 * waits behind it. As long as handlers do not wait, two tasks serve all that one poll brought.
 *
 * Invariants
 *  1. An idle connection is in server->idle, in the order of becoming idle, and has neither a task
 *     nor buffers. It becomes idle only when the backend will say so
 *     (bide__fd_may_read is false).
 *  2. The input buffer holds [start, end): the head of the request under way lies at `start`, and
 *     stays there until the exchange ends; what comes later is read behind it.
 *  3. The output buffer is sent when it is full, when the input is used up, before the task waits
 *     for its peer, and at the end of a turn in which a handler began to wait for something else.
 *     So pipelined replies go out together, but wait for nobody.
 *  4. While server->readable is not empty a task is coming or looks for more.
 *  5. Every wait for the peer ends: by its deadline, by a cancel, or with the peer.
 */
#ifndef BIDE_HTTP_CONNECTION_H
#define BIDE_HTTP_CONNECTION_H

#include "core/loop.h"
#include "core/scope.h"
#include "http/body.h"
#include "http/date.h"
#include "http/head.h"
#include "http/proxy.h"

#include <bide/http.h>

enum {
    BIDE__HTTP_START_BYTES = 80,
    BIDE__HTTP_TYPES_KEPT = 8,
};

/* How far the reply is. */
enum bide__http_replied { BIDE__HTTP_UNREPLIED, BIDE__HTTP_REPLIED, BIDE__HTTP_IN_PIECES };

/* How its peer finds the end of a reply in pieces. */
enum bide__http_pieces {
    BIDE__HTTP_PIECES_COUNTED,  /* by Content-Length: `left` of it */
    BIDE__HTTP_PIECES_CHUNKED,  /* RFC 9112 7.1 */
    BIDE__HTTP_PIECES_TO_CLOSE, /* HTTP/1.0: by the end of the connection */
    BIDE__HTTP_PIECES_DROPPED,  /* there is no body */
};

/* A content type that was checked, and the end of a head with it. */
struct bide__http_type {
    char text[48];
    char line[80];
    uint8_t text_length, length; /* the line's is 0: none yet */
};

struct bide_exchange {
    struct bide__http_connection *connection;
    struct bide__http_head *head;
    const char *bytes;        /* where the head's spans point to */
    bide_stream *upgraded;    /* the connection's descriptor has it, and its handler */
    int64_t since_ns;         /* when its head was whole */
    int64_t waited_ns;        /* for the body, all waits together */
    int64_t patience_ns;      /* for the handler, in place of the server's; 0: that */
    uint64_t left;            /* of a reply in pieces whose size is known */
    struct bide_task *writer; /* inside a write of a piece, or NULL; valid in pieces */
    uint16_t headers_length;
    uint8_t client_length; /* 0: not asked for */
    uint8_t replied;       /* enum bide__http_replied */
    bool ends_at_stop;     /* of a reply in pieces: it has no end of its own */
    uint8_t pieces;        /* of a reply in pieces: enum bide__http_pieces */
    bool used_arena;
    bool ends_so;       /* the handler does nothing after its reply */
    bool https;         /* the client's scheme, after bide__http_resolve */
    bool continued;     /* 100 Continue is owed no more */
    bool body_begun;    /* something was read of it */
    uint8_t body_state; /* enum bide__http_result: how far the body is */
    struct bide__http_body body;
    bide_arena arena;
};

/* What a task of the server holds, and lends to the connection that it serves. */
struct bide__http_buffers {
    struct bide__http_buffers *next; /* in server->free_buffers */
    struct bide__http_server *server;
    struct bide__list_node working; /* in server->working */
    struct bide__list_node unsent;  /* in server->unsent, with output that should not wait */
    struct bide__http_connection *connection; /* or NULL */
    bool serving;                             /* the exchange is under way */
    uint8_t peer_length;                      /* 0: not asked for by this connection */
    uint32_t served_before;   /* requests of the connection, when the task took it */
    struct bide__limit limit; /* around all that the task does; the handler's deadline */
    struct bide_exchange exchange;
    struct bide__http_head head;
    char peer[BIDE__HTTP_ADDRESS_BYTES + 1];
    char client[BIDE__HTTP_ADDRESS_BYTES + 1];
    char headers[BIDE_CAP_HTTP_REPLY_HEADERS_BYTES]; /* of the reply, as they will be sent */
    char in[BIDE_CAP_HTTP_INPUT_BYTES];
    char out[BIDE_CAP_HTTP_OUTPUT_BYTES];
};

struct bide__http_server {
    struct bide__loop *loop;
    bide_group *group; /* of the connections' tasks; NULL: it has ended */
    bide_http_handler *handler;
    void *arg;
    struct bide_http_options options;
    struct bide__http_networks *trusted; /* NULL: nobody */
    struct bide__list idle;              /* oldest first */
    struct bide__list readable;          /* those that wait for a task, first come first */
    struct bide__list working;           /* the buffers of all tasks */
    bool task_coming;                    /* one was made, and has not begun */
    struct bide__list unsent;            /* those whose handler began while there was output */
    struct bide__timer send;             /* at the end of this turn, for those */
    uint32_t connections;                /* all of them */
    struct bide__queue room;             /* who waits for fewer of them */
    struct bide__object object;
    struct bide__timer sweep; /* looks for those that are idle too long */
    struct bide__http_buffers *free_buffers;
    uint32_t free_count;
    struct bide__slab slab;             /* connections */
    bool short_is_drained;              /* of its connections' descriptors, see core/op.h */
    uint64_t jitter;                    /* a random state */
    struct bide__timer held;            /* when a stop takes long */
    struct bide__reporter reporter;     /* in the loop's list */
    bool stopping;                      /* replies say `Connection: close` */
    bool ending;                        /* ... and those without an end are cancelled */
    int64_t start_until_ns;             /* on the tick's clock: when `start` is old */
    char start[BIDE__HTTP_START_BYTES]; /* of the head of a 200, with the date of the second */
    struct bide__http_type types[BIDE__HTTP_TYPES_KEPT];
};

struct bide__http_connection {
    struct bide__fd fd;
    struct bide__http_server *server;
    struct bide__list_node node;        /* in server->idle or ->readable, or in none */
    struct bide__http_buffers *buffers; /* while it serves */
    struct bide_task *task;             /* while it serves */
    int64_t idle_since_ns;
    int64_t old_at_ns; /* when the next reply is the last */
    struct bide__http_address peer;
    uint32_t served;     /* requests */
    uint32_t start, end; /* what the input buffer holds */
    uint32_t out_length; /* what the output buffer holds */
    bool closing;        /* no further request is served */
    bool gone;           /* nothing can be sent or read any more */
    bool keep_running;   /* ... which does not cancel the handler under way */
    bool ended;          /* the peer sends nothing more */
    bool unread_input;   /* the peer may still be sending what nobody wants */
    bool excused;        /* it was woken for nothing once */
};

/* connection.c. Takes a connected, non-blocking descriptor; closes it when there is no memory. */
void bide__http_connection_open(struct bide__http_server *server, int fd,
                                const struct bide__http_address *peer);
void bide__http_connection_close(struct bide__http_connection *connection);
void bide__http_buffers_free(struct bide__http_buffers *buffers);

/* Whether nothing has arrived on an idle connection that its next wake would read, and its last
   reply is sent, or has waited too long for its peer. */
bool bide__http_connection_quiet(struct bide__http_connection *connection);

/* transfer.c. That long from now, on the loop's clock. */
int64_t bide__http_after(const struct bide__http_server *server, bide_duration duration);

/* From now on the handler under way has this deadline, or none. */
void bide__http_move_limit(struct bide__http_connection *connection, int64_t to_ns);
void bide__http_lift_limit(struct bide__http_connection *connection);

/* Gives the handler under way its whole time once more. */
void bide__http_renew_limit(struct bide_exchange *exchange);

/* Has what the output buffer holds sent at the end of this turn, unless it was sent till then. */
void bide__http_send_soon(struct bide__http_connection *connection);
void bide__http_send_unsent(struct bide__timer *timer);

/* Nothing more is sent: what is not sent yet is dropped when the socket is closed, and the peer
   gets a reset. The kernel keeps nothing for a peer that takes nothing, and a reply of unknown size
   does not look whole. Source: tcp(7), socket(7) SO_LINGER. */
void bide__http_give_up(struct bide__http_connection *connection);

/* Sends what the output buffer holds. 0 or a negative code, after which the connection is gone. */
int bide__http_flush(struct bide__http_connection *connection);

/* The same when there is nothing more to do for the request: with what others send, if the backend
   can. What goes wrong with it then is found by the next read. */
int bide__http_flush_along(struct bide__http_connection *connection);

/* Sends bytes that are in no buffer, perhaps none: behind all that goes along. The same. */
int bide__http_send(struct bide__http_connection *connection, const void *data, size_t size);

/* Sends bytes of a file (io/send_file.h), behind what the output buffer holds. The same; -ENODATA:
   the file has fewer. */
int bide__http_send_file(struct bide_exchange *exchange, int file, uint64_t at,
                         uint64_t size) BIDE__TASK;

/* Reads more input behind what is there: bytes, 0 at the end of the stream, or a negative code:
   -EAGAIN when there is none now and the deadline is 0, -ENOBUFS when the buffer is full,
   -ETIMEDOUT, -ECANCELED. Waiting sends the output first, or, beside a handler, at the end of this
   turn; the handler's deadline stands still. */
int bide__http_receive(struct bide__http_connection *connection, int64_t deadline_ns);

/* Reads and drops for a moment what a peer still sends that is not wanted: a close with unread
   input resets the connection, and the peer may lose the reply (RFC 9112 9.6). */
void bide__http_linger(struct bide__http_connection *connection);

/* report.c. Says what is under way. */
void bide__http_report(struct bide__http_server *server, void (*say)(const char *line));

/* exchange.c. Finds out who the client is, once for each exchange. -EINVAL: a proxy's fields
   contradict each other. */
int bide__http_resolve(struct bide_exchange *exchange);

/* pieces.c. The end of a reply in pieces whose handler has returned. A negative code: it is cut
   off, and nothing more can be sent. */
int bide__http_end_pieces(struct bide_exchange *exchange);

/* pieces.c. The handler has failed: if it was in a reply in pieces, its peer must see that. */
void bide__http_cut_pieces(struct bide_exchange *exchange);

/* reply.c. The head of a reply into the output buffer; `size`: of the body, or -1 for one in
   pieces, whose framing is then in exchange->pieces. -EINVAL as below; an error of sending what was
   there before. */
int bide__http_put_head(struct bide_exchange *exchange, int status, const char *content_type,
                        int64_t size);

/* The begin of a reply: a cancel is raised; a second one is misuse. */
static inline void bide__http_enter_reply(struct bide_task *me,
                                          const struct bide_exchange *exchange)
{
    int result = bide__checkpoint(me);
    if (bide__unlikely(result < 0))
        bide__raise(result, &exchange->connection->fd.object);
    if (bide__unlikely(exchange->replied))
        bide__misuse("a second reply to one request, at %s:%d", me->head.at->file,
                     me->head.at->line);
}

/* reply.c. Raises what a reply has failed with. */
__attribute__((noreturn, cold)) void bide__http_raise_reply(struct bide_task *me,
                                                            const struct bide_exchange *exchange,
                                                            int result, int status);

/* reply.c. Puts a whole reply into the buffers; sends what does not fit. -EINVAL: no status from
   200 to 599, or no content type; nothing has happened then. */
int bide__http_reply(struct bide_exchange *exchange, int status, const char *content_type,
                     const void *body, size_t size);

/* Reads the rest of a body that the handler left, if that is little. False: the connection cannot
   go on. */
bool bide__http_finish_body(struct bide_exchange *exchange);

#endif
