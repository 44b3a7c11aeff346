/*
 * outbox.c: the last mails of `outbox:` mailers, in the memory of the process, for all loops.
 * Called by mailer.c, outbox_page.c and users.
 *
 * Invariants
 *  1. `mails` is in the order of sending; at most BIDE_CAP_OUTBOX_MAILS are there, and no more
 *     bytes than BIDE_CAP_OUTBOX_BYTES, but for one that is larger by itself.
 *  2. The lock is held for a look, a copy or a change, and by nobody who waits for anything.
 */
#include "mail/mail.h"

#include "base/mem.h"
#include "core/error.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <strings.h>

/* Its texts lie behind it. */
struct kept {
    struct bide__list_node node; /* in `mails` */
    size_t bytes;
    const char *recipients; /* addresses, a line each */
    bide_outbox_mail mail;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct bide__list mails = {{&mails.head, &mails.head}};
static size_t count, bytes;
static int64_t last_id;

static void take_out(struct kept *kept)
{
    bide__list_remove(&kept->node);
    count--;
    bytes -= kept->bytes;
    bide__free(kept);
}

static struct kept *oldest(void)
{
    return bide__container_of(bide__list_first(&mails), struct kept, node);
}

static size_t recipients_bytes(const struct bide__message *message)
{
    size_t size = 1;
    for (size_t i = 0; i < message->recipient_count; i++)
        size += strlen(message->recipients[i]) + 1;
    return size;
}

static char *put_text(char *at, const char *text, const char **ret_copy)
{
    size_t size = strlen(text) + 1;
    *ret_copy = memcpy(at, text, size);
    return at + size;
}

static void fill(struct kept *kept, const struct bide__message *message)
{
    const bide_mail *given = &message->given;
    bide_outbox_mail *mail = &kept->mail;
    char *at = (char *)(kept + 1);
    at = put_text(at, given->from, &mail->from);
    at = put_text(at, given->to, &mail->to);
    at = put_text(at, given->cc, &mail->cc);
    at = put_text(at, given->bcc, &mail->bcc);
    at = put_text(at, given->reply_to, &mail->reply_to);
    at = put_text(at, given->subject, &mail->subject);
    at = put_text(at, given->text, &mail->text);
    at = put_text(at, given->html, &mail->html);
    at = put_text(at, message->id, &mail->message_id);
    mail->source = memcpy(at, message->data, message->size);
    at[message->size] = 0;
    at += message->size + 1;
    kept->recipients = at;
    for (size_t i = 0; i < message->recipient_count; i++) {
        size_t length = strlen(message->recipients[i]);
        memcpy(at, message->recipients[i], length);
        at[length] = '\n';
        at += length + 1;
    }
    *at = 0;
}

int bide__outbox_add(const struct bide__message *message)
{
    const bide_mail *given = &message->given;
    const char *texts[] = {given->from,    given->to,   given->cc,   given->bcc, given->reply_to,
                           given->subject, given->text, given->html, message->id};
    size_t size = sizeof(struct kept) + message->size + 1 + recipients_bytes(message);
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        size += strlen(texts[i]) + 1;
    struct kept *kept = bide__alloc(size);
    if (!kept)
        return -ENOMEM;
    *kept = (struct kept){.bytes = size, .mail.sent_at = bide_now_us()};
    bide__list_node_init(&kept->node);
    fill(kept, message);
    pthread_mutex_lock(&lock);
    kept->mail.id = ++last_id;
    bide__list_push_back(&mails, &kept->node);
    count++;
    bytes += size;
    while (count > BIDE_CAP_OUTBOX_MAILS || (bytes > BIDE_CAP_OUTBOX_BYTES && count > 1))
        take_out(oldest());
    pthread_mutex_unlock(&lock);
    return 0;
}

/* ---- looking ---- */

static bool is_to(const struct kept *kept, const char *address)
{
    size_t length = address ? strlen(address) : 0;
    if (!address)
        return true;
    for (const char *at = kept->recipients; *at; at = strchr(at, '\n') + 1)
        if (strcspn(at, "\n") == length && strncasecmp(at, address, length) == 0)
            return true;
    return false;
}

/* False: no memory. */
static bool copy(bide_arena *arena, const struct kept *kept, bide_outbox_mail *to)
{
    const struct kept *copied = bide_arena_copy(arena, kept, kept->bytes);
    if (!copied)
        return false;
    const char **texts[] = {&to->from,    &to->to,   &to->cc,   &to->bcc,        &to->reply_to,
                            &to->subject, &to->text, &to->html, &to->message_id, &to->source};
    *to = kept->mail;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        *texts[i] = (const char *)copied + (*texts[i] - (const char *)kept);
    return true;
}

/* At most `most` of them, the newest first; false: no memory. Under the lock. */
static bool copy_all(bide_arena *arena, const char *address, size_t most, bide_outbox_mail *items,
                     size_t *ret_count)
{
    size_t found = 0;
    for (struct bide__list_node *node = mails.head.previous; node != &mails.head && found < most;
         node = node->previous) {
        const struct kept *kept = bide__container_of(node, struct kept, node);
        if (is_to(kept, address) && !copy(arena, kept, &items[found++]))
            return false;
    }
    *ret_count = found;
    return true;
}

static bide_outbox_mails look(const char *address, size_t most)
{
    bide_arena *arena = bide_task_arena();
    size_t found = 0;
    bide_outbox_mail *items = arena ? bide_arena_alloc_zero(arena, most, sizeof *items) : NULL;
    bool good = items;
    if (good) {
        pthread_mutex_lock(&lock);
        good = copy_all(arena, address, most, items, &found);
        pthread_mutex_unlock(&lock);
    }
    if (!good)
        bide__raise(-ENOMEM, NULL);
    return (bide_outbox_mails){items, found};
}

bide_outbox_mails bide_outbox_list(const char *to)
{
    return look(to, BIDE_CAP_OUTBOX_MAILS);
}

const bide_outbox_mail *bide_outbox_last(const char *to)
{
    bide_outbox_mails one = look(to, 1);
    return one.count ? one.items : NULL;
}

void bide_outbox_clear(void)
{
    pthread_mutex_lock(&lock);
    while (!bide__list_empty(&mails))
        take_out(oldest());
    pthread_mutex_unlock(&lock);
}
