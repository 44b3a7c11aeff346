/* Forms: fields, models, files; urlencoded and multipart; what is wrong with them. */
#include "web_case.h"

MODEL(posted, "", (str, username, optional), (i32, times), (i64, tags), (str, file, optional),
      (i64, bytes));

POST(login, "/login", posted, form(str, username, len(1, 10)), form(i32, times, dflt(1)),
     form(list(str), tag, optional))
{
    return (posted){.username = username, .times = times, .tags = (int64_t)tag.count};
}

POST(register_user, "/register", posted, form_body(user_in, form))
{
    return (posted){.username = form->name, .times = form->age};
}

POST(upload, "/upload", posted, form(str, username, optional), file(avatar), files(more))
{
    posted said = {.username = username, .tags = (int64_t)more.count};
    said.file = bide_arena_printf(bide_arena_of(req), "%s|%s|%.*s", avatar->name,
                                  avatar->content_type, (int)avatar->size, avatar->data);
    for (size_t i = 0; i < more.count; i++)
        said.bytes += (int64_t)more.items[i].size;
    return said;
}

POST(maybe_upload, "/maybe", text, file(avatar, optional))
{
    return avatar ? avatar->name : "none";
}

static bide_app *make_app(void)
{
    bide_app *app = bide_app_new(.title = "forms");
    bide_app_add(app, "", &login_route, &register_user_route, &upload_route, &maybe_upload_route);
    return app;
}

TEST(urlencoded_fields)
{
    with_client(c, make_app()) {
        reply r =
            await(client_post(c, "/login", urlencoded("username=S%C3%A4m+G&times=3&tag=a&tag=b")));
        check_int(r.status, 200);
        check_str(json_str(r, "username"), "S\xc3\xa4m G");
        check_int(json_int(r, "times"), 3);
        check_int(json_int(r, "tags"), 2);
        r = await(client_post(c, "/login", urlencoded("username=x")));
        check_int(json_int(r, "times"), 1);
        check_int(json_int(r, "tags"), 0);
    }
}

TEST(problems_of_fields_name_the_body)
{
    with_client(c, make_app()) {
        reply r = await(client_post(c, "/login", urlencoded("times=x&bad=%zz")));
        check_int(r.status, 422);
        check_int((int64_t)json_count(r, "detail"), 3);
        check_str(json_str(r, "detail.0.type"), "url_encoding");
        check_str(json_str(r, "detail.1.loc.0"), "body");
        check_str(json_str(r, "detail.1.loc.1"), "times");
        check_str(json_str(r, "detail.2.loc.1"), "username");
        check_str(json_str(r, "detail.2.type"), "missing");
        r = await(client_post(c, "/login", no_body));
        check_int(r.status, 422);
        check_str(json_str(r, "detail.0.type"), "missing");
    }
}

TEST(a_form_of_another_type_is_415)
{
    with_client(c, make_app()) {
        reply r = await(client_post(c, "/login", json("{\"username\":\"x\"}")));
        check_int(r.status, 415);
        r = await(client_post(c, "/login", ((bide_client_body){NULL, "username=x", 10})));
        check_int(r.status, 415);
        r = await(client_post(c, "/login", ((bide_client_body){"multipart/form-data", "x", 1})));
        check_int(r.status, 400);
    }
}

TEST(a_model_from_a_form)
{
    with_client(c, make_app()) {
        reply r = await(client_post(c, "/register", urlencoded("name=Sam&age=33")));
        check_int(r.status, 200);
        check_str(json_str(r, "username"), "Sam");
        check_int(json_int(r, "times"), 33);
        r = await(client_post(c, "/register", urlencoded("age=200")));
        check_int(r.status, 422);
        check_int((int64_t)json_count(r, "detail"), 2);
        r = await(client_post(c, "/register", multipart(c, part("name", "Pippin"))));
        check_str(json_str(r, "username"), "Pippin");
    }
}

TEST(files_and_fields_of_one_form)
{
    with_client(c, make_app()) {
        reply r = await(
            client_post(c, "/upload",
                        multipart(c, part("username", "Sam"),
                                  part_file("avatar", "a\r\n--b\r\n", "../a.png", "image/png"),
                                  part_file("more", "12345", "x", "text/plain"),
                                  part_file("more", "678", "y", "text/plain"))));
        check_int(r.status, 200);
        check_str(json_str(r, "file"), "../a.png|image/png|a\r\n--b\r\n");
        check_int(json_int(r, "tags"), 2);
        check_int(json_int(r, "bytes"), 8);
        check_str(json_str(r, "username"), "Sam");
    }
}

/* A part that begins like a delimiter, or has a front of one inside. */
TEST(parts_that_look_like_a_delimiter)
{
    static const char *const texts[] = {
        "-",          "--",        "-5",      "--bide", "--bide-client-boundary-7d1",
        "\r\n--bide", "a\r\n-b\r", "\r\r\n-",
    };
    with_client(c, make_app()) {
        for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
            reply r = await(client_post(c, "/upload",
                                        multipart(c, part("username", texts[i]),
                                                  part_file("avatar", texts[i], "x", "y/z"),
                                                  part_file("more", texts[i], "x", "y/z"))));
            check_int(r.status, 200);
            check_str(json_str(r, "username"), texts[i]);
            check_str(json_str(r, "file"),
                      bide_arena_printf(bide_task_arena(), "x|y/z|%s", texts[i]));
            check_int(json_int(r, "bytes"), (int64_t)strlen(texts[i]));
        }
    }
}

TEST(missing_files)
{
    with_client(c, make_app()) {
        reply r = await(client_post(c, "/upload", multipart(c, part("username", "Sam"))));
        check_int(r.status, 422);
        check_int((int64_t)json_count(r, "detail"), 2); /* avatar, and files that has none */
        check_str(json_str(r, "detail.0.loc.1"), "avatar");
        /* A value is no file; a file nobody chose is none either. */
        r = await(client_post(
            c, "/upload",
            multipart(c, part("avatar", "text"), part_file("more", "1", "x", "text/plain"))));
        check_int(r.status, 422);
        r = await(
            client_post(c, "/maybe", multipart(c, part_file("avatar", "", "", "text/plain"))));
        check_str(r.body, "none");
        r = await(
            client_post(c, "/maybe", multipart(c, part_file("avatar", "1", "name", "text/plain"))));
        check_str(r.body, "name");
        r = await(client_post(c, "/maybe", urlencoded("avatar=x")));
        check_str(r.body, "none");
    }
}

TEST(a_broken_multipart_form)
{
    static const char *const bodies[] = {
        "nonsense", "--b\r\nContent-Disposition: form-data; name=\"username\"\r\n\r\nx",
        "--b\r\nContent-Disposition: form-data\r\n\r\nx\r\n--b--\r\n", "--b\r\n\r\n\r\n--b--\r\n"};
    with_client(c, make_app()) {
        for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++) {
            reply r = await(client_post(c, "/login",
                                        ((bide_client_body){"multipart/form-data; boundary=b",
                                                            bodies[i], strlen(bodies[i])})));
            check_int(r.status, 400);
        }
    }
}

POST(both, "/both", nothing, body(user_in, a), form(str, b))
{
    (void)a;
    (void)b;
}

TEST(json_and_a_form_together_are_an_error_at_start)
{
    bide_app *app = bide_app_new(.title = "both");
    bide_app_add(app, "", &both_route);
    check_contains(bide_app_check(app), "a JSON body and a form");
    bide_app_free(app);
}
