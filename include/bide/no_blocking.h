/*
 * Functions of the C library that stop a loop, and all its tasks: behind this header they do not
 * compile, whether called, or only their address is taken, with what to write instead.
 *
 *     #include <bide/bide.h>
 *     #include <bide/no_blocking.h>   // the last one
 *
 *     usleep(100);   // error: 'usleep' is unavailable: blocks the loop: await(bide_sleep(...))
 *
 * Opt-in, for files whose functions run on a loop: bide.h does not include it. What runs on a lane
 * (bide/offload.h), or before bide_run, belongs into a file of its own. `bide check` looks for the
 * same calls, and for those of other libraries, in async functions only.
 *
 * Sources: gcc (12 and later) and clang, attribute `unavailable`; the man pages of each.
 *
 * layer: io
 */
#ifndef BIDE_NO_BLOCKING_H
#define BIDE_NO_BLOCKING_H

/* Each X(name, what to write instead). The command `bide` has the list from here. */
#define BIDE__BLOCKING_CALLS(X)                                                                    \
    X(sleep, "await(bide_sleep(bide_s(n)))")                                                       \
    X(usleep, "await(bide_sleep(bide_us(n)))")                                                     \
    X(nanosleep, "await(bide_sleep(...))")                                                         \
    X(clock_nanosleep, "await(bide_sleep(...))")                                                   \
    X(thrd_sleep, "await(bide_sleep(...))")                                                        \
    X(pause, "await(bide_until_stop())")                                                           \
    X(system, "with(bide_child, ...)")                                                             \
    X(popen, "with(bide_child, ...)")                                                              \
    X(wait, "with(bide_child, ...)")                                                               \
    X(waitpid, "with(bide_child, ...)")                                                            \
    X(getaddrinfo, "await(bide_connect_tcp(...)), which looks names up")                           \
    X(getnameinfo, "await(offload(BIDE_BLOCKING, ...))")                                           \
    X(gethostbyname, "await(bide_connect_tcp(...)), which looks names up")                         \
    X(fopen, "with(bide_opened_file, ...)")                                                        \
    X(fread, "await(bide_file_read(...))")                                                         \
    X(fwrite, "await(bide_file_write(...))")                                                       \
    X(fgets, "await(bide_file_read(...))")                                                         \
    X(getline, "await(bide_file_read(...))")                                                       \
    X(scanf, "await(offload(BIDE_BLOCKING, ...))")                                                 \
    X(getchar, "await(offload(BIDE_BLOCKING, ...))")                                               \
    X(fsync, "await(bide_file_sync(...))")                                                         \
    X(flock, "await(offload(BIDE_BLOCKING, ...))")                                                 \
    X(opendir, "await(offload(BIDE_BLOCKING, ...))")                                               \
    X(pthread_join, "await(offload(BIDE_BLOCKING, ...))")                                          \
    X(pthread_cond_wait, "await(bide_condition_wait(...))")                                        \
    X(pthread_barrier_wait, "await(bide_barrier_wait(...))")                                       \
    X(sem_wait, "with_slot(&semaphore)")                                                           \
    X(mtx_lock, "with_lock(&mutex)")

#ifndef BIDE__BLOCKING_CALLS_ONLY
#include <dirent.h>
#include <netdb.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/wait.h>
#include <threads.h>
#include <time.h>
#include <unistd.h>

/* clang cannot refuse what libc defines inline when it optimises (getchar, fread, fgets). */
#pragma GCC diagnostic push
#if defined(__clang__)
#pragma GCC diagnostic ignored "-Wignored-attributes"
#endif
#define BIDE__BLOCKING_CALL(name, instead)                                                         \
    extern __typeof__(name) name __attribute__((__unavailable__("blocks the loop: " instead)));
BIDE__BLOCKING_CALLS(BIDE__BLOCKING_CALL)
#pragma GCC diagnostic pop
#endif

#endif
