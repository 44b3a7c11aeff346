/*
 * Datagrams: a server that answers, and a client that asks until it has an answer.
 *
 * A datagram may get lost: move_on_after bounds each wait, and the client asks again. One that is
 * longer than the buffer is cut, and that is told.
 */
#include <bide/bide.h>

#include <stdio.h>

SPAWNABLE(void, answer, bide_udp *)
async(void) answer(bide_udp *udp)
{
    char question[64];
    for (int i = 0; i < 2; i++) {
        bide_datagram one = await(bide_udp_receive(udp, question, sizeof question));
        if (i > 0) /* the first one is ignored */
            await(bide_udp_send_to(udp, "a long-expected answer", 22, &one.from));
    }
    return bide_void;
}

static async(void) app(void)
{
    char text[6];
    bool late = true;
    with(bide_udp_bound, server, "127.0.0.1", 0) {
        with_group(g) {
            spawn_void(g, answer, server);
            with(bide_udp_bound, client, "127.0.0.1", 0) {
                await(bide_udp_connect(client, "127.0.0.1", bide_udp_port(server)));
                while (late) {
                    await(bide_udp_send(client, "when?", 5));
                    bide_datagram one = move_on_after(&late, bide_ms(200), bide_udp_receive, client,
                                                      text, sizeof text);
                    if (late)
                        printf("no answer, asking again\n");
                    else
                        printf("%.*s, cut: %zu of %zu bytes\n", (int)one.size, text, one.size,
                               one.whole_size);
                }
            }
        }
    }
    return bide_void;
}

int main(void)
{
    return bide_run(app);
}
