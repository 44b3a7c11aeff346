/*
 * What the files of `bide check` share.
 *
 *     check.c -> compile_commands.c (which files, with which flags)
 *             -> scan.c (tokens of a file) -> rules.c, call_rules.c (what they give away)
 *             -> clang (effects), whose words are read back
 */
#ifndef BIDE_CHECK_H
#define BIDE_CHECK_H

#include "cli.h"

/* What somebody should look at. */
struct finding {
    const char *file;
    int line;
    const char *rule; /* its name, as suppressions say it */
    const char *message;
};

struct findings {
    struct finding *all;
    size_t count;
};

void add_finding(struct findings *findings, const char *file, int line, const char *rule,
                 const char *message);

/* A token: an identifier, a number, a string, or one character. */
struct token {
    const char *text; /* not ended */
    int length;
    int line;
    int match; /* of a bracket: the index of the other one; -1: there is none */
};

/* A comment `bide-check: RULE: reason`. It holds for its line and for the next. */
struct suppression {
    int line;
    char *rule;
    bool has_reason;
};

/* One file as tokens, without comments and preprocessor lines. */
struct source {
    const char *file;
    struct token *tokens;
    int count;
    struct suppression *suppressions;
    size_t suppression_count;
};

/* NULL: the file cannot be read. */
struct source *scan(const char *file);

/* Whether token `i` (any number) is this word. */
bool is_word(const struct source *source, int i, const char *word);

/* Whether it is an identifier. */
bool is_name(const struct source *source, int i);

/* Whether one of the tokens from `from` to before `to` is the same as token `i`. */
bool has_same(const struct source *source, int from, int to, int i);

/* The end of the statement at `i`: the index after it. */
int end_of_statement(const struct source *source, int i);

/* The part after a heading `word (...)` at `i`: from *ret_from to before the returned index. */
int body_of(const struct source *source, int i, int *ret_from);

/* Whether a part awaits, or may: also in the macros of a program, whose names are in capitals. */
bool awaits(const struct source *source, int from, int to);

/* A function whose body is from `from` to before `to`. */
struct function {
    int parameters; /* the bracket before them */
    int from, to;
    bool is_async;
};

/* The next function at or after *i, which moves behind it; false: no more. */
bool next_function(const struct source *source, int *i, struct function *ret_function);

/* All rules that need no compiler. */
void check_rules(const struct source *source, struct findings *findings);
void check_calls(const struct source *source, const struct function *function,
                 struct findings *findings);

/* How one file is compiled: the words after the compiler, without the file. */
struct unit {
    const char *file;   /* as it is to be shown */
    const char *folder; /* where to compile it */
    struct words flags;
};

/* The units of a compile_commands.json; false: there is no such file. Ends the command when it is
   malformed. */
bool read_compile_commands(const char *path, struct unit **ret_units, size_t *ret_count);

/* `bide check`: gives an exit status. `program`: what `check` is asked of next, or NULL. */
int check_code(const char *path, bool json, struct findings *findings);

/* Prints them, sorted; with `more`, a JSON array of others, as one array. */
void print_findings(const struct findings *findings, bool json, const char *more);

#endif
