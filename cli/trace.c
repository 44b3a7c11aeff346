/*
 * `bide trace`: what a program's loops ran, as the JSON of the Trace Event Format, which
 * ui.perfetto.dev and chrome://tracing open. Called by see.c.
 *
 *     X     a slice: a task ran on a loop, from a resume to the next one
 *     b, e  a task, from its first slice to its last, and in it each of its waits
 *     s, f  who made a task ready
 *
 * The program always notes its resumes in rings (src/core/ring.h); this reads them again and again
 * for a while. Turns have times, resumes have not: those of a turn share its time evenly.
 *
 * Source: "Trace Event Format" (Google, 2016).
 */
#include "look.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

enum { PAUSE_MS = 2, CALIBRATE_MS = 20, MAX_LOOPS = 256 };

/* One resume, with its place in this file's table of sites. */
struct resume {
    uint64_t number; /* of all of its loop */
    uint32_t site, task, woken_by;
};

struct seen_loop {
    int index, tid;
    struct resume *resumes;
    size_t resume_count, resume_room;
    struct bide__ring_turn *turns;
    size_t turn_count, turn_room;
    uint64_t lost; /* overwritten before they were read */
};

/* A place in the sources, once for all pictures. */
struct place {
    char *place, *what;
};

struct name {
    int loop;
    uint32_t task;
    char *name;
};

struct recording {
    struct seen_loop loops[MAX_LOOPS];
    size_t loop_count;
    struct place *places;
    size_t place_count;
    struct name *names; /* sorted */
    size_t name_count;
    uint64_t first_ticks, last_ticks;
    int64_t first_ns, last_ns;
    FILE *out;
    bool comma;
    uint64_t flows;
};

static void *grown(void *memory, size_t count, size_t *room, size_t size)
{
    if (count < *room)
        return memory;
    *room = *room ? 2 * *room : 1024;
    memory = reallocarray(memory, *room, size);
    if (!memory)
        die(EXIT_BUILD, "out of memory");
    return memory;
}

/* ---- reading ---- */

static uint32_t number_of_site(struct recording *recording, const struct bide__look *look,
                               uint32_t site)
{
    char *place = place_of(look, site);
    const char *what = look_text(look, look->sites[site].what);
    for (size_t i = 0; i < recording->place_count; i++) {
        if (strcmp(recording->places[i].place, place) == 0 &&
            strcmp(recording->places[i].what, what) == 0) {
            free(place);
            return (uint32_t)i;
        }
    }
    recording->places =
        reallocarray(recording->places, recording->place_count + 1, sizeof *recording->places);
    if (!recording->places)
        die(EXIT_BUILD, "out of memory");
    recording->places[recording->place_count] = (struct place){place, text_of("%s", what)};
    return (uint32_t)recording->place_count++;
}

static struct seen_loop *loop_of(struct recording *recording, const struct bide__look_loop *loop)
{
    for (size_t i = 0; i < recording->loop_count; i++)
        if (recording->loops[i].index == loop->index)
            return &recording->loops[i];
    if (recording->loop_count == MAX_LOOPS)
        return NULL;
    recording->loops[recording->loop_count] =
        (struct seen_loop){.index = loop->index, .tid = loop->tid};
    return &recording->loops[recording->loop_count++];
}

static void keep_resumes(struct seen_loop *seen, const struct bide__look *look,
                         const struct bide__look_loop *loop, const uint32_t *sites)
{
    for (uint32_t i = 0; i < loop->resume_count; i++) {
        uint64_t number = loop->resumes_from + i;
        const struct bide__ring_resume *resume = &look->resumes[loop->first_resume + i];
        if (seen->resume_count) {
            uint64_t last = seen->resumes[seen->resume_count - 1].number;
            if (number <= last)
                continue;
            seen->lost += number - last - 1;
        }
        seen->resumes =
            grown(seen->resumes, seen->resume_count, &seen->resume_room, sizeof *seen->resumes);
        seen->resumes[seen->resume_count++] =
            (struct resume){number, sites[(uintptr_t)resume->at], resume->task, resume->woken_by};
    }
}

