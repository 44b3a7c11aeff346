/* Pages: html("name", NAME) as a response, what all of them need, what is wrong at start. */
#include "web_case.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

typedef struct post post;
static async(bide_html_safe) body_of(const post *row, bide_arena *arena);

MODEL(post, "posts", (i64, id, key), (str, title), (hash, password),
      (computed(html_safe), body, body_of));
MODEL(one_post, "", (obj(post), post), (list(str), tags));
MODEL(site, "", (str, user, optional), (str, path));

static int bodies, sites;

static async(bide_html_safe) body_of(const post *row, bide_arena *arena)
{
    bodies++;
    await(bide_yield());
    return ready(bide_html_safe, (bide_html_safe){.text = bide_arena_printf(arena, "<p>%lld</p>",
                                                                            (long long)row->id)});
}

PROVIDER(site, site_of, cookie(str, name, optional))
{
    bide_text path = bide_path_of(req);
    sites++;
    provide(
        (site){.user = name, .path = bide_arena_strndup(bide_arena_of(req), path.at, path.length)});
}

PROVIDER(int, own_number)
{
    provide(1);
}

GET(show_post, "/posts/{id}", html("post", one_post), path(i64, id))
{
    static const char *tags[] = {"a&b", "c"};
    if (id == 0)
        bide_see_other(req, "/posts/1");
    if (id == 2)
        bide_set_status(req, 422);
    return (one_post){.post = {.id = id, .title = "<One>"}, .tags = {tags, 2}};
}

GET(show_plain, "/plain", html("plain.html", one_post), depends(int, one, own_number))
{
    (void)one;
    return (one_post){.post = {.title = "Two"}};
}

GET(show_word, "/word", html)
{
    return "<p>word";
}

/* ---- a folder of templates ---- */

static char root[] = "/tmp/bide_pages_XXXXXX";

static void put(const char *name, const char *content)
{
    char path[256];
    snprintf(path, sizeof path, "%s/%s", root, name);
    FILE *file = fopen(path, "w");
    require(file);
    fputs(content, file);
    fclose(file);
}

static void remove_folder(void)
{
    char command[64];
    snprintf(command, sizeof command, "rm -rf %s", root);
    if (system(command) != 0)
        fprintf(stderr, "%s is left\n", root);
}

static bide_app *make_app(bool reloads)
{
    require(mkdtemp(root));
    atexit(remove_folder);
    put("layout.html", "<title>{{$title}}Blog{{/title}}</title>\n"
                       "{{#user}}<b>{{user}}</b>{{/user}}{{^user}}<a href=\"/login\">Log "
                       "in</a>{{/user}}\n<main>{{$main}}{{/main}}</main>{{path}}\n");
    put("post.html", "{{<layout}}{{$title}}{{post.title}}{{/title}}"
                     "{{$main}}{{#post}}{{{body}}}{{/post}}{{#tags}}<i>{{.}}</i>{{/tags}}{{/main}}"
                     "{{/layout}}");
    put("plain.html", "<p>{{post.title}}</p>\n");
    bide_app *app = bide_app_new(.title = "pages", .templates = root, .reload_templates = reloads);
    bide_app_site(app, site, site_of);
    bide_app_add_all(app, "");
    return app;
}

TEST(a_page)
{
    with_client(c, make_app(false)) {
        reply r = await(client_get(c, "/posts/7"));
        check_int(r.status, 200);
        check_str(reply_header(r, "Content-Type"), "text/html; charset=utf-8");
        check_str(r.body, "<title>&lt;One&gt;</title>\n<a href=\"/login\">Log in</a>\n"
                          "<main><p>7</p><i>a&amp;b</i><i>c</i></main>/posts/7\n");
        check_int(bodies, 1);
        client_header(c, "Cookie", "name=<Sam>");
        r = await(client_get(c, "/posts/2"));
        check_int(r.status, 422);
        check_contains(r.body, "<b>&lt;Sam&gt;</b>");
        r = await(client_get(c, "/posts/0"));
        check_int(r.status, 303);
        check_int(bodies, 2); /* nothing was rendered */
        r = await(client_send(c, "HEAD", "/posts/7", no_body));
        check_str(r.body, "");
    }
}

TEST(the_site_is_made_for_templates_that_name_it)
{
    with_client(c, make_app(false)) {
        reply r = await(client_get(c, "/plain"));
        check_str(r.body, "<p>Two</p>\n");
        check_int(sites, 0);
        r = await(client_get(c, "/posts/1"));
        check_int(sites, 1);
        r = await(client_get(c, "/word"));
        check_str(r.body, "<p>word");
        check_int(sites, 1);
    }
}

TEST(a_template_that_changes, .real_clock = true)
{
    with_client(c, make_app(true)) {
        reply r = await(client_get(c, "/plain"));
        check_str(r.body, "<p>Two</p>\n");
        put("plain.html", "<p>{{path}}: {{post.title}}!</p>\n");
        r = await(client_get(c, "/plain"));
        check_str(r.body, "<p>/plain: Two!</p>\n");
        put("plain.html", "\n<p>{{post.titel}}</p>");
        r = await(client_get(c, "/plain"));
        check_int(r.status, 500);
        put("plain.html", "{{>new}}");
        put("new.html", "new");
        r = await(client_get(c, "/plain"));
        check_str(r.body, "new");
        put("new.html", "newer");
        r = await(client_get(c, "/plain"));
        check_str(r.body, "newer");
        put("plain.html", "{{>late}}!");
        put("late.html", "{{#open");
        test_capture_stderr();
        for (int i = 0; i < 3; i++) /* nor does it become a page without it */
            check_int(await(client_get(c, "/plain")).status, 500);
        bide_log_flush(1000);
        check_contains(test_captured(), "late.html:1");
        put("late.html", "late");
        r = await(client_get(c, "/plain"));
        check_str(r.body, "late!");
    }
}

/* ---- what the check finds ---- */

static const char *problem_with(const char *name, const char *text)
{
    static char problem[1024];
    bide_app *app = make_app(false);
    bide_app_free(app);
    put(name, text);
    app = bide_app_new(.templates = root);
    bide_app_add(app, "", &show_plain_route);
    const char *found = bide_app_check(app);
    const char *below = found ? strstr(found, root) : NULL;
    snprintf(problem, sizeof problem, "%s", below ? below + sizeof root : found ? found : "none");
    bide_app_free(app);
    return problem;
}

TEST_PLAIN(an_unknown_name)
{
    check_str(problem_with("plain.html", "\n{{post.titel}}"),
              "plain.html:2: there is no field `titel` in `post`: did you mean `title`?");
}

TEST_PLAIN(a_secret)
{
    check_str(problem_with("plain.html", "{{post.password}}"),
              "plain.html:1: the field `password` of `post` is never written: it is secret");
}

TEST_PLAIN(no_template)
{
    bide_app *app = bide_app_new(.title = "pages");
    bide_app_add(app, "", &show_plain_route);
    check_contains(bide_app_check(app), "has no templates: give the application a folder of them");
    bide_app_free(app);
    app = bide_app_new(.templates = "/nowhere/at/all");
    bide_app_add(app, "", &show_plain_route);
    check_contains(bide_app_check(app), "/nowhere/at/all");
    bide_app_free(app);
}
