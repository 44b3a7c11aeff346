/*
 * mailer.c: opening and closing a mailer, and sending a mail once. Called by users and later.c;
 * calls url.c, message.c, and what the URL says: outbox.c, smtp.c.
 */
#include "mail/mail.h"

#include "base/mem.h"
#include "core/error.h"
#include "core/graph.h"
#include "db/db.h"

#include <errno.h>

static const struct bide__kind kind_mailer = {.noun = "mailer", .verb = "waits for"};

void bide__mailer_use(bide_mailer *m)
{
    m->users++;
}

void bide__mailer_unuse(void *mailer)
{
    bide_mailer *m = mailer;
    if (--m->users > 0)
        return;
    bide__smtp_free(m->smtp);
    bide_arena_done(&m->arena);
    bide__free(m);
}

bide_async(bide_mailer_ptr) bide_mailer_open(const char *url)
{
    bide_mailer *m = bide__calloc(1, sizeof *m);
    if (!m)
        bide__raise(-ENOMEM, NULL);
    m->users = 1;
    m->loop = bide__loop_here;
    bide__object_init(&m->object, &kind_mailer, "", bide__current->at);
    bide_arena_init(&m->arena, NULL, 16 * BIDE_CAP_MAIL_URL_BYTES);
    bide_on_error(bide__mailer_unuse, m);
    const char *problem = bide__mail_url_parse(&m->arena, url, &m->url);
    if (problem == bide__mail_no_memory)
        bide__raise(-ENOMEM, NULL);
    if (problem)
        bide__fail(bide__current->at, bide_error_new(BIDE_INVALID, "the mail URL: %s", problem));
    if (m->url.outbox)
        return bide_ready(bide_mailer_ptr, m);
    problem = bide__smtp_missing();
    if (problem)
        bide__fail(bide__current->at, bide_error_new(BIDE_INVALID, "mail: %s", problem));
    int code = bide__smtp_new(&m->url, &m->smtp);
    if (code < 0)
        bide__raise(code, &m->object);
    return bide_ready(bide_mailer_ptr, m);
}

bide_async(void) bide_mailer_close(bide_mailer_ptr m, bide_error *error)
{
    (void)error;
    if (!m)
        return bide_void;
    m->closed = true;
    bide__mailer_unuse(m);
    return bide_void;
}

void bide__mailer_check(const bide_mailer *m)
{
    if (bide__unlikely(m->loop != bide__loop_here))
        bide__misuse("a mailer is used on loop %d: it belongs to loop %d", bide__loop_here->index,
                     m->loop->index);
    if (m->closed)
        bide__fail(bide__current->at, bide_error_new(BIDE_CLOSED, "the mailer was closed"));
}

bide_async(void) bide__mailer_send(bide_mailer *m, const struct bide__message *message)
{
    struct bide_task *me = bide__task_current();
    if (m->smtp)
        return bide__smtp_send(m->smtp, message);
    int code = bide__checkpoint(me);
    if (code == 0)
        code = bide__outbox_add(message);
    if (code < 0)
        bide__raise(code, &m->object);
    bide__effect_note();
    bide__done_at_once(me);
    return bide_void;
}

bide_async(void) bide_mail_send(bide_mailer *m, const bide_mail *mail)
{
    bide__mailer_check(m);
    bide__tx_report_wait("a mail is sent");
    struct bide__message *message = bide__message_new(mail, m->url.outbox);
    bide_defer(bide__message_free, message);
    bide__mailer_use(m);
    bide_defer(bide__mailer_unuse, m);
    (void)bide_await(bide__mailer_send(m, message));
    return bide_void;
}
