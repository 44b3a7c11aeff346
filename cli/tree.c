/*
 * `bide ps` and `bide tree`: a picture as a table and as a tree. Called by see.c.
 *
 *     loop 0  3412 tasks  2 ready  waits for events
 *     #1 main  waits for the end of a group           app.c:30
 *     └─ #2 serve                                     server.c:120
 *        ├─ 3391 x feed  waits for a stream           feed.c:88    deadline in 4.8 s
 *        └─ #901 transfer  wants mutex 'B'            bank.c:41    held by #902  <- a circle
 */
#include "look.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

static char *age_of(const struct bide__look *look, const struct bide__look_task *task)
{
    return duration_of(look->now_ns - task->spawned_ns);
}

static char *deadline_of(const struct bide__look *look, const struct bide__look_task *task)
{
    if (lacks_deadline(look, task))
        return text_of("none!");
    if (task->deadline_ns == INT64_MAX)
        return text_of("%s", "");
    int64_t left_ns = task->deadline_ns - look->now_ns;
    return left_ns < 0 ? text_of("passed") : duration_of(left_ns);
}

static char *stack_of(const struct bide__look_task *task)
{
    if (!task->stack_used)
        return text_of("%s", "");
    return text_of("%.1f KiB", (double)task->stack_used / 1024);
}

static char *holder_of(const struct bide__look *look, uint32_t i)
{
    const struct bide__look_task *task = &look->tasks[i];
    if (task->holder == BIDE__LOOK_NOBODY || task->state != BIDE__LOOK_WAITING)
        return text_of("%s", "");
    return text_of("#%llu%s", (unsigned long long)look->tasks[task->holder].id,
                   in_wait_cycle(look, i) ? " <- a circle" : "");
}

static char *awaited(const struct bide__look *look, const struct bide__look_task *task)
{
    if (task->state == BIDE__LOOK_QUEUED || !has_site(look, task->at))
        return text_of("%s", "");
    return place_of(look, task->at);
}

static char *since(const struct bide__look *look, const struct bide__look_task *task)
{
    if (task->state != BIDE__LOOK_WAITING)
        return text_of("%s", "");
    return duration_of(look->now_ns - task->since_ns);
}

static const char *cancel_of(const struct bide__look_task *task)
{
    return task->flags & BIDE__LOOK_CANCELLED ? "cancelled" : "";
}

void print_head(FILE *out, const struct target *target, const struct bide__look *look)
{
    fprintf(out, "pid %d  %s", target->pid, target->program);
    if (target->began_ns) {
        struct timespec time;
        clock_gettime(CLOCK_BOOTTIME, &time);
        char *up = duration_of(time.tv_sec * INT64_C(1000000000) + time.tv_nsec - target->began_ns);
        fprintf(out, "  up %s", up);
        free(up);
    }
    fprintf(out, "  %u task%s", look->task_count, look->task_count == 1 ? "" : "s");
    if (look->unread)
        fprintf(out, "  (%u parts could not be read)", look->unread);
    fprintf(out, "\n");
    for (uint32_t i = 0; i < look->loop_count; i++) {
        const struct bide__look_loop *loop = &look->loops[i];
        uint32_t ready = 0;
        for (uint32_t k = loop->first_task; k < loop->first_task + loop->task_count; k++)
            ready += look->tasks[k].state == BIDE__LOOK_READY;
        fprintf(out, "loop %d  tid %d  %u task%s  %u ready  %llu timers  %llu slices  %s\n",
                loop->index, loop->tid, loop->task_count, loop->task_count == 1 ? "" : "s", ready,
                (unsigned long long)loop->timers, (unsigned long long)loop->slices,
                loop->polling ? "waits for events" : "runs");
    }
}

/* The columns that both have behind the first. */
static void add_rest(struct table *table, const struct bide__look *look, uint32_t i)
{
    const struct bide__look_task *task = &look->tasks[i];
    add_cell(table, text_of("%s", state_name(task)));
    add_cell(table, text_of("%s", cancel_of(task)));
    add_cell(table, waits_for(look, task));
    add_cell(table, awaited(look, task));
    add_cell(table, since(look, task));
    add_cell(table, holder_of(look, i));
    add_cell(table, deadline_of(look, task));
    add_cell(table, age_of(look, task));
    add_cell(table, place_of(look, task->made));
    add_cell(table, stack_of(task));
}

static void add_headings(struct table *table, const char *first, const char *second)
{
    const char *const rest[] = {"STATE",   "CANCEL",   "WAITS FOR", "AT",      "SINCE",
                                "HELD BY", "DEADLINE", "AGE",       "SPAWNED", "STACK"};
    add_cell(table, text_of("%s", first));
    add_cell(table, text_of("%s", second));
    for (size_t i = 0; i < sizeof rest / sizeof *rest; i++)
        add_cell(table, text_of("%s", rest[i]));
    table->columns = table->count;
}

static char *count_or_id(const struct bide__look *look, const struct fold *fold)
{
    if (fold->count > 1)
        return text_of("%u x", fold->count);
    return text_of("#%llu", (unsigned long long)look->tasks[fold->task].id);
}