static void keep_turns(struct seen_loop *seen, const struct bide__look *look,
                       const struct bide__look_loop *loop)
{
    uint64_t now = bide__ticks();
    for (uint32_t i = 0; i < loop->turn_count; i++) {
        const struct bide__ring_turn *turn = &look->turns[loop->first_turn + i];
        if (seen->turn_count && turn->ticks <= seen->turns[seen->turn_count - 1].ticks)
            continue;
        /* The end of a turn that goes on was never written: anything may stand there. */
        if (turn->ticks > now)
            continue;
        seen->turns = grown(seen->turns, seen->turn_count, &seen->turn_room, sizeof *seen->turns);
        seen->turns[seen->turn_count++] = *turn;
    }
}

static void keep(struct recording *recording, const struct bide__look *look)
{
    uint32_t *sites = calloc(look->site_count, sizeof *sites);
    if (!sites)
        die(EXIT_BUILD, "out of memory");
    for (uint32_t i = 0; i < look->site_count; i++)
        sites[i] = number_of_site(recording, look, i);
    for (uint32_t i = 0; i < look->loop_count; i++) {
        struct seen_loop *seen = loop_of(recording, &look->loops[i]);
        if (!seen)
            continue;
        keep_resumes(seen, look, &look->loops[i], sites);
        keep_turns(seen, look, &look->loops[i]);
    }
    free(sites);
}

static int compare_names(const void *first, const void *second)
{
    const struct name *a = first, *b = second;
    if (a->loop != b->loop)
        return a->loop < b->loop ? -1 : 1;
    return a->task < b->task ? -1 : a->task > b->task;
}

/* Tasks that live now are known by name. */
static void keep_names(struct recording *recording, const struct bide__look *look)
{
    recording->names = calloc(look->task_count + 1, sizeof *recording->names);
    if (!recording->names)
        die(EXIT_BUILD, "out of memory");
    for (uint32_t i = 0; i < look->task_count; i++)
        recording->names[recording->name_count++] =
            (struct name){look->loops[look->tasks[i].loop].index, (uint32_t)look->tasks[i].id,
                          text_of("%s", look_text(look, look->tasks[i].name))};
    qsort(recording->names, recording->name_count, sizeof *recording->names, compare_names);
}

/* NULL, or why it cannot go on. */
static char *record(struct recording *recording, struct target *target, double seconds)
{
    struct bide__look look;
    recording->first_ticks = bide__ticks();
    recording->first_ns = clock_ns();
    int64_t end_ns = recording->first_ns + (int64_t)(seconds * 1e9);
    char *problem = target_look(target, BIDE__LOOK_ALL, &look);
    if (problem)
        return problem;
    keep(recording, &look);
    keep_names(recording, &look);
    look_end(&look);
    if (end_ns < recording->first_ns + CALIBRATE_MS * 1000000)
        poll(NULL, 0, CALIBRATE_MS);
    while (clock_ns() < end_ns) {
        poll(NULL, 0, PAUSE_MS);
        problem = target_look(target, BIDE__LOOK_RINGS, &look);
        if (problem) { /* what was read stays true */
            free(problem);
            break;
        }
        keep(recording, &look);
        look_end(&look);
    }
    recording->last_ticks = bide__ticks();
    recording->last_ns = clock_ns();
    return NULL;
}

/* ---- writing ---- */

static double us_of(const struct recording *recording, uint64_t ticks)
{
    double ns_per_tick = (double)(recording->last_ns - recording->first_ns) /
                         (double)(recording->last_ticks - recording->first_ticks);
    double ns = (double)(int64_t)(ticks - recording->first_ticks) * ns_per_tick;
    return ((double)recording->first_ns + ns) / 1000;
}

/* Begins an event of a loop's thread; the caller goes on and closes it. */
static void event(struct recording *recording, const char *phase, const struct seen_loop *loop,
                  double at_us)
{
    fprintf(recording->out, "%s{\"ph\":\"%s\",\"pid\":1,\"tid\":%d,\"ts\":%.3f",
            recording->comma ? ",\n" : "", phase, loop->tid, at_us);
    recording->comma = true;
}

