/*
 * easy.c: one attempt of a request, as libcurl wants to be told, and what libcurl tells of it.
 * Called by http_client.c.
 *
 * libcurl sends a request again by itself when a kept connection ends without a reply, whatever its
 * method. What is not idempotent must not be done twice: it is told so before the second time.
 *
 * Invariant: callbacks run in whichever task drives the transfers: they touch their call only,
 * neither suspend nor fail.
 *
 * Source: libcurl's manual page curl_easy_setopt(3); RFC 9110 sections 5.5, 9.2.2.
 */
#include "client/client.h"

#if BIDE_CURL
#include "http/fields.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

bool bide__http_is_idempotent(struct bide__slice method)
{
    static const char *const names[] = {"GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (bide__slice_equal(method, bide__slice_of(names[i])))
            return true;
    return false;
}

/* ---- what libcurl calls ---- */

static size_t on_body(char *bytes, size_t size, size_t count, void *call_)
{
    struct bide__http_call *call = call_;
    long status = 0;
    if (call->request->sink)
        curl_easy_getinfo(call->easy, CURLINFO_RESPONSE_CODE, &status);
    if (status / 100 == 2)
        return bide__http_take_piece(call, bytes, size * count);
    call->code = bide_buf_append(&call->body, bytes, size * count);
    return call->code == 0 ? size * count : 0;
}

/* A line of a head: each begins with a line that says the version. */
static size_t on_line(char *line, size_t size, size_t count, void *call_)
{
    struct bide__http_call *call = call_;
    size_t length = size * count;
    if (length >= 5 && memcmp(line, "HTTP/", 5) == 0) {
        bide_buf_reset(&call->head);
        call->head_ended = false;
        return length;
    }
    if (length <= 2)
        call->head_ended = true;
    if (length > 11 && strncasecmp(line, "set-cookie:", 11) == 0)
        call->sets_cookies = true;
    if (!call->head_ended)
        call->code = bide_buf_append(&call->head, line, length);
    return call->code == 0 ? length : 0;
}

#if LIBCURL_VERSION_NUM >= 0x075000
/* The connection is there, the request will be sent. */
static int on_sending(void *call_, char *ip, char *local_ip, int port, int local_port)
{
    struct bide__http_call *call = call_;
    (void)ip, (void)local_ip, (void)port, (void)local_port;
    call->again = call->sent && !bide__http_is_idempotent(call->method);
    call->sent = true;
    return call->again ? CURL_PREREQFUNC_ABORT : CURL_PREREQFUNC_OK;
}
#endif

static void set_once(struct bide__http_call *call)
{
#if LIBCURL_VERSION_NUM >= 0x075000
    curl_easy_setopt(call->easy, CURLOPT_PREREQFUNCTION, on_sending);
    curl_easy_setopt(call->easy, CURLOPT_PREREQDATA, call);
#else
    call->sent = true;
    curl_easy_setopt(call->easy, CURLOPT_FRESH_CONNECT,
                     bide__http_is_idempotent(call->method) ? 0L : 1L);
#endif
}

/* ---- fields ---- */

bool bide__http_has_control(const char *text)
{
    for (; *text; text++)
        if ((unsigned char)*text < ' ' ? *text != '\t' : *text == 0x7f)
            return true;
    return false;
}

static bool is_one_of(const char *name, const char *const *names)
{
    while (*names && !bide__slice_equal_nocase(bide__slice_of(name), bide__slice_of(*names)))
        names++;
    return *names;
}

/* What libcurl writes from what it knows: another word would say where a message ends. */
static bool is_framing(const char *name)
{
    static const char *const names[] = {"connection", "content-length", "transfer-encoding", "te",
                                        "upgrade",    "expect",         "http2-settings",    NULL};
    return is_one_of(name, names);
}

const char *bide__http_fields_problem(const bide_http_field *fields)
{
    for (; fields && fields->name; fields++) {
        struct bide__slice name = bide__slice_of(fields->name);
        if (!bide__http_is_token(name))
            return "a header field's name is no token";
        if (is_framing(fields->name))
            return "a header field that frames messages cannot be set";
        if (!fields->value || bide__http_has_control(fields->value))
            return "a header field's value has a control character in it, or is NULL";
    }
    return NULL;
}

static bool names_field(const bide_http_field *fields, const char *name)
{
    for (; fields && fields->name; fields++)
        if (bide__slice_equal_nocase(bide__slice_of(fields->name), bide__slice_of(name)))
            return true;
    return false;
}

static int add_line(struct bide__http_call *call, const char *line)
{
    struct curl_slist *more = curl_slist_append(call->fields, line);
    if (more)
        call->fields = more;
    return more ? 0 : -ENOMEM;
}

/* `name: value`; libcurl's own word for one without a value is `name;`. */
static int add_field(struct bide__http_call *call, const char *name, const char *value)
{
    bide_buf line;
    bide_buf_init(&line, BIDE_CAP_CLIENT_HEAD_BYTES);
    bide_buf_printf(&line, *value ? "%s: %s" : "%s;", name, value);
    int code = bide_buf_error(&line);
    if (code == 0)
        code = add_line(call, bide_buf_str(&line));
    bide_buf_done(&line);
    return code;
}

/* Those that are for one host stay there, and those of a body with it. */
static bool goes_along(const struct bide__http_call *call, const char *name)
{
    static const char *const of_host[] = {"authorization", "cookie", "host", "proxy-authorization",
                                          NULL};
    static const char *const of_body[] = {"content-type", "content-encoding", "content-language",
                                          "content-location", NULL};
    return (call->keeps_secrets || !is_one_of(name, of_host)) &&
           (call->keeps_body || !is_one_of(name, of_body));
}

static int add_fields(struct bide__http_call *call, const bide_http_field *fields,
                      const bide_http_field *stronger)
{
    int code = 0;
    for (; fields && fields->name && code == 0; fields++)
        if (!names_field(stronger, fields->name) && goes_along(call, fields->name))
            code = add_field(call, fields->name, fields->value);
    return code;
}

/* A line without a value takes out what libcurl would write by itself. */
static int set_fields(struct bide__http_call *call)
{
    const bide_http_field *own = call->request->fields, *usual = call->client->options.fields;
    const char *type = call->keeps_body ? call->request->body.content_type : NULL;
    curl_slist_free_all(call->fields);
    call->fields = NULL;
    int code = add_fields(call, own, NULL);
    if (code == 0)
        code = add_fields(call, usual, own);
    if (code == 0 && !names_field(own, "content-type") && !names_field(usual, "content-type"))
        code = type ? add_field(call, "Content-Type", type) : add_line(call, "Content-Type:");
    if (code == 0)
        code = add_line(call, "Expect:"); /* nobody waits a second for a 100 */
    curl_easy_setopt(call->easy, CURLOPT_HTTPHEADER, call->fields);
    return code;
}

/* ---- the attempt ---- */

static CURLcode set_credentials(const struct bide__http_call *call)
{
    const bide_http_request *request = call->request;
    bool basic = call->keeps_secrets && request->user,
         bearer = call->keeps_secrets && request->bearer;
    CURLcode result = curl_easy_setopt(call->easy, CURLOPT_USERNAME, basic ? request->user : NULL);
    if (result == CURLE_OK)
        result = curl_easy_setopt(call->easy, CURLOPT_PASSWORD,
                                  basic && request->password ? request->password : NULL);
    if (result == CURLE_OK)
        result =
            curl_easy_setopt(call->easy, CURLOPT_XOAUTH2_BEARER, bearer ? request->bearer : NULL);
    if (result == CURLE_OK && (basic || bearer))
        result = curl_easy_setopt(call->easy, CURLOPT_HTTPAUTH,
                                  bearer ? CURLAUTH_BEARER : CURLAUTH_BASIC);
    return result;
}

static CURLcode set_method(const struct bide__http_call *call)
{
    const bide_client_body *body = &call->request->body;
    bool is_post = bide__slice_equal(call->method, bide__slice_of("POST"));
    bool is_head = bide__slice_equal(call->method, bide__slice_of("HEAD"));
    bool is_get = bide__slice_equal(call->method, bide__slice_of("GET"));
    bool has_body = call->keeps_body && (is_post || body->content_type || body->size > 0);
    CURLcode result = CURLE_OK;
    curl_easy_setopt(call->easy, CURLOPT_HTTPGET, 1L);
    if (call->keeps_body && call->request->source) {
        uint64_t size = call->request->source_bytes;
        curl_easy_setopt(call->easy, CURLOPT_UPLOAD, 1L);
        curl_easy_setopt(call->easy, CURLOPT_INFILESIZE_LARGE, size ? (curl_off_t)size : -1);
        curl_easy_setopt(call->easy, CURLOPT_FRESH_CONNECT, 1L); /* it can be sent only once */
        return curl_easy_setopt(call->easy, CURLOPT_CUSTOMREQUEST, call->method.bytes);
    }
    if (has_body) {
        curl_easy_setopt(call->easy, CURLOPT_POST, 1L);
        curl_easy_setopt(call->easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)body->size);
        curl_easy_setopt(call->easy, CURLOPT_POSTFIELDS, body->data ? body->data : "");
    } else {
        curl_easy_setopt(call->easy, CURLOPT_NOBODY, is_head ? 1L : 0L);
    }
    if (has_body ? !is_post : !is_get && !is_head)
        result = curl_easy_setopt(call->easy, CURLOPT_CUSTOMREQUEST, call->method.bytes);
    else
        curl_easy_setopt(call->easy, CURLOPT_CUSTOMREQUEST, NULL);
    return result;
}

