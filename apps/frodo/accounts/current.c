/*
 * Who asks: the account behind a request's token or cookie. Called by the providers of accounts.h.
 */
#include "accounts/accounts.h"

#include <string.h>

bool account_may(const account *who, const char *permission)
{
    for (size_t i = 0; i < who->permissions.count; i++)
        if (strcmp(who->permissions.items[i], permission) == 0)
            return true;
    return false;
}

async(account_ptr) account_of_request(bide_request *req, const char *token)
{
    (void)req;
    (void)token;
    return ready(account_ptr, NULL);
}
