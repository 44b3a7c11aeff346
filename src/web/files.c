/*
 * bide_app_files: the pages that answer with files. Called by the dispatch; calls folder.c on the
 * blocking lane, content.c, file_cache.c, media_type.c.
 *
 * Source: RFC 9110 8.8, 13; RFC 9111 5.2.2; RFC 8246 (immutable).
 */
#include "web/files.h"

#include "base/caps.h"
#include "http/accept.h"
#include "http/date.h"
#include "http/fields.h"
#include "http/url.h"
#include "web/content.h"
#include "web/file_cache.h"
#include "web/media_type.h"
#include "web/reply.h"

#include <bide/log.h>
#include <bide/offload.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* One request on its way to a file. */
struct serving {
    bide_request *req;
    const struct bide__files *files;
    struct bide__file_key key;
    const char *type;
    bool is_page; /* asked for each time, whatever max_age_s says */
    struct bide__http_condition condition;
};

/* ---- the path ---- */

/* A segment as a name, decoded, with a NUL: nothing hidden, nothing that leads elsewhere. */
static bool put_name(struct bide__slice segment, char *out)
{
    size_t length;
    if (bide__url_decode(segment, BIDE__URL_PLUS, out, &length) < 0)
        return false;
    out[length] = 0;
    return length > 0 && out[0] != '.' && !memchr(out, '/', length);
}

/* The path below the folder, from what the pattern's last parameter took. */
static bool put_path(const struct bide__files *files, struct bide__slice rest, char *out)
{
    const char *start = out, *index = files->options.index;
    bool is_folder = rest.length == 0 || rest.bytes[rest.length - 1] == '/';
    struct bide__slice segment;
    if (rest.length + (index ? strlen(index) : 0) + 2 > BIDE_CAP_FILE_PATH_BYTES)
        return false;
    while (bide__slice_split(&rest, '/', &segment)) {
        if (out != start)
            *out++ = '/';
        if (!put_name(segment, out))
            return false;
        out += strlen(out);
    }
    if (is_folder && index) {
        if (out != start)
            *out++ = '/';
        memcpy(out, index, strlen(index) + 1);
    }
    return !is_folder || index;
}

/* The last part of the path as sent. */
static struct bide__slice last_part(const bide_request *req)
{
    const char *slash = memrchr(req->path.bytes, '/', req->path.length);
    return bide__slice_from(req->path, slash ? (size_t)(slash - req->path.bytes) + 1 : 0);
}

/* ---- the reply ---- */

/* A folder without its slash: relative to what the peer asked for, so that neither a proxy's prefix
   nor a path like "//elsewhere" leads astray. */
static void redirect_to_folder(bide_request *req)
{
    struct bide__slice last = last_part(req);
    const char *to = bide_arena_printf(bide_arena_of(req), "./%.*s/%s%.*s", (int)last.length,
                                       last.bytes, req->query.length > 0 ? "?" : "",
                                       (int)req->query.length, req->query.bytes);
    if (!to)
        bide__fail(bide__current->at, bide_error_new(BIDE_NO_MEMORY, "no memory for a redirect"));
    bide__web_reply(req, 307, NULL, "", 0);
    bide_set_header(req, "Location", to);
}

static void add_fields(const struct serving *serving, const struct bide__file_stamp *stamp,
                       bool zipped)
{
    bide_request *req = serving->req;
    const struct bide_files *options = &serving->files->options;
    char tag[BIDE__FILE_TAG_BYTES], date[BIDE__HTTP_DATE_BYTES], keep[64] = "no-cache";
    bide__file_tag(stamp, tag);
    bide__http_date_format(stamp->modified_ns / 1000000000, date);
    if (options->max_age_s > 0 && !serving->is_page)
        snprintf(keep, sizeof keep, "public, max-age=%d%s", options->max_age_s,
                 options->immutable ? ", immutable" : "");
    if (req->status != 304)
        bide_set_header(req, "Accept-Ranges", "bytes");
    bide_set_header(req, "ETag", tag);
    bide_set_header(req, "Last-Modified", date);
    bide_set_header(req, "Cache-Control", keep);
    bide_set_header(req, "X-Content-Type-Options", "nosniff");
    if (bide__media_compressible(serving->type))
        bide__web_vary(req, "Accept-Encoding");
    if (zipped)
        bide_set_header(req, "Content-Encoding", "gzip");
}

