/*
 * bide_gzip: replies compressed with zlib, small ones on the loop, large ones on the CPU lane.
 * Called through bide_proceed, and by file_reply.c and etag.c for replies in place of compressed
 * ones; calls zlib(3), offload.
 *
 * A compressor takes 256 KiB and is set back rather than made anew: each middleware keeps some,
 * behind a lock, because a task may compress on any loop and on any thread of the lane.
 *
 * Source: RFC 9110 8.4, 8.8.3, 12.5; RFC 1952.
 */
#include "web/middleware.h"

#if BIDE_ZLIB

#include "base/caps.h"
#include "base/mem.h"
#include "http/accept.h"
#include "http/status.h"
#include "web/media_type.h"
#include "web/reply.h"

#include <bide/offload.h>
#include <errno.h>
#include <pthread.h>
#include <zlib.h>

struct compressor {
    struct compressor *next;
    z_stream stream;
};

/* What bide_gzip runs with. */
struct gzip {
    int level;
    size_t least_bytes;
    pthread_mutex_t lock;
    struct compressor *kept; /* `kept_count` of them */
    unsigned kept_count;
};

/* One body on its way. */
struct job {
    struct gzip *gzip;
    const char *body;
    size_t size;
    bide_buf out;
};

/* ---- whether ---- */

/* Whether a whole body of this type and size is one to compress. */
static bool is_worth_it(const struct gzip *gzip, const bide_request *req, const char *type,
                        uint64_t size)
{
    return size >= gzip->least_bytes && type && bide__media_compressible(type) &&
           !bide__web_field(req, "Content-Encoding") &&
           !bide__web_field_lists(req, "Cache-Control", "no-transform");
}

static bool may_compress(const struct gzip *gzip, const bide_request *req)
{
    return !req->source && req->status >= 200 && req->status != 206 &&
           !bide__http_bodiless(req->status) &&
           is_worth_it(gzip, req, req->content_type, req->body_size);
}

void bide__gzip_vary(bide_request *req, const char *type, uint64_t size)
{
    const struct bide__middleware *use = bide_app_of(req)->middleware;
    while (use && use->fn != bide_gzip)
        use = use->next;
    if (use && is_worth_it(use->arg, req, type, size))
        bide__web_vary(req, "Accept-Encoding");
}

/* ---- compressing ---- */

static void *allocate(void *unused, unsigned count, unsigned size)
{
    (void)unused;
    return bide__calloc(count, size);
}

static void release(void *unused, void *memory)
{
    (void)unused;
    bide__free(memory);
}

static struct compressor *take(struct gzip *gzip)
{
    pthread_mutex_lock(&gzip->lock);
    struct compressor *one = gzip->kept;
    if (one) {
        gzip->kept = one->next;
        gzip->kept_count--;
    }
    pthread_mutex_unlock(&gzip->lock);
    if (one || !(one = bide__calloc(1, sizeof *one)))
        return one;
    one->stream.zalloc = allocate;
    one->stream.zfree = release;
    /* 15: the largest window; 16: with a gzip head; 8: zlib's own choice of memory */
    if (deflateInit2(&one->stream, gzip->level, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) == Z_OK)
        return one;
    bide__free(one);
    return NULL;
}

static void drop(struct compressor *one)
{
    deflateEnd(&one->stream);
    bide__free(one);
}

static void give_back(struct gzip *gzip, struct compressor *one)
{
    bool usable = deflateReset(&one->stream) == Z_OK;
    pthread_mutex_lock(&gzip->lock);
    bool kept = usable && gzip->kept_count < BIDE_CAP_GZIP_KEPT;
    if (kept) {
        one->next = gzip->kept;
        gzip->kept = one;
        gzip->kept_count++;
    }
    pthread_mutex_unlock(&gzip->lock);
    if (!kept)
        drop(one);
}