static void put_name(struct recording *recording, const struct seen_loop *loop, uint32_t task)
{
    struct name wanted = {loop->index, task, NULL};
    const struct name *found =
        bsearch(&wanted, recording->names, recording->name_count, sizeof wanted, compare_names);
    char *text = text_of("%s #%u", found ? found->name : "task", task);
    fputs(",\"name\":", recording->out);
    json_text(recording->out, text);
    free(text);
}

static void put_task_id(struct recording *recording, const struct seen_loop *loop, uint32_t task)
{
    fprintf(recording->out, ",\"cat\":\"task\",\"id\":\"%d.%u\"", loop->index, task);
}

/* Where a task has been, while slices go by. */
struct life {
    uint32_t task, site;
    double began_us, ended_us; /* its last slice */
    bool lives;
};

static struct life *life_of(struct life *lives, size_t room, uint32_t task)
{
    size_t at = (size_t)(task * UINT32_C(2654435761)) & (room - 1);
    while (lives[at].lives && lives[at].task != task)
        at = (at + 1) & (room - 1);
    return &lives[at];
}

static void put_slice(struct recording *recording, const struct seen_loop *loop,
                      const struct resume *resume, double from_us, double to_us)
{
    const struct place *place = &recording->places[resume->site];
    event(recording, "X", loop, from_us);
    put_name(recording, loop, resume->task);
    fprintf(recording->out,
            ",\"dur\":%.3f,\"cat\":\"slice\",\"args\":{\"task\":%u,\"at\":", to_us - from_us,
            resume->task);
    json_text(recording->out, place->place);
    fputs(",\"await\":", recording->out);
    json_text(recording->out, place->what);
    fputs("}}", recording->out);
}

/* The wait that ended with this slice, or the begin of the task. */
static void put_wait(struct recording *recording, const struct seen_loop *loop,
                     const struct life *life, const struct resume *resume, double until_us)
{
    event(recording, "b", loop, life->lives ? life->ended_us : until_us);
    put_task_id(recording, loop, resume->task);
    if (!life->lives) {
        put_name(recording, loop, resume->task);
        fputs("}", recording->out);
        return;
    }
    const struct place *place = &recording->places[resume->site];
    const char *name = *place->what ? place->what : *place->place ? place->place : "wait";
    fputs(",\"name\":", recording->out);
    json_text(recording->out, name);
    fputs(",\"args\":{\"at\":", recording->out);
    json_text(recording->out, place->place);
    fputs("}}", recording->out);
    event(recording, "e", loop, until_us);
    put_task_id(recording, loop, resume->task);
    fputs(",\"name\":", recording->out);
    json_text(recording->out, name);
    fputs("}", recording->out);
}

static void put_flow(struct recording *recording, const struct seen_loop *loop, double from_us,
                     double to_us)
{
    uint64_t number = ++recording->flows;
    event(recording, "s", loop, from_us);
    fprintf(recording->out, ",\"cat\":\"wake\",\"name\":\"wakes\",\"id\":%" PRIu64 "}", number);
    event(recording, "f", loop, to_us);
    fprintf(recording->out, ",\"cat\":\"wake\",\"name\":\"wakes\",\"bp\":\"e\",\"id\":%" PRIu64 "}",
            number);
}

static void put_resume(struct recording *recording, const struct seen_loop *loop,
                       struct life *lives, size_t room, const struct resume *resume, double from_us,
                       double to_us)
{
    struct life *life = life_of(lives, room, resume->task);
    put_wait(recording, loop, life, resume, from_us);
    put_slice(recording, loop, resume, from_us, to_us);
    if (resume->woken_by && resume->woken_by != resume->task) {
        const struct life *waker = life_of(lives, room, resume->woken_by);
        if (waker->lives)
            put_flow(recording, loop, waker->began_us, from_us);
    }
    *life = (struct life){resume->task, resume->site, from_us, to_us, true};
}

