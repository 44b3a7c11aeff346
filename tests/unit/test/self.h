/*
 * self.h: a test binary that runs its own hidden tests and reads the report. Included by
 * run_task_test.c and explore_test.c.
 */
#ifndef BIDE_TEST_SELF_H
#define BIDE_TEST_SELF_H

#include <bide/test.h>

#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static char text[64 * 1024];

/* Runs a hidden test with -v; its report is in `text`; gives the exit status. */
static int run_hidden(const char *name, const char *options)
{
    char path[PATH_MAX], command[PATH_MAX + 256];
    ssize_t length = readlink("/proc/self/exe", path, sizeof path - 1);
    FILE *pipe;
    size_t size;
    int status;

    require(length > 0);
    path[length] = 0;
    snprintf(command, sizeof command, "'%s' -v --only %s %s 2>&1", path, name, options);
    pipe = popen(command, "r");
    require(pipe);
    size = fread(text, 1, sizeof text - 1, pipe);
    text[size] = 0;
    status = pclose(pipe);
    require(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static size_t count(const char *part)
{
    size_t n = 0;

    for (const char *at = text; (at = strstr(at, part)); at += strlen(part))
        n++;
    return n;
}

#endif
