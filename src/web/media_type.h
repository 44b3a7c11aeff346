/*
 * Media types of files, by the ends of their names. Called by files.c, gzip.c and render.c.
 */
#ifndef BIDE_WEB_MEDIA_TYPE_H
#define BIDE_WEB_MEDIA_TYPE_H

#include <stdbool.h>

/* "text/css; charset=utf-8" for "a/site.CSS"; "application/octet-stream" for what is not known. */
const char *bide__media_type(const char *path);

/* Whether a type is that of an event stream, with or without parameters. */
bool bide__media_is_events(const char *type);

/* Whether a type, with or without parameters, is of texts or of what is as good as one. An event
   stream is never whole, so it is not. */
bool bide__media_compressible(const char *type);

#endif
