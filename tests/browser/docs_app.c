/* An application to look at in a browser: prints its port, serves until it is told to stop. */
#include <bide/bide.h>

#include <stdio.h>

MODEL(book, "books", (i64, id, key, generated), (str, title, len(1, 80)),
      (i32, pages, range(1, 5000), optional));
MODEL(book_in, "", (str, title, len(1, 80)), (i32, pages, range(1, 5000), optional));

GET(list_books, "/books", list(book), query(i32, limit, range(1, 100), dflt(10)))
{
    book *rows = bide_arena_alloc_zero(bide_arena_of(req), 1, sizeof *rows);
    if (!rows)
        fail(http_error(503, "no memory"));
    rows[0] = (book){.id = limit, .title = "<script>alert(1)</script>", .pages = 310};
    return (book_list){rows, 1};
}

POST(add_book, "/books", book, status(201), body(book_in, form))
{
    return (book){.id = 2, .title = form->title, .pages = form->pages};
}

GET(get_book, "/books/{id}", maybe(book), path(i64, id))
{
    static const book there = {.id = 1, .title = "There and back again"};
    (void)req;
    return id == 1 ? &there : NULL;
}

DELETE(drop_book, "/books/{id}", nothing, path(i64, id))
{
    if (id != 1)
        fail(http_error(404, "no book %lld", (long long)id));
}

GET(who_am_i, "/me", text, bearer(token), tags("people"))
{
    (void)req;
    return token;
}

static async(void) serve(void)
{
    bide_app *app = bide_app_new(.title = "Books & <b>more</b>", .version = "2.1");
    defer((void (*)(void *))bide_app_free, app);
    bide_app_add_all(app, "");
    bide_app_use(app, bide_security_headers, NULL);
    bide_app_use(app, bide_gzip, NULL);
    with(bide_tcp_listener, listener, "127.0.0.1", 0, NULL) {
        printf("%d\n", bide_listener_port(listener));
        fflush(stdout);
        await(bide_app_serve(app, listener, NULL));
    }
    return bide_void;
}

int main(void)
{
    return bide_run(serve);
}
