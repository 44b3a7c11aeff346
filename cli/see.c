/*
 * The commands that look into a running program: `bide ps | tree | top | trace PID`, and `bide
 * gdb`. Called by bide.c; calls target.c and what prints.
 */
#include "look.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char usage[] =
    "usage: bide ps PID [--all] [--json]          the tasks of a program, equal ones in one line\n"
    "       bide tree PID [--all] [--json]        the same as a tree\n"
    "       bide top PID [--interval S] [--once]  again and again, with what changes; q ends it\n"
    "       bide trace PID [--seconds S] [-o FILE]\n"
    "                                             what ran when, for ui.perfetto.dev\n"
    "       bide gdb PID | PROGRAM [CORE]         gdb, with: bide tasks, bide bt N|all, bide why "
    "N\n"
    "The program is not stopped, but by gdb. exit status: 1 it cannot be looked at, 2 wrong "
    "arguments\n";

struct options {
    int pid;
    bool all, json, once;
    double interval_s, seconds;
    const char *file;
};

static double number_of(const char *option, const char *text, double least, double most)
{
    char *end;
    errno = 0;
    double number = text ? strtod(text, &end) : 0;
    if (!text || end == text || *end || !(number >= least && number <= most))
        die(EXIT_USAGE, "%s: a number from %g to %g, not '%s'", option, least, most,
            text ? text : "");
    return number;
}

static int pid_of(const char *text)
{
    char *end;
    long pid = strtol(text, &end, 10);
    if (end == text || *end || pid <= 0 || pid > INT_MAX)
        die(EXIT_USAGE, "'%s' is no process id", text);
    return (int)pid;
}

static struct options options_of(const char *command, int argc, char **argv)
{
    struct options options = {.interval_s = 2, .seconds = 1, .file = "trace.json"};
    bool lists = strcmp(command, "ps") == 0 || strcmp(command, "tree") == 0;
    bool tops = strcmp(command, "top") == 0, traces = strcmp(command, "trace") == 0;
    for (int i = 2; i < argc; i++) {
        if (lists && strcmp(argv[i], "--all") == 0)
            options.all = true;
        else if (lists && strcmp(argv[i], "--json") == 0)
            options.json = true;
        else if (tops && strcmp(argv[i], "--once") == 0)
            options.once = true;
        else if (tops && strcmp(argv[i], "--interval") == 0)
            options.interval_s = number_of(argv[i], argv[i + 1], 0.05, 3600), i++;
        else if (traces && strcmp(argv[i], "--seconds") == 0)
            options.seconds = number_of(argv[i], argv[i + 1], 0, 3600), i++;
        else if (traces && strcmp(argv[i], "-o") == 0 && argv[i + 1])
            options.file = argv[++i];
        else if (argv[i][0] == '-' || options.pid)
            die(EXIT_USAGE, "%s does not know '%s'", command, argv[i]);
        else
            options.pid = pid_of(argv[i]);
    }
    if (!options.pid)
        die(EXIT_USAGE, "%s: name a process: bide %s PID", command, command);
    return options;
}

bool is_see_command(const char *command)
{
    return strcmp(command, "ps") == 0 || strcmp(command, "tree") == 0 ||
           strcmp(command, "top") == 0 || strcmp(command, "trace") == 0 ||
           strcmp(command, "gdb") == 0;
}

/* The script beside the command, as in a build tree, or where it is installed. */
static char *find_script(void)
{
    char file[PATH_MAX];
    ssize_t length = readlink("/proc/self/exe", file, sizeof file - 1);
    file[length > 0 ? length : 0] = '\0';
    char *slash = strrchr(file, '/');
    if (slash)
        *slash = '\0';
    char *beside = text_of("%s/bide_gdb.py", file);
    if (access(beside, R_OK) == 0)
        return beside;
    char *installed = text_of("%s/../share/bide/bide_gdb.py", file);
    if (access(installed, R_OK) != 0)
        die(EXIT_BUILD, "%s is not there", installed);
    return installed;
}

/* Becomes gdb; what stands behind the command is for it. */
static int run_gdb(int argc, char **argv)
{
    struct words words = {NULL, 0};
    if (argc < 3)
        die(EXIT_USAGE, "gdb: name a process, or a program and a core: bide gdb PID");
    add_word(&words, "gdb");
    add_word(&words, "-x");
    add_word(&words, find_script());
    if (argv[2][strspn(argv[2], "0123456789")] == '\0')
        add_word(&words, "-p");
    for (int i = 2; i < argc; i++)
        add_word(&words, argv[i]);
    execvp("gdb", words.all);
    die(EXIT_BUILD, "gdb: %s", strerror(errno));
}

int see(int argc, char **argv)
{
    struct target target;
    struct bide__look look;
    const char *command = argv[1];
    if (argc == 3 && (strcmp(argv[2], "--help") == 0 || strcmp(argv[2], "-h") == 0)) {
        fputs(usage, stdout);
        return 0;
    }
    if (strcmp(command, "gdb") == 0)
        return run_gdb(argc, argv);
    struct options options = options_of(command, argc, argv);
    char *problem = target_open(&target, options.pid);
    if (problem)
        die(EXIT_BUILD, "%s", problem);
    if (strcmp(command, "top") == 0)
        return run_top(&target, options.interval_s, options.once);
    if (strcmp(command, "trace") == 0)
        return write_trace(&target, options.seconds, options.file);
    problem = target_look(&target, BIDE__LOOK_TASKS, &look);
    if (problem)
        die(EXIT_BUILD, "%s", problem);
    if (options.json) {
        print_json(stdout, &target, &look);
        return fflush(stdout) == 0 ? 0 : EXIT_BUILD;
    }
    print_head(stdout, &target, &look);
    if (strcmp(command, "ps") == 0)
        print_ps(stdout, &look, options.all, terminal_width(NULL));
    else
        print_tree(stdout, &look, options.all, terminal_width(NULL));
    return fflush(stdout) == 0 ? 0 : EXIT_BUILD;
}
