/*
 * E5: html_content, an async property.
 *
 * The document: a property of the post that awaits `content` (kept in another store than the row),
 * renders it from Markdown, and gives an empty string when there is no content.
 *
 * What goes wrong: `post.html_content` without await is a coroutine, which is true and prints as an
 * object; a serializer that does not know of async properties puts that object into the reply.
 *
 * In bide: a computed field whose function is async. Nobody reads it by mistake: the member has no
 * value, and the writer resolves it. Rendering is microseconds of computing and stays a plain call;
 * the renderer here is md4c.
 */
#include <bide/bide.h>
#include <bide/web_test.h>

#include <md4c-html.h>
#include <stdio.h>
#include <string.h>

typedef struct post post;
static async(str) post_html(const post *row, bide_arena *arena);

MODEL(post, "posts", (i64, id, key), (str, title), (computed(str), html_content, post_html));

/* The other store: contents by the id of their post. */
static async(str) content_of(int64_t id)
{
    static const char *const contents[] = {"", "# Hello\n\n*Markdown*, with `code`.\n", ""};
    await(bide_sleep(bide_ms(20)));
    return ready(str, contents[id]);
}

static void append(const char *text, MD_SIZE size, void *html)
{
    bide_buf_append(html, text, size);
}

static async(str) post_html(const post *row, bide_arena *arena)
{
    const char *content = await(content_of(row->id));
    if (!*content)
        return ready(str, "");
    __attribute__((cleanup(bide_buf_done))) bide_buf html;
    bide_buf_init(&html, 1 << 20);
    if (md_html(content, (MD_SIZE)strlen(content), append, &html, 0, 0) || bide_buf_error(&html))
        fail(bide_error_new(BIDE_LIMIT, "post %lld cannot be rendered", (long long)row->id));
    return ready(str, bide_arena_strdup(arena, bide_buf_str(&html)));
}

GET(get_post, "/posts/{id}", post, path(i64, id, range(1, 2)))
{
    return (post){.id = id, .title = id == 1 ? "First" : "Empty"};
}

static async(void) app(void)
{
    bide_app *blog = bide_app_new(.title = "Blog");
    bide_app_add_all(blog, "");
    with_client(client, blog) {
        reply first = await(client_get(client, "/posts/1"));
        printf("%s%s", json_str(first, "html_content"), first.body);
        reply second = await(client_get(client, "/posts/2"));
        printf("\n%s\n", second.body);
    }
    return bide_void;
}

int main(void)
{
    return bide_run(app, .virtual_clock = true);
}
