/*
 * Links: URLs from routes, in handlers and in templates.
 *
 * A URL is made of the route that answers it, so that no path stands twice in a program. Names,
 * types and what is missing are checked when the program is compiled; in templates when the
 * application starts. What a proxy takes off is said once.
 */
#include <bide/bide.h>
#include <bide/web_test.h>

#include <stdio.h>
#include <string.h>

/* In a header, for files that do not have the route: */
LINK(to_notes, show_notes, query(str, tag));

MODEL(note, "notes", (i64, id, key), (str, title), (str, tag));
MODEL(home, "", (list(note), notes), (str, tag, optional), (i32, next_page, optional));
MODEL(letter, "", (obj(note), note));

static note notes[] = {{.id = 1, .title = "Milk", .tag = "to buy"},
                       {.id = 2, .title = "R&D", .tag = "work/plans"}};

static const char *const templates[] = {
    "home.html",
    "<link rel=\"stylesheet\" href=\"{{@/style.css}}\">\n"
    "{{#notes}}\n"
    "<a href=\"{{@show_note}}\">{{title}}</a>"
    " <a href=\"{{@show_notes tag=tag page=2}}\">{{tag}}</a>\n"
    "{{/notes}}\n"
    "<a href=\"{{@show_notes tag=tag page=next_page}}\">More</a>\n",
    "mail.txt",
    "{{note.title}}: {{@@show_note id=note.id}}\n",
};

GET(show_notes, "/notes", html("home", home), query(str, tag, optional),
    query(i32, page, range(1, 1000), dflt(1)))
{
    home shown = {.notes = {notes, 2}, .tag = tag};
    bide_set_field(&shown, next_page, page + 1);
    return shown;
}

GET(show_note, "/notes/{id}", text, path(i64, id))
{
    bool is_there = id >= 1 && id <= 2;
    if (!is_there)
        bide_see_other(req, url_for(req, to_notes, .tag = "lost & found"));
    return is_there ? notes[id - 1].title : "";
}

GET(get_style, "/style.css", text)
{
    return "";
}

GET(share_note, "/notes/{id}/share", text, path(i64, id))
{
    return bide_absolute_url(req, url_for(req, show_note, id));
}

static bide_app *make_app(const char *page)
{
    bide_app *app = bide_app_new(.title = "Notes", .public_url = "https://example.org/my");
    bide_templates_add(bide_app_templates(app), "home.html", page);
    bide_templates_add(bide_app_templates(app), templates[2], templates[3]);
    bide_app_add_all(app, "");
    return app;
}

static async(void) app(void)
{
    bide_app *pages = make_app(templates[1]);
    with_client(c, pages) {
        printf("%s\n", await(client_get(c, "/notes?tag=work/plans")).body);
        printf("%s\n", await(client_get(c, "/notes/2/share")).body);
        reply lost = await(client_get(c, "/notes/3"));
        printf("%d %s\n", lost.status, reply_header(lost, "Location"));
        letter mail = {.note = notes[0]};
        printf("%s\n", bide_render(bide_task_arena(), bide_app_templates(pages), "mail.txt", letter,
                                   &mail));
    }
    static const char *const wrong[] = {"{{@show_nots}}", "{{@show_note}}",
                                        "{{@show_notes page=\"x\"}}", "{{@/stile.css}}"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        bide_app *broken = make_app(wrong[i]);
        printf("%s\n", strstr(bide_app_check(broken), "home.html:"));
        bide_app_free(broken);
    }
    return bide_void;
}

int main(void)
{
    return bide_run(app);
}