/* Whether `out` is the body, compressed, and smaller. On any thread. */
static bool compress_body(struct job *job);
OFFLOADABLE(bool, compress_body, struct job *)
static bool compress_body(struct job *job)
{
    size_t room = job->size - 1;
    char *out = bide_buf_reserve(&job->out, room);
    struct compressor *one = out ? take(job->gzip) : NULL;
    if (!one)
        return false;
    one->stream.next_in = (unsigned char *)(uintptr_t)job->body;
    one->stream.avail_in = (unsigned)job->size;
    one->stream.next_out = (unsigned char *)out;
    one->stream.avail_out = (unsigned)room;
    bool done = deflate(&one->stream, Z_FINISH) == Z_STREAM_END;
    bide_buf_commit(&job->out, room - one->stream.avail_out);
    give_back(job->gzip, one);
    return done;
}

static void end_job(void *arg)
{
    struct job *job = arg;
    bide_buf_done(&job->out);
}

/* Bytes that are not the same have not the same strong tag. */
static void weaken_tag(bide_request *req)
{
    struct bide__web_field *tag = bide__web_field(req, "ETag");
    if (!tag || tag->value[0] != '"')
        return;
    const char *weak = bide_arena_printf(bide_arena_of(req), "W/%s", tag->value);
    if (!weak)
        bide__fail(bide__current->at, bide_error_new(BIDE_NO_MEMORY, "no memory for a reply"));
    tag->value = weak;
}

bide_async(void) bide_gzip(bide_request *req, bide_next *next, const void *arg)
{
    struct gzip *gzip = (struct gzip *)(uintptr_t)arg;
    bide_await(bide_proceed(next));
    if (!may_compress(gzip, req))
        return bide_void;
    bide__web_vary(req, "Accept-Encoding");
    if (!bide__http_takes_gzip(bide__web_header(req, "accept-encoding")))
        return bide_void;
    struct job job = {.gzip = gzip, .body = req->body, .size = req->body_size};
    bide_buf_init(&job.out, BIDE_CAP_WEB_RESPONSE_BYTES);
    bide_defer(end_job, &job);
    bool smaller = job.size <= BIDE_CAP_GZIP_INLINE_BYTES
                       ? compress_body(&job)
                       : bide_await(bide_offload(BIDE_CPU, compress_body, &job));
    if (smaller && bide__web_swap_body(req, &job.out)) {
        bide_set_header(req, "Content-Encoding", "gzip");
        weaken_tag(req);
        struct bide__web_field *ranges = bide__web_field(req, "Accept-Ranges");
        if (ranges) /* of the other bytes */
            ranges->value = "none";
    }
    return bide_void;
}

/* ---- the start and the end ---- */

static void end_gzip(void *arg)
{
    struct gzip *gzip = arg;
    while (gzip->kept) {
        struct compressor *one = gzip->kept;
        gzip->kept = one->next;
        drop(one);
    }
    pthread_mutex_destroy(&gzip->lock);
}

int bide__gzip_prepare(bide_app *app, struct bide__middleware *middleware)
{
    static const bide_gzip_options defaults;
    const bide_gzip_options *options = middleware->arg ? middleware->arg : &defaults;
    if (options->level < 0 || options->level > 9)
        return bide__app_problem(app, "bide_gzip: the level %d is not from 1 to 9", options->level);
    struct gzip *gzip = bide_arena_alloc_zero(&app->arena, 1, sizeof *gzip);
    if (!gzip || bide_arena_on_reset(&app->arena, end_gzip, gzip) < 0)
        return bide__app_problem(app, "out of memory");
    gzip->level = options->level ? options->level : 6;
    gzip->least_bytes = options->least_bytes ? options->least_bytes : 500;
    pthread_mutex_init(&gzip->lock, NULL);
    middleware->arg = gzip;
    return 0;
}

#else

void bide__gzip_vary(bide_request *req, const char *type, uint64_t size)
{
    (void)req;
    (void)type;
    (void)size;
}

bide_async(void) bide_gzip(bide_request *req, bide_next *next, const void *arg)
{
    (void)req;
    (void)arg;
    bide_await(bide_proceed(next));
    return bide_void;
}

int bide__gzip_prepare(bide_app *app, struct bide__middleware *middleware)
{
    (void)middleware;
    return bide__app_problem(app, "bide_gzip: this bide was built without zlib: install "
                                  "zlib1g-dev or zlib-devel (./dev deps more) and build again");
}

#endif
