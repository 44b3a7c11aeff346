/*
 * smtp.c: a mail over SMTP: connections that are kept for a while, and the words on them. Called by
 * mailer.c; calls transfer/wire.c.
 *
 *     a slot -> an idle connection, or a new one -> MAIL, RCPT ..., DATA, the mail -> idle
 *     idle -> used again, or closed
 *
 * libcurl makes a connection up to the login. From there on the words are ours: libcurl waits for
 * the reply to a mail, and to its QUIT, without letting the loop go on.
 *
 *     READY <--mail--> OPEN --reply owed--> BUSY --reply--> OPEN or READY
 *                        +--- next user: RSET --> READY       BUSY, left: LOST
 *
 * Invariants
 *  1. A connection belongs to one task, or is idle. One that owes a reply is never lent again.
 *  2. Who has a slot has at most one connection: so there are never more than the URL allows, but
 *     for idle ones, which only those who had a slot left.
 *  3. A mail is tried again on another connection only if it was the first word on a connection
 *     that had been idle, and the server was gone.
 *
 * Source: RFC 5321 sections 4.1.1, 4.2, 4.5.2.
 */
#include "mail/mail.h"

#if BIDE_CURL
#include "base/mem.h"
#include "core/error.h"
#include "core/graph.h"
#include "core/scope.h"
#include "transfer/transfer.h"

#include <bide/semaphore.h>

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum state { READY, OPEN, BUSY, LOST };

enum { INPUT_BYTES = 1024, TEXT_BYTES = 160, REPLY_LINES = 100, CHUNK_BYTES = 8192 };

struct connection {
    struct bide__list_node node; /* in smtp->idle, the one used last in front */
    struct bide__smtp *smtp;
    struct bide__wire wire;
    struct curl_slist *addresses; /* of the server, for libcurl */
    enum state state;
    bool used;          /* it was idle */
    int64_t idle_at_ns; /* since when */
    size_t start, end;  /* of what was received and not read, in `input` */
    char input[INPUT_BYTES];
    char text[TEXT_BYTES]; /* the last reply, its code too */
};

struct bide__smtp {
    const struct bide__mail_url *url;
    struct bide__transfers *transfers;
    bide_semaphore slots;
    struct bide__list idle;
    struct bide__timer timer; /* for the idle one that waits longest */
    char address[BIDE_CAP_MAIL_HOST_BYTES + sizeof ":65535"]; /* host:port */
};

/* A mail on its way. */
struct sending {
    struct bide__smtp *smtp;
    const struct bide__message *message;
    const char *step; /* what is waited for */
    bool handed_over; /* all of it was sent */
};

static const struct bide__kind kind_smtp = {.noun = "mail server", .verb = "waits for"};
static const struct bide_site site_timeout = {__FILE__, "bide_mail_send", "the mail's timeout",
                                              __LINE__};

/* ---- replies ---- */

/* Keeps what a server says for messages. */
static void keep_text(struct connection *c, const char *line, size_t length)
{
    if (length >= sizeof c->text)
        length = sizeof c->text - 1;
    for (size_t i = 0; i < length; i++)
        c->text[i] = line[i] >= ' ' && line[i] <= '~' ? line[i] : ' ';
    while (length > 0 && c->text[length - 1] == ' ')
        length--;
    c->text[length] = 0;
}

/* libcurl's, for each line that the server says until the login is done. */
static size_t on_line(char *line, size_t size, size_t count, void *connection)
{
    keep_text(connection, line, size * count);
    return size * count;
}

