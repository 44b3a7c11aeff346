/* The main function: its life with one and two workers, and what it says. The rest, with real
   programs and signals, is in tests/run_main.py. */
#include "web_case.h"

#include <stdlib.h>
#include <unistd.h>

static int made, started, stopped; /* atomic */

GET(hello, "/hello", text)
{
    return "hello\n";
}

PROVIDER(int, first)
{
    provide(1);
}

PROVIDER(int, second, depends(int, one, first))
{
    provide(one + 1);
}

DELETE(remove_it, "/things/{name:path}", nothing, path(str, name), depends(int, two, second))
{
    (void)name;
}

GET(list_users, "/users", list(user_out))
{
    return (user_out_list){NULL, 0};
}

static bide_app *apps[3]; /* of the workers */

/* The second worker starts after the first. */
static async(void) start(bide_app *app)
{
    check(bide_app_state(app) != NULL);
    apps[bide_loop_index()] = app;
    if (bide_loop_index() == 1)
        await(bide_sleep(bide_ms(20)));
    if (__atomic_add_fetch(&started, 1, __ATOMIC_ACQ_REL) == bide_loop_count())
        bide_stop("all have started");
    return bide_void;
}

static async(void) stop(bide_app *app)
{
    (void)app;
    __atomic_add_fetch(&stopped, 1, __ATOMIC_RELAXED);
    return bide_void;
}

static bide_app *make_app(void)
{
    bide_app *app = bide_app_new(.title = "Users", .start = start, .stop = stop);
    bide_app_set_state(app, bide_arena_alloc(bide_app_arena(app), 8));
    bide_app_add(app, "", &hello_route, &remove_it_route, &list_users_route);
    made++;
    return app;
}

/* Calls main with these arguments; gives what it has said on stderr. */
#define SAID(status, ...)                                                                          \
    said((status), (char *[]){(char[]){"/bin/users"}, __VA_ARGS__, NULL},                          \
         sizeof(char *[]){__VA_ARGS__} / sizeof(char *) + 1)
#define WORD(text) ((char[]){text})

static const char *said(int expected, char **arguments, size_t count)
{
    test_capture_stderr();
    int status = bide_main((int)count, arguments, make_app, .http = {.lame_duck = {1}});
    const char *text = test_captured();
    check_int(status, expected);
    return text;
}

TEST_PLAIN(one_worker_lives_and_stops)
{
    const char *text = SAID(0, WORD("run"), WORD("--port"), WORD("0"));
    check_contains(text, "Users 0.1.0 on http://127.0.0.1:");
    check_contains(text, "(1 worker, ");
    check_contains(text, "stopped");
    check_int(made, 1);
    check_int(stopped, 1);
}

TEST_PLAIN(each_worker_has_an_application)
{
    const char *text = SAID(0, WORD("--port=0"), WORD("--workers=3"));
    check_contains(text, "(3 workers, ");
    check_int(made, 3);
    check_int(started, 3);
    check_int(stopped, 3);
}

TEST_PLAIN(workers_share_a_unix_socket)
{
    char folder[] = "/tmp/bide-main-XXXXXX", option[64];
    require(mkdtemp(folder));
    snprintf(option, sizeof option, "--uds=%s/s", folder);
    check_contains(SAID(0, option, WORD("--workers=2")), folder);
    check_int(started, 2);
    check_int(rmdir(folder), 0); /* the socket is gone */
}

TEST_PLAIN(what_is_wrong_is_one_line)
{
    check_str(SAID(2, WORD("rnu")), "users: no command 'rnu'; did you mean run?\n");
    check_str(SAID(2, WORD("serve")),
              "users: no command 'serve'; there are run, routes, openapi, check, help, version\n");
    check_str(SAID(2, WORD("--hots"), WORD("x")),
              "users: no option --hots; did you mean --host?\n");
    check_str(SAID(2, WORD("--port"), WORD("70000")),
              "users: --port: Input should be less than or equal to 65535\n");
    check_str(SAID(2, WORD("--workers"), WORD("300")),
              "users: --workers: Input should be less than or equal to 256\n");
    check_str(SAID(3, WORD("--fd"), WORD("1000")),
              "users: descriptor 1000 is not a stream socket: Bad file descriptor\n");
    check_int(started, 0);
}

static int announced; /* atomic */

static void announce(bide_app *app, const char *address)
{
    check_int(bide_loop_index(), 1);
    check(app == apps[1]);
    check_contains(address, "127.0.0.1:");
    __atomic_add_fetch(&announced, 1, __ATOMIC_RELAXED);
}

TEST_PLAIN(who_asked_is_told_once_when_all_accept)
{
    char *arguments[] = {WORD("users"), WORD("--port=0"), WORD("--workers=2"), NULL};
    test_capture_stderr();
    check_int(bide_main(3, arguments, make_app, .started = announce, .http = {.lame_duck = {1}}),
              0);
    check_int(announced, 1);
}

