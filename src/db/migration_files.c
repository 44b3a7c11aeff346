/*
 * A folder of migrations. See migration_files.h.
 *
 * Invariants of what was read
 *  1. Numbers ascend. Those that are no times (14 digits) count from 1 without a gap: a file that
 *     was lost on the way here is seen.
 *  2. The checksum is of all bytes but carriage returns.
 */
#include "db/migration_files.h"

#include "base/caps.h"
#include "base/siphash.h"
#include "db/split.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { TIME_DIGITS = 14, NUMBER_DIGITS = 18 };

static int system_failed(struct bide__trouble *trouble, const char *what, const char *name)
{
    int code = errno;
    bide__trouble(trouble, BIDE_SYSTEM, "%s '%s'", what, name);
    trouble->system_errno = code;
    return -EBADMSG;
}

static int no_memory(struct bide__trouble *trouble)
{
    return bide__trouble(trouble, BIDE_NO_MEMORY, "out of memory for migrations");
}

/* ---- names ---- */

static bool is_name(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '-';
}

static size_t digits_of(const char *file)
{
    return strspn(file, "0123456789");
}

/* NUMBER_NAME.sql */
static bool is_migration(const char *file)
{
    size_t digits = digits_of(file), length = strlen(file);
    if (digits == 0 || digits > NUMBER_DIGITS || file[digits] != '_' ||
        length > BIDE_CAP_DB_MIGRATION_NAME || length < digits + 6)
        return false;
    for (size_t i = digits + 1; i < length - 4; i++)
        if (!is_name(file[i]))
            return false;
    return true;
}

static int is_sql(const struct dirent *entry)
{
    size_t length = strlen(entry->d_name);
    return length > 4 && entry->d_name[0] != '.' && strcmp(entry->d_name + length - 4, ".sql") == 0;
}

static bool is_time(const struct bide__migration *migration)
{
    return digits_of(migration->file) == TIME_DIGITS;
}

/* ---- the parts of a file ---- */

/* What follows `-- migrate:` on this line, or NULL. */
static const char *marker(const char *line, size_t length, size_t *ret_length)
{
    static const char word[] = "migrate:";
    size_t at = 2;
    if (length < 2 || line[0] != '-' || line[1] != '-')
        return NULL;
    while (at < length && (line[at] == ' ' || line[at] == '\t'))
        at++;
    if (length - at < sizeof word - 1 || memcmp(line + at, word, sizeof word - 1) != 0)
        return NULL;
    at += sizeof word - 1;
    while (length > at &&
           (line[length - 1] == ' ' || line[length - 1] == '\t' || line[length - 1] == '\r'))
        length--;
    *ret_length = length - at;
    return line + at;
}

/* `up`, `down transaction:false`: which part begins; NULL: neither. */
static struct bide__migration_part *part_of(struct bide__migration *migration, const char *words,
                                            size_t length)
{
    static const char option[] = "transaction:";
    struct bide__migration_part *part = NULL;
    size_t at = 0;
    if (length >= 2 && memcmp(words, "up", 2) == 0) {
        part = &migration->up;
        at = 2;
    } else if (length >= 4 && memcmp(words, "down", 4) == 0) {
        part = &migration->down;
        at = 4;
    } else {
        return NULL;
    }
    part->transaction = true;
    if (at == length)
        return part;
    if (words[at] != ' ' && words[at] != '\t')
        return NULL;
    while (at < length && (words[at] == ' ' || words[at] == '\t'))
        at++;
    if (length - at < sizeof option - 1 || memcmp(words + at, option, sizeof option - 1) != 0)
        return NULL;
    words += at + sizeof option - 1;
    length -= at + sizeof option - 1;
    part->transaction = length == 4 && memcmp(words, "true", 4) == 0;
    return part->transaction || (length == 5 && memcmp(words, "false", 5) == 0) ? part : NULL;
}

static bool is_blank_or_comment(const char *line, size_t length)
{
    size_t at = 0;
    while (at < length && (line[at] == ' ' || line[at] == '\t' || line[at] == '\r'))
        at++;
    return at == length || (length - at >= 2 && line[at] == '-' && line[at + 1] == '-');
}

/* Whether its statements can be told apart; says which line opens what is never closed. */
static int check_part(const struct bide__migration *migration,
                      const struct bide__migration_part *part, struct bide__trouble *trouble)
{
    struct bide__sql sql = {part->text, part->text + part->length, part->line};
    struct bide__sql_statement one;
    int code;
    while ((code = bide__sql_next(&sql, &one)) > 0)
        continue;
    return code == 0
               ? 0
               : bide__trouble(trouble, BIDE_INVALID, "%s:%d: %.*s is opened and never closed",
                               migration->file, one.line, (int)one.length, one.text);
}

