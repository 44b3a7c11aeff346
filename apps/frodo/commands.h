/*
 * The commands of frodo beside those of bide_main. Used by main.c.
 */
#ifndef FRODO_COMMANDS_H
#define FRODO_COMMANDS_H

#include "frodo.h"

extern const bide_command frodo_commands[];

/* Prints where everything is, once it serves in development. */
void frodo_started(bide_app *app, const char *address);

#endif
