/*
 * For the tests of the blog: an application whose `somebody` is whoever the header X-User names,
 * with users of each role, and short ways to write and to ask.
 */
#ifndef FRODO_BLOG_CASE_H
#define FRODO_BLOG_CASE_H

#include "blog/blog.h"
#include "testing.h"

#include <string.h>

/* Gandalf is the admin; Frodo edits and Sam writes in the Shire, Gimli edits and Pippin writes in
   Moria. Smeagol may nothing but read and comment. */
static const struct {
    const char *name;
    int64_t role, department;
    data_scope scope;
    bool writes, publishes;
} testers[] = {
    {"gandalf", 1, 0, data_scope_everyone, true, true},
    {"frodo", 2, 1, data_scope_department, true, true},
    {"sam", 3, 1, data_scope_own, true, false},
    {"gimli", 2, 2, data_scope_department, true, true},
    {"pippin", 3, 2, data_scope_own, true, false},
    {"smeagol", 3, 0, data_scope_own, false, false},
};
enum { TESTERS = sizeof testers / sizeof *testers };

/* The id is the place in the table and 1. */
static const account *tester(const char *name)
{
    static const char *const rights[] = {"posts:write", "posts:publish", "comments:moderate"};
    for (size_t i = 0; name && i < TESTERS; i++) {
        if (strcmp(testers[i].name, name) != 0)
            continue;
        account *who = bide_arena_alloc_zero(bide_task_arena(), 1, sizeof *who);
        require(who != NULL);
        *who = (account){.id = (int64_t)i + 1,
                         .username = testers[i].name,
                         .scope = testers[i].scope,
                         .department_id = testers[i].department};
        who->permissions.items = (const char **)(uintptr_t)rights;
        who->permissions.count = !testers[i].writes ? 0 : testers[i].publishes ? 3 : 1;
        return who;
    }
    return NULL;
}

PROVIDER(const account *, tested_somebody, header(str, x_user, optional))
{
    provide(tester(x_user));
}

static inline bide_app *blog_app(struct frodo_case *c)
{
    bide_app *app = frodo_app_with(c->settings);
    require(app != NULL);
    bide_app_override(app, somebody, tested_somebody);
    return app;
}

/* After the application has started. */
static inline async(void) add_testers(bide_db *db)
{
    await(bide_do(db, "insert into departments (id, name) values (2, 'Moria')"));
    for (size_t i = 0; i < TESTERS; i++) {
        char email[60];
        snprintf(email, sizeof email, "%s@shire.example", testers[i].name);
        user u = {.email = email,
                  .username = testers[i].name,
                  .password = {"none"},
                  .about = "",
                  .role_id = testers[i].role,
                  .department_id = testers[i].department};
        await(bide_insert(db, user, &u));
        require(u.id == (int64_t)i + 1);
    }
    return bide_void;
}

/* BLOG(client, db) { ... } */
#define BLOG(client, db)                                                                           \
    with_client(client, blog_app(c))                                                               \
        with(bide_database, db, c->db.url)                                                         \
            if (await(add_testers(db)), true)

/* What follows is asked by this user; NULL: by nobody. */
static inline void as(bide_client *client, const char *name)
{
    client_header(client, "X-User", name);
}

/* A body of JSON from values that need no escapes. */
#define json_of(...) json(bide_arena_printf(bide_task_arena(), __VA_ARGS__))
#define path_of(...) bide_arena_printf(bide_task_arena(), __VA_ARGS__)

static inline async(int64_t) post_of(bide_client *client, const char *title, const char *content,
                                     const char *tags, const char *status)
{
    reply r = await(
        client_post(client, "/api/posts",
                    json_of("{\"title\":\"%s\",\"content\":\"%s\",\"tags\":[%s],\"status\":\"%s\"}",
                            title, content, tags, status)));
    require(check_int(r.status, 201));
    return ready(int64_t, json_int(r, "id"));
}

#endif
