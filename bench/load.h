/* What the loads of all suites share: connecting, and how busy the two sides were. A load is a
 * program on a core of its own that drives a server on loopback and prints `NAME VALUE` lines. */
#pragma once
#include "core/measure.h"
#include <arpa/inet.h>
#include <dirent.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <sys/socket.h>
#include <unistd.h>

static inline void load_must(bool holds, const char *what)
{
    if (!holds) {
        perror(what);
        exit(1);
    }
}

/* A connected socket. */
static inline int load_connect(int port)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int on = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    load_must(fd >= 0, "socket");
    load_must(connect(fd, (struct sockaddr *)&address, sizeof address) == 0, "connect");
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    return fd;
}

/* The CPU time of every thread of a process; 0 where the kernel does not keep it. */
static inline uint64_t load_cpu_ns(int pid)
{
    char path[300];
    snprintf(path, sizeof path, "/proc/%d/task", pid);
    DIR *threads = opendir(path);
    uint64_t total_ns = 0;
    for (struct dirent *entry; threads && (entry = readdir(threads));) {
        unsigned long long ran_ns = 0;
        if (entry->d_name[0] == '.') /* `..` has a schedstat too */
            continue;
        snprintf(path, sizeof path, "/proc/%d/task/%.32s/schedstat", pid, entry->d_name);
        FILE *file = fopen(path, "r");
        if (file && fscanf(file, "%llu", &ran_ns) == 1)
            total_ns += ran_ns;
        if (file)
            fclose(file);
    }
    if (threads)
        closedir(threads);
    return total_ns;
}

/* The counters at the start of the timed part, and the lines at its end. */
struct load_account {
    int server; /* its pid */
    uint64_t start_ns, server_ns, own_ns;
};

static inline struct load_account load_begin(int server)
{
    return (struct load_account){server, measure_now_ns(), load_cpu_ns(server),
                                 load_cpu_ns(getpid())};
}

/* NAME requests/s; NAME_cpu server microseconds per request; NAME_server_busy and NAME_load_busy,
 * the share of its core that each used. */
static inline void load_end(const struct load_account *begin, const char *name, uint64_t requests)
{
    double elapsed_ns = (double)(measure_now_ns() - begin->start_ns);
    double server_ns = (double)(load_cpu_ns(begin->server) - begin->server_ns);
    double own_ns = (double)(load_cpu_ns(getpid()) - begin->own_ns);
    printf("%s %.1f\n", name, (double)requests * 1e9 / elapsed_ns);
    if (server_ns > 0 && requests > 0) {
        printf("%s_cpu %.4f\n", name, server_ns / (double)requests / 1000);
        printf("%s_server_busy %.3f\n", name, server_ns / elapsed_ns);
        printf("%s_load_busy %.3f\n", name, own_ns / elapsed_ns);
    }
}
