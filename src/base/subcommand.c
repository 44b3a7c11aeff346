/*
 * Commands that other layers add. See subcommand.h. Added by db/command.c, read by web/main.c.
 */
#include "base/subcommand.h"

#include <stddef.h>
#include <string.h>

static struct bide__subcommand *added; /* constructors run on one thread */

void bide__subcommand_add(struct bide__subcommand *command)
{
    command->next = added;
    added = command;
}

const struct bide__subcommand *bide__subcommands(void)
{
    return added;
}

const struct bide__subcommand *bide__subcommand_find(const char *name)
{
    const struct bide__subcommand *command = added;
    while (command && strcmp(command->name, name) != 0)
        command = command->next;
    return command;
}
