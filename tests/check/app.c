/*
 * app.c: right and wrong queries, which never run: see README.md.
 */
#include <bide/bide.h>
#include <stdlib.h>

ENUM(state, draft, published);
MODEL(user, "users", (i64, id, key, generated), (str, email, email, unique), (i32, age, optional),
      (time, joined_at, generated));
MODEL(post, "posts", (i64, id, key, generated), (i64, author), (str, title), (str, slug));
MODEL(stray, "strays", (i64, id, key, generated), (str, name, unique));
MODEL(renamed, "users", (i64, id, key, generated), (str, name));
MODEL(nameless, "users", (i64, id, key, generated), (time, joined_at, generated));
MODEL(keyless, "users", (str, email), (time, joined_at));
MODEL(made, "made", (i64, id, key, generated), (state, state));
MODEL(title_count, "", (str, title), (i64, total));
VIEW(user_out, user, id, email);

extern async(int64_t) library_query(bide_db *db);

static async(void) right_ones(bide_db *db)
{
    user u = {.email = "a@b.example"};
    await(bide_create_table(db, made));
    await(bide_do(db, "create table if not exists notes (id integer primary key, text text)"));
    await(bide_do(db, "create index notes_by_text on notes (text)"));
    await(bide_do(db, "update notes set text = $1 where id = $2", "a", 1));
    (void)await(bide_maybe(db, made, "state = $1", state_name(state_published)));
    (void)await(bide_maybe(db, user, "email = $1 and age > $2", u.email, 3));
    (void)await(bide_all(db, user_out, ""));
    (void)await(bide_all(db, user, "order by id"));
    (void)await(bide_all(db, user, "id = any($1)", bide_list_of(i64, &u.id, 1)));
    (void)await(bide_page(db, user_out, 1, 10, "age > $1 order by id", 3));
    (void)await(
        bide_all(db, title_count, "select title, count(*) as total from posts group by title"));
    (void)await(bide_all(db, title_count,
                         "with t as (select title from posts) select title, 1 as total from t"));
    (void)await(
        bide_scalar(db, i64, "select count(*) from users where joined_at > $1", bide_now_us()));
    await(bide_insert(db, user, &u));
    await(bide_upsert(db, user, &u, email));
    await(bide_update(db, user, &u, age));
    await(bide_delete(db, user, u.id));
    (void)await(library_query(db));
    return bide_void;
}

static async(void) wrong_ones(bide_db *db)
{
    bide_error *err = NULL;
    /* expect: no such column: nmae */
    (void)await(bide_maybe(db, user, "nmae = $1", "a"));
    /* expect: no such column: agee */
    (void)await(bide_all(db, user_out, "agee > $1", 1));
    /* expect: the column 'author' is TEXT, and the field of post is i64 */
    /* expect: the column 'slug' may be NULL, and the field of post is not optional */
    (void)await(bide_all(db, post, ""));
    /* expect: the query gives no column 'total', which title_count has */
    (void)await(bide_all(db, title_count, "select title from posts"));
    /* expect: the query gives a column 'slug', which title_count has not */
    (void)await(bide_all(db, title_count, "select title, id as total, slug from posts"));
    /* expect: the column 'total' is TEXT, and the field of title_count is i64 */
    (void)await(bide_all(db, title_count, "select title, title as total from posts"));
    /* expect: the model title_count has no table */
    (void)await(bide_all(db, title_count, "title = $1", "a"));
    /* expect: there is no table 'strays', which the model stray is of */
    (void)await(bide_maybe(db, stray, "id = $1", 1));
    /* expect: the table 'users' has no column 'name', which the model renamed has */
    (void)await(bide_maybe(db, renamed, "id = $1", 1));
    /* expect: near "updaet": syntax error */
    attempt(&err, bide_do, db, "updaet users set age = 1");
    /* expect: no such column: agd */
    attempt(&err, bide_maybe, db, user, "agd = 1");
    /* expect: no such column: agf */
    (void)attempt(&err, bide_scalar, db, i64, "select max(agf) from users");
    /* expect: the query has 2 parameters, and 1 are bound */
    await(bide_do(db, "update users set age = $1 where id = $2", 1));
    /* expect: the query has 0 parameters, and 1 are bound */
    (void)await(bide_maybe(db, user, "id = 1", 1));
    /* expect: $1 is a list, and the query wants one value */
    (void)await(bide_all(db, user, "id = $1", bide_list_of(i32, (int32_t[]){1}, 1)));
    /* expect: $2 is an integer, and the query wants a list */
    (void)await(bide_all(db, user, "age = $1 and id = any($2)", 1, 2));
    /* expect: which rows come first? The query says no `order by` */
    (void)await(bide_first(db, user, "age > 1"));
    /* expect: the column 'email' is TEXT, and the value i64 */
    (void)await(bide_scalar(db, i64, "select email from users where id = $1", 1));
    /* expect: the column 'age' may be NULL, and a scalar is not */
    (void)await(bide_scalar(db, i32, "select age from users where id = $1", 1));
    /* expect: the query gives 2 columns instead of one */
    (void)await(bide_scalar(db, i64, "select id, age from users where id = $1", 1));
    /* expect: no 'commit' in a query: use with_tx */
    await(bide_do(db, "commit"));
    /* expect: near "kye": syntax error */
    await(bide_do(db, "create table wrong (id integer primary kye)"));
    /* expect: no such column: emial */
    await(bide_do(db, "delete from users\n  where id = $1\n  and emial = $2", 1, "x"));
    return bide_void;
}

static async(void) wrong_writes(bide_db *db)
{
    bide_error *err = NULL;
    stray s = {0};
    user u = {0};
    nameless n = {0};
    keyless k = {0};
    user_out view = {0};
    /* expect: the table 'users' needs a column 'email', which the model nameless has not */
    await(bide_insert(db, nameless, &n));
    await(bide_insert(db, keyless, &k));
    /* expect: the model keyless has no key */
    await(bide_update(db, keyless, &k, email));
    /* expect: the model keyless has not one key */
    await(bide_delete(db, keyless, 1));
    /* expect: a key or computed field of user cannot be updated */
    await(bide_update(db, user, &u, id));
    /* expect: the model user_out has no table */
    await(bide_insert(db, user_out, &view));
    /* expect: there is no table 'strays', which the model stray is of */
    await(bide_insert(db, stray, &s));
    /* expect: there is no table 'strays', which the model stray is of */
    await(bide_update(db, stray, &s, name));
    /* expect: there is no table 'strays', which the model stray is of */
    await(bide_delete(db, stray, 1));
    /* expect: there is no table 'strays', which the model stray is of */
    attempt(&err, bide_insert, db, stray, &s);
    /* expect: ON CONFLICT clause does not match any PRIMARY KEY or UNIQUE constraint */
    await(bide_upsert(db, user, &u, age));
    return bide_void;
}

static async(void) start(bide_app *app)
{
    (void)app;
    if (getenv("APP_NEVER")) {
        with(bide_database, db, "sqlite://:memory:") {
            await(right_ones(db));
            await(wrong_ones(db));
            await(wrong_writes(db));
        }
    }
    return bide_void;
}

static bide_app *make_app(void)
{
    return bide_app_new(.title = "Check", .start = start);
}

int main(int argc, char **argv)
{
    return bide_main(argc, argv, make_app);
}