/* The reply is made, but for what it says of the file. */
static void finish(const struct serving *serving, const struct bide__file_stamp *stamp, bool zipped)
{
    if (serving->req->failure.status == 0) /* 412, 416 */
        add_fields(serving, stamp, zipped && serving->req->status != 304);
}

static int reply_kept(const struct serving *serving, const struct bide__cached_file *file)
{
    bide_request *req = serving->req;
    char tag[BIDE__FILE_TAG_BYTES];
    bide__file_tag(&file->stamp, tag);
    int precondition = bide__http_precondition(
        &serving->condition, tag, file->stamp.modified_ns / 1000000000, bide_now_us() / 1000000);
    if (precondition) {
        bide__content_refuse(req, precondition);
    } else if (!bide__content_ranges(req, &file->stamp, serving->type, &serving->condition,
                                     file->content)) {
        bide_buf *buf = bide__web_buf(req);
        if (!buf || bide_buf_append(buf, file->content, file->size) < 0)
            return -ENOMEM;
        bide__web_reply(req, 200, serving->type, bide_buf_str(buf), file->size);
    }
    finish(serving, &file->stamp, file->zipped);
    return 0;
}

/* What was read, which is kept for the next. */
static int reply_read(const struct serving *serving, struct bide__file_reading *reading)
{
    bide_request *req = serving->req;
    struct bide__file_cache *cache = req->server->files;
    const struct bide__cached_file file = {.stamp = reading->stamp,
                                           .zipped = reading->zipped,
                                           .checked_ns = bide_clock_ns(),
                                           .size = bide_buf_length(&reading->out)};
    const char *content = bide_buf_str(&reading->out);
    if (cache)
        bide__file_cache_put(cache, &serving->key, &file, content);
    if (!bide__content_ranges(req, &reading->stamp, serving->type, &serving->condition, content)) {
        bide__web_reply(req, 200, serving->type, "", 0);
        if (!bide__web_swap_body(req, &reading->out))
            return -ENOMEM;
    }
    finish(serving, &reading->stamp, reading->zipped);
    return 0;
}

/* ---- reading ---- */

OFFLOADABLE(int, bide__file_read, struct bide__file_reading *)

static void end_reading(void *arg)
{
    struct bide__file_reading *reading = arg;
    bide_buf_done(&reading->out);
    if (reading->fd >= 0)
        close(reading->fd);
}

/* Reads, or finds that what is kept is still so. 0, 1: what was kept is gone meanwhile, or the
   codes of bide__file_read. */
static int read_and_reply(const struct serving *serving,
                          const struct bide__file_stamp *known) BIDE__TASK;
static int read_and_reply(const struct serving *serving, const struct bide__file_stamp *known)
{
    bide_request *req = serving->req;
    struct bide__file_reading reading = {.folder = serving->files->folder,
                                         .path = serving->key.path,
                                         .gzip = serving->key.gzip,
                                         .condition = &serving->condition,
                                         .known = known,
                                         .fd = -1,
                                         .now_s = bide_now_us() / 1000000};
    bide_buf_init(&reading.out, BIDE_CAP_FILE_BYTES);
    bide_defer(end_reading, &reading);
    int result = bide_await(bide_offload(BIDE_BLOCKING, bide__file_read, &reading));
    if (result < 0)
        return result;
    if (reading.is_folder) {
        if (!serving->files->options.index)
            return -ENOENT;
        redirect_to_folder(req);
    } else if (reading.is_known) {
        struct bide__cached_file *kept = bide__file_cache_find(req->server->files, &serving->key);
        if (!kept || !bide__file_stamp_equal(&kept->stamp, &reading.stamp))
            return 1;
        kept->checked_ns = bide_clock_ns();
        return reply_kept(serving, kept);
    } else if (reading.precondition) {
        bide__content_refuse(req, reading.precondition);
        finish(serving, &reading.stamp, false);
    } else if (reading.fd >= 0) {
        int fd = reading.fd;
        reading.fd = -1;
        bide__content_file(req, &reading.stamp, serving->type, &serving->condition, fd);
        finish(serving, &reading.stamp, reading.zipped);
    } else {
        return reply_read(serving, &reading);
    }
    return 0;
}

/* Answers with the file of this path. 0, or what bide__file_read gives; then there is no reply. */
static int serve_file(bide_request *req, const struct bide__files *files, const char *path,
                      bool is_page) BIDE__TASK;
