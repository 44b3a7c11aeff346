/*
 * message.c: a mail, checked and as the bytes that are sent. Called by mailer.c and later.c; calls
 * address.c and encode.c.
 *
 *     head: Date, From, To, Cc, Reply-To, Subject, Message-ID, MIME-Version
 *     body: text or HTML; both: multipart/alternative, the text first
 *
 * Source: RFC 5322 section 3.6; RFC 2046 section 5.1.4.
 */
#include "mail/mail.h"

#include "base/mem.h"
#include "base/random.h"
#include "base/utf8.h"
#include "core/error.h"
#include "http/date.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

struct lists {
    struct bide__mailboxes from, to, cc, bcc, reply_to;
};

void bide__message_free(void *message_)
{
    struct bide__message *message = message_;
    if (!message)
        return;
    bide__free(message->data);
    bide_arena_done(&message->arena);
    bide__free(message);
}

static __attribute__((noreturn)) void raise_invalid(const char *field, const char *problem)
{
    if (problem == bide__mail_no_memory)
        bide__raise(-ENOMEM, NULL);
    bide_error *error = bide_error_new(BIDE_INVALID, "mail: `%s`: %s", field, problem);
    snprintf(error->field, sizeof error->field, "%s", field);
    bide__fail(bide__current->at, error);
}

static void parse_list(struct bide__message *message, const char *field, const char *list,
                       struct bide__mailboxes *to)
{
    const char *problem = bide__mailboxes_parse(&message->arena, list, to);
    if (problem)
        raise_invalid(field, problem);
}

static void check_text(const char *field, const char *text, bool one_line)
{
    if (!text)
        return;
    if (!bide__utf8_valid(text, strlen(text)))
        raise_invalid(field, "it is not UTF-8");
    for (const char *at = text; one_line && *at; at++)
        if ((unsigned char)*at < ' ' || *at == 127)
            raise_invalid(field, "it has a line break or another control character in it");
}

static bool has(const char *text)
{
    return text && *text;
}

static void check_fields(struct bide__message *message, const bide_mail *mail, struct lists *lists)
{
    parse_list(message, "from", mail->from, &lists->from);
    if (lists->from.count != 1)
        raise_invalid("from", "it is not one address");
    parse_list(message, "to", mail->to, &lists->to);
    parse_list(message, "cc", mail->cc, &lists->cc);
    parse_list(message, "bcc", mail->bcc, &lists->bcc);
    parse_list(message, "reply_to", mail->reply_to, &lists->reply_to);
    if (lists->to.count + lists->cc.count + lists->bcc.count == 0)
        raise_invalid("to", "the mail has no recipient");
    check_text("subject", mail->subject, true);
    if (has(mail->subject) && strlen(mail->subject) > BIDE_CAP_MAIL_SUBJECT_BYTES)
        raise_invalid("subject", "it is too long");
    if (!has(mail->text) && !has(mail->html))
        raise_invalid("text", "the mail has neither text nor html");
    check_text("text", mail->text, false);
    check_text("html", mail->html, false);
}

/* ---- the envelope ---- */

static bool has_recipient(const struct bide__message *message, const char *address)
{
    for (size_t i = 0; i < message->recipient_count; i++)
        if (strcasecmp(message->recipients[i], address) == 0)
            return true;
    return false;
}

static void add_recipients(struct bide__message *message, const struct bide__mailboxes *from)
{
    for (size_t i = 0; i < from->count; i++) {
        const char *address = from->items[i].address;
        if (has_recipient(message, address))
            continue;
        if (message->recipient_count == BIDE_CAP_MAIL_RECIPIENTS)
            bide__fail(bide__current->at,
                       bide_error_new(BIDE_LIMIT, "mail: it has more than %d recipients",
                                      BIDE_CAP_MAIL_RECIPIENTS));
        message->recipients[message->recipient_count++] = address;
    }
}

static void make_envelope(struct bide__message *message, const struct lists *lists)
{
    message->sender = lists->from.items[0].address;
    message->recipients = bide_arena_alloc_zero(&message->arena, BIDE_CAP_MAIL_RECIPIENTS,
                                                sizeof *message->recipients);
    if (!message->recipients)
        bide__raise(-ENOMEM, NULL);
    add_recipients(message, &lists->to);
    add_recipients(message, &lists->cc);
    add_recipients(message, &lists->bcc);
}

/* ---- the bytes ---- */

/* 128 random bits as text. Raises. */
static void draw(char text[33])
{
    uint64_t random[2];
    int code = bide__random(random, sizeof random);
    if (code < 0)
        bide__fail(bide__current->at, bide_error_of_errno(-code, "mail: no random numbers"));
    snprintf(text, 33, "%016llx%016llx", (unsigned long long)random[0],
             (unsigned long long)random[1]);
}

