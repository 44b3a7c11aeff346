/*
 * http_client.c: opening and closing a client, and a request from its call to its reply, with the
 * redirections between them. Called by users; calls easy.c, transfer/multi.c.
 *
 *     a slot -> attempt -> reply
 *                  ^         |
 *                  +-- 3xx --+  as often as the options allow
 *
 * Source: RFC 9110 section 15.4.
 */
#include "client/client.h"

#include "core/error.h"

#if BIDE_CURL
#include "base/mem.h"
#include "core/graph.h"
#include "core/scope.h"
#include "db/db.h"
#include "http/fields.h"
#include "web/web.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct bide__kind kind_client = {.noun = "HTTP client", .verb = "waits for"};
static const struct bide_site site_timeout = {__FILE__, "bide_http_send", "the request's timeout",
                                              __LINE__};

static __attribute__((noreturn, format(printf, 1, 2))) void raise_invalid(const char *format, ...)
{
    char text[BIDE_CAP_ERROR_MESSAGE];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    bide__fail(bide__current->at, bide_error_new(BIDE_INVALID, "http: %s", text));
}

/* ---- opening and closing ---- */

static void unuse(void *client_)
{
    bide_http_client *client = client_;
    if (--client->users > 0)
        return;
    bide__transfers_free(client->transfers);
    if (client->jar)
        curl_share_cleanup(client->jar);
    bide_arena_done(&client->arena);
    bide__free(client);
}

static const char *copy_of(bide_http_client *client, const char *text)
{
    char *copy = text ? bide_arena_strdup(&client->arena, text) : NULL;
    if (text && !copy)
        bide__raise(-ENOMEM, &client->object);
    return copy;
}

static const bide_http_field *copy_fields(bide_http_client *client, const bide_http_field *fields)
{
    size_t count = 0;
    while (fields && fields[count].name)
        count++;
    if (count == 0)
        return NULL;
    bide_http_field *copy = bide_arena_alloc_zero(&client->arena, count + 1, sizeof *copy);
    if (!copy)
        bide__raise(-ENOMEM, &client->object);
    for (size_t i = 0; i < count; i++)
        copy[i] =
            (bide_http_field){copy_of(client, fields[i].name), copy_of(client, fields[i].value)};
    return copy;
}

static bool is_absolute(const char *url)
{
    return strncasecmp(url, "http://", 7) == 0 || strncasecmp(url, "https://", 8) == 0;
}

static void take_options(bide_http_client *client, const bide_http_client_options *given)
{
    bide_http_client_options *o = &client->options;
    const char *problem = bide__http_fields_problem(given->fields);
    size_t base_length = given->base_url ? strlen(given->base_url) : 0;
    if (problem)
        raise_invalid("options: %s", problem);
    if (base_length > 0 && (!is_absolute(given->base_url) || strpbrk(given->base_url, "?#") ||
                            given->base_url[base_length - 1] == '/'))
        raise_invalid("options: base_url is http:// or https:// without '/' at its end");
    if (given->timeout.ns < 0 || given->connect_timeout.ns < 0)
        raise_invalid("options: a timeout is negative");
    *o = *given;
    o->base_url = copy_of(client, given->base_url);
    o->ca = copy_of(client, given->ca);
    o->proxy = copy_of(client, given->proxy);
    o->fields = copy_fields(client, given->fields);
    if (o->timeout.ns == 0)
        o->timeout = bide_ms(BIDE_CAP_CLIENT_MS);
    if (o->connect_timeout.ns == 0)
        o->connect_timeout = bide_ms(BIDE_CAP_CLIENT_CONNECT_MS);
    if (o->connections == 0)
        o->connections = BIDE_CAP_CLIENT_REQUESTS;
    if (o->most_bytes == 0)
        o->most_bytes = BIDE_CAP_CLIENT_BODY_BYTES;
}

bide_async(bide_http_client_ptr) bide_http_client_open(const bide_http_client_options *options)
{
    static const bide_http_client_options defaults;
    bide_http_client *client = bide__calloc(1, sizeof *client);
    if (!client)
        bide__raise(-ENOMEM, NULL);
    client->users = 1;
    client->loop = bide__loop_here;
    bide__object_init(&client->object, &kind_client, NULL, bide__current->at);
    bide_arena_init(&client->arena, NULL, BIDE_CAP_CLIENT_HEAD_BYTES);
    bide_on_error(unuse, client);
    take_options(client, options ? options : &defaults);
    client->object.name = client->options.base_url ? client->options.base_url : "other servers";
    bide_semaphore_init(&client->slots, client->options.connections, client->object.name);
    int code = bide__transfers_new(client->object.name, &client->transfers);
    if (code == 0 && client->options.cookies) {
        client->jar = curl_share_init();
        if (!client->jar ||
            curl_share_setopt(client->jar, CURLSHOPT_SHARE, CURL_LOCK_DATA_COOKIE) != CURLSHE_OK)
            code = -ENOMEM;
    }
    if (code < 0)
        bide__raise(code, &client->object);
    return bide_ready(bide_http_client_ptr, client);
}

