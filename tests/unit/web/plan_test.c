/* What a route cannot be, said when the application starts: by name, with the route's line. */
#include "web_case.h"

GET(objects_in_a_query, "/objects", nothing, query(list(user_in), all))
{
    (void)all;
}

GET(path_without_it, "/users/{id}", nothing, path(i64, number))
{
    (void)number;
}

PROVIDER(const char *, named, path(str, name))
{
    provide(name);
}

GET(provider_without_it, "/users/{id}/posts", nothing, path(i64, id),
    depends(const char *, name, named))
{
    (void)id;
}

PROVIDER(int, reader, body(user_in, form))
{
    provide(form->age);
}

POST(two_readers, "/users", nothing, body(user_in, form), depends(int, age, reader))
{
    (void)form;
}

GET(list_of_numbers, "/numbers", list(i64))
{
    return (bide_list(i64)){NULL, 0};
}

GET(maybe_a_number, "/number", maybe(i64))
{
    return NULL;
}

GET(bad_pattern, "/pattern", nothing, query(str, text, match("(")))
{
    (void)text;
}

GET(bad_default, "/default", nothing, query(i32, page, range(1, 9), dflt(10)))
{
    (void)page;
}

static void refuses(bide_route *route, const char *line, const char *why)
{
    bide_app *app = bide_app_new(.title = "wrong");
    bide_app_add(app, "", route);
    const char *problem = bide_app_check(app);
    check_contains(problem, why);
    check_contains(problem, line);
    check_contains(problem, "plan_test.c:");
    check_str(bide_app_check(app), problem);
    bide_app_free(app);
}

TEST_PLAIN(routes_that_cannot_work)
{
    refuses(&objects_in_a_query_route, "GET '/objects'",
            "parameter `all` of `objects_in_a_query` is a list of objects");
    refuses(&path_without_it_route, "GET '/users/{id}'",
            "`path_without_it` takes '{number}' from the path, which has none");
    refuses(&provider_without_it_route, "GET '/users/{id}/posts'",
            "`named` takes '{name}' from the path, which has none");
    refuses(&two_readers_route, "POST '/users'", "more than one of its functions takes the body");
    refuses(&list_of_numbers_route, "GET '/numbers'", "its response is a list of `i64`");
    refuses(&maybe_a_number_route, "GET '/number'", "`i64`, not of a model");
    refuses(&bad_pattern_route, "GET '/pattern'", "pattern");
    refuses(&bad_default_route, "GET '/default'", "default");
}

SPAWNABLE(void, open_it, bide_app_ptr)
async(void) open_it(bide_app_ptr app)
{
    with_client(c, app)
        check(!c);
    return bide_void;
}

TEST(an_application_that_cannot_work_does_not_start)
{
    bide_error *error;
    bide_app *app = bide_app_new(.title = "wrong");
    bide_app_add(app, "/api", &path_without_it_route);
    attempt(&error, open_it, app);
    require(error);
    check_int(error->code, BIDE_INVALID);
    check_contains(error->message, "GET '/api/users/{id}'");
}
