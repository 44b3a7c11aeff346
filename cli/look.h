/*
 * Looking into a running program: what the files of ps, tree, top, trace and gdb share.
 *
 *     see.c (the command line) -> target.c (the process) -> src/core/look.c (a picture of it)
 *                              -> tree.c, look_json.c, top.c, trace.c (the picture as text)
 */
#ifndef BIDE_CLI_LOOK_H
#define BIDE_CLI_LOOK_H

#include "cli.h"
#include "core/look.h"

#include <stdio.h>

/* A process that is looked at. */
struct target {
    int pid;
    char *program;    /* the name of its file */
    uint64_t debug;   /* where its bide_debug is; 0: asked by its socket */
    int64_t began_ns; /* of the clock of the machine's start; 0: not known */
};

/* Finds the program in a process. NULL, or why it cannot be looked at. */
char *target_open(struct target *target, int pid);

/* Takes a picture. NULL, or why not; `ret_look` then needs no end. */
char *target_look(struct target *target, enum bide__look_what what, struct bide__look *ret_look);
void look_end(struct bide__look *look);
int64_t clock_ns(void);

/* Texts of a picture: static, or the picture's. */
static inline const char *look_text(const struct bide__look *look, uint32_t text)
{
    return look->texts + text;
}
const char *state_name(const struct bide__look_task *task);
bool has_site(const struct bide__look *look, uint32_t site);

/* "wants mutex 'accounts'"; "" when it does not wait. */
char *waits_for(const struct bide__look *look, const struct bide__look_task *task);

/* "bank.c:41"; "" without a site. */
char *place_of(const struct bide__look *look, uint32_t site);

/* "0.2 s", "12 s", "3 min", "5 h", "2 d". */
char *duration_of(int64_t ns);

/* Whether who waits for whom, from here on, comes back to this task. */
bool in_wait_cycle(const struct bide__look *look, uint32_t task);

/* Whether a task waits for the network without a deadline, and is not meant to. */
bool lacks_deadline(const struct bide__look *look, const struct bide__look_task *task);

/* Tasks that are shown as one line: the same name, places and state. */
struct fold {
    uint32_t task; /* the oldest */
    uint32_t count;
    uint32_t growth; /* top: in how many looks running it grew */
    int32_t change;  /* top: since the last look */
    bool warns;      /* top */
};

/*
 * Folds the tasks of a picture: gives the lines, oldest task first, and in `ret_fold_of` for each
 * task its line, if not NULL. Without `across`, only children of one task that have none
 * themselves are folded. `all`: a line for each.
 */
struct fold *fold_tasks(const struct bide__look *look, bool across, bool all, size_t *ret_count,
                        uint32_t **ret_fold_of);

/* Whether two tasks belong into one line. */
int compare_lines(const struct bide__look *a_look, const struct bide__look_task *a,
                  const struct bide__look *b_look, const struct bide__look_task *b);

/* A table: columns as wide as they must be, the last as wide as it is. Cells are owned by it. */
struct table {
    char **cells;
    size_t columns, count;
};
void add_cell(struct table *table, char *cell);
void print_table(FILE *out, struct table *table, size_t width); /* width 0: unlimited */

void print_head(FILE *out, const struct target *target, const struct bide__look *look);
void print_ps(FILE *out, const struct bide__look *look, bool all, size_t width);
void print_tree(FILE *out, const struct bide__look *look, bool all, size_t width);
void print_json(FILE *out, const struct target *target, const struct bide__look *look);
void json_text(FILE *out, const char *text);

int run_top(struct target *target, double interval_s, bool once);

/* Into the file with this name; "-": stdout. It is opened when there is something to write. */
int write_trace(struct target *target, double seconds, const char *name);

/* The width of the terminal that stdout is; 0: it is none. */
size_t terminal_width(size_t *ret_height);

/* `bide ps | tree | top | trace PID ...`, `bide gdb`: an exit status. */
bool is_see_command(const char *command);
int see(int argc, char **argv);

#endif
