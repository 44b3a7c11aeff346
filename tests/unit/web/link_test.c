/* {{@route}} in templates: what is written, and what is found when the application starts. */
#include "web_case.h"

ENUM(item_state, draft, published);

MODEL(item, "", (i64, id), (str, slug), (i32, comments, optional), (str, about, optional),
      (item_state, state), (list(str), tags), (bool, hot), (list(i32), numbers));
MODEL(shown, "", (str, q, optional), (list(item), items), (str, page, optional));

GET(get_item, "/items/{slug}", text, path(str, slug), query(i32, comments, range(1, 99), dflt(1)),
    query(item_state, state, optional), query(list(str), tags),
    query(str, q, alias("search"), optional), query(_Bool, hot, dflt(false)))
{
    (void)comments, (void)state, (void)tags, (void)q, (void)hot;
    return slug;
}

GET(get_number, "/numbers/{id}/of/{rest:path}", text, path(i64, id), path(str, rest))
{
    (void)id;
    return rest;
}

GET(get_it_all, "/it's&all", text)
{
    return "";
}

GET(get_any, "/{path:path}", text, path(str, path))
{
    return path;
}

GET(get_named, "/named", html("named", shown), query(str, page, dflt("")))
{
    return (shown){.page = strcmp(page, "null") == 0 ? NULL : page};
}

static const item items[] = {
    {.id = 7, .slug = "a/b?c", .state = item_state_published, .hot = true},
    {.id = -1, .slug = "\xC3\xA4&\"'", .comments = 2, .bide_set = UINT64_C(1) << 2},
};

GET(get_page, "/", html("page", shown))
{
    const char *tags[] = {"x&y", "z"};
    item *copy = bide_arena_copy(bide_arena_of(req), items, sizeof items);
    const char **kept = bide_arena_copy(bide_arena_of(req), tags, sizeof tags);
    copy[1].tags = (bide_list(str)){kept, 2};
    return (shown){.q = NULL, .items = {copy, 2}};
}

static bide_app *app_with(const char *template, const struct bide_app_options *options)
{
    bide_app *app = bide__app_new(options);
    bide_templates_add(bide_app_templates(app), "page.html", template);
    bide_app_add(app, "", &get_item_route, &get_number_route, &get_it_all_route, &get_page_route);
    return app;
}
#define app_with(template, ...) app_with(template, &(struct bide_app_options){__VA_ARGS__})

static const char *page_of(bide_app *app) BIDE__TASK;
static const char *page_of(bide_app *app)
{
    const char *text = NULL;
    with_client(c, app) {
        reply r = await(client_get(c, "/"));
        text = bide_arena_strdup(bide_task_arena(), r.body);
    }
    return text;
}

#define check_page(template, ...) check_str(page_of(app_with(template, .title = "x")), __VA_ARGS__)

TEST(links_take_the_fields_around_them)
{
    check_page("{{#items}}<a href=\"{{@get_item}}\">{{/items}}",
               "<a href=\"/items/a%2Fb%3Fc\"><a href=\"/items/%C3%A4%26%22%27\">");
    check_page("{{#items}}<a href=\"{{@get_number rest=slug}}\">{{/items}}",
               "<a href=\"/numbers/7/of/a/b%3Fc\"><a href=\"/numbers/-1/of/%C3%A4%26%22%27\">");
    check_page("<a href='{{@get_it_all}}'>{{@get_it_all}}",
               "<a href='/it&#39;s&amp;all'>/it&#39;s&amp;all");
}

