/*
 * later.c: mails that are sent in the background, again and again, and those that wait for a
 * commit. Called by users; calls message.c and mailer.c, and the hooks of src/db.
 *
 *     HELD --commit--> RELEASED --sent, or given up--> freed
 *       +----rollback, or nobody knows--> DROPPED --> freed
 *
 * Invariants
 *  1. What is needed after the commit is there before, the task too: a hook neither allocates nor
 *     suspends. A task that is held waits in its own frame.
 *  2. The task and the transaction's hooks have a reference each: a cancel may come first.
 */
#include "mail/mail.h"

#include "base/mem.h"
#include "core/error.h"
#include "core/graph.h"

#include <bide/log.h>

#include <errno.h>

enum later_state { HELD, RELEASED, DROPPED };

struct bide__later {
    bide_mailer *m;
    struct bide__message *message;
    enum later_state state;
    uint32_t users;
    unsigned tries;
    struct bide__queue queue; /* the task, while it is held */
    struct bide__object object;
};

typedef struct bide__later *later_ptr;

static const struct bide__kind kind_commit = {.noun = "the commit of", .verb = "waits for"};

static void unuse(void *later_)
{
    struct bide__later *later = later_;
    if (--later->users > 0)
        return;
    later->m->waiting--;
    bide__message_free(later->message);
    bide__mailer_unuse(later->m);
    bide__free(later);
}

/* ---- the task ---- */

static bide_async(void) send_once(later_ptr later);
SPAWNABLE(void, send_once, later_ptr)
static bide_async(void) send_once(later_ptr later)
{
    return bide__mailer_send(later->m, later->message);
}

static bool may_help(int code)
{
    return code == BIDE_MAIL_LATER || code == BIDE_UNREACHABLE || code == BIDE_TIMEOUT ||
           code == BIDE_OUTCOME_UNKNOWN;
}

/* Also when main has ended by itself: background work has the drain left. */
static bool is_ending(void)
{
    return bide_stopping() || !bide__loop_here->main_task;
}

/* Looks now and then whether the program stops: then a pause ends. */
static bide_async(void) pause_for(int64_t ms)
{
    for (int64_t slept_ms = 0; slept_ms < ms && !is_ending();
         slept_ms += BIDE_CAP_MAIL_PAUSE_STEP_MS)
        (void)bide_await(bide_sleep(bide_ms(BIDE_CAP_MAIL_PAUSE_STEP_MS)));
    return bide_void;
}

static void give_up(const struct bide__later *later, const char *why)
{
    bide_log(BIDE_LOG_ERROR, "mail %s to %s%s was given up after %u tries: %s", later->message->id,
             later->message->recipients[0],
             later->message->recipient_count > 1 ? " and others" : "", later->tries, why);
}

static void cancelled(void *later_)
{
    const struct bide__later *later = later_;
    if (later->state == RELEASED)
        give_up(later, "its task was cancelled");
}

static bide_async(void) send_until_done(struct bide__later *later)
{
    int64_t pause_ms = BIDE_CAP_MAIL_RETRY_FIRST_MS;
    for (;;) {
        bide_error *error;
        bool last = ++later->tries == BIDE_CAP_MAIL_TRIES || is_ending();
        bide_attempt(&error, send_once, later);
        if (!error)
            return bide_void;
        if (error->is_cancel)
            bide_fail(error);
        if (last || !may_help(error->code)) {
            give_up(later, error->message);
            return bide_void;
        }
        (void)bide_await(pause_for(pause_ms));
        pause_ms *= BIDE_CAP_MAIL_RETRY_FACTOR;
    }
}

static bide_async(void) deliver(later_ptr later);
SPAWNABLE(void, deliver, later_ptr)
static bide_async(void) deliver(later_ptr later)
{
    struct bide_task *me = bide__task_current();
    bide_defer(unuse, later);
    bide_on_cancel(cancelled, later);
    int code = bide__checkpoint(me);
    if (code == 0 && later->state == HELD) {
        struct bide__wait wait = {.payload = NULL};
        code = bide__wait(me, &later->queue, &wait, &later->object);
    }
    if (code < 0)
        bide__raise(code, &later->object);
    if (later->state == RELEASED)
        (void)bide_await(send_until_done(later));
    return bide_void;
}

/* ---- what users call ---- */

static void decide(struct bide__later *later, enum later_state state)
{
    later->state = state;
    bide__wake_all(&later->queue, 0);
    unuse(later);
}

static void committed(void *later)
{
    bide__effect_note();
    decide(later, RELEASED);
}

static void rolled_back(void *later)
{
    decide(later, DROPPED);
}

/* Mails of what was never saved would be worse than none. */
static void unknown(void *later_)
{
    struct bide__later *later = later_;
    if (later->state == HELD)
        bide_log(BIDE_LOG_ERROR,
                 "mail %s to %s%s is not sent: nobody knows whether its transaction was committed",
                 later->message->id, later->message->recipients[0],
                 later->message->recipient_count > 1 ? " and others" : "");
    decide(later, DROPPED);
}

/* With one reference: the caller's. */
static struct bide__later *make(bide_mailer *m, const bide_mail *mail)
{
    bide__mailer_check(m);
    if (m->waiting >= BIDE_CAP_MAIL_WAITING)
        bide__fail(
            bide__current->at,
            bide_error_new(BIDE_LIMIT, "mail: %zu mails wait to be sent already", m->waiting));
    struct bide__message *message = bide__message_new(mail, m->url.outbox);
    bide_on_error(bide__message_free, message);
    struct bide__later *later = bide__calloc(1, sizeof *later);
    if (!later)
        bide__raise(-ENOMEM, NULL);
    *later = (struct bide__later){.m = m, .message = message, .users = 1};
    bide__object_init(&later->object, &kind_commit, "a transaction", bide__current->at);
    m->waiting++;
    bide__mailer_use(m);
    return later;
}

static void start(struct bide__later *later)
{
    bide_spawn_void(bide_background(), deliver, later);
    later->users++;
}

void bide_mail_later(bide_mailer *m, const bide_mail *mail)
{
    struct bide__later *later = make(m, mail);
    bide_defer(unuse, later);
    later->state = RELEASED;
    start(later);
    bide__effect_note();
}

void bide_mail_after_commit(bide_tx *tx, bide_mailer *m, const bide_mail *mail)
{
    struct bide__later *later = make(m, mail);
    {
        bide_on_error(rolled_back, later);
        start(later);
        bide_tx_on_rollback(tx, rolled_back, later);
    }
    bide_tx_on_unknown(tx, unknown, later);
    bide_tx_on_commit(tx, committed, later);
}
