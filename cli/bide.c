/*
 * The command `bide`: builds a program from its sources and becomes it.
 *
 *     bide run app.c --port 8001      bide run folder/      bide routes app.c      bide check
 *     bide dev app.c                  bide new shop
 *
 * What stands behind the path is for the program, whose main is bide_main (bide/main.h).
 */
#include "check.h"
#include "look.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static void help(FILE *out)
{
    fputs(
        "usage: bide run PATH [OPTIONS]   build a program and serve: --host --port --uds --fd\n"
        "                                 --workers ...; `bide run PATH --help` lists them\n"
        "       bide dev PATH [OPTIONS]   the same, and again whenever a file changes, without a\n"
        "                                 request lost: *.c *.h *.html *.sql *.env below PATH,\n"
        "                                 --reload-dir DIR, --reload-include GLOB\n"
        "       bide new PATH             make the folder of an application\n"
        "       bide routes PATH          print the table of its routes\n"
        "       bide openapi PATH         print its OpenAPI document\n"
        "       bide check [PATH] [--code] [--sql] [--json] [--migrations FOLDER]\n"
        "                                 check the code, the application and every query of it;\n"
        "                                 --code, --sql: that alone\n"
        "       bide migrate [PATH] up|down|status|check|new NAME [--url URL]\n"
        "                                 [--migrations FOLDER] [--to N] [--dry-run]\n"
        "       bide ps|tree|top|trace|gdb PID    look into a running program; `bide ps --help`\n"
        "       bide help | version\n\n"
        "PATH is a C file, or a folder: then all of its .c files are one program; check and\n"
        "migrate take the current folder where it is left out. Its main is\n"
        "\n"
        "    int main(int argc, char **argv) { return bide_main(argc, argv, make_app); }\n"
        "\n"
        "Only what has changed is compiled, with the flags of bide.pc; CC, CFLAGS, CPPFLAGS,\n"
        "LDFLAGS and LDLIBS add to them. Programs are kept in $XDG_CACHE_HOME/bide\n"
        "(~/.cache/bide), which can be deleted.\n\n"
        "exit status: that of the program; 1 it does not compile, 2 wrong arguments\n",
        out);
}

/* ---- texts ---- */

void die(int status, const char *format, ...)
{
    va_list args;
    fflush(stdout);
    fputs("bide: ", stderr);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
    exit(status);
}

char *text_of(const char *format, ...)
{
    char *text;
    va_list args;
    va_start(args, format);
    int length = vasprintf(&text, format, args);
    va_end(args);
    if (length < 0)
        die(EXIT_BUILD, "out of memory");
    return text;
}

char *read_file(const char *path)
{
    char *text = NULL;
    size_t size = 0;
    FILE *file = fopen(path, "re");
    if (!file)
        return NULL;
    ssize_t length = getdelim(&text, &size, '\0', file);
    fclose(file);
    return length < 0 ? text_of("%s", "") : text;
}

void add_word(struct words *words, const char *word)
{
    words->all = reallocarray(words->all, words->count + 2, sizeof *words->all);
    if (!words->all)
        die(EXIT_BUILD, "out of memory");
    words->all[words->count++] = text_of("%s", word);
    words->all[words->count] = NULL;
}

void add_words(struct words *words, const struct words *more)
{
    for (size_t i = 0; i < more->count; i++)
        add_word(words, more->all[i]);
}

void add_split(struct words *words, const char *text)
{
    char *word = text_of("%s", text ? text : ""), *to = word, quote = '\0';
    bool is_word = false;
    for (const char *at = text; at && *at; at++) {
        if (quote ? *at == quote : *at == '"' || *at == '\'') {
            quote = quote ? '\0' : *at;
            is_word = true;
        } else if (!quote && strchr(" \t\n", *at)) {
            *to = '\0';
            if (is_word)
                add_word(words, word);
            to = word;
            is_word = false;
        } else {
            at += *at == '\\' && at[1] && quote != '\'';
            *to++ = *at;
            is_word = true;
        }
    }
    *to = '\0';
    if (is_word)
        add_word(words, word);
}

/* ---- sources ---- */

static int is_source(const struct dirent *entry)
{
    size_t length = strlen(entry->d_name);
    return length > 2 && entry->d_name[0] != '.' && strcmp(entry->d_name + length - 2, ".c") == 0;
}

/* All .c files of a folder, in the order of their names. */
static struct words sources_in(const char *folder)
{
    struct words sources = {NULL, 0};
    struct dirent **entries;
    int count = scandir(folder, &entries, is_source, alphasort);
    if (count < 0)
        die(EXIT_USAGE, "%s: %s", folder, strerror(errno));
    if (count == 0)
        die(EXIT_USAGE, "%s has no .c file", folder);
    for (int i = 0; i < count; i++)
        add_word(&sources, text_of("%s/%s", folder, entries[i]->d_name));
    return sources;
}

/* The program's name: app for app.c, that of the folder for a folder. */
static char *name_of(const char *path)
{
    char whole[PATH_MAX];
    if (!realpath(path, whole))
        die(EXIT_USAGE, "%s: %s", path, strerror(errno));
    char *name = text_of("%s", strrchr(whole, '/') + 1);
    size_t length = strlen(name);
    if (length > 2 && strcmp(name + length - 2, ".c") == 0)
        name[length - 2] = '\0';
    return *name ? name : text_of("program");
}

/* Without the slashes at its end. */
static char *trimmed_path(const char *path)
{
    char *trimmed = text_of("%s", path);
    for (size_t length = strlen(trimmed); length > 1 && trimmed[length - 1] == '/';)
        trimmed[--length] = '\0';
    return trimmed;
}

