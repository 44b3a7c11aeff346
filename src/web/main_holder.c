/*
 * Who listens on a TCP port of this machine, for the message that it is in use. Called by
 * main_listen.c. Sees processes of other users only with their rights.
 *
 * Source: proc(5): /proc/net/tcp, /proc/[pid]/fd, /proc/[pid]/comm.
 */
#include "web/main.h"

#include <dirent.h>
#include <string.h>
#include <unistd.h>

enum { LISTENING = 10 }; /* TCP_LISTEN in the column `st` */

/* The inode of the socket that listens on the port, or 0. */
static unsigned long inode_of(const char *table, unsigned port)
{
    char line[512];
    unsigned long found = 0;
    FILE *file = fopen(table, "re");
    while (file && !found && fgets(line, sizeof line, file)) {
        unsigned local, state;
        unsigned long inode;
        if (sscanf(line, " %*d: %*[0-9A-Fa-f]:%x %*s %x %*s %*s %*s %*s %*s %lu", &local, &state,
                   &inode) == 3 &&
            local == port && state == LISTENING)
            found = inode;
    }
    if (file)
        fclose(file);
    return found;
}

/* Whether a process has the socket open. */
static bool holds(const char *pid, const char *socket)
{
    char path[300], target[64];
    snprintf(path, sizeof path, "/proc/%s/fd", pid);
    DIR *folder = opendir(path);
    bool found = false;
    for (struct dirent *entry; folder && !found && (entry = readdir(folder));) {
        ssize_t length = readlinkat(dirfd(folder), entry->d_name, target, sizeof target - 1);
        target[length > 0 ? length : 0] = '\0';
        found = strcmp(target, socket) == 0;
    }
    if (folder)
        closedir(folder);
    return found;
}

static void describe(const char *pid, char *text, size_t size)
{
    char path[300], name[64] = "a process";
    snprintf(path, sizeof path, "/proc/%s/comm", pid);
    FILE *file = fopen(path, "re");
    if (file && fgets(name, sizeof name, file))
        name[strcspn(name, "\n")] = '\0';
    if (file)
        fclose(file);
    snprintf(text, size, "%s, pid %s", name, pid);
}

bool bide__main_holder(uint16_t port, char *text, size_t size)
{
    char socket[64];
    unsigned long inode = inode_of("/proc/net/tcp", port);
    if (!inode)
        inode = inode_of("/proc/net/tcp6", port);
    DIR *processes = inode ? opendir("/proc") : NULL;
    if (!processes)
        return false;
    snprintf(socket, sizeof socket, "socket:[%lu]", inode);
    bool found = false;
    for (struct dirent *entry; !found && (entry = readdir(processes));) {
        if (entry->d_name[0] < '1' || entry->d_name[0] > '9' || !holds(entry->d_name, socket))
            continue;
        describe(entry->d_name, text, size);
        found = true;
    }
    closedir(processes);
    return found;
}
