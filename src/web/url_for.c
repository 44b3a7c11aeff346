/*
 * From a route and values to its URL. Called by users through url_for.h; calls the writers of
 * values, url.c, and what links in templates share with it (template/escape.c).
 */
#include "web/web.h"

#include "http/url.h"
#include "model/model.h"
#include "template/escape.h"

#include <bide/middleware.h>
#include <errno.h>
#include <string.h>

static __attribute__((noreturn, cold)) void refuse(int code, const char *name, const char *why)
{
    bide__fail(bide__current->at, bide_error_new(code, "url_for(%s): %s", name, why));
}

/* ---- values ---- */

/* A value as the text that a request would bring: of JSON without its quotes. 0, the buffer's
   error, -ERANGE. */
static int put_text(bide_buf *text, enum bide_kind kind, const bide_type *type, const void *value)
{
    bide_buf_reset(text);
    if (kind == BIDE_KIND_STR)
        return bide_buf_append_str(text, *(const char *const *)value);
    return bide__json_write_value(text, kind, type, value);
}

static struct bide__slice text_of(const bide_buf *text, enum bide_kind kind)
{
    struct bide__slice slice = bide__slice(bide_buf_str(text), bide_buf_length(text));
    if (kind != BIDE_KIND_STR && slice.length >= 2 && slice.bytes[0] == '"')
        slice = bide__slice(slice.bytes + 1, slice.length - 2);
    return slice;
}

static void put_encoded(bide_buf *url, struct bide__slice text)
{
    char *room = bide_buf_reserve(url, 3 * text.length);
    if (room)
        bide_buf_commit(url, bide__url_encode(text, BIDE__URL_PLUS, room));
}

/* What is left of a path: its slashes stay, but one that would make a host of what follows. */
static void put_rest(bide_buf *url, struct bide__slice rest)
{
    bool is_root = bide_buf_length(url) == 1;
    while (rest.length > 0) {
        const char *slash = memchr(rest.bytes, '/', rest.length);
        size_t length = slash ? (size_t)(slash - rest.bytes) : rest.length;
        put_encoded(url, bide__slice(rest.bytes, length));
        if (slash)
            bide_buf_append_str(url, is_root && length == 0 ? "%2F" : "/");
        is_root = false;
        rest = bide__slice_from(rest, length + (slash != NULL));
    }
}

/* ---- a URL ---- */

/* One that is being made. */
struct making {
    const struct bide__linked *to;
    const char *values;
    bide_buf url, text;
    bool has_query;
};

static void making_done(struct making *making)
{
    bide_buf_done(&making->url);
    bide_buf_done(&making->text);
}

/* The buffers' errors and those of values. */
static void check(struct making *making, int result)
{
    if (result == -ERANGE)
        refuse(BIDE_INVALID, making->to->name, "a value that cannot be written");
    if (result == 0)
        result = bide_buf_error(&making->url);
    if (result == -ENOMEM)
        refuse(BIDE_NO_MEMORY, making->to->name, "no memory");
    if (result < 0)
        refuse(BIDE_LIMIT, making->to->name, "the URL is too long");
}

static const struct bide__link_member *member_of(const struct bide__linked *to, const char *name,
                                                 size_t length, bool is_path)
{
    for (size_t i = 0; i < to->count; i++) {
        const struct bide__link_member *member = &to->members[i];
        if (member->is_path == is_path && strlen(member->name) == length &&
            memcmp(member->name, name, length) == 0)
            return member;
    }
    return NULL;
}

static void put_parameter(struct making *making, const struct bide__link_part *part)
{
    const struct bide__link_member *member =
        part->field ? member_of(making->to, part->field->name, strlen(part->field->name), true)
                    : NULL;
    if (!member)
        refuse(BIDE_MISUSE, making->to->name,
               "another function than the handler takes a part of the path: declare a LINK");
    const void *value = making->values + member->offset;
    if (member->kind == BIDE_KIND_STR && !*(const char *const *)value)
        refuse(BIDE_INVALID, making->to->name, "a value of the path is NULL");
    check(making, put_text(&making->text, member->kind, member->type(), value));
    struct bide__slice text = text_of(&making->text, member->kind);
    if (!bide__url_part_fits(text, part->is_rest))
        refuse(BIDE_INVALID, making->to->name,
               "a value of the path is empty, '.' or '..': no path can have it");
    if (part->is_rest)
        put_rest(&making->url, text);
    else
        put_encoded(&making->url, text);
}

static void put_pair(struct making *making, const char *name, enum bide_kind kind,
                     const bide_type *type, const void *value)
{
    if (kind == BIDE_KIND_STR && !*(const char *const *)value)
        return;
    check(making, put_text(&making->text, kind, type, value));
    bide_buf_append_char(&making->url, making->has_query ? '&' : '?');
    put_encoded(&making->url, bide__slice_of(name));
    bide_buf_append_char(&making->url, '=');
    put_encoded(&making->url, text_of(&making->text, kind));
    making->has_query = true;
}

