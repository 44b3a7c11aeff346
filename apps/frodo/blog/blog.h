/*
 * The blog: posts with tags, comments and reactions, and the search over them.
 */
#ifndef FRODO_BLOG_H
#define FRODO_BLOG_H

#include "accounts/accounts.h"

ENUM(post_status, draft, published);

MODEL(post, "posts", (i64, id, key, generated), (i64, author_id), (str, slug, unique),
      (str, title, len(1, 200)), (str, content, len(0, 200000)), (str, excerpt),
      (post_status, status), (i64, version), (time, created_at, generated), (time, updated_at),
      (time, published_at, optional));
MODEL(tag, "tags", (i64, id, key, generated), (str, name, len(1, 40), unique));
MODEL(post_tag, "post_tags", (i64, id, key, generated), (i64, post_id), (i64, tag_id));
MODEL(comment, "comments", (i64, id, key, generated), (i64, post_id), (i64, author_id),
      (str, content, len(1, 4000)), (bool, hidden), (time, created_at, generated));
MODEL(reaction, "reactions", (i64, id, key, generated), (i64, post_id), (i64, user_id),
      (str, kind));
MODEL(post_term, "post_terms", (i64, id, key, generated), (i64, post_id), (str, term),
      (i32, weight));

#endif
