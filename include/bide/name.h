/*
 * name.h: the addresses of a host name, as the system finds them: /etc/hosts, name servers.
 *
 *     bide_resolved_list of = await(bide_resolve("db.example.org", 5432));
 *     for (size_t i = 0; i < of.count; i++)
 *         puts(of.items[i].host);                          // "2001:db8::7", then "192.0.2.7"
 *
 * bide_connect_tcp (net.h) takes names by itself, and tries their addresses.
 *
 * Invariants
 *  1. The loop never waits: a name is looked up on a thread of its own, up to
 *     BIDE_CAP_NAME_THREADS (8) of them at a time in the process; further names wait for one.
 *  2. A deadline or cancel ends the await at once, also when a name server never answers: its
 *     thread goes on alone, and what it finds in the end is kept for whoever asks then.
 *  3. Tasks that ask for one name at a time share a lookup.
 *  4. What was found is kept for BIDE_CAP_NAME_TTL_S (30 s) from the question on, of up to
 *     BIDE_CAP_NAMES (256) names; that there was nothing, for BIDE_CAP_NAME_FAILED_S (1 s). The
 *     system does not tell for how long it holds.
 *  5. Numeric addresses, and "localhost" with all names below it (127.0.0.1, then ::1), are known
 *     without asking anybody.
 *
 * Sources: getaddrinfo(3), hosts(5), resolv.conf(5), RFC 6724 (the order of addresses), RFC 6761
 * section 6.3 (localhost).
 *
 * layer: io
 */
#ifndef BIDE_NAME_H
#define BIDE_NAME_H

#include <bide/net.h>

typedef struct bide_resolved {
    char host[64]; /* numeric: "192.0.2.7", "2001:db8::7", "fe80::1%eth0" */
    uint16_t port; /* as it was asked for */
} bide_resolved;

typedef struct bide_resolved_list {
    const bide_resolved *items; /* in the order in which they are to be tried; at least one */
    size_t count;
} bide_resolved_list;
AWAITABLE(bide_resolved_list);

/*
 * The addresses of a host: a name, or a numeric address, which is given as it is. Suspends unless
 * they are known. In the memory of bide_task_arena.
 *
 * Raises BIDE_UNREACHABLE: there is no such name, or no name server answered within the system's
 * own patience (resolv.conf(5): often 10 s). BIDE_INVALID: it is no host name (letters, digits,
 * `-`, `_` and `.`; a last part that is a number is an address or nothing). BIDE_LIMIT: too many
 * names are looked up already. BIDE_NO_MEMORY.
 */
bide_async(bide_resolved_list) bide_resolve(const char *host, uint16_t port);
SPAWNABLE(bide_resolved_list, bide_resolve, const char *, uint16_t)

#endif
