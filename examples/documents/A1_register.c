/*
 * A1: the registration route that let everyone in.
 *
 * The document: `register` takes a session from get_session, calls check_email_code(email, code)
 * and answers 400 when it is false. get_session yields the session, rolls back on an error, closes
 * it and removes it from its registry.
 *
 * What goes wrong: three awaits are missing. The check gives a coroutine object, which is true: any
 * code passes. The rollback and the remove never run either; the author found only the first two.
 * Nobody consumes the code, and `except Exception` does not see a cancelled request.
 *
 * In bide: each of the three is refused by the compiler, at its line. The session is a with-block:
 * it rolls back on an error and on a cancel, commits before the reply is sent, and there is nothing
 * to close or to remove. The hash is a stand-in; password hashing comes with the auth layer.
 */
#include <bide/bide.h>
#include <bide/web_test.h>

#include <stdio.h>

MODEL(user, "users", (i64, id, key, generated), (str, email, email, unique), (hash, password));
VIEW(user_out, user, id, email);
MODEL(email_code, "email_codes", (i64, id, key, generated), (str, email, unique), (str, code),
      (time, expires_time));
MODEL(register_form, "", (str, email, email), (str, code, match("^[0-9]{6}$")),
      (plain_pw, password, len(8, 128)));

static async(bool) check_email_code(bide_tx *tx, const char *email, const char *code)
{
    int64_t used = await(bide_exec(tx,
                                   "delete from email_codes"
                                   " where email = $1 and code = $2 and expires_time > $3",
                                   email, code, bide_now_us()));
    return ready(bool, used == 1);
}

static int64_t digest(const char *password)
{
    uint64_t sum = 14695981039346656037u;
    for (; *password; password++)
        sum = (sum ^ (unsigned char)*password) * 1099511628211u;
    return (int64_t)(sum >> 1);
}
OFFLOADABLE(int64_t, digest, const char *)

PROVIDER(bide_tx *, get_session)
{
    with_tx(session, bide_app_db(req)) {
        provide(session);
    }
}

POST(register_user, "/register", user_out, status(201), body(register_form, form),
     depends(bide_tx *, session, get_session))
{
    int64_t hashed = await(offload(BIDE_CPU, digest, form->password.text));
    if (!await(check_email_code(session, form->email, form->code)))
        fail(http_error(400, "邮箱或验证码错误！"));
    const char *password = bide_arena_printf(bide_arena_of(req), "%llx", (long long)hashed);
    user row = {.email = form->email, .password = {password}};
    await(bide_insert(session, user, &row));
    return user_out_of(&row);
}

static async(void) try_it(bide_client_ptr client, bide_db *db, const char *email, const char *code)
{
    const char *form = bide_arena_printf(
        bide_task_arena(), "{\"email\":\"%s\",\"code\":\"%s\",\"password\":\"correct horse\"}",
        email, code);
    reply r = await(client_post(client, "/register", json(form)));
    printf("%s with %s: %d %s\n", email, code, r.status, r.body);
    printf("  users %lld, codes %lld\n",
           (long long)await(bide_scalar(db, i64, "select count(*) from users")),
           (long long)await(bide_scalar(db, i64, "select count(*) from email_codes")));
    return bide_void;
}

static async(void) give_code(bide_db *db, const char *email, const char *code)
{
    email_code row = {.email = email, .code = code, .expires_time = bide_now_us() + 300000000};
    await(bide_upsert(db, email_code, &row, email));
    return bide_void;
}

static async(void) app(void)
{
    with(bide_database, db, "sqlite://:memory:") {
        await(bide_create_table(db, user));
        await(bide_create_table(db, email_code));
        await(give_code(db, "ann@shire.example", "123456"));
        bide_app *site = bide_app_new(.title = "Users", .db = db);
        bide_app_add_all(site, "");
        with_client(client, site) {
            await(try_it(client, db, "ann@shire.example", "000000"));
            await(try_it(client, db, "ann@shire.example", "123456"));
            await(try_it(client, db, "ann@shire.example", "123456"));
            await(give_code(db, "ann@shire.example", "654321"));
            await(try_it(client, db, "ann@shire.example", "654321")); /* the code stays */
        }
    }
    return bide_void;
}

int main(void)
{
    return bide_run(app, .virtual_clock = true);
}
