/*
 * Background work and stopping.
 *
 * Every task has an owner. What should outlive the function that starts it goes to the program's
 * group, bide_background(): it fails alone, its error goes to the error hook, and it is waited for
 * when main has ended. bide_until_stop waits for SIGTERM, SIGINT or bide_stop: the place where a
 * server stands.
 */
#include <bide/bide.h>

#include <stdio.h>

SPAWNABLE(void, send_mail, const char *)
async(void) send_mail(const char *to)
{
    await(bide_sleep(bide_s(3)));
    if (to[0] == '?')
        fail(bide_error_new(BIDE_INVALID, "'%s' is no address", to));
    printf("mail sent to %s\n", to);
    return bide_void;
}

static async(void) register_user(const char *address)
{
    spawn_void(bide_background(), send_mail, address);
    printf("registered %s\n", address); /* the answer does not wait for the mail */
    return bide_void;
}

SPAWNABLE(void, operator)
async(void) operator(void)
{
    await(bide_sleep(bide_s(1)));
    printf("operator: stop\n");
    bide_stop("maintenance");
    return bide_void;
}

static async(void) app(void)
{
    spawn_void(bide_background(), operator);
    await(register_user("ann@example.org"));
    await(register_user("?"));
    await(bide_until_stop());
    printf("main ends; the mails are still on their way\n");
    return bide_void;
}

static void on_background_error(const bide_error *error, void *arg)
{
    (void)arg;
    printf("in the background: %s\n", error->message);
}

int main(void)
{
    return bide_run(app, .virtual_clock = true, .error_hook = on_background_error);
}
