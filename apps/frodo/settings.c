/*
 * Reading the settings, and what one may be in production. Types and limits of each are in its
 * model (frodo.h). Called by main.c and app.c before anything is opened.
 */
#include "frodo.h"

#include <string.h>

/* How many different characters a text has: a key like "aaaa..." or "0123..." has few. */
static int variety_of(const char *text)
{
    bool seen[256] = {false};
    int count = 0;
    for (const unsigned char *at = (const unsigned char *)text; *at; at++) {
        count += !seen[*at];
        seen[*at] = true;
    }
    return count;
}

bide_settings *frodo_settings_read(bide_arena *arena)
{
    /* Kubernetes and Docker tell of a service named frodo by the last two. */
    static const char *const others[] = {"FRODO_FOLDER", "FRODO_SERVICE_*", "FRODO_PORT*", NULL};
    return bide_settings_read(frodo_settings, .file = "frodo.env", .strict = "FRODO_",
                              .others = others, .arena = arena);
}

static const char *key_problem(const frodo_settings *set)
{
    const char *key = set->secret_key.text;
    if (!key)
        return "SECRET_KEY is missing: 32 random characters or more, the same in all processes";
    if (variety_of(key) < 12 || strcasestr(key, "secret") || strcasestr(key, "change"))
        return "SECRET_KEY is not random: `openssl rand -base64 48` makes one";
    return NULL;
}

const char *frodo_settings_problem(const frodo_settings *set)
{
    if (set->codes == code_place_redis && !set->redis_url)
        return "CODES=redis needs REDIS_URL";
    if (set->mode != run_mode_production)
        return NULL;
    if (set->demo)
        return "FRODO_DEMO is for development: `frodo adduser --admin` makes an administrator";
    if (strncmp(set->public_url, "https://", 8) != 0)
        return "PUBLIC_URL is not https: cookies and links in mails need it in production";
    if (strncmp(set->smtp_url, "outbox:", 7) == 0)
        return "SMTP_URL is missing: in production mails are not kept on a page";
    return key_problem(set);
}

/* Development works without a key. */
const char *frodo_key(const frodo_settings *set)
{
    const char *key = set->secret_key.text;
    return key ? key : "development only: everybody knows this key";
}
