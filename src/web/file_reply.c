/*
 * Files that handlers return. Called by render.c; calls folder.c on the blocking lane, content.c.
 *
 * Source: RFC 6266 (Content-Disposition), RFC 8187 (its names in UTF-8), RFC 9110 8.8, 14.
 */
#include "web/content.h"

#include "base/caps.h"
#include "base/utf8.h"
#include "core/error.h"
#include "http/date.h"
#include "web/media_type.h"
#include "web/middleware.h"
#include "web/reply.h"

#include <bide/offload.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

/* On the lane. A folder that is not there is no question of the peer's. */
static int read_file(struct bide__file_reading *reading, const char *below);
OFFLOADABLE(int, read_file, struct bide__file_reading *, const char *)
static int read_file(struct bide__file_reading *reading, const char *below)
{
    if (below)
        reading->folder = bide__folder_open(below);
    if (below && reading->folder < 0)
        return reading->folder == -ENOENT ? -ENOTDIR : reading->folder;
    return bide__file_read(reading);
}

static void end_reading(void *arg)
{
    struct bide__file_reading *reading = arg;
    bide_buf_done(&reading->out);
    if (reading->fd >= 0)
        close(reading->fd);
    if (reading->folder >= 0)
        close(reading->folder);
}

static __attribute__((noreturn, cold)) void raise_file(const bide_sent_file *file, int error)
{
    bide__fail(bide__current->at,
               bide_error_new(error == -ENOMEM ? BIDE_NO_MEMORY : BIDE_SYSTEM,
                              "the file '%s%s%s' cannot be read: %s",
                              file->below ? file->below : "", file->below ? "/" : "", file->path,
                              strerror(-error)));
}

/* ---- its name ---- */

/* What a browser would take for a folder, or for the end of the name. */
static bool is_unsafe(unsigned char c)
{
    return c < ' ' || c == 0x7f || c == '/' || c == '\\' || c == '"';
}

/* `attachment; filename="plain"`, and `; filename*=UTF-8''...` for a name that is not plain. */
static void add_disposition(bide_request *req, const bide_sent_file *file)
{
    bide_arena *arena = bide_arena_of(req);
    char *safe = bide_arena_strdup(arena, file->name);
    char *plain = bide_arena_strdup(arena, file->name);
    bool is_plain = true;
    for (size_t i = 0; safe && plain && safe[i]; i++) {
        if (is_unsafe((unsigned char)safe[i]))
            safe[i] = plain[i] = '_';
        if ((unsigned char)plain[i] >= 0x80 || plain[i] == '%') {
            plain[i] = '_';
            is_plain = false;
        }
    }
    bool is_text = safe && bide__utf8_prefix(safe, strlen(safe)) == strlen(safe);
    const char *long_name = safe && is_text && !is_plain ? bide_url_escape(arena, safe) : NULL;
    const char *value = bide_arena_printf(
        arena, "%s; filename=\"%s\"%s%s", file->shown ? "inline" : "attachment", plain ? plain : "",
        long_name ? "; filename*=UTF-8''" : "", long_name ? long_name : "");
    if (!safe || !plain || !value)
        raise_file(file, -ENOMEM);
    bide__web_field_default(req, "Content-Disposition", value);
}

/* ---- the reply ---- */

static void add_fields(bide_request *req, const bide_sent_file *file, const char *type,
                       const struct bide__file_stamp *stamp)
{
    char tag[BIDE__FILE_TAG_BYTES], date[BIDE__HTTP_DATE_BYTES];
    bide__file_tag(stamp, tag);
    bide__http_date_format(stamp->modified_ns / 1000000000, date);
    bide__web_field_default(req, "ETag", tag);
    bide__web_field_default(req, "Last-Modified", date);
    if (stamp->size <= BIDE_CAP_FILE_BYTES) /* a larger one is sent from where it is */
        bide__gzip_vary(req, type, stamp->size);
    if (req->status == 304)
        return;
    bide__web_field_default(req, "Accept-Ranges", "bytes");
    bide__web_field_default(req, "X-Content-Type-Options", "nosniff");
    if (file->name)
        add_disposition(req, file);
}

static const char *type_of(bide_request *req, const bide_sent_file *file)
{
    const char *type = req->own_type ? req->own_type : file->content_type;
    req->own_type = NULL; /* that of ranges is another */
    if (!type)
        return bide__media_type(file->name ? file->name : file->path);
    type = bide_arena_strdup(bide_arena_of(req), type);
    if (!type)
        raise_file(file, -ENOMEM);
    return type;
}

static void reply_read(bide_request *req, const bide_sent_file *file,
                       struct bide__file_reading *reading)
{
    const char *type = type_of(req, file);
    if (reading->precondition) {
        bide__content_refuse(req, reading->precondition);
    } else if (reading->fd >= 0) {
        int fd = reading->fd;
        reading->fd = -1;
        bide__content_file(req, &reading->stamp, type, reading->condition, fd);
    } else if (!bide__content_ranges(req, &reading->stamp, type, reading->condition,
                                     bide_buf_str(&reading->out))) {
        bide__web_reply(req, 200, type, "", 0);
        if (!bide__web_swap_body(req, &reading->out))
            raise_file(file, -ENOMEM);
    }
    if (req->failure.status == 0)
        add_fields(req, file, type, &reading->stamp);
}

/* Conditions are about what the reply will say, which may be the handler's. */
static struct bide__http_condition condition_of(const bide_request *req, int64_t now_s)
{
    struct bide__http_condition condition = bide__content_condition(req);
    const struct bide__web_field *tag = bide__web_field(req, "ETag");
    const struct bide__web_field *date = bide__web_field(req, "Last-Modified");
    condition.own_tag = tag ? tag->value : NULL;
    condition.is_own_time = date && bide__http_date_parse(bide__slice_of(date->value), now_s,
                                                          &condition.own_modified_s) == 0;
    return condition;
}

void bide__web_reply_file(bide_request *req, const bide_sent_file *file)
{
    const int64_t now_s = bide_now_us() / 1000000;
    const struct bide__http_condition condition = condition_of(req, now_s);
    struct bide__file_reading reading = {
        .folder = -1, .path = file->path, .condition = &condition, .fd = -1, .now_s = now_s};
    int result = -ENOENT;
    bide_buf_init(&reading.out, BIDE_CAP_FILE_BYTES);
    bide_defer(end_reading, &reading);
    if (file->path)
        result = bide_await(bide_offload(BIDE_BLOCKING, read_file, &reading, file->below));
    if (result == -ENOENT || (result == 0 && reading.is_folder)) {
        bide__web_clear(req);
        bide__web_refuse(req, 404, "Not Found");
    } else if (result < 0) {
        raise_file(file, result);
    } else {
        reply_read(req, file, &reading);
    }
}
