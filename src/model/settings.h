/*
 * What settings.c makes and settings_print.c shows.
 */
#ifndef BIDE_MODEL_SETTINGS_H
#define BIDE_MODEL_SETTINGS_H

#include "model/model.h"

#include <bide/settings.h>

struct bide__setting {
    struct bide__setting *next;
    const char *name;     /* "smtp.host" */
    const char *variable; /* "APP_SMTP__HOST" */
    const char *source;   /* for people */
    const bide_field *field;
    const void *value; /* NULL: null */
};

struct bide__settings_problem {
    struct bide__settings_problem *next;
    const char *where, *message;
};

struct bide_settings {
    bide_arena *arena; /* this, and everything below */
    const bide_model *model;
    void *row;
    struct bide__setting *first, **end; /* in the order of the fields */
    struct bide__settings_problem *problems, **problems_end;
    size_t problem_count; /* all, also those that are not kept */
    bool no_memory;       /* then nothing above counts */
};

#endif
