/*
 * `bide check`, the part that looks at the code: which files, the rules, clang's effects, what was
 * suppressed, what is printed. Called by bide.c; the application and its queries check themselves
 * (src/db/command.c).
 *
 * clang looks as -Wthread-safety does: which functions may await, and where none may. It sees
 * direct calls only, one function at a time; what it cannot see is an error when it runs.
 */
#include "check.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* A run of clang, and what it says. */
struct run {
    const struct unit *unit;
    pid_t pid;
    FILE *said;
};

void add_finding(struct findings *findings, const char *file, int line, const char *rule,
                 const char *message)
{
    findings->all = reallocarray(findings->all, findings->count + 1, sizeof *findings->all);
    if (!findings->all)
        die(EXIT_BUILD, "out of memory");
    findings->all[findings->count++] = (struct finding){file, line, rule, message};
}

/* ---- which files ---- */

static struct unit *one_more(struct unit *units, size_t *count, const char *file)
{
    struct flags flags = find_flags();
    units = reallocarray(units, *count + 1, sizeof *units);
    if (!units)
        die(EXIT_BUILD, "out of memory");
    units[*count] = (struct unit){file, ".", {NULL, 0}};
    for (size_t i = 0; i < flags.compile.count; i++)
        if (strncmp(flags.compile.all[i], "-W", 2) != 0 &&
            strncmp(flags.compile.all[i], "-f", 2) != 0)
            add_word(&units[*count].flags, flags.compile.all[i]);
    add_word(&units[*count].flags, "-fexceptions");
    ++*count;
    return units;
}

/* The units of a compile_commands.json that are in the folder, or are the file. */
static size_t keep_below(struct unit *units, size_t count, const char *path)
{
    char whole[PATH_MAX], here[PATH_MAX];
    size_t kept = 0, length;
    struct words wholes = {NULL, 0};
    if (!realpath(path, whole) || !getcwd(here, sizeof here))
        die(EXIT_USAGE, "%s: %s", path, strerror(errno));
    length = strlen(whole);
    for (size_t i = 0; i < count; i++) {
        char file[PATH_MAX];
        const char *name = units[i].file;
        if (!realpath(*name == '/' ? name : text_of("%s/%s", units[i].folder, name), file))
            continue; /* it was made meanwhile, or is gone */
        size_t end = strlen(file);
        for (size_t k = 0; k < kept && end; k++) /* it is compiled twice: the first counts */
            if (strcmp(wholes.all[k], file) == 0)
                end = 0;
        if (strncmp(file, whole, length) != 0 || (file[length] && file[length] != '/') || end < 2 ||
            strcmp(file + end - 2, ".c") != 0)
            continue;
        bool below = strncmp(file, here, strlen(here)) == 0 && file[strlen(here)] == '/';
        add_word(&wholes, file);
        units[kept] = units[i];
        units[kept++].file = text_of("%s", below ? file + strlen(here) + 1 : file);
    }
    return kept;
}

static struct unit *find_units(const char *path, size_t *ret_count)
{
    struct unit *units = NULL;
    struct stat status;
    if (stat(path, &status) < 0)
        die(EXIT_USAGE, "%s: %s", path, strerror(errno));
    const char *beside = text_of("%s/compile_commands.json", S_ISDIR(status.st_mode) ? path : ".");
    if (read_compile_commands(beside, &units, ret_count)) {
        *ret_count = keep_below(units, *ret_count, path);
        if (*ret_count > 0)
            return units;
    }
    *ret_count = 0;
    struct words sources = sources_of(path);
    for (size_t i = 0; i < sources.count; i++)
        units = one_more(units, ret_count, sources.all[i]);
    return units;
}

/* ---- clang ---- */

static void start(struct run *run, const struct unit *unit, const struct words *not_known)
{
    struct words words = {NULL, 0};
    char file[PATH_MAX];
    int ends[2];
    if (!realpath(unit->file, file) || pipe(ends) < 0)
        die(EXIT_USAGE, "%s: %s", unit->file, strerror(errno));
    add_word(&words, "clang");
    for (size_t i = 0; i < unit->flags.count; i++) {
        bool known = true;
        for (size_t k = 0; k < not_known->count; k++)
            known = known && strcmp(unit->flags.all[i], not_known->all[k]) != 0;
        if (known)
            add_word(&words, unit->flags.all[i]);
    }
    add_split(&words, "-fsyntax-only -Wno-everything -Wthread-safety-analysis -ferror-limit=0 "
                      "-fno-caret-diagnostics -fno-color-diagnostics");
    add_word(&words, file);
    fflush(NULL);
    run->unit = unit;
    run->pid = fork();
    if (run->pid < 0)
        die(EXIT_BUILD, "clang: %s", strerror(errno));
    if (run->pid == 0) {
        dup2(ends[1], STDERR_FILENO);
        close(ends[0]);
        close(ends[1]);
        if (chdir(unit->folder) < 0) {
            dprintf(STDERR_FILENO, "error: the folder %s of compile_commands.json: %s\n",
                    unit->folder, strerror(errno));
            _exit(126);
        }
        execvp("clang", words.all);
        _exit(127);
    }
    close(ends[1]);
    run->said = fdopen(ends[0], "r");
    if (!run->said)
        die(EXIT_BUILD, "out of memory");
}

