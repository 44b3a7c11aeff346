/*
 * E6: the PropertyHolder metaclass.
 *
 * The document: a metaclass walks the class, collects its properties, async ones too, skips names
 * that start with an underscore, and gives all models one serializer.
 *
 * What goes wrong: the serializer awaits the async properties one after the other, for each row: a
 * page of ten posts with three of them waits thirty times. What is collected is decided at run
 * time; a property that fails inside a list comprehension leaves the others running.
 *
 * In bide: MODEL is that list. The descriptor knows the computed fields; the writer skips names
 * that start with `_`, calls the plain ones and resolves the async ones of all rows concurrently
 * (at most 16 at a time); the first failure cancels the rest.
 */
#include <bide/bide.h>
#include <bide/json.h>

#include <stdio.h>

typedef struct post post;
static const char *url_of(const bide_row *row);
static async(str) author_name(const post *row, bide_arena *arena);
static async(int64_t) count_comments(const post *row);
static async(int64_t) count_likes(const post *row);

MODEL(post, "posts", (i64, id, key), (computed(str), url, url_of),
      (computed(str), author, author_name), (computed(i64), comments, count_comments),
      (computed(i64), likes, count_likes), (computed(i64), _cache_key, count_likes));

/* Of any model. */
static const char *url_of(const bide_row *row)
{
    const post *p = row->data;
    return bide_arena_printf(row->arena, "/%s/%lld/", row->model->name, (long long)p->id);
}

static async(str) author_name(const post *row, bide_arena *arena)
{
    await(bide_sleep(bide_s(1)));
    return ready(str, bide_arena_printf(arena, "author %lld", (long long)row->id));
}

static async(int64_t) count_comments(const post *row)
{
    await(bide_sleep(bide_s(1)));
    return ready(int64_t, row->id * 3);
}

static async(int64_t) count_likes(const post *row)
{
    await(bide_sleep(bide_s(1)));
    return ready(int64_t, row->id * 10);
}

static void list_computed(const bide_model *model)
{
    printf("computed fields of %s:", model->name);
    for (size_t i = 0; i < model->field_count; i++) {
        const bide_field *field = &model->fields[i];
        if (field->flags & BIDE_COMPUTED && field->name[0] != '_')
            printf(" %s%s", field->name, field->flags & BIDE_ASYNC ? " (async)" : "");
    }
    printf("\n");
}

static async(void) serialize(const post *posts, size_t count)
{
    __attribute__((cleanup(bide_arena_done))) bide_arena arena;
    __attribute__((cleanup(bide_buf_done))) bide_buf out;
    bide_arena_init(&arena, NULL, 1 << 20);
    bide_buf_init(&out, 1 << 20);
    int64_t start_ns = bide_clock_ns();
    await(bide_json_render_list(post_model(), posts, count, &arena, &out));
    printf("%zu in %.0f s: %s\n", count, (double)(bide_clock_ns() - start_ns) / 1e9,
           bide_buf_str(&out));
    return bide_void;
}

static async(void) app(void)
{
    const post posts[] = {{.id = 1}, {.id = 2}, {.id = 3}};
    list_computed(post_model());
    await(serialize(posts, 1));
    await(serialize(posts, 3));
    return bide_void;
}

int main(void)
{
    return bide_run(app, .virtual_clock = true);
}
