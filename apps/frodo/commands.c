/*
 * frodo init, adduser, seed: what makes an empty database a site. Called by main.c through
 * bide_main, in a task, with the application started: the schema is there. frodo_first is called by
 * app.c too.
 */
#include "commands.h"

#include "blog/blog.h"
#include "users/users.h"

#include <bide/password.h>
#include <bide/token.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

enum { PASSWORD_BYTES = 1024, FIRST_POSTS = 45, MOST_POSTS = 1000000 };

/* ---- accounts ---- */

static async(int64_t) add_user(bide_db *db, int64_t role_id, const char *username,
                               const char *email, const char *password)
{
    user row = {.username = username, .email = folded(email), .about = "", .role_id = role_id};
    row.password = await(bide_password_hash((bide_plain_pw){password}));
    await(bide_insert(db, user, &row));
    return ready(int64_t, row.id);
}

/* A line of standard input, on the lane since it waits for a person; at a terminal unseen. The
   number of its bytes, or -1. */
static int read_secret(char *text, int size)
{
    struct termios was, unseen;
    bool terminal = isatty(STDIN_FILENO) && tcgetattr(STDIN_FILENO, &was) == 0;
    if (terminal) {
        unseen = was;
        unseen.c_lflag &= ~(tcflag_t)ECHO;
        fputs("Password: ", stderr);
        tcsetattr(STDIN_FILENO, TCSAFLUSH, &unseen);
    }
    char *line = fgets(text, size, stdin);
    if (terminal) {
        tcsetattr(STDIN_FILENO, TCSAFLUSH, &was);
        fputc('\n', stderr);
    }
    if (!line)
        return -1;
    line[strcspn(line, "\r\n")] = 0;
    return (int)strlen(line);
}
OFFLOADABLE(int, read_secret, char *, int)

static int say_usage(const char *usage)
{
    fprintf(stderr, "usage: frodo %s\n", usage);
    return 2;
}

/* What is wrong with an account, by the rules of the API, a line each. */
static bool is_right(const char *username, const char *email, const char *password)
{
    const bide_pair pairs[] = {{"username", 8, username, strlen(username)},
                               {"email", 5, email, strlen(email)},
                               {"password", 8, password, strlen(password)}};
    bide_problems problems;
    new_user row;
    bide_problems_init(&problems, bide_task_arena());
    bide_input input = {.arena = bide_task_arena(), .problems = &problems};
    int code = bide_form_read(&input, new_user_model(), pairs, 3, &row);
    for (const bide_problem *one = problems.first; one; one = one->next)
        fprintf(stderr, "frodo: %s: %s\n", one->loc, one->msg);
    return code == 0;
}

static async(int) adduser(bide_app *app, int argc, char **argv)
{
    const frodo *site = bide_app_state(app);
    char password[PASSWORD_BYTES];
    bool admin = argc > 1 && strcmp(argv[1], "--admin") == 0;
    if (argc != 3 + admin)
        return ready(int, say_usage("adduser [--admin] USERNAME EMAIL"));
    const char *username = argv[1 + admin], *email = argv[2 + admin];
    int length = await(offload(BIDE_BLOCKING, read_secret, password, (int)sizeof password));
    if (length < 0 || !is_right(username, email, password))
        return ready(int, 1);
    int64_t id =
        await(add_user(site->db, admin ? ROLE_ADMIN : ROLE_MEMBER, username, email, password));
    bide_wipe(password, sizeof password);
    printf("%s has the number %lld\n", username, (long long)id);
    return ready(int, 0);
}

/* ---- the first start ---- */

async(void) frodo_first(frodo *site)
{
    const char *url = site->settings->database_url, *password = NULL;
    if (await(bide_scalar(site->db, i64, "select count(*) from users")) == 0) {
        password = bide_token_make(bide_task_arena(), 16);
        await(add_user(site->db, ROLE_ADMIN, "admin", "admin@shire.example", password));
    }
    if (await(bide_scalar(site->db, i64, "select count(*) from posts")) == 0)
        await(blog_seed(site, FIRST_POSTS));
    int64_t posts = await(bide_scalar(site->db, i64, "select count(*) from posts"));
    printf("data:     %s, %lld posts\n", strncmp(url, "sqlite", 6) == 0 ? url : "PostgreSQL",
           (long long)posts);
    if (password)
        printf("admin:    name admin, password %s (shown this once)\n", password);
    else
        printf("admin:    as before; `frodo adduser --admin NAME EMAIL` makes another\n");
    return bide_void;
}

static async(int) init(bide_app *app, int argc, char **argv)
{
    (void)argv;
    if (argc != 1)
        return ready(int, say_usage("init"));
    await(frodo_first(bide_app_state(app)));
    return ready(int, 0);
}

static async(int) seed(bide_app *app, int argc, char **argv)
{
    char *end = NULL;
    long long count = argc == 2 ? strtoll(argv[1], &end, 10) : 0;
    if (count < 1 || count > MOST_POSTS || *end)
        return ready(int, say_usage("seed N: 1 to 1000000 demo posts more"));
    await(blog_seed(bide_app_state(app), count));
    printf("%lld posts more\n", count);
    return ready(int, 0);
}

const bide_command frodo_commands[] = {
    {"init", "init                make an administrator and demo posts where there are none", init},
    {"adduser", "adduser [--admin] USERNAME EMAIL   the password is asked for, or a line of stdin",
     adduser},
    {"seed", "seed N              add demo posts in English, Chinese and Korean", seed},
    {NULL, NULL, NULL}};

/* ---- the lines of a start ---- */

void frodo_started(bide_app *app, const char *address)
{
    const frodo *site = bide_app_state(app);
    if (site->settings->mode != run_mode_development)
        return;
    bool outbox = strncmp(site->settings->smtp_url, "outbox:", 7) == 0;
    bool is_unix = strncmp(address, "unix:", 5) == 0;
    const char *http = is_unix ? "" : "http://";
    printf("mails:    %s%s%s\n", outbox ? http : "sent by ", outbox ? address : "SMTP",
           outbox ? "/dev/outbox" : "");
    printf("loops:    %d, on %s\n", bide_loop_count(), bide_io_name());
    printf("blog:     %s%s/\n", http, address);
    printf("API:      %s%s/docs\n", http, address);
    printf("examples: %s%s/dev/documents\n", http, address);
    printf("inside:   kill -QUIT %d prints all tasks and what they wait for; %s%s/metrics\n",
           (int)getpid(), http, address);
    printf("stop:     Ctrl-C; another port: ./dev run --port 8001\n");
    fflush(stdout);
}
