/*
 * bide_main: from the command line to an application that serves, or prints what it is. Called by
 * a program's main; calls main_options.c, main_listen.c, main_routes.c, the runtime, serve.c.
 *
 * Invariants
 *  1. Whatever is wrong before the first request is one line on stderr and an exit status.
 *  2. Each worker has an application and a listening socket of its own.
 */
#include "web/main.h"

#include "base/mem.h"
#include "base/nearest.h"
#include "base/subcommand.h"
#include "core/op.h"
#include "http/proxy.h"
#include "io/endpoint.h"

#include <errno.h>
#include <sched.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

const char *bide__main_name = "bide";

/* What serves; one at a time in a process. */
static struct server {
    const struct bide_main_options *options;
    const bide__run *run;
    struct bide__main_sockets sockets;
    struct bide_http_options http;
    bide_app *apps[BIDE_CAP_WORKERS];
    int workers;
    int started; /* atomic */
} server;

void bide__main_say(const char *format, ...)
{
    char text[1024];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    fprintf(stderr, "%s: %s\n", bide__main_name, text);
}

/* ---- applications ---- */

/* Makes an application that can serve; NULL after a message. */
static bide_app *make_checked(const struct bide_main_options *options)
{
    bide_app *app = options->make_app();
    if (!app) {
        bide__main_say("the application was not made");
        return NULL;
    }
    const char *problem = bide_app_check(app);
    if (problem) {
        bide__main_say("%s", problem);
        bide_app_free(app);
        return NULL;
    }
    return app;
}

static int print_app(const struct bide_main_options *options, bool openapi)
{
    bide_app *app = make_checked(options);
    if (!app)
        return BIDE__EXIT_USAGE;
    if (!openapi) {
        bide__main_routes(app, stdout);
    } else if (app->openapi) {
        fwrite(app->openapi, 1, app->openapi_length, stdout);
        putchar('\n');
    } else {
        bide__main_say("the application has no document: `no_docs` is set");
    }
    int status = openapi && !app->openapi ? BIDE__EXIT_FAILED : 0;
    bide_app_free(app);
    if (fflush(stdout) != 0) {
        bide__main_say("cannot write: %s", strerror(errno));
        status = BIDE__EXIT_FAILED;
    }
    return status;
}

static void free_apps(void)
{
    for (int i = 0; i < server.workers; i++) {
        bide_app_free(server.apps[i]);
        server.apps[i] = NULL;
    }
}

/* One for each worker. */
static int make_apps(void)
{
    for (int i = 0; i < server.workers; i++) {
        server.apps[i] = make_checked(server.options);
        for (int other = 0; other < i && server.apps[i]; other++) {
            if (server.apps[other] != server.apps[i])
                continue;
            bide__main_say("make_app gave the same application for two workers; it makes a new "
                           "one at each call");
            server.apps[i] = NULL;
        }
        if (!server.apps[i])
            return BIDE__EXIT_USAGE;
    }
    return 0;
}

/* ---- serving ---- */

static int workers_of(const bide__run *run)
{
    cpu_set_t allowed;
    if (run->workers > 0)
        return run->workers;
    int cores = sched_getaffinity(0, sizeof allowed, &allowed) == 0 ? CPU_COUNT(&allowed) : 1;
    return cores < BIDE_CAP_WORKERS ? cores : BIDE_CAP_WORKERS;
}

/* Connections are descriptors, and the usual limit of 1024 is there for select(2), which nothing
   here calls. */
static void raise_descriptors(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur >= BIDE_CAP_MAIN_DESCRIPTORS)
        return;
    limit.rlim_cur =
        limit.rlim_max < BIDE_CAP_MAIN_DESCRIPTORS ? limit.rlim_max : BIDE_CAP_MAIN_DESCRIPTORS;
    (void)setrlimit(RLIMIT_NOFILE, &limit);
}

/* The line at the start, once all workers have started. */
static void say_started(void)
{
    const struct bide_app_options *app = &server.apps[0]->options;
    const char *at = server.sockets.address;
    char docs[BIDE_ADDRESS_BYTES + 64] = "";
    bool is_unix = strncmp(at, "unix:", 5) == 0;
    bool is_all = strncmp(at, "0.0.0.0:", 8) == 0 || strncmp(at, "[::]:", 5) == 0;
    if (!app->no_docs && !is_unix) /* a browser cannot go to all addresses */
        snprintf(docs, sizeof docs, ", docs at http://%s%s/docs", is_all ? "127.0.0.1" : "",
                 is_all ? strrchr(at, ':') : at);
    bide_log(BIDE_LOG_INFO, "%s %s on %s%s%s (%d worker%s, %s, pid %d)", app->title, app->version,
             is_unix ? "" : "http://", at, docs, server.workers, server.workers > 1 ? "s" : "",
             bide_io_name(), (int)getpid());
    if (server.workers > 1 && app->state && server.apps[1]->options.state == app->state)
        bide_log(BIDE_LOG_WARN,
                 "all %d workers have the same state, and use it at the same time: it must be "
                 "safe for threads, or made anew by each call of make_app",
                 server.workers);
}

