/* Accounts with Redis: codes and the cache are there, and shared by processes. */
#include "accounts/login.h"
#include "testing.h"

#include "../../tests/unit/redis/redis_case.h"

static bide_client_body form_with(const char *code)
{
    return json(bide_arena_printf(bide_task_arena(),
                                  "{\"email\":\"rosie@shire.example\",\"username\":\"rosie\","
                                  "\"password\":\"" FRODO_PASSWORD
                                  "\",\"password_confirm\":\"" FRODO_PASSWORD "\",\"code\":\"%s\"}",
                                  code));
}

TEST(codes_in_redis_register_once, .real_clock = true)
{
    struct redis_server server = redis_make(NULL);
    defer(redis_end, &server);
    __attribute__((cleanup(frodo_case_done))) struct frodo_case c = {.settings = NULL};
    frodo_case_open(&c, false);
    c.set.redis_url = server.url;
    c.set.codes = code_place_redis;
    with_frodo(client, site, &c) {
        reply r = await(client_post(client, "/api/auth/email-codes",
                                    json("{\"email\":\"rosie@shire.example\","
                                         "\"purpose\":\"register\"}")));
        check_int(r.status, 202);
        check_int(await(bide_scalar(site->db, i64, "select count(*) from bide_codes")), 0);
        const char *code = await(frodo_mailed_code("rosie@shire.example"));
        require(code);
        check_int(await(client_post(client, "/api/auth/register", form_with("12345"))).status, 422);
        check_int(await(client_post(client, "/api/auth/register", form_with(code))).status, 201);
        check_int(await(client_post(client, "/api/auth/register", form_with(code))).status, 400);
        r = await(client_post(client, "/api/auth/email-codes",
                              json("{\"email\":\"rosie@shire.example\",\"purpose\":\"recover\"}")));
        check_int(r.status, 202);
        r = await(client_post(client, "/api/auth/email-codes",
                              json("{\"email\":\"rosie@shire.example\",\"purpose\":\"recover\"}")));
        check_int(r.status, 429);
    }
}

/* Another process has a cache of its own, which is the same in Redis. */
TEST(who_is_disabled_in_one_process_is_nobody_in_another, .real_clock = true)
{
    struct redis_server server = redis_make(NULL);
    defer(redis_end, &server);
    __attribute__((cleanup(frodo_case_done))) struct frodo_case c = {.settings = NULL};
    frodo_case_open(&c, false);
    c.set.redis_url = server.url;
    with_frodo(client, site, &c) {
        with_frodo(other, other_site, &c) {
            int64_t id = await(frodo_make_user(site->db, "sam", "member"));
            await(frodo_login(client, "sam"));
            await(frodo_login(other, "sam"));
            check_int(await(client_get(other, "/api/users/me")).status, 200);
            with_tx(tx, site->db) {
                await(bide_do(tx, "update users set status = $1", "disabled"));
                account_changed(tx, site, id);
            }
            check_int(await(client_get(client, "/api/users/me")).status, 401);
            int status = 0;
            for (int i = 0; i < 100 && status != 401; i++) {
                await(bide_sleep(bide_ms(2)));
                status = await(client_get(other, "/api/users/me")).status;
            }
            check_int(status, 401);
        }
    }
}
