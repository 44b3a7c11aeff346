/*
 * Peers of a test that are programs: a free port, starting one, a certificate. Without forking: the
 * runtime's threads are running.
 */
#ifndef BIDE_TEST_PEER_H
#define BIDE_TEST_PEER_H

#include <bide/test.h>

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <spawn.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

/* A port of loopback that nobody uses, as a text. */
static inline void peer_free_port(char text[8])
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    require(fd >= 0 && bind(fd, (struct sockaddr *)&address, size) == 0);
    require(getsockname(fd, (struct sockaddr *)&address, &size) == 0);
    close(fd);
    snprintf(text, 8, "%u", (unsigned)ntohs(address.sin_port));
}

/* Starts a program; without output. */
static inline pid_t peer_spawn(const char *const *args)
{
    pid_t pid = 0;
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
    posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0);
    int code = posix_spawnp(&pid, args[0], &actions, NULL, (char **)(uintptr_t)args, environ);
    posix_spawn_file_actions_destroy(&actions);
    if (code != 0)
        test_skip("a program is not installed: ./dev deps test");
    return pid;
}

/* key.pem, and cert.pem for this name ("IP:127.0.0.1"), in a folder. */
static inline void peer_certificate(const char *folder, const char *name)
{
    char key[96], cert[96], alt[64];
    int status;
    snprintf(key, sizeof key, "%s/key.pem", folder);
    snprintf(cert, sizeof cert, "%s/cert.pem", folder);
    snprintf(alt, sizeof alt, "subjectAltName=%s", name);
    const char *args[] = {
        "openssl", "req",   "-x509", "-newkey", "ec",       "-pkeyopt", "ec_paramgen_curve:P-256",
        "-nodes",  "-days", "2",     "-subj",   "/CN=test", "-addext",  alt,
        "-keyout", key,     "-out",  cert,      NULL};
    pid_t pid = peer_spawn(args);
    require(waitpid(pid, &status, 0) == pid && status == 0);
}

#endif
