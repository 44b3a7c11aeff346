/*
 * mail.h: e-mail: over SMTP, or into an outbox in memory for development and tests.
 *
 *     with(bide_mailer, m, "smtp://user:password@mail.example.org:587") {
 *         await(bide_mail_send(m, &(bide_mail){.from = "Frodo <frodo@example.org>",
 *                                              .to = "sam@example.org, Pippin <pip@example.org>",
 *                                              .subject = "Elevenses",
 *                                              .text = "At the usual place.\n"}));
 *         with_tx(tx, db) {
 *             await(bide_insert(tx, user, &u));
 *             bide_mail_after_commit(tx, m, &welcome);    // sent if, and when, it is committed
 *         }
 *     }
 *
 * Invariants
 *  1. A mail goes to all of its recipients or to none: if the server refuses one, nothing is sent.
 *  2. Nothing of a mail is read after the call: not by what is sent later, nor by the outbox.
 *  3. No text of a mail becomes a header or an SMTP command: a control character in a field, an
 *     address that is none, and text that is not UTF-8 are BIDE_INVALID, before anything is sent.
 *  4. A password goes over a connection that is not secure only to this machine (`localhost`,
 * 127.0.0.1,
 *     [::1]), or if the URL says `starttls=none`. Where there is TLS, certificates are verified.
 *  5. Everything has a limit: the `timeout` of the URL, and every deadline around a call.
 *  6. A handle is used on the loop that opened it.
 *  7. bide_mail_send inside an open transaction of its task is reported, as a request to any other
 *     server is (http_client.h): bide_mail_after_commit is for that.
 *
 * Source: RFC 5321 (SMTP), 5322 (messages), 2045 and 2047 (MIME), 3207 (STARTTLS), 8314 (TLS).
 *
 * layer: mail
 */
#ifndef BIDE_MAIL_H
#define BIDE_MAIL_H

#include <bide/db.h>
#include <bide/web.h>

/*
 * Codes of errors, which stand in error.h:
 * BIDE_MAIL_REFUSED    the server refused the mail for good (5xx)
 * BIDE_MAIL_LATER      it refused it for now (4xx): try again later
 * BIDE_MAIL_LOGIN      it refused the user or password for good
 * BIDE_UNREACHABLE     no connection, or it was lost before the mail was handed over
 * BIDE_TLS             no trusted connection: a certificate, or no STARTTLS though it is required
 * BIDE_TIMEOUT         not done within the URL's `timeout`
 * BIDE_OUTCOME_UNKNOWN the connection was lost, or the time over, after the whole mail was handed
 *                      over: it may have been sent
 * Messages of the first three end with what the server said.
 */

typedef struct bide_mailer bide_mailer;
typedef bide_mailer *bide_mailer_ptr;
AWAITABLE(bide_mailer_ptr);

/*
 * A mail. Addresses are `sam@example.org` or `Sam Gamgee <sam@example.org>`; lists of them have
 * commas between them; a name with a comma in it stands in double quotes. Names, `subject`, `text`
 * and `html` are any UTF-8; addresses are ASCII: a domain with other letters is written in its
 * xn-- form (there is no SMTPUTF8). NULL or "": none.
 */
typedef struct bide_mail {
    const char *from;     /* one address; also where mail that cannot be delivered goes back to */
    const char *to;       /* a list. At least one of to, cc, bcc */
    const char *cc;       /* a list */
    const char *bcc;      /* a list that no recipient sees */
    const char *reply_to; /* a list */
    const char *subject;
    const char *text; /* lines end with "\n" or "\r\n", and may be of any length */
    const char *html; /* the same mail as HTML; with both, the reader's program chooses. One of text
                         and html is there */
} bide_mail;

/*
 * Opens a mailer; does not connect yet.
 *
 *   smtp://[user:password@]host[:port]    port 587; STARTTLS is required, but of this machine
 *                                         ("localhost", 127.0.0.1, [::1]: none)
 *   smtps://[user:password@]host[:port]   port 465; TLS from the first byte
 *   outbox:                               nothing is sent: the mails are kept in this process,
 *                                         for bide_outbox_list and /dev/outbox
 *
 * User and password are percent-encoded; a host has 255 bytes at most. Behind `?`, with `&` between
 * them, of the first two:
 *
 *   starttls=required|none   none: everything goes in the clear, a password too
 *   ca=PATH                  a PEM file of the certificates that are trusted, in place of the
 *                            system's
 *   timeout=SECONDS          for a mail, with waiting for a connection, connecting, and all
 *                            that the server says; 60
 *   connections=N            at a time, of this loop; 8. They are kept open for 10 s after a mail
 *
 * Raises BIDE_INVALID for the URL, and when bide was built without libcurl (for `outbox:` it is not
 * needed); BIDE_NO_MEMORY. Host names are looked up by bide_resolve (name.h), within
 * the mail's timeout.
 */