TEST(queries_leave_out_what_is_absent)
{
    check_page("{{#items}}[{{@get_item slug=\"x\" search=q comments=comments tags=tags hot=hot"
               "  state=state}}]{{/items}}",
               "[/items/x?hot=true&amp;state=published]"
               "[/items/x?comments=2&amp;tags=x%26y&amp;tags=z&amp;hot=false&amp;state=draft]");
    check_page("[{{@get_item slug=\"a b\" search=\"ä &\" comments=3 hot=true}}]",
               "[/items/a%20b?search=%C3%A4%20%26&amp;comments=3&amp;hot=true]");
    check_page("{{#items}}[{{@get_item comments=items.count search=id}}]{{/items}}",
               "[/items/a%2Fb%3Fc?comments=2&amp;search=7]"
               "[/items/%C3%A4%26%22%27?comments=2&amp;search=-1]");
    check_page("{{#items}}[{{@get_item hot=state.draft comments=id}}]{{/items}}",
               "[/items/a%2Fb%3Fc?hot=false&amp;comments=7]"
               "[/items/%C3%A4%26%22%27?hot=true&amp;comments=-1]");
}

/* A text file has no entities. */
TEST(texts_have_plain_urls)
{
    bide_app *app = app_with("", .public_url = "https://example.org/blog");
    bide_templates_add(bide_app_templates(app), "note.txt",
                       "{{@@get_item slug=\"x\" comments=1 hot=true}} {{@/}}\n");
    with_client(c, app) {
        shown row = {.q = NULL};
        check_str(bide_render(bide_task_arena(), bide_app_templates(app), "note.txt", shown, &row),
                  "https://example.org/blog/items/x?comments=1&hot=true /blog/\n");
    }
}

TEST(a_root_path_stands_before_links)
{
    check_str(page_of(app_with("<a href=\"{{@get_it_all}}\"><link href=\"{{@/items/x?a}}\">",
                               .root_path = "/it's")),
              "<a href=\"/it&#39;s/it&#39;s&amp;all\"><link href=\"/it&#39;s/items/x?a\">");
}

/* A script may be loaded from a path of ours, and from no value. */
TEST(a_link_is_a_path_of_ours)
{
    check_page("<script src=\"{{@/items/x.js}}\"></script>",
               "<script src=\"/items/x.js\"></script>");
    check_page("{{#items}}<script src=\"{{@get_item}}.js\"></script>{{/items}}",
               "<script src=\"/items/a%2Fb%3Fc.js\"></script>"
               "<script src=\"/items/%C3%A4%26%22%27.js\"></script>");
}

/* What the template makes of the queries: rows of a query and the page, or "500". `page` is the
   value, NULL for "null". */
static void check_named(const char *template, const char *root_path,
                        const char *const *rows) BIDE__TASK;
static void check_named(const char *template, const char *root_path, const char *const *rows)
{
    char target[64];
    bide_app *app = app_with("", .root_path = root_path);
    bide_templates_add(bide_app_templates(app), "named.html", template);
    bide_app_add(app, "", &get_named_route, &get_any_route);
    with_client(c, app) {
        for (; *rows; rows += 2) {
            snprintf(target, sizeof target, "/named%s", rows[0]);
            reply r = await(client_get(c, target));
            check_int(r.status, rows[1][0] == '5' ? 500 : 200);
            if (r.status == 200)
                check_str(r.body, rows[1]);
        }
    }
}

/* A second slash would begin a host. */
TEST(no_value_names_another_host)
{
    static const char *const rows[] = {"?page=/evil.example/x.js",
                                       "/%2Fevil.example/x.js",
                                       "?page=//evil.example",
                                       "/%2F/evil.example",
                                       "?page=%5Cevil.example",
                                       "/%5Cevil.example",
                                       "?page=a/b",
                                       "/a/b",
                                       "?page=",
                                       "/",
                                       NULL};
    static const char *const below[] = {"?page=/x", "/blog//x", NULL};
    static const char *const script[] = {"?page=/evil.example/x.js",
                                         "<script src=\"/%2Fevil.example/x.js\"></script>", NULL};
    static const char *const literal[] = {"", "/%2Fevil.example /a/b?c", NULL};
    check_named("{{@get_any path=page}}", NULL, rows);
    check_named("{{@get_any path=page}}", "/blog", below);
    check_named("<script src=\"{{@get_any path=page}}\"></script>", NULL, script);
    check_named("{{@get_any path=\"/evil.example\"}} {{@get_any path=\"a/b\"}}?c", NULL, literal);
}

