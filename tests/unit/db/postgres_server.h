/*
 * A real PostgreSQL for tests: in a scratch folder, on a unix socket and a free loopback port;
 * started, stopped and ended by its pid, without forking, since the runtime's threads may run. It
 * refuses root: then it runs as `postgres` or `nobody`. Skips the test where there is none.
 */
#ifndef BIDE_TEST_POSTGRES_SERVER_H
#define BIDE_TEST_POSTGRES_SERVER_H

#include <bide/bide.h>
#include <bide/test.h>

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <netinet/in.h>
#include <pwd.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

struct postgres_server {
    char folder[64], data[96], socket[128];
    char bin[256];
    char user[32]; /* who runs it; "": we */
    char port[8];
    char url[192];     /* over the unix socket */
    char tcp_url[192]; /* over loopback */
    pid_t pid;
    const char *settings; /* more lines of postgresql.conf */
    const char *host;     /* where it listens; NULL: on loopback */
};

static inline const char *postgres_host(const struct postgres_server *server)
{
    return server->host ? server->host : "127.0.0.1";
}

static inline void postgres_free_port(char text[8])
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    require(fd >= 0 && bind(fd, (struct sockaddr *)&address, size) == 0);
    require(getsockname(fd, (struct sockaddr *)&address, &size) == 0);
    close(fd);
    snprintf(text, 8, "%u", (unsigned)ntohs(address.sin_port));
}

/* Runs a command of the shell to its end. */
static inline int postgres_shell(const char *command)
{
    char *args[] = {(char[]){"sh"}, (char[]){"-c"}, (char *)(uintptr_t)command, NULL};
    pid_t pid;
    int status;
    require(posix_spawnp(&pid, "sh", NULL, NULL, args, environ) == 0);
    while (waitpid(pid, &status, 0) < 0)
        require(errno == EINTR);
    return status;
}

static inline bool postgres_find(struct postgres_server *server)
{
    glob_t found;
    bool there = glob("/usr/lib/postgresql/*/bin/postgres", 0, NULL, &found) == 0;
    if (there)
        snprintf(server->bin, sizeof server->bin, "%.*s",
                 (int)(strrchr(found.gl_pathv[found.gl_pathc - 1], '/') -
                       found.gl_pathv[found.gl_pathc - 1]),
                 found.gl_pathv[found.gl_pathc - 1]);
    globfree(&found);
    if (!there && access("/usr/bin/postgres", X_OK) == 0) {
        snprintf(server->bin, sizeof server->bin, "/usr/bin");
        there = true;
    }
    return there;
}

static inline bool postgres_answers(const struct postgres_server *server)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    snprintf(address.sun_path, sizeof address.sun_path, "%.100s", server->socket);
    bool answers = connect(fd, (struct sockaddr *)&address, sizeof address) == 0;
    close(fd);
    return answers;
}

/* The process itself, whoever runs it. */
static inline pid_t postgres_pid(const struct postgres_server *server)
{
    char path[128];
    int pid = 0;
    snprintf(path, sizeof path, "%s/postmaster.pid", server->data);
    FILE *file = fopen(path, "r");
    if (!file)
        return 0;
    if (fscanf(file, "%d", &pid) != 1)
        pid = 0;
    fclose(file);
    return pid;
}

/* Starts it, and waits until it answers. */
static inline void postgres_start(struct postgres_server *server)
{
    char command[1024];
    snprintf(command, sizeof command,
             "cd / && exec %s%s%s %s/postgres -D %s -k %s -p %s -h %s </dev/null "
             ">>%s/log 2>&1",
             server->user[0] ? "setpriv --reuid=" : "", server->user,
             server->user[0] ? " --clear-groups" : "", server->bin, server->data, server->folder,
             server->port, postgres_host(server), server->folder);
    char *args[] = {(char[]){"sh"}, (char[]){"-c"}, command, NULL};
    require(posix_spawnp(&server->pid, "sh", NULL, NULL, args, environ) == 0);
    for (int i = 0; i < 3000 && !postgres_answers(server); i++)
        usleep(10000);
    require(postgres_answers(server));
    char ready[600];
    snprintf(ready, sizeof ready,
             "for i in 1 2 3 4 5 6 7 8 9 10; do %s/pg_isready -q -h %s -p %s && exit 0; "
             "sleep 0.3; done; exit 1",
             server->bin, server->folder, server->port);
    require(postgres_shell(ready) == 0);
}

