/*
 * cell.h: a variable that several tasks read and change, and that notices a lost update.
 *
 *     static cell(int) balance = {.value = 100};
 *
 *     int now = cell_get(&balance);
 *     if (now >= sum) {
 *         await(ask_the_bank());                   // meanwhile another task sets it
 *         cell_set(&balance, now - sum);           // told: that one's change is lost
 *     }
 *
 * What is told, once per line, on stderr and in bide_findings_total; a test fails for it:
 *
 *     bide: lost update of a cell: task #12 read it at a.c:40, task #13 set it at a.c:52, task #12
 *     sets it at a.c:44
 *
 * Nothing is locked, and the value is set all the same. Where the new value must not depend on a
 * value of before the await, read it again right before: `cell_set(&c, cell_get(&c) - sum)`. Else
 * hold a mutex (mutex.h) from the read on.
 *
 * Invariants
 *  1. A set is told if the task has got the value, another task has set it since, and it has not
 *     got it again. A set by a task that never got it is an assignment.
 *  2. The last BIDE__CELL_READERS tasks that got it are known. With more of them at a time a lost
 *     update may go unseen; none is made up.
 *  3. It belongs to the tasks of one loop. Outside of tasks it is a plain variable.
 *
 * layer: core
 */
#ifndef BIDE_CELL_H
#define BIDE_CELL_H

#include <bide/detail.h>

enum { BIDE__CELL_READERS = 4 };

/* What is known of the accesses; all zero at first. */
struct bide__accesses {
    uint64_t version, writer; /* the id of the task that set it last; 0: none has */
    const struct bide_site *set_at;
    uint32_t oldest; /* the reader that is forgotten next */
    uint32_t era;    /* of the readers: the numbers of tasks start again with each bide_run */
    struct {
        uint64_t task, version;
        const struct bide_site *at;
    } readers[BIDE__CELL_READERS];
};

/*
 * cell(T) name; as a static, a member, or a local: the type, with the member `value`, which comes
 * first. Zeroed, or initialised as {.value = v}.
 */
#define bide_cell(...)                                                                             \
    struct {                                                                                       \
        __typeof__(__VA_ARGS__) value;                                                             \
        struct bide__accesses bide__access;                                                        \
    }

/* The value, and who got it where. `c` is evaluated once. Never suspends. */
#define bide_cell_get(c)                                                                           \
    __extension__({                                                                                \
        __typeof__(c) bide__got = (c);                                                             \
        bide__cell_get(&bide__got->bide__access, BIDE__SITE("cell_get"));                          \
        BIDE__ACQUIRE(bide__got);                                                                  \
        __auto_type bide__gotten = bide__got->value;                                               \
        BIDE__RELEASE(bide__got);                                                                  \
        bide__gotten;                                                                              \
    })

/* Sets the value; gives it. Both are evaluated once, the value first. Never suspends. */
#define bide_cell_set(c, ...)                                                                      \
    __extension__({                                                                                \
        __typeof__(c) bide__set = (c);                                                             \
        __typeof__(bide__set->value) bide__value = (__VA_ARGS__);                                  \
        bide__cell_set(&bide__set->bide__access, BIDE__SITE("cell_set"));                          \
        BIDE__ACQUIRE(bide__set);                                                                  \
        bide__set->value = bide__value;                                                            \
        BIDE__RELEASE(bide__set);                                                                  \
        bide__value;                                                                               \
    })

#ifndef BIDE_NO_KEYWORDS
#define cell(...) bide_cell(__VA_ARGS__)
#define cell_get(c) bide_cell_get(c)
#define cell_set(c, ...) bide_cell_set(c, __VA_ARGS__)
#endif

/* For the macros. */
void bide__cell_get(struct bide__accesses *access, const struct bide_site *at);
void bide__cell_set(struct bide__accesses *access, const struct bide_site *at);

#endif
