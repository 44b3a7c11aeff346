/*
 * A real redis-server for a test: in a scratch folder, on a unix socket and a free loopback port;
 * started, stopped and ended by its pid. Skips the test where there is none. Without forking: the
 * runtime's threads are running.
 */
#ifndef BIDE_TEST_REDIS_CASE_H
#define BIDE_TEST_REDIS_CASE_H

#include <bide/bide.h>
#include <bide/test.h>

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

struct redis_server {
    char folder[64];
    char socket[96];
    char port[8];
    char url[128];     /* of the socket */
    char tcp_url[128]; /* of the port */
    const char *password;
    const char *host; /* where it listens */
    pid_t pid;
};

static inline void redis_free_port(char text[8])
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    require(fd >= 0 && bind(fd, (struct sockaddr *)&address, size) == 0);
    require(getsockname(fd, (struct sockaddr *)&address, &size) == 0);
    close(fd);
    snprintf(text, 8, "%u", (unsigned)ntohs(address.sin_port));
}

static inline bool redis_answers(const struct redis_server *server)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    snprintf(address.sun_path, sizeof address.sun_path, "%s", server->socket);
    bool answers = connect(fd, (struct sockaddr *)&address, sizeof address) == 0;
    close(fd);
    return answers;
}

/* Starts it on the addresses it has, and waits until it answers. */
static inline void redis_start(struct redis_server *server)
{
    char *args[] = {(char[]){"redis-server"},
                    (char[]){"--port"},
                    server->port,
                    (char[]){"--bind"},
                    (char *)(uintptr_t)server->host,
                    (char[]){"--protected-mode"},
                    (char[]){"no"},
                    (char[]){"--unixsocket"},
                    server->socket,
                    (char[]){"--dir"},
                    server->folder,
                    (char[]){"--save"},
                    (char[]){""},
                    (char[]){"--loglevel"},
                    (char[]){"warning"},
                    (char[]){"--requirepass"},
                    (char *)(uintptr_t)(server->password ? server->password : ""),
                    NULL};
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
    posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0);
    if (posix_spawnp(&server->pid, args[0], &actions, NULL, args, environ) != 0)
        test_skip("no redis-server: ./dev deps test");
    posix_spawn_file_actions_destroy(&actions);
    for (int i = 0; i < 1000 && !redis_answers(server); i++)
        usleep(10000);
    require(redis_answers(server));
}

static inline struct redis_server redis_make_at(const char *host, const char *password)
{
    struct redis_server server = {
        .folder = "/tmp/bide-redis-XXXXXX", .password = password, .host = host};
    const char *login = password ? password : "";
    require(mkdtemp(server.folder));
    snprintf(server.socket, sizeof server.socket, "%s/socket", server.folder);
    redis_free_port(server.port);
    snprintf(server.url, sizeof server.url, "unix:%s", server.socket);
    snprintf(server.tcp_url, sizeof server.tcp_url, "redis://%s%s%s%s:%s", password ? ":" : "",
             login, password ? "@" : "", host, server.port);
    redis_start(&server);
    return server;
}

static inline struct redis_server redis_make(const char *password)
{
    return redis_make_at("127.0.0.1", password);
}

static inline void redis_kill(struct redis_server *server)
{
    if (server->pid <= 0)
        return;
    kill(server->pid, SIGKILL);
    waitpid(server->pid, NULL, 0);
    server->pid = 0;
    unlink(server->socket);
}

/* For `defer`. */
static inline void redis_end(void *server_)
{
    struct redis_server *server = server_;
    redis_kill(server);
    rmdir(server->folder);
}

#endif
