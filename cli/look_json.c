/*
 * A picture as JSON: every task, nothing folded, whole paths. Called by see.c; docs/look.md lists
 * the members.
 */
#include "look.h"

#include <string.h>

/* What is shown is UTF-8 without control characters. */
void json_text(FILE *out, const char *text)
{
    fputc('"', out);
    for (const unsigned char *at = (const unsigned char *)text; *at; at++) {
        if (*at == '"' || *at == '\\')
            fprintf(out, "\\%c", *at);
        else if (*at < ' ')
            fprintf(out, "\\u%04x", *at);
        else
            fputc(*at, out);
    }
    fputc('"', out);
}

static void member_text(FILE *out, const char *name, const char *text)
{
    fprintf(out, ",\"%s\":", name);
    json_text(out, text);
}

static void member_site(FILE *out, const char *name, const struct bide__look *look, uint32_t number)
{
    const struct bide__look_site *site = &look->sites[number];
    fprintf(out, ",\"%s\":", name);
    if (!has_site(look, number)) {
        fputs("null", out);
        return;
    }
    fprintf(out, "{\"line\":%d", site->line);
    member_text(out, "file", look_text(look, site->file));
    member_text(out, "function", look_text(look, site->function));
    member_text(out, "what", look_text(look, site->what));
    fputc('}', out);
}

static void member_id(FILE *out, const char *name, const struct bide__look *look, uint32_t task)
{
    if (task == BIDE__LOOK_NOBODY)
        fprintf(out, ",\"%s\":null", name);
    else
        fprintf(out, ",\"%s\":%llu", name, (unsigned long long)look->tasks[task].id);
}

static void print_wait(FILE *out, const struct bide__look *look, uint32_t i)
{
    const struct bide__look_task *task = &look->tasks[i];
    if (task->state != BIDE__LOOK_WAITING || !task->kind) {
        fputs(",\"waits_for\":null", out);
        return;
    }
    fprintf(out, ",\"waits_for\":{\"for_ms\":%lld",
            (long long)(look->now_ns - task->since_ns) / 1000000);
    member_text(out, "verb", look_text(look, look->kinds[task->kind].verb));
    member_text(out, "noun", look_text(look, look->kinds[task->kind].noun));
    member_text(out, "name", look_text(look, task->object));
    member_site(out, "made", look, task->object_made);
    member_id(out, "holder", look, task->holder);
    fprintf(out, ",\"circle\":%s,\"lacks_deadline\":%s}", in_wait_cycle(look, i) ? "true" : "false",
            lacks_deadline(look, task) ? "true" : "false");
}

static void print_task(FILE *out, const struct bide__look *look, uint32_t i)
{
    const struct bide__look_task *task = &look->tasks[i];
    fprintf(out, "{\"id\":%llu,\"loop\":%d", (unsigned long long)task->id,
            look->loops[task->loop].index);
    member_id(out, "parent", look, task->parent);
    member_text(out, "name", look_text(look, task->name));
    member_text(out, "state", state_name(task));
    fprintf(out, ",\"cancelled\":%s,\"background\":%s",
            task->flags & BIDE__LOOK_CANCELLED ? "true" : "false",
            task->flags & BIDE__LOOK_BACKGROUND ? "true" : "false");
    fprintf(out, ",\"age_ms\":%lld", (long long)(look->now_ns - task->spawned_ns) / 1000000);
    if (task->deadline_ns == INT64_MAX)
        fputs(",\"deadline_ms\":null", out);
    else
        fprintf(out, ",\"deadline_ms\":%lld",
                (long long)(task->deadline_ns - look->now_ns) / 1000000);
    member_site(out, "at", look, task->at);
    member_site(out, "spawned", look, task->made);
    print_wait(out, look, i);
    fprintf(out, ",\"stack_used_bytes\":%u,\"stack_bytes\":%u}", task->stack_used,
            task->stack_size);
}

void print_json(FILE *out, const struct target *target, const struct bide__look *look)
{
    fprintf(out, "{\"pid\":%d", target->pid);
    member_text(out, "program", target->program);
    fprintf(out, ",\"unread\":%u,\"loops\":[", look->unread);
    for (uint32_t i = 0; i < look->loop_count; i++) {
        const struct bide__look_loop *loop = &look->loops[i];
        uint32_t ready = 0;
        for (uint32_t k = loop->first_task; k < loop->first_task + loop->task_count; k++)
            ready += look->tasks[k].state == BIDE__LOOK_READY;
        fprintf(out,
                "%s{\"loop\":%d,\"tid\":%d,\"tasks\":%u,\"ready\":%u,\"timers\":%llu,"
                "\"stacks\":%llu,\"slices\":%llu,\"polling\":%s}",
                i ? "," : "", loop->index, loop->tid, loop->task_count, ready,
                (unsigned long long)loop->timers, (unsigned long long)loop->stacks,
                (unsigned long long)loop->slices, loop->polling ? "true" : "false");
    }
    fputs("],\"tasks\":[\n", out);
    for (uint32_t i = 0; i < look->task_count; i++) {
        print_task(out, look, i);
        fputs(i + 1 < look->task_count ? ",\n" : "\n", out);
    }
    fputs("]}\n", out);
}
