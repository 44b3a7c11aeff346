/* A user's tests: run_install.py builds them outside the tree, with the installed test kit. */
#include <bide/bide.h>
#include <bide/test.h>
#include <bide/web_test.h>

MODEL(answer, "", (i32, value));

GET(get_answer, "/answer", answer)
{
    await(bide_sleep(bide_s(42))); /* virtual */
    return (answer){.value = 42};
}

TEST(the_answer_is_42)
{
    bide_app *app = bide_app_new(.title = "answers");
    bide_app_add_all(app, "");
    with_client(c, app) {
        reply r = await(client_get(c, "/answer"));
        check_int(json_int(r, "value"), 42);
    }
}
