/*
 * One worker's application: its settings, what it opens at the start and closes at the end, and the
 * routes of all features. Called by main.c and by the tests.
 */
#include "blog/blog.h"
#include "commands.h"
#include "site/site.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The folder of migrations, templates and files: where they were when this was built, or
   FRODO_FOLDER. */
static const char *folder_of(void)
{
    const char *given = getenv("FRODO_FOLDER");
    return given && *given ? given : FRODO_FOLDER;
}

const char *frodo_migrations(bide_arena *arena, const char *url)
{
    return bide_arena_printf(arena, "%s/migrations/%s", folder_of(),
                             strncmp(url, "sqlite:", 7) == 0 ? "sqlite" : "postgresql");
}

/* What is not open is NULL. */
static async(void) close_opened(void *site_)
{
    frodo *site = site_;
    await(bide_mailer_close(site->mailer, NULL));
    bide_redis_close(site->redis);
    await(bide_cache_close(site->cache, NULL));
    await(bide_db_close(site->db, NULL));
    return bide_void;
}

/* Several workers and processes may do so at once: each migration is applied once. */
static async(void) open_all(bide_app *app)
{
    frodo *site = bide_app_state(app);
    const frodo_settings *set = site->settings;
    on_error(close_opened, site); /* close_all is called for what has started */
    site->db = await(bide_db_open(set->database_url));
    if (set->mode == run_mode_production) /* in development a warning is enough */
        bide_check_room(site->db);
    await(bide_migrate(site->db, frodo_migrations(site->arena, set->database_url)));
    await(bide_check_queries(site->db));
    site->cache = await(bide_cache_open(set->redis_url ? set->redis_url : "memory:frodo", NULL));
    site->redis = set->redis_url ? await(bide_redis_open(set->redis_url, NULL)) : NULL;
    site->mailer = await(bide_mailer_open(set->smtp_url));
    mails_prepare(site);
    if (set->demo && bide_loop_index() == 0)
        await(frodo_first(site));
    if (bide_loop_index() == 0)
        site->sweeper = bide_ref(spawn(bide_background(), accounts_sweep_always, site->db));
    return bide_void;
}

static async(void) close_all(bide_app *app)
{
    frodo *site = bide_app_state(app);
    if (bide_loop_index() == 0) {
        bide_cancel_task(site->sweeper, "the application stops");
        (void)await(bide_wait(BIDE_ALL, &site->sweeper, 1));
    }
    return close_opened(site);
}

/* `settings` NULL: those of the environment and the file. */
static frodo *site_of(bide_app *app, const frodo_settings *settings)
{
    bide_arena *arena = bide_app_arena(app);
    if (!settings) {
        bide_settings *read = frodo_settings_read(arena);
        if (bide_settings_problems(read, stderr) > 0)
            return NULL;
        settings = bide_settings_row(frodo_settings, read);
    }
    const char *problem = frodo_settings_problem(settings);
    if (problem) {
        fprintf(stderr, "frodo: %s\n", problem);
        return NULL;
    }
    frodo *site = bide_arena_alloc_zero(arena, 1, sizeof *site);
    if (site)
        *site = (frodo){.settings = settings,
                        .app = app,
                        .arena = arena,
                        .secret = frodo_key(settings),
                        .folder = folder_of()};
    return site;
}

bide_app *frodo_app_with(const frodo_settings *settings)
{
    bide_app *app = bide_app_new(.title = "frodo", .templates = folder_of(), .start = open_all,
                                 .stop = close_all);
    frodo *site = app ? site_of(app, settings) : NULL;
    if (!site) {
        bide_app_free(app);
        return NULL;
    }
    site->templates = bide_app_templates(app);
    bide_app_set_state(app, site);
    bide_app_set_public_url(app, site->settings->public_url);
    comments_limit(app, site);
    bide_app_use(app, bide_request_ids, NULL);
    bide_app_use(app, bide_gzip, NULL);
    bide_app_use(app, bide_etags, NULL);
    bide_app_use(app, bide_security_headers, NULL);
    bide_app_files(app, "/static", bide_arena_printf(site->arena, "%s/site/static", site->folder),
                   .max_age_s = 600);
    bide_app_metrics(app, "/metrics");
    bide_app_site(app, frame, frame_of_page);
    bide_app_error_page(app, "site/error", error_page, page_of_error, .login = "/login",
                        .api = "/api");
    bide_app_add_all(app, "");
    if (strcmp(site->settings->smtp_url, "outbox:") == 0)
        bide_outbox_routes(app);
    return app;
}

bide_app *frodo_app(void)
{
    return frodo_app_with(NULL);
}
