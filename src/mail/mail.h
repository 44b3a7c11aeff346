/*
 * What the files of this folder share: the mailer, messages, the outbox.
 */
#ifndef BIDE_MAIL_MAIL_H
#define BIDE_MAIL_MAIL_H

#include "base/caps.h"
#include "core/loop.h"

#include <bide/mail.h>

/* ---- address.c: lists of addresses ---- */

struct bide__mailbox {
    const char *name; /* "": none */
    const char *address;
};

struct bide__mailboxes {
    struct bide__mailbox *items;
    size_t count;
};

/* Appends the mailboxes of a list, NULL for none, which stay in the arena. NULL, or what is wrong.
   -ENOMEM is `bide__mail_no_memory`. */
const char *bide__mailboxes_parse(bide_arena *arena, const char *list, struct bide__mailboxes *to);
extern const char bide__mail_no_memory[];

/* ---- message.c: a mail as it is sent ---- */

struct bide__message {
    bide_arena arena;        /* all but `data` */
    const char *sender;      /* an address */
    const char **recipients; /* each address once, of to, cc, bcc */
    size_t recipient_count;
    const char *id; /* <...> */
    char *data;     /* head and body, lines that end with CRLF, the last one too */
    size_t size;
    bide_mail given; /* copies, if they were asked for */
};

/* Checks and builds it; raises what bide_mail_send says. `keep`: with copies of what was given. */
struct bide__message *bide__message_new(const bide_mail *mail, bool keep);
void bide__message_free(void *message); /* NULL is nothing */

/* ---- encode.c: texts as RFC 2045 and 2047 have them; errors are the buffer's ---- */

/* How a body is encoded: what it is called. */
const char *bide__mail_encoding(const char *text);

/* Writes it so, with CRLF at the end of each line. */
void bide__mail_put_body(bide_buf *out, const char *text);

/* A header field of any text, and one of mailboxes; folded. */
void bide__mail_put_text(bide_buf *out, const char *name, const char *text);
void bide__mail_put_mailboxes(bide_buf *out, const char *name,
                              const struct bide__mailboxes *mailboxes);

/* ---- outbox.c ---- */

/* 0 or -ENOMEM. */
int bide__outbox_add(const struct bide__message *message);

/* ---- url.c ---- */

struct bide__mail_url {
    bool outbox, tls, starttls;
    const char *host, *user, *password,
        *ca; /* in the mailer's memory; user, password, ca: or NULL */
    uint16_t port;
    bide_duration timeout;
    int connections;
};

/* NULL, or what is wrong; that never has the password in it. */
const char *bide__mail_url_parse(bide_arena *arena, const char *text,
                                 struct bide__mail_url *ret_url);

/* ---- smtp.c ---- */

struct bide__smtp;

/* NULL, or why there is no SMTP. */
const char *bide__smtp_missing(void);

/* 0, or a negative code; `url` must stay. Freed on the same loop, with no mail on its way. */
int bide__smtp_new(const struct bide__mail_url *url, struct bide__smtp **ret_smtp);
void bide__smtp_free(struct bide__smtp *smtp);

/* Sends a message. Raises what bide_mail_send says. */
bide_async(void) bide__smtp_send(struct bide__smtp *smtp, const struct bide__message *message);

/* ---- mailer.c ---- */

struct bide_mailer {
    bide_arena arena; /* the URL's parts */
    struct bide__mail_url url;
    struct bide__smtp *smtp; /* NULL: an outbox */
    const struct bide__loop *loop;
    uint32_t users; /* the handle, sends, mails that wait: the last frees */
    bool closed;
    size_t waiting; /* mails of later.c */
    struct bide__object object;
};

void bide__mailer_use(bide_mailer *m);
void bide__mailer_unuse(void *m);

/* Raises when it may not be used: closed, or another loop's. */
void bide__mailer_check(const bide_mailer *m);

/* Sends a message, once. Raises. */
bide_async(void) bide__mailer_send(bide_mailer *m, const struct bide__message *message);

#endif
