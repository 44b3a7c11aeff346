/*
 * Folders of files in an application. Called by app.c when it starts, by the dispatch for requests,
 * and by docs_page.c.
 */
#ifndef BIDE_WEB_FILES_H
#define BIDE_WEB_FILES_H

#include "web/web.h"

#include <bide/files.h>

struct bide__files {
    struct bide__files *next;
    struct bide_files options;
    struct bide__builtin below, itself; /* `prefix/{path:path}` and `prefix` */
    int folder;                         /* a descriptor, closed with the application */
};

/* Opens the folder and adds its pages. 0, or -EINVAL after bide__app_problem. */
int bide__files_prepare(bide_app *app, struct bide__files *files);

#endif
