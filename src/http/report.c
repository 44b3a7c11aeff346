/*
 * What holds a stop: the exchanges under way, one line each. Called by server.c when its lame duck
 * is over and by the runtime when the drain is; calls what handlers call.
 */
#include "http/connection.h"

#include "core/graph.h"

#include <stdio.h>

/* lines of one report, and bytes of a path in it */
enum { REPORT_LINES = 20, REPORT_PATH_BYTES = 100 };

static void tell_one(struct bide__http_connection *connection, void (*say)(const char *line))
{
    struct bide_exchange *exchange =
        connection->buffers->serving ? &connection->buffers->exchange : NULL;
    char line[768], doing[384], peer[BIDE__HTTP_ADDRESS_BYTES + 1];
    bide__task_doing(connection->task, doing, sizeof doing);
    if (exchange) {
        bide_text method = bide_request_method(exchange), path = bide_request_path(exchange);
        bide_text client = bide_request_client(exchange);
        int64_t since_ns = connection->server->loop->now_ns - exchange->since_ns;
        bool cut = path.length > REPORT_PATH_BYTES;
        snprintf(line, sizeof line, "%.*s %.*s%s of %.*s, for %.1f s: %s", (int)method.length,
                 method.at, cut ? REPORT_PATH_BYTES : (int)path.length, path.at, cut ? "..." : "",
                 (int)client.length, client.at, (double)since_ns / 1e9, doing);
    } else {
        peer[bide__http_address_format(&connection->peer, peer)] = 0;
        snprintf(line, sizeof line, "no request yet of %s: %s", peer, doing);
    }
    say(line);
}

void bide__http_report(struct bide__http_server *server, void (*say)(const char *line))
{
    int told = 0;
    bide__list_foreach(node, &server->working)
    {
        const struct bide__http_buffers *buffers =
            bide__container_of(node, struct bide__http_buffers, working);
        if (!buffers->connection)
            continue;
        if (told < REPORT_LINES)
            tell_one(buffers->connection, say);
        told++;
    }
    if (told > REPORT_LINES) {
        char line[32];
        snprintf(line, sizeof line, "and %d more", told - REPORT_LINES);
        say(line);
    }
}
