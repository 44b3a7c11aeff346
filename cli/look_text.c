/*
 * What is known of a task, as short texts; tables. Called by tree.c, top.c, look_json.c, trace.c.
 */
#include "look.h"

#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum { S = 1000000000, CHAIN = 64, GAP = 2 };

const char *state_name(const struct bide__look_task *task)
{
    static const char *const names[] = {"queued", "ready", "running", "waiting", "ended", "moving"};
    return names[task->state <= BIDE__LOOK_MOVING ? task->state : BIDE__LOOK_MOVING];
}

bool has_site(const struct bide__look *look, uint32_t site)
{
    return site > 0 && look->sites[site].file > 0;
}

char *place_of(const struct bide__look *look, uint32_t site)
{
    if (!has_site(look, site))
        return text_of("%s", "");
    const char *file = look_text(look, look->sites[site].file), *slash = strrchr(file, '/');
    return text_of("%s:%d", slash ? slash + 1 : file, look->sites[site].line);
}

char *waits_for(const struct bide__look *look, const struct bide__look_task *task)
{
    if (task->state != BIDE__LOOK_WAITING || !task->kind)
        return text_of("%s", "");
    const char *noun = look_text(look, look->kinds[task->kind].noun);
    const char *verb = look_text(look, look->kinds[task->kind].verb);
    const char *name = look_text(look, task->object);
    if (!*noun)
        return text_of("%s", verb);
    if (*name)
        return text_of("%s %s '%s'", verb, noun, name);
    if (has_site(look, task->object_made))
        return text_of("%s the %s of %s", verb, noun, place_of(look, task->object_made));
    return text_of("%s %s %s", verb, strchr("aei", *noun) ? "an" : "a", noun);
}

char *duration_of(int64_t ns)
{
    double s = ns < 0 ? 0 : (double)ns / S;
    if (s < 10)
        return text_of("%.1f s", s);
    if (s < 120)
        return text_of("%.0f s", s);
    if (s < 7200)
        return text_of("%.0f min", s / 60);
    if (s < 48 * 3600)
        return text_of("%.0f h", s / 3600);
    return text_of("%.0f d", s / 86400);
}

bool in_wait_cycle(const struct bide__look *look, uint32_t task)
{
    uint32_t at = task;
    for (int i = 0; i < CHAIN; i++) {
        if (look->tasks[at].state != BIDE__LOOK_WAITING)
            return false;
        at = look->tasks[at].holder;
        if (at == BIDE__LOOK_NOBODY)
            return false;
        if (at == task)
            return true;
    }
    return false;
}

static bool is_unbounded(const struct bide__look_task *task)
{
    return task->deadline_ns == INT64_MAX && !(task->flags & BIDE__LOOK_MEANT);
}

bool lacks_deadline(const struct bide__look *look, const struct bide__look_task *task)
{
    static const char *const network[] = {
        "stream", "connection", "connection to", "addresses of", "postgresql",
        "redis",  "transfer",   "HTTP client",   "mail server",
    };
    if (task->state != BIDE__LOOK_WAITING || !is_unbounded(task) || !task->kind)
        return false;
    const char *noun = look_text(look, look->kinds[task->kind].noun);
    for (size_t i = 0; i < sizeof network / sizeof *network; i++)
        if (strcmp(noun, network[i]) == 0)
            return true;
    return false;
}

/* ---- folding ---- */

static int compare_numbers(uint64_t a, uint64_t b)
{
    return a < b ? -1 : a > b;
}

static int compare_sites(const struct bide__look *a_look, uint32_t a,
                         const struct bide__look *b_look, uint32_t b)
{
    const struct bide__look_site *site_a = &a_look->sites[a], *site_b = &b_look->sites[b];
    if (a_look == b_look && a == b)
        return 0;
    int order = compare_numbers((uint64_t)site_a->line, (uint64_t)site_b->line);
    return order ? order : strcmp(look_text(a_look, site_a->file), look_text(b_look, site_b->file));
}

/* All that a line shows but times and numbers, and whether it is worth a warning; not who holds
   what it waits for. */
int compare_lines(const struct bide__look *a_look, const struct bide__look_task *a,
                  const struct bide__look *b_look, const struct bide__look_task *b)
{
    int order = compare_numbers(a->loop, b->loop);
    if (!order)
        order = compare_numbers(a->state, b->state);
    if (!order)
        order = compare_numbers(a->flags & ~BIDE__LOOK_MEANT, b->flags & ~BIDE__LOOK_MEANT);
    if (!order)
        order = compare_sites(a_look, a->at, b_look, b->at);
    if (!order)
        order = compare_sites(a_look, a->made, b_look, b->made);
    if (!order)
        order = strcmp(look_text(a_look, a->name), look_text(b_look, b->name));
    if (!order)
        order = strcmp(look_text(a_look, a_look->kinds[a->kind].verb),
                       look_text(b_look, b_look->kinds[b->kind].verb));
    if (!order)
        order = strcmp(look_text(a_look, a_look->kinds[a->kind].noun),
                       look_text(b_look, b_look->kinds[b->kind].noun));
    if (!order)
        order = strcmp(look_text(a_look, a->object), look_text(b_look, b->object));
    if (!order && !*look_text(a_look, a->object)) /* it is shown by where it was made */
        order = compare_sites(a_look, a->object_made, b_look, b->object_made);
    if (!order && is_unbounded(a) != is_unbounded(b))
        order = compare_numbers(lacks_deadline(a_look, a), lacks_deadline(b_look, b));
    return order;
}

/* What qsort(3) has no argument for. */
static const struct bide__look *sorted;
static bool sorted_across;
static const bool *sorted_alone;

