/*
 * The commands of frodo beside those of bide_main, and what a start prints. Used by main.c, app.c.
 */
#ifndef FRODO_COMMANDS_H
#define FRODO_COMMANDS_H

#include "frodo.h"

/* An administrator if there is nobody, posts if there are none, and two lines that say so: a second
   time nothing changes. */
async(void) frodo_first(frodo *site);

extern const bide_command frodo_commands[];

/* Prints where everything is, once it serves in development. */
void frodo_started(bide_app *app, const char *address);

#endif
