/*
 * Media types. See media_type.h. Called by files.c and gzip.c. A table of our own and not
 * /etc/mime.types: what an application answers must not depend on the machine that it runs on.
 * Texts are UTF-8: they say so.
 *
 * Source: the IANA registry of media types; RFC 9239 (text/javascript).
 */
#include "web/media_type.h"

#include "base/slice.h"

#include <string.h>
#include <strings.h>

static const struct {
    const char *suffix, *type;
} table[] = {
    {"html", "text/html; charset=utf-8"},
    {"htm", "text/html; charset=utf-8"},
    {"css", "text/css; charset=utf-8"},
    {"js", "text/javascript; charset=utf-8"},
    {"mjs", "text/javascript; charset=utf-8"},
    {"json", "application/json"},
    {"map", "application/json"},
    {"webmanifest", "application/manifest+json"},
    {"wasm", "application/wasm"},
    {"svg", "image/svg+xml; charset=utf-8"},
    {"png", "image/png"},
    {"jpg", "image/jpeg"},
    {"jpeg", "image/jpeg"},
    {"gif", "image/gif"},
    {"webp", "image/webp"},
    {"avif", "image/avif"},
    {"ico", "image/vnd.microsoft.icon"},
    {"bmp", "image/bmp"},
    {"tif", "image/tiff"},
    {"tiff", "image/tiff"},
    {"woff2", "font/woff2"},
    {"woff", "font/woff"},
    {"ttf", "font/ttf"},
    {"otf", "font/otf"},
    {"txt", "text/plain; charset=utf-8"},
    {"log", "text/plain; charset=utf-8"},
    {"md", "text/markdown; charset=utf-8"},
    {"csv", "text/csv; charset=utf-8"},
    {"ics", "text/calendar; charset=utf-8"},
    {"xml", "application/xml"},
    {"atom", "application/atom+xml"},
    {"rss", "application/rss+xml"},
    {"yaml", "application/yaml"},
    {"yml", "application/yaml"},
    {"pdf", "application/pdf"},
    {"epub", "application/epub+zip"},
    {"zip", "application/zip"},
    {"gz", "application/gzip"},
    {"tar", "application/x-tar"},
    {"7z", "application/x-7z-compressed"},
    {"mp3", "audio/mpeg"},
    {"m4a", "audio/mp4"},
    {"ogg", "audio/ogg"},
    {"opus", "audio/ogg"},
    {"flac", "audio/flac"},
    {"wav", "audio/wav"},
    {"mp4", "video/mp4"},
    {"webm", "video/webm"},
    {"ogv", "video/ogg"},
};

const char *bide__media_type(const char *path)
{
    const char *slash = strrchr(path, '/');
    const char *dot = strrchr(slash ? slash : path, '.');
    for (size_t i = 0; dot && i < sizeof table / sizeof *table; i++)
        if (strcasecmp(dot + 1, table[i].suffix) == 0)
            return table[i].type;
    return "application/octet-stream";
}

static bool ends_with(struct bide__slice text, const char *end)
{
    size_t length = strlen(end);
    return text.length >= length &&
           bide__slice_equal_nocase(bide__slice_from(text, text.length - length),
                                    bide__slice(end, length));
}

/* Without its parameters. */
static struct bide__slice essence(const char *content_type)
{
    struct bide__slice rest = bide__slice_of(content_type), type = {NULL, 0};
    bide__slice_split(&rest, ';', &type);
    return bide__slice_trim(type);
}

bool bide__media_is_events(const char *content_type)
{
    return bide__slice_equal_nocase(essence(content_type), bide__slice_of("text/event-stream"));
}

bool bide__media_compressible(const char *content_type)
{
    static const char *const types[] = {"application/json",     "application/javascript",
                                        "application/xml",      "application/wasm",
                                        "application/x-ndjson", "application/yaml"};
    const struct bide__slice type = essence(content_type);
    if (type.length > 5 &&
        bide__slice_equal_nocase(bide__slice(type.bytes, 5), bide__slice("text/", 5)))
        return !bide__media_is_events(content_type);
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (bide__slice_equal_nocase(type, bide__slice_of(types[i])))
            return true;
    return ends_with(type, "+json") || ends_with(type, "+xml");
}