void print_ps(FILE *out, const struct bide__look *look, bool all, size_t width)
{
    struct table table = {0};
    size_t count;
    struct fold *folds = fold_tasks(look, true, all, &count, NULL);
    add_headings(&table, "TASK", "NAME");
    for (size_t i = 0; i < count; i++) {
        const struct bide__look_task *task = &look->tasks[folds[i].task];
        add_cell(&table, count_or_id(look, &folds[i]));
        add_cell(&table, look->loop_count > 1 ? text_of("%s (loop %d)", look_text(look, task->name),
                                                        look->loops[task->loop].index)
                                              : text_of("%s", look_text(look, task->name)));
        add_rest(&table, look, folds[i].task);
    }
    print_table(out, &table, width);
    free(folds);
}

/* ---- the tree ---- */

struct branches {
    const struct bide__look *look;
    struct fold *folds;
    size_t count;
    uint32_t *first, *next; /* lines: the first child, the next sibling; NONE */
    uint32_t *line_of;      /* of a task that stands for a line */
    bool *seen;
    struct table table;
    char *indent;
};

#define NONE UINT32_MAX
enum { ROOT_DEPTH_MAX = 60 };

static void *zeroed(size_t count, size_t size)
{
    void *memory = calloc(count + 1, size);
    if (!memory)
        die(EXIT_BUILD, "out of memory");
    return memory;
}

static void add_line(struct branches *tree, uint32_t line, size_t depth, bool again)
{
    const struct fold *fold = &tree->folds[line];
    const struct bide__look *look = tree->look;
    const struct bide__look_task *task = &look->tasks[fold->task];
    char *label = count_or_id(look, fold);
    size_t deep = depth < ROOT_DEPTH_MAX ? depth : ROOT_DEPTH_MAX;
    const char *branch = depth == 0 ? "" : tree->next[line] == NONE || again ? "└─ " : "├─ ";
    add_cell(&tree->table, text_of("%.*s%s%s %s%s%s", (int)(deep ? 3 * (deep - 1) : 0),
                                   tree->indent, branch, label, look_text(look, task->name),
                                   task->flags & BIDE__LOOK_BACKGROUND ? " (background)" : "",
                                   again ? "  <- a circle: not followed" : ""));
    free(label);
    add_cell(&tree->table, look->loop_count > 1 && depth == 0
                               ? text_of("loop %d", look->loops[task->loop].index)
                               : text_of("%s", ""));
    add_rest(&tree->table, look, fold->task);
}

/* A line and all below it, without recursion: pictures of damaged memory may be very deep. */
static void add_branch(struct branches *tree, uint32_t root)
{
    uint32_t *path = zeroed(tree->count, sizeof *path);
    size_t depth = 0;
    path[0] = root;
    tree->seen[root] = true;
    add_line(tree, root, 0, false);
    for (uint32_t line = tree->first[root];;) {
        while (line == NONE && depth > 0)
            line = tree->next[path[depth--]];
        if (line == NONE)
            break;
        if (tree->seen[line]) {
            add_line(tree, line, depth + 1, true);
            line = tree->next[line];
            continue;
        }
        tree->seen[line] = true;
        add_line(tree, line, depth + 1, false);
        path[++depth] = line;
        line = tree->first[line];
    }
    free(path);
}

/* Links lines below the line of the task above them. */
static void link_lines(struct branches *tree)
{
    const struct bide__look *look = tree->look;
    for (size_t i = 0; i < tree->count; i++) {
        tree->line_of[tree->folds[i].task] = (uint32_t)i;
        tree->first[i] = tree->next[i] = NONE;
    }
    for (size_t i = tree->count; i-- > 0;) { /* backwards: the oldest child comes first */
        uint32_t parent = look->tasks[tree->folds[i].task].parent;
        if (parent == BIDE__LOOK_NOBODY)
            continue;
        tree->next[i] = tree->first[tree->line_of[parent]];
        tree->first[tree->line_of[parent]] = (uint32_t)i;
    }
}

void print_tree(FILE *out, const struct bide__look *look, bool all, size_t width)
{
    struct branches tree = {.look = look};
    tree.folds = fold_tasks(look, false, all, &tree.count, NULL);
    tree.first = zeroed(tree.count, sizeof *tree.first);
    tree.next = zeroed(tree.count, sizeof *tree.next);
    tree.seen = zeroed(tree.count, sizeof *tree.seen);
    tree.line_of = zeroed(look->task_count, sizeof *tree.line_of);
    tree.indent = text_of("%*s", 3 * ROOT_DEPTH_MAX, "");
    link_lines(&tree);
    add_headings(&tree.table, "TASK", "LOOP");
    for (int pass = 0; pass < 2; pass++) /* those left over lie in a circle of parents */
        for (size_t i = 0; i < tree.count; i++)
            if (!tree.seen[i] &&
                (pass == 1 || look->tasks[tree.folds[i].task].parent == BIDE__LOOK_NOBODY))
                add_branch(&tree, (uint32_t)i);
    print_table(out, &tree.table, width);
    free(tree.folds);
    free(tree.first);
    free(tree.next);
    free(tree.seen);
    free(tree.line_of);
    free(tree.indent);
}
