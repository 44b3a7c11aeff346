/*
 * What is made of a post when it is written: changes.c, also used by seed.c.
 */
#ifndef FRODO_BLOG_MAKING_H
#define FRODO_BLOG_MAKING_H

#include "blog/blog.h"
#include "blog/words.h"

/* The first words of the prose of a Markdown text, with one space between them. */
const char *excerpt_of(const char *content);

/* What a search finds the post by: the words of its title, its tags, its text. */
word_terms terms_of(const post *p, bide_list(str) tags);

#endif