/* What stands between the n-th pair of quotes of a message. */
static char *quoted(const char *text, int n)
{
    for (;; n--) {
        const char *from = strchr(text, '\'');
        const char *to = from ? strchr(from + 1, '\'') : NULL;
        if (!to)
            return text_of("?");
        if (n == 0)
            return text_of("%.*s", (int)(to - from - 1), from + 1);
        text = to + 1;
    }
}

/* clang's words as ours; NULL: they are about something else. */
static const char *in_our_words(const char *text, const char **ret_rule)
{
    if (strstr(text, "requires holding role 'inside_a_task'")) {
        *ret_rule = "await-outside-a-task";
        return text_of("'%s' waits, and the function that calls it is not async: make that "
                       "async(T), or call it before or after",
                       quoted(text, 0));
    }
    if (strstr(text, "while region without await")) {
        *ret_rule = "await-in-no-await";
        return text_of("'%s' waits inside of with_no_await: call it before or after",
                       quoted(text, 0));
    }
    *ret_rule = "thread-safety";
    return strstr(text, "-Wthread-safety") ? text : NULL;
}

/* Reads one line: `file:line:column: severity: text`. */
static void read_line(struct findings *findings, const struct unit *unit, char *line)
{
    char *at = line, *severity = strstr(line, ": warning: "), *text;
    bool is_error = !severity;
    const char *rule, *message;
    if (is_error)
        severity = strstr(line, "error: ");
    if (!severity || (is_error && severity == line))
        return;
    text = strstr(severity, is_error ? "error: " : "warning: ");
    text += strlen(is_error ? "error: " : "warning: ");
    text[strcspn(text, "\n")] = '\0';
    /* the place is before the severity; of a header, that is not ours to say */
    at = strstr(line, ".c:");
    if (!at || at > severity)
        return;
    message = is_error ? text : in_our_words(text, &rule);
    if (is_error)
        rule = "does-not-compile";
    if (message)
        add_finding(findings, unit->file, atoi(at + 3), rule, text_of("%s", message));
}

/* The flag that a line says clang does not know; NULL: none. */
static char *not_known_flag(const char *line)
{
    static const char *const before[] = {"unknown argument: '", "unsupported option '"};
    for (size_t i = 0; i < sizeof before / sizeof *before; i++) {
        const char *flag = strstr(line, before[i]);
        if (flag) {
            flag += strlen(before[i]);
            return text_of("%.*s", (int)strcspn(flag, "'"), flag);
        }
    }
    return NULL;
}

/* Reads all; false: there is no clang. A flag that clang does not know goes into `not_known`. */
static bool finish(struct run *run, struct findings *findings, struct words *not_known)
{
    char *line = NULL, *first = NULL;
    size_t size = 0, found = findings->count;
    int status;
    while (getline(&line, &size, run->said) > 0) {
        char *flag = not_known_flag(line);
        if (!first && strstr(line, "error: "))
            first = text_of("%.*s", (int)strcspn(line, "\n"), line);
        if (flag)
            add_word(not_known, flag);
        else
            read_line(findings, run->unit, line);
    }
    fclose(run->said);
    if (waitpid(run->pid, &status, 0) != run->pid ||
        (WIFEXITED(status) && WEXITSTATUS(status) == 127))
        return false;
    bool is_told = status == 0;
    for (size_t i = found; i < findings->count; i++)
        is_told |= strcmp(findings->all[i].rule, "does-not-compile") == 0;
    if (!is_told) /* in a header, or in the flags: clang looked at nothing */
        add_finding(findings, run->unit->file, 1, "does-not-compile",
                    first ? first : "clang did not come to its end");
    return true;
}

