/*
 * multipart.c: see multipart.h.
 *
 * A delimiter is CRLF, two dashes and the boundary. CR stands in it once, in front. So the search
 * jumps from CR to CR, and when bytes turn out not to be the delimiter after all, none of them but
 * the last can begin another one. Bytes that the last call could not decide about are known without
 * keeping them: they are the front of the delimiter.
 *
 *   PREAMBLE -> DELIMITED -> PADDING -> PADDING_LF -> HEAD -> DATA -> DELIMITED ...
 *                         `-> CLOSE_DASH -> EPILOGUE
 */
#include "http/multipart.h"

#include "base/caps.h"
#include "base/utf8.h"
#include "http/fields.h"
#include "http/scan.h"

#include <errno.h>
#include <string.h>

enum state {
    PREAMBLE,   /* before the first delimiter; its bytes mean nothing */
    DATA,       /* of a part, up to a delimiter */
    DELIMITED,  /* behind a delimiter: two dashes, or the end of its line */
    PADDING,    /* white space at the end of its line */
    PADDING_LF, /* behind the CR of its line */
    CLOSE_DASH, /* behind the first of two dashes */
    HEAD,       /* of a part, held in the storage */
    EPILOGUE,   /* behind the last delimiter; its bytes mean nothing */
    REFUSED,
};

static enum bide__http_result refuse(struct bide__multipart *form, int status, const char *text)
{
    form->state = REFUSED;
    form->refusal = (struct bide__http_refusal){.status = status, .text = text};
    return BIDE__HTTP_BAD;
}

/* RFC 2046 5.1.1: bchars, of which the space is not the last. */
static bool is_boundary(struct bide__slice text)
{
    if (text.length == 0 || text.length > BIDE__MULTIPART_BOUNDARY_BYTES ||
        text.bytes[text.length - 1] == ' ')
        return false;
    for (size_t i = 0; i < text.length; i++)
        if (text.bytes[i] != ' ' && !bide__http_is(text.bytes[i], BIDE__CLASS_BOUNDARY))
            return false;
    return true;
}

int bide__multipart_boundary(struct bide__slice content_type, struct bide__slice *ret_boundary)
{
    struct bide__slice boundary = {0}, rest = content_type;
    const char *semicolon = rest.length ? memchr(rest.bytes, ';', rest.length) : NULL;
    size_t type = semicolon ? (size_t)(semicolon - rest.bytes) : rest.length;
    if (!bide__slice_equal_nocase(bide__slice_trim(bide__slice(rest.bytes, type)),
                                  bide__slice_of("multipart/form-data")))
        return -EINVAL;
    rest = bide__slice_from(rest, type);
    struct bide__http_param param;
    int code;
    while ((code = bide__http_param_next(&rest, &param)) > 0) {
        if (!bide__slice_equal_nocase(param.name, bide__slice_of("boundary")))
            continue;
        if (boundary.length > 0 || !is_boundary(param.value))
            return -EINVAL;
        boundary = param.value;
    }
    if (code < 0 || boundary.length == 0)
        return -EINVAL;
    *ret_boundary = boundary;
    return 0;
}

int bide__multipart_init(struct bide__multipart *form, struct bide__slice boundary, char *storage,
                         size_t storage_size)
{
    if (!is_boundary(boundary))
        return -EINVAL;
    *form = (struct bide__multipart){
        .state = PREAMBLE,
        .matched = 2, /* as if after a CRLF: the first line may be the delimiter */
        .borrowed = 2,
        .delimiter_size = (uint32_t)(4 + boundary.length),
        .storage = storage,
        .storage_size = storage_size,
    };
    memcpy(form->delimiter, "\r\n--", 4);
    memcpy(form->delimiter + 4, boundary.bytes, boundary.length);
    return 0;
}

/* Goes on with a delimiter that began in earlier bytes. Gives how many bytes are used, and whether
 * it is decided: then `matched` bytes of the delimiter were there. */
static size_t match_more(struct bide__multipart *form, const char *bytes, size_t length,
                         bool *ret_decided)
{
    size_t at = 0;
    while (at < length && form->matched < form->delimiter_size &&
           bytes[at] == form->delimiter[form->matched]) {
        at++;
        form->matched++;
    }
    *ret_decided = at < length || form->matched == form->delimiter_size;
    return at;
}

/* The first place in the bytes where the delimiter stands, or begins and is cut; `length` if there
 * is none. */
static size_t find_delimiter(struct bide__multipart *form, const char *bytes, size_t length)
{
    size_t at = 0;
    while (at < length) {
        const char *cr = memchr(bytes + at, '\r', length - at);
        if (!cr)
            break;
        at = (size_t)(cr - bytes);
        size_t size = length - at < form->delimiter_size ? length - at : form->delimiter_size;
        if (memcmp(cr, form->delimiter, size) == 0) {
            form->matched = (uint32_t)size;
            return at;
        }
        at++;
    }
    form->matched = 0;
    return length;
}

