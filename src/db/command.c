/*
 * The commands `migrate` and `check`. See command.h. Called by web/main.c through
 * base/subcommand.h; calls the runtime, migrate.c, check.c.
 *
 * Exit statuses: 0 all is well; 1 it failed, or something does not fit; 2 wrong arguments.
 */
#include "db/command.h"

#include "base/caps.h"
#include "db/check.h"
#include "db/migrate.h"

#include <bide/json.h>
#include <bide/runtime.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { EXIT_FOUND = 1, EXIT_USAGE = 2 };

/* The command line; one command runs in a process. */
static struct line {
    const char *program;
    const char *word, *name; /* of migrate: up ...; the NAME of new */
    const char *url, *folder, *to;
    bool dry_run, sql, json;
    bide_arena arena;
    int status;
} line;

__attribute__((format(printf, 1, 2))) static void say(const char *format, ...)
{
    va_list args;
    fflush(stdout);
    fprintf(stderr, "%s: ", line.program);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
}

/* ---- migrate ---- */

static bool is(const char *text, const char *word)
{
    return strcmp(text, word) == 0;
}

/* Up never takes back, and down never applies. */
static int64_t target_of(const struct bide__history *history)
{
    const struct bide__applied *all = history->all;
    int64_t last = history->count ? all[history->count - 1].number : 0;
    int64_t before = history->count > 1 ? all[history->count - 2].number : 0;
    int64_t to = is(line.word, "up") ? INT64_MAX : before;
    if (line.to)
        to = strtoll(line.to, NULL, 10);
    return is(line.word, "up") == (to < last) ? last : to;
}

static void print_status(const struct bide__migrations *set, const struct bide__history *history)
{
    for (size_t i = 0; i < set->count; i++) {
        const struct bide__applied *row = NULL;
        char when[BIDE_VALUE_TEXT] = "";
        for (size_t k = 0; k < history->count; k++)
            if (history->all[k].number == set->all[i].number)
                row = &history->all[k];
        if (row && row->at_us)
            when[bide_time_format(row->at_us / 1000000 * 1000000, when)] = 0;
        printf("%-40s %s%s\n", set->all[i].file,
               !row         ? "pending"
               : row->at_us ? "applied "
                            : "unfinished",
               when);
    }
}

/* What would run. */
static void print_plan(const struct bide__migrations *set, struct bide__history *history,
                       int64_t to)
{
    bool down;
    const struct bide__migration *next;
    while ((next = bide__migration_next(set, history, to, &down))) {
        const struct bide__migration_part *part = down ? &next->down : &next->up;
        printf("-- %s: %s%s\n", next->file, down ? "down" : "up",
               part->text && !part->transaction ? ", without a transaction" : "");
        if (!part->text)
            printf("-- it has no part `-- migrate:down`\n");
        else
            printf("%.*s\n", (int)part->length, part->text);
        if (down)
            history->count--;
        else
            history->all[history->count++] = (struct bide__applied){next->number, 1, "", ""};
    }
}

/* Room for all that a plan may add. */
static struct bide__history roomy(const struct bide__migrations *set,
                                  const struct bide__history *history)
{
    struct bide__history copy = {
        bide_arena_alloc_zero(&line.arena, set->count + history->count + 1, sizeof *copy.all),
        history->count};
    if (!copy.all)
        bide__raise(-ENOMEM, NULL);
    if (history->count)
        memcpy(copy.all, history->all, history->count * sizeof *copy.all);
    return copy;
}

static bide_async(void) move_to(bide_db *db, const struct bide__migrations *set, int64_t to)
{
    struct bide__migrated done;
    int count = 0;
    int64_t since_ns = bide_clock_ns();
    while (bide_await(bide__migrate_one(db, set, to, &done))) {
        int64_t now_ns = bide_clock_ns();
        printf("%s %s (%lld ms)\n", done.down ? "taken back" : "applied", done.migration->file,
               (long long)((now_ns - since_ns) / 1000000));
        fflush(stdout);
        since_ns = now_ns;
        count++;
    }
    if (count == 0)
        puts("nothing to do");
    return bide_void;
}

static void print_findings(const struct bide__check *check);

static bide_async(void) check_database(bide_db *db)
{
    struct bide__check check = {.arena = &line.arena};
    if (bide__notes_read(&line.arena, &check.notes) < 0)
        bide__raise(-ENOMEM, NULL);
    bide_await(bide__check_run(db, &check));
    print_findings(&check);
    return bide_void;
}

static bide_async(void) migrate_on(bide_db *db)
{
    struct bide__migrations set;
    struct bide__history history;
    struct bide__trouble trouble = {0};
    bide_await(bide__migrations_load(line.folder, &line.arena, &set));
    bide_await(bide__history_load(db, &line.arena, &history));
    if (is(line.word, "status"))
        print_status(&set, &history);
    int code = bide__history_check(&set, &history, &trouble);
    if (code < 0)
        bide__db_raise(code, &trouble, NULL);
    if (is(line.word, "status"))
        return bide_void;
    int64_t to = target_of(&history);
    if (line.dry_run) {
        struct bide__history plan = roomy(&set, &history);
        print_plan(&set, &plan, to);
    } else {
        bide_await(move_to(db, &set, to));
    }
    return bide_void;
}

