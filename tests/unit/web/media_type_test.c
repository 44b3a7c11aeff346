/* Types of files by their names; which types are worth compressing. */
#include "web/media_type.h"

#include <bide/test.h>

TEST_PLAIN(the_end_of_a_name_says_the_type)
{
    check_str(bide__media_type("index.html"), "text/html; charset=utf-8");
    check_str(bide__media_type("a/b.c/site.CSS"), "text/css; charset=utf-8");
    check_str(bide__media_type("app.min.js"), "text/javascript; charset=utf-8");
    check_str(bide__media_type("x.tar.gz"), "application/gzip");
    check_str(bide__media_type("photo.jpeg"), "image/jpeg");
    check_str(bide__media_type("a.html/Makefile"), "application/octet-stream");
    check_str(bide__media_type("no"), "application/octet-stream");
    check_str(bide__media_type("dot."), "application/octet-stream");
    check_str(bide__media_type(""), "application/octet-stream");
}

TEST_PLAIN(texts_compress_and_pictures_do_not)
{
    check(bide__media_compressible("text/html; charset=utf-8"));
    check(bide__media_compressible("image/svg+xml"));
    check(bide__media_compressible("application/problem+json"));
    check(bide__media_compressible("Application/JSON"));
    check(!bide__media_compressible("text/event-stream"));
    check(bide__media_is_events("text/event-stream"));
    check(bide__media_is_events("Text/Event-Stream ; charset=utf-8"));
    check(!bide__media_is_events("text/event-streams"));
    check(!bide__media_is_events("text/plain"));
    check(!bide__media_is_events(""));
    check(!bide__media_compressible("image/png"));
    check(!bide__media_compressible("application/jsonx"));
    check(!bide__media_compressible(""));
    check(!bide__media_compressible("xml"));
}