static int compare_tasks(const void *first, const void *second)
{
    uint32_t i = *(const uint32_t *)first, k = *(const uint32_t *)second;
    const struct bide__look_task *a = &sorted->tasks[i], *b = &sorted->tasks[k];
    int order = sorted_across ? 0 : compare_numbers(a->parent, b->parent);
    if (!order)
        order = compare_numbers(sorted_alone[i], sorted_alone[k]);
    if (!order)
        order = compare_lines(sorted, a, sorted, b);
    if (!order)
        order = compare_numbers(a->id, b->id);
    return order;
}

/* Those that stand alone: in a tree with children of their own, and in a circle of waits. */
static bool *find_alone(const struct bide__look *look, bool across, bool all)
{
    bool *alone = calloc(look->task_count + 1, sizeof *alone);
    if (!alone)
        die(EXIT_BUILD, "out of memory");
    for (uint32_t i = 0; i < look->task_count; i++) {
        alone[i] |= all || in_wait_cycle(look, i);
        if (!across && look->tasks[i].parent != BIDE__LOOK_NOBODY)
            alone[look->tasks[i].parent] = true;
    }
    return alone;
}

static int compare_folds(const void *a, const void *b)
{
    return compare_numbers(((const struct fold *)a)->task, ((const struct fold *)b)->task);
}

struct fold *fold_tasks(const struct bide__look *look, bool across, bool all, size_t *ret_count,
                        uint32_t **ret_fold_of)
{
    uint32_t *order = calloc(look->task_count + 1, sizeof *order);
    uint32_t *fold_of = calloc(look->task_count + 1, sizeof *fold_of);
    struct fold *folds = calloc(look->task_count + 1, sizeof *folds);
    size_t count = 0;
    if (!order || !fold_of || !folds)
        die(EXIT_BUILD, "out of memory");
    for (uint32_t i = 0; i < look->task_count; i++)
        order[i] = i;
    bool *alone = find_alone(look, across, all);
    sorted = look;
    sorted_across = across;
    sorted_alone = alone;
    qsort(order, look->task_count, sizeof *order, compare_tasks);
    for (uint32_t i = 0; i < look->task_count; i++) {
        const struct bide__look_task *task = &look->tasks[order[i]];
        const struct bide__look_task *before = i > 0 ? &look->tasks[order[i - 1]] : NULL;
        bool same = before && !alone[order[i]] && !alone[order[i - 1]] &&
                    (across || task->parent == before->parent) &&
                    compare_lines(look, task, look, before) == 0;
        if (!same)
            folds[count++] = (struct fold){.task = order[i]};
        folds[count - 1].count++;
        if (task->id < look->tasks[folds[count - 1].task].id)
            folds[count - 1].task = order[i];
        fold_of[order[i]] = folds[count - 1].task;
    }
    qsort(folds, count, sizeof *folds, compare_folds);
    free(order);
    free(alone);
    *ret_count = count;
    if (ret_fold_of)
        *ret_fold_of = fold_of;
    else
        free(fold_of);
    return folds;
}

/* ---- tables ---- */

void add_cell(struct table *table, char *cell)
{
    if (table->count % 256 == 0) {
        table->cells = reallocarray(table->cells, table->count + 256, sizeof *table->cells);
        if (!table->cells)
            die(EXIT_BUILD, "out of memory");
    }
    table->cells[table->count++] = cell;
}

/* Columns that a terminal shows for a text: its characters. */
static size_t width_of(const char *text)
{
    size_t width = 0;
    for (; *text; text++)
        width += ((unsigned char)*text & 0xc0) != 0x80;
    return width;
}

static void print_row(FILE *out, char *const *cells, const size_t *widths, size_t columns,
                      size_t width)
{
    char *row = text_of("%s", "");
    for (size_t c = 0; c < columns; c++) {
        size_t pad = c + 1 < columns && widths[c] ? widths[c] - width_of(cells[c]) + GAP : 0;
        char *longer = text_of("%s%s%*s", row, widths[c] ? cells[c] : "", (int)pad, "");
        free(row);
        row = longer;
    }
    size_t length = strlen(row);
    while (length > 0 && row[length - 1] == ' ')
        row[--length] = '\0';
    if (width && width_of(row) > width) {
        size_t shown = 0, at = 0;
        for (; row[at]; at++) {
            shown += ((unsigned char)row[at] & 0xc0) != 0x80;
            if (shown > width)
                break;
        }
        row[at] = '\0';
    }
    fprintf(out, "%s\n", row);
    free(row);
}

/* A column of which only the heading is there is left out. */
void print_table(FILE *out, struct table *table, size_t width)
{
    size_t *widths = calloc(table->columns, sizeof *widths);
    if (!widths)
        die(EXIT_BUILD, "out of memory");
    for (size_t i = table->columns; i < table->count; i++) {
        size_t wide = width_of(table->cells[i]),
               heading = width_of(table->cells[i % table->columns]);
        if (wide > 0 && wide < heading)
            wide = heading;
        if (wide > widths[i % table->columns])
            widths[i % table->columns] = wide;
    }
    for (size_t i = 0; i + table->columns <= table->count; i += table->columns)
        print_row(out, &table->cells[i], widths, table->columns, width);
    for (size_t i = 0; i < table->count; i++)
        free(table->cells[i]);
    free(table->cells);
    free(widths);
    *table = (struct table){.columns = table->columns};
}

size_t terminal_width(size_t *ret_height)
{
    struct winsize size;
    if (ret_height)
        *ret_height = 0;
    if (!isatty(STDOUT_FILENO) || ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) < 0 || !size.ws_col)
        return 0;
    if (ret_height)
        *ret_height = size.ws_row;
    return size.ws_col;
}