bide_async(void) bide_http_client_close(bide_http_client_ptr client, bide_error *error)
{
    (void)error;
    client->closed = true;
    unuse(client);
    return bide_void;
}

/* ---- what is asked for ---- */

static void check_caller(const bide_http_client *client)
{
    if (bide__unlikely(client->loop != bide__loop_here))
        bide__misuse("an HTTP client is used on loop %d: it belongs to loop %d",
                     bide__loop_here->index, client->loop->index);
    if (client->closed)
        bide__fail(bide__current->at, bide_error_new(BIDE_CLOSED, "the HTTP client was closed"));
}

/* Whether all of it is what a URL may be written with: the rest is escaped (RFC 3986). */
static bool is_url_text(const char *text)
{
    for (; *text; text++)
        if ((unsigned char)*text <= ' ' || *text == 0x7f)
            return false;
    return true;
}

/* Whether a user, and perhaps a password, stand before the host. */
static bool has_user(const char *url)
{
    const char *authority = strstr(url, "//") + 2;
    return memchr(authority, '@', strcspn(authority, "/?#"));
}

/* "GET https://host/path": a query may be a secret, and is nobody's business in a log. */
static void set_label(struct bide__http_call *call)
{
    snprintf(call->label, sizeof call->label, "%.*s %.*s", (int)call->method.length,
             call->method.bytes, (int)strcspn(call->url, "?#"), call->url);
}

static void take_request(struct bide__http_call *call)
{
    const bide_http_request *request = call->request;
    const char *base = call->client->options.base_url;
    bool has_body = request->body.content_type || request->body.size > 0 || request->source;
    const char *problem = bide__http_fields_problem(request->fields);
    if (!request->url)
        raise_invalid("there is no URL");
    if (problem)
        raise_invalid("%s", problem);
    if (request->source && request->body.size > 0)
        raise_invalid("there is a body and a source of one");
    if (request->body.content_type && bide__http_has_control(request->body.content_type))
        raise_invalid("the content type has a control character in it");
    if (!is_url_text(request->url) || (request->bearer && !is_url_text(request->bearer)))
        raise_invalid("a URL or a token has a space or a control character in it");
    call->method = bide__slice_of(request->method ? request->method : has_body ? "POST" : "GET");
    if (!bide__http_is_token(call->method))
        raise_invalid("the method is no token");
    if (is_absolute(request->url))
        call->url = request->url;
    else if (base && *request->url == '/')
        call->url = bide_arena_printf(call->arena, "%s%s", base, request->url);
    else
        raise_invalid("'%.100s' is neither http://, https:// nor a path behind base_url",
                      request->url);
    if (!call->url)
        bide__raise(-ENOMEM, &call->client->object);
    if (has_user(call->url))
        raise_invalid("a URL has user:password@ in it: they are members of the request");
    call->keeps_body = call->keeps_secrets = true;
    set_label(call);
}

/* ---- what comes of it ---- */

/* Whether a server may have done what is not to be done twice. */
static bool may_have_changed(const struct bide__http_call *call)
{
    return call->changed || (call->sent && !bide__http_is_idempotent(call->method));
}

/* Which error libcurl's result is. */
static int code_of(const struct bide__http_call *call, CURLcode result)
{
    switch (result) {
    case CURLE_URL_MALFORMAT:
        return BIDE_INVALID;
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_CIPHER:
    case CURLE_SSL_ISSUER_ERROR:
    case CURLE_SSL_PINNEDPUBKEYNOTMATCH:
    case CURLE_SSL_INVALIDCERTSTATUS:
        return BIDE_TLS;
    case CURLE_OUT_OF_MEMORY:
        return BIDE_NO_MEMORY;
    default:
        return may_have_changed(call) ? BIDE_OUTCOME_UNKNOWN : BIDE_UNREACHABLE;
    }
}

static __attribute__((noreturn)) void raise_result(const struct bide__http_call *call,
                                                   CURLcode result)
{
    const char *said = *call->problem ? call->problem : curl_easy_strerror(result);
    if (call->code == -EMSGSIZE)
        bide__fail(
            bide__current->at,
            bide_error_new(BIDE_LIMIT, "http: %s: the reply has more than %s", call->label,
                           bide_buf_error(&call->head) ? "its head may have" : "`most_bytes`"));
    if (call->code < 0)
        bide__raise(call->code, &call->client->object);
    if (call->again)
        said = "the connection was lost before a reply";
    bide__fail(bide__current->at,
               bide_error_new(code_of(call, result), "http: %s: %s", call->label, said));
}

