/*
 * What the tests of this folder share: an application served on loopback, and a client that sends
 * raw bytes and reads one reply at a time.
 */
#ifndef BIDE_TESTS_END_TO_END_WIRE_H
#define BIDE_TESTS_END_TO_END_WIRE_H

#include <bide/bide.h>
#include <bide/test.h>
#include <bide/web_test.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WIRE_BYTES = 4 << 20 };

struct wire {
    bide_stream *stream;
    char *buffer; /* WIRE_BYTES, and a NUL behind what is held */
    size_t held;
    size_t taken; /* bytes of it that belong to the last reply */
    int status;   /* of the last reply; 0: the stream has ended instead */
    const char *body;
    size_t length;
};
typedef struct wire *wire_ptr;
AWAITABLE(wire_ptr);

static async(wire_ptr) wire_open(uint16_t port)
{
    bide_stream *stream = await(bide_connect_tcp("127.0.0.1", port));
    struct wire *wire = calloc(1, sizeof *wire);
    require(wire);
    wire->stream = stream;
    wire->buffer = malloc(WIRE_BYTES + 1);
    require(wire->buffer);
    return ready(wire_ptr, wire);
}

static async(void) wire_close(wire_ptr wire, bide_error *error)
{
    (void)error;
    bide_close(wire->stream);
    free(wire->buffer);
    free(wire);
    return bide_void;
}

/* with(dial, wire, port) { ... }: a connection. */
RESOURCE(dial, wire_ptr, wire_open, wire_close)

/* Takes the first whole reply of what was read. */
static bool wire_take(struct wire *wire)
{
    char *at = wire->buffer;
    const char *end = memmem(at, wire->held, "\r\n\r\n", 4);
    if (!end)
        return false;
    size_t head = (size_t)(end - at) + 4;
    const char *field = memmem(at, head, "\r\nContent-Length: ", 18);
    size_t body = field ? strtoul(field + 18, NULL, 10) : 0;
    if (head + body > wire->held)
        return false;
    require(memcmp(at, "HTTP/1.1 ", 9) == 0);
    wire->status = atoi(at + 9);
    wire->body = at + head;
    wire->length = body;
    wire->taken = head + body;
    return true;
}

/* The next reply. What stands in the wire is overwritten. */
static async(void) wire_reply(struct wire *wire)
{
    wire->held -= wire->taken;
    memmove(wire->buffer, wire->buffer + wire->taken, wire->held);
    wire->taken = 0;
    wire->status = 0;
    wire->body = "";
    wire->length = 0;
    while (!wire_take(wire)) {
        bide_error *error;
        require(wire->held < WIRE_BYTES);
        size_t n = attempt(&error, bide_read, wire->stream, wire->buffer + wire->held,
                           WIRE_BYTES - wire->held);
        if (error || n == 0)
            return bide_void;
        wire->held += n;
        wire->buffer[wire->held] = '\0';
    }
    return bide_void;
}

static async(void) wire_send(struct wire *wire, const void *bytes, size_t size);
SPAWNABLE(void, wire_send, struct wire *, const void *, size_t)
static async(void) wire_send(struct wire *wire, const void *bytes, size_t size)
{
    bide_error *error;
    attempt(&error, bide_write, wire->stream, bytes, size); /* the server may have had enough */
    return bide_void;
}

/* Sends while it reads, and gives when the reply is there. */
static async(void) wire_ask(struct wire *wire, const void *bytes, size_t size)
{
    with_group(g) {
        spawn_void(g, wire_send, wire, bytes, size);
        await(wire_reply(wire));
        bide_group_cancel(g, "answered");
    }
    return bide_void;
}

/* POST of JSON on a connection that stays. */
__attribute__((unused)) static async(void) wire_post(struct wire *wire, const char *path,
                                                     const void *body, size_t size)
{
    char *request = malloc(size + 256);
    require(request);
    int head = snprintf(request, 256,
                        "POST %s HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
                        "Content-Length: %zu\r\n\r\n",
                        path, size);
    memcpy(request + head, body, size);
    await(wire_ask(wire, request, (size_t)head + size));
    free(request);
    return bide_void;
}

/* ---- the server ---- */

static async(void) site_serve(bide_app_ptr app, bide_listener_ptr listener);
SPAWNABLE(void, site_serve, bide_app_ptr, bide_listener_ptr)
static async(void) site_serve(bide_app_ptr app, bide_listener_ptr listener)
{
    await(bide_app_serve(app, listener, &(struct bide_http_options){.requests = 100000}));
    return bide_void;
}

/* Runs `talk` against the application, which is freed. */
static async(void) with_site(bide_app *app, async_fn(void) (*talk)(uint16_t port))
{
    require(!bide_app_check(app));
    with(bide_tcp_listener, listener, "127.0.0.1", 0, NULL) {
        with_group(g) {
            spawn_void(g, site_serve, app, listener);
            await(talk(bide_listener_port(listener)));
            bide_group_cancel(g, "the test is over");
        }
    }
    bide_app_free(app);
    return bide_void;
}

#endif
