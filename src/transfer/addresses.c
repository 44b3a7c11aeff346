/*
 * addresses.c: the addresses of a host for libcurl, which would ask on a thread for each transfer,
 * and keep what it finds for itself. Called by those who have URLs; calls io/name.c.
 *
 * Source: libcurl's manual page CURLOPT_RESOLVE(3).
 */
#include "transfer/transfer.h"

#if BIDE_CURL
#include "io/name.h"

#include <bide/net.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* "+host:port:address,address", without brackets. */
struct curl_slist *bide__transfer_addresses(const char *host, uint16_t port)
{
    struct bide__address found[BIDE_CAP_NAME_ADDRESSES];
    char line[BIDE_CAP_NAME_BYTES +
              sizeof "+:65535:" + BIDE_CAP_NAME_ADDRESSES * BIDE_ADDRESS_BYTES];
    if (*host == '[')
        return NULL;
    if (bide__address_parse(host, port, &found[0]) == 0 && strcmp(host, "localhost") != 0)
        return NULL;
    size_t count = bide__name_addresses(host, port, found);
    size_t length = (size_t)snprintf(line, sizeof line, "+%s:%u:", host, port);
    for (size_t i = 0; i < count; i++) {
        char address[BIDE_ADDRESS_BYTES];
        bide__address_host(&found[i], address, sizeof address);
        length += (size_t)snprintf(line + length, sizeof line - length, "%s%s", i > 0 ? "," : "",
                                   address);
    }
    struct curl_slist *list = curl_slist_append(NULL, line);
    if (!list)
        bide__raise(-ENOMEM, NULL);
    return list;
}
#endif
