/*
 * bide_etags: replies that say which bytes they are, and 304 for those who have them. Called
 * through the list of middleware; calls reply.c, gzip.c, http/condition.c.
 */
#include "web/middleware.h"

#include "base/siphash.h"
#include "http/condition.h"
#include "web/reply.h"

#include <inttypes.h>

/* Of all processes the same, so that they say the same tag of the same bytes. Who makes two replies
   that collide has harmed the readers of these two only. */
static const uint64_t tag_key[2] = {0x6269646520657461, 0x6773206f66203634};

static bool may_tag(const bide_request *req)
{
    bide_text method = bide_method_of(req);
    bool is_read =
        bide__slice_equal(bide__slice(method.at, method.length), bide__slice_of("GET")) ||
        bide__slice_equal(bide__slice(method.at, method.length), bide__slice_of("HEAD"));
    return is_read && req->status == 200 && !req->source && !bide__web_field(req, "Set-Cookie") &&
           !bide__web_field_lists(req, "Cache-Control", "no-store");
}

bide_async(void) bide_etags(bide_request *req, bide_next *next, const void *arg)
{
    (void)arg;
    bide_await(bide_proceed(next));
    if (!may_tag(req))
        return bide_void;
    const struct bide__web_field *field = bide__web_field(req, "ETag");
    const char *tag = field ? field->value : NULL;
    if (!tag) {
        tag = bide_arena_printf(bide_arena_of(req), "\"%016" PRIx64 "-%zx\"",
                                bide__siphash(tag_key, req->body, req->body_size), req->body_size);
        if (!tag) /* a reply without it is a good one, too */
            return bide_void;
        bide_set_header(req, "ETag", tag);
    }
    const struct bide__http_condition condition = {.if_none_match =
                                                       bide__web_header(req, "if-none-match")};
    if (bide__http_not_modified(&condition, tag, 0, bide_now_us() / 1000000)) {
        bide__gzip_vary(req, req->content_type, req->body_size);
        bide__web_reply(req, 304, NULL, "", 0);
    }
    return bide_void;
}
