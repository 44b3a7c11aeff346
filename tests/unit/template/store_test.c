/*
 * Folders of templates: what is read of them, what is wrong with them, files that change, values
 * that are computed by tasks, bide_render.
 */
#include "render.h"

#include "base/caps.h"

#include <bide/bide.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

typedef struct post post;
static async(bide_html_safe) body_of(const post *row, bide_arena *arena);
static async(str) never(const post *row);
static const char *link_of(const post *row, bide_arena *arena);

MODEL(post, "", (i64, id), (computed(html_safe), body, body_of), (computed(str), link, link_of),
      (computed(str), other, never));
MODEL(feed, "", (str, title), (list(post), posts), (obj(post), pinned, optional),
      (html_safe, safe, optional), (time, at), (date, day));

static int computed, running, most_running;

static async(bide_html_safe) body_of(const post *row, bide_arena *arena)
{
    computed++;
    running++;
    most_running = running > most_running ? running : most_running;
    await(bide_sleep(bide_ms((double)(100 - row->id))));
    running--;
    if (row->id == 66)
        fail(bide_error_new(1066, "no body"));
    if (row->id == 3)
        return ready(bide_html_safe, (bide_html_safe){.text = NULL});
    return ready(bide_html_safe,
                 (bide_html_safe){.text = bide_arena_printf(arena, "<p>%d</p>", (int)row->id)});
}

static async(str) never(const post *row)
{
    computed += 1000;
    await(bide_yield());
    return ready(str, row->id ? "never" : "");
}

static const char *link_of(const post *row, bide_arena *arena)
{
    return bide_arena_printf(arena, "/%d", (int)row->id);
}

/* ---- a folder ---- */

static char root[] = "/tmp/bide_templates_XXXXXX";

static const char *at(const char *name)
{
    static char path[512];
    snprintf(path, sizeof path, "%s/%s", root, name);
    return path;
}

static void put_bytes(const char *name, const char *bytes, size_t length)
{
    FILE *file = fopen(at(name), "w");
    require(file && fwrite(bytes, 1, length, file) == length);
    fclose(file);
}

static void put(const char *name, const char *text)
{
    put_bytes(name, text, strlen(text));
}

static void remove_folder(void)
{
    char command[64];
    snprintf(command, sizeof command, "rm -rf %s", root);
    if (system(command) != 0)
        fprintf(stderr, "%s is left\n", root);
}

static void make_folder(void)
{
    require(mkdtemp(root));
    atexit(remove_folder);
}

static const char *page(const bide_template *template, const void *row)
{
    static char text[4096];
    bide_arena arena;
    bide_buf out;
    bide_arena_init(&arena, NULL, 1 << 20);
    bide_buf_init(&out, sizeof text - 1);
    int error = template ? bide_template_write(template, row, NULL, &arena, &out) : -ENOENT;
    if (error < 0)
        snprintf(text, sizeof text, "error %d", error);
    else
        memcpy(text, bide_buf_str(&out), bide_buf_length(&out) + 1);
    bide_buf_done(&out);
    bide_arena_done(&arena);
    return text;
}

TEST_PLAIN(a_folder)
{
    make_folder();
    require(mkdir(at("mail"), 0700) == 0 && mkdir(at("empty"), 0700) == 0 &&
            mkdir(at(".git"), 0700) == 0);
    put("a.html", "{{title}}{{>mail/b.txt}}");
    put("mail/b.txt", "{{title}}");
    put(".git/c.html", "{{");
    put(".d.html", "{{");
    put("e.css", "{{");
    bide_templates *templates = bide_templates_open(root, NULL);
    check_str(bide_templates_problem(templates), NULL);
    const bide_template *a = bide_template_of(templates, "a", feed_model(), NULL);
    check_str(page(a, &(feed){.title = "<"}), "&lt;&lt;");
    check_str(bide_template_name(a), "a.html");
    check(a == bide_template_of(templates, "a.html", feed_model(), NULL));
    const bide_template *b = bide_template_of(templates, "mail/b.txt", feed_model(), NULL);
    check_str(page(b, &(feed){.title = "<"}), "<");
    put("a.html", "changed");
    check_str(page(a, &(feed){.title = "<"}), "&lt;&lt;");
    check(!bide_template_of(templates, "mail/b", feed_model(), NULL));
    check_contains(bide_templates_problem(templates), "mail/b.html: there is no such template in");
    check_contains(bide_templates_problem(templates), "did you mean `mail/b.txt`?");
    bide_templates_close(templates);
    bide_templates_close(NULL);
}

