/*
 * main.h: the main function of a web program: its command line, its sockets, its workers.
 *
 *     static bide_app *make_app(void)
 *     {
 *         bide_app *app = bide_app_new(.title = "Notes", .start = open_all, .stop = close_all);
 *         bide_app_add_all(app, "");
 *         return app;
 *     }
 *
 *     int main(int argc, char **argv)
 *     {
 *         return bide_main(argc, argv, make_app);
 *     }
 *
 *     $ ./notes run --host 0.0.0.0 --port 8001 --workers 4      serves; `run` may be left out
 *     $ ./notes routes                                          a table of the routes
 *     $ ./notes openapi                                         the OpenAPI document
 *     $ ./notes check                                           the application and all queries
 *     $ ./notes migrate up                                      its database; docs/migrations.md
 *     $ ./notes adduser sam                                     what the program adds: bide_command
 *     $ ./notes run --help                                      all options
 *
 * Each option can be given in the environment too: BIDE_PORT for --port; the command line counts
 * more. PORT and WEB_CONCURRENCY stand for BIDE_PORT and BIDE_WORKERS where those are not set. A
 * variable BIDE_... that nothing reads is refused, as an option is.
 *
 * Workers are loops, each on a thread of its own with a listening socket of its own
 * (--uds and --fd: one that all accept from). EACH WORKER HAS AN APPLICATION OF ITS OWN: make_app
 * is called once for each, one after the other, in main's thread, and the hooks `start` and `stop`
 * run on each worker with that one's application. So what make_app makes anew belongs to one
 * worker, and needs no lock. WHAT IS static OR GLOBAL IS SHARED BY ALL WORKERS, at the same time:
 * it is constant, atomic, or behind a thread lock. What must be one for all (a cache, a counter,
 * sessions) belongs into a database.
 *
 * make_app is a plain function outside of tasks: it reads settings, adds routes, allocates the
 * state. What awaits (connections, files) is opened by `start`. When it cannot make the application
 * it says why on stderr and gives NULL.
 *
 * Stopping: SIGTERM or Ctrl-C. New connections are still accepted for a while (--lame-duck, not at
 * all in a terminal), then what runs ends, at most for --drain seconds; no request is lost. A
 * second Ctrl-C ends it at once.
 *
 * Exit statuses: 0 stopped, also when the drain ran out (what was cancelled is in the log; who
 * asked for the stop has got it); 1 an error left the application, or a hook; 2 the command line,
 * the environment or the application is wrong: starting it again is of no use; 3 it could not
 * listen; 130 after a second Ctrl-C.
 *
 * The log is opened for the run, unless the program has done so before.
 *
 * layer: web
 */
#ifndef BIDE_MAIN_H
#define BIDE_MAIN_H

#include <bide/runtime.h>
#include <bide/web.h>

typedef bide_app *bide_make_app(void);

/*
 * A command of the program's own:
 *
 *     static async(int) adduser(bide_app *app, int argc, char **argv) { ... }
 *
 *     static const bide_command commands[] = {
 *         {"adduser", "adduser NAME   make an account", adduser}, {NULL}};
 *
 *     return bide_main(argc, argv, make_app, .commands = commands);
 *
 * It runs in a task, with an application that make_app has made and between its hooks `start` and
 * `stop`, as a request would; nothing listens. `argv[0]` is the command, `argv[argc]` NULL. It
 * gives the exit status; an error that leaves it is printed in one line, and the status is 1. A
 * command of the library (run, routes, openapi, check, migrate, help, version) is never the
 * program's, whatever its name says.
 */
typedef struct bide_command {
    const char *name;  /* NULL ends the list */
    const char *usage; /* a line of the help: the command, its arguments, what it does */
    struct forgotten_await_int (*run)(bide_app *app, int argc, char **argv);
} bide_command;

struct bide_main_options {
    bide_make_app *make_app;
    const bide_command *commands; /* NULL: no more than those above */
    /* Called once when all workers accept, in a task of one of them, with its application and what
       is listened on: "127.0.0.1:8000", "unix:/run/notes.sock". An error of it stops the program.
       May be NULL. */
    void (*started)(bide_app *app, const char *address);
    struct bide_http_options
        http;                /* limits and deadlines; what the command line says counts more */
    struct bide_options run; /* the same for the runtime; `loops` is --workers */
};

/*
 * bide_main(argc, argv, make_app), bide_main(argc, argv, make_app, .http = {.body_bytes = 1 << 24},
 * ...): does what the command line says; gives the exit status. Call it from main. The applications
 * are freed before it returns.
 */
#define bide_main(argc, argv, ...)                                                                 \
    bide__main(argc, argv, &(struct bide_main_options){.make_app = __VA_ARGS__})

int bide__main(int argc, char **argv, const struct bide_main_options *options);

#endif
