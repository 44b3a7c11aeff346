/*
 * D11: the services behind a list of users.
 *
 * The document: get_user_list_services selects with the filter of the query and the data scope of
 * the role, either one page or everything, and counts by len(rows); add_user_services inserts and
 * answers `添加成功`.
 *
 * What goes wrong: of a page, len(rows) is the size of the page; counted by a query of its own, the
 * total ignores filter and scope and tells how many rows there are that one may not see. Without an
 * order a row comes twice or never. Unpaged reads the whole table. The scope is raw text in SQL.
 *
 * In bide: bide_page counts the same query, so the total cannot say anything else than the rows.
 * The text is a literal, the scope a bind. A page has at most 1,000 rows: who asks for all gets the
 * first of them, and the total. A name that is taken is an error with the field's name, also when
 * two requests add it at once.
 */
#include <bide/bide.h>

#include <stdio.h>

enum { MOST = 1000 };

MODEL(sys_user, "sys_users", (i64, id, key, generated), (str, name, unique), (i64, dept));
MODEL(crud_response, "", (bool, is_success), (str, message));
ENUM(scope, everything, own_dept, self);

/* Who asks, and which rows the role may see. */
typedef struct viewer {
    int64_t id, dept;
    scope scope;
} viewer;

/* `size` 0: not paged. */
static async(sys_user_page) get_user_list_services(bide_db *db, const viewer *who, const char *like,
                                                   int64_t page, int64_t size)
{
    return ready(sys_user_page, await(bide_page(db, sys_user, page, size > 0 ? size : MOST,
                                                "name like $1 and ($2 = 'everything'"
                                                " or $2 = 'own_dept' and dept = $3"
                                                " or $2 = 'self' and id = $4) order by id",
                                                like, scope_name(who->scope), who->dept, who->id)));
}

static async(crud_response) add_user_services(bide_db *db, const char *name, int64_t dept)
{
    bide_error *error;
    sys_user row = {.name = name, .dept = dept};
    attempt(&error, bide_insert, db, sys_user, &row);
    if (!error)
        return ready(crud_response, (crud_response){.is_success = true, .message = "添加成功"});
    if (error->code != BIDE_CONFLICT)
        fail(error);
    return ready(crud_response, (crud_response){.message = error->message});
}

static async(void) show(bide_db *db, viewer who, const char *like, int64_t page, int64_t size)
{
    sys_user_page got = await(get_user_list_services(db, &who, like, page, size));
    printf("%-10s like %-7s page %lld of %2lld: %4zu rows, total %lld", scope_name(who.scope), like,
           (long long)page, (long long)size, got.count, (long long)got.total);
    printf(", from %s\n", got.count ? got.items[0].name : "none");
    return bide_void;
}

static async(void) add_rows(bide_db *db)
{
    sys_user rows[1200];
    for (int i = 0; i < 1200; i++) {
        const char *name = bide_arena_printf(bide_task_arena(), "user%04d", i + 1);
        rows[i] = (sys_user){.name = name, .dept = i % 40 + 1};
    }
    await(bide_insert_many(db, sys_user, rows, 1200));
    return bide_void;
}

static async(void) app(void)
{
    with(bide_database, db, "sqlite://:memory:") {
        await(bide_create_table(db, sys_user));
        await(add_rows(db));
        viewer admin = {.id = 1, .dept = 1, .scope = scope_everything};
        viewer head = {.id = 2, .dept = 2, .scope = scope_own_dept};
        viewer clerk = {.id = 3, .dept = 3, .scope = scope_self};
        await(show(db, admin, "%", 2, 10));
        await(show(db, admin, "user00%", 2, 10));
        await(show(db, head, "%", 1, 10));
        await(show(db, head, "user00%", 1, 10));
        await(show(db, clerk, "%", 1, 10));
        await(show(db, admin, "%", 1, 0));

        for (int i = 0; i < 2; i++) {
            crud_response answer = await(add_user_services(db, "frodo", 1));
            printf("add: %s, %s\n", answer.is_success ? "true" : "false", answer.message);
        }
    }
    return bide_void;
}

int main(void)
{
    return bide_run(app, .virtual_clock = true);
}
