/*
 * The pages under /docs. Called by app.c when it starts.
 */
#ifndef BIDE_WEB_DOCS_PAGE_H
#define BIDE_WEB_DOCS_PAGE_H

#include "web/web.h"

/* Adds them. 0, or -EINVAL after bide__app_problem. */
int bide__docs_prepare(bide_app *app);

#endif
