/*
 * An application on a real socket, for what the client inside the program does not show.
 */
#ifndef TESTS_UNIT_WEB_SOCKET_CASE_H
#define TESTS_UNIT_WEB_SOCKET_CASE_H

#include "web_case.h"

static async(void) serve_app(bide_listener_ptr listener, bide_app_ptr app);
SPAWNABLE(void, serve_app, bide_listener_ptr, bide_app_ptr)
static async(void) serve_app(bide_listener_ptr listener, bide_app_ptr app)
{
    await(bide_app_serve(app, listener, NULL));
    return bide_void;
}

/* All that comes back for these bytes, which ask for the connection to be closed. With a NUL. */
__attribute__((unused)) static void talk(uint16_t port, const char *request, char *answer,
                                         size_t room) BIDE__TASK;
static void talk(uint16_t port, const char *request, char *answer, size_t room)
{
    size_t length = 0, got;
    with(bide_tcp, stream, "127.0.0.1", port) {
        await(bide_write(stream, request, strlen(request)));
        while (length < room - 1 &&
               (got = await(bide_read(stream, answer + length, room - 1 - length))) > 0)
            length += got;
    }
    answer[length] = 0;
}

/* Serves the application while the body runs, and frees it: with_server(app, port) { ... } */
#define with_server(app, port, body)                                                               \
    with(bide_tcp_listener, listener_, "127.0.0.1", 0, NULL) {                                     \
        uint16_t port = bide_listener_port(listener_);                                             \
        with_group(group_) {                                                                       \
            spawn_void(group_, serve_app, listener_, app);                                         \
            body bide_group_cancel(group_, "the test is over");                                    \
        }                                                                                          \
        bide_app_free(app);                                                                        \
    }

#endif
