/*
 * Pages: a layout, a list, a form that is shown again with what is wrong, a mail.
 *
 * A handler returns a model, and a template makes the page of it. Templates are compiled for their
 * models when the application starts: a name that is not there, or a value where no escaping would
 * help, is an error then. Usually they are files: bide_app_new(.templates = "templates").
 */
#include <bide/bide.h>
#include <bide/web_test.h>

#include <stdio.h>
#include <string.h>

MODEL(note, "notes", (i64, id, key), (str, text), (html_safe, body));
MODEL(home, "", (list(note), notes));
MODEL(note_form, "", (str, text), (str, wrong, optional));
MODEL(typed, "", (str, text, len(0, 1000)));
MODEL(site, "", (str, user, optional), (str, path)); /* what every page may name */
MODEL(letter, "", (str, user), (list(note), notes));

static const char *const templates[] = {
    "layout.html",
    "<title>{{$title}}Notes{{/title}}</title>\n"
    "<nav>{{#user}}{{user}}{{/user}}{{^user}}<a href=\"/login?to={{path}}\">Log in"
    "</a>{{/user}}</nav>\n"
    "{{$main}}{{/main}}\n",
    "home.html",
    "{{<layout}}{{$main}}\n"
    "<h1>{{notes.count}} notes</h1>\n"
    "{{#notes}}\n"
    "<p title=\"{{text}}\"><a href=\"/notes/{{id}}\">{{text}}</a>: {{{body}}}</p>\n"
    "{{/notes}}\n"
    "{{^notes}}\n"
    "<p>None yet.</p>\n"
    "{{/notes}}\n"
    "{{/main}}{{/layout}}\n",
    "form.html",
    "{{<layout}}{{$title}}A new note{{/title}}{{$main}}\n"
    "<form method=\"post\">{{#wrong}}<p class=\"wrong\">{{wrong}}</p>{{/wrong}}"
    "<input name=\"text\" value=\"{{text}}\"></form>\n"
    "{{/main}}{{/layout}}\n",
    "mail.txt",
    "Hello {{user}},\n{{#notes}}\n- {{text}}\n{{/notes}}\n",
};

static note notes[8];
static size_t note_count;

PROVIDER(site, site_of, cookie(str, who, optional))
{
    bide_text path = bide_path_of(req);
    provide(
        (site){.user = who, .path = bide_arena_strndup(bide_arena_of(req), path.at, path.length)});
}

GET(show_home, "/", html("home", home))
{
    return (home){.notes = {notes, note_count}};
}

POST(add_note, "/", html("form", note_form), form_body(typed, form))
{
    if (!*form->text || note_count == 8) {
        bide_set_status(req, 422);
        return (note_form){.text = form->text, .wrong = "A note has 1 to 1000 characters."};
    }
    const char *text = bide_arena_strdup(bide_app_arena(bide_app_of(req)), form->text);
    notes[note_count] =
        (note){.id = (int64_t)note_count + 1, .text = text, .body.text = "<em>new</em>"};
    note_count++;
    bide_see_other(req, "/");
    return (note_form){.text = NULL};
}

static bide_app *make_app(void)
{
    bide_app *app = bide_app_new(.title = "Notes");
    for (size_t i = 0; i < sizeof templates / sizeof *templates; i += 2)
        bide_templates_add(bide_app_templates(app), templates[i], templates[i + 1]);
    bide_app_site(app, site, site_of);
    bide_app_add_all(app, "");
    return app;
}

static void show(const char *what, bide_client_reply r)
{
    printf("%s: %d\n%s\n", what, r.status, r.body);
}

static bide_client_body form(const char *text)
{
    return (bide_client_body){"application/x-www-form-urlencoded", text, strlen(text)};
}

static async(void) app(void)
{
    bide_app *pages = make_app();
    bide_arena arena;
    bide_arena_init(&arena, NULL, 65536);
    with_client(c, pages) {
        show("empty", await(client_get(c, "/")));
        show("wrong", await(client_post(c, "/", form("text="))));
        show("added", await(client_post(c, "/", form("text=%3Cscript%3E+%26+co"))));
        client_header(c, "Cookie", "who=Sam");
        show("home", await(client_get(c, "/")));
        letter mail = {.user = "Sam", .notes = {notes, note_count}};
        printf("mail:\n%s",
               bide_render(&arena, bide_app_templates(pages), "mail.txt", letter, &mail));
    }
    bide_arena_done(&arena);

    bide_app *broken = bide_app_new(.title = "Broken");
    bide_templates_add(bide_app_templates(broken), "home.html",
                       "<h1>Notes</h1>\n{{#notes}}<p onclick=\"{{txt}}\">{{/notes}}");
    bide_app_add(broken, "", &show_home_route);
    printf("\n%s\n", strstr(bide_app_check(broken), "home.html:"));
    bide_app_free(broken);
    return bide_void;
}

int main(void)
{
    return bide_run(app);
}
