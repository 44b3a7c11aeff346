/*
 * Asking another server: kept connections, JSON into a model, several requests beside each other,
 * a deadline. The other server is in this program, on a port of its own.
 */
#include <bide/bide.h>

#include <stdio.h>

MODEL(weather, "", (str, place), (i32, degrees));

GET(get_weather, "/weather/{place}", weather, path(str, place))
{
    await(bide_sleep(bide_ms(20)));
    return (weather){.place = place, .degrees = place[0] == 'M' ? 40 : 20};
}

GET(get_nothing, "/never", nothing)
{
    await(bide_sleep(BIDE_FOREVER));
}

/* Raises if there is no such place. */
async(int) ask(bide_http_client_ptr c, const char *place);
SPAWNABLE(int, ask, bide_http_client_ptr, const char *)
async(int) ask(bide_http_client_ptr c, const char *place)
{
    const char *url = bide_arena_printf(bide_task_arena(), "/weather/%s", place);
    bide_client_reply r = await(bide_http_get(c, url));
    if (r.status != 200)
        fail(bide_error_new(BIDE_NOT_FOUND, "no weather for %s: %d", place, r.status));
    return ready(int, bide_reply_as(weather, r).degrees);
}

async(void) serve(bide_app_ptr site, bide_listener_ptr listener);
SPAWNABLE(void, serve, bide_app_ptr, bide_listener_ptr)
async(void) serve(bide_app_ptr site, bide_listener_ptr listener)
{
    await(bide_app_serve(site, listener, NULL));
    return bide_void;
}

static async(void) show(bide_http_client_ptr c)
{
    int shire = 0, mordor = 0;
    bide_error *error;
    await(gather(bide_into(&shire, ask, c, "Shire"), bide_into(&mordor, ask, c, "Mordor")));
    printf("Shire %d, Mordor %d\n", shire, mordor);
    attempt(&error, ask, c, "a/b");
    printf("%s\n", error ? error->message : "found");
    bide_client_reply r =
        await(bide_http_send(c, &(bide_http_request){.method = "HEAD", .url = "/weather/Shire"}));
    printf("%d, %s\n", r.status, bide_client_reply_header(r, "content-type"));
    with_deadline(bide_ms(50))
        (void)await(bide_http_get(c, "/never"));
    return bide_void;
}
SPAWNABLE(void, show, bide_http_client_ptr)

static async(void) app(void)
{
    bide_app *site = bide_app_new(.title = "Weather");
    bide_error *error;
    char url[40];
    bide_app_add_all(site, "");
    with(bide_tcp_listener, listener, "127.0.0.1", 0, NULL)
        with_group(g) {
            spawn_void(g, serve, site, listener);
            snprintf(url, sizeof url, "http://127.0.0.1:%u", bide_listener_port(listener));
            with(bide_http_client, c, &(bide_http_client_options){.base_url = url})
                attempt(&error, show, c);
            printf("%s\n", error ? bide_code_name(error->code) : "no error");
            bide_group_cancel(g, "seen enough");
        }
    bide_app_free(site);
    return bide_void;
}

int main(void)
{
    return bide_run(app);
}
