/* Proofs of who asks: where they stand, what is answered without one, what is documented. */
#include "web_case.h"

typedef struct account {
    const char *name;
} account;

PROVIDER(account *, who, bearer(token))
{
    static account sam = {"Sam"};
    if (strcmp(token, "t0ken") != 0)
        fail(http_error(401, "wrong token"));
    provide(&sam);
}

GET(me, "/me", text, depends(account *, a, who), query(i32, times, dflt(1), range(1, 3)))
{
    return times > 1 ? "often" : a->name;
}

GET(maybe_me, "/maybe", text, oauth2(token, "/auth", optional))
{
    return token ? token : "nobody";
}

GET(with_password, "/basic", text, basic(login))
{
    return bide_arena_printf(bide_arena_of(req), "%s/%s", login->user, login->password);
}

GET(with_keys, "/keys", text, api_key(a, header, "X-Key"), api_key(b, query, "key"),
    api_key(c, cookie, "sid", optional))
{
    return bide_arena_printf(bide_arena_of(req), "%s %s %s", a, b, c ? c : "-");
}

PROVIDER(const char *, somebody, oauth2(token, "/auth", optional),
         api_key(session, cookie, "session", optional))
{
    provide(token ? token : session);
}

GET(either, "/either", text, depends(const char *, proof, somebody))
{
    return proof;
}

GET(key_and_either, "/both", text, api_key(key, header, "X-Key"),
    depends(const char *, proof, somebody), oauth2(again, "/auth", optional))
{
    (void)again;
    return proof ? proof : key;
}

GET(twice, "/twice", text, bearer(token), depends(account *, a, who), bearer(other, optional))
{
    (void)a;
    return other ? token : NULL;
}

static bide_app *make_app(void)
{
    bide_app *app = bide_app_new(.title = "proofs");
    bide_app_add(app, "", &me_route, &maybe_me_route, &with_password_route, &with_keys_route,
                 &either_route, &key_and_either_route, &twice_route);
    return app;
}

TEST(a_bearer_token)
{
    with_client(c, make_app()) {
        bide_client_header(c, "Authorization", "bearer t0ken");
        reply r = await(client_get(c, "/me"));
        check_int(r.status, 200);
        check_str(r.body, "Sam");
    }
}

TEST(no_proof_is_401_before_anything_else)
{
    static const char *const fields[] = {"Basic dDprZW4=", "Bearer", "Bearer ", "t0ken"};
    with_client(c, make_app()) {
        reply r = await(client_get(c, "/me?times=99"));
        check_int(r.status, 401);
        check_str(r.body, "{\"detail\":\"Not authenticated\"}");
        check_str(reply_header(r, "WWW-Authenticate"), "Bearer");
        for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
            bide_client_header(c, "Authorization", fields[i]);
            r = await(client_get(c, "/me"));
            check_int(r.status, 401);
        }
    }
}

TEST(a_401_that_is_raised_says_how_too)
{
    with_client(c, make_app()) {
        bide_client_header(c, "Authorization", "Bearer other");
        reply r = await(client_get(c, "/me"));
        check_int(r.status, 401);
        check_str(json_str(r, "detail"), "wrong token");
        check_str(reply_header(r, "WWW-Authenticate"), "Bearer");
    }
}

TEST(an_optional_proof)
{
    with_client(c, make_app()) {
        reply r = await(client_get(c, "/maybe"));
        check_str(r.body, "nobody");
        bide_client_header(c, "Authorization", "Bearer abc");
        r = await(client_get(c, "/maybe"));
        check_str(r.body, "abc");
    }
}

TEST(user_and_password)
{
    static const char *const wrong[] = {"Basic YWJj", "Basic !", "Basic", "Basic YTo=x",
                                        "Basic YQA6Yg=="};
    with_client(c, make_app()) {
        bide_client_header(c, "Authorization", "Basic U2FtOmE6Yg==");
        reply r = await(client_get(c, "/basic"));
        check_str(r.body, "Sam/a:b");
        for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
            bide_client_header(c, "Authorization", wrong[i]);
            r = await(client_get(c, "/basic"));
            check_int(r.status, 401);
            check_contains(reply_header(r, "WWW-Authenticate"), "Basic realm=");
        }
    }
}

TEST(keys)
{
    with_client(c, make_app()) {
        reply r = await(client_get(c, "/keys?key=q%20q"));
        check_int(r.status, 401);
        check(reply_header(r, "WWW-Authenticate") == NULL);
        bide_client_header(c, "x-key", "h");
        r = await(client_get(c, "/keys?a=b&key=q%20q"));
        check_str(r.body, "h q q -");
        bide_client_header(c, "cookie", "a=b; sid=k");
        r = await(client_get(c, "/keys?key=q"));
        check_str(r.body, "h q k");
        r = await(client_get(c, "/keys?key="));
        check_int(r.status, 401);
        r = await(client_get(c, "/keys?key=%zz"));
        check_int(r.status, 401);
    }
}

TEST(schemes_are_documented)
{
    with_client(c, make_app()) {
        reply r = await(client_get(c, "/openapi.json"));
        check_contains(r.body,
                       "\"securitySchemes\":{\"bearer\":{\"type\":\"http\",\"scheme\":\"bearer\"}");
        check_contains(r.body,
                       "\"oauth2\":{\"type\":\"oauth2\",\"flows\":{\"password\":{\"scopes\":{},"
                       "\"tokenUrl\":\"/auth\"}}}");
        check_contains(r.body, "\"security\":[{\"oauth2\":[]},{}]");
        check_contains(r.body,
                       "\"security\":[{\"header.X-Key\":[],\"query.key\":[],\"cookie.sid\":[]},"
                       "{\"header.X-Key\":[],\"query.key\":[]}]");
    }
}

/* OpenAPI 3.1.0, "security": a list of which one is enough; {} is none. */
TEST(any_one_of_the_optional_proofs_is_enough)
{
    with_client(c, make_app()) {
        reply r = await(client_get(c, "/openapi.json"));
        check_contains(r.body, "\"operationId\":\"either\","
                               "\"security\":[{\"oauth2\":[]},{\"cookie.session\":[]},{}],"
                               "\"responses\":{\"200\"");
        check_contains(r.body, "\"operationId\":\"key_and_either\","
                               "\"security\":[{\"oauth2\":[],\"header.X-Key\":[]},"
                               "{\"cookie.session\":[],\"header.X-Key\":[]},"
                               "{\"header.X-Key\":[]}],");
        check_contains(r.body, "\"operationId\":\"twice\",\"security\":[{\"bearer\":[]}],");
    }
}

GET(nameless, "/nameless", text, api_key(a, header))
{
    return a;
}

TEST(a_key_without_a_name_is_an_error_at_start)
{
    bide_app *app = bide_app_new(.title = "nameless");
    bide_app_add(app, "", &nameless_route);
    check_contains(bide_app_check(app), "without a name");
    bide_app_free(app);
}
