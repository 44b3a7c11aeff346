/*
 * What every page has: its frame, the files it loads, and what machines ask (health).
 */
#ifndef FRODO_SITE_H
#define FRODO_SITE_H

#include "accounts/accounts.h"

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

#endif
