/*
 * Names for code addresses, and the call chain of interrupted code: for reports.
 *
 * Names come from the symbol tables of the files that are loaded, so static functions have one too
 * (unless the file was stripped). Each lookup maps the file and reads its table from end to end:
 * about a millisecond, and no state, no memory, no lock of our own. Therefore all of it may be
 * called from any thread, and from the handler of a signal after which the process dies. Formats:
 * elf(5), dl_iterate_phdr(3).
 */
#ifndef BIDE_BASE_SYMBOL_H
#define BIDE_BASE_SYMBOL_H

#include <stdbool.h>
#include <stddef.h>

struct bide__symbol {
    char name[96];   /* of the function, cut; "" when the file does not tell */
    char object[64]; /* of the file, without its folder */
    size_t offset;   /* bytes from the function's start; without a name, the file's own address */
};

/* False: nothing that is loaded has this address. */
bool bide__symbol_find(const void *address, struct bide__symbol *ret_symbol);

/*
 * Writes `    #0 name + 0x1f (app)` lines, ended by a NUL; gives the length. The first address is
 * where code was interrupted, the others are return addresses. Equal neighbours are folded; lines
 * that do not fit are left out; `last` (or NULL) is the name of the function to stop before.
 */
size_t bide__symbol_frames(void *const *addresses, size_t count, const char *last, char *text,
                           size_t size);

/*
 * In a signal handler, with its third argument: the address where code was interrupted, and the
 * return addresses above it; gives how many, at most `capacity`. Call it once early, with NULL:
 * some unwinders allocate the first time.
 */
size_t bide__symbol_walk(const void *ucontext, void **ret_addresses, size_t capacity);

/*
 * Calls `see` for the section of that name in each file that is loaded, with where its bytes are
 * now. For what only tools read: nothing has to be registered for it. Not from handlers of signals.
 */
void bide__symbol_sections(const char *name, void (*see)(const void *bytes, size_t size, void *arg),
                           void *arg);

#endif
