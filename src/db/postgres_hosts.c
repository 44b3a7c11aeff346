/*
 * postgres_hosts.c: the addresses of the hosts in a connection URL, by bide_resolve: libpq would
 * ask for each connection, and nobody could leave it before the system's own patience ends. Called
 * by postgres_connect.c.
 *
 *     host=a,b port=5432    ->    host=a,a,b  hostaddr=192.0.2.1,2001:db8::1,192.0.2.2
 *                                 port=5432,5432,5432
 *
 * libpq tries them in that order, as it does with the addresses that it finds by itself. The host
 * stays beside its address: it is what a certificate is for.
 *
 * Source: PostgreSQL: libpq-connect "Parameter Key Words" (hostaddr), "Specifying Multiple Hosts".
 */
#include "db/postgres.h"

#if BIDE_POSTGRES
#include "base/slice.h"
#include "core/error.h"
#include "io/name.h"

#include <bide/net.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { HOSTS_BYTES = 65536 };

/* A host and its port of the lists. */
struct asked {
    struct bide__pg_hosts *to;
    struct bide__slice host, port;
};

static void add(struct bide__pg_hosts *to, struct bide__slice host, const char *address,
                struct bide__slice port)
{
    const char *comma = to->count++ > 0 ? "," : "";
    bide_buf_printf(&to->hosts, "%s%.*s", comma, (int)host.length, host.bytes);
    bide_buf_printf(&to->addresses, "%s%s", comma, address);
    bide_buf_printf(&to->ports, "%s%.*s", comma, (int)port.length, port.bytes);
}

static void find(void *asked_) BIDE__UNCHECKED
{
    const struct asked *asked = asked_;
    struct bide__address found[BIDE_CAP_NAME_ADDRESSES];
    char host[BIDE_CAP_NAME_BYTES + 1];
    snprintf(host, sizeof host, "%.*s", (int)asked->host.length, asked->host.bytes);
    size_t count = bide__name_addresses(host, 0, found);
    for (size_t i = 0; i < count; i++) {
        char text[BIDE_ADDRESS_BYTES];
        bide__address_host(&found[i], text, sizeof text);
        add(asked->to, asked->host, text, asked->port);
    }
}

/* Whether libpq has nothing to look up: a folder of sockets, an address, an empty host. */
static bool is_no_name(struct bide__slice host)
{
    return host.length == 0 || host.length > BIDE_CAP_NAME_BYTES || host.bytes[0] == '/' ||
           host.bytes[0] == '@';
}

/* The next of a list with commas; the last one for ever if there is only one. */
static struct bide__slice next_of(struct bide__slice *rest, bool only)
{
    struct bide__slice one = *rest;
    if (!only && !bide__slice_split(rest, ',', &one)) {
        one = *rest;
        *rest = bide__slice(rest->bytes, 0);
    }
    return one;
}

static size_t count_of(struct bide__slice list)
{
    size_t count = 1;
    for (size_t i = 0; i < list.length; i++)
        count += list.bytes[i] == ',';
    return count;
}

/* Whether all may be ports; "": libpq's default. */
static bool are_ports(struct bide__slice ports)
{
    for (size_t i = count_of(ports); i > 0; i--) {
        struct bide__slice one = next_of(&ports, false);
        unsigned number = 1;
        for (size_t at = 0; at < one.length && number <= 65535; at++)
            number = one.bytes[at] < '0' || one.bytes[at] > '9'
                         ? 65536
                         : (at > 0 ? 10 * number : 0) + (unsigned)(one.bytes[at] - '0');
        if (number == 0 || number > 65535)
            return false;
    }
    return true;
}

/* Every host of the URL; one that has no address is left out while others have one, as libpq does.
 */
static void find_all(struct bide__pg_hosts *to, const char *host_list,
                     const char *port_list) BIDE__TASK;
static void find_all(struct bide__pg_hosts *to, const char *host_list, const char *port_list)
{
    struct bide__slice hosts = bide__slice_of(host_list), ports = bide__slice_of(port_list);
    size_t count = count_of(hosts), port_count = count_of(ports);
    bide_error *last = NULL;
    if ((port_count != 1 && port_count != count) || !are_ports(ports))
        return; /* libpq says what is wrong */
    for (size_t i = 0; i < count; i++) {
        struct asked asked = {to, next_of(&hosts, false), next_of(&ports, port_count == 1)};
        if (is_no_name(asked.host)) {
            add(to, asked.host, "", asked.port);
            continue;
        }
        bide_error *error = bide__boundary(find, &asked);
        if (error && error->code != BIDE_UNREACHABLE)
            bide__fail(bide__current->at, error);
        last = error ? error : last;
    }
    if (to->count == 0 && last)
        bide__fail(bide__current->at, last);
}

static void free_options(void *options)
{
    PQconninfoFree(options);
}

void bide__pg_hosts_find(struct bide__pg_hosts *to, const char *url)
{
    const char *host = NULL, *address = NULL, *port = NULL, *service = NULL;
    *to = (struct bide__pg_hosts){.count = 0};
    bide_buf_init(&to->hosts, HOSTS_BYTES);
    bide_buf_init(&to->addresses, HOSTS_BYTES);
    bide_buf_init(&to->ports, HOSTS_BYTES);
    PQconninfoOption *options = PQconninfoParse(url, NULL);
    if (!options)
        return; /* libpq says what is wrong */
    bide_defer(free_options, options);
    for (const PQconninfoOption *o = options; o->keyword; o++) {
        if (strcmp(o->keyword, "host") == 0)
            host = o->val;
        else if (strcmp(o->keyword, "hostaddr") == 0)
            address = o->val;
        else if (strcmp(o->keyword, "port") == 0)
            port = o->val;
        else if (strcmp(o->keyword, "service") == 0)
            service = o->val;
    }
    if (host && !address && !service && !getenv("PGHOSTADDR"))
        find_all(to, host, port ? port : getenv("PGPORT") ? getenv("PGPORT") : "");
    if (bide_buf_error(&to->hosts) || bide_buf_error(&to->addresses) || bide_buf_error(&to->ports))
        bide__raise(-ENOMEM, NULL);
}

void bide__pg_hosts_done(void *hosts)
{
    struct bide__pg_hosts *of = hosts;
    bide_buf_done(&of->hosts);
    bide_buf_done(&of->addresses);
    bide_buf_done(&of->ports);
}
#endif