bide_async(bide_mailer_ptr) bide_mailer_open(const char *url);

/* Closes it. Sends that are under way, and mails of bide_mail_later and bide_mail_after_commit, go
   on in the background; new ones get BIDE_CLOSED. NULL is allowed. */
bide_async(void) bide_mailer_close(bide_mailer_ptr mailer, bide_error *error);

SPAWNABLE(bide_mailer_ptr, bide_mailer_open, const char *)

/* with(bide_mailer, m, url) { ... } */
RESOURCE(bide_mailer, bide_mailer_ptr, bide_mailer_open, bide_mailer_close)

/*
 * Sends a mail: returns when the server has taken it over. Suspends. Raises the codes above,
 * BIDE_INVALID (error.field names the member), BIDE_LIMIT for a mail of more than
 * BIDE_CAP_MAIL_BYTES (1 MiB) or BIDE_CAP_MAIL_RECIPIENTS (100), BIDE_CLOSED, BIDE_CANCELLED. A
 * cancel ends the connection at once; if that comes after the whole mail was handed over, the
 * server may have it.
 */
bide_async(void) bide_mail_send(bide_mailer *m, const bide_mail *mail);

/*
 * Sends it in a background task (bide_background), again and again on BIDE_MAIL_LATER,
 * BIDE_UNREACHABLE, BIDE_TIMEOUT and BIDE_OUTCOME_UNKNOWN: BIDE_CAP_MAIL_TRIES (6) times, with
 * pauses that grow from 1 s to 4 minutes. Each try is the same mail, with the same Message-ID. A
 * mail that is given up, for that or any other error, is a line in the log.
 *
 * bide_mail_after_commit: from the commit of the outermost transaction on; never, if it, or one
 * around it, is rolled back. Nor when nobody knows which of them it was (BIDE_OUTCOME_UNKNOWN of
 * the transaction): that is a line in the log, and the caller, who gets the error, may send it
 * anew.
 *
 * Plain calls: never suspend. They raise what is wrong with the mail (BIDE_INVALID, BIDE_LIMIT) and
 * BIDE_LIMIT when BIDE_CAP_MAIL_WAITING (1,000) mails of this handle wait. An orderly stop waits
 * for them within the drain (runtime.h), without pauses; what is not sent then is given up. They
 * live in memory: a crash loses those that wait.
 */
void bide_mail_later(bide_mailer *m, const bide_mail *mail);
void bide_mail_after_commit(bide_tx *tx, bide_mailer *m, const bide_mail *mail);

SPAWNABLE(void, bide_mail_send, bide_mailer *, const bide_mail *)

/* ---- the outbox ---- */

/* A mail that an `outbox:` mailer took, of whichever loop. No text is NULL. */
typedef struct bide_outbox_mail {
    int64_t id;                                  /* 1 and up, in the order of sending */
    int64_t sent_at;                             /* microseconds since 1970 */
    const char *from, *to, *cc, *bcc, *reply_to; /* as given */
    const char *subject, *text, *html;
    const char *message_id; /* <...> */
    const char *source;     /* the whole message as it would have been sent */
} bide_outbox_mail;

typedef struct bide_outbox_mails {
    const bide_outbox_mail *items; /* the newest first */
    size_t count;
} bide_outbox_mails;

/* The last BIDE_CAP_OUTBOX_MAILS (100) mails, as far as BIDE_CAP_OUTBOX_BYTES (4 MiB) reach: the
   newest is always there. Copies, in bide_task_arena(). Of all recipients; or, with `to` not NULL,
   to this address (among to, cc, bcc; capitals do not matter). Raises BIDE_NO_MEMORY. Never
   suspends. */
bide_outbox_mails bide_outbox_list(const char *to);

/* The newest of them; NULL: there is none. */
const bide_outbox_mail *bide_outbox_last(const char *to);

/* Empties it; ids go on. Never suspends. */
void bide_outbox_clear(void);

/*
 * Adds to an application, before it starts, for development only (whoever can ask for them sees
 * every mail):
 *
 *   /dev/outbox        a page: the mails, newest first, their text with its links, their HTML as
 *                      source. No scripts; everything is escaped
 *   /dev/outbox.json   [{"id", "sent_at", "from", "to", "cc", "bcc", "reply_to", "subject", "text",
 *                      "html", "message_id"}, ...]; ?to=sam@example.org: those to this address
 */
void bide_outbox_routes(bide_app *app);

#endif