static bide_async(void) migrate_work(void);
SPAWNABLE(void, migrate_work)
static bide_async(void) migrate_work(void)
{
    bide_with(bide_database, db, line.url) {
        if (is(line.word, "check"))
            bide_await(check_database(db));
        else
            bide_await(migrate_on(db));
    }
    return bide_void;
}

/* ---- check ---- */

MODEL(bide__finding_out, "", (str, file), (i32, line), (str, message), (str, sql),
      (i32, position, optional), (str, column, optional));

/* The line of the text that the position is in, with a mark below it; without one, all of it. */
static void print_sql(const char *text, int position)
{
    enum { INDENT = 4, WIDTH = 100 };
    if (!*text)
        return;
    if (position <= 0 || (size_t)position > strlen(text) + 1) {
        printf("%*s", INDENT, "");
        for (const char *at = text; *at; at++)
            putchar(*at == '\n' ? ' ' : *at);
        putchar('\n');
        return;
    }
    const char *mark = text + position - 1, *from = mark, *end = mark + strcspn(mark, "\n");
    while (from > text && from[-1] != '\n')
        from--;
    if (mark - from > WIDTH / 2)
        from = mark - WIDTH / 2;
    if (end - from > WIDTH)
        end = from + WIDTH;
    printf("%*s%.*s\n", INDENT, "", (int)(end - from), from);
    printf("%*s", INDENT, "");
    for (const char *at = from; at < mark; at++)
        if (((unsigned char)*at & 0xc0) != 0x80) /* a character, however many bytes it has */
            putchar(*at == '\t' ? '\t' : ' ');
    puts("^");
}

static void print_json(const struct bide__check *check)
{
    size_t count = 0, i = 0;
    bide_buf out;
    for (const struct bide__finding *one = check->first; one; one = one->next)
        count++;
    bide__finding_out *rows = bide_arena_alloc_zero(&line.arena, count + 1, sizeof *rows);
    bide_buf_init(&out, BIDE_CAP_DB_MIGRATIONS_BYTES);
    for (const struct bide__finding *one = check->first; rows && one; one = one->next, i++) {
        rows[i] = (bide__finding_out){.file = one->note ? one->note->file : "",
                                      .line = one->note ? (int32_t)one->note->line : 0,
                                      .message = one->message,
                                      .sql = one->note ? one->note->text : "",
                                      .position = one->position,
                                      .column = *one->field ? one->field : NULL};
    }
    if (rows &&
        bide_json_write_list(bide__finding_out_model(), rows, count, &line.arena, &out) == 0)
        puts(bide_buf_str(&out));
    bide_buf_done(&out);
}

static void print_findings(const struct bide__check *check)
{
    size_t count = 0;
    for (const struct bide__finding *one = check->first; one; one = one->next, count++) {
        if (line.json)
            continue;
        if (one->note)
            printf("%s:%u: %s\n", one->note->file, one->note->line, one->message);
        else
            printf("%s/%s\n", line.folder, one->message);
        if (one->note)
            print_sql(one->note->text, one->position);
    }
    if (line.json)
        print_json(check);
    else
        printf("%zu queries, %zu finding%s\n", check->checked, count, count == 1 ? "" : "s");
    line.status = count ? EXIT_FOUND : 0;
}

static bide_async(void) check_work(void);
SPAWNABLE(void, check_work)
static bide_async(void) check_work(void)
{
    struct stat status;
    struct bide__migrations set;
    struct bide__check check = {.arena = &line.arena, .scratch = true};
    if (line.folder || stat("migrations", &status) == 0) {
        line.folder = line.folder ? line.folder : "migrations";
        bide_await(bide__migrations_load(line.folder, &line.arena, &set));
        check.migrations = &set;
    }
    if (bide__notes_read(&line.arena, &check.notes) < 0)
        bide__raise(-ENOMEM, NULL);
    bide_with(bide_database, db, line.url) {
        bide_await(bide__check_run(db, &check));
    }
    print_findings(&check);
    return bide_void;
}

/* ---- the command line ---- */

static bide_async(void) work(void)
{
    bide_error *error = NULL;
    if (line.word)
        bide_attempt(&error, migrate_work);
    else
        bide_attempt(&error, check_work);
    if (error) {
        say("%s", error->message);
        line.status = EXIT_FOUND;
    }
    return bide_void;
}

static int run_work(void)
{
    bide_arena_init(&line.arena, NULL, BIDE_CAP_DB_MIGRATIONS_BYTES);
    struct bide_options options = {.loops = 1};
    int status = bide__run_void(work, &options);
    bide_arena_done(&line.arena);
    if (fflush(stdout) != 0) {
        say("cannot write: %s", strerror(errno));
        return EXIT_FOUND;
    }
    return status ? status : line.status;
}

