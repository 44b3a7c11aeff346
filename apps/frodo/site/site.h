/*
 * What every page has: its frame, the files it loads; how failures look; and what machines ask
 * (health).
 */
#ifndef FRODO_SITE_H
#define FRODO_SITE_H

#include "accounts/accounts.h"

LINK(to_index, show_index);

MODEL(health, "", (str, status));

/* What the frame of every page says: who is logged in, and which menus there are. */
MODEL(frame, "", (str, visitor, optional), (bool, may_write_posts), (bool, may_moderate),
      (bool, may_see_users));

PROVIDER(frame, frame_of_page, depends(const account *, who, somebody))
{
    frame seen = {.visitor = NULL};
    if (who)
        seen = (frame){.visitor = who->username,
                       .may_write_posts = account_may(who, "posts:write"),
                       .may_moderate = account_may(who, "comments:moderate"),
                       .may_see_users = account_may(who, "users:read")};
    provide(seen);
}

/* A failure, in that frame. */
MODEL(error_page, "", (i32, status), (str, heading), (str, detail, optional), (str, id, optional),
      (list(str), problems));

error_page error_page_of(bide_request *req);

PROVIDER(error_page, page_of_error)
{
    provide(error_page_of(req));
}

#endif
