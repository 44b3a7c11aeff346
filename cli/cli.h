/*
 * What the files of the command share. It stands on libc alone: it must work where the library it
 * builds with is broken.
 *
 *     bide.c -> flags.c (which flags) -> cache.c (where to) -> build.c (what is stale) -> execv
 *     bide.c -> dev.c (again and again, in children)        bide.c -> new.c
 */
#ifndef BIDE_CLI_H
#define BIDE_CLI_H

#include <stdbool.h>
#include <stddef.h>

/* Exit statuses of the command itself; else it is the program's. */
enum { EXIT_BUILD = 1, EXIT_USAGE = 2 };

/* A list of words that ends with a NULL, as execv(3) takes it. The command frees nothing: it ends,
   or becomes the program. */
struct words {
    char **all;
    size_t count;
};

/* Prints `bide: ...` and ends the command. */
void die(int status, const char *format, ...)
    __attribute__((__noreturn__, __format__(__printf__, 2, 3)));

/* A formatted text, see printf(3). */
char *text_of(const char *format, ...) __attribute__((__format__(__printf__, 1, 2)));

/* A whole file; NULL when it cannot be read. */
char *read_file(const char *path);

void add_word(struct words *words, const char *word);
void add_words(struct words *words, const struct words *more);

/* Splits a text at its spaces as a shell would, with \ and quotes. NULL: nothing. */
void add_split(struct words *words, const char *text);

/* What a program is compiled and linked with. */
struct flags {
    struct words compiler; /* CC: perhaps more than one word */
    struct words compile, link;
};

/* From bide.pc, which is found from where the command itself is, and from CC, CFLAGS, CPPFLAGS,
   LDFLAGS, LDLIBS. */
struct flags find_flags(void);

/* The folder for what is built of a path: made, and locked until the command ends. */
char *open_cache(const char *path, const char *name);

/* The files that went into what was built in a folder. */
struct words inputs_of(const char *folder);

/* The sources of what a path names, a C file or a folder. Ends the command when it is neither. */
struct words sources_of(const char *path);

/* Builds what a path names, a C file or a folder; gives the program's path. Ends the command when
   that does not work. */
char *build(const char *path);

/* `bide dev`: see dev.c. Does not return. */
void run_dev(const char *path, char **arguments) __attribute__((__noreturn__));

/* `bide new`: makes the folder of an application; gives an exit status. */
int make_new(const char *path);

/* Builds the program of these sources in a folder, if it is not there or not of today; gives its
   path. Ends the command when it does not compile. */
char *build_program(const struct words *sources, const char *folder, const char *name);

#endif