static void on_started(void *arg)
{
    (void)arg;
    if (__atomic_add_fetch(&server.started, 1, __ATOMIC_ACQ_REL) != server.workers)
        return;
    say_started();
    bide__main_notify_ready();
    if (server.options->started)
        server.options->started(server.apps[bide_loop_index()], server.sockets.address);
}

static bide_async(void) serve(void);
static bide_async(void) serve(void)
{
    int index = bide_loop_index();
    bide_listener_ptr listener = bide_await(bide_listen_fd(server.sockets.fds[index]));
    server.sockets.fds[index] = -1;
    if (!server.sockets.handed_over)
        bide__listener_own(listener);
    bide_defer(bide_close_listener, listener);
    bide_await(bide__app_serve(server.apps[index], listener, &server.http, on_started, NULL));
    return bide_void;
}

static bide_duration seconds(double s)
{
    bide_duration duration = bide_ms(s * 1000);
    return duration.ns > 0 ? duration : (bide_duration){1};
}

/* What the options say; 0, or an exit status after a message. */
static int set_http(const bide__run *run)
{
    struct bide__http_networks networks;
    struct bide__slice bad;
    server.http = server.options->http;
    if (run->trusted_proxies)
        server.http.trusted_proxies = run->trusted_proxies;
    if (server.http.trusted_proxies &&
        bide__http_networks_parse(server.http.trusted_proxies, &networks, &bad) < 0) {
        bide__main_say("--trusted-proxies: '%.*s' is no address, network, or unix; or there are "
                       "too many",
                       (int)bad.length, bad.bytes);
        return BIDE__EXIT_USAGE;
    }
    if (bide_has(run, keep_alive))
        server.http.idle = seconds(run->keep_alive);
    if (bide_has(run, max_body))
        server.http.body_bytes = (uint64_t)run->max_body;
    if (bide_has(run, lame_duck))
        server.http.lame_duck = seconds(run->lame_duck);
    else if (server.http.lame_duck.ns == 0 && isatty(STDERR_FILENO))
        server.http.lame_duck = seconds(0); /* somebody waits, and no balancer does */
    return 0;
}

/* With the sockets open. */
static int serve_all(const bide__run *run)
{
    static const bide_log_level levels[] = {BIDE_LOG_DEBUG, BIDE_LOG_INFO, BIDE_LOG_WARN,
                                            BIDE_LOG_WARN, BIDE_LOG_ERROR};
    static const enum bide_io backends[] = {BIDE_IO_AUTO, BIDE_IO_EPOLL, BIDE_IO_URING};
    struct bide_log_options log = {.level = levels[run->log_level],
                                   .json = run->log_format == bide__log_format_name_json};
    struct bide_options options = server.options->run;
    options.loops = server.workers;
    if (bide_has(run, io))
        options.io = backends[run->io];
    if (bide_has(run, drain))
        options.drain = seconds(run->drain);
    bool own_log = bide_log_open(&log) == 0;
    int status = bide__run_void(serve, &options);
    if (status == 0)
        bide_log(BIDE_LOG_INFO, "stopped");
    if (own_log)
        bide_log_close();
    return status;
}

static int run_server(const struct bide_main_options *options, char *const *arguments)
{
    int status;
    bide_settings *settings = bide__main_options_read(arguments, &status);
    const bide__run *run = settings ? bide_settings_row(bide__run, settings) : NULL;
    if (!run)
        return status;
    server = (struct server){.options = options, .run = run, .workers = workers_of(run)};
    raise_descriptors();
    status = set_http(run);
    if (status == 0)
        status = make_apps();
    if (status == 0)
        status = bide__main_listen(run, server.workers, &server.sockets);
    if (status == 0)
        status = serve_all(run);
    bide__main_unlisten(&server.sockets);
    free_apps();
    bide_settings_free(settings);
    return status;
}

/* ---- commands of the program ---- */

static struct command_run {
    const bide_command *command;
    bide_app *app;
    int argc, status;
    char **argv;
} command_run;

static bide_async(int) command_work(void);
SPAWNABLE(int, command_work)
static bide_async(int) command_work(void)
{
    const struct command_run *run = &command_run;
    bide_await(bide__app_start(run->app));
    bide_defer(bide__app_stop, run->app);
    return bide_ready(int, bide_await(run->command->run(run->app, run->argc, run->argv)));
}

