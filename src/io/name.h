/*
 * Addresses of host names. Called by connect.c, and by users through include/bide/name.h.
 */
#ifndef BIDE_IO_NAME_H
#define BIDE_IO_NAME_H

#include "base/caps.h"
#include "io/address.h"

#include <bide/task.h>

/* The addresses of a host, with this port, in the order in which they are to be tried; at least
   one. Suspends unless they are known. Raises what bide_resolve says. */
size_t bide__name_addresses(const char *host, uint16_t port,
                            struct bide__address ret_addresses[BIDE_CAP_NAME_ADDRESSES]) BIDE__TASK;

/* Where names are looked up: getaddrinfo(3), or what a test puts here, before any lookup. On a
   thread without a loop. 0 with 1 to BIDE_CAP_NAME_ADDRESSES addresses, or EAI_...; with EAI_SYSTEM
   errno says why. */
extern int (*bide__name_source)(const char *host, struct bide__address *ret_addresses,
                                size_t *ret_count);

#endif
