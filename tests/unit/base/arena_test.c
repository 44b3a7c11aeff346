/* Arenas: alignment, the cap, the tree, the order of callbacks, and every allocation failing once.
 */
#include <bide/arena.h>

#include "base/caps.h"
#include "base/mem.h"

#include <bide/test.h>

#include <errno.h>
#include <string.h>

enum { MANY = 1 << 20 };

TEST_PLAIN(pieces_are_aligned_and_apart)
{
    bide_arena arena;
    bide_arena_init(&arena, NULL, MANY);
    unsigned char *pieces[200];
    for (int i = 0; i < 200; i++) {
        pieces[i] = bide_arena_alloc(&arena, (size_t)i);
        require(pieces[i]);
        check_int((uintptr_t)pieces[i] % 16, 0);
        memset(pieces[i], i, (size_t)i);
    }
    for (int i = 1; i < 200; i++) {
        check(pieces[i] != pieces[i - 1]);
        check(pieces[i][0] == i && pieces[i][i - 1] == i);
    }
    bide_arena_done(&arena);
}

TEST_PLAIN(strings)
{
    bide_arena arena;
    bide_arena_init(&arena, NULL, MANY);
    check_str(bide_arena_strdup(&arena, "text"), "text");
    check_str(bide_arena_strndup(&arena, "text", 2), "te");
    check_str(bide_arena_strndup(&arena, "text", SIZE_MAX), "text");
    check_str(bide_arena_printf(&arena, "%d-%s", 7, "x"), "7-x");
    char *zeroed = bide_arena_alloc_zero(&arena, 3, 5);
    check(zeroed && zeroed[0] == 0 && zeroed[14] == 0);
    volatile size_t huge = SIZE_MAX - 7; /* volatile: the compilers refuse to compile it */
    check_ptr(bide_arena_alloc_zero(&arena, huge / 2, 3), NULL);
    check_ptr(bide_arena_alloc(&arena, huge), NULL);
    check(bide_arena_copy(&arena, NULL, 0) != NULL);
    bide_arena_done(&arena);
}

TEST_PLAIN(nothing_is_held_before_the_first_piece)
{
    int64_t before = bide__mem_live();
    bide_arena arena;
    bide_arena_init(&arena, NULL, MANY);
    bide_arena_reset(&arena);
    check_int(bide__mem_live(), before);
    check_int(bide_arena_held_bytes(&arena), 0);
    bide_arena_done(&arena);
    bide_arena_done(&arena);
}

TEST_PLAIN(the_cap_holds_and_a_refusal_changes_nothing)
{
    bide_arena arena;
    bide_arena_init(&arena, NULL, 10000);
    size_t got = 0;
    while (bide_arena_alloc(&arena, 100))
        got += 100;
    check(bide_arena_held_bytes(&arena) <= 10000);
    check(got > (BIDE_DEBUG || BIDE__ASAN ? 3000 : 8000));
    size_t held = bide_arena_held_bytes(&arena);
    check_ptr(bide_arena_alloc(&arena, 10000), NULL);
    check_ptr(bide_arena_strdup(&arena, "0123456789012345678901234567890123456789012345678901234567"
                                        "89012345678901234567890123456789012345678901234567890123"),
              NULL);
    check_int(bide_arena_held_bytes(&arena), held);
    bide_arena_reset(&arena);
    check(bide_arena_alloc(&arena, 100) != NULL);
    bide_arena_done(&arena);
}

TEST_PLAIN(a_reset_keeps_one_usual_chunk)
{
    bide_arena arena;
    bide_arena_init(&arena, NULL, MANY);
    char *first = bide_arena_alloc(&arena, 8);
    for (int i = 0; i < 1000; i++)
        check(bide_arena_alloc(&arena, 200) != NULL);
    check(bide_arena_alloc(&arena, 300000) != NULL);
    check(bide_arena_held_bytes(&arena) > 500000);
    bide_arena_reset(&arena);
    check_int(bide_arena_held_bytes(&arena), BIDE_CAP_ARENA_FIRST_CHUNK_BYTES);
    check_ptr(bide_arena_alloc(&arena, 8), first);
    bide_arena_done(&arena);
    check_int(bide_arena_held_bytes(&arena), 0);

    bide_arena_init(&arena, NULL, MANY);
    check(bide_arena_alloc(&arena, 100000) != NULL);
    bide_arena_reset(&arena);
    check_int(bide_arena_held_bytes(&arena), 0);
    bide_arena_done(&arena);
}

TEST_PLAIN(a_large_piece_leaves_the_current_chunk_in_use)
{
    bide_arena arena;
    bide_arena_init(&arena, NULL, MANY);
    char *before = bide_arena_alloc(&arena, 16);
    check(bide_arena_alloc(&arena, 50000) != NULL);
    char *after = bide_arena_alloc(&arena, 16);
    check(after > before && after - before <= 32);
    bide_arena_done(&arena);
}