/* The next line, in c->input until the next call; its length, or a negative code. */
static int next_line(struct connection *c, const char **ret_line)
{
    for (;;) {
        char *line = c->input + c->start;
        const char *end = memchr(line, '\n', c->end - c->start);
        if (end) {
            size_t length = (size_t)(end - line);
            c->start += length + 1;
            *ret_line = line;
            return (int)length;
        }
        memmove(c->input, line, c->end - c->start);
        c->end -= c->start;
        c->start = 0;
        if (c->end == sizeof c->input)
            return -EPROTO;
        int count = bide__wire_receive(&c->wire, c->input + c->end, sizeof c->input - c->end);
        if (count <= 0)
            return count < 0 ? count : -ECONNRESET;
        c->end += (size_t)count;
    }
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* The code of the reply, 200 to 599, or a negative one. Its last line stays in c->text. */
static int read_reply(struct connection *c)
{
    for (int i = 0; i < REPLY_LINES; i++) {
        const char *line;
        int length = next_line(c, &line);
        if (length < 0)
            return length;
        if (length < 3 || line[0] < '2' || line[0] > '5' || !is_digit(line[1]) ||
            !is_digit(line[2]))
            return -EPROTO;
        keep_text(c, line, (size_t)length);
        if (length == 3 || line[3] != '-')
            return (line[0] - '0') * 100 + (line[1] - '0') * 10 + (line[2] - '0');
    }
    return -EPROTO;
}

/* What was sent is answered: the code, or a negative one; the connection is then LOST. */
static int answer_of(struct connection *c, int sent)
{
    int code = sent < 0 ? sent : read_reply(c);
    c->state = code < 0 || code == 421 ? LOST : OPEN; /* 421: it closes the connection */
    return code;
}

__attribute__((format(printf, 2, 3))) static int command(struct connection *c, const char *format,
                                                         ...)
{
    char line[BIDE_CAP_MAIL_LINE_BYTES];
    va_list args;
    va_start(args, format);
    int length = vsnprintf(line, sizeof line, format, args);
    va_end(args);
    BIDE_ASSERT(length > 0 && length < (int)sizeof line, "an SMTP command does not fit");
    c->state = BUSY;
    return answer_of(c, bide__wire_send(&c->wire, line, (size_t)length));
}

/* ---- connections ---- */

static void close_connection(void *connection)
{
    struct connection *c = connection;
    bide__wire_done(&c->wire);
    curl_slist_free_all(c->addresses);
    bide__free(c);
}

/* A server wants to hear it, and nobody waits for what it says. */
static void say_quit(struct connection *c)
{
    static const char quit[] = "QUIT\r\n";
    size_t sent;
    if (bide__wire_is_quiet(&c->wire))
        curl_easy_send(c->wire.easy, quit, sizeof quit - 1, &sent);
}

static void close_idle(struct connection *c)
{
    bide__list_remove(&c->node);
    say_quit(c);
    close_connection(c);
}

static struct connection *connection_of(struct bide__list_node *node)
{
    return bide__container_of(node, struct connection, node);
}

/* Closes what is idle for too long, and looks again when the next one may be. The timer may come
   early: what it was armed for may have been taken. */
static void watch_idle(struct bide__timer *timer)
{
    struct bide__smtp *smtp = bide__container_of(timer, struct bide__smtp, timer);
    struct bide__list_node *last;
    while ((last = bide__list_last(&smtp->idle))) {
        int64_t until_ns =
            connection_of(last)->idle_at_ns + (int64_t)BIDE_CAP_MAIL_IDLE_MS * 1000000;
        if (until_ns > bide__loop_here->now_ns) {
            bide__timer_arm(&bide__loop_here->timers, timer, until_ns);
            return;
        }
        close_idle(connection_of(last));
    }
}

/* The end of a task's use of it. */
static void give_back(void *connection)
{
    struct connection *c = connection;
    struct bide__smtp *smtp = c->smtp;
    if (c->state != READY && c->state != OPEN) {
        close_connection(c);
        return;
    }
    c->idle_at_ns = bide__loop_here->now_ns;
    c->used = true;
    bide__list_push_front(&smtp->idle, &c->node);
    if (!bide__timer_armed(&smtp->timer))
        watch_idle(&smtp->timer);
}

/* One that is idle, or NULL; those whose server is gone are closed. */
static struct connection *take_idle(struct bide__smtp *smtp)
{
    struct bide__list_node *node;
    while ((node = bide__list_first(&smtp->idle))) {
        struct connection *c = connection_of(node);
        if (c->start == c->end && bide__wire_is_quiet(&c->wire)) {
            bide__list_remove(node);
            return c;
        }
        close_idle(c);
    }
    return NULL;
}

static void set_up(struct connection *c)
{
    const struct bide__mail_url *url = c->smtp->url;
    CURL *easy = c->wire.easy;
    char text[sizeof c->smtp->address + 16];
    snprintf(text, sizeof text, "%s://%s", url->tls ? "smtps" : "smtp", c->smtp->address);
    curl_easy_setopt(easy, CURLOPT_URL, text);
    curl_easy_setopt(easy, CURLOPT_PROXY, "");
    curl_easy_setopt(easy, CURLOPT_RESOLVE, c->addresses);
    curl_easy_setopt(easy, CURLOPT_USE_SSL,
                     (long)(url->tls || url->starttls ? CURLUSESSL_ALL : CURLUSESSL_NONE));
    curl_easy_setopt(easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    if (url->ca) {
        curl_easy_setopt(easy, CURLOPT_CAINFO, url->ca);
        curl_easy_setopt(easy, CURLOPT_CAPATH, NULL);
    }
    if (url->user) {
        curl_easy_setopt(easy, CURLOPT_USERNAME, url->user);
        curl_easy_setopt(easy, CURLOPT_PASSWORD, url->password);
    }
    curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_line);
    curl_easy_setopt(easy, CURLOPT_HEADERDATA, c);
}

static int code_of_result(CURLcode result, long reply)
{
    switch (result) {
    case CURLE_LOGIN_DENIED:
        return reply / 100 == 4 ? BIDE_MAIL_LATER : BIDE_MAIL_LOGIN;
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_USE_SSL_FAILED:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_CIPHER:
    case CURLE_SSL_ISSUER_ERROR:
    case CURLE_SSL_INVALIDCERTSTATUS:
        return BIDE_TLS;
    case CURLE_OUT_OF_MEMORY:
        return BIDE_NO_MEMORY;
    case CURLE_OPERATION_TIMEDOUT:
        return BIDE_TIMEOUT;
    default:
        return reply / 100 == 5   ? BIDE_MAIL_REFUSED
               : reply / 100 == 4 ? BIDE_MAIL_LATER
                                  : BIDE_UNREACHABLE;
    }
}

static __attribute__((noreturn)) void raise_unconnected(const struct connection *c, CURLcode result)
{
    const char *why = c->wire.problem[0] ? c->wire.problem : curl_easy_strerror(result);
    long reply = 0;
    curl_easy_getinfo(c->wire.easy, CURLINFO_RESPONSE_CODE, &reply);
    bide_error *error =
        bide_error_new(code_of_result(result, reply), "mail: %s: %s%s%s", c->smtp->address, why,
                       reply >= 400 ? ": " : "", reply >= 400 ? c->text : "");
    bide__fail(bide__current->at, error);
}

/* A new one, up to the login. Raises. */
static struct connection *connect_new(struct sending *s) BIDE__TASK;
static struct connection *connect_new(struct sending *s)
{
    CURLcode result = CURLE_OK;
    struct connection *c = bide__calloc(1, sizeof *c);
    if (!c)
        bide__raise(-ENOMEM, NULL);
    bide__list_node_init(&c->node);
    c->smtp = s->smtp;
    s->step = "looking up the host";
    bide_on_error(close_connection, c);
    c->addresses = bide__transfer_addresses(s->smtp->url->host, s->smtp->url->port);
    s->step = "connecting";
    int code = bide__wire_init(&c->wire, s->smtp->transfers, &kind_smtp);
    if (code == 0) {
        set_up(c);
        code = bide__wire_connect(&c->wire, &result);
    }
    if (code < 0)
        bide__raise(code, &c->wire.fd.object);
    if (result != CURLE_OK)
        raise_unconnected(c, result);
    return c;
}

/* ---- a mail ---- */

/* The connection was lost at this step, or the task was cancelled. */
static __attribute__((noreturn)) void raise_lost(const struct sending *s,
                                                 const struct connection *c, int code)
{
    if (code == -ECANCELED)
        bide__raise(code, &c->wire.fd.object);
    const char *why =
        code == -EPROTO ? "the server does not speak SMTP" : "the connection was lost";
    bide__fail(bide__current->at,
               bide_error_new(s->handed_over ? BIDE_OUTCOME_UNKNOWN : BIDE_UNREACHABLE,
                              "mail: %s: %s at %s", s->smtp->address, why, s->step));
}

static __attribute__((noreturn)) void
raise_refused(const struct sending *s, const struct connection *c, int reply, const char *address)
{
    int code = reply == 530 || reply == 534 || reply == 535 ? BIDE_MAIL_LOGIN
               : reply / 100 == 4                           ? BIDE_MAIL_LATER
                                                            : BIDE_MAIL_REFUSED;
    bide__fail(bide__current->at, bide_error_new(code, "mail: %s: %s%s%s: %s", s->smtp->address,
                                                 s->step, *address ? " " : "", address, c->text));
}

/* Raises unless the reply is of the class that is wanted. */
static void expect(const struct sending *s, const struct connection *c, int reply, int class,
                   const char *address)
{
    if (reply < 0)
        raise_lost(s, c, reply);
    if (reply / 100 != class)
        raise_refused(s, c, reply, address);
}

/* The mail, a dot more before each line that begins with one, and the dot that ends it. */
static int send_data(struct connection *c, const struct bide__message *message)
{
    char chunk[CHUNK_BYTES];
    size_t held = 0;
    bool at_start = true;
    int code = 0;
    for (size_t i = 0; i < message->size && code == 0; i++) {
        char byte = message->data[i];
        if (held + 2 > sizeof chunk) {
            code = bide__wire_send(&c->wire, chunk, held);
            held = 0;
        }
        if (at_start && byte == '.')
            chunk[held++] = '.';
        chunk[held++] = byte;
        at_start = byte == '\n';
    }
    if (code == 0)
        code = bide__wire_send(&c->wire, chunk, held);
    return code == 0 ? bide__wire_send(&c->wire, ".\r\n", 3) : code;
}

/* What the connection's last user left behind, and MAIL. Whether the server was still there. */
static bool begin(struct sending *s, struct connection *c)
{
    s->step = "MAIL";
    int reply = c->state == OPEN ? command(c, "RSET\r\n") : 250;
    if (reply / 100 == 2)
        reply = command(c, "MAIL FROM:<%s>\r\n", s->message->sender);
    if (c->used && (reply == -ECONNRESET || reply == 421))
        return false;
    expect(s, c, reply, 2, s->message->sender);
    return true;
}

static void give_words(struct sending *s, struct connection *c)
{
    const struct bide__message *message = s->message;
    s->step = "RCPT";
    for (size_t i = 0; i < message->recipient_count; i++) {
        const char *address = message->recipients[i];
        expect(s, c, command(c, "RCPT TO:<%s>\r\n", address), 2, address);
    }
    s->step = "DATA";
    expect(s, c, command(c, "DATA\r\n"), 3, "");
    s->step = "the mail";
    c->state = BUSY;
    int code = send_data(c, message);
    s->handed_over = code == 0;
    s->step = "the end of the mail";
    expect(s, c, answer_of(c, code), 2, "");
    c->state = READY;
}

static void send_in_slot(struct sending *s) BIDE__TASK;
static void send_in_slot(struct sending *s)
{
    for (;;) {
        struct connection *c = take_idle(s->smtp);
        if (!c)
            c = connect_new(s);
        bide_defer(give_back, c);
        if (!begin(s, c))
            continue;
        give_words(s, c);
        return;
    }
}

static void send_thunk(void *sending) BIDE__UNCHECKED
{
    struct sending *s = sending;
    s->step = "a free connection";
    bide_with_slot(&s->smtp->slots) send_in_slot(s);
}

bide_async(void) bide__smtp_send(struct bide__smtp *smtp, const struct bide__message *message)
{
    struct sending s = {.smtp = smtp, .message = message};
    bool late;
    bide_error *error =
        bide__boundary_within(&site_timeout, smtp->url->timeout, send_thunk, &s, &late);
    if (late)
        error = bide_error_new(s.handed_over ? BIDE_OUTCOME_UNKNOWN : BIDE_TIMEOUT,
                               "mail: %s: %s took too long: %lld s were over", smtp->address,
                               s.step, (long long)(smtp->url->timeout.ns / 1000000000));
    else if (error && bide__error_is_cancel(error))
        error->never_again |= s.handed_over;
    bool refused = error && (error->code == BIDE_MAIL_REFUSED || error->code == BIDE_MAIL_LATER);
    if (s.handed_over && !refused)
        bide__effect_note();
    if (error)
        bide__fail(bide__current->at, error);
    return bide_void;
}

/* ---- opening and closing ---- */

void bide__smtp_free(struct bide__smtp *smtp)
{
    if (!smtp)
        return;
    while (!bide__list_empty(&smtp->idle))
        close_idle(connection_of(bide__list_first(&smtp->idle)));
    bide__timer_disarm(&bide__loop_here->timers, &smtp->timer);
    bide__transfers_free(smtp->transfers);
    bide__free(smtp);
}

const char *bide__smtp_missing(void)
{
    for (const char *const *name = curl_version_info(CURLVERSION_NOW)->protocols; *name; name++)
        if (strcmp(*name, "smtps") == 0)
            return NULL;
    return "this libcurl has no SMTP";
}

int bide__smtp_new(const struct bide__mail_url *url, struct bide__smtp **ret_smtp)
{
    struct bide__smtp *smtp = bide__calloc(1, sizeof *smtp);
    if (!smtp)
        return -ENOMEM;
    bide__list_init(&smtp->idle);
    smtp->url = url;
    smtp->timer.fire = watch_idle;
    snprintf(smtp->address, sizeof smtp->address, "%s:%u", url->host, (unsigned)url->port);
    bide_semaphore_init(&smtp->slots, (size_t)url->connections, smtp->address);
    int code = bide__transfers_new(smtp->address, &smtp->transfers);
    if (code < 0) {
        bide__smtp_free(smtp);
        return code;
    }
    *ret_smtp = smtp;
    return 0;
}
#else

const char *bide__smtp_missing(void)
{
    return "bide was built without libcurl (./dev deps more)";
}

int bide__smtp_new(const struct bide__mail_url *url, struct bide__smtp **ret_smtp)
{
    (void)url;
    *ret_smtp = NULL;
    return 0;
}

void bide__smtp_free(struct bide__smtp *smtp)
{
    (void)smtp;
}

bide_async(void) bide__smtp_send(struct bide__smtp *smtp, const struct bide__message *message)
{
    (void)smtp;
    (void)message;
    return bide_void;
}
#endif
