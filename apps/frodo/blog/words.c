/*
 * Characters, words, terms and slugs: words.h. Called by changes.c and lists.c.
 *
 * Which characters are letters is said by the blocks of Unicode: in those of letters nearly all
 * are, in those of signs none. Source: Unicode 15, chapters 7 to 18 (blocks), 3.12 (Hangul).
 */
#include "blog/words.h"

#include <stdlib.h>
#include <string.h>

typedef struct range {
    uint32_t first, last;
} range;

/* Everything above U+007F that is no letter. */
static const range signs[] = {
    {0x80, 0xA9},     {0xAB, 0xB4},     {0xB6, 0xB9},       {0xBB, 0xBF},        {0xD7, 0xD7},
    {0xF7, 0xF7},     {0x2000, 0x2BFF}, {0x2E00, 0x2E7F},   {0x3000, 0x3004},    {0x3008, 0x3020},
    {0x3030, 0x303F}, {0x30FB, 0x30FB}, {0x3200, 0x33FF},   {0xD800, 0xF8FF},    {0xFE00, 0xFE1F},
    {0xFE30, 0xFE6F}, {0xFEFF, 0xFEFF}, {0xFF00, 0xFF0F},   {0xFF1A, 0xFF20},    {0xFF3B, 0xFF40},
    {0xFF5B, 0xFF65}, {0xFFE0, 0xFFFF}, {0x1F000, 0x1FAFF}, {0xE0000, 0x10FFFF},
};

static const range cjk[] = {
    {0x1100, 0x11FF}, {0x2E80, 0x2FDF}, {0x3005, 0x3007},   {0x3021, 0x3029},   {0x3031, 0x318F},
    {0x31A0, 0x31FF}, {0x3400, 0x4DBF}, {0x4E00, 0x9FFF},   {0xA960, 0xA97F},   {0xAC00, 0xD7FF},
    {0xF900, 0xFAFF}, {0xFF66, 0xFFDC}, {0x16FE0, 0x18CFF}, {0x1B000, 0x1B16F}, {0x20000, 0x3FFFF},
};

#define IN(table, c) is_in(table, sizeof(table) / sizeof *(table), c)
static bool is_in(const range *table, size_t count, uint32_t c)
{
    for (size_t i = 0; i < count && table[i].first <= c; i++)
        if (c <= table[i].last)
            return true;
    return false;
}

static bool is_letter(uint32_t c)
{
    if (c < 0x80)
        return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    return !IN(signs, c);
}

/* The lower case of Latin, Greek and Cyrillic letters; full-width ones as usual ones. */
static uint32_t fold(uint32_t c)
{
    if (c >= 0xFF10 && c <= 0xFF5A)
        c -= 0xFEE0;
    if ((c >= 'A' && c <= 'Z') || (c >= 0xC0 && c <= 0xDE && c != 0xD7) ||
        (c >= 0x391 && c <= 0x3A9) || (c >= 0x410 && c <= 0x42F))
        return c + 0x20;
    if (c >= 0x400 && c <= 0x40F)
        return c + 0x50;
    bool is_even_upper = (c >= 0x100 && c <= 0x137) || (c >= 0x14A && c <= 0x177) ||
                         (c >= 0x460 && c <= 0x52F) || (c >= 0x1E00 && c <= 0x1EFF);
    bool is_odd_upper = (c >= 0x139 && c <= 0x148) || (c >= 0x179 && c <= 0x17E);
    if ((is_even_upper && c % 2 == 0) || (is_odd_upper && c % 2 == 1))
        return c + 1;
    return c;
}

/* The character at `at` and how many bytes it has; 0 and 1 for bytes that are none. */
static uint32_t character(const char *at, size_t *ret_bytes)
{
    const unsigned char *b = (const unsigned char *)at;
    size_t bytes = b[0] < 0x80 ? 1 : b[0] >= 0xF0 ? 4 : b[0] >= 0xE0 ? 3 : b[0] >= 0xC0 ? 2 : 0;
    uint32_t c = bytes == 1 ? b[0] : bytes ? b[0] & (0xFFU >> (bytes + 1)) : 0;
    for (size_t i = 1; i < bytes; i++) {
        if ((b[i] & 0xC0) != 0x80) {
            *ret_bytes = i;
            return 0;
        }
        c = c << 6 | (b[i] & 0x3F);
    }
    *ret_bytes = bytes ? bytes : 1;
    return c;
}

static size_t encode(uint32_t c, char *out)
{
    if (c < 0x80) {
        out[0] = (char)c;
        return 1;
    }
    size_t bytes = c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    for (size_t i = bytes; i-- > 1; c >>= 6)
        out[i] = (char)(0x80 | (c & 0x3F));
    out[0] = (char)((0xF00 >> bytes & 0xFF) | c);
    return bytes;
}

/* A syllable from its letters, as files of some systems have them: lead, vowel, maybe a tail. */
static uint32_t syllable(uint32_t lead, const char **at)
{
    size_t bytes;
    uint32_t vowel = character(*at, &bytes);
    if (lead < 0x1100 || lead > 0x1112 || vowel < 0x1161 || vowel > 0x1175)
        return lead;
    *at += bytes;
    uint32_t made = 0xAC00 + ((lead - 0x1100) * 21 + (vowel - 0x1161)) * 28;
    uint32_t tail = character(*at, &bytes);
    if (tail < 0x11A8 || tail > 0x11C2)
        return made;
    *at += bytes;
    return made + (tail - 0x11A7);
}

