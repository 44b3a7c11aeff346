/*
 * Commands that other layers add to the command line of a program (bide/main.h): what is not linked
 * into a program has no command. Added by constructors, read by web/main.c.
 */
#ifndef BIDE_BASE_SUBCOMMAND_H
#define BIDE_BASE_SUBCOMMAND_H

struct bide__subcommand {
    const char *name;
    const char *usage; /* lines of the help */
    /* What follows the name, up to a NULL; `program` is for messages. Gives the exit status. */
    int (*run)(const char *program, char *const *arguments);
    struct bide__subcommand *next;
};

void bide__subcommand_add(struct bide__subcommand *command);

/* The first one. */
const struct bide__subcommand *bide__subcommands(void);

/* NULL: there is none of this name. */
const struct bide__subcommand *bide__subcommand_find(const char *name);

#endif
