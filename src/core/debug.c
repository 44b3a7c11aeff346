/*
 * `bide_debug`, which core/debug.h describes, and the note in the file that leads to it. The note
 * is in a loaded segment, so it can be found in a running process and in a core, in any kind of
 * executable or library, after `strip` too.
 *
 * Called by nobody; runtime.c refers to it, so that it is in every program.
 */
#include "core/debug.h"

#include "core/graph.h"
#include "core/loop.h"
#include "core/runtime.h"

#define OFFSET(name, type, member) (uint32_t) offsetof(type, member),
#define SIZE(name, type) (uint32_t)sizeof(type),
#define NUMBER(name, value) (value),

/* Named by the assembler below, which link-time optimisation does not look into. */
#if defined(__clang__)
#define NAMED_BY_ASSEMBLER __attribute__((used))
#else
#define NAMED_BY_ASSEMBLER __attribute__((used, externally_visible))
#endif
NAMED_BY_ASSEMBLER const struct bide__debug bide_debug = {
    .magic = BIDE__DEBUG_MAGIC,
    .version = BIDE__DEBUG_VERSION,
    .offset_count = BIDE__OFFSETS,
    .size_count = BIDE__SIZES,
    .number_count = BIDE__NUMBERS,
    .runtime = &bide__runtime_here,
    .kind_task = &bide__kind_task,
    .kind_group = &bide__kind_group,
    .offsets = {BIDE__DEBUG_OFFSETS(OFFSET)},
    .sizes = {BIDE__DEBUG_SIZES(SIZE)},
    .numbers = {BIDE__DEBUG_NUMBERS(NUMBER)},
};

/* Their names, in that order, for readers that were not built with this header. */
#define OFFSET_NAME(name, type, member) #name " "
#define SIZE_NAME(name, type) #name " "
#define NUMBER_NAME(name, value) #name " "
const char bide_debug_names[] =
    BIDE__DEBUG_OFFSETS(OFFSET_NAME) BIDE__DEBUG_SIZES(SIZE_NAME) BIDE__DEBUG_NUMBERS(NUMBER_NAME);

/* elf(5), "Notes": name size, descriptor size, type, name, descriptor: how far from itself. The
   hidden name keeps the distance a constant in shared libraries. */
__asm__(".hidden bide__debug_here\n\t"
        ".globl bide__debug_here\n\t"
        ".set bide__debug_here, bide_debug\n\t"
        ".pushsection .note.bide, \"a\", %note\n\t"
        ".balign 4\n\t"
        ".long 5, 8, 0x0b1de\n\t"
        ".asciz \"bide\"\n\t"
        ".balign 4\n"
        "1:\n\t"
        ".quad bide__debug_here - 1b\n\t"
        ".popsection");
_Static_assert(BIDE__NOTE_TYPE == 0x0b1de && sizeof BIDE__NOTE_NAME == 5, "as in the assembler");
