/* The application that run_main.py starts: see README.md. */
#include <bide/bide.h>
#include <bide/log.h>

#include <stdio.h>
#include <unistd.h>

MODEL(app_settings, "", (i32, answer, range(0, 100), dflt(42)), (secret, key, len(4, 20), optional),
      (bool, shared, dflt(false)), (bool, same, dflt(false)), (bool, no_start, dflt(false)),
      (bool, doubled, dflt(false)));

/* Of one worker. */
typedef struct counts {
    const app_settings *config;
    int64_t requests;
} counts;

MODEL(status_out, "", (i64, pid), (i32, worker), (i32, answer), (i64, requests));
MODEL(text_in, "", (str, text));
MODEL(origin_out, "", (str, client), (str, scheme));

GET(get_status, "/status", status_out)
{
    counts *mine = bide_app_state(req);
    return (status_out){.pid = getpid(),
                        .worker = bide_loop_index(),
                        .answer = mine->config->answer,
                        .requests = ++mine->requests};
}

static const char *copy(bide_request *req, bide_text text)
{
    return bide_arena_strndup(bide_arena_of(req), text.at, text.length);
}

GET(get_origin, "/origin", origin_out)
{
    return (origin_out){.client = copy(req, bide_client_of(req)),
                        .scheme = copy(req, bide_scheme_of(req))};
}

GET(get_slowly, "/slow/{ms}", text, path(i32, ms, range(1, 60000)))
{
    await(bide_sleep(bide_ms(ms)));
    return "done\n";
}

POST(give_back, "/back", text_in, body(text_in, form))
{
    return (text_in){.text = form->text};
}

GET(get_status_again, "/status", status_out)
{
    return (status_out){.worker = bide_loop_index()};
}

static async(void) start(bide_app *app)
{
    const counts *mine = bide_app_state(app);
    bide_log(BIDE_LOG_INFO, "start hook %d", bide_loop_index());
    if (mine->config->no_start)
        fail(bide_error_new(BIDE_CLOSED, "the database is not there"));
    return bide_void;
}

static async(void) stop(bide_app *app)
{
    (void)app;
    bide_log(BIDE_LOG_INFO, "stop hook %d", bide_loop_index());
    return bide_void;
}

static bide_app *make_app(void)
{
    static counts shared;
    static bide_app *same;
    bide_app *app = bide_app_new(.title = "Test", .start = start, .stop = stop);
    bide_arena *arena = bide_app_arena(app);
    bide_settings *settings = bide_settings_read(app_settings, .prefix = "APP_", .arena = arena);
    const app_settings *config = bide_settings_row(app_settings, settings);
    counts *mine = bide_arena_alloc_zero(arena, 1, sizeof *mine);
    if (!config || !mine) {
        bide_settings_problems(settings, stderr);
        bide_app_free(app);
        return NULL;
    }
    mine = config->shared ? &shared : mine;
    mine->config = config;
    bide_app_set_state(app, mine);
    bide_app_add(app, "", &get_status_route, &get_slowly_route, &give_back_route,
                 &get_origin_route);
    if (config->doubled)
        bide_app_add(app, "", &get_status_again_route);
    if (same && config->same) {
        bide_app_free(app);
        return same;
    }
    same = app;
    return app;
}

int main(int argc, char **argv)
{
    return bide_main(argc, argv, make_app);
}
