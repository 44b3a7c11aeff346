/*
 * The command line of `run`: a model whose fields are the options, read as settings, so that the
 * environment counts too. Called by main.c.
 */
#include "web/main.h"

#include "base/nearest.h"
#include "base/subcommand.h"
#include "model/settings.h"

#include <stdlib.h>
#include <string.h>

/* The fields of bide__run, in their order. */
static const struct option {
    const char *field, *name, *value, *help;
} options[] = {
    {"host", "--host", "ADDRESS", "127.0.0.1; 0.0.0.0 or :: are all of this machine"},
    {"port", "--port", "PORT", "8000; 0: a free one, named in the first line of the log"},
    {"uds", "--uds", "PATH", "a unix socket in place of host and port; @NAME: abstract"},
    {"uds_mode", "--uds-mode", "MODE", "the permissions of its file: 660"},
    {"fd", "--fd", "N", "a descriptor that is bound, or listens already"},
    {"backlog", "--backlog", "N", "connections that wait to be accepted: the system's most"},
    {"workers", "--workers", "N", "1; 0 or auto: one for each core. See the manual of bide_main"},
    {"io", "--io", "BACKEND", "auto, epoll or uring: auto, which is epoll"},
    {"keep_alive", "--keep-alive", "SECONDS", "of a connection without a request: 75"},
    {"lame_duck", "--lame-duck", "SECONDS", "of accepting after SIGTERM: 2, in a terminal 0"},
    {"drain", "--drain", "SECONDS", "of stopping, before what runs is cancelled: 25"},
    {"trusted_proxies", "--trusted-proxies", "LIST",
     "whose X-Forwarded-For counts: 127.0.0.1, 10.0.0.0/8, unix: nobody's"},
    {"max_body", "--max-body", "BYTES", "of a request, or 413: 1048576"},
    {"log_level", "--log-level", "LEVEL", "debug, info, warn or error: info"},
    {"log_format", "--log-format", "FORMAT", "text, or json: an object on each line: text"},
};

/* Variables with the prefix of the options that are none: what other parts, the tests and ./dev
   read. */
static const char *const other_variables[] = {"BIDE_BUILD",    "BIDE_BUILD_ROOT", "BIDE_CORPORA",
                                              "BIDE_DB_ECHO",  "BIDE_MIGRATIONS", "BIDE_SWAGGER_UI",
                                              "BIDE_TEST_ALL", "BIDE_TEST_SEED",  NULL};

enum { OPTIONS = sizeof options / sizeof *options };

/* What was given. */
struct given {
    bide_setting all[OPTIONS];
    size_t count;
};

void bide__main_help(const struct bide_main_options *main, FILE *out)
{
    fprintf(out,
            "usage: %s [run] [OPTIONS]   serve until SIGTERM or Ctrl-C\n"
            "       %s routes            print the table of routes\n"
            "       %s openapi           print the OpenAPI document\n"
            "       %s check             check the application, and what is below\n"
            "       %s help | version\n\n",
            bide__main_name, bide__main_name, bide__main_name, bide__main_name, bide__main_name);
    for (const bide_command *at = main->commands; at && at->name; at++)
        fprintf(out, "       %s %s%s", bide__main_name, at->usage, at[1].name ? "\n" : "\n\n");
    for (const struct bide__subcommand *at = bide__subcommands(); at; at = at->next)
        fprintf(out, "%s%s", at->usage, at->next ? "" : "\n");
    fprintf(out, "options of run, with what they are by default:\n");
    for (size_t i = 0; i < OPTIONS; i++)
        fprintf(out, "  %-17s %-8s  %s\n", options[i].name, options[i].value, options[i].help);
    fprintf(
        out,
        "\nEach may stand in the environment: BIDE_LOG_LEVEL for --log-level. PORT and\n"
        "WEB_CONCURRENCY stand for BIDE_PORT and BIDE_WORKERS where those are not set. A socket\n"
        "from systemd (LISTEN_FDS) is used unless host, port, uds or fd say else.\n\n"
        "exit status: 0 stopped in order, 1 an error, 2 wrong options or settings,\n"
        "             3 cannot listen, 130 a second Ctrl-C\n");
}

