/*
 * template.h: pages and mails from models, by logic-less templates.
 *
 *     MODEL(post, "posts", (i64, id, key), (str, title), (html_safe, body), (list(str), tags));
 *     MODEL(one_post, "", (obj(post), post), (list(post), more));
 *
 *     templates/layout.html
 *       <title>{{$title}}Blog{{/title}}</title>
 *       <main>{{$main}}{{/main}}</main>
 *
 *     templates/post.html
 *       {{<layout}}
 *       {{$title}}{{post.title}}{{/title}}
 *       {{$main}}
 *       <h1>{{post.title}}</h1> {{{post.body}}}
 *       {{#more}}<a href="/{{id}}">{{title}}</a>{{/more}}
 *       {{/main}}
 *       {{/layout}}
 *
 *     bide_templates *pages = bide_templates_open("templates", NULL);
 *     const bide_template *page = bide_template_of(pages, "post.html", one_post_model(), NULL);
 *     if (!page)
 *         die(bide_templates_problem(pages));
 *     bide_template_write(page, &row, NULL, arena, &buf);
 *
 * In an application: `html("post", one_post)` as the response of a route (web.h). For a mail:
 * bide_render.
 *
 * Tags are Mustache's: {{name}}, {{{name}}} and {{&name}}, {{#name}}...{{/name}},
 * {{^name}}...{{/name}}, {{! a comment }}, {{>partial}}, {{=<% %>=}}, {{.}}, a.b.c; and its
 * inheritance, {{<parent}} with {{$block}}. No lambdas, no {{>*name}}. A template is compiled for
 * the model that it is rendered with. A name is a field's, looked for in the innermost model around
 * the tag and then outwards. Besides:
 *
 *   list.count        how many items a list has: {{#posts.count}}<h2>Posts</h2>{{/posts.count}}
 *   field.value       whether a field of an ENUM has that value: {{#role.admin}}...{{/role.admin}}
 *
 * A section is left out for null, false, 0, an empty text and an empty list; of a field of the type
 * json for its null and false only. An optional field without a value is written as nothing.
 * Instants, dates, decimals and uuids are written as in JSON (value.h); anything else by a computed
 * field, which may be async.
 *
 * Invariants
 *  1. What is unknown is an error when the template is compiled, with the file, the line and the
 *     nearest name: a field, a partial, a section that is not closed. A secret field cannot be
 *     named at all.
 *  2. In *.html every value is escaped for the place where it stands. {{{name}}} compiles for
 *     values of the type html_safe only. Where escaping would not help a value does not compile: in
 *     <script>, <style>, comments and tag names, in attributes without quotes, in on... and style
 *     (but numbers). Values in URLs are percent-encoded; one that begins a URL may only be of http,
 *     https, mailto, tel or relative: any other is written as `about:invalid`.
 *  3. What is written is UTF-8: other bytes become U+FFFD.
 *  4. Rendering never suspends, but for bide_template_render, whose async fields are computed
 *     first, and only those that the template names.
 *  5. A compiled template is constant: any number of threads render it. With `reload` a lock is
 *     taken.
 *
 * Other files (*.txt) are texts of any kind: nothing is escaped in them.
 *
 * Source: mustache(5), the specification of Mustache with its module "inheritance"; WHATWG HTML
 * section 13.2.5 (tokenization); RFC 3986.
 *
 * layer: template
 */
#ifndef BIDE_TEMPLATE_H
#define BIDE_TEMPLATE_H

#include <bide/arena.h>
#include <bide/buf.h>
#include <bide/model.h>

/* Template files, and what is compiled of them. */
typedef struct bide_templates bide_templates;

/* A template, compiled for a model. */
typedef struct bide_template bide_template;

struct bide_templates_options {
    bool reload; /* a file that has changed is read again at the next rendering; for development */
};

/*
 * Reads all *.html and *.txt files in a folder and below. A name is the path below the folder:
 * "mail/code.txt". `folder` may be NULL: then templates come from bide_templates_add only.
 * `options` may be NULL. NULL without memory; what else is wrong bide_templates_problem says. Reads
 * files: at start, not in a task that others wait for.
 */
bide_templates *bide_templates_open(const char *folder,
                                    const struct bide_templates_options *options);

/* NULL is allowed. Nothing of it may be in use. */
void bide_templates_close(bide_templates *templates);

/* Adds a template that is no file; both texts are copied. Returns 0, -EINVAL with a problem (its
   form; the name is there already) or -ENOMEM. Before anything is compiled. */
int bide_templates_add(bide_templates *templates, const char *name, const char *text);

/* The first thing that was wrong, "folder/post.html:12: ...", or NULL. Lives as long as the
   templates. */
const char *bide_templates_problem(const bide_templates *templates);

/*
 * The template of a name, compiled for rows of `model`; ".html" is added to a name without an
 * ending. The same one each time. `site` is a second model, whose fields can be named everywhere
 * (who is logged in, the menu); NULL without one. NULL: bide_templates_problem says why.
 */
const bide_template *bide_template_of(bide_templates *templates, const char *name,
                                      const bide_model *model, const bide_model *site);

/*
 * Appends what the template makes of a row. `row` is the struct of its model, `site` of the second
 * one, or NULL without. What computed fields allocate is in `arena`. Never suspends. Returns 0; the
 * buffer's error; -ERANGE: an instant or a date outside of the years 1 to 9999; -EDOM: what a
 * {{@route}} has in its path is absent, "", "." or ".."; -EAGAIN: it names an async computed field,
 * use bide_template_render; -ELOOP: items, objects and partials that
 * include themselves inside each other, deeper than BIDE_CAP_TEMPLATE_FRAMES (192); -EINVAL: a file
 * has changed, and bide_templates_problem says what is wrong with it now.
 */
int bide_template_write(const bide_template *template, const void *row, const void *site,
                        bide_arena *arena, bide_buf *out);

/*
 * The same with async computed fields: they are computed concurrently first, as bide_json_render
 * does. Errors are raised, as BIDE_LIMIT, BIDE_NO_MEMORY or BIDE_INVALID.
 */
bide_async(void) bide_template_render(const bide_template *template, const void *row,
                                      const void *site, bide_arena *arena, bide_buf *out);

/* Of the name of bide_template_of, with its ending. */
const char *bide_template_name(const bide_template *template);

/*
 * bide_render(arena, templates, "mail/code.txt", NAME, &row): a template as a text in the arena,
 * for a `const NAME *`. It is compiled at the first call, so that a mistake in it is found then:
 * at start, if bide_template_of is called for it there. Never suspends. Raises BIDE_INVALID with
 * the problem, BIDE_LIMIT, BIDE_NO_MEMORY. Never NULL.
 */
#define bide_render(arena, templates, name, NAME, row)                                             \
    bide__render((arena), (templates), (name), NAME##_model(), (1 ? (row) : (const NAME *)0))
const char *bide__render(bide_arena *arena, bide_templates *templates, const char *name,
                         const bide_model *model, const void *row);

#endif
