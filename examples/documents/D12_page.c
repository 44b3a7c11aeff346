/*
 * D12: a route with page=1, size=10.
 *
 * The document: a list route whose query parameters are plain integers with defaults, and an offset
 * of (page - 1) * size.
 *
 * What goes wrong: page 0 gives a negative offset: an error of the database, or an empty list that
 * looks like an answer. size=1000000 is allowed and reads the whole table.
 *
 * In bide: the limits stand beside the parameters. page 0 and a huge size never reach the handler:
 * 422 for both at once, and OpenAPI tells the same limits. The response page(user) is the items,
 * and how many there are in all.
 */
#include <bide/bide.h>
#include <bide/web_test.h>

#include <stdio.h>

MODEL(user, "users", (i64, id, key), (str, name));

enum { USERS = 100 };

GET(list_users, "/users", page(user), query(i32, page, range(1, 10000), dflt(1)),
    query(i32, size, range(1, 100), dflt(10)))
{
    const user *all = bide_app_state(req);
    int64_t offset = (int64_t)(page - 1) * size;
    user_page out = {.total = USERS, .page = page, .size = size};
    if (offset < USERS) {
        size_t left = (size_t)(USERS - offset), asked = (size_t)size;
        out.items = (user *)all + offset;
        out.count = left < asked ? left : asked;
    }
    return out;
}

static async(void) show(bide_client_ptr client, const char *target)
{
    reply r = await(client_get(client, target));
    printf("GET %s: %d", target, r.status);
    if (r.status != 200) {
        for (size_t i = 0; i < json_count(r, "detail"); i++) {
            char at[48], why[48];
            snprintf(at, sizeof at, "detail.%zu.loc.1", i);
            snprintf(why, sizeof why, "detail.%zu.msg", i);
            printf("\n  %s: %s", json_str(r, at), json_str(r, why));
        }
    } else {
        size_t count = json_count(r, "items");
        printf(", %zu of %lld, page %lld of %lld", count, (long long)json_int(r, "total"),
               (long long)json_int(r, "page"), (long long)json_int(r, "pages"));
        if (count > 0)
            printf(", from id %lld", (long long)json_int(r, "items.0.id"));
    }
    printf("\n");
    return bide_void;
}

static async(void) app(void)
{
    user all[USERS];
    for (int i = 0; i < USERS; i++)
        all[i] = (user){.id = i + 1, .name = "somebody"};
    bide_app *users = bide_app_new(.title = "Users", .state = all);
    bide_app_add_all(users, "");
    with_client(client, users) {
        await(show(client, "/users"));
        await(show(client, "/users?page=2"));
        await(show(client, "/users?page=10&size=10"));
        await(show(client, "/users?page=11"));
        await(show(client, "/users?page=0"));
        await(show(client, "/users?page=0&size=1000000"));
        await(show(client, "/users?page=two"));
    }
    return bide_void;
}

int main(void)
{
    return bide_run(app, .virtual_clock = true);
}