/* "don't" is one word. */
static bool is_apostrophe(const char *at, size_t bytes, uint32_t c)
{
    size_t next;
    return (c == '\'' || c == 0x2019) && is_letter(character(at + bytes, &next));
}

bool word_next(word_reader *reader)
{
    const char *from = reader->at, *at = from;
    bool is_first = reader->length == 0;
    size_t bytes;
    uint32_t c;
    while (*at && !is_letter(character(at, &bytes)))
        at += bytes;
    reader->follows = at == from && !is_first;
    reader->length = 0;
    for (; *at; at += bytes) {
        c = character(at, &bytes);
        if (reader->length > 0 && is_apostrophe(at, bytes, c))
            continue;
        if (!is_letter(c))
            break;
        bool is_cjk = IN(cjk, c) && !(c >= 0xFF10 && c <= 0xFF5A);
        if (is_cjk && reader->length > 0)
            break;
        if (is_cjk) {
            at += bytes;
            c = syllable(c, &at);
            bytes = 0;
        }
        if (reader->length + 4 <= WORD_BYTES)
            reader->length += encode(fold(c), reader->word + reader->length);
        reader->is_cjk = is_cjk;
        if (is_cjk)
            break;
    }
    reader->at = at;
    return reader->length > 0;
}

static void add(word_terms *terms, const char *first, size_t first_length, const char *second,
                size_t second_length, int32_t weight)
{
    if (terms->count == terms->capacity) {
        size_t capacity = terms->capacity ? terms->capacity * 2 : 64;
        word_term *grown = bide_arena_alloc_zero(terms->arena, capacity, sizeof *grown);
        if (!grown)
            fail(bide_error_new(BIDE_NO_MEMORY, "no memory for the words of a text"));
        if (terms->count)
            memcpy(grown, terms->items, terms->count * sizeof *grown);
        terms->items = grown;
        terms->capacity = capacity;
    }
    char *text = bide_arena_alloc(terms->arena, first_length + second_length + 1);
    if (!text)
        fail(bide_error_new(BIDE_NO_MEMORY, "no memory for the words of a text"));
    memcpy(text, first, first_length);
    memcpy(text + first_length, second, second_length);
    text[first_length + second_length] = '\0';
    terms->items[terms->count++] = (word_term){text, weight};
}

void word_terms_add(word_terms *terms, const char *text, int32_t weight)
{
    word_reader reader = {.at = text}, before = {.at = ""};
    while (terms->count + 1 < TERMS_PER_POST && word_next(&reader)) {
        add(terms, reader.word, reader.length, "", 0, weight);
        if (reader.is_cjk && before.is_cjk && reader.follows)
            add(terms, before.word, before.length, reader.word, reader.length, weight);
        before = reader;
    }
}

void word_terms_wanted(word_terms *terms, const char *text)
{
    word_reader reader = {.at = text}, before = {.at = ""};
    bool is_paired = true; /* `before` is in a term already */
    while (terms->count < TERMS_PER_SEARCH && word_next(&reader)) {
        bool is_pair = reader.is_cjk && before.is_cjk && reader.follows;
        if (is_pair)
            add(terms, before.word, before.length, reader.word, reader.length, 1);
        else if (!is_paired)
            add(terms, before.word, before.length, "", 0, 1);
        if (!reader.is_cjk)
            add(terms, reader.word, reader.length, "", 0, 1);
        is_paired = is_pair || !reader.is_cjk;
        before = reader;
    }
    if (!is_paired && terms->count < TERMS_PER_SEARCH)
        add(terms, before.word, before.length, "", 0, 1);
}

static int compare(const void *a, const void *b)
{
    return strcmp(((const word_term *)a)->text, ((const word_term *)b)->text);
}

void word_terms_merge(word_terms *terms)
{
    size_t kept = 0;
    if (terms->count > 0)
        qsort(terms->items, terms->count, sizeof *terms->items, compare);
    for (size_t i = 0; i < terms->count; i++) {
        if (kept > 0 && strcmp(terms->items[kept - 1].text, terms->items[i].text) == 0)
            terms->items[kept - 1].weight += terms->items[i].weight;
        else
            terms->items[kept++] = terms->items[i];
    }
    terms->count = kept;
}

const char *text_lower(bide_arena *arena, const char *text, size_t length)
{
    char *lower = bide_arena_alloc(arena, length * 2 + 1); /* a few letters take a byte more */
    size_t kept = 0, bytes;
    if (!lower)
        fail(bide_error_new(BIDE_NO_MEMORY, "no memory for a text"));
    for (const char *at = text; at < text + length; at += bytes) {
        uint32_t c = character(at, &bytes);
        if (c)
            kept += encode(fold(c), lower + kept);
    }
    lower[kept] = '\0';
    return lower;
}

const char *slug_of(bide_arena *arena, const char *title)
{
    char slug[SLUG_BYTES + 1];
    size_t length = 0;
    word_reader reader = {.at = title};
    while (word_next(&reader)) {
        bool needs_hyphen = length > 0 && !reader.follows;
        if (length + needs_hyphen + reader.length > SLUG_BYTES)
            break;
        if (needs_hyphen)
            slug[length++] = '-';
        memcpy(slug + length, reader.word, reader.length);
        length += reader.length;
    }
    slug[length] = '\0';
    const char *kept = bide_arena_strdup(arena, length > 0 ? slug : "post");
    if (!kept)
        fail(bide_error_new(BIDE_NO_MEMORY, "no memory for a slug"));
    return kept;
}