static void set_protocols(CURL *easy)
{
#if LIBCURL_VERSION_NUM >= 0x075500
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
#else
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS, (long)(CURLPROTO_HTTP | CURLPROTO_HTTPS));
#endif
}

/* What is the same for all attempts. */
static CURLcode set_all(struct bide__http_call *call)
{
    const bide_http_client_options *options = &call->client->options;
    CURL *easy = call->easy;
    set_protocols(easy);
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, call->problem);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, call);
    curl_easy_setopt(easy, CURLOPT_READFUNCTION, bide__http_give_piece);
    curl_easy_setopt(easy, CURLOPT_READDATA, call);
    curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_line);
    curl_easy_setopt(easy, CURLOPT_HEADERDATA, call);
    curl_easy_setopt(easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS,
                     (long)(options->connect_timeout.ns / 1000000));
    set_once(call);
    CURLcode result = curl_easy_setopt(easy, CURLOPT_PROXY, options->proxy ? options->proxy : "");
    /* While the receiving side is paused libcurl keeps what it has decoded, whatever its size. */
    if (result == CURLE_OK)
        result = curl_easy_setopt(easy, CURLOPT_ACCEPT_ENCODING, call->request->sink ? NULL : "");
    if (result == CURLE_OK)
        result = curl_easy_setopt(easy, CURLOPT_USERAGENT, "bide/" BIDE_VERSION);
    if (result == CURLE_OK && options->ca) {
        result = curl_easy_setopt(easy, CURLOPT_CAINFO, options->ca);
        curl_easy_setopt(easy, CURLOPT_CAPATH, NULL);
    }
    if (result == CURLE_OK && call->client->jar) {
        curl_easy_setopt(easy, CURLOPT_SHARE, call->client->jar);
        result = curl_easy_setopt(easy, CURLOPT_COOKIEFILE, "");
    }
    return result;
}

