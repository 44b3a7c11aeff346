/*
 * The flags of bide.pc, without pkg-config: a machine that runs programs may not have it. In a
 * build tree it lies beside the command; installed, in PC_FOLDER below the prefix, which is where
 * the command is and not where it was once installed to.
 *
 * Source: pc(5).
 */
#include "cli.h"

#include <ctype.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A variable of the file. */
struct variable {
    struct variable *next;
    const char *name, *value;
};

/* A text with its ${name}s replaced. */
static char *expand(const struct variable *variables, const char *text)
{
    char *result = text_of("%s", "");
    for (const char *at; (at = strstr(text, "${")); text = strchr(at, '}') + 1) {
        const char *end = strchr(at, '}');
        if (!end)
            break;
        const struct variable *variable = variables;
        while (variable && (strlen(variable->name) != (size_t)(end - at - 2) ||
                            strncmp(variable->name, at + 2, (size_t)(end - at - 2)) != 0))
            variable = variable->next;
        result =
            text_of("%s%.*s%s", result, (int)(at - text), text, variable ? variable->value : "");
    }
    return text_of("%s%s", result, text);
}

static void add_variable(struct variable **variables, const char *name, const char *value)
{
    struct variable *variable = malloc(sizeof *variable);
    if (!variable)
        die(EXIT_BUILD, "out of memory");
    *variable = (struct variable){*variables, name, value};
    *variables = variable;
}

/* Reads `name=value` and `Name: value` lines. `prefix` (may be NULL) counts more than the file's.
 */
static void read_pc(char *text, const char *prefix, struct flags *flags)
{
    struct variable *variables = NULL;
    for (char *line; (line = strsep(&text, "\n"));) {
        size_t length = strcspn(line, "=:");
        char separator = line[length];
        if (!separator)
            continue;
        line[length] = '\0';
        const char *value = line + length + 1 + strspn(line + length + 1, " ");
        if (separator == '=')
            add_variable(&variables, line,
                         prefix && strcmp(line, "prefix") == 0 ? prefix : expand(variables, value));
        else if (strcmp(line, "Cflags") == 0)
            add_split(&flags->compile, expand(variables, value));
        else if (strcmp(line, "Libs") == 0)
            add_split(&flags->link, expand(variables, value));
    }
}

/* The program finds the library where the linker found it. */
static void add_rpaths(struct words *link)
{
    for (size_t i = 0, count = link->count; i < count; i++)
        if (strncmp(link->all[i], "-L", 2) == 0)
            add_word(link, text_of("-Wl,-rpath,%s", link->all[i] + 2));
}

static void find_pc(struct flags *flags)
{
    char self[PATH_MAX];
    ssize_t length = readlink("/proc/self/exe", self, sizeof self - 1);
    if (length < 0)
        die(EXIT_BUILD, "/proc is needed, to find bide.pc from there");
    self[length] = '\0';
    char *folder = dirname(self);
    char *text = read_file(text_of("%s/bide.pc", folder));
    char *prefix = NULL;
    if (!text) {
        prefix = text_of("%s", dirname(folder));
        text = read_file(PC_FOLDER[0] == '/' ? text_of("%s/bide.pc", PC_FOLDER)
                                             : text_of("%s/%s/bide.pc", prefix, PC_FOLDER));
    }
    if (!text)
        die(EXIT_BUILD, "%s/%s/bide.pc is not there: install bide again (./dev install)", prefix,
            PC_FOLDER);
    read_pc(text, PC_FOLDER[0] == '/' ? NULL : prefix, flags);
    add_rpaths(&flags->link);
}

static bool is_in_path(const char *name)
{
    char *path = text_of("%s", getenv("PATH") ? getenv("PATH") : "/usr/bin:/bin");
    if (strchr(name, '/'))
        return access(name, X_OK) == 0;
    for (char *folder; (folder = strsep(&path, ":"));)
        if (access(text_of("%s/%s", *folder ? folder : ".", name), X_OK) == 0)
            return true;
    return false;
}

static void find_compiler(struct words *compiler)
{
    static const char *const names[] = {"cc", "gcc", "clang"};
    const char *chosen = getenv("CC");
    if (chosen && *chosen) {
        add_split(compiler, chosen);
        if (compiler->count == 0 || !is_in_path(compiler->all[0]))
            die(EXIT_BUILD, "no compiler '%s' here, which CC names", chosen);
        return;
    }
    for (size_t i = 0; i < sizeof names / sizeof *names && compiler->count == 0; i++)
        if (is_in_path(names[i]))
            add_word(compiler, names[i]);
    if (compiler->count == 0)
        die(EXIT_BUILD,
            "no compiler here: install gcc (apt-get install gcc libc6-dev), or name one "
            "in CC");
}

/* The first errors say what is wrong, and where; those that follow from them come from inside the
   macros. */
static const char *error_limit(const struct words *compiler)
{
    for (size_t i = 0; i < compiler->count; i++)
        if (strstr(compiler->all[i], "clang"))
            return "-ferror-limit=3 -fmacro-backtrace-limit=1";
    return "-fmax-errors=3";
}

struct flags find_flags(void)
{
    struct flags flags = {.compile = {NULL, 0}};
    find_compiler(&flags.compiler);
    add_split(&flags.compile, "-std=gnu11 -O2 -g -Wall");
    add_split(&flags.compile, error_limit(&flags.compiler));
    find_pc(&flags);
    add_split(&flags.compile, getenv("CPPFLAGS"));
    add_split(&flags.compile, getenv("CFLAGS"));
    struct words link = {NULL, 0};
    add_split(&link, getenv("LDFLAGS"));
    add_words(&link, &flags.link);
    add_split(&link, getenv("LDLIBS"));
    flags.link = link;
    return flags;
}
