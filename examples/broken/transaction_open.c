/* Another server is asked inside a transaction. docs/pitfalls/transaction_open.md. */
#include <bide/bide.h>

#include <stdio.h>

MODEL(payment, "payments", (i64, id, key, generated), (str, state));

SPAWNABLE(void, ask, bide_http_client_ptr)
async(void) ask(bide_http_client_ptr client)
{
    (void)await(bide_http_get(client, "http://127.0.0.1:1/charge")); /* nobody listens there */
    return bide_void;
}

static async(void) app(void)
{
    bide_error *error;
    with(bide_database, db, "sqlite://:memory:") {
        await(bide_create_table(db, payment));
        with(bide_http_client, client, NULL) {
            with_tx(tx, db) {
                await(bide_insert(tx, payment, &(payment){.state = "begun"}));
                attempt(&error, ask, client);
            }
        }
    }
    puts(error ? "the server did not answer" : "?");
    return bide_void;
}

int main(void)
{
    return bide_run(app);
}
