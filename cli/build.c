/*
 * Compiling what has changed. Beside each object lies a stamp: the command that made it and every
 * file that went into it, as the compiler tells, with size, time and inode. It is of today if the
 * same stamp would be written now; so a file that became older counts as well as one that became
 * newer. A file that changed while it was compiled gives no stamp, and is compiled again.
 *
 * Invariant
 *  1. What is built replaces the old by rename(2): nobody runs half of a program.
 */
#include "cli.h"

#include <dirent.h>
#include <errno.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

/* Something to be made by a command from files. */
struct target {
    char *path;           /* of the result; .new and .stamp are behind it */
    struct words command; /* writes `path`.new */
    char *dependencies;   /* where the command says what went into it; NULL: `inputs` are it */
    struct words inputs;
    struct timespec started;
    pid_t running; /* 0: no */
};

/* ---- stamps ---- */

static bool is_before(struct timespec a, struct timespec b)
{
    return a.tv_sec < b.tv_sec || (a.tv_sec == b.tv_sec && a.tv_nsec < b.tv_nsec);
}

/* The stamp that would be written now; NULL: a file is gone, or not older than `limit` (if any). */
static char *stamp_of(const struct target *target, const struct words *files,
                      const struct timespec *limit)
{
    char *text;
    size_t size;
    bool good = true;
    FILE *out = open_memstream(&text, &size);
    if (!out)
        die(EXIT_BUILD, "out of memory");
    for (size_t i = 0; i < target->command.count; i++)
        fprintf(out, "%s ", target->command.all[i]);
    for (size_t i = 0; i < files->count && good; i++) {
        struct stat status;
        good = stat(files->all[i], &status) == 0 && (!limit || is_before(status.st_mtim, *limit));
        if (good)
            fprintf(out, "\n%lld %lld.%09ld %llu %s", (long long)status.st_size,
                    (long long)status.st_mtim.tv_sec, status.st_mtim.tv_nsec,
                    (unsigned long long)status.st_ino, files->all[i]);
    }
    fclose(out);
    return good ? text : NULL;
}

/* The files of a stamp: what stands behind the three numbers of each line but the first. */
static struct words files_of_stamp(const char *stamp)
{
    struct words files = {NULL, 0};
    char *text = text_of("%s", stamp);
    strsep(&text, "\n");
    for (char *line; (line = strsep(&text, "\n"));) {
        for (int i = 0; i < 3 && line; i++)
            strsep(&line, " ");
        if (line)
            add_word(&files, line);
    }
    return files;
}

struct words inputs_of(const char *folder)
{
    struct words all = {NULL, 0};
    DIR *entries = opendir(folder);
    for (const struct dirent *entry; entries && (entry = readdir(entries));) {
        const char *dot = strrchr(entry->d_name, '.');
        char *stamp = dot && strcmp(dot, ".stamp") == 0
                          ? read_file(text_of("%s/%s", folder, entry->d_name))
                          : NULL;
        struct words files = files_of_stamp(stamp ? stamp : "");
        add_words(&all, &files);
    }
    if (entries)
        closedir(entries);
    return all;
}

static bool is_of_today(const struct target *target)
{
    char *stamp = read_file(text_of("%s.stamp", target->path));
    if (!stamp || access(target->path, R_OK) != 0)
        return false;
    struct words files = files_of_stamp(stamp);
    char *now = stamp_of(target, &files, NULL);
    return now && strcmp(now, stamp) == 0;
}

/* The files of a rule for make(1): `object: file file \` and so on, with escaped spaces. */
static struct words files_of_rule(const char *path)
{
    struct words files = {NULL, 0};
    char *text = read_file(path);
    char *at = text ? strstr(text, ": ") : NULL;
    if (!at)
        return files;
    for (at += 2; *at;) {
        char *word = at, *to = at;
        while (*at && !strchr(" \n", *at)) {
            if (at[0] == '\\' && at[1] == '\n')
                break;
            if ((at[0] == '\\' && (at[1] == ' ' || at[1] == '#')) || (at[0] == '$' && at[1] == '$'))
                at++;
            *to++ = *at++;
        }
        bool ends = *at == '\0';
        while (*at == ' ' || *at == '\n' || *at == '\\')
            at++;
        *to = '\0';
        if (*word)
            add_word(&files, word);
        if (ends)
            break;
    }
    return files;
}

