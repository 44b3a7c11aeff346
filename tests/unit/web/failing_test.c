/* Each allocation fails once, each await is cancelled once: nothing leaks, nothing is half done. */
#include "web_case.h"

static int open_count;

static void close_one(void *arg)
{
    (void)arg;
    open_count--;
}

PROVIDER(int, opened)
{
    open_count++;
    defer(close_one, NULL);
    await(bide_sleep(bide_ms(1)));
    provide(open_count);
    await(bide_sleep(bide_ms(1)));
}

POST(make_user, "/users/{id}", user_out, status(201), path(i64, id), query(str, note, optional),
     body(user_in, form), depends(int, count, opened))
{
    await(bide_sleep(bide_ms(1)));
    bide_set_header(req, "X-Note", note ? note : "-");
    if (id == 2)
        fail(http_error(404, "no %lld", (long long)id));
    return (user_out){.id = id + count, .name = form->name};
}

static async(void) use(void)
{
    bide_app *app = bide_app_new(.title = "failing");
    bide_app_add(app, "", &make_user_route);
    bide_app_use(app, bide_security_headers, NULL);
    with_client(c, app) {
        reply r = await(client_post(c, "/users/1?note=a%20b", json("{\"name\":\"Sam\"}")));
        if (r.status == 201) {
            check_str(json_str(r, "name"), "Sam");
            check_str(reply_header(r, "X-Note"), "a b");
        } else {
            check(r.status == 413 || r.status == 500);
        }
        check_int(open_count, 0);
        r = await(client_post(c, "/users/%32", json("{\"name\":\"Sam\"}")));
        check(r.status == 404 || r.status == 413 || r.status == 500);
        check_int(open_count, 0);
    }
    return bide_void;
}

static async(void) use_and_count(void);
SPAWNABLE(void, use_and_count)
static async(void) use_and_count(void)
{
    await(use());
    return bide_void;
}

TEST(every_allocation_fails_once, .fail_allocations = true)
{
    bide_error *error;
    test_capture_stderr();
    attempt(&error, use_and_count);
    bide_log_flush(1000);
    (void)test_captured();
    check_int(open_count, 0);
    if (error)
        check(error->code == BIDE_NO_MEMORY || error->code == BIDE_INVALID);
}

TEST(every_await_is_cancelled_once, .cancel_everywhere = true)
{
    bide_error *error;
    attempt(&error, use_and_count);
    check_int(open_count, 0);
    if (error)
        fail(error);
}