static void announce_badly(bide_app *app, const char *address)
{
    (void)app;
    fail(bide_error_new(BIDE_INVALID, "nobody is to know %s", address));
}

TEST_PLAIN(what_has_started_is_stopped_whoever_fails)
{
    char *arguments[] = {WORD("users"), WORD("--port=0"), NULL};
    test_capture_stderr();
    check_int(bide_main(2, arguments, make_app, .started = announce_badly), 1);
    check_contains(test_captured(), "nobody is to know 127.0.0.1:");
    check_int(started, 1);
    check_int(stopped, 1);
}

/* Waits, as a query would; gives the number of its arguments, or fails. */
static async(int) count_words(bide_app *app, int argc, char **argv)
{
    check(bide_app_state(app) != NULL);
    check_int(started, 1);
    check_int(stopped, 0);
    check_str(argv[0], "count");
    check(argv[argc] == NULL);
    await(bide_sleep(bide_ms(1)));
    if (argc > 3)
        fail(bide_error_new(BIDE_LIMIT, "too many words"));
    return ready(int, argc - 1);
}

static async(void) start_quietly(bide_app *app)
{
    (void)app;
    started++;
    return bide_void;
}

static bide_app *make_quiet(void)
{
    static int state;
    return bide_app_new(.title = "Users", .start = start_quietly, .stop = stop, .state = &state);
}

static const char *said_by_command(int expected, char **arguments, int count)
{
    static const bide_command commands[] = {{"count", "count WORDS   counts", count_words},
                                            {"routes", "routes   is the library's", count_words},
                                            {"run", "run   is the library's", count_words},
                                            {NULL, NULL, NULL}};
    test_capture_stderr();
    check_int(bide_main(count, arguments, make_quiet, .commands = commands), expected);
    return test_captured();
}

TEST_PLAIN(a_command_of_the_program_runs_beside_its_application)
{
    char *words[] = {WORD("users"), WORD("count"), WORD("a"), WORD("b"), WORD("c"), NULL};
    char *wrong[] = {WORD("users"), WORD("coumt"), NULL};
    check_str(said_by_command(2, (char *[]){words[0], words[1], words[2], words[3], NULL}, 4), "");
    check_int(stopped, 1);
    started = stopped = 0;
    check_str(said_by_command(1, words, 5), "users: too many words\n");
    check_int(stopped, 1);
    check_str(said_by_command(2, wrong, 2), "users: no command 'coumt'; did you mean count?\n");
    wrong[1] = WORD("xyzzy");
    check_contains(said_by_command(2, wrong, 2), "openapi, check, help, version, count, ");
    words[1] = WORD("routes");
    check_str(said_by_command(2, words, 3), "users: routes takes no argument 'a'\n");
    words[1] = WORD("run");
    check_str(said_by_command(2, words, 3),
              "users: unexpected argument 'a'; --help lists the options\n");
}

static bide_app *make_none(void)
{
    return NULL;
}

TEST_PLAIN(without_an_application)
{
    test_capture_stderr();
    int status = bide_main(1, ((char *[]){WORD("users"), NULL}), make_none);
    check_str(test_captured(), "users: the application was not made\n");
    check_int(status, 2);
}

/* What a command prints on stdout. */
static const char *printed(char *command)
{
    static char text[8192];
    char *arguments[] = {WORD("users"), command, NULL};
    FILE *file = tmpfile();
    require(file);
    fflush(stdout);
    int kept = dup(STDOUT_FILENO);
    require(dup2(fileno(file), STDOUT_FILENO) >= 0);
    int status = bide_main(2, arguments, make_app);
    fflush(stdout);
    dup2(kept, STDOUT_FILENO);
    close(kept);
    rewind(file);
    text[fread(text, 1, sizeof text - 1, file)] = '\0';
    fclose(file);
    check_int(status, 0);
    return text;
}

/* The line of a table that begins so, without its source. */
static const char *line_of(const char *table, const char *start)
{
    static char line[256];
    const char *at = strstr(table, start);
    snprintf(line, sizeof line, "%.*s", at ? (int)(strstr(at, "main_test.c:") - at) : 0, at);
    return line;
}

TEST_PLAIN(the_table_of_routes)
{
    const char *table = printed(WORD("routes"));
    check(strncmp(table, "METHOD  PATTERN", 15) == 0);
    check_str(line_of(table, "GET     /hello"),
              "GET     /hello               hello       200     text                           ");
    check_str(line_of(table, "DELETE"),
              "DELETE  /things/{name:path}  remove_it   204     nothing         first, second  ");
    check_str(line_of(table, "GET     /users"),
              "GET     /users               list_users  200     list(user_out)                 ");
    check(strstr(table, "/openapi.json") == NULL);
    check_contains(printed(WORD("openapi")), "\"title\":\"Users\"");
    check_contains(printed(WORD("help")), "--log-level");
    check_contains(printed(WORD("--version")), "bide ");
}