static char order[64];

static void note(void *name)
{
    strcat(order, name);
}

TEST_PLAIN(children_go_before_parents_and_the_last_callback_first)
{
    int64_t before = bide__mem_live();
    bide_arena root, *a, b, *leaf;
    bide_arena_init(&root, NULL, MANY);
    a = bide_arena_new(&root, MANY);
    bide_arena_init(&b, &root, MANY);
    leaf = bide_arena_new(&b, MANY);
    require(a && leaf);
    char *name = bide_arena_strdup(leaf, "L1 ");
    check_int(bide_arena_on_reset(leaf, note, name), 0);
    check_int(bide_arena_on_reset(&root, note, "R1 "), 0);
    check_int(bide_arena_on_reset(&root, note, "R2 "), 0);
    check_int(bide_arena_on_reset(a, note, "A1 "), 0);
    check_int(bide_arena_on_reset(&b, note, "B1 "), 0);
    order[0] = '\0';
    bide_arena_reset(&root);
    check_str(order, "L1 B1 A1 R2 R1 ");
    check_ptr(b.parent, NULL);
    bide_arena_done(&b);
    bide_arena_reset(&root);
    check_str(order, "L1 B1 A1 R2 R1 ");
    bide_arena_done(&root);
    check_int(bide__mem_live(), before);
}

TEST_PLAIN(a_child_that_ends_leaves_its_siblings)
{
    int64_t before = bide__mem_live();
    bide_arena root;
    bide_arena_init(&root, NULL, MANY);
    bide_arena *children[3];
    for (int i = 0; i < 3; i++) {
        children[i] = bide_arena_new(&root, MANY);
        require(children[i]);
        bide_arena_on_reset(children[i], note, i == 0 ? "0" : i == 1 ? "1" : "2");
    }
    order[0] = '\0';
    bide_arena_free(children[1]);
    check_str(order, "1");
    bide_arena_free(children[2]);
    check_str(order, "12");
    bide_arena_free(NULL);
    bide_arena_done(&root);
    check_str(order, "120");
    check_int(bide__mem_live(), before);
}

/* Builds a small tree; returns whether every step worked. */
static bool use_arenas(void)
{
    bide_arena root;
    bide_arena_init(&root, NULL, MANY);
    bool worked = true;
    bide_arena *child = bide_arena_new(&root, MANY);
    worked &= child != NULL;
    bide_arena *at = child ? child : &root;
    worked &= bide_arena_printf(at, "%0500d", 1) != NULL;
    int noted = bide_arena_on_reset(at, note, "x");
    check(noted == 0 || noted == -ENOMEM);
    worked &= noted == 0;
    for (int i = 0; i < 30; i++)
        worked &= bide_arena_alloc(&root, 700) != NULL;
    bide_arena_done(&root);
    return worked;
}

TEST_PLAIN(each_allocation_may_fail)
{
    int64_t before = bide__mem_live();
    for (unsigned n = 1;; n++) {
        require(n < 1000);
        order[0] = '\0';
        bide__mem_fail_at(n, false);
        bool worked = use_arenas();
        bool failed = bide__mem_failed();
        bide__mem_fail_at(0, false);
        check_int(bide__mem_live(), before);
        check(worked == !failed);
        if (!failed)
            break;
    }
    check_str(order, "x");
}

static void allocate(void *arena)
{
    bide_arena_alloc(arena, 1);
}

static void allocate_in_a_callback(void)
{
    bide_arena arena;
    bide_arena_init(&arena, NULL, MANY);
    bide_arena_on_reset(&arena, allocate, &arena);
    bide_arena_reset(&arena);
}

TEST_PLAIN(an_allocation_in_a_callback_is_reported)
{
    check_dies(allocate_in_a_callback, "in an arena that is being reset");
}

#if BIDE__ASAN
static void read_after_reset(void)
{
    bide_arena arena;
    bide_arena_init(&arena, NULL, MANY);
    volatile char *volatile piece = bide_arena_alloc(&arena, 8);
    bide_arena_reset(&arena);
    (void)*piece;
}

static void write_behind_a_piece(void)
{
    bide_arena arena;
    bide_arena_init(&arena, NULL, MANY);
    volatile char *volatile piece = bide_arena_alloc(&arena, 32); /* hides the size */
    bide_arena_alloc(&arena, 32);
    piece[32] = 1;
}

TEST_PLAIN(the_sanitizer_sees_into_arenas)
{
    check_dies(read_after_reset, "use-after-poison");
    check_dies(write_behind_a_piece, "use-after-poison");
}
#endif