/* Where the URL's host is. */
static void find_addresses(struct bide__http_call *call) BIDE__TASK;
static void find_addresses(struct bide__http_call *call)
{
    const char *authority = strstr(call->url, "//") + 2;
    size_t length = strcspn(authority, ":/?#");
    uint16_t port = strncasecmp(call->url, "https", 5) == 0 ? 443 : 80;
    char *host = bide_arena_strndup(call->arena, authority, length);
    if (*authority == '[' || call->client->options.proxy)
        return;
    if (!host)
        bide__raise(-ENOMEM, &call->client->object);
    if (authority[length] == ':')
        port = (uint16_t)strtoul(authority + length + 1, NULL, 10);
    curl_slist_free_all(call->addresses);
    call->addresses = NULL;
    call->addresses = bide__transfer_addresses(host, port);
}

static void try_once(struct bide__http_call *call) BIDE__TASK;
static void try_once(struct bide__http_call *call)
{
    CURLcode result = CURLE_OK;
    find_addresses(call);
    int code = bide__http_call_prepare(call);
    if (code == 0 && (call->request->sink || call->request->source))
        result = bide__http_pump(call);
    else if (code == 0)
        code = bide__transfer(call->client->transfers, call->easy, false, &result);
    if (code < 0)
        bide__raise(code, &call->client->object);
    if (result != CURLE_OK)
        raise_result(call, result);
    if (bide__http_jar_bound(call) < 0)
        bide__raise(-ENOMEM, &call->client->object);
}

static bool is_same_origin(const char *a, const char *b)
{
    const char *parts[] = {a, b};
    struct bide__slice origins[2];
    for (int i = 0; i < 2; i++) {
        size_t scheme = strcspn(parts[i], ":") + 3;
        origins[i] = bide__slice(parts[i], scheme + strcspn(parts[i] + scheme, "/?#"));
    }
    return bide__slice_equal_nocase(origins[0], origins[1]);
}

/* Whether the reply is a redirection that is to be followed; the call is then what follows. */
static bool is_sent_on(struct bide__http_call *call, uint32_t times)
{
    static const char get[] = "GET";
    long status = 0;
    char *to = NULL;
    curl_easy_getinfo(call->easy, CURLINFO_RESPONSE_CODE, &status);
    if (status != 301 && status != 302 && status != 303 && status != 307 && status != 308)
        return false;
    curl_easy_getinfo(call->easy, CURLINFO_REDIRECT_URL, &to);
    bool needs_source = call->request->source && call->keeps_body && status != 303;
    if (!to || call->client->options.redirects == 0 || needs_source)
        return false;
    if (times == call->client->options.redirects)
        bide__fail(bide__current->at,
                   bide_error_new(BIDE_LIMIT, "http: %s: redirected more than %u times",
                                  call->label, times));
    if (!is_absolute(to) || has_user(to))
        raise_invalid("%s: redirected to what is not http:// or https://", call->label);
    const char *url = bide_arena_strdup(call->arena, to);
    if (!url)
        bide__raise(-ENOMEM, &call->client->object);
    call->changed |= !bide__http_is_idempotent(call->method);
    bool was_post = bide__slice_equal(call->method, bide__slice_of("POST"));
    bool was_head = bide__slice_equal(call->method, bide__slice_of("HEAD"));
    if ((status == 303 && !was_head) || ((status == 301 || status == 302) && was_post)) {
        call->method = bide__slice_of(get);
        call->keeps_body = false;
    }
    call->keeps_secrets = call->keeps_secrets && is_same_origin(call->url, url);
    call->url = url;
    set_label(call);
    return true;
}

/* ---- the reply ---- */

static struct bide__web_field *field_of(bide_arena *arena, struct bide__slice line)
{
    struct bide__slice name;
    if (line.length == 0 || !bide__slice_split(&line, ':', &name) || name.length == 0)
        return NULL;
    struct bide__slice value = bide__slice_trim(line);
    struct bide__web_field *field = bide_arena_alloc_zero(arena, 1, sizeof *field);
    char *name_text = bide_arena_strndup(arena, name.bytes, name.length);
    char *value_text = bide_arena_strndup(arena, value.bytes ? value.bytes : "", value.length);
    if (!field || !name_text || !value_text)
        bide__raise(-ENOMEM, NULL);
    field->name = name_text;
    field->value = value_text;
    return field;
}