/* SIGQUIT: at once, as a crash; SIGINT: in order, as a restart does it. */
static inline void postgres_stop(struct postgres_server *server, int how)
{
    if (server->pid <= 0)
        return;
    kill(server->pid, SIGCONT);
    kill(server->pid, how);
    while (waitpid(server->pid, NULL, 0) < 0 && errno == EINTR)
        ;
    server->pid = 0;
}

/* For the end of a block, or of a test program. */
static inline void postgres_end(struct postgres_server *server)
{
    char command[128];
    if (!server->folder[0])
        return;
    postgres_stop(server, SIGQUIT);
    snprintf(command, sizeof command, "rm -rf %s", server->folder);
    (void)postgres_shell(command);
    server->folder[0] = 0;
}

/* A new cluster with the user `tester` (password `secret`, where the way in asks for one) and the
   database `test`. `method`: of pg_hba for loopback. */
static inline void postgres_prepare(struct postgres_server *server, const char *method)
{
    char command[2048];
    *server = (struct postgres_server){.settings = server->settings, .host = server->host};
    if (!postgres_find(server))
        test_skip("no PostgreSQL: ./dev deps test");
    snprintf(server->folder, sizeof server->folder, "/tmp/bide-pg-XXXXXX");
    require(mkdtemp(server->folder));
    chmod(server->folder, 0755);
    if (getuid() == 0)
        snprintf(server->user, sizeof server->user, "%s",
                 getpwnam("postgres") ? "postgres" : "nobody");
    snprintf(server->data, sizeof server->data, "%s/data", server->folder);
    postgres_free_port(server->port);
    snprintf(server->socket, sizeof server->socket, "%s/.s.PGSQL.%s", server->folder, server->port);
    snprintf(server->url, sizeof server->url, "postgresql:///test?host=%s&port=%s&user=tester",
             server->folder, server->port);
    snprintf(server->tcp_url, sizeof server->tcp_url, "postgresql://tester:secret@%s:%s/test",
             postgres_host(server), server->port);
    snprintf(command, sizeof command,
             "cd %s && echo secret >pw && chmod 644 pw && mkdir data && %s%s%s "
             "&& %s%s%s %s/initdb -D data -U tester -E UTF8 --locale=C -N --pwfile=pw "
             "--auth-local=trust --auth-host=%s >log 2>&1 && printf '%%s\\n' "
             "'fsync=off' 'synchronous_commit=off' 'shared_buffers=16MB' 'max_connections=40' "
             "'autovacuum=off' \"$0\" >>data/postgresql.conf && "
             "echo 'host all all 10.98.0.1/32 trust' >>data/pg_hba.conf", /* half_open.h */
             server->folder, server->user[0] ? "chown " : "true ", server->user,
             server->user[0] ? " . data" : "", server->user[0] ? "setpriv --reuid=" : "",
             server->user, server->user[0] ? " --clear-groups" : "", server->bin, method);
    char *args[] = {(char[]){"sh"}, (char[]){"-c"}, command,
                    (char *)(uintptr_t)(server->settings ? server->settings : ""), NULL};
    pid_t pid;
    int status = -1;
    require(posix_spawnp(&pid, "sh", NULL, NULL, args, environ) == 0);
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    if (!check_int(status, 0))
        exit(1);
}

/* Starts it for the first time. */
static inline void postgres_begin(struct postgres_server *server)
{
    char command[1024];
    postgres_start(server);
    snprintf(command, sizeof command,
             "%s/psql -q -h %s -p %s -U tester -d postgres -c "
             "'create database test'",
             server->bin, server->folder, server->port);
    require(postgres_shell(command) == 0);
}

static inline void postgres_make(struct postgres_server *server, const char *method)
{
    postgres_prepare(server, method);
    postgres_begin(server);
}

#endif
