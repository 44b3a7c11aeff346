/*
 * Exercise 5, the start: a shop, and a test that says little. See task.md.
 */
#include <bide/bide.h>
#include <bide/test.h>
#include <bide/web_test.h>

MODEL(order_in, "", (str, item, len(1, 20)), (i32, count, range(1, 10)));
MODEL(order, "orders", (str, item), (i32, count), (i32, left));

typedef struct shop {
    int32_t stock;
} shop;

/* Takes an amount and gives whether it was paid. */
typedef async_fn(bool) payment(void);

typedef struct bank_account {
    payment *pay;
    int64_t asked_for;
} bank_account;

SPAWNABLE(bool, pay, bank_account *, int64_t)
async(bool) pay(bank_account *account, int64_t amount)
{
    account->asked_for += amount;
    return account->pay();
}

static async(bool) real_payment(void)
{
    fail(http_error(503, "no bank here"));
}

PROVIDER(bank_account *, bank)
{
    static bank_account account = {.pay = real_payment};
    provide(&account);
}

typedef struct reservation {
    shop *from;
    int32_t count;
} reservation;

static void put_back(void *arg)
{
    const reservation *taken = arg;
    taken->from->stock += taken->count;
}

enum { PRICE = 5, PATIENCE_S = 3 };

POST(add_order, "/orders", order, status(201), body(order_in, form),
     depends(bank_account *, account, bank))
{
    shop *s = bide_app_state(req);
    bool timed_out = false;
    if (s->stock < form->count)
        fail(http_error(409, "only %d left", s->stock));
    reservation taken = {s, form->count};
    s->stock -= form->count;
    on_error(put_back, &taken); /* a cancel too */
    bool paid =
        move_on_after(&timed_out, bide_s(PATIENCE_S), pay, account, (int64_t)form->count * PRICE);
    if (timed_out)
        fail(http_error(504, "the bank does not answer"));
    if (!paid)
        fail(http_error(402, "the bank declines"));
    return (order){.item = form->item, .count = form->count, .left = s->stock};
}

static bide_app *make_app(shop *s)
{
    bide_app *app = bide_app_new(.title = "Shop", .state = s);
    bide_app_add_all(app, "");
    return app;
}

TEST(the_shop_opens)
{
    shop s = {.stock = 12};
    with_client(client, make_app(&s)) {
        reply r = await(client_get(client, "/orders"));
        check_int(r.status, 405);
    }
}
