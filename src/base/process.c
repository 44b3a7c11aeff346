/*
 * What proc(5) says. See process.h.
 */
#include "base/process.h"

#include "base/clock.h"

#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

unsigned bide__process_forks;

static void forked(void)
{
    bide__process_forks++;
}

__attribute__((constructor)) static void watch_forks(void)
{
    (void)pthread_atfork(NULL, NULL, forked); /* without memory for it they are not noticed */
}

/* The fields of /proc/self/stat behind the name, which may itself hold spaces and parentheses; the
   third of all is the first here. Values that matter are numbers. */
static void look_at_stat(struct bide__process *process)
{
    enum {
        UTIME = 14 - 3,
        STIME = 15 - 3,
        THREADS = 20 - 3,
        START = 22 - 3,
        VSIZE = 23 - 3,
        RSS = 24 - 3,
        FIELDS
    };
    char text[1024];
    uint64_t values[FIELDS] = {0};
    double ticks = (double)sysconf(_SC_CLK_TCK);
    struct timespec up;
    int fd = open("/proc/self/stat", O_RDONLY | O_CLOEXEC);
    ssize_t length = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
    if (fd >= 0)
        close(fd);
    if (length <= 0)
        return;
    text[length] = 0;
    char *at = strrchr(text, ')');
    for (int i = 0; at && i < FIELDS; i++) {
        at = strchr(at, ' ');
        if (at)
            values[i] = strtoull(++at, NULL, 10);
    }
    process->cpu_s = (double)(values[UTIME] + values[STIME]) / ticks;
    process->threads = values[THREADS];
    process->virtual_bytes = values[VSIZE];
    process->resident_bytes = values[RSS] * (uint64_t)sysconf(_SC_PAGESIZE);
    clock_gettime(CLOCK_BOOTTIME, &up);
    process->start_unix_s = (double)bide__clock_realtime_ns() / 1e9 -
                            ((double)up.tv_sec + (double)up.tv_nsec / 1e9) +
                            (double)values[START] / ticks;
}

static void count_descriptors(struct bide__process *process)
{
    struct rlimit limit;
    DIR *folder = opendir("/proc/self/fd");
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0)
        process->most_descriptors = limit.rlim_cur;
    if (!folder)
        return;
    for (const struct dirent *entry; (entry = readdir(folder));)
        process->open_descriptors += entry->d_name[0] != '.';
    process->open_descriptors--; /* the folder's own */
    closedir(folder);
}

void bide__process_look(struct bide__process *ret_process)
{
    *ret_process = (struct bide__process){0};
    look_at_stat(ret_process);
    count_descriptors(ret_process);
}
