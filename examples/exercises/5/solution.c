/*
 * Exercise 5, the solution: the bank is another one in each test. See task.md.
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

/* ---- the tests ---- */

static bool was_paid;

static async(bool) pays(void)
{
    await(bide_yield());
    was_paid = true;
    return ready(bool, true);
}

static async(bool) declines(void)
{
    await(bide_yield());
    return ready(bool, false);
}

static async(bool) takes_a_minute(void)
{
    await(bide_sleep(bide_s(60)));
    return ready(bool, true);
}

static bank_account fake;

PROVIDER(bank_account *, fake_bank)
{
    provide(&fake);
}

/* The shop, whose bank does what the test says. */
static bide_app *make_shop(shop *s, payment *pay_by)
{
    bide_app *app = make_app(s);
    fake = (bank_account){.pay = pay_by};
    bide_app_override(app, bank, fake_bank);
    return app;
}

static const char three_apples[] = "{\"item\":\"apple\",\"count\":3}";

TEST(an_order_is_paid_and_taken_from_the_stock)
{
    shop s = {.stock = 12};
    with_client(client, make_shop(&s, pays)) {
        reply r = await(client_post(client, "/orders", json(three_apples)));
        check_int(r.status, 201);
        order made = reply_as(order, r);
        check_str(made.item, "apple");
        check_int(made.count, 3);
        check_int(made.left, 9);
        check_int(fake.asked_for, 15);
    }
}

TEST(wrong_orders_never_reach_the_bank)
{
    shop s = {.stock = 12};
    with_client(client, make_shop(&s, pays)) {
        reply r = await(client_post(client, "/orders", json("{\"count\":0}")));
        check_int(r.status, 422);
        check_int(json_count(r, "detail"), 2);
        check_str(json_str(r, "detail.0.loc.1"), "count");
        check_str(json_str(r, "detail.1.loc.1"), "item");
        check_int(fake.asked_for, 0);
        check_int(s.stock, 12);
    }
}

TEST(a_declined_order_goes_back)
{
    shop s = {.stock = 12};
    with_client(client, make_shop(&s, declines)) {
        reply r = await(client_post(client, "/orders", json(three_apples)));
        check_int(r.status, 402);
        check_str(json_str(r, "detail"), "the bank declines");
        check_int(s.stock, 12);
    }
}

TEST(a_slow_bank_is_given_up)
{
    shop s = {.stock = 12};
    with_client(client, make_shop(&s, takes_a_minute)) {
        int64_t start_ns = bide_clock_ns();
        reply r = await(client_post(client, "/orders", json(three_apples)));
        check_int(r.status, 504);
        check_int((bide_clock_ns() - start_ns) / 1000000000, PATIENCE_S);
        check_int(s.stock, 12);
    }
}

/* Runs at the end of the test, also when it was cancelled in the middle. */
static void nothing_is_lost(void *arg)
{
    const shop *s = arg;
    check_int(s->stock, was_paid ? 9 : 12);
}

TEST(a_cancel_loses_nothing, .cancel_everywhere = true)
{
    shop s = {.stock = 12};
    defer(nothing_is_lost, &s);
    with_client(client, make_shop(&s, pays)) {
        check_int(await(client_post(client, "/orders", json(three_apples))).status, 201);
    }
}