static const char *problem_with(const char *name, const char *bytes, size_t length)
{
    static char problem[1024];
    put_bytes(name, bytes, length);
    bide_templates *templates = bide_templates_open(root, NULL);
    const char *found = bide_templates_problem(templates);
    snprintf(problem, sizeof problem, "%s", found ? found + sizeof root : "none");
    bide_templates_close(templates);
    return problem;
}

TEST_PLAIN(what_is_wrong_with_files)
{
    static char large[BIDE_CAP_TEMPLATE_BYTES + 1];
    make_folder();
    memset(large, 'x', sizeof large);
    check_str(problem_with("a.html", "a\n\xff", 3), "a.html:2: the file is not UTF-8");
    check_str(problem_with("a.html", "a\0b", 3), "a.html:1: the file has a byte of zero");
    check_str(problem_with("a.html", "\n{{#a}}", 7), "a.html:2: `a` is not closed");
    check_str(problem_with("a.html", large, sizeof large),
              "a.html:1: it is larger than 1048576 bytes");
    check_str(problem_with("a.html", large, sizeof large - 1), "none");
    check_str(problem_with("a.html", "", 0), "none");
    bide_templates *templates = bide_templates_open("/nowhere/at/all", NULL);
    check_contains(bide_templates_problem(templates), "No such file or directory");
    check(!bide_template_of(templates, "a", feed_model(), NULL));
    bide_templates_close(templates);
}

TEST_PLAIN(added_templates)
{
    bide_templates *templates = bide_templates_open(NULL, NULL);
    check_int(bide_templates_add(templates, "a.txt", "{{title}}"), 0);
    check_int(bide_templates_add(templates, "a.txt", "x"), -EINVAL);
    check_str(bide_templates_problem(templates), "a.txt: there is such a template already");
    bide_templates_close(templates);
}

TEST_PLAIN(files_that_change)
{
    make_folder();
    put("a.html", "{{title}}");
    put("b.html", "b");
    bide_templates *templates =
        bide_templates_open(root, &(struct bide_templates_options){.reload = true});
    const bide_template *a = bide_template_of(templates, "a", feed_model(), NULL);
    const feed row = {.title = "t"};
    check_str(page(a, &row), "t");
    put("a.html", "{{title}}{{>b}}");
    check_str(page(a, &row), "tb");
    put("b.html", "{{titel}}");
    check_str(page(a, &row), "error -22");
    check_contains(bide_templates_problem(templates), "b.html:1: there is no field `titel`");
    put("b.html", "{{title}}{{>new}}");
    check_str(page(a, &row), "error -22");
    check_contains(bide_templates_problem(templates), "there is no template `new.html`");
    put("new.html", "!");
    check_str(page(a, &row), "tt!");
    check_str(bide_templates_problem(templates), NULL);
    require(unlink(at("b.html")) == 0);
    check_str(page(a, &row), "error -22");
    put("b.html", "back");
    check_str(page(a, &row), "tback");
    put("later.html", "later");
    check_str(page(bide_template_of(templates, "later", feed_model(), NULL), &row), "later");
    check(!bide_template_of(templates, "../later", feed_model(), NULL));
    bide_templates_close(templates);
}

/* ---- tasks ---- */

static bide_templates *open_with(const char *name, const char *text)
{
    bide_templates *templates = bide_templates_open(NULL, NULL);
    check_int(bide_templates_add(templates, name, text), 0);
    return templates;
}

static post posts[] = {{.id = 1}, {.id = 2}, {.id = 3}};
static const feed row = {.title = "t", .posts = {posts, 3}, .pinned = {.id = 9}};

static bide_arena arena;
static bide_buf out;
static const bide_template *used;

static async(void) render_feed(const feed *of)
{
    await(bide_template_render(used, of, NULL, &arena, &out));
    return bide_void;
}
SPAWNABLE(void, render_feed, const feed *)

static void init(size_t cap_bytes)
{
    bide_arena_init(&arena, NULL, 1 << 20);
    bide_buf_init(&out, cap_bytes);
    computed = most_running = running = 0;
}

static void done(bide_templates *templates)
{
    bide_buf_done(&out);
    bide_arena_done(&arena);
    bide_templates_close(templates);
}

