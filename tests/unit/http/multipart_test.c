/*
 * Multipart forms, each fed in every way.
 */
#include "http/multipart.h"
#include "feed.h"

#include "base/caps.h"

#include <errno.h>

struct setting {
    const char *boundary;
    size_t storage_size;
};
static const struct setting usual = {"XYZ", 200};

static void note_slice(struct trace *trace, const char *before, struct bide__slice slice)
{
    note(trace, "%s", before);
    note_bytes(trace, slice.bytes, slice.length);
}

static void note_event(struct trace *trace, const struct bide__multipart *form,
                       enum bide__http_result result, struct bide__slice data)
{
    if (result == BIDE__HTTP_PART) {
        note_slice(trace, "part ", form->name);
        if (form->is_file)
            note_slice(trace, " file ", form->file_name);
        if (form->content_type.length > 0)
            note_slice(trace, " type ", form->content_type);
        note(trace, " [");
    } else if (result == BIDE__HTTP_DATA) {
        check(data.length > 0);
        note_bytes(trace, data.bytes, data.length);
    } else if (result == BIDE__HTTP_PART_END) {
        note(trace, "] ");
    }
}

/* The trace: "part NAME file FILE type TYPE [DATA] ", then "done", "400 text" or "more". */
static void feed_form(struct trace *trace, const char *bytes, size_t length, size_t cut,
                      const void *context)
{
    const struct setting *setting = context;
    struct bide__multipart form;
    char *storage = malloc(setting->storage_size);
    require(storage);
    memset(&form, 0xAA, sizeof form);
    require(bide__multipart_init(&form, bide__slice_of(setting->boundary), storage,
                                 setting->storage_size) == 0);
    enum bide__http_result result = BIDE__HTTP_MORE;
    for (size_t at = 0; at < length && result != BIDE__HTTP_BAD;) {
        size_t end = piece_end(at, length, cut), from = 0, used;
        char *copy = copy_of(bytes + at, end - at);
        do {
            struct bide__slice data = {0};
            result = bide__multipart_next(&form, copy + from, end - at - from, &used, &data);
            require(used <= end - at - from);
            from += used;
            note_event(trace, &form, result, data);
        } while (result > BIDE__HTTP_DONE || (result == BIDE__HTTP_DONE && from < end - at));
        check(result == BIDE__HTTP_BAD || from == end - at);
        at = end;
        free(copy);
    }
    if (result != BIDE__HTTP_BAD)
        check_int(bide__multipart_ended(&form),
                  result == BIDE__HTTP_DONE ? BIDE__HTTP_DONE : BIDE__HTTP_BAD);
    if (result == BIDE__HTTP_BAD)
        note(trace, "%d %s", form.refusal.status, form.refusal.text);
    else
        note(trace, result == BIDE__HTTP_DONE ? "done" : "more");
    free(storage);
}

#define FORM(raw, expected) feed_all(feed_form, &usual, raw, sizeof(raw) - 1, expected)
#define FIELD(name) "Content-Disposition: form-data; name=\"" name "\"\r\n"
#define END "\r\n--XYZ--\r\n"

TEST_PLAIN(forms_of_browsers)
{
    FORM("--XYZ\r\n" FIELD("a") "\r\nb" END, "part a [b] done");
    FORM("--XYZ\r\n" FIELD("a") "\r\n" END, "part a [] done");
    FORM("--XYZ\r\n" FIELD("a") "\r\n1\r\n--XYZ\r\n" FIELD("a") "\r\n2" END,
         "part a [1] part a [2] done");
    FORM("--XYZ\r\nContent-Disposition: form-data; name=\"f\"; filename=\"a b.png\"\r\n"
         "Content-Type: image/png\r\n\r\n\x89PNG\r\n\x1A\n\0\0" END,
         "part f file a b.png type image/png [\x89PNG\r\n\x1A\n");
    FORM("--XYZ\r\nContent-Disposition: form-data; name=\"f\"; filename=\"\"\r\n"
         "Content-Type: application/octet-stream\r\n\r\n" END,
         "part f file  type application/octet-stream [] done");
    FORM("--XYZ\r\ncontent-disposition:FORM-DATA;NAME=a;FileName=b\r\n\r\nc" END,
         "part a file b [c] done");
    FORM("--XYZ--", "done");
    FORM("--XYZ--\r\n", "done");
}

