#include "blog/blog_case.h"

#include <inttypes.h>

FRODO_TEST(a_seed_is_a_blog_in_three_languages)
{
    bide_app *app = blog_app(c);
    frodo *site = bide_app_state(app);
    with_client(client, app) {
        await(blog_seed(site, 30));
        reply r = await(client_get(client, "/api/posts?size=100"));
        check_int(json_int(r, "total"), 30);
        check_int(json_int(await(client_get(client, "/api/search?q=%E5%BC%82%E6%AD%A5")), "total") >
                      0,
                  1);
        check_int(json_int(await(client_get(client, "/api/search?q=%EA%B2%80%EC%83%89")), "total") >
                      0,
                  1);
        check_int(await(client_get(client, "/?page=2")).status, 200);
        for (size_t i = 0; i < json_count(r, "items"); i++) {
            const char *slug = json_str(r, path_of("items.%zu.slug", i));
            reply page = await(
                client_get(client, path_of("/posts/%s", bide_url_escape(bide_task_arena(), slug))));
            check_int(page.status, 200);
            check_contains(page.body, "class=\"comment\"");
        }
        await(blog_seed(site, 110)); /* once more */
        check_int(json_int(await(client_get(client, "/api/posts")), "total"), 140);
        check_contains(await(client_get(client, "/?page=7")).body, "part ");
    }
}
