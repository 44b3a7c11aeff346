/*
 * `bide top`: a picture every few seconds, with what has changed and what is worth a warning.
 * Called by see.c.
 *
 * Lines of two pictures are the same one by what they show (compare_lines), not by task: it is the
 * place where tasks pile up that matters.
 */
#include "look.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

enum {
    GROWS = 3,      /* looks running in which a line grew, until it is said */
    HEAD_LINES = 3, /* above and below the table, besides one per loop */
    LATE_CANCEL_S = 5,
};

/* One look, kept for the next one. */
struct moment {
    struct bide__look look;
    struct fold *folds;
    size_t count;
    int64_t taken_ns;
};

static struct termios before;
static volatile sig_atomic_t ended;

static void put_back(void)
{
    tcsetattr(STDIN_FILENO, TCSANOW, &before);
}

static void on_end(int number)
{
    (void)number;
    ended = 1;
}

static void handle_ends(void)
{
    struct sigaction action = {.sa_handler = on_end};
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGHUP, &action, NULL);
}

/* Keys come at once and are not shown, as long as this runs: on a terminal, where nothing kills it
   but what handle_ends is for. */
static bool read_keys(void)
{
    if (!isatty(STDIN_FILENO) || tcgetattr(STDIN_FILENO, &before) < 0)
        return false;
    struct termios keys = before;
    keys.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
    atexit(put_back);
    tcsetattr(STDIN_FILENO, TCSANOW, &keys);
    return true;
}

/* Waits for so long; whether to go on. */
static bool pause_for(double seconds, bool keys)
{
    struct pollfd input = {.fd = STDIN_FILENO, .events = POLLIN};
    int64_t end_ns = clock_ns() + (int64_t)(seconds * 1e9);
    while (!ended) {
        int64_t left_ns = end_ns - clock_ns();
        char key;
        if (left_ns <= 0)
            return true;
        int came = poll(&input, keys ? 1 : 0, (int)(left_ns / 1000000) + 1);
        if (came <= 0) {
            if (came < 0 && errno == EINTR && !ended)
                return true; /* the window has another size */
            continue;
        }
        ssize_t n = read(STDIN_FILENO, &key, 1);
        if (n == 1 && (key == 'q' || key == 'Q'))
            return false;
        if (n == 1 && key == ' ')
            return true;
        if (n <= 0)
            keys = false;
    }
    return false;
}

static const struct bide__look *sorted; /* for qsort(3), which has no argument */
static int compare_folds(const void *a, const void *b)
{
    return compare_lines(sorted, &sorted->tasks[((const struct fold *)a)->task], sorted,
                         &sorted->tasks[((const struct fold *)b)->task]);
}

/* The line of that kind in an older picture, whose lines are sorted. */
static const struct fold *line_before(const struct moment *old, const struct moment *now,
                                      const struct fold *fold)
{
    size_t low = 0, high = old->count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        int order = compare_lines(&now->look, &now->look.tasks[fold->task], &old->look,
                                  &old->look.tasks[old->folds[middle].task]);
        if (order == 0)
            return &old->folds[middle];
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return NULL;
}

static void note(char *text, size_t size, const char *word)
{
    size_t length = strlen(text);
    snprintf(text + length, size - length, "%s%s", length ? ", " : "", word);
}

/* What is worth a look, in `text`. */
static void warn(const struct moment *now, const struct fold *fold, char *text, size_t size)
{
    const struct bide__look *look = &now->look;
    const struct bide__look_task *task = &look->tasks[fold->task];
    bool waits = task->state == BIDE__LOOK_WAITING;
    *text = '\0';
    if (in_wait_cycle(look, fold->task))
        note(text, size, "circle of waits");
    if (waits && task->flags & BIDE__LOOK_CANCELLED &&
        look->now_ns - task->since_ns > LATE_CANCEL_S * INT64_C(1000000000))
        note(text, size, "cancelled, and waits");
    if (waits && strcmp(look_text(look, look->kinds[task->kind].noun), "pool") == 0 &&
        strcmp(look_text(look, look->kinds[task->kind].verb), "closes") != 0)
        note(text, size, "pool empty");
    if (lacks_deadline(look, task))
        note(text, size, "no deadline");
    if (fold->growth >= GROWS)
        note(text, size, "grows");
}

static void compare_moments(const struct moment *old, struct moment *now)
{
    char text[128];
    for (size_t i = 0; i < now->count; i++) {
        struct fold *fold = &now->folds[i];
        const struct fold *was = old ? line_before(old, now, fold) : NULL;
        fold->change = old ? (int32_t)fold->count - (int32_t)(was ? was->count : 0) : 0;
        fold->growth = fold->change > 0 ? (was ? was->growth : 0) + 1 : 0;
        warn(now, fold, text, sizeof text);
        fold->warns = *text;
    }
}

/* Warnings first, then what has most tasks. */
static int compare_weight(const void *first, const void *second)
{
    const struct fold *a = first, *b = second;
    if (a->warns != b->warns)
        return a->warns ? -1 : 1;
    if (a->count != b->count)
        return a->count > b->count ? -1 : 1;
    return a->task < b->task ? -1 : a->task > b->task;
}