TEST_PLAIN(rfc2046_5_1_boundaries)
{
    FORM("preamble\r\nmore --XYZ\r\n--XYZ\r\n" FIELD("a") "\r\nb" END "epilogue\r\n--XYZ\r\n",
         "part a [b] done");
    FORM("\r\n--XYZ\r\n" FIELD("a") "\r\nb" END, "part a [b] done");
    FORM("--XYZ \t \r\n" FIELD("a") "\r\nb" END, "part a [b] done");
    FORM("--XYZ\r\n" FIELD("a") "\r\n--XYZ--", "part a [] done"); /* a part without a body */
    FORM("--XYZ\r\n" FIELD("a") "\r\n--XYA" END, "part a [--XYA] done");
    FORM("--XYZ\r\n" FIELD("a") "\r\n\r\n--XYA" END, "part a [\r\n--XYA] done");
    FORM("--XYZ\r\n" FIELD("a") "\r\nb--XYZ\n--XYZ\r\r\n--XY\r\n-\r\n\r\n--XYZ--",
         "part a [b--XYZ\n--XYZ\r\r\n--XY\r\n-\r\n] done");
    FORM("--XYZ\r\n" FIELD("a") "\r\n\r\n\r\n\r" END, "part a [\r\n\r\n\r] done");
    FORM("--XYZ\r\n" FIELD("a") "\r\nb\r\n--XYZZ\r\n", "part a [b] 400");
    FORM("--XYZ\r\n" FIELD("a") "\r\nb\r\n--XYZ-\r\n", "part a [b] 400");
    FORM("--XYZ\r\n" FIELD("a") "\r\nb\r\n--XYZ\n", "part a [b] 400");
    FORM("--XYZ\r\n" FIELD("a") "\r\nb\r\n--XYZ\rX", "part a [b] 400");
    FORM("--XYZ\r\n" FIELD("a") "\r\nb\r\n--XYZ --", "part a [b] 400");
    FORM("--XYZ\r\n" FIELD("a") "\r\nb", "part a [bmore");
    FORM("--XYZ\r\n" FIELD("a"), "more");
    FORM("nothing", "more");
    FORM("--XYZ\n" FIELD("a") "\nb\n--XYZ--\n", "400");
}

TEST_PLAIN(heads_of_parts)
{
    FORM("--XYZ\r\nX-a: b\r\n" FIELD("a") "\r\nb" END, "part a [b] done");
    FORM("--XYZ\r\n" FIELD("\xC3\xA9") "\r\nb" END, "part \xC3\xA9 [b] done");
    FORM("--XYZ\r\n" FIELD("") "\r\nb" END, "part  [b] done");
    FORM("--XYZ\r\n" FIELD("a\\\"b\\\\c\\d") "\r\nb" END, "part a\"b\\c\\d [b] done");
    FORM("--XYZ\r\n" FIELD("a%22b") "\r\nb" END, "part a%22b [b] done");
    FORM(
        "--XYZ\r\nContent-Disposition: form-data; name=a; filename=\"..\\..\\x\"; x=y\r\n\r\nb" END,
        "part a file ..\\..\\x [b] done");
    FORM("--XYZ\r\n\r\nb" END, "400");
    FORM("--XYZ\r\nContent-Type: text/plain\r\n\r\nb" END, "400");
    FORM("--XYZ\r\nContent-Disposition: form-data\r\n\r\nb" END, "400");
    FORM("--XYZ\r\nContent-Disposition: attachment; name=a\r\n\r\nb" END, "400");
    FORM("--XYZ\r\nContent-Disposition: form-data; filename=a\r\n\r\nb" END, "400");
    FORM("--XYZ\r\nContent-Disposition: form-data; name=a; name=b\r\n\r\nb" END, "400");
    FORM("--XYZ\r\nContent-Disposition: form-data; name=a; filename=b; filename=c\r\n\r\n" END,
         "400");
    FORM("--XYZ\r\n" FIELD("a") FIELD("b") "\r\nb" END, "400");
    FORM("--XYZ\r\n" FIELD("a") "Content-Type: a\r\nContent-Type: b\r\n\r\nb" END, "400");
    FORM("--XYZ\r\n" FIELD("\xFF") "\r\nb" END, "400");
    FORM("--XYZ\r\n" FIELD("a\0b") "\r\nb" END, "400");
    FORM("--XYZ\r\n" FIELD("a") "X\r\n\r\nb" END, "400");
    FORM("--XYZ\r\n" FIELD("a") "X : y\r\n\r\nb" END, "400");
    FORM("--XYZ\r\n" FIELD("a") " folded\r\n\r\nb" END, "400");
    FORM("--XYZ\r\n" FIELD("a") "X: a\nY: b\r\n\r\nb" END, "400");
    FORM("--XYZ\r\n" FIELD("a") "X: a\rY: b\r\n\r\nb" END, "400");
    FORM("--XYZ\r\nContent-Disposition: form-data; name=\"a\r\n\r\nb" END, "400");
}