static int end_part(const struct bide__migration *migration, struct bide__migration_part *part,
                    const char *end, struct bide__trouble *trouble)
{
    if (!part)
        return 0;
    part->length = (size_t)(end - part->text);
    return check_part(migration, part, trouble);
}

static int read_parts(struct bide__migration *migration, const char *text, size_t size,
                      struct bide__trouble *trouble)
{
    struct bide__migration_part *open = NULL;
    const char *end = text + size, *next;
    int number = 1, code = 0;
    for (const char *line = text; line < end && code == 0; line = next, number++) {
        const char *stop = memchr(line, '\n', (size_t)(end - line));
        size_t length = (size_t)((stop ? stop : end) - line), word_length;
        const char *words = marker(line, length, &word_length);
        next = stop ? stop + 1 : end;
        if (words) {
            code = end_part(migration, open, line, trouble);
            open = part_of(migration, words, word_length);
            if (code == 0 &&
                (!open || open->text || (open == &migration->up && migration->down.text)))
                return bide__trouble(trouble, BIDE_INVALID,
                                     "%s:%d: `-- migrate:%.*s` is not `up`, or `down` behind it, "
                                     "once each, with or without `transaction:false`",
                                     migration->file, number, (int)word_length, words);
            if (open) {
                open->text = next;
                open->line = number + 1;
            }
        } else if (!open && !is_blank_or_comment(line, length)) {
            return bide__trouble(trouble, BIDE_INVALID,
                                 "%s:%d: SQL before the line `-- migrate:up`", migration->file,
                                 number);
        }
    }
    if (code == 0)
        code = end_part(migration, open, end, trouble);
    if (code == 0 && !migration->up.text)
        return bide__trouble(trouble, BIDE_INVALID, "%s has no line `-- migrate:up`",
                             migration->file);
    return code;
}

/* ---- files ---- */

/* The whole file, with a NUL behind it. */
static int read_whole(int fd, const char *file, bide_arena *arena, char **ret_text,
                      size_t *ret_size, struct bide__trouble *trouble)
{
    struct stat status;
    if (fstat(fd, &status) < 0)
        return system_failed(trouble, "cannot read", file);
    if (status.st_size > BIDE_CAP_DB_MIGRATION_BYTES)
        return bide__trouble(trouble, BIDE_LIMIT, "%s has more than %d bytes", file,
                             BIDE_CAP_DB_MIGRATION_BYTES);
    size_t size = (size_t)status.st_size, got = 0;
    char *text = bide_arena_alloc(arena, size + 1);
    if (!text)
        return no_memory(trouble);
    while (got < size) {
        ssize_t more = read(fd, text + got, size - got);
        if (more < 0 && errno == EINTR)
            continue;
        if (more < 0)
            return system_failed(trouble, "cannot read", file);
        if (more == 0)
            break;
        got += (size_t)more;
    }
    text[got] = 0;
    if (strlen(text) != got)
        return bide__trouble(trouble, BIDE_INVALID, "%s has a byte 0", file);
    *ret_text = text;
    *ret_size = got;
    return 0;
}

static int sum(struct bide__migration *migration, const char *text, size_t size, bide_arena *arena,
               struct bide__trouble *trouble)
{
    static const uint64_t key[2] = {UINT64_C(0x6269646520736368), UINT64_C(0x656d612066696c65)};
    char *bare = bide_arena_alloc(arena, size + 1);
    size_t length = 0;
    if (!bare)
        return no_memory(trouble);
    for (size_t i = 0; i < size; i++)
        if (text[i] != '\r')
            bare[length++] = text[i];
    snprintf(migration->checksum, sizeof migration->checksum, "%016llx",
             (unsigned long long)bide__siphash(key, bare, length));
    return 0;
}

