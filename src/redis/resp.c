/*
 * resp.c: see resp.h. Replies are built by hiredis' reader (read.h of hiredis) straight into the
 * arena of the task that waits.
 *
 * Invariants
 *  1. `answer` is set for one call of the reader only. While it is NULL the functions below give
 *     `nothing` and look at no parent: what they built before may be gone.
 *  2. The protocol is RESP2 on every version of hiredis: HELLO is never sent.
 */
#include "redis/resp.h"

#include "base/caps.h"
#include "base/mem.h"
#include "model/number.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

bide_redis_arg bide__redis_text(const char *text)
{
    return (bide_redis_arg){.data = text ? text : "", .size = text ? strlen(text) : SIZE_MAX};
}

bide_redis_arg bide__redis_bytes(bide_bytes bytes)
{
    return (bide_redis_arg){.data = bytes.data ? (const char *)bytes.data : "", .size = bytes.size};
}

bide_redis_arg bide__redis_signed(int64_t value)
{
    bide_redis_arg arg = {.data = NULL};
    arg.size = bide__format_i64(arg.number, value);
    return arg;
}

bide_redis_arg bide__redis_unsigned(uint64_t value)
{
    bide_redis_arg arg = {.data = NULL};
    arg.size = (size_t)snprintf(arg.number, sizeof arg.number, "%llu", (unsigned long long)value);
    return arg;
}

/* As Redis writes them itself: enough digits to read back the same (sorted sets take inf). */
bide_redis_arg bide__redis_double(double value)
{
    bide_redis_arg arg = {.data = NULL};
    if (__builtin_isfinite(value))
        arg.size = bide__format_f64(arg.number, value);
    else
        arg.size = (size_t)snprintf(arg.number, sizeof arg.number, "%s",
                                    __builtin_isnan(value) ? "nan"
                                    : value > 0            ? "inf"
                                                           : "-inf");
    return arg;
}

size_t bide__redis_bad_arg(const bide_redis_arg *args, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (args[i].size == SIZE_MAX)
            return i;
    return count;
}

static size_t digits(size_t value)
{
    size_t count = 1;
    while (value >= 10) {
        value /= 10;
        count++;
    }
    return count;
}

size_t bide__redis_command_bytes(const bide_redis_arg *args, size_t count)
{
    size_t bytes = 3 + digits(count); /* *3\r\n */
    for (size_t i = 0; i < count; i++)
        bytes += 5 + digits(args[i].size) + args[i].size; /* $4\r\n....\r\n */
    return bytes;
}

static char *write_size(char *at, char kind, size_t value)
{
    size_t count = digits(value);
    *at++ = kind;
    for (size_t i = count; i-- > 0; value /= 10)
        at[i] = (char)('0' + value % 10);
    at[count] = '\r';
    at[count + 1] = '\n';
    return at + count + 2;
}

char *bide__redis_command_write(char *at, const bide_redis_arg *args, size_t count)
{
    at = write_size(at, '*', count);
    for (size_t i = 0; i < count; i++) {
        at = write_size(at, '$', args[i].size);
        memcpy(at, args[i].data ? args[i].data : args[i].number, args[i].size);
        at += args[i].size;
        *at++ = '\r';
        *at++ = '\n';
    }
    return at;
}

#if BIDE_HIREDIS

#include <hiredis/hiredis.h>

struct bide__redis_reader {
    redisReader *reader;
    struct bide__redis_answer *answer; /* NULL: the reply is dropped */
    size_t reply_bytes;
    bool unfinished; /* it was fed since the last whole reply, or holds more than that */
};

/* What stands for a part of a reply that is dropped. */
static char nothing;

const char *bide__redis_missing(void)
{
    return NULL;
}

/* Where a part of the reply goes; NULL: it is dropped. */
static bide_redis_reply *place(const redisReadTask *task, enum bide_redis_kind kind)
{
    struct bide__redis_reader *self = task->privdata;
    bide_redis_reply *reply;
    if (!self->answer || (task->parent && task->parent->obj == &nothing))
        return NULL;
    reply = &self->answer->reply;
    if (task->parent) {
        reply = ((bide_redis_reply *)task->parent->obj)->items;
        if (!reply) /* there is no arena for them */
            return NULL;
        reply += task->idx;
    }
    *reply = (bide_redis_reply){.kind = kind};
    return reply;
}

/* The one task has no room, and the others have nothing to do with that. */
static void *out_of_room(const redisReadTask *task)
{
    struct bide__redis_reader *self = task->privdata;
    self->answer->code = -ENOMEM;
    self->answer = NULL;
    return &nothing;
}