TEST_PLAIN(caps_at_n_and_one_more)
{
    static const char head[] = FIELD("a") "\r\n";
    struct setting exact = {"XYZ", sizeof head - 1}, small = {"XYZ", sizeof head - 2};
    static const char raw[] = "--XYZ\r\n" FIELD("a") "\r\nb" END;
    feed_all(feed_form, &exact, raw, sizeof raw - 1, "part a [b] done");
    feed_all(feed_form, &small, raw, sizeof raw - 1, "431");
}

TEST_PLAIN(as_many_parts_as_the_cap)
{
    static const char part[] = "\r\n--XYZ\r\n" FIELD("a") "\r\nb";
    size_t size = sizeof part - 1;
    for (size_t extra = 0; extra < 2; extra++) {
        size_t count = BIDE_CAP_FORM_PARTS + extra;
        char *raw = malloc(count * size + sizeof END);
        require(raw);
        for (size_t i = 0; i < count; i++)
            memcpy(raw + i * size, part, size);
        memcpy(raw + count * size, END, sizeof END);
        char storage[200];
        struct bide__multipart form;
        bide__multipart_init(&form, bide__slice_of("XYZ"), storage, sizeof storage);
        size_t at = 0, length = count * size + sizeof END - 1, used, parts = 0;
        enum bide__http_result result;
        struct bide__slice data;
        do {
            result = bide__multipart_next(&form, raw + at, length - at, &used, &data);
            at += used;
            parts += result == BIDE__HTTP_PART;
        } while (result > BIDE__HTTP_DONE);
        check_int(result, extra ? BIDE__HTTP_BAD : BIDE__HTTP_DONE);
        check_int(parts, BIDE_CAP_FORM_PARTS);
        if (extra)
            check_int(form.refusal.status, 413);
        free(raw);
    }
}

static const char *boundary_of(const char *content_type)
{
    static char text[128];
    struct bide__slice boundary;
    if (bide__multipart_boundary(bide__slice_of(content_type), &boundary) < 0)
        return "refused";
    snprintf(text, sizeof text, "%.*s", (int)boundary.length, boundary.bytes);
    return text;
}

TEST_PLAIN(boundaries_of_a_content_type)
{
    check_str(boundary_of("multipart/form-data; boundary=abc"), "abc");
    check_str(boundary_of("Multipart/Form-Data ;charset=utf-8; BOUNDARY=\"a b/c\""), "a b/c");
    check_str(boundary_of("multipart/form-data; boundary="
                          "0123456789012345678901234567890123456789012345678901234567890123456789"),
              "0123456789012345678901234567890123456789012345678901234567890123456789");
    static const char *const bad[] = {
        "",
        "multipart/form-data",
        "multipart/mixed; boundary=abc",
        "multipart/form-data; boundary=",
        "multipart/form-data; boundary=\"\"",
        "multipart/form-data; boundary=\"a \"",
        "multipart/form-data; boundary=\"a\\\"b\"",
        "multipart/form-data; boundary=a; boundary=b",
        "multipart/form-data; boundary=a b",
        "multipart/form-data; boundary=\"a\tb\"",
        "multipart/form-data boundary=a",
        "multipart/form-data; boundary=a#b",
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        check_str(boundary_of(bad[i]), "refused");
    check_str(
        boundary_of("multipart/form-data; boundary="
                    "01234567890123456789012345678901234567890123456789012345678901234567890"),
        "refused");
    struct bide__multipart form;
    char storage[8];
    check_int(bide__multipart_init(&form, bide__slice_of(""), storage, 8), -EINVAL);
    check_int(bide__multipart_init(&form, bide__slice_of("a\r\n"), storage, 8), -EINVAL);
}