/* As url_for has it. */
TEST(values_that_no_path_has_are_refused)
{
    static const char *const segments[] = {"?page=null", "500",
                                           "?page=",     "500",
                                           "?page=.",    "500",
                                           "?page=..",   "500",
                                           "?page=...",  "/items/...?hot=true",
                                           "?page=../x", "/items/..%2Fx?hot=true",
                                           NULL};
    static const char *const rests[] = {"?page=null", "500", "?page=",      "/numbers/1/of/",
                                        "?page=../x", "500", "?page=a/./b", "500",
                                        "?page=a/..", "500", "?page=/..a/", "/numbers/1/of//..a/",
                                        NULL};
    test_capture_stderr();
    check_named("{{@get_item slug=page hot=true}}", NULL, segments);
    check_named("{{@get_number id=1 rest=page}}", NULL, rests);
}

TEST(what_is_wrong_is_found_at_the_start)
{
    static const struct {
        const char *template, *problem;
    } wrong[] = {
        {"\n{{@get_itme}}", "page.html:2: {{@get_itme}}: there is no such route: did you mean "
                            "`get_item`?"},
        {"{{@get_item}}", "there is no field `slug` in `shown`"},
        {"{{@get_item slug=q coments=1}}",
         "the route takes no `coments`: did you mean `comments`?"},
        {"{{@get_item slug=q q=q}}", "the route takes no `q`"},
        {"{{@get_item slug=q comments=q}}",
         "`q` is a `str`, the route takes `comments` as a `i32`"},
        {"{{@get_item slug=items}}", "`items` is a `item`, the route takes `slug` as a `str`"},
        {"{{@get_number id=q rest=q}}", "`q` is a `str`, the route takes `id` as a `i64`"},
        {"{{#items}}{{@get_item tags=numbers}}{{/items}}", "the route takes `tags` as a `str`"},
        {"{{@get_item slug=q comments=100}}", "`comments` cannot be \"100\": "},
        {"{{@get_item slug=q state=\"old\"}}", "`state` cannot be \"old\": "},
        {"{{@get_number id=\"x\" rest=q}}", "`id` cannot be \"x\": "},
        {"{{@get_item slug=\"\"}}", "`slug` cannot be \"\": no path can have it"},
        {"{{@get_item slug=\".\"}}", "`slug` cannot be \".\": "},
        {"{{@get_item slug=\"..\"}}", "`slug` cannot be \"..\": "},
        {"{{@get_number id=1 rest=\"a/../b\"}}", "`rest` cannot be \"a/../b\": "},
        {"{{@get_item slug}}", "parameters are written name=field"},
        {"{{@get_item slug=\"x}}", "does not end with its quote"},
        {"{{@}}", "a tag without a name"},
        {"{{@@}}", "it names no route"},
        {"{{@@get_it_all}}", "no `public_url`"},
        {"{{@/nothing}}", "page.html:1: {{@/nothing}}: nothing answers GET at this path"},
        {"{{@//evil.example}}", "no path of this site"},
        {"<a href=\"/x{{@get_it_all}}\">", "nothing can stand before it"},
        {"<a href={{@get_it_all}}>", "without quotes"},
        {"<script>{{@get_it_all}}</script>", "in <script>"},
        {"<p {{@get_it_all}}>", "a value in a tag"},
        {"<p onclick=\"{{@get_it_all}}\">", ""},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        bide_app *app = app_with(wrong[i].template, .title = "x");
        const char *problem = bide_app_check(app);
        check_contains(problem ? problem : wrong[i].template, wrong[i].problem);
        check(problem);
        bide_app_free(app);
    }
}

TEST(templates_without_an_application_have_no_routes)
{
    bide_templates *templates = bide_templates_open(NULL, NULL);
    bide_templates_add(templates, "page.html", "{{@get_item}}");
    check(!bide_template_of(templates, "page.html", shown_model(), NULL));
    check_contains(bide_templates_problem(templates), "there are no routes");
    bide_templates_close(templates);
}
