/*
 * B2: update(user, obj_in), where a password may be among the changes.
 *
 * The document: takes a dict or a model; of a model only what was set (exclude_unset). If there is
 * a password it is hashed, put under its other name, deleted under the first one, and all goes to
 * the base class.
 *
 * What goes wrong: without a password the look-up is a KeyError. The key to delete is misspelt, so
 * a change of the password always fails; deleted with a default instead, the plain text would go on
 * to the base class. The caller's dict is changed in place, and the hash is computed in the loop.
 *
 * In bide: a PARTIAL knows what was in the request. A plain password and a hash are different
 * types: one cannot be stored as the other. Fields are members: a misspelt one does not compile,
 * nor in the list of bide_update, which writes these and no others. The changes are const. The hash
 * is a stand-in; password hashing comes with the auth layer.
 */
#include <bide/bide.h>
#include <bide/web_test.h>

#include <stdio.h>
#include <string.h>

MODEL(user, "users", (i64, id, key, generated), (str, email, email, unique), (str, name),
      (hash, password));
VIEW(user_out, user, id, email, name);
MODEL(user_in, "", (str, email, email), (str, name), (plain_pw, password, len(8, 128)));
PARTIAL(user_changes, user_in, email, name, password);

static int64_t digest(const char *password)
{
    uint64_t sum = 14695981039346656037u;
    for (; *password; password++)
        sum = (sum ^ (unsigned char)*password) * 1099511628211u;
    return (int64_t)(sum >> 1);
}
OFFLOADABLE(int64_t, digest, const char *)

static async(bide_hash) hash_password(bide_plain_pw password)
{
    int64_t hashed = await(offload(BIDE_CPU, digest, password.text));
    const char *text = bide_arena_printf(bide_task_arena(), "toy$%llx", (long long)hashed);
    return ready(bide_hash, (bide_hash){text});
}

static async(void) update_user(bide_tx *tx, user *row, const user_changes *changes)
{
    if (bide_has(changes, email))
        row->email = changes->email;
    if (bide_has(changes, name))
        row->name = changes->name;
    if (bide_has(changes, password))
        row->password = await(hash_password(changes->password));
    await(bide_update(tx, user, row, email, name, password));
    return bide_void;
}

PATCH(change_user, "/users/{id}", user_out, path(i64, id), body(user_changes, changes))
{
    user *row = NULL;
    with_tx(tx, bide_app_db(req)) {
        row = await(bide_one(tx, user, "id = $1", id));
        await(update_user(tx, row, changes));
    }
    printf("  the changes %s a password\n",
           bide_has(changes, password) ? "still have" : "have not");
    return user_out_of(row);
}

static async(void) show(bide_client_ptr client, bide_db *db, const char *body)
{
    user *before = await(bide_one(db, user, "id = 1"));
    printf("PATCH %s\n", body);
    reply r = await(client_patch(client, "/users/1", json(body)));
    user *after = await(bide_one(db, user, "id = 1"));
    bool same = strcmp(before->password.text, after->password.text) == 0;
    printf("  %d %s\n  the hash is %s\n", r.status, r.body, same ? "the same" : "another");
    return bide_void;
}

static async(void) app(void)
{
    with(bide_database, db, "sqlite://:memory:") {
        await(bide_create_table(db, user));
        user ann = {.email = "ann@a.example", .name = "Ann"};
        ann.password = await(hash_password((bide_plain_pw){"old password"}));
        await(bide_insert(db, user, &ann));
        bide_app *site = bide_app_new(.title = "Users", .db = db);
        bide_app_add_all(site, "");
        with_client(client, site) {
            await(show(client, db, "{\"name\":\"Anna\"}"));
            await(show(client, db, "{\"password\":\"new password\"}"));
            await(show(client, db, "{\"email\":\"anna@a.example\",\"password\":\"short\"}"));
        }
    }
    return bide_void;
}

int main(void)
{
    return bide_run(app, .virtual_clock = true);
}