/* Where the value of an option goes; NULL: it has none, or there is no such option. */
static const char **value_of(const char *name, size_t length, bool migrate)
{
    const struct {
        const char *name;
        const char **value;
    } options[] = {
        {"--url", &line.url}, {"--migrations", &line.folder}, {"--to", migrate ? &line.to : NULL}};
    for (size_t i = 0; i < sizeof options / sizeof *options; i++)
        if (strlen(options[i].name) == length && memcmp(options[i].name, name, length) == 0)
            return options[i].value;
    return NULL;
}

static bool *flag_of(const char *name, bool migrate)
{
    if (migrate && is(name, "--dry-run"))
        return &line.dry_run;
    if (!migrate && is(name, "--sql"))
        return &line.sql;
    return is(name, "--json") ? &line.json : NULL;
}

/* Gives whether it is all right, after a message. */
static bool read_line(char *const *arguments, bool migrate)
{
    for (; *arguments; arguments++) {
        const char *argument = *arguments;
        size_t length = strcspn(argument, "=");
        const char **value = value_of(argument, length, migrate);
        bool *flag = flag_of(argument, migrate);
        if (flag) {
            *flag = true;
        } else if (value) {
            *value = argument[length] ? argument + length + 1 : arguments[1];
            if (!*value) {
                say("%s needs a value", argument);
                return false;
            }
            arguments += !argument[length];
        } else if (*argument != '-' && migrate && is(line.word, "new") && !line.name) {
            line.name = argument;
        } else {
            say("%s takes no argument '%s'", migrate ? "migrate" : "check", argument);
            return false;
        }
    }
    return true;
}

static const char *from_environment(const char *name)
{
    const char *value = getenv(name);
    return value && *value ? value : NULL;
}

static int make_new(void)
{
    const char *path;
    struct bide__trouble trouble = {0};
    if (!line.name) {
        say("migrate new needs a name: migrate new add_users");
        return EXIT_USAGE;
    }
    bide_arena_init(&line.arena, NULL, BIDE_CAP_DB_MIGRATIONS_BYTES);
    int code = bide__migrations_new(line.folder, line.name, &line.arena, &path, &trouble);
    if (code == 0)
        puts(path);
    else
        say("%s%s%s", trouble.message, trouble.system_errno ? ": " : "",
            trouble.system_errno ? strerror(trouble.system_errno) : "");
    bide_arena_done(&line.arena);
    return code == 0 ? 0 : EXIT_FOUND;
}

static bool is_number(const char *text)
{
    size_t digits = strspn(text, "0123456789");
    return digits > 0 && digits <= 18 && !text[digits];
}

static int run_migrate(const char *program, char *const *arguments)
{
    static const char *const words[] = {"up", "down", "status", "new", "check"};
    line = (struct line){.program = program};
    for (size_t i = 0; *arguments && i < sizeof words / sizeof *words; i++)
        if (is(*arguments, words[i]))
            line.word = words[i];
    if (!line.word) {
        say(*arguments ? "migrate has no command '%s'; there are up, down, status, new, check"
                       : "migrate needs one of up, down, status, new, check",
            *arguments);
        return EXIT_USAGE;
    }
    line.url = from_environment("DATABASE_URL");
    line.folder = from_environment("BIDE_MIGRATIONS");
    if (!read_line(arguments + 1, true))
        return EXIT_USAGE;
    line.folder = line.folder ? line.folder : "migrations";
    if (line.to && (!is_number(line.to) || is(line.word, "status") || is(line.word, "check"))) {
        say("--to takes the number of a migration, of up and down");
        return EXIT_USAGE;
    }
    if (is(line.word, "new"))
        return make_new();
    if (!line.url) {
        say("which database? Give --url, or set DATABASE_URL");
        return EXIT_USAGE;
    }
    return run_work();
}

static int run_check(const char *program, char *const *arguments)
{
    line = (struct line){.program = program};
    line.folder = from_environment("BIDE_MIGRATIONS");
    if (!read_line(arguments, false))
        return EXIT_USAGE;
    if (!line.url || strncmp(line.url, "sqlite:", 7) == 0)
        line.url = "sqlite://:memory:";
    return run_work();
}

struct bide__subcommand bide__command_migrate = {
    "migrate",
    "  migrate up|down [--to N] [--dry-run], status, check, new NAME\n"
    "                       [--url URL] [--migrations FOLDER], or DATABASE_URL, BIDE_MIGRATIONS\n",
    run_migrate, NULL};

static struct bide__subcommand command_check = {
    "check",
    "  check [--sql] [--json] [--migrations FOLDER] [--url URL of a server]\n"
    "                       every query of the program, beside its schema\n",
    run_check, NULL};

__attribute__((constructor)) static void add_commands(void)
{
    bide__subcommand_add(&command_check);
    bide__subcommand_add(&bide__command_migrate);
}
