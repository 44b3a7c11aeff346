/*
 * E1: uvicorn main:app --reload --host 0.0.0.0 --port 8001.
 *
 * The document: one command starts the application and starts it anew whenever a file changes.
 *
 * What goes wrong: the old process is ended before the new one has shown that it can start. With a
 * mistake in the file nobody answers until the next change, and a request that was under way with
 * an endless stream holds the restart up.
 *
 * In bide: `bide run app.c --reload` (or `bide dev app.c`) builds, starts the new program on the
 * same listening socket, and only when that says that it is ready tells the old one to finish what
 * it has begun. A file that does not compile, or a program that does not start, leaves the old one.
 * Without arguments this program shows it: it starts `bide run` on a copy of itself and changes the
 * copy.
 */
#include <bide/bide.h>

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define VERSION "one"

GET(get_version, "/version", text)
{
    return VERSION;
}

static bide_app *make_app(void)
{
    bide_app *site = bide_app_new(.title = "Site");
    bide_app_add_all(site, "");
    return site;
}

/* ---- without arguments: what a developer sees ---- */

typedef struct site {
    char folder[40], file[64], url[64];
    char source[20000];
    bide_http_client *web;
} site;
typedef site *site_ptr;

static async(void) ask(site_ptr s, char *ret_version)
{
    snprintf(ret_version, 20, "%s", await(bide_http_get(s->web, s->url)).body);
    return bide_void;
}
SPAWNABLE(void, ask, site_ptr, char *)

/* Asks until it is that version; how often nobody answered. */
static async(int) wait_for(site_ptr s, const char *version)
{
    char now[20] = "";
    int lost = 0;
    for (int i = 0; i < 3000 && strcmp(now, version) != 0; i++) {
        bide_error *error;
        attempt(&error, ask, s, now);
        lost += error != NULL;
        await(bide_sleep(bide_ms(10)));
    }
    return ready(int, lost);
}

static void save(const site *s)
{
    FILE *out = fopen(s->file, "we");
    if (!out || fputs(s->source, out) < 0 || fclose(out) != 0)
        abort();
}

static pid_t start(const site *s, uint16_t port)
{
    extern char **environ;
    char number[8], path[64];
    pid_t pid;
    posix_spawn_file_actions_t quiet;
    snprintf(number, sizeof number, "%u", port);
    const char *words[] = {"bide",      "run",    s->file, "--reload", "--host",
                           "127.0.0.1", "--port", number,  NULL};
    snprintf(path, sizeof path, "%s/cache", s->folder);
    setenv("XDG_CACHE_HOME", path, 1);
    posix_spawn_file_actions_init(&quiet);
    posix_spawn_file_actions_addopen(&quiet, 2, "/dev/null", O_WRONLY, 0);
    if (posix_spawnp(&pid, words[0], &quiet, NULL, (char **)(uintptr_t)words, environ) != 0)
        abort();
    posix_spawn_file_actions_destroy(&quiet);
    return pid;
}

static async(void) develop(site_ptr s)
{
    char now[20];
    await(wait_for(s, "one"));
    printf("started\n");
    memcpy(strstr(s->source, "\"one\""), "\"two\"", 5);
    save(s);
    int lost = await(wait_for(s, "two"));
    printf("a change is seen; requests without an answer: %d\n", lost);
    strcat(s->source, "a mistake\n");
    save(s);
    await(bide_sleep(bide_s(1)));
    await(ask(s, now));
    printf("after a mistake it is still version %s\n", now);
    return bide_void;
}

static async(void) show(void)
{
    site *s = bide_arena_alloc_zero(bide_task_arena(), 1, sizeof *s);
    FILE *own = fopen(__FILE__, "re");
    uint16_t port = 0;
    with(bide_tcp_listener, listener, "127.0.0.1", 0, NULL)
        port = bide_listener_port(listener);
    strcpy(s->folder, "/tmp/bide-e1-XXXXXX");
    if (!own || !mkdtemp(s->folder) || !fread(s->source, 1, sizeof s->source - 100, own))
        abort();
    fclose(own);
    snprintf(s->file, sizeof s->file, "%s/app.c", s->folder);
    snprintf(s->url, sizeof s->url, "http://127.0.0.1:%u/version", port);
    save(s);
    pid_t pid = start(s, port);
    with(bide_http_client, web, NULL) {
        s->web = web;
        await(develop(s));
    }
    kill(pid, SIGTERM);
    while (waitpid(pid, NULL, WNOHANG) == 0)
        await(bide_sleep(bide_ms(10)));
    fflush(stdout);
    execlp("rm", "rm", "-rf", s->folder, NULL);
    return bide_void;
}

int main(int argc, char **argv)
{
    return argc > 1 ? bide_main(argc, argv, make_app) : bide_run(show);
}
