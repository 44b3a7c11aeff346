/*
 * What every page has: its frame, the files it loads, and what machines ask (health).
 */
#ifndef FRODO_SITE_H
#define FRODO_SITE_H

#include "accounts/accounts.h"

MODEL(health, "", (str, status));

#endif