/* In DATA or PREAMBLE. DATA may come without any bytes: the caller goes on. */
static enum bide__http_result read_data(struct bide__multipart *form, const char *bytes,
                                        size_t length, size_t *ret_used,
                                        struct bide__slice *ret_data)
{
    if (form->matched > 0) {
        bool decided;
        *ret_used = match_more(form, bytes, length, &decided);
        if (!decided)
            return BIDE__HTTP_MORE;
        if (form->matched == form->delimiter_size)
            form->state = DELIMITED;
        else
            *ret_data =
                bide__slice(form->delimiter + form->borrowed, form->matched - form->borrowed);
        form->matched = form->borrowed = 0;
        return BIDE__HTTP_DATA;
    }
    size_t data = find_delimiter(form, bytes, length);
    *ret_used = data + form->matched;
    *ret_data = bide__slice(bytes, data);
    if (form->matched == form->delimiter_size) {
        form->state = DELIMITED;
        form->matched = 0;
    }
    return BIDE__HTTP_DATA;
}

/* Unescapes a quoted string in place. Browsers escape no backslash, though the grammar asks for it:
 * only those before a quote or another backslash count. */
static struct bide__slice unescape(struct bide__slice text)
{
    char *bytes = (char *)(uintptr_t)text.bytes; /* in the storage, which is ours to change */
    size_t length = 0;
    for (size_t at = 0; at < text.length; at++) {
        if (bytes[at] == '\\' && at + 1 < text.length &&
            (bytes[at + 1] == '"' || bytes[at + 1] == '\\'))
            at++;
        bytes[length++] = bytes[at];
    }
    return bide__slice(bytes, length);
}

/* RFC 7578 4.2. `filename*` must not be sent here, and is not looked at. */
static enum bide__http_result read_disposition(struct bide__multipart *form,
                                               struct bide__slice value)
{
    bool has_name = false;
    size_t type = bide__http_scan_token(value.bytes, 0, value.length);
    if (!bide__slice_equal_nocase(bide__slice(value.bytes, type), bide__slice_of("form-data")))
        return refuse(form, 400, "a part is not form-data");
    struct bide__slice rest = bide__slice_from(value, type);
    struct bide__http_param param;
    int code;
    while ((code = bide__http_param_next(&rest, &param)) > 0) {
        bool name = bide__slice_equal_nocase(param.name, bide__slice_of("name"));
        bool file = bide__slice_equal_nocase(param.name, bide__slice_of("filename"));
        if ((name && has_name) || (file && form->is_file))
            return refuse(form, 400, "a part has two names");
        if (!name && !file)
            continue;
        if (!bide__utf8_valid(param.value.bytes, param.value.length))
            return refuse(form, 400, "the name of a part or file is not UTF-8");
        if (param.quoted)
            param.value = unescape(param.value);
        *(name ? &form->name : &form->file_name) = param.value;
        has_name |= name;
        form->is_file |= file;
    }
    if (code < 0 || !has_name)
        return refuse(form, 400, "a part has no name, or its disposition is malformed");
    return BIDE__HTTP_MORE;
}

/* One line of a part's head, without its CRLF. */
static enum bide__http_result read_line(struct bide__multipart *form, struct bide__slice line,
                                        unsigned *seen)
{
    size_t colon = bide__http_scan_token(line.bytes, 0, line.length);
    if (colon == 0 || colon == line.length || line.bytes[colon] != ':' ||
        bide__http_scan_value(line.bytes, colon, line.length) < line.length)
        return refuse(form, 400, "a malformed line in the head of a part");
    struct bide__slice name = bide__slice(line.bytes, colon);
    struct bide__slice value = bide__slice_trim(bide__slice_from(line, colon + 1));
    unsigned which = bide__slice_equal_nocase(name, bide__slice_of("Content-Disposition")) ? 1
                     : bide__slice_equal_nocase(name, bide__slice_of("Content-Type"))      ? 2
                                                                                           : 0;
    if (*seen & which)
        return refuse(form, 400, "a part has two dispositions or types");
    *seen |= which;
    if (which == 2)
        form->content_type = value;
    return which == 1 ? read_disposition(form, value) : BIDE__HTTP_MORE;
}

