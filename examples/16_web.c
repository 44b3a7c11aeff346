/*
 * Web: models, typed routes, a dependency with a teardown, and a client without sockets.
 *
 * A route says once what it takes and gives; wrong input never reaches it, and all that is wrong
 * comes back at once. The provider's code after provide() runs before the reply is sent.
 */
#include <bide/bide.h>
#include <bide/web_test.h>

#include <stdio.h>

MODEL(note, "notes", (i64, id, key, generated), (str, text, len(1, 40)), (secret, owner));
VIEW(note_out, note, id, text);
MODEL(note_in, "", (str, text, len(1, 40)));

typedef struct notebook {
    note notes[10];
    int count;
    char texts[10][164]; /* 40 characters of UTF-8 */
} notebook;

PROVIDER(notebook *, writer, header(str, x_user, optional))
{
    if (!x_user)
        fail(http_error(401, "say who you are: X-User"));
    printf("  begin\n");
    provide(bide_app_state(req));
    printf("  commit\n");
}

POST(add_note, "/notes", note_out, status(201), body(note_in, form),
     depends(notebook *, book, writer))
{
    if (book->count == 10)
        fail(http_error(409, "the notebook is full"));
    note *n = &book->notes[book->count];
    snprintf(book->texts[book->count], sizeof book->texts[0], "%s", form->text);
    *n = (note){.id = ++book->count, .text = book->texts[book->count - 1]};
    return note_out_of(n);
}

GET(list_notes, "/notes", list(note_out), query(i32, limit, range(1, 10), dflt(10)))
{
    const notebook *book = bide_app_state(req);
    size_t count = (size_t)(book->count < limit ? book->count : limit);
    note_out *rows = bide_arena_alloc_zero(bide_arena_of(req), count, sizeof *rows);
    if (!rows)
        fail(http_error(503, "no memory"));
    for (size_t i = 0; i < count; i++)
        rows[i] = note_out_of(&book->notes[i]);
    return (note_out_list){rows, count};
}

GET(get_note, "/notes/{id}", maybe(note_out), path(i64, id, range(1, 1000)))
{
    const notebook *book = bide_app_state(req);
    if (id > book->count)
        return NULL;
    note_out out = note_out_of(&book->notes[id - 1]);
    return bide_arena_copy(bide_arena_of(req), &out, sizeof out);
}

static void show(const char *what, bide_client_reply r)
{
    printf("%s: %d %s\n", what, r.status, r.body);
}

static async(void) app(void)
{
    notebook book = {.count = 0};
    bide_app *notes = bide_app_new(.title = "Notes", .state = &book);
    bide_app_add_all(notes, "");
    with_client(c, notes) {
        show("nobody", await(client_post(c, "/notes", json("{\"text\":\"buy milk\"}"))));
        client_header(c, "X-User", "sam");
        show("added", await(client_post(c, "/notes", json("{\"text\":\"buy milk\"}"))));
        show("wrong", await(client_post(c, "/notes", json("{\"text\":\"\"}"))));
        show("list", await(client_get(c, "/notes?limit=5")));
        show("one", await(client_get(c, "/notes/1")));
        show("none", await(client_get(c, "/notes/2")));
        show("not a number", await(client_get(c, "/notes/x")));
        show("method", await(client_delete(c, "/notes/1")));
    }
    return bide_void;
}

int main(void)
{
    return bide_run(app);
}
