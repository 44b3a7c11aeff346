/* The echo server on bide: a task per connection, straight-line code. It prints `PORT n` and serves
 * until it is killed, as rival_echo.c does. */
#include <bide/bide.h>

#include <stdio.h>
#include <unistd.h>

enum { BUFFER_BYTES = 4096, LIFETIME_S = 120 };

SPAWNABLE(void, echo, bide_stream_ptr)
async(void) echo(bide_stream_ptr stream)
{
    char buffer[BUFFER_BYTES];
    size_t size;
    while ((size = await(bide_read(stream, buffer, sizeof buffer))) > 0)
        await(bide_write(stream, buffer, size));
    return bide_void;
}

/* A peer that breaks off ends its own connection only. */
SPAWNABLE(void, serve, bide_stream_ptr)
async(void) serve(bide_stream_ptr stream)
{
    bide_error *error;
    defer(bide_close_stream, stream);
    attempt(&error, echo, stream);
    return bide_void;
}

static async(void) run(void)
{
    with(bide_tcp_listener, listener, "127.0.0.1", 0, NULL) {
        printf("PORT %d\n", bide_listener_port(listener));
        fflush(stdout);
        with_group(connections) {
            for (;;)
                spawn_void(connections, serve, await(bide_accept(listener)));
        }
    }
    return bide_void;
}

int main(void)
{
    alarm(LIFETIME_S); /* nobody is left to kill it when the runner died */
    return bide_run(run);
}