/* The storage holds a whole head: lines, each with its CRLF, the last of them empty. */
static enum bide__http_result read_head(struct bide__multipart *form)
{
    unsigned seen = 0;
    struct bide__slice rest = bide__slice(form->storage, form->held - 2);
    form->name = form->file_name = form->content_type = (struct bide__slice){0};
    form->is_file = false;
    form->held = 0;
    while (rest.length > 0) {
        size_t end = bide__http_scan_value(rest.bytes, 0, rest.length);
        if (rest.length - end < 2 || memcmp(rest.bytes + end, "\r\n", 2) != 0)
            return refuse(form, 400, "a malformed line in the head of a part");
        if (read_line(form, bide__slice(rest.bytes, end), &seen) == BIDE__HTTP_BAD)
            return BIDE__HTTP_BAD;
        rest = bide__slice_from(rest, end + 2);
    }
    if (!(seen & 1))
        return refuse(form, 400, "a part without Content-Disposition");
    form->state = DATA;
    form->matched = 2; /* the head's CRLF may be that of the delimiter: a part without a body */
    form->borrowed = 2;
    form->inside = true;
    return BIDE__HTTP_PART;
}

static bool head_is_whole(const struct bide__multipart *form)
{
    const char *end = form->storage + form->held;
    return (form->held == 2 || (form->held > 3 && memcmp(end - 4, "\r\n", 2) == 0)) &&
           memcmp(end - 2, "\r\n", 2) == 0;
}

static enum bide__http_result hold_head(struct bide__multipart *form, const char *bytes,
                                        size_t length, size_t *ret_used)
{
    for (size_t at = 0; at < length; at++) {
        if (form->held == form->storage_size) {
            *ret_used = at;
            return refuse(form, 431, "the head of a part is too large");
        }
        form->storage[form->held++] = bytes[at];
        if (bytes[at] == '\n' && form->held > 1 && head_is_whole(form)) {
            *ret_used = at + 1;
            return read_head(form);
        }
    }
    *ret_used = length;
    return BIDE__HTTP_MORE;
}

/* A byte behind a delimiter. MORE: go on. */
static enum bide__http_result delimiter_byte(struct bide__multipart *form, char c)
{
    switch ((enum state)form->state) {
    case DELIMITED:
        if (c == '-') {
            form->state = CLOSE_DASH;
            return BIDE__HTTP_MORE;
        }
        form->state = PADDING;
        return delimiter_byte(form, c);
    case PADDING:
        if (c != ' ' && c != '\t' && c != '\r')
            break;
        form->state = c == '\r' ? PADDING_LF : PADDING;
        return BIDE__HTTP_MORE;
    case PADDING_LF:
        if (c != '\n')
            break;
        if (form->parts == BIDE_CAP_FORM_PARTS)
            return refuse(form, 413, "too many parts");
        form->parts++;
        form->state = HEAD;
        return BIDE__HTTP_MORE;
    default: /* CLOSE_DASH */
        if (c != '-')
            break;
        form->state = EPILOGUE;
        return BIDE__HTTP_DONE;
    }
    return refuse(form, 400, "a boundary is followed by what must not be there");
}

enum bide__http_result bide__multipart_next(struct bide__multipart *form, const char *bytes,
                                            size_t length, size_t *ret_used,
                                            struct bide__slice *ret_data)
{
    size_t at = 0;
    enum bide__http_result result = BIDE__HTTP_MORE;
    while (at < length && result == BIDE__HTTP_MORE) {
        size_t used = 0;
        struct bide__slice data = {0};
        switch ((enum state)form->state) {
        case PREAMBLE:
        case DATA:
            result = read_data(form, bytes + at, length - at, &used, &data);
            if (result == BIDE__HTTP_DATA && (data.length == 0 || !form->inside))
                result = BIDE__HTTP_MORE;
            break;
        case HEAD:
            result = hold_head(form, bytes + at, length - at, &used);
            break;
        case EPILOGUE:
            used = length - at;
            break;
        case REFUSED:
            break;
        default:
            if (form->inside) { /* the delimiter was the end of a part */
                form->inside = false;
                result = BIDE__HTTP_PART_END;
                break;
            }
            result = delimiter_byte(form, bytes[at]);
            used = 1;
            break;
        }
        at += used;
        if (result == BIDE__HTTP_DATA)
            *ret_data = data;
        if (form->state == REFUSED)
            result = BIDE__HTTP_BAD;
    }
    if (result == BIDE__HTTP_MORE && form->state == EPILOGUE)
        result = BIDE__HTTP_DONE;
    *ret_used = at;
    return form->state == REFUSED ? BIDE__HTTP_BAD : result;
}

enum bide__http_result bide__multipart_ended(struct bide__multipart *form)
{
    if (form->state != EPILOGUE && form->state != REFUSED)
        refuse(form, 400, "the form ended before its last boundary");
    return form->state == EPILOGUE ? BIDE__HTTP_DONE : BIDE__HTTP_BAD;
}
