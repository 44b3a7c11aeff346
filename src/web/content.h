/*
 * What is sent of a file: all of it or ranges, from memory or from where it is. Called by files.c
 * and file_reply.c, which add what a reply says of the file.
 *
 * Source: RFC 9110 14, 15.3.7, 15.5.17.
 */
#ifndef BIDE_WEB_CONTENT_H
#define BIDE_WEB_CONTENT_H

#include "web/folder.h"
#include "web/web.h"

/* The conditions of a request that asks for something; none of any other method. */
struct bide__http_condition bide__content_condition(const bide_request *req);

/* Answers 304 or 412. */
void bide__content_refuse(bide_request *req, int precondition);

/* Answers with ranges of a file with this stamp, if the request asks for some that are there (206),
   or for none that are (416). `memory`: all of its bytes. False: all of it is to be sent. In a
   task; raises BIDE_NO_MEMORY. */
bool bide__content_ranges(bide_request *req, const struct bide__file_stamp *stamp, const char *type,
                          const struct bide__http_condition *condition, const char *memory);

/* Answers with an open file or ranges of it; the descriptor is closed when the reply is sent, or
   dropped. The same. */
void bide__content_file(bide_request *req, const struct bide__file_stamp *stamp, const char *type,
                        const struct bide__http_condition *condition, int fd);

#endif