static const struct bide__web_field *take_fields(const struct bide__http_call *call)
{
    struct bide__slice rest = bide__slice(bide_buf_str(&call->head), bide_buf_length(&call->head));
    struct bide__slice line;
    struct bide__web_field *first = NULL, **end = &first;
    while (bide__slice_split(&rest, '\n', &line)) {
        if (line.length > 0 && line.bytes[line.length - 1] == '\r')
            line.length--;
        struct bide__web_field *field = field_of(call->arena, line);
        if (!field)
            continue;
        *end = field;
        end = &field->next;
    }
    return first;
}

static bide_client_reply take_reply(struct bide__http_call *call)
{
    bide_arena *arena = call->arena;
    long status = 0;
    curl_easy_getinfo(call->easy, CURLINFO_RESPONSE_CODE, &status);
    bide_client_reply reply = {.status = (int)status, .arena = arena, .fields = take_fields(call)};
    char *body = bide_buf_take(&call->body, &reply.length);
    if (!body || bide_arena_on_reset(arena, bide_free, body) < 0) {
        bide_free(body);
        bide__raise(-ENOMEM, &call->client->object);
    }
    reply.body = body;
    return reply;
}

/* ---- sending ---- */

struct sending {
    struct bide__http_call call;
    bide_client_reply reply;
};

static void send_thunk(void *sending_) BIDE__UNCHECKED
{
    struct sending *s = sending_;
    bide_with_slot(&s->call.client->slots)
    {
        uint32_t times = 0;
        do
            try_once(&s->call);
        while (is_sent_on(&s->call, times++));
        s->reply = take_reply(&s->call);
    }
}

static void end_call(void *call)
{
    bide__http_call_done(call);
}

bide_async(bide_client_reply) bide_http_send(bide_http_client *client,
                                             const bide_http_request *request)
{
    struct sending s = {.call = {.client = client, .request = request, .arena = bide_task_arena()}};
    bide_duration timeout = request->timeout.ns ? request->timeout : client->options.timeout;
    uint64_t most = request->most_bytes ? request->most_bytes : client->options.most_bytes;
    bool late;
    check_caller(client);
    if (!s.call.arena)
        bide__raise(-ENOMEM, &client->object);
    take_request(&s.call);
    bide__tx_report_wait(s.call.label);
    bide_buf_init(&s.call.head, BIDE_CAP_CLIENT_HEAD_BYTES);
    bide_buf_init(&s.call.body, most);
    bide_buf_init(&s.call.pieces, 4 * BIDE_CAP_CLIENT_STREAM_BYTES);
    bide_buf_init(&s.call.handed, 4 * BIDE_CAP_CLIENT_STREAM_BYTES);
    bide_buf_init(&s.call.outgoing, 4 * BIDE_CAP_CLIENT_STREAM_BYTES);
    client->users++;
    bide_defer(unuse, client);
    bide_defer(end_call, &s.call);
    bide_error *error = bide__boundary_within(&site_timeout, timeout, send_thunk, &s, &late);
    if (late)
        error = bide_error_new(may_have_changed(&s.call) ? BIDE_OUTCOME_UNKNOWN : BIDE_TIMEOUT,
                               "http: %s: not done within %lld ms", s.call.label,
                               (long long)(timeout.ns / 1000000));
    bool changed = may_have_changed(&s.call);
    if (changed)
        bide__effect_note();
    if (error) {
        error->never_again |= changed;
        bide__fail(bide__current->at, error);
    }
    return bide_ready(bide_client_reply, s.reply);
}
#else

bide_async(bide_http_client_ptr) bide_http_client_open(const bide_http_client_options *options)
{
    (void)options;
    bide__fail(bide__current->at,
               bide_error_new(BIDE_INVALID, "bide was built without libcurl (./dev deps more)"));
}

bide_async(void) bide_http_client_close(bide_http_client_ptr client, bide_error *error)
{
    (void)client;
    (void)error;
    return bide_void;
}

bide_async(bide_client_reply) bide_http_send(bide_http_client *client,
                                             const bide_http_request *request)
{
    (void)client;
    (void)request;
    return bide_ready(bide_client_reply, (bide_client_reply){0});
}
#endif

bide_async(bide_client_reply) bide_http_get(bide_http_client *client, const char *url)
{
    return bide_http_send(client, &(bide_http_request){.url = url});
}

bide_async(bide_client_reply) bide_http_post(bide_http_client *client, const char *url,
                                             bide_client_body body)
{
    return bide_http_send(client, &(bide_http_request){.method = "POST", .url = url, .body = body});
}
