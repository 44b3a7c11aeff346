/*
 * The commands of a program with databases: `migrate` and `check` (docs/migrations.md). Added to
 * those of bide_main by base/subcommand.h.
 */
#ifndef BIDE_DB_COMMAND_H
#define BIDE_DB_COMMAND_H

#include "base/subcommand.h"

/* connection.c names it, so that it is linked into a program that has queries. */
extern struct bide__subcommand bide__command_migrate;

#endif