static void put_head(bide_buf *out, const struct bide__message *message, const bide_mail *mail,
                     const struct lists *lists)
{
    char date[BIDE__HTTP_DATE_BYTES];
    bide__http_date_format(bide_now_us() / 1000000, date);
    date[strlen(date) - strlen("GMT")] = 0;
    bide_buf_printf(out, "Date: %s+0000\r\n", date);
    bide__mail_put_mailboxes(out, "From", &lists->from);
    if (lists->to.count)
        bide__mail_put_mailboxes(out, "To", &lists->to);
    if (lists->cc.count)
        bide__mail_put_mailboxes(out, "Cc", &lists->cc);
    if (lists->to.count + lists->cc.count == 0)
        bide_buf_append_str(out, "To: undisclosed-recipients:;\r\n");
    if (lists->reply_to.count)
        bide__mail_put_mailboxes(out, "Reply-To", &lists->reply_to);
    if (has(mail->subject))
        bide__mail_put_text(out, "Subject", mail->subject);
    bide_buf_printf(out, "Message-ID: %s\r\nMIME-Version: 1.0\r\n", message->id);
}

static void put_part(bide_buf *out, const char *type, const char *text)
{
    bide_buf_printf(out,
                    "Content-Type: text/%s; charset=utf-8\r\n"
                    "Content-Transfer-Encoding: %s\r\n\r\n",
                    type, bide__mail_encoding(text));
    bide__mail_put_body(out, text);
}

static void put_message(bide_buf *out, const struct bide__message *message, const bide_mail *mail,
                        const struct lists *lists)
{
    char boundary[33];
    put_head(out, message, mail, lists);
    if (!has(mail->text) || !has(mail->html)) {
        put_part(out, has(mail->text) ? "plain" : "html",
                 has(mail->text) ? mail->text : mail->html);
        return;
    }
    draw(boundary);
    bide_buf_printf(out, "Content-Type: multipart/alternative;\r\n boundary=\"%s\"\r\n\r\n--%s\r\n",
                    boundary, boundary);
    put_part(out, "plain", mail->text);
    bide_buf_printf(out, "\r\n--%s\r\n", boundary);
    put_part(out, "html", mail->html);
    bide_buf_printf(out, "\r\n--%s--\r\n", boundary);
}

static void end_bytes(void *out)
{
    bide_buf_done(out);
}

/* Once, rather than line by line: what most mails take. */
static void reserve(bide_buf *out, const bide_mail *mail)
{
    size_t room =
        4096 + 2 * ((mail->text ? strlen(mail->text) : 0) + (mail->html ? strlen(mail->html) : 0));
    bide_buf_reserve(out, room < BIDE_CAP_MAIL_BYTES ? room : BIDE_CAP_MAIL_BYTES);
}

static void make_bytes(struct bide__message *message, const bide_mail *mail,
                       const struct lists *lists)
{
    char random[33];
    bide_buf out;
    draw(random);
    message->id =
        bide_arena_printf(&message->arena, "<%s@%s>", random, strrchr(message->sender, '@') + 1);
    if (!message->id)
        bide__raise(-ENOMEM, NULL);
    bide_buf_init(&out, BIDE_CAP_MAIL_BYTES);
    bide_defer(end_bytes, &out);
    reserve(&out, mail);
    put_message(&out, message, mail, lists);
    int code = bide_buf_error(&out);
    if (code == -EMSGSIZE)
        bide__fail(bide__current->at, bide_error_new(BIDE_LIMIT, "mail: it has more than %d bytes",
                                                     BIDE_CAP_MAIL_BYTES));
    message->data = code < 0 ? NULL : bide_buf_take(&out, &message->size);
    if (!message->data)
        bide__raise(-ENOMEM, NULL);
}

static const char *copy(struct bide__message *message, const char *text)
{
    const char *copied = bide_arena_strdup(&message->arena, text ? text : "");
    if (!copied)
        bide__raise(-ENOMEM, NULL);
    return copied;
}

struct bide__message *bide__message_new(const bide_mail *mail, bool keep)
{
    struct lists lists = {.from = {.count = 0}};
    struct bide__message *message = bide__calloc(1, sizeof *message);
    if (!message)
        bide__raise(-ENOMEM, NULL);
    /* What is kept of a mail, and lists of names and addresses. */
    bide_arena_init(&message->arena, NULL, 4 * (size_t)BIDE_CAP_MAIL_BYTES);
    bide_on_error(bide__message_free, message);
    check_fields(message, mail, &lists);
    make_envelope(message, &lists);
    make_bytes(message, mail, &lists);
    if (keep)
        message->given = (bide_mail){.from = copy(message, mail->from),
                                     .to = copy(message, mail->to),
                                     .cc = copy(message, mail->cc),
                                     .bcc = copy(message, mail->bcc),
                                     .reply_to = copy(message, mail->reply_to),
                                     .subject = copy(message, mail->subject),
                                     .text = copy(message, mail->text),
                                     .html = copy(message, mail->html)};
    return message;
}
