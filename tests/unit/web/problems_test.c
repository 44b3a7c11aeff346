/* Handlers that take the problems of a body: rules of their own, forms that are shown again. */
#include "web_case.h"

MODEL(join_form, "", (str, email, email), (plain_pw, password, len(8, 20)), (plain_pw, again));

static void check_rules(bide_request *req, const join_form *form)
{
    if (form->password.text && form->again.text &&
        strcmp(form->password.text, form->again.text) != 0)
        bide_add_problem(req, "again", "value_error", "Not the same %s", "password");
}

POST(join_api, "/api/join", user_out, status(201), query(i32, n, optional), body(join_form, form),
     takes_problems)
{
    check_rules(req, form);
    bide_refuse_problems(req);
    return (user_out){.id = n, .name = form->email};
}

POST(join_page, "/join", text, form_body(join_form, form), takes_problems)
{
    check_rules(req, form);
    if (!bide_problems_of(req)->first) {
        bide_see_other(req, "/welcome");
        return "not sent";
    }
    const char *typed = bide_form_value(req, "email"), *email = bide_problem_of(req, "email");
    const char *again = bide_problem_of(req, "again");
    bide_set_status(req, 422);
    return bide_arena_printf(bide_arena_of(req), "%s|%s|%s", typed ? typed : "-",
                             email ? email : "-", again ? again : "-");
}

POST(refusing, "/refusing", nothing, form_body(join_form, form), takes_problems)
{
    (void)form;
    bide_set_status(req, 202);
    bide_see_other(req, "/elsewhere");
    if (bide_problems_of(req)->first)
        fail(http_error(422, "the list is answered in place of this"));
    fail(http_error(409, "taken"));
}

GET(odd, "/odd", text, query(i32, status))
{
    bide_set_status(req, status);
    return bide_problem_of(req, "none") ? "a problem" : "no problem";
}

POST(later, "/later", nothing)
{
    bide_set_header(req, "X-Lost", "1");
    bide_keep_header(req, "Retry-After", "60");
    bide_set_header(req, "X-Lost-Too", "1");
    fail(http_error(429, "too many"));
}

MODEL(bag_form, "", (list(str), names, len(0, 2)), (list(i32), counts, optional));

POST(pack_bag, "/api/bag", text, body(bag_form, bag), takes_problems)
{
    return bide_arena_printf(bide_arena_of(req), "%zu %zu", bag->names.count, bag->counts.count);
}

POST(pack_bag_page, "/bag", text, form_body(bag_form, bag), takes_problems)
{
    return bide_arena_printf(bide_arena_of(req), "%zu %zu", bag->names.count, bag->counts.count);
}

static bide_app *make_app(void)
{
    bide_app *app = bide_app_new(.title = "problems");
    bide_app_add(app, "", &join_api_route, &join_page_route, &refusing_route, &odd_route,
                 &later_route, &pack_bag_route, &pack_bag_page_route);
    return app;
}

TEST(rules_of_a_handler_stand_with_those_of_the_model)
{
    with_client(c, make_app()) {
        reply r = await(client_post(
            c, "/api/join", json("{\"email\":\"x\",\"password\":\"12345678\",\"again\":\"2\"}")));
        check_int(r.status, 422);
        check_int((int64_t)json_count(r, "detail"), 2);
        check_str(json_str(r, "detail.0.loc.1"), "email");
        check_str(json_str(r, "detail.1.loc.0"), "body");
        check_str(json_str(r, "detail.1.loc.1"), "again");
        check_str(json_str(r, "detail.1.type"), "value_error");
        check_str(json_str(r, "detail.1.msg"), "Not the same password");
        r = await(client_post(c, "/api/join?n=7",
                              json("{\"email\":\"a@b.example\",\"password\":\"12345678\","
                                   "\"again\":\"12345678\"}")));
        check_int(r.status, 201);
        check_int(json_int(r, "id"), 7);
        check_str(json_str(r, "name"), "a@b.example");
    }
}