struct words sources_of(const char *path)
{
    struct stat status;
    struct words sources = {NULL, 0};
    char *trimmed = trimmed_path(path);
    if (stat(trimmed, &status) < 0)
        die(EXIT_USAGE, "%s: %s", path, strerror(errno));
    if (S_ISDIR(status.st_mode))
        sources = sources_in(trimmed);
    else if (strlen(trimmed) > 2 && strcmp(trimmed + strlen(trimmed) - 2, ".c") == 0)
        add_word(&sources, trimmed);
    else
        die(EXIT_USAGE, "%s is neither a .c file nor a folder", path);
    return sources;
}

char *build(const char *path)
{
    struct words sources = sources_of(path);
    char *trimmed = trimmed_path(path);
    char *name = name_of(trimmed);
    return build_program(&sources, open_cache(trimmed, name), name);
}

static bool is_program(const char *path)
{
    struct stat status;
    size_t length = strlen(path);
    return stat(path, &status) == 0 &&
           (S_ISDIR(status.st_mode) || (length > 2 && strcmp(path + length - 2, ".c") == 0));
}

static bool is_one_of(const char *word, const char *const *words)
{
    while (*words && strcmp(*words, word) != 0)
        words++;
    return *words;
}

static bool has_word(char *const *words, const char *word)
{
    return is_one_of(word, (const char *const *)words);
}

/* What the program says of itself: its output, if it is wanted, and its exit status. */
static int ask_program(char *program, char *const *arguments, bool json, char **ret_output)
{
    struct words words = {NULL, 0};
    int ends[2] = {-1, -1}, status;
    add_word(&words, program);
    add_word(&words, "check");
    for (; *arguments; arguments++)
        add_word(&words, *arguments);
    if (json && pipe(ends) < 0)
        die(EXIT_BUILD, "%s: %s", program, strerror(errno));
    pid_t pid = fork();
    if (pid == 0) {
        if (json)
            dup2(ends[1], STDOUT_FILENO);
        execv(program, words.all);
        _exit(EXIT_BUILD);
    }
    if (json) {
        size_t size = 0;
        close(ends[1]);
        FILE *out = fdopen(ends[0], "r");
        if (!out || getdelim(ret_output, &size, '\0', out) < 0)
            *ret_output = text_of("[]");
    }
    if (pid < 0 || waitpid(pid, &status, 0) < 0)
        die(EXIT_BUILD, "%s: %s", program, strerror(errno));
    return WIFEXITED(status) ? WEXITSTATUS(status) : EXIT_BUILD;
}

/* `bide check`: what the program checks by itself, then the code. */
static int check(const char *path, char *const *arguments)
{
    struct findings findings = {NULL, 0};
    bool json = has_word(arguments, "--json"), only_code = has_word(arguments, "--code");
    char *more = NULL;
    int status = 0, code = 0;
    for (size_t i = 0; only_code && arguments[i]; i++)
        if (strcmp(arguments[i], "--code") != 0 && strcmp(arguments[i], "--json") != 0)
            die(EXIT_USAGE, "check: --code goes with --json alone, behind the path: not '%s'",
                arguments[i]);
    if (!only_code)
        status = ask_program(build(path), arguments, json, &more);
    if (!has_word(arguments, "--sql") && status != EXIT_USAGE)
        code = check_code(path, json, &findings);
    if (json && status != EXIT_USAGE)
        print_findings(&findings, true, more);
    return status > code ? status : code;
}

int main(int argc, char **argv)
{
    static const char *const with_path[] = {"run", "dev", "routes", "openapi", NULL};
    static const char *const without_too[] = {"check", "migrate", NULL};
    const char *command = argc > 1 ? argv[1] : "";
    bool may_leave_out = is_one_of(command, without_too);
    bool is_build = may_leave_out || is_one_of(command, with_path);
    bool has_path = argc > 2 && argv[2][0] != '-' && (!may_leave_out || is_program(argv[2]));
    if (strcmp(command, "version") == 0 || strcmp(command, "--version") == 0) {
        printf("bide %s\n", BIDE_VERSION);
        return 0;
    }
    if (strcmp(command, "help") == 0 || strcmp(command, "--help") == 0 ||
        strcmp(command, "-h") == 0 || (is_build && argc == 3 && strcmp(argv[2], "--help") == 0)) {
        help(stdout);
        return 0;
    }
    if (is_see_command(command))
        return see(argc, argv);
    if (strcmp(command, "new") == 0 && argc == 3 && argv[2][0] != '-')
        return make_new(argv[2]);
    if (!is_build) {
        help(stderr);
        if (!*command)
            return EXIT_USAGE;
        die(EXIT_USAGE, "no command '%s'", command);
    }
    if (!has_path && !may_leave_out)
        die(EXIT_USAGE, "%s: name a .c file or a folder first: bide %s app.c", command, command);
    if (strcmp(command, "dev") == 0 ||
        (strcmp(command, "run") == 0 && is_one_of("--reload", (const char *const *)(argv + 3))))
        run_dev(argv[2], argv + 3);
    const char *path = has_path ? argv[2] : ".";
    if (strcmp(command, "check") == 0)
        return check(path, argv + (has_path ? 3 : 2));
    char *program = build(path);
    argv[0] = program;
    if (has_path)
        memmove(&argv[2], &argv[3], sizeof *argv * (size_t)(argc - 2)); /* with the NULL */
    execv(program, argv);
    die(EXIT_BUILD, "%s: %s", program, strerror(errno));
}