static int serve_file(bide_request *req, const struct bide__files *files, const char *path,
                      bool is_page)
{
    struct serving serving = {.req = req, .files = files, .type = bide__media_type(path)};
    bool gzip = bide__media_compressible(serving.type) &&
                bide__http_takes_gzip(bide__web_header(req, "accept-encoding"));
    serving.key = (struct bide__file_key){files, path, gzip};
    serving.is_page = is_page || strncmp(serving.type, "text/html", 9) == 0;
    serving.condition = bide__content_condition(req);
    if (!req->server->files)
        req->server->files = bide__file_cache_new();
    struct bide__cached_file *kept =
        req->server->files ? bide__file_cache_find(req->server->files, &serving.key) : NULL;
    int64_t fresh_ns = (int64_t)BIDE_CAP_FILE_FRESH_MS * 1000000;
    if (kept && bide_clock_ns() - kept->checked_ns < fresh_ns)
        return reply_kept(&serving, kept);
    struct bide__file_stamp known;
    if (kept)
        known = kept->stamp;
    int result = read_and_reply(&serving, kept ? &known : NULL);
    return result == 1 ? read_and_reply(&serving, NULL) : result;
}

/* A browser that goes to a page, not a program or a page that asks for one of its parts. */
static bool wants_page(const bide_request *req)
{
    struct bide__slice last = last_part(req);
    return !(last.length > 0 && memchr(last.bytes, '.', last.length)) &&
           bide__http_prefers_page(bide__web_header(req, "accept"));
}

static void serve_below(bide_request *req) BIDE__UNCHECKED;
static void serve_below(bide_request *req)
{
    const struct bide__files *files = req->plan->builtin->arg;
    char path[BIDE_CAP_FILE_PATH_BYTES];
    int result = -ENOENT;
    const char *at = path;
    if (put_path(files, req->match->parameters[0], path))
        result = serve_file(req, files, path, false);
    if (result == -ENOENT && files->options.fallback && wants_page(req))
        result = serve_file(req, files, at = files->options.fallback, true);
    if (result == -ENOENT)
        bide__web_refuse(req, 404, "Not Found");
    else if (result < 0)
        bide__fail(bide__current->at,
                   bide_error_new(result == -ENOMEM ? BIDE_NO_MEMORY : BIDE_SYSTEM,
                                  "the file '%s/%s' cannot be read: %s", files->options.folder, at,
                                  strerror(-result)));
}

/* ---- the start and the end ---- */

void bide__app_files(bide_app *app, const struct bide_files *options)
{
    struct bide__files *files = bide__app_piece(app, sizeof *files);
    if (!files)
        return;
    files->options = *options;
    const char **const texts[] = {&files->options.prefix, &files->options.folder,
                                  &files->options.index, &files->options.fallback};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        if (*texts[i] && !(*texts[i] = bide_arena_strdup(&app->arena, *texts[i])))
            app->problem = "out of memory";
    files->folder = -1;
    files->next = app->files;
    app->files = files;
}

static void end_files(void *arg)
{
    struct bide__files *files = arg;
    close(files->folder);
}

static int refuse(bide_app *app, const struct bide__files *files, const char *what, int error)
{
    return bide__app_problem(app, "the folder '%s' for '%s' at %s:%d: %s: %s",
                             files->options.folder, files->options.prefix, files->options.file,
                             files->options.line, what, strerror(error));
}

int bide__files_prepare(bide_app *app, struct bide__files *files)
{
    const struct bide_files *options = &files->options;
    const char *below = bide_arena_printf(&app->arena, "%s/{path:path}", options->prefix);
    files->folder = bide__folder_open(options->folder);
    if (files->folder < 0)
        return refuse(app, files, "cannot be opened", -files->folder);
    if (!below || bide_arena_on_reset(&app->arena, end_files, files) < 0) {
        close(files->folder);
        return bide__app_problem(app, "out of memory");
    }
    if (options->fallback && faccessat(files->folder, options->fallback, R_OK, 0) < 0)
        return refuse(app, files, options->fallback, errno);
    files->below = (struct bide__builtin){below, serve_below, files, options->file, options->line};
    files->itself = (struct bide__builtin){options->prefix, redirect_to_folder, files,
                                           options->file, options->line};
    int result = bide__plan_builtin(app, &files->below);
    if (result == 0 && options->index && options->prefix[0])
        result = bide__plan_builtin(app, &files->itself);
    return result;
}