/* The slices of one turn: resumes from `from` on, with numbers below `end`. Gives the next one. */
static size_t put_turn(struct recording *recording, const struct seen_loop *loop,
                       struct life *lives, size_t room, size_t from,
                       const struct bide__ring_turn *began, const struct bide__ring_turn *over)
{
    uint64_t first = began->slices / 2, end = over->slices / 2;
    double from_us = us_of(recording, began->ticks), to_us = us_of(recording, over->ticks);
    double step_us = end > first ? (to_us - from_us) / (double)(end - first) : 0;
    while (from < loop->resume_count && loop->resumes[from].number < first)
        from++;
    for (; from < loop->resume_count && loop->resumes[from].number < end; from++) {
        double at_us = from_us + (double)(loop->resumes[from].number - first) * step_us;
        put_resume(recording, loop, lives, room, &loop->resumes[from], at_us, at_us + step_us);
    }
    return from;
}

static void put_loop(struct recording *recording, const struct seen_loop *loop)
{
    size_t room = 1024, from = 0;
    while (room < 4 * loop->resume_count)
        room *= 2;
    struct life *lives = calloc(room, sizeof *lives);
    if (!lives)
        die(EXIT_BUILD, "out of memory");
    event(recording, "M", loop, 0);
    fprintf(recording->out, ",\"name\":\"thread_name\",\"args\":{\"name\":\"loop %d\"}}",
            loop->index);
    struct bide__ring_turn open = {
        2 * (loop->resume_count ? loop->resumes[loop->resume_count - 1].number + 1 : 0) + 1,
        recording->last_ticks};
    for (size_t i = 0; i < loop->turn_count; i++) {
        const struct bide__ring_turn *turn = &loop->turns[i];
        if (turn->slices & 1)
            continue;
        const struct bide__ring_turn *over = i + 1 < loop->turn_count ? &loop->turns[i + 1] : &open;
        if (over->slices & 1 && over->slices / 2 >= turn->slices / 2)
            from = put_turn(recording, loop, lives, room, from, turn, over);
    }
    for (size_t i = 0; i < room; i++) {
        if (!lives[i].lives)
            continue;
        event(recording, "e", loop, lives[i].ended_us);
        put_task_id(recording, loop, lives[i].task);
        put_name(recording, loop, lives[i].task);
        fputs("}", recording->out);
    }
    free(lives);
}

int write_trace(struct target *target, double seconds, const char *name)
{
    static struct recording recording;
    bool is_stdout = strcmp(name, "-") == 0;
    char *problem = record(&recording, target, seconds);
    if (problem)
        die(EXIT_BUILD, "%s", problem);
    FILE *out = is_stdout ? stdout : fopen(name, "we");
    if (!out)
        die(EXIT_BUILD, "%s: %s", name, strerror(errno));
    recording.out = out;
    fputs("{\"displayTimeUnit\":\"ms\",\"traceEvents\":[\n", out);
    fputs("{\"ph\":\"M\",\"pid\":1,\"name\":\"process_name\",\"args\":{\"name\":", out);
    json_text(out, target->program);
    fputs("}}", out);
    recording.comma = true;
    uint64_t lost = 0;
    for (size_t i = 0; i < recording.loop_count; i++) {
        put_loop(&recording, &recording.loops[i]);
        lost += recording.loops[i].lost;
    }
    fprintf(out, "\n],\"otherData\":{\"pid\":%d,\"lost_slices\":%" PRIu64 "}}\n", target->pid,
            lost);
    if (lost)
        fprintf(stderr, "bide: %" PRIu64 " slices were overwritten before they were read\n", lost);
    if ((is_stdout ? fflush(out) : fclose(out)) != 0)
        die(EXIT_BUILD, "%s: %s", name, strerror(errno));
    if (!is_stdout)
        fprintf(stderr, "bide: %s: open it in https://ui.perfetto.dev or chrome://tracing\n", name);
    return 0;
}