static bide_async(void) command_main(void);
static bide_async(void) command_main(void)
{
    bide_error *error = NULL;
    command_run.status = bide_attempt(&error, command_work);
    if (error) {
        bide__main_say("%s", error->message);
        command_run.status = BIDE__EXIT_FAILED;
    }
    return bide_void;
}

static int run_command(const struct bide_main_options *options, const bide_command *command,
                       int argc, char **argv)
{
    struct bide_options run = options->run;
    run.loops = 1;
    bide_app *app = make_checked(options);
    if (!app)
        return BIDE__EXIT_USAGE;
    command_run = (struct command_run){command, app, argc, 0, argv};
    int status = bide__run_void(command_main, &run);
    bide_app_free(app);
    if (fflush(stdout) != 0) {
        bide__main_say("cannot write: %s", strerror(errno));
        return BIDE__EXIT_FAILED;
    }
    return status ? status : command_run.status;
}

/* ---- the command line ---- */

static bool is(const char *text, const char *word)
{
    return strcmp(text, word) == 0;
}

static const bide_command *command_of(const struct bide_main_options *options, const char *name)
{
    for (const bide_command *at = options->commands; at && at->name; at++)
        if (is(at->name, name))
            return at;
    return NULL;
}

/* Calls `tell` for the name of each command. */
static void each_command(const struct bide_main_options *options,
                         void (*tell)(void *arg, const char *name), void *arg)
{
    static const char *const commands[] = {"run", "routes", "openapi", "check", "help", "version"};
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++)
        tell(arg, commands[i]);
    for (const struct bide__subcommand *at = bide__subcommands(); at; at = at->next)
        if (!is(at->name, "check"))
            tell(arg, at->name);
    for (const bide_command *at = options->commands; at && at->name; at++)
        tell(arg, at->name);
}

static void offer(void *nearest, const char *name)
{
    bide__nearest_offer(nearest, name);
}

struct names {
    char text[512];
    size_t length;
};

static void list(void *arg, const char *name)
{
    struct names *names = arg;
    int length = snprintf(names->text + names->length, sizeof names->text - names->length, "%s%s",
                          names->length > 0 ? ", " : "", name);
    size_t all = names->length + (length > 0 ? (size_t)length : 0);
    names->length = all < sizeof names->text ? all : sizeof names->text - 1;
}

static int say_unknown(const struct bide_main_options *options, const char *command)
{
    struct bide__nearest nearest = {.wanted = command};
    struct names names = {.length = 0};
    each_command(options, offer, &nearest);
    each_command(options, list, &names);
    if (nearest.best)
        bide__main_say("no command '%s'; did you mean %s?", command, nearest.best);
    else
        bide__main_say("no command '%s'; there are %s", command, names.text);
    return BIDE__EXIT_USAGE;
}

/* The application, and what else the program has to check; --sql: only that. */
static int check(const struct bide_main_options *options, char *const *arguments)
{
    const struct bide__subcommand *more = bide__subcommand_find("check");
    bool sql_only = false;
    for (char *const *at = arguments; *at; at++)
        sql_only |= is(*at, "--sql");
    bide_app *app = sql_only ? NULL : make_checked(options);
    if (!sql_only && !app)
        return BIDE__EXIT_USAGE;
    bide_app_free(app);
    return more ? more->run(bide__main_name, arguments) : 0;
}

int bide__main(int argc, char **argv, const struct bide_main_options *options)
{
    if (argc > 0 && *argv[0]) {
        const char *slash = strrchr(argv[0], '/');
        bide__main_name = slash ? slash + 1 : argv[0];
    }
    char *const *arguments = argc > 0 ? argv + 1 : argv;
    const char *command = "run";
    if (*arguments && **arguments != '-')
        command = *arguments++;
    for (char *const *at = arguments; *at; at++) {
        if (is(*at, "--help") || is(*at, "-h"))
            command = "help";
        else if (is(*at, "--version"))
            command = "version";
    }
    if (is(command, "help")) {
        bide__main_help(options, stdout);
        return 0;
    }
    if (is(command, "version")) {
        printf("bide %s\n", BIDE_VERSION);
        return 0;
    }
    if (is(command, "run"))
        return run_server(options, arguments);
    if (is(command, "check"))
        return check(options, arguments);
    const struct bide__subcommand *more = bide__subcommand_find(command);
    if (more)
        return more->run(bide__main_name, arguments);
    if (!is(command, "routes") && !is(command, "openapi")) {
        const bide_command *own = command_of(options, command);
        return own ? run_command(options, own, (int)(argv + argc - arguments) + 1,
                                 argv + (arguments - argv) - 1)
                   : say_unknown(options, command);
    }
    if (*arguments) {
        bide__main_say("%s takes no argument '%s'", command, *arguments);
        return BIDE__EXIT_USAGE;
    }
    return print_app(options, is(command, "openapi"));
}
