/*
 * The words of a text in any language: for slugs and for the search. Plain calls that never
 * suspend.
 *
 * A word is a run of letters and digits. Chinese, Japanese and Korean are not divided by spaces
 * alone, so each of their characters is a word that may follow the one before it at once.
 */
#ifndef FRODO_BLOG_WORDS_H
#define FRODO_BLOG_WORDS_H

#include <bide/bide.h>

enum {
    WORD_BYTES = 64,        /* of one word; the rest of a longer one is left out */
    SLUG_BYTES = 120,       /* without the number that makes it unique */
    TERMS_PER_POST = 10000, /* words that are looked at; those behind them are not found */
    TERMS_PER_SEARCH = 24,
};

/* Where a reader is, and the word that it found. */
typedef struct word_reader {
    const char *at; /* what is still to be read; set it to the text */
    char word[WORD_BYTES];
    size_t length;
    bool is_cjk;
    bool follows; /* nothing stands between the word before and this one */
} word_reader;

/* The next word: in lower case, full-width letters as usual ones, Korean letters put together as
   syllables. False at the end. */
bool word_next(word_reader *reader);

/* A term and how much it says about its post. */
typedef struct word_term {
    const char *text;
    int32_t weight;
} word_term;

/* What is collected of one post, or of one search. */
typedef struct word_terms {
    bide_arena *arena;
    word_term *items;
    size_t count, capacity;
} word_terms;

/* Adds the words of a text; of Chinese, Japanese and Korean the single characters and each pair.
   Raises BIDE_NO_MEMORY. */
void word_terms_add(word_terms *terms, const char *text, int32_t weight);

/* The same for what is searched for: of two characters and more only the pairs, which all must be
   there. At most TERMS_PER_SEARCH. */
void word_terms_wanted(word_terms *terms, const char *text);

/* Sorts them and makes one of those that are the same, with the sum of their weights. */
void word_terms_merge(word_terms *terms);

/* The text with letters in lower case, as word_next gives them. */
const char *text_lower(bide_arena *arena, const char *text, size_t length);

/* A title as a part of a URL: "Café 你好!" -> "café-你好"; "post" for one without words. */
const char *slug_of(bide_arena *arena, const char *title);

#endif
