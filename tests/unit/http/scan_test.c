/*
 * The walks of scan.h against the same walks byte by byte: every length around a block, every
 * byte at every place, every start. Each text lies at the end of its memory.
 */
#include "http/scan.h"
#include "feed.h"

enum { LONGEST = 50 };

static bool is_token(unsigned char c)
{
    return c > 0x20 && c < 0x7F && !strchr("\"(),/:;<=>?@[\\]{}", c);
}

static bool is_value(unsigned char c)
{
    return c == '\t' || (c >= 0x20 && c != 0x7F);
}

static bool is_text(unsigned char c)
{
    return c >= 0x20 && c < 0x7F;
}

static bool is_target(unsigned char c)
{
    return c > 0x20 && c < 0x7F && c != '#';
}

static bool is_path(unsigned char c)
{
    return is_target(c) && c != '?';
}

static size_t scan_value(const char *bytes, size_t at, size_t end)
{
    return bide__http_scan_value(bytes, at, end);
}

static size_t scan_text(const char *bytes, size_t at, size_t end)
{
    return bide__http_scan_text(bytes, at, end);
}

static size_t scan_token(const char *bytes, size_t at, size_t end)
{
    return bide__http_scan_token(bytes, at, end);
}

static size_t scan_target(const char *bytes, size_t at, size_t end)
{
    return bide__http_scan_target(bytes, at, end);
}

static size_t scan_path(const char *bytes, size_t at, size_t end)
{
    return bide__http_scan_path(bytes, at, end);
}

static const struct walk {
    const char *name;
    size_t (*scan)(const char *bytes, size_t at, size_t end);
    bool (*is)(unsigned char c);
    const char *usual;
} walks[] = {
    {"token", scan_token, is_token, "aZ9-_!~"},
    {"value", scan_value, is_value, "a Z~:\t\xC3\xA9"},
    {"any value", bide__http_scan_any_value, is_value, "a Z~:\t\xC3\xA9"},
    {"text", scan_text, is_text, "a Z~:;/"},
    {"target", scan_target, is_target, "/a%2F?b=c&\""},
    {"path", scan_path, is_path, "/a%2Fb=c&\""},
};

static bool agrees(const struct walk *walk, const char *bytes, size_t at, size_t end)
{
    size_t expected = at;
    while (expected < end && walk->is((unsigned char)bytes[expected]))
        expected++;
    if (check_int((int)walk->scan(bytes, at, end), (int)expected))
        return true;
    fprintf(stderr, "%s from %zu to %zu\n", walk->name, at, end);
    return false;
}

TEST_PLAIN(walks_stop_where_they_must, .timeout_ms = 60000)
{
    for (size_t w = 0; w < sizeof walks / sizeof walks[0]; w++) {
        const struct walk *walk = &walks[w];
        for (size_t length = 0; length <= LONGEST; length++) {
            char text[LONGEST];
            for (size_t i = 0; i < length; i++)
                text[i] = walk->usual[i % strlen(walk->usual)];
            char *copy = copy_of(text, length);
            for (size_t at = 0; at <= length; at++)
                require(agrees(walk, copy, at, length));
            for (size_t place = 0; place < length; place++) {
                for (int c = 0; c < 256; c++) {
                    copy[place] = (char)c;
                    require(agrees(walk, copy, 0, length));
                    require(agrees(walk, copy, place / 2, length));
                }
                copy[place] = text[place];
            }
            free(copy);
        }
    }
}

/* A usual host is made of unreserved bytes; where the walk stops among them is its own affair. */
TEST_PLAIN(the_walk_over_a_host_passes_unreserved_bytes_only, .timeout_ms = 60000)
{
    static const char usual[] = "www.example-0.com";
    for (size_t length = 0; length <= LONGEST; length++) {
        char text[LONGEST];
        for (size_t i = 0; i < length; i++)
            text[i] = usual[i % (sizeof usual - 1)];
        char *copy = copy_of(text, length);
        require(bide__http_scan_host(copy, 0, length) == length);
        for (size_t place = 0; place < length; place++) {
            for (int c = 0; c < 256; c++) {
                copy[place] = (char)c;
                size_t stop = bide__http_scan_host(copy, place / 2, length);
                bool plain = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
                             (c >= 'A' && c <= 'Z') || (c > 0 && strchr("-._~", c));
                require(stop == place || (plain && stop == length));
            }
            copy[place] = text[place];
        }
        free(copy);
    }
}
