/*
 * compile_commands.json: which files a program has, and with which flags each is compiled. What is
 * not for clang, or not for looking only, is left out. Called by check.c.
 *
 * Source: "JSON Compilation Database Format Specification" (LLVM); RFC 8259.
 */
#include "check.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

/* Where reading is, and of what: for messages. */
struct reader {
    const char *path, *at;
};

static void skip_space(struct reader *reader)
{
    reader->at += strspn(reader->at, " \t\r\n");
}

static void expect(struct reader *reader, char c)
{
    skip_space(reader);
    if (*reader->at != c)
        die(EXIT_USAGE, "%s is no compile_commands.json: '%c' is missing before '%.20s'",
            reader->path, c, reader->at);
    reader->at++;
}

static bool take(struct reader *reader, char c)
{
    skip_space(reader);
    if (*reader->at != c)
        return false;
    reader->at++;
    return true;
}

/* A code point below U+10000 as UTF-8; halves of pairs stay apart, in no file's name. */
static char *put_code(char *to, unsigned code)
{
    if (code < 0x80) {
        *to++ = (char)code;
    } else if (code < 0x800) {
        *to++ = (char)(0xc0 | code >> 6);
        *to++ = (char)(0x80 | (code & 0x3f));
    } else {
        *to++ = (char)(0xe0 | code >> 12);
        *to++ = (char)(0x80 | (code >> 6 & 0x3f));
        *to++ = (char)(0x80 | (code & 0x3f));
    }
    return to;
}

static char *read_string(struct reader *reader)
{
    static const char escapes[] = "n\nt\tr\rb\bf\f";
    expect(reader, '"');
    char *text = text_of("%s", reader->at), *to = text;
    while (*reader->at && *reader->at != '"') {
        if (*reader->at != '\\' || !reader->at[1]) {
            *to++ = *reader->at++;
            continue;
        }
        char c = reader->at[1];
        reader->at += 2;
        const char *known = strchr(escapes, c);
        if (c == 'u' && strspn(reader->at, "0123456789abcdefABCDEF") >= 4) {
            to = put_code(to, (unsigned)strtoul(text_of("%.4s", reader->at), NULL, 16));
            reader->at += 4;
        } else {
            *to++ = known && c >= 'a' ? known[1] : c;
        }
    }
    *to = '\0';
    expect(reader, '"');
    return text;
}

/* Any other value. */
static void skip_value(struct reader *reader)
{
    int depth = 0;
    do {
        skip_space(reader);
        if (*reader->at == '"') {
            (void)read_string(reader);
        } else {
            depth += *reader->at == '[' || *reader->at == '{';
            depth -= *reader->at == ']' || *reader->at == '}';
            reader->at += *reader->at != '\0';
        }
        skip_space(reader);
    } while (*reader->at && (depth > 0 || !strchr(",}", *reader->at)));
}

static void read_arguments(struct reader *reader, struct words *words)
{
    expect(reader, '[');
    while (!take(reader, ']')) {
        add_word(words, read_string(reader));
        (void)take(reader, ',');
    }
}

/* Whether a word is not for us; *ret_value: the next one belongs to it. */
static bool is_left_out(const char *word, bool *ret_value)
{
    static const char *const with_value[] = {"-o", "-MF", "-MT", "-MQ", "--param", "-include-pch"};
    static const char *const others[] = {"-c", "-S", "-E", "-pipe", "-save-temps"};
    static const char *const beginnings[] = {"-M", "-W", "-o", "-g", "-flto", "-fplugin"};
    *ret_value = false;
    for (size_t i = 0; i < sizeof with_value / sizeof *with_value; i++)
        *ret_value = *ret_value || strcmp(word, with_value[i]) == 0;
    bool out = *ret_value;
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        out = out || strcmp(word, others[i]) == 0;
    for (size_t i = 0; i < sizeof beginnings / sizeof *beginnings; i++)
        out = out || strncmp(word, beginnings[i], strlen(beginnings[i])) == 0;
    return out;
}

/* The words behind the compiler's, and behind a launcher before it (ccache gcc). */
static void keep_flags(struct unit *unit, const struct words *words)
{
    size_t i = 1;
    while (i < words->count && words->all[i][0] != '-' && strcmp(words->all[i], unit->file) != 0)
        i++;
    for (bool has_value; i < words->count; i++) {
        if (is_left_out(words->all[i], &has_value))
            i += has_value;
        else if (strcmp(words->all[i], unit->file) != 0)
            add_word(&unit->flags, words->all[i]);
    }
}

static void read_unit(struct reader *reader, struct unit *unit)
{
    struct words words = {NULL, 0};
    expect(reader, '{');
    while (!take(reader, '}')) {
        const char *name = read_string(reader);
        expect(reader, ':');
        if (strcmp(name, "file") == 0)
            unit->file = read_string(reader);
        else if (strcmp(name, "directory") == 0)
            unit->folder = read_string(reader);
        else if (strcmp(name, "command") == 0)
            add_split(&words, read_string(reader));
        else if (strcmp(name, "arguments") == 0)
            read_arguments(reader, &words);
        else
            skip_value(reader);
        (void)take(reader, ',');
    }
    if (!unit->file || !unit->folder || words.count == 0)
        die(EXIT_USAGE, "%s: an entry lacks its file, directory or command", reader->path);
    keep_flags(unit, &words);
}

bool read_compile_commands(const char *path, struct unit **ret_units, size_t *ret_count)
{
    struct reader reader = {path, read_file(path)};
    if (!reader.at)
        return false;
    *ret_units = NULL;
    *ret_count = 0;
    expect(&reader, '[');
    while (!take(&reader, ']')) {
        struct unit unit = {.file = NULL};
        read_unit(&reader, &unit);
        *ret_units = reallocarray(*ret_units, *ret_count + 1, sizeof **ret_units);
        if (!*ret_units)
            die(EXIT_BUILD, "out of memory");
        (*ret_units)[(*ret_count)++] = unit;
        (void)take(&reader, ',');
    }
    return true;
}
