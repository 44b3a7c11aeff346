/*
 * Replies that are made while they are sent: what a handler leaves for later, and what producers
 * call. Called by handlers, producers, render.c, and by the transports when all providers and
 * middleware are done; calls the transport.
 *
 * Source: RFC 9112 7.1; WHATWG HTML 9.2.6 (event streams).
 */
#include "web/web.h"

#include "core/error.h"

#include <bide/gen.h>
#include <errno.h>
#include <stdarg.h>
#include <string.h>

/* A call that was left for later: its arguments are in the request's arena. */
struct producer {
    struct bide__web_source source;
    struct bide__call call;
};

static __attribute__((noreturn, cold)) void raise_memory(void)
{
    bide__fail(bide__current->at, bide_error_new(BIDE_NO_MEMORY, "no memory for a reply"));
}

/* ---- what handlers return ---- */

static bide_streamed leave(bide_request *req, struct bide__call call,
                           void (*run)(bide_request *req, struct bide__web_source *source))
{
    bide_arena *arena = bide_arena_of(req);
    struct producer *producer = bide_arena_alloc_zero(arena, 1, sizeof *producer);
    void *args = bide_arena_copy(arena, call.args, call.args_size);
    if (!producer || !args)
        raise_memory();
    producer->source = (struct bide__web_source){.size = -1, .run = run};
    producer->call = call;
    producer->call.args = args;
    return (bide_streamed){&producer->source};
}

static void *args_of(const struct producer *producer)
{
    return (void *)(uintptr_t)producer->call.args;
}

static void run_function(bide_request *req, struct bide__web_source *source)
{
    const struct producer *producer = bide__container_of(source, struct producer, source);
    (void)req;
    producer->call.thunk(args_of(producer));
}

/* How the arguments of a generator's function begin (core/gen.c). */
struct first_argument {
    bide__value_void result;
    bide_gen(bide_text) * gen;
};

static void run_generator(bide_request *req, struct bide__web_source *source) BIDE__UNCHECKED;
static void run_generator(bide_request *req, struct bide__web_source *source)
{
    const struct producer *producer = bide__container_of(source, struct producer, source);
    bide_gen(bide_text) gen
        __attribute__((__cleanup__(bide__gen_leave))) = {.gen = {.value_size = 0}};
    bide_text text;
    ((struct first_argument *)args_of(producer))->gen = &gen;
    bide__gen_enter(&gen.gen, sizeof gen.value, &gen.value, &gen.sent, producer->call);
    while (bide_await(bide_next(&gen, &text)))
        bide__web_write(req, text.at, text.length);
}

bide_streamed bide__stream_with(bide_request *req, struct bide__call call)
{
    return leave(req, call, run_function);
}

bide_streamed bide__stream_from(bide_request *req, struct bide__call call)
{
    return leave(req, call, run_generator);
}

/* ---- sending ---- */

void bide__web_send(bide_request *req)
{
    struct bide__memory memory;
    bide__web_enter_memory(req, &memory);
    bide_defer(bide__web_leave_memory, req);
    if (req->transport->begin(req, req->source->size)) {
        req->sending = true;
        req->source->run(req, req->source);
    }
    req->sending = false;
}

void bide__web_write(bide_request *req, const void *data, size_t size)
{
    if (bide__unlikely(!req->sending))
        bide__misuse("a piece of a reply at %s:%d, outside of its producer",
                     bide__current->at->file, bide__current->at->line);
    req->transport->write(req, data, size);
    req->body_size += size;
}

void bide__web_write_file(bide_request *req, int fd, uint64_t offset, uint64_t size)
{
    req->transport->write_file(req, fd, offset, size);
    req->body_size += size;
}

void bide__web_drop_source(bide_request *req)
{
    struct bide__web_source *source = req->source;
    req->source = NULL;
    if (source->drop)
        source->drop(source);
}

bide_async(void) bide_send_bytes(bide_request *req, const void *data, size_t size)
{
    bide__web_write(req, data, size);
    return bide_void;
}

bide_async(void) bide_send_text(bide_request *req, const char *text)
{
    bide__web_write(req, text, strlen(text));
    return bide_void;
}

static void written(void *arg)
{
    bide_request *req = arg;
    req->writing = false;
}

/* What the request's buffer holds; nobody else needs it while a reply is sent. */
static void write_buf(bide_request *req, bide_buf *buf) BIDE__TASK;
static void write_buf(bide_request *req, bide_buf *buf)
{
    int error = bide_buf_error(buf);
    if (error == -ENOMEM)
        raise_memory();
    if (error < 0)
        bide__fail(bide__current->at,
                   bide_error_new(BIDE_LIMIT, "a piece of a reply is too large"));
    req->writing = true;
    bide_defer(written, req);
    bide__web_write(req, bide_buf_str(buf), bide_buf_length(buf));
}

/* The buffer for a piece; not while that of another task is sent from it. */
static bide_buf *start(bide_request *req)
{
    if (bide__unlikely(req->writing))
        bide__misuse("a piece of a reply at %s:%d, while another task's is on its way",
                     bide__current->at->file, bide__current->at->line);
    bide_buf *buf = bide__web_buf(req);
    if (!buf)
        raise_memory();
    return buf;
}

bide_async(void) bide_send_format(bide_request *req, const char *format, ...)
{
    bide_buf *buf = start(req);
    va_list args;
    va_start(args, format);
    bide_buf_vprintf(buf, format, args);
    va_end(args);
    write_buf(req, buf);
    return bide_void;
}

/* ---- events ---- */

/* A field for each line of the text; a line ends with CRLF, LF or CR, as the peer sees it. */
static void put_lines(bide_buf *buf, const char *name, const char *text)
{
    for (;;) {
        size_t length = strcspn(text, "\r\n");
        bide_buf_append_str(buf, name);
        bide_buf_append(buf, text, length);
        bide_buf_append_char(buf, '\n');
        text += length;
        if (!*text)
            return;
        text += text[0] == '\r' && text[1] == '\n' ? 2 : 1;
    }
}

static void put_line(bide_buf *buf, const char *name, const char *what, const char *text)
{
    if (strpbrk(text, "\r\n"))
        bide__fail(bide__current->at,
                   bide_error_new(BIDE_INVALID, "the %s of an event has several lines", what));
    put_lines(buf, name, text);
}

bide_async(void) bide__send_event(bide_request *req, const bide_server_event *event)
{
    bide_buf *buf = start(req);
    if (event->comment)
        put_lines(buf, ": ", event->comment);
    if (event->name)
        put_line(buf, "event: ", "name", event->name);
    if (event->id)
        put_line(buf, "id: ", "id", event->id);
    if (event->retry_ms > 0)
        bide_buf_printf(buf, "retry: %d\n", event->retry_ms);
    if (event->data)
        put_lines(buf, "data: ", event->data);
    bide_buf_append_char(buf, '\n');
    write_buf(req, buf);
    return bide_void;
}