TEST(async_fields_are_computed_first_and_once, .cancel_everywhere = true)
{
    bide_error *error;
    bide_templates *templates =
        open_with("a.html", "{{#posts}}{{#body}}<i>{{{body}}}{{{.}}}</i>{{/body}}{{^body}}-"
                            "{{/body}}{{link}}{{/posts}}{{#pinned}}{{body}}{{/pinned}}");
    used = bide_template_of(templates, "a", feed_model(), NULL);
    init(4096);
    check_int(bide_template_write(used, &row, NULL, &arena, &out), -EAGAIN);
    bide_buf_reset(&out);
    attempt(&error, render_feed, &row);
    if (error) {
        check_int(error->code, BIDE_CANCELLED);
    } else {
        check_str(bide_buf_str(&out), "<i><p>1</p><p>1</p></i>/1<i><p>2</p><p>2</p></i>/2-/3"
                                      "&lt;p&gt;9&lt;/p&gt;");
        check_int(computed, 4);
        check_int(most_running, 4);
    }
    done(templates);
}

TEST(failures)
{
    bide_error *error;
    post broken[] = {{.id = 1}, {.id = 66}};
    feed with_broken = {.posts = {broken, 2}};
    bide_templates *templates = open_with("a.html", "{{#posts}}{{body}}{{/posts}}");
    used = bide_template_of(templates, "a", feed_model(), NULL);
    init(4096);
    attempt(&error, render_feed, &with_broken);
    require(error);
    check_int(error->code, 1066);
    bide_buf_done(&out);
    bide_buf_init(&out, 5);
    attempt(&error, render_feed, &row);
    require(error);
    check_int(error->code, BIDE_LIMIT);
    check_str(error->message,
              "the template `a.html` cannot be rendered: it is larger than its buffer may be");
    done(templates);
    templates = open_with("a.txt", "{{at}}");
    used = bide_template_of(templates, "a.txt", feed_model(), NULL);
    init(4096);
    attempt(&error, render_feed, &(feed){.at = INT64_MAX});
    require(error);
    check_int(error->code, BIDE_INVALID);
    done(templates);
}

/* ---- bide_render ---- */

static bide_templates *mails;

static async(void) render_mail(const char *name)
{
    const feed mail = {.title = "<1>", .day = {1}};
    check_str(bide_render(&arena, mails, name, feed, &mail), "<1> 1970-01-02");
    return bide_void;
}
SPAWNABLE(void, render_mail, const char *)

TEST(texts)
{
    bide_error *error;
    mails = open_with("mail/code.txt", "{{title}} {{day}}");
    check_int(bide_templates_add(mails, "async.txt", "{{#posts}}{{body}}{{/posts}}"), 0);
    init(1);
    attempt(&error, render_mail, "mail/code.txt");
    check(!error);
    attempt(&error, render_mail, "mail/cod.txt");
    require(error);
    check_int(error->code, BIDE_INVALID);
    check_contains(error->message, "did you mean `mail/code.txt`?");
    done(mails);
}

TEST_PLAIN(without_memory, .fail_allocations = true)
{
    bide_templates *templates = bide_templates_open(NULL, NULL);
    if (!templates)
        return;
    int added = bide_templates_add(templates, "a.txt", "{{title}}{{#posts}}{{id}}{{/posts}}{{>b}}");
    if (added == 0)
        added = bide_templates_add(templates, "b.txt", "{{day}}{{{title}}}");
    const bide_template *a =
        added == 0 ? bide_template_of(templates, "a.txt", feed_model(), NULL) : NULL;
    if (a) {
        const char *text = page(a, &row);
        check(strcmp(text, "t1231970-01-01t") == 0 || strcmp(text, "error -12") == 0);
    } else {
        check(added == -ENOMEM || bide_templates_problem(templates));
    }
    bide_templates_close(templates);
}

/* ---- html_safe ---- */

TEST_PLAIN(no_input_is_safe_html)
{
    bide_problems problems;
    feed read;
    init(1);
    bide_problems_init(&problems, &arena);
    bide_input input = {.arena = &arena, .problems = &problems};
    const char *text = "{\"title\":\"t\",\"safe\":\"<script>\",\"posts\":[],\"pinned\":null,"
                       "\"at\":\"2024-05-06T07:08:09Z\",\"day\":\"2024-05-06\"}";
    check_int(bide_json_read(&input, feed_model(), text, strlen(text), &read), 0);
    check_str(read.safe.text, NULL);
    bide_pair pair = {"safe", 4, "<script>", 8};
    (void)bide_form_read(&input, feed_model(), &pair, 1, &read);
    check_str(read.safe.text, NULL);
    done(NULL);
}
