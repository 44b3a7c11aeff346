/*
 * Keeping stderr, and death tests: both read what a piece of the program says.
 *
 * Called by tests through <bide/test.h>; the capture file is made by harness.c before the test's
 * process starts, so that the harness can still print it when the test dies in the middle of a
 * capture.
 */
#include "harness.h"

#include "core/task.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

static int saved_stderr = -1;
static char *captured;

char *bide__test_read_all(int fd, size_t *ret_size)
{
    off_t size = lseek(fd, 0, SEEK_END);
    char *text = malloc((size_t)(size > 0 ? size : 0) + 1);
    size_t length = 0;

    if (!text)
        abort();
    while ((off_t)length < size) {
        ssize_t n = pread(fd, text + length, (size_t)size - length, (off_t)length);

        if (n <= 0)
            break;
        length += (size_t)n;
    }
    text[length] = 0;
    if (ret_size)
        *ret_size = length;
    return text;
}

void test_capture_stderr(void)
{
    require(saved_stderr < 0);
    free(captured);
    captured = NULL;
    fflush(stderr);
    require(ftruncate(bide__test_capture_fd, 0) == 0);
    require(lseek(bide__test_capture_fd, 0, SEEK_SET) == 0);
    saved_stderr = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 10);
    require(saved_stderr >= 0);
    require(dup2(bide__test_capture_fd, STDERR_FILENO) == STDERR_FILENO);
    atomic_store(&bide__test_verdict->capturing, true);
}

const char *test_captured(void)
{
    require(saved_stderr >= 0);
    fflush(stderr);
    require(dup2(saved_stderr, STDERR_FILENO) == STDERR_FILENO);
    close(saved_stderr);
    saved_stderr = -1;
    atomic_store(&bide__test_verdict->capturing, false);
    captured = bide__test_read_all(bide__test_capture_fd, NULL);
    return captured;
}

static void call(void *arg)
{
    void (**function)(void) = arg;

    (*function)();
}

/* The child ends here, whatever happens: past the test's body its copy of the runtime would wait
   for threads that a fork does not copy. An error that leaves the function is a death. */
__attribute__((noreturn)) static void die_in_child(void (*function)(void), int fd)
{
    static struct bide__test_verdict own;
    struct rlimit no_core = {0, 0};
    bide_error *error = NULL;

    bide__test_verdict = &own;
    setrlimit(RLIMIT_CORE, &no_core);
    if (dup2(fd, STDERR_FILENO) < 0)
        _exit(0);
    if (bide__can_fail(bide__task_current()))
        error = bide__boundary(call, &function);
    else
        function();
    if (error)
        bide_error_print(error);
    fflush(NULL);
    _exit(error || atomic_load(&own.failures) ? 1 : 0);
}

bool bide__check_dies(void (*function)(void), const char *text, const char *name, const char *file,
                      int line)
{
    int fd = memfd_create("bide_test_death", MFD_CLOEXEC);
    char *said;
    int status;
    bool holds;
    pid_t child;

    require(fd >= 0);
    fflush(NULL);
    child = fork();
    require(child >= 0);
    if (child == 0)
        die_in_child(function, fd);
    while (waitpid(child, &status, 0) < 0)
        require(errno == EINTR);
    said = bide__test_read_all(fd, NULL);
    close(fd);
    holds = status != 0 && strstr(said, text);
    if (status == 0)
        bide__test_failed(file, line,
                          "check_dies failed: %s came to its end\n    expected it to die with: %s",
                          name, text);
    else if (!holds)
        bide__test_failed(file, line,
                          "check_dies failed: %s\n    said     %s\n    expected a part: %s", name,
                          said, text);
    free(said);
    return holds;
}