static void *make_text(const redisReadTask *task, char *text, size_t size)
{
    struct bide__redis_reader *self = task->privdata;
    bool is_error = task->type == REDIS_REPLY_ERROR;
    bide_redis_reply *reply = place(task, is_error ? BIDE_REDIS_ERROR : BIDE_REDIS_TEXT);
    if (!reply)
        return &nothing;
    if (is_error && !task->parent) {
        snprintf(self->answer->text, sizeof self->answer->text, "%.*s", (int)(size & 0xffff), text);
        return reply;
    }
    if (!self->answer->arena)
        return reply;
    if (size == 2 && memcmp(text, "OK", 2) == 0) { /* what loops of writes get all the time */
        reply->text = "OK";
        reply->size = 2;
        return reply;
    }
    char *copy = bide_arena_alloc(self->answer->arena, size + 1);
    if (!copy)
        return out_of_room(task);
    memcpy(copy, text, size);
    copy[size] = 0;
    reply->text = copy;
    reply->size = size;
    return reply;
}

#if HIREDIS_MAJOR >= 1
typedef size_t elements;
#else
typedef int elements;
#endif

static void *make_array(const redisReadTask *task, elements count)
{
    const struct bide__redis_reader *self = task->privdata;
    bide_redis_reply *reply = place(task, BIDE_REDIS_ARRAY);
    if (!reply)
        return &nothing;
    if (count == 0 || !self->answer->arena)
        return reply;
    reply->items = bide_arena_alloc_zero(self->answer->arena, (size_t)count, sizeof *reply->items);
    if (!reply->items)
        return out_of_room(task);
    reply->count = (size_t)count;
    return reply;
}

static void *make_integer(const redisReadTask *task, long long value)
{
    bide_redis_reply *reply = place(task, BIDE_REDIS_INTEGER);
    if (!reply)
        return &nothing;
    reply->integer = value;
    return reply;
}

static void *make_nil(const redisReadTask *task)
{
    bide_redis_reply *reply = place(task, BIDE_REDIS_NIL);
    return reply ? (void *)reply : &nothing;
}

static void forget(void *reply)
{
    (void)reply;
}

static redisReplyObjectFunctions functions = {
    .createString = make_text,
    .createArray = make_array,
    .createInteger = make_integer,
    .createNil = make_nil,
    .freeObject = forget,
};

struct bide__redis_reader *bide__redis_reader_new(size_t reply_bytes)
{
    struct bide__redis_reader *self = bide__calloc(1, sizeof *self);
    if (!self)
        return NULL;
    self->reader = redisReaderCreateWithFunctions(&functions);
    if (!self->reader) {
        bide__free(self);
        return NULL;
    }
    self->reader->privdata = self;
    self->reader->maxbuf = BIDE_CAP_REDIS_IDLE_BYTES;
    self->reply_bytes = reply_bytes;
    return self;
}

void bide__redis_reader_free(struct bide__redis_reader *self)
{
    if (!self)
        return;
    redisReaderFree(self->reader);
    bide__free(self);
}

int bide__redis_reader_feed(struct bide__redis_reader *self, const char *data, size_t size)
{
    if (self->reader->len - self->reader->pos + size > self->reply_bytes) {
        snprintf(self->reader->errstr, sizeof self->reader->errstr,
                 "a reply of more than %zu bytes", self->reply_bytes);
        return -EMSGSIZE;
    }
    self->unfinished = true;
    if (redisReaderFeed(self->reader, data, size) == REDIS_OK)
        return 0;
    return self->reader->err == REDIS_ERR_OOM ? -ENOMEM : -EPROTO;
}

int bide__redis_reader_next(struct bide__redis_reader *self, struct bide__redis_answer *answer)
{
    void *reply = NULL;
    /* An answer without room gets no more of this reply. */
    self->answer = answer && answer->code == 0 ? answer : NULL;
    int code = redisReaderGetReply(self->reader, &reply);
    self->answer = NULL;
    if (reply)
        self->unfinished = self->reader->len > self->reader->pos;
    return code != REDIS_OK ? -EPROTO : reply ? 1 : 0;
}

bool bide__redis_reader_holds(const struct bide__redis_reader *self)
{
    return self->unfinished;
}

const char *bide__redis_reader_problem(const struct bide__redis_reader *self)
{
    return self->reader->errstr[0] ? self->reader->errstr : "malformed";
}

#else

const char *bide__redis_missing(void)
{
    return "this bide was built without hiredis: install libhiredis-dev or hiredis-devel "
           "(./dev deps more) and build again";
}

struct bide__redis_reader *bide__redis_reader_new(size_t reply_bytes)
{
    (void)reply_bytes;
    return NULL;
}

void bide__redis_reader_free(struct bide__redis_reader *self)
{
    (void)self;
}

int bide__redis_reader_feed(struct bide__redis_reader *self, const char *data, size_t size)
{
    (void)self, (void)data, (void)size;
    return -ENOSYS;
}

int bide__redis_reader_next(struct bide__redis_reader *self, struct bide__redis_answer *answer)
{
    (void)self, (void)answer;
    return -ENOSYS;
}

bool bide__redis_reader_holds(const struct bide__redis_reader *self)
{
    (void)self;
    return false;
}

const char *bide__redis_reader_problem(const struct bide__redis_reader *self)
{
    (void)self;
    return bide__redis_missing();
}

#endif
