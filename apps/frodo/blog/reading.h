/*
 * What posts.c, lists.c and changes.c share: the columns of a post, and its tags as a list.
 */
#ifndef FRODO_BLOG_READING_H
#define FRODO_BLOG_READING_H

#include "blog/blog.h"

#define POST_COLUMNS                                                                               \
    "select p.id, p.slug, p.title, p.excerpt, p.status, p.version, p.author_id, "                  \
    "u.username as author, p.created_at, p.updated_at, p.published_at"
#define POST_FROM " from posts p join users u on u.id = p.author_id "

/* Posts as post_row; SCOPE_OF(who) are the first binds. Whether somebody without a department is in
   one is null for SQL. */
#define POST_ROWS                                                                                  \
    POST_COLUMNS ", p.content, coalesce(" IN_SCOPE("u") ", false) as in_scope" POST_FROM

/* The names of these tags. Raises BIDE_NO_MEMORY. */
bide_list(str) tag_names(const post_tag_list *tags);

/* "2026-11-21", in UTC; NULL for 0. Raises BIDE_NO_MEMORY. */
const char *day_of(bide_time time);

#endif
