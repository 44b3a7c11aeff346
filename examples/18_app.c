/*
 * A whole application: settings, state, hooks, routes, and a main with a command line.
 *
 *     bide run 18_app.c --port 8001          (or ./dev run)
 *     18_app routes                          what stands in 18_app.out
 *     NOTES_PAGE_SIZE=5 NOTES_API_KEY=secret 18_app --workers 2
 */
#include <bide/bide.h>

#include <bide/log.h>

#include <string.h>

MODEL(app_settings, "",
      (i32, page_size, range(1, 100), dflt(20)),
      (secret, api_key, len(4, 100), optional));

MODEL(note, "notes", (i64, id, key, generated), (str, text, len(1, 200)));
VIEW(note_out, note, id, text);
MODEL(note_in, "", (str, text, len(1, 200)));
MODEL(status_out, "", (i64, notes), (i32, worker));

enum { NOTES = 1000 };

/* What one worker has. */
typedef struct notebook {
    const app_settings *config;
    bide_arena *arena;
    const char *texts[NOTES];
    int count;
} notebook;

PROVIDER(notebook *, book)
{
    provide(bide_app_state(req));
}

PROVIDER(notebook *, writer, api_key(key, header, "X-Key", optional), depends(notebook *, it, book))
{
    const char *wanted = it->config->api_key.text; /* without one everybody writes */
    if (wanted && (!key || strcmp(key, wanted) != 0))
        fail(http_error(401, "X-Key is missing or wrong"));
    provide(it);
}

GET(get_status, "/status", status_out, depends(notebook *, all, book))
{
    return (status_out){.notes = all->count, .worker = bide_loop_index()};
}

GET(list_notes, "/notes", list(note_out), depends(notebook *, all, book))
{
    int most = all->config->page_size, count = all->count < most ? all->count : most;
    note_out *rows = bide_arena_alloc_zero(bide_arena_of(req), (size_t)count, sizeof *rows);
    if (!rows)
        fail(http_error(503, "no memory"));
    for (int i = 0; i < count; i++) /* the newest first */
        rows[i] = (note_out){.id = all->count - i, .text = all->texts[all->count - i - 1]};
    return (note_out_list){rows, (size_t)count};
}

POST(add_note, "/notes", note_out, status(201), body(note_in, in), depends(notebook *, to, writer))
{
    const char *text = to->count < NOTES ? bide_arena_strdup(to->arena, in->text) : NULL;
    if (!text)
        fail(http_error(507, "the notebook is full"));
    to->texts[to->count++] = text;
    return (note_out){.id = to->count, .text = text};
}

/* Before the first request, on each worker, in a task: here connections are opened. */
static async(void) open_notebook(bide_app *app)
{
    (void)app;
    bide_log(BIDE_LOG_DEBUG, "worker %d starts", bide_loop_index());
    return bide_void;
}

static async(void) close_notebook(bide_app *app)
{
    const notebook *all = bide_app_state(app);
    bide_log(BIDE_LOG_DEBUG, "worker %d had %d notes", bide_loop_index(), all->count);
    return bide_void;
}

/* Called once for each worker: what is allocated here belongs to that one, and needs no lock. */
static bide_app *make_app(void)
{
    bide_app *app = bide_app_new(.title = "Notes", .start = open_notebook, .stop = close_notebook);
    bide_arena *arena = bide_app_arena(app);
    notebook *book = arena ? bide_arena_alloc_zero(arena, 1, sizeof *book) : NULL;
    bide_settings *settings =
        bide_settings_read(app_settings, .prefix = "NOTES_", .file = ".env", .arena = arena);
    if (!book || bide_settings_problems(settings, stderr) > 0) {
        bide_app_free(app);
        return NULL;
    }
    *book = (notebook){.config = bide_settings_row(app_settings, settings), .arena = arena};
    bide_app_set_state(app, book);
    bide_app_add_all(app, "");
    return app;
}

int main(int argc, char **argv)
{
    return bide_main(argc, argv, make_app);
}