static int read_file(int folder_fd, const char *file, bide_arena *arena,
                     struct bide__migration *ret_migration, struct bide__trouble *trouble)
{
    char *text = NULL;
    size_t size = 0;
    if (!is_migration(file))
        return bide__trouble(trouble, BIDE_INVALID,
                             "'%.100s' is no name of a migration: NUMBER_NAME.sql, of letters, "
                             "digits, _ and -",
                             file);
    ret_migration->number = strtoll(file, NULL, 10);
    ret_migration->file = bide_arena_strdup(arena, file);
    if (!ret_migration->file)
        return no_memory(trouble);
    int fd = openat(folder_fd, file, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return system_failed(trouble, "cannot open", file);
    int code = read_whole(fd, file, arena, &text, &size, trouble);
    close(fd);
    if (code == 0)
        code = sum(ret_migration, text, size, arena, trouble);
    return code < 0 ? code : read_parts(ret_migration, text, size, trouble);
}

static int by_number(const void *a, const void *b)
{
    const struct bide__migration *left = a, *right = b;
    int order = (left->number > right->number) - (left->number < right->number);
    return order ? order : strcmp(left->file, right->file);
}

static int check_set(const struct bide__migrations *set, struct bide__trouble *trouble)
{
    for (size_t i = 0; i < set->count; i++) {
        const struct bide__migration *one = &set->all[i];
        int64_t before = i > 0 ? one[-1].number : 0;
        if (i > 0 && before == one->number)
            return bide__trouble(trouble, BIDE_INVALID, "%s and %s have the same number",
                                 one[-1].file, one->file);
        if (!is_time(one) && one->number != before + 1)
            return bide__trouble(trouble, BIDE_INVALID, "there is no migration %04lld before %s",
                                 (long long)before + 1, one->file);
    }
    return 0;
}

static int read_entries(int folder_fd, struct dirent **entries, size_t count, bide_arena *arena,
                        struct bide__migrations *set, struct bide__trouble *trouble)
{
    int code = 0;
    set->all = bide_arena_alloc_zero(arena, count + 1, sizeof *set->all);
    if (!set->all)
        return no_memory(trouble);
    for (size_t i = 0; i < count && code == 0; i++)
        code = read_file(folder_fd, entries[i]->d_name, arena, &set->all[i], trouble);
    set->count = count;
    if (code < 0)
        return code;
    qsort(set->all, count, sizeof *set->all, by_number);
    return check_set(set, trouble);
}

int bide__migrations_read(const char *folder, bide_arena *arena,
                          struct bide__migrations *ret_migrations, struct bide__trouble *trouble)
{
    struct dirent **entries = NULL;
    *ret_migrations = (struct bide__migrations){.folder = folder};
    int folder_fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (folder_fd < 0)
        return system_failed(trouble, "cannot open the folder of migrations", folder);
    int count = scandirat(folder_fd, ".", &entries, is_sql, alphasort);
    int code =
        count < 0 ? system_failed(trouble, "cannot read the folder of migrations", folder)
                  : read_entries(folder_fd, entries, (size_t)count, arena, ret_migrations, trouble);
    for (int i = 0; i < count; i++)
        free(entries[i]);
    free(entries);
    close(folder_fd);
    return code;
}

/* ---- a new one ---- */

static const char *next_name(const struct bide__migrations *set, const char *name,
                             bide_arena *arena)
{
    char number[32];
    const struct bide__migration *last = set->count ? &set->all[set->count - 1] : NULL;
    if (last && is_time(last)) {
        struct tm now;
        time_t seconds = time(NULL);
        gmtime_r(&seconds, &now);
        strftime(number, sizeof number, "%Y%m%d%H%M%S", &now);
        if (strtoll(number, NULL, 10) <= last->number)
            snprintf(number, sizeof number, "%014lld", (long long)last->number + 1);
    } else {
        int digits = last ? (int)digits_of(last->file) : 4;
        snprintf(number, sizeof number, "%0*lld", digits, last ? (long long)last->number + 1 : 1LL);
    }
    return bide_arena_printf(arena, "%s_%s.sql", number, name);
}

int bide__migrations_new(const char *folder, const char *name, bide_arena *arena,
                         const char **ret_path, struct bide__trouble *trouble)
{
    static const char text[] = "-- migrate:up\n\n-- migrate:down\n";
    struct bide__migrations set;
    if (mkdir(folder, 0777) < 0 && errno != EEXIST)
        return system_failed(trouble, "cannot make the folder", folder);
    int code = bide__migrations_read(folder, arena, &set, trouble);
    if (code < 0)
        return code;
    const char *file = next_name(&set, name, arena);
    *ret_path = file ? bide_arena_printf(arena, "%s/%s", folder, file) : NULL;
    if (!*ret_path)
        return no_memory(trouble);
    if (!is_migration(file))
        return bide__trouble(trouble, BIDE_INVALID,
                             "'%.100s' is no name: letters, digits, _ and -, fewer than %d", name,
                             BIDE_CAP_DB_MIGRATION_NAME);
    int fd = open(*ret_path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    bool written = fd >= 0 && write(fd, text, sizeof text - 1) == (ssize_t)sizeof text - 1;
    if (!written)
        code = system_failed(trouble, "cannot write", *ret_path);
    if (fd >= 0)
        close(fd);
    return code;
}
