/* Another server is asked inside a transaction. docs/pitfalls/transaction_open.md. */
#include <bide/bide.h>

async(void) pay(bide_db *db, bide_http_client *shop);
async(void) pay(bide_db *db, bide_http_client *shop)
{
    with_tx(tx, db) {
        int64_t rows = await(bide_exec(tx, "update orders set state = 1 where id = 1"));
        (void)rows;
        (void)await(bide_http_get(shop, "/charge"));
    }
    return bide_void;
}
