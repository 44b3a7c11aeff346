/*
 * Echo: a TCP server and its clients, in one program.
 *
 * One task accepts, each connection has a task of its own that reads and writes in a straight line.
 * No call takes a timeout: the deadline stands around it. The server is cancelled when the clients
 * are done; what it had open is closed on the way out.
 */
#include <bide/bide.h>

#include <stdio.h>
#include <string.h>

SPAWNABLE(void, serve, bide_stream_ptr)
async(void) serve(bide_stream_ptr stream)
{
    char buffer[256];
    size_t length;
    defer(bide_close_stream, stream);
    while ((length = await(bide_read(stream, buffer, sizeof buffer))) > 0)
        await(bide_write(stream, buffer, length));
    return bide_void;
}

SPAWNABLE(void, accept_all, bide_listener_ptr)
async(void) accept_all(bide_listener_ptr listener)
{
    with_group(connections) {
        for (;;)
            spawn_void(connections, serve, await(bide_accept(listener)));
    }
    return bide_void;
}

SPAWNABLE(int, talk, uint16_t, int)
async(int) talk(uint16_t port, int number)
{
    char line[64], answer[64] = "";
    size_t length = (size_t)snprintf(line, sizeof line, "client %d says hello", number);
    with_deadline(bide_s(5)) {
        with(bide_tcp, stream, "127.0.0.1", port) {
            await(bide_write(stream, line, length));
            await(bide_read_exactly(stream, answer, length));
        }
    }
    return ready(int, strcmp(line, answer) == 0);
}

static async(void) app(void)
{
    with(bide_tcp_listener, listener, "127.0.0.1", 0, NULL) {
        with_group(g) {
            task(void) server = spawn(g, accept_all, listener);
            int echoed = 0;
            for (int i = 0; i < 20; i++)
                echoed += await(talk(bide_listener_port(listener), i));
            printf("%d of 20 clients heard their own words\n", echoed);
            bide_cancel(server, "the clients are done");
        }
    }
    printf("the server has stopped\n");
    return bide_void;
}

int main(void)
{
    return bide_run(app);
}
