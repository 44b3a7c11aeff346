/*
 * A file of settings: NAME=value lines into a list. Called by settings.c; pure. The form is told in
 * bide/settings.h.
 */
#ifndef BIDE_MODEL_SETTINGS_FILE_H
#define BIDE_MODEL_SETTINGS_FILE_H

#include <bide/arena.h>

struct bide__settings_line {
    struct bide__settings_line *next; /* in the order of the file */
    const char *name, *value;
    const char *wrong; /* what is wrong with the line, or NULL; then name and value are "" */
    int number;        /* from 1: where it begins */
    bool used;         /* for the caller */
};

/* The lines that say something; all texts in the arena. Returns 0 or -ENOMEM. */
int bide__settings_lines(bide_arena *arena, const char *text,
                         struct bide__settings_line **ret_first);

#endif
