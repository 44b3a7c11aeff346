/*
 * Resource: a scope of one's own.
 *
 * RESOURCE(name, T, open, close) makes `with(name, variable, arguments of open)`. The close
 * function sees the error that leaves the block, or NULL, and may await: enough for connections,
 * transactions, temporary files. Opening that fails is not closed.
 */
#include <bide/bide.h>

#include <stdio.h>

typedef struct ledger {
    int balance, pending;
} ledger;
typedef ledger *ledger_ptr;
AWAITABLE(ledger_ptr);

static async(ledger_ptr) begin(ledger *book)
{
    await(bide_sleep(bide_ms(1)));
    book->pending = book->balance;
    return ready(ledger_ptr, book);
}

static async(void) end(ledger_ptr book, bide_error *error)
{
    await(bide_sleep(bide_ms(1)));
    if (error) {
        printf("rolled back: %s\n", error->message);
    } else {
        book->balance = book->pending;
        printf("committed: balance %d\n", book->balance);
    }
    return bide_void;
}

RESOURCE(booking, ledger_ptr, begin, end)

SPAWNABLE(void, pay, ledger *, int)
async(void) pay(ledger *book, int amount)
{
    with(booking, open, book) {
        if (amount == 0)
            return bide_void; /* leaving early commits as well */
        open->pending -= amount;
        if (open->pending < 0)
            fail(bide_error_new(1000, "%d is more than there is", amount));
    }
    return bide_void;
}

static async(void) app(void)
{
    ledger book = {.balance = 100};
    int amounts[] = {30, 0, 500};
    for (size_t i = 0; i < 3; i++) {
        bide_error *error;
        attempt(&error, pay, &book, amounts[i]);
    }
    printf("at the end: %d\n", book.balance);
    return bide_void;
}

int main(void)
{
    return bide_run(app, .virtual_clock = true);
}