/* Once more without the flags that it does not know, a few times. */
static bool run_clang(struct unit *units, size_t count, struct findings *findings)
{
    enum { TRIES = 4 };
    size_t beside = (size_t)sysconf(_SC_NPROCESSORS_ONLN);
    struct run *runs = calloc(count + 1, sizeof *runs);
    struct words not_known = {NULL, 0};
    if (!runs)
        die(EXIT_BUILD, "out of memory");
    for (size_t i = 0, started = 0; i < count; i++) {
        for (; started < count && started < i + beside; started++)
            start(&runs[started], &units[started], &not_known);
        for (int tries = 0;; tries++) {
            size_t known = not_known.count, found = findings->count;
            if (!finish(&runs[i], findings, &not_known))
                return false;
            if (not_known.count == known || tries == TRIES)
                break;
            findings->count = found;
            start(&runs[i], &units[i], &not_known);
        }
    }
    return true;
}

/* ---- suppressions ---- */

static bool is_suppressed(const struct finding *finding, const struct source *source)
{
    for (size_t i = 0; i < source->suppression_count; i++) {
        const struct suppression *one = &source->suppressions[i];
        if (one->has_reason && strcmp(one->rule, finding->rule) == 0 &&
            (finding->line == one->line || finding->line == one->line + 1))
            return true;
    }
    return false;
}

/* Takes out what is suppressed, of those from `from` on; says which suppressions give no reason. */
static void suppress(struct findings *findings, size_t from, const struct source *source)
{
    size_t kept = from;
    for (size_t i = from; i < findings->count; i++)
        if (strcmp(findings->all[i].file, source->file) != 0 ||
            !is_suppressed(&findings->all[i], source))
            findings->all[kept++] = findings->all[i];
    findings->count = kept;
    for (size_t i = 0; i < source->suppression_count; i++)
        if (!source->suppressions[i].has_reason)
            add_finding(findings, source->file, source->suppressions[i].line,
                        "suppression-without-a-reason", "say why: bide-check: RULE: reason");
}

/* ---- the command ---- */

static int by_place(const void *a_, const void *b_)
{
    const struct finding *a = a_, *b = b_;
    int order = strcmp(a->file, b->file);
    if (!order)
        order = a->line != b->line ? a->line - b->line : strcmp(a->rule, b->rule);
    return order ? order : strcmp(a->message, b->message);
}

/* Sorts them; what is found twice is one finding: in two loops around it, say. */
static void put_in_order(struct findings *findings)
{
    size_t kept = 0;
    if (findings->count)
        qsort(findings->all, findings->count, sizeof *findings->all, by_place);
    for (size_t i = 0; i < findings->count; i++)
        if (kept == 0 || by_place(&findings->all[kept - 1], &findings->all[i]) != 0)
            findings->all[kept++] = findings->all[i];
    findings->count = kept;
}

static void print_text(const char *text)
{
    putchar('"');
    for (; *text; text++) {
        if (*text == '"' || *text == '\\')
            printf("\\%c", *text);
        else if ((unsigned char)*text < ' ')
            printf("\\u%04x", (unsigned)*text);
        else
            putchar(*text);
    }
    putchar('"');
}

void print_findings(const struct findings *findings, bool json, const char *more)
{
    if (json)
        putchar('[');
    for (size_t i = 0; i < findings->count; i++) {
        const struct finding *one = &findings->all[i];
        if (!json) {
            printf("%s:%d: %s [%s]\n", one->file, one->line, one->message, one->rule);
            continue;
        }
        printf("%s{\"file\":", i ? "," : "");
        print_text(one->file);
        printf(",\"line\":%d,\"message\":", one->line);
        print_text(one->message);
        printf(",\"rule\":\"%s\"}", one->rule);
    }
    if (!json)
        return;
    more = more && strncmp(more, "[]", 2) != 0 && *more == '[' ? more + 1 : "]\n";
    printf("%s%s", findings->count && *more != ']' ? "," : "", more);
}

int check_code(const char *path, bool json, struct findings *findings)
{
    size_t count = 0;
    struct unit *units = find_units(path, &count);
    bool has_clang = run_clang(units, count, findings);
    for (size_t i = 0; i < count; i++) {
        struct source *source = scan(units[i].file);
        if (!source)
            die(EXIT_USAGE, "%s: %s", units[i].file, strerror(errno));
        check_rules(source, findings);
        suppress(findings, 0, source);
    }
    put_in_order(findings);
    if (!json) {
        print_findings(findings, false, NULL);
        printf("%zu file%s, %zu finding%s\n", count, count == 1 ? "" : "s", findings->count,
               findings->count == 1 ? "" : "s");
    }
    fflush(stdout);
    if (!has_clang)
        fputs("bide: no clang here: what may await where was not checked (apt-get install clang)\n",
              stderr);
    return !has_clang ? EXIT_USAGE : findings->count ? EXIT_BUILD : 0;
}