static const struct option *find_option(const char *name, size_t length)
{
    for (size_t i = 0; i < OPTIONS; i++)
        if (strlen(options[i].name) == length && memcmp(options[i].name, name, length) == 0)
            return &options[i];
    return NULL;
}

static void say_unknown(const char *argument, size_t length)
{
    char name[64];
    snprintf(name, sizeof name, "%.*s", (int)length, argument);
    struct bide__nearest nearest = {.wanted = name};
    for (size_t i = 0; i < OPTIONS; i++)
        bide__nearest_offer(&nearest, options[i].name);
    bide__nearest_offer(&nearest, "--help");
    if (name[0] != '-')
        bide__main_say("unexpected argument '%s'; --help lists the options", name);
    else if (nearest.best)
        bide__main_say("no option %s; did you mean %s?", name, nearest.best);
    else
        bide__main_say("no option %s; --help lists the options", name);
}

static size_t index_of(const struct given *given, const char *field)
{
    size_t i = 0;
    while (i < given->count && strcmp(given->all[i].name, field) != 0)
        i++;
    return i;
}

/* The last one counts. */
static void give(struct given *given, const char *field, const char *value, const char *source)
{
    size_t i = index_of(given, field);
    given->count += i == given->count;
    given->all[i] = (bide_setting){field, value, source};
}

/* One option; gives how many arguments it took, or 0 after a message. */
static int read_option(struct given *given, char *const *arguments)
{
    size_t length = strcspn(arguments[0], "=");
    const struct option *option = find_option(arguments[0], length);
    bool has_value = arguments[0][length] == '=';
    const char *value = has_value ? arguments[0] + length + 1 : arguments[1];
    if (!option) {
        say_unknown(arguments[0], length);
        return 0;
    }
    if (!value) {
        bide__main_say("%s needs a value: %s", option->name, option->value);
        return 0;
    }
    give(given, option->field, value, option->name);
    return has_value ? 1 : 2;
}

/* Another variable that stands for a field, where neither its own nor the command line says it. */
static void give_variable(struct given *given, const char *field, const char *own,
                          const char *variable)
{
    const char *value = getenv(variable);
    if (value && *value && !getenv(own) && index_of(given, field) == given->count)
        give(given, field, value, variable);
}

/* `auto` is written for 0. */
static void give_workers(struct given *given)
{
    give_variable(given, "workers", "BIDE_WORKERS", "WEB_CONCURRENCY");
    size_t i = index_of(given, "workers");
    const char *value = i < given->count ? given->all[i].value : getenv("BIDE_WORKERS");
    if (value && strcmp(value, "auto") == 0)
        give(given, "workers", "0", "--workers");
}

bide_settings *bide__main_options_read(char *const *arguments, int *ret_status)
{
    struct given given = {.count = 0};
    *ret_status = BIDE__EXIT_USAGE;
    while (*arguments) {
        int took = read_option(&given, arguments);
        if (took == 0)
            return NULL;
        arguments += took;
    }
    give_variable(&given, "port", "BIDE_PORT", "PORT");
    give_workers(&given);
    bide_settings *settings = bide_settings_read(bide__run, .prefix = "BIDE_", .strict = "BIDE_",
                                                 .others = other_variables, .given = given.all,
                                                 .given_count = given.count);
    if (bide_settings_row(bide__run, settings))
        return settings;
    for (const struct bide__settings_problem *problem = settings ? settings->problems : NULL;
         problem; problem = problem->next)
        bide__main_say("%s: %s", problem->where, problem->message);
    if (!settings || settings->no_memory)
        bide__main_say("out of memory");
    bide_settings_free(settings);
    return NULL;
}
