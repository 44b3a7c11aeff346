/*
 * frodo: the command line. `run`, `routes`, `openapi`, `check`, `migrate` come with bide_main, the
 * others are in commands.c.
 */
#include "commands.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* `migrate` and `check` ask the environment where the database and its migrations are: what these
   settings say, unless it says so itself. Queries are checked on SQLite. */
static int place_migrations(const char *command)
{
    bide_arena arena;
    bool is_check = strcmp(command, "check") == 0;
    if (!is_check && strcmp(command, "migrate") != 0)
        return 0;
    bide_arena_init(&arena, NULL, 1 << 20);
    bide_settings *read = frodo_settings_read(&arena);
    size_t problems = bide_settings_problems(read, stderr);
    if (problems == 0) {
        const char *url = bide_settings_row(frodo_settings, read)->database_url;
        setenv("DATABASE_URL", url, 0);
        setenv("BIDE_MIGRATIONS", frodo_migrations(&arena, is_check ? "sqlite:" : url), 0);
    }
    bide_arena_done(&arena);
    return problems == 0 ? 0 : 2;
}

int main(int argc, char **argv)
{
    int status = place_migrations(argc > 1 ? argv[1] : "run");
    if (status != 0)
        return status;
    return bide_main(argc, argv, frodo_app, .commands = frodo_commands, .started = frodo_started);
}
