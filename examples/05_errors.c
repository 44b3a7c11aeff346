/*
 * Errors: `fail` raises, `attempt` catches, and only at a call.
 *
 * An error unwinds the stack to the nearest boundary and runs all cleanups on the way; functions in
 * between need no code for it. It knows its line, the awaits it passed through, what it was raised
 * from and what else failed meanwhile. An error that nobody catches ends the program with status 1
 * and a report: none is lost.
 */
#include <bide/bide.h>

#include <stdio.h>

enum { NO_SUCH_FILE = 1000, NO_CONFIGURATION };

static async(int) read_port(const char *path)
{
    await(bide_sleep(bide_ms(1)));
    if (path[0] != '/')
        fail(bide_error_new(NO_SUCH_FILE, "'%s' does not exist", path));
    return ready(int, 8080);
}

SPAWNABLE(int, configure, const char *)
async(int) configure(const char *path)
{
    return ready(int, await(read_port(path))); /* passes an error on without a word */
}

SPAWNABLE(int, start, const char *)
async(int) start(const char *path)
{
    bide_error *error;
    int port = attempt(&error, configure, path);
    if (error)
        fail(bide_error_because(bide_error_new(NO_CONFIGURATION, "cannot start"), error));
    return ready(int, port);
}

static async(void) app(void)
{
    bide_error *error;
    int port = attempt(&error, start, "/etc/app.conf");
    printf("port %d, %s\n", port, error ? "an error" : "no error");

    port = attempt(&error, start, "app.conf");
    printf("port %d, error %d: %s\n", port, error->code, error->message);
    printf("because of error %d: %s\n", error->cause->code, error->cause->message);
    printf("raised in %s, awaited in %s\n", error->cause->at->function,
           error->cause->awaits[0]->function);
    return bide_void;
}

int main(void)
{
    return bide_run(app, .virtual_clock = true);
}
