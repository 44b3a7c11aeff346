/*
 * The pattern of a route, taken apart into its segments. Called by the router while routes are
 * added; calls arena.
 */
#ifndef BIDE_WEB_ROUTE_PATTERN_H
#define BIDE_WEB_ROUTE_PATTERN_H

#include <bide/arena.h>

#include <stddef.h>

enum {
    BIDE__ROUTE_PARAMETERS = 16,     /* of one route */
    BIDE__ROUTE_SEGMENTS = 64,       /* of one route */
    BIDE__ROUTE_PATTERN_BYTES = 1024 /* of one route, prefixes included */
};

enum bide__route_piece_kind {
    BIDE__ROUTE_LITERAL,   /* users; empty only as the last one, for a slash at the end */
    BIDE__ROUTE_PARAMETER, /* {name} */
    BIDE__ROUTE_REST       /* {name:path}, the last one */
};

struct bide__route_piece {
    enum bide__route_piece_kind kind;
    const char *text; /* of a literal, or the name; part of the pattern */
    size_t length;
};

struct bide__route_pattern {
    struct bide__route_piece pieces[BIDE__ROUTE_SEGMENTS];
    unsigned piece_count; /* at least 1 */
    unsigned parameter_count;
};

/* Returns NULL, or what is wrong with `text`: the end of a sentence, constant. `*ret_pattern` is
 * then of no use. */
const char *bide__route_pattern_parse(const char *text, struct bide__route_pattern *ret_pattern);

/* The bytes of a literal as they arrive: what is not a pchar of RFC 3986 section 3.3 is encoded.
 * They are in the arena, without a NUL. NULL when out of memory. */
char *bide__route_piece_encode(bide_arena *arena, const struct bide__route_piece *piece,
                               size_t *ret_length);

#endif