TEST(bodies_that_are_none_reach_the_handler_as_problems)
{
    with_client(c, make_app()) {
        static const char *const bodies[] = {"", "{", "[]", "{\"email\":1}",
                                             "{\"again\":\"\xff\"}"};
        for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++) {
            reply r = await(client_post(c, "/api/join", json(bodies[i])));
            check_int(r.status, 422);
            check(json_count(r, "detail") > 0);
        }
        check_int(await(client_post(c, "/api/join", urlencoded("email=x"))).status, 415);
    }
}

TEST(problems_of_other_inputs_are_answered_before_the_handler)
{
    with_client(c, make_app()) {
        reply r = await(client_post(c, "/api/join?n=x",
                                    json("{\"email\":\"a@b.example\",\"password\":\"12345678\","
                                         "\"again\":\"other\"}")));
        check_int(r.status, 422);
        check_int((int64_t)json_count(r, "detail"), 1);
        check_str(json_str(r, "detail.0.loc.0"), "query");
    }
}

TEST(a_form_is_shown_again_with_what_was_typed)
{
    with_client(c, make_app()) {
        reply r = await(client_post(c, "/join", urlencoded("email=a+b&password=12345678&again=x")));
        check_int(r.status, 422);
        check_contains(r.body, "a b|");
        check_contains(r.body, "email");
        check_contains(r.body, "|Not the same password");
        r = await(client_post(c, "/join", urlencoded("email=%ff&password=12345678")));
        check_int(r.status, 422);
        check_contains(r.body, "-|Input should be valid UTF-8|Field required");
        r = await(client_post(c, "/join",
                              urlencoded("email=a@b.example&password=12345678&again=12345678")));
        check_int(r.status, 303);
        check_str(reply_header(r, "location"), "/welcome");
        check_int((int64_t)r.length, 0);
    }
}

TEST(a_failure_drops_status_and_place)
{
    with_client(c, make_app()) {
        reply r = await(client_post(c, "/refusing", urlencoded("email=x")));
        check_int(r.status, 422);
        check_int((int64_t)json_count(r, "detail"), 3);
        check(!reply_header(r, "location"));
        r = await(client_post(c, "/refusing",
                              urlencoded("email=a@b.example&password=12345678&again=12345678")));
        check_int(r.status, 409);
        check_str(json_str(r, "detail"), "taken");
        check(!reply_header(r, "location"));
    }
}

TEST(a_status_is_one)
{
    with_client(c, make_app()) {
        reply r = await(client_get(c, "/odd?status=206"));
        check_int(r.status, 206);
        check_str(r.body, "no problem");
        check_int(await(client_get(c, "/odd?status=100")).status, 500);
        check_int(await(client_get(c, "/odd?status=600")).status, 500);
    }
}

TEST(a_failure_keeps_what_it_was_told_to)
{
    with_client(c, make_app()) {
        reply r = await(client_post(c, "/later", no_body));
        check_int(r.status, 429);
        check_str(reply_header(r, "retry-after"), "60");
        check(!reply_header(r, "x-lost"));
        check(!reply_header(r, "x-lost-too"));
        check_str(json_str(r, "detail"), "too many");
    }
}

TEST(a_list_with_a_problem_is_empty)
{
    with_client(c, make_app()) {
        static const char *const bodies[] = {"{\"names\":[1],\"counts\":[1,2]}",
                                             "{\"names\":[\"a\",\"b\",\"c\"],\"counts\":[1,2]}",
                                             "{\"names\":4,\"counts\":[1,2]}"};
        check_str(await(client_post(c, "/api/bag", json(""))).body, "0 0");
        for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++)
            check_str(await(client_post(c, "/api/bag", json(bodies[i]))).body, "0 2");
        reply r = await(client_post(c, "/bag", urlencoded("names=a&names=b&counts=1&counts=x")));
        check_str(r.body, "2 0");
        r = await(client_post(c, "/bag", urlencoded("names=a&names=b&names=c")));
        check_str(r.body, "0 0");
    }
}
