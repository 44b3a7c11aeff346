/*
 * The HTTP client and the HTTP server in one process, over the simulated network of an EXPLORE:
 * without faults, after which libcurl would look at the real clock.
 */
#include <bide/bide.h>
#include <bide/test.h>

#include <string.h>

#if __has_include(<curl/curl.h>)
static int answered;

static async(void) hello(bide_exchange *x, void *unused)
{
    (void)unused;
    await(bide_sleep(bide_ms(test_choose(2))));
    await(bide_reply(x, 200, "text/plain", "hello", 5));
    return bide_void;
}

SPAWNABLE(void, serve, bide_listener *)
async(void) serve(bide_listener *listener)
{
    await(bide_http_serve(listener, hello, NULL, NULL));
    return bide_void;
}

SPAWNABLE(void, get, bide_http_client *)
async(void) get(bide_http_client *client)
{
    bide_client_reply r = await(bide_http_get(client, "/hello"));
    check_int(r.status, 200);
    check_str(r.body, "hello");
    answered++;
    return bide_void;
}

EXPLORE(a_client_and_a_server, .schedules = 500, .no_cancels = true, .no_faults = true)
{
    answered = 0;
    with(bide_tcp_listener, listener, "10.0.0.1", 80, NULL) {
        with_group(servers) {
            spawn_void(servers, serve, listener);
            with(bide_http_client, client,
                 &(bide_http_client_options){.base_url = "http://10.0.0.1"}) {
                with_group(clients) {
                    spawn_void(clients, get, client);
                    spawn_void(clients, get, client);
                }
            }
            bide_group_cancel(servers, "all is done");
        }
    }
    check_int(answered, 2);
}
#endif
