/*
 * The event; include/bide/event.h has the semantics. Called by users; calls the wait mechanism of
 * core/loop.h. Anybody may set it, so it has no holders in the wait graph.
 */
#include "sync/sync.h"

#include <bide/event.h>

static const struct bide__kind event_kind = {.noun = "event", .verb = "waits for"};

void bide__event_init(bide_event *event, const char *name, const struct bide_site *made)
{
    *event = (bide_event){.set = false};
    bide__object_init(&event->object, &event_kind, name, made);
}

void bide_event_set(bide_event *event)
{
    BIDE__IN_ORDER(event);
    event->set = true;
    bide__wake_all(&event->waiting, 0);
}

bide_async(void) bide_event_wait(bide_event *event)
{
    struct bide_task *me = bide__task_current();
    int result = bide__checkpoint(me);
    BIDE__IN_ORDER(event);
    if (bide__likely(result == 0)) {
        if (event->set) {
            bide__done_at_once(me);
            return bide_void;
        }
        bide__object_ready(&event->object, &event_kind);
        bide__check_loop(me, bide__first_waiting(&event->waiting), "event");
        struct bide__wait wait = {.payload = NULL};
        result = bide__wait(me, &event->waiting, &wait, &event->object);
        if (bide__likely(result == 0))
            return bide_void;
    }
    bide__raise(result, &event->object);
}
