/*
 * problems.h: everything that is wrong with an input, at once.
 *
 * Reading a body, a form or parameters does not stop at the first wrong value: each one becomes a
 * problem, and the caller answers 422 with all of them. The form is that of pydantic:
 *
 *     [{"type":"missing","loc":["body","items",2,"name"],"msg":"Field required"}]
 *
 * Invariants
 *  1. At most BIDE_CAP_PROBLEMS (100) are kept; the rest is counted in `dropped`.
 *  2. No problem repeats the value it is about: a password does not leave in an error.
 *  3. All texts live in the arena.
 *
 * One thread uses a list at a time; nothing here suspends.
 *
 * layer: model
 */
#ifndef BIDE_PROBLEMS_H
#define BIDE_PROBLEMS_H

#include <bide/arena.h>
#include <bide/buf.h>
#include <bide/error.h>

typedef struct bide_problem {
    const char *type; /* what is wrong, one word for programs: "missing", "int_type" */
    const char *loc;  /* where, as a JSON array: ["body","items",2,"name"] */
    const char *msg;  /* the same for people */
    struct bide_problem *next;
} bide_problem;

typedef struct bide_problems {
    bide_arena *arena;
    bide_problem *first, *last; /* in the order in which they were found */
    size_t count;               /* kept ones */
    size_t dropped;             /* further ones, beyond the cap or without memory */
} bide_problems;

/* An empty list whose texts come from `arena`. */
void bide_problems_init(bide_problems *problems, bide_arena *arena);

/*
 * Adds one. `type` must stay (a literal), `loc` is a JSON array and is copied, `format` as
 * printf(3). Never fails: without memory it counts.
 */
void bide_problems_add(bide_problems *problems, const char *type, const char *loc,
                       const char *format, ...) __attribute__((__format__(__printf__, 4, 5)));

/* How many there are, dropped ones included. */
static inline size_t bide_problems_count(const bide_problems *problems)
{
    return problems->count + problems->dropped;
}

/* Writes the kept ones as a JSON array. Returns 0 or the buffer's error. */
int bide_problems_write(const bide_problems *problems, bide_buf *out);

/*
 * An error with code 422 whose message names the first problem and how many there are. For code
 * that reads outside of a request; the web layer answers with the whole list.
 */
bide_error *bide_problems_error(const bide_problems *problems) __attribute__((__returns_nonnull__));

#endif