/* ---- commands ---- */

static void start(struct target *target)
{
    /* the clock of file times */
    clock_gettime(CLOCK_REALTIME_COARSE, &target->started);
    char **command = target->command.all;
    int error = posix_spawnp(&target->running, command[0], NULL, NULL, command, environ);
    if (error)
        die(EXIT_BUILD, "%s: %s", command[0], strerror(error));
}

static void write_stamp(const struct target *target)
{
    char *stamp = NULL;
    if (!target->dependencies) {
        stamp = stamp_of(target, &target->inputs, NULL); /* our own, behind the lock */
    } else {
        struct words files = files_of_rule(target->dependencies);
        if (files.count > 0)
            stamp = stamp_of(target, &files, &target->started);
    }
    FILE *out = stamp ? fopen(text_of("%s.stamp", target->path), "we") : NULL;
    if (!out)
        return; /* it is built again the next time */
    fputs(stamp, out);
    fclose(out);
}

/* Waits for one of them; whether it succeeded. */
static bool finish_one(struct target *targets, size_t count)
{
    int status;
    pid_t pid = wait(&status);
    if (pid < 0)
        die(EXIT_BUILD, "waiting for the compiler: %s", strerror(errno));
    for (size_t i = 0; i < count; i++) {
        if (targets[i].running != pid)
            continue;
        targets[i].running = 0;
        if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
            return false;
        if (rename(text_of("%s.new", targets[i].path), targets[i].path) < 0)
            die(EXIT_BUILD, "%s: %s", targets[i].path, strerror(errno));
        write_stamp(&targets[i]);
    }
    return true;
}

/* Makes what is not of today, as many at a time as there are cores. */
static bool make_targets(struct target *targets, size_t count)
{
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    long running = 0;
    bool good = true;
    for (size_t i = 0; i < count && good; i++) {
        if (is_of_today(&targets[i]))
            continue;
        unlink(text_of("%s.stamp", targets[i].path));
        start(&targets[i]);
        running++;
        for (; running > 0 && running >= cores; running--)
            good = finish_one(targets, count) && good;
    }
    for (; running > 0; running--)
        good = finish_one(targets, count) && good;
    return good;
}

/* ---- the program ---- */

static struct target object_of(const struct flags *flags, const char *source, const char *folder)
{
    const char *slash = strrchr(source, '/');
    struct target target = {.path = text_of("%s/%s.o", folder, slash ? slash + 1 : source)};
    target.dependencies = text_of("%s.d", target.path);
    add_words(&target.command, &flags->compiler);
    add_words(&target.command, &flags->compile);
    add_word(&target.command, "-MD");
    add_word(&target.command, "-MF");
    add_word(&target.command, target.dependencies);
    add_word(&target.command, "-c");
    add_word(&target.command, "-o");
    add_word(&target.command, text_of("%s.new", target.path));
    add_word(&target.command, source);
    return target;
}

char *build_program(const struct words *sources, const char *folder, const char *name)
{
    struct flags flags = find_flags();
    struct target *objects = calloc(sources->count, sizeof *objects);
    struct target program = {.path = text_of("%s/%s", folder, name)};
    if (!objects)
        die(EXIT_BUILD, "out of memory");
    add_words(&program.command, &flags.compiler);
    add_word(&program.command, "-o");
    add_word(&program.command, text_of("%s.new", program.path));
    for (size_t i = 0; i < sources->count; i++) {
        objects[i] = object_of(&flags, sources->all[i], folder);
        add_word(&program.command, objects[i].path);
        add_word(&program.inputs, objects[i].path);
    }
    add_words(&program.command, &flags.link);
    if (!make_targets(objects, sources->count))
        die(EXIT_BUILD, "%s does not compile", sources->count == 1 ? sources->all[0] : name);
    if (!make_targets(&program, 1))
        die(EXIT_BUILD, "%s does not link; it needs a main(), which calls bide_main",
            sources->count == 1 ? sources->all[0] : name);
    return program.path;
}