int bide__http_call_prepare(struct bide__http_call *call)
{
    CURLcode result = CURLE_OK;
    if (!call->easy) {
        call->easy = bide__transfer_easy();
        if (!call->easy)
            return -ENOMEM;
        result = set_all(call);
    }
    call->sent = call->again = call->head_ended = call->sets_cookies = false;
    call->code = 0;
    call->problem[0] = 0;
    bide_buf_reset(&call->head);
    bide_buf_reset(&call->body);
    bide_buf_reset(&call->pieces);
    call->receive_paused = call->send_paused = false;
    call->received = 0;
    if (result == CURLE_OK)
        result = curl_easy_setopt(call->easy, CURLOPT_URL, call->url);
    curl_easy_setopt(call->easy, CURLOPT_RESOLVE, call->addresses);
    if (result == CURLE_OK)
        result = set_method(call);
    if (result == CURLE_OK)
        result = set_credentials(call);
    return result == CURLE_OK ? set_fields(call) : -ENOMEM;
}

void bide__http_call_done(struct bide__http_call *call)
{
    bide__http_jar_bound(call); /* of a reply that failed */
    curl_easy_cleanup(call->easy);
    curl_slist_free_all(call->fields);
    curl_slist_free_all(call->addresses);
    bide_buf_done(&call->head);
    bide_buf_done(&call->body);
    bide_buf_done(&call->pieces);
    bide_buf_done(&call->handed);
    bide_buf_done(&call->outgoing);
}
#endif