static void print_loops(const struct moment *old, const struct moment *now, size_t width)
{
    double seconds = old ? (double)(now->taken_ns - old->taken_ns) / 1e9 : 0;
    for (uint32_t i = 0; i < now->look.loop_count; i++) {
        const struct bide__look_loop *loop = &now->look.loops[i], *was = NULL;
        for (uint32_t k = 0; old && k < old->look.loop_count; k++)
            if (old->look.loops[k].index == loop->index)
                was = &old->look.loops[k];
        uint32_t ready = 0;
        for (uint32_t k = loop->first_task; k < loop->first_task + loop->task_count; k++)
            ready += now->look.tasks[k].state == BIDE__LOOK_READY;
        char line[256];
        size_t at =
            (size_t)snprintf(line, sizeof line, "loop %d  %u tasks", loop->index, loop->task_count);
        if (was)
            at += (size_t)snprintf(line + at, sizeof line - at, " (%+d)",
                                   (int)loop->task_count - (int)was->task_count);
        at += (size_t)snprintf(line + at, sizeof line - at, "  %u ready  %llu timers", ready,
                               (unsigned long long)loop->timers);
        if (was && seconds > 0)
            at += (size_t)snprintf(line + at, sizeof line - at, "  %.0f slices/s",
                                   (double)(loop->slices - was->slices) / seconds);
        if (was && !loop->polling && !was->polling && loop->slices == was->slices)
            snprintf(line + at, sizeof line - at, "  BLOCKED");
        printf("%.*s\n", width ? (int)width : (int)sizeof line, line);
    }
}

static void print_lines(const struct moment *old, const struct moment *now, size_t width,
                        size_t most)
{
    static const char *const headings[] = {"TASKS", "CHANGE", "NAME", "STATE", "WAITS FOR",
                                           "AT",    "SINCE",  "AGE",  "WARN"};
    struct table table = {0};
    const struct bide__look *look = &now->look;
    for (size_t i = 0; i < sizeof headings / sizeof *headings; i++)
        add_cell(&table, text_of("%s", headings[i]));
    table.columns = table.count;
    struct fold *folds = malloc((now->count + 1) * sizeof *folds);
    if (!folds)
        die(EXIT_BUILD, "out of memory");
    memcpy(folds, now->folds, now->count * sizeof *folds);
    qsort(folds, now->count, sizeof *folds, compare_weight);
    for (size_t i = 0; i < now->count && i < most; i++) {
        const struct bide__look_task *task = &look->tasks[folds[i].task];
        bool waits = task->state == BIDE__LOOK_WAITING;
        add_cell(&table, text_of("%u", folds[i].count));
        add_cell(&table,
                 old && folds[i].change ? text_of("%+d", folds[i].change) : text_of("%s", ""));
        add_cell(&table, text_of("%s", look_text(look, task->name)));
        add_cell(&table, text_of("%s", state_name(task)));
        add_cell(&table, waits_for(look, task));
        add_cell(&table, place_of(look, task->at));
        add_cell(&table, waits ? duration_of(look->now_ns - task->since_ns) : text_of("%s", ""));
        add_cell(&table, duration_of(look->now_ns - task->spawned_ns));
        char warning[128];
        warn(now, &folds[i], warning, sizeof warning);
        add_cell(&table, text_of("%s", warning));
    }
    print_table(stdout, &table, width);
    if (now->count > most)
        printf("... %zu more\n", now->count - most);
    free(folds);
}

/* Whether it was written. */
static bool draw(const struct target *target, const struct moment *old, const struct moment *now,
                 bool clears)
{
    size_t height, width = terminal_width(&height);
    size_t used = HEAD_LINES + now->look.loop_count;
    size_t most = clears && height ? (height > used + 2 ? height - used : 2) : SIZE_MAX;
    if (clears)
        fputs("\033[H\033[2J", stdout);
    printf("bide top  pid %d  %s  %u tasks\n", target->pid, target->program, now->look.task_count);
    print_loops(old, now, width);
    print_lines(old, now, width, most);
    return fflush(stdout) == 0 && !ferror(stdout);
}

static void end_moment(struct moment *moment)
{
    look_end(&moment->look);
    free(moment->folds);
}

int run_top(struct target *target, double interval_s, bool once)
{
    struct moment moments[2];
    if (!once)
        handle_ends();
    bool clears = !once && isatty(STDOUT_FILENO), keys = clears && read_keys();
    for (int i = 0;; i++) {
        struct moment *now = &moments[i & 1], *old = i > 0 ? &moments[(i - 1) & 1] : NULL;
        if (i > 1)
            end_moment(now);
        now->taken_ns = clock_ns();
        char *problem = target_look(target, BIDE__LOOK_TASKS, &now->look);
        if (problem)
            die(EXIT_BUILD, "%s", problem);
        now->folds = fold_tasks(&now->look, true, false, &now->count, NULL);
        sorted = &now->look;
        qsort(now->folds, now->count, sizeof *now->folds, compare_folds);
        compare_moments(old, now);
        if ((!once || old) && !draw(target, old, now, clears))
            return EXIT_BUILD; /* nobody reads it any more */
        if ((once && old) || !pause_for(interval_s, keys))
            return 0;
    }
}
