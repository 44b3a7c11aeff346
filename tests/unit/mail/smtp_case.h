/*
 * A real SMTP server for a test (smtp_server.py, on Debian's aiosmtpd): in a scratch folder, on a
 * free loopback port, with a certificate that the test makes; started, stopped and ended by its
 * pid. Skips the test where there is none. Without forking: the runtime's threads are running.
 */
#ifndef BIDE_TEST_SMTP_CASE_H
#define BIDE_TEST_SMTP_CASE_H

#include "../peer.h"

#include <bide/bide.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* What the server tells of a mail. */
MODEL(taken, "", (str, sender), (list(str), recipients), (str, from), (str, to), (str, cc),
      (str, bcc), (str, reply_to), (str, subject), (str, id), (bool, date_ok),
      (str, text, optional), (str, html, optional), (str, type), (list(str), defects),
      (i64, longest), (i64, longest_head), (i64, lone), (bool, ascii));

struct smtp_server {
    char folder[64];
    char port[8];
    const char *words[8]; /* what it shall do */
    pid_t pid;
};

/* This folder's file, as the compiler was told of it: from the folder of the build. */
static inline void smtp_script(char *path, size_t size)
{
    char build[PATH_MAX], here[] = __FILE__;
    ssize_t length = readlink("/proc/self/exe", build, sizeof build - 1);
    require(length > 0);
    build[length] = 0;
    for (int i = 0; i < 2; i++)
        *strrchr(build, '/') = 0;
    *strrchr(here, '/') = 0;
    snprintf(path, size, "%s%s%s/smtp_server.py", here[0] == '/' ? "" : build,
             here[0] == '/' ? "" : "/", here);
}

static inline void smtp_path(const struct smtp_server *server, const char *name, char path[96])
{
    snprintf(path, 96, "%s/%s", server->folder, name);
}

static inline void smtp_start(struct smtp_server *server)
{
    char script[2 * PATH_MAX], ready[96];
    int status;
    smtp_script(script, sizeof script);
    smtp_path(server, "ready", ready);
    unlink(ready);
    const char *args[14] = {"/usr/bin/python3", "-B", script, server->folder, server->port};
    for (int i = 0; server->words[i]; i++)
        args[5 + i] = server->words[i];
    server->pid = peer_spawn(args);
    for (int i = 0; i < 3000 && access(ready, F_OK) != 0; i++) {
        usleep(10000);
        if (waitpid(server->pid, &status, WNOHANG) == server->pid) {
            server->pid = 0;
            require(WIFEXITED(status) && WEXITSTATUS(status) == 77);
            test_skip("no aiosmtpd: ./dev deps test");
        }
    }
    require(access(ready, F_OK) == 0);
}

#define smtp_make(...) smtp_made((const char *const[8]){__VA_ARGS__}, "IP:127.0.0.1")

static inline struct smtp_server smtp_made(const char *const words[8], const char *name)
{
    struct smtp_server server = {.folder = "/tmp/bide-smtp-XXXXXX"};
#if !__has_include(<curl/curl.h>)
    test_skip("no libcurl: ./dev deps more");
#endif
    require(mkdtemp(server.folder));
    bool tls = false;
    for (int i = 0; i < 8 && words[i]; i++) {
        server.words[i] = words[i];
        tls |= strstr(words[i], "tls") || strcmp(words[i], "smtps") == 0;
    }
    if (tls)
        peer_certificate(server.folder, name);
    peer_free_port(server.port);
    smtp_start(&server);
    return server;
}

static inline void smtp_kill(struct smtp_server *server)
{
    if (server->pid <= 0)
        return;
    kill(server->pid, SIGKILL);
    waitpid(server->pid, NULL, 0);
    server->pid = 0;
}

/* For `defer`. */
static inline void smtp_end(void *server_)
{
    struct smtp_server *server = server_;
    smtp_kill(server);
    DIR *folder = opendir(server->folder);
    for (const struct dirent *entry; folder && (entry = readdir(folder));) {
        char path[96 + sizeof entry->d_name];
        snprintf(path, sizeof path, "%s/%s", server->folder, entry->d_name);
        unlink(path);
    }
    if (folder)
        closedir(folder);
    rmdir(server->folder);
}

/* "smtp://127.0.0.1:PORT" with what stands before the host and behind the port; for a TLS server
   with its certificate as the one that is trusted. */
static inline const char *smtp_url(const struct smtp_server *server, const char *scheme,
                                   const char *login, const char *options)
{
    static char url[400];
    char cert[96];
    smtp_path(server, "cert.pem", cert);
    bool tls = access(cert, F_OK) == 0;
    snprintf(url, sizeof url, "%s://%s127.0.0.1:%s?timeout=20%s%s%s", scheme, login, server->port,
             tls ? "&ca=" : "", tls ? cert : "", options);
    return url;
}

/* How many lines a file of the server has. */
static inline int smtp_count(const struct smtp_server *server, const char *name)
{
    char path[96];
    int count = 0;
    smtp_path(server, name, path);
    FILE *file = fopen(path, "re");
    for (int c; file && (c = getc(file)) != EOF;)
        count += c == '\n';
    if (file)
        fclose(file);
    return count;
}

/* The last mail that it took, in the task's memory. */
static inline const taken *smtp_last(const struct smtp_server *server)
{
    char path[96], *line = NULL;
    size_t room = 0, length = 0;
    smtp_path(server, "mails", path);
    FILE *file = fopen(path, "re");
    require(file);
    for (ssize_t n; (n = getline(&line, &room, file)) > 0;)
        length = (size_t)n;
    fclose(file);
    taken *mail = bide_arena_alloc_zero(bide_task_arena(), 1, sizeof *mail);
    char *kept = bide_arena_strndup(bide_task_arena(), line, length);
    free(line);
    bide_problems problems = {.count = 0};
    bide_input input = {.arena = bide_task_arena(), .problems = &problems};
    require(bide_json_read(&input, taken_model(), kept, length, mail) == 0);
    return mail;
}

#endif