static void put_query(struct making *making, const char *name,
                      const struct bide__link_member *member)
{
    const void *value = making->values + member->offset;
    const bide_type *type = member->type();
    if (member->kind != BIDE_KIND_LIST) {
        put_pair(making, name, member->kind, type, value);
        return;
    }
    const struct bide__any_list *list = value;
    for (size_t i = 0; i < list->count; i++)
        put_pair(making, name, type->kind, type, (const char *)list->items + i * type->size);
}

/* `given` are the arguments as they were written: ".name = value" are the query's. */
static void put_queries(struct making *making, const struct bide__link *link,
                        const char *const *given)
{
    for (; *given; given++) {
        if (**given != '.')
            continue;
        const char *name = *given + 1 + strspn(*given + 1, " ");
        const struct bide__link_member *member =
            member_of(making->to, name, strcspn(name, " ="), false);
        for (unsigned i = 0; member && i < link->query_count; i++)
            if (strcmp(link->queries[i]->name, member->name) == 0)
                put_query(making, link->queries[i]->json_name, member);
    }
}

static const struct bide__link *link_of(const bide_app *app, const struct bide__linked *to)
{
    for (size_t i = 0; app && i < app->links.count; i++)
        if (app->linked[i] == to->route)
            return &app->links.all[i];
    refuse(BIDE_MISUSE, to->name, "the application has no such route, or was not checked yet");
}

static const char *make(bide_app *app, bide_arena *arena, const struct bide__linked *to,
                        const void *values, const char *const *given)
{
    const struct bide__link *link = link_of(app, to);
    struct making making __attribute__((cleanup(making_done))) = {.to = to, .values = values};
    bide_buf_init(&making.url, BIDE_CAP_WEB_URL_BYTES);
    bide_buf_init(&making.text, BIDE_CAP_WEB_URL_BYTES);
    bide_buf_append_str(&making.url, app->links.root);
    for (unsigned i = 0; i < link->part_count; i++) {
        const struct bide__link_part *part = &link->parts[i];
        if (part->is_parameter)
            put_parameter(&making, part);
        else
            bide_buf_append(&making.url, part->text.bytes, part->text.length);
    }
    put_queries(&making, link, given);
    check(&making, 0);
    const char *url = bide_arena_strdup(arena, bide_buf_str(&making.url));
    if (!url)
        refuse(BIDE_NO_MEMORY, to->name, "no memory");
    return url;
}

const char *bide__url_for_app(bide_app *app, const struct bide__linked *to, const void *values,
                              const char *const *given)
{
    bide_arena *arena = bide_task_arena();
    if (!arena)
        refuse(BIDE_NO_MEMORY, to->name, "no memory");
    return make(app, arena, to, values, given);
}

const char *bide__url_for_request(bide_request *req, const struct bide__linked *to,
                                  const void *values, const char *const *given)
{
    return make(bide_app_of(req), bide_arena_of(req), to, values, given);
}

/* ---- absolute ones ---- */

static const char *join(bide_arena *arena, bide_text scheme, bide_text host, const char *url)
{
    const char *whole = arena ? bide_arena_printf(arena, "%.*s://%.*s%s", (int)scheme.length,
                                                  scheme.at, (int)host.length, host.at, url)
                              : NULL;
    if (!whole)
        bide__fail(bide__current->at, bide_error_new(BIDE_NO_MEMORY, "no memory for a URL"));
    return whole;
}

/* Behind the public URL of the application; NULL: it has none. */
static const char *behind_origin(const bide_app *app, bide_arena *arena, const char *url)
{
    const char *origin = app->links.origin;
    if (!origin)
        return NULL;
    const char *host = strstr(origin, "://") + 3;
    return join(arena, (bide_text){origin, (size_t)(host - origin) - 3},
                (bide_text){host, strlen(host)}, url);
}

const char *bide__absolute_url_of_app(bide_app *app, const char *url)
{
    const char *whole = behind_origin(app, bide_task_arena(), url);
    if (!whole)
        bide__fail(bide__current->at,
                   bide_error_new(BIDE_MISUSE, "bide_absolute_url: the application has no "
                                               "`public_url`, or was not checked yet"));
    return whole;
}

static bool checks_hosts(const bide_app *app)
{
    for (const struct bide__middleware *use = app->middleware; use; use = use->next)
        if (use->fn == bide_trusted_hosts)
            return true;
    return false;
}

const char *bide__absolute_url_of_request(bide_request *req, const char *url)
{
    const bide_app *app = bide_app_of(req);
    const char *whole = behind_origin(app, bide_arena_of(req), url);
    if (whole)
        return whole;
    if (!checks_hosts(app))
        bide__fail(bide__current->at,
                   bide_error_new(BIDE_MISUSE,
                                  "bide_absolute_url: the host of a request is what its sender "
                                  "says: give the application its `public_url`, or use "
                                  "bide_trusted_hosts"));
    return join(bide_arena_of(req), bide_scheme_of(req), bide_host_of(req), url);
}
