/*
 * `bide dev PATH`: builds and serves, and does both again when a file changes. What serves now goes
 * on until what is new says that it is ready (sd_notify); both have the same listening socket, so
 * nobody is turned away in between, and the old one finishes what it has begun.
 *
 *     changed -> quiet for a moment -> build -> start on the same socket -> READY=1 -> SIGTERM to
 *                                       |          |                                  the old one
 *                                       fails      ends before that: the old one goes on
 *
 * Invariants
 *  1. This process never builds by itself: a child does, whose failure is its end.
 *  2. A child has a process group of its own: a Ctrl-C comes to it once, from here.
 *  3. No child outlives this process: the kernel tells it (PR_SET_PDEATHSIG).
 *
 * Source: inotify(7), sd_notify(3), signalfd(2).
 */
#include "cli.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <limits.h>
#include <netdb.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { QUIET_MS = 50, HANDED_FD = 3, FOLDERS_MOST = 2000, DEPTH_MOST = 16, OLD_MOST = 64 };

static const char *const usual_includes[] = {"*.c",   "*.h",  "*.html", "*.sql",
                                             "*.env", ".env", NULL};

struct child {
    pid_t pid; /* 0: none */
    int notify;
};

static struct {
    const char *path;
    struct words arguments; /* of the program, behind `run` */
    struct words includes, folders;
    const char *host, *port, *uds;
    bool has_lame_duck, has_drain;
    int listening, inotify, signals;
    char **watched; /* by the number of the watch, which counts from 1 and never comes again */
    int numbers;    /* how many have a place in it */
    int folders_now;
    struct child now, next;
    pid_t old[OLD_MOST]; /* children that were told to end */
    size_t old_count;
    char *program;  /* NULL: it was never built */
    struct stat is; /* the program that was started last */
    bool changed, restart;
    int64_t began_ms; /* of what is built or started */
    int ending;       /* the signal that ends all of it; 0: none */
    int status;
} dev;

static void take_signals(void);

static int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void say(const char *format, ...) __attribute__((__format__(__printf__, 1, 2)));
static void say(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fputs("bide: ", stderr);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
    va_end(args);
}

/* ---- arguments ---- */

/* Takes `--name VALUE` or `--name=VALUE` off the list. */
static bool take_option(char ***at, const char *name, const char **ret_value)
{
    size_t length = strlen(name);
    if (strncmp(**at, name, length) != 0 || ((**at)[length] && (**at)[length] != '='))
        return false;
    if ((**at)[length] == '=') {
        *ret_value = **at + length + 1;
    } else {
        if (!(*at)[1])
            die(EXIT_USAGE, "%s wants a value", name);
        *ret_value = *++*at;
    }
    return true;
}

static const char *or_environment(const char *value, const char *name)
{
    return value ? value : getenv(name);
}

static void take_arguments(char **at)
{
    const char *value;
    for (size_t i = 0; usual_includes[i]; i++)
        add_word(&dev.includes, usual_includes[i]);
    for (; *at; at++) {
        if (take_option(&at, "--reload-include", &value))
            add_word(&dev.includes, value);
        else if (take_option(&at, "--reload-dir", &value))
            add_word(&dev.folders, value);
        else if (take_option(&at, "--host", &dev.host) || take_option(&at, "--port", &dev.port) ||
                 take_option(&at, "--uds", &dev.uds))
            continue;
        else if (strncmp(*at, "--fd", 4) == 0)
            die(EXIT_USAGE, "--fd: bide dev listens by itself, at --host and --port or --uds");
        else if (strcmp(*at, "--reload") != 0) {
            dev.has_lame_duck |= strncmp(*at, "--lame-duck", 11) == 0;
            dev.has_drain |= strncmp(*at, "--drain", 7) == 0;
            add_word(&dev.arguments, *at);
        }
    }
    dev.uds = or_environment(dev.uds, "BIDE_UDS");
    dev.host = or_environment(dev.host, "BIDE_HOST");
    dev.port = or_environment(or_environment(dev.port, "BIDE_PORT"), "PORT");
}

/* ---- the socket ---- */

static int bound(const struct sockaddr *address, socklen_t size, const char *shown)
{
    int yes = 1;
    int fd = socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes) < 0 ||
        bind(fd, address, size) < 0 || listen(fd, SOMAXCONN) < 0)
        die(EXIT_USAGE, "cannot listen on %s: %s", shown, strerror(errno));
    return fd;
}

static int listen_tcp(void)
{
    const char *host = dev.host && strcmp(dev.host, "localhost") != 0 ? dev.host : "127.0.0.1";
    const char *port = dev.port ? dev.port : "8000";
    struct addrinfo hints = {.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV,
                             .ai_socktype = SOCK_STREAM};
    struct addrinfo *found;
    int error = getaddrinfo(host, port, &hints, &found);
    if (error)
        die(EXIT_USAGE, "--host %s --port %s: %s", host, port, gai_strerror(error));
    int fd = bound(found->ai_addr, found->ai_addrlen, text_of("%s:%s", host, port));
    freeaddrinfo(found);
    return fd;
}

static int listen_unix(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct stat status;
    size_t length = strlen(dev.uds);
    if (length >= sizeof address.sun_path)
        die(EXIT_USAGE, "--uds %s: too long", dev.uds);
    memcpy(address.sun_path, dev.uds, length);
    if (*dev.uds == '@')
        address.sun_path[0] = '\0';
    else if (lstat(dev.uds, &status) == 0 && S_ISSOCK(status.st_mode))
        unlink(dev.uds); /* of the last time */
    return bound((struct sockaddr *)&address,
                 (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length), dev.uds);
}

/* ---- watching ---- */

/* The folder of a watch; NULL: none. */
static char *folder_of(int number)
{
    return number > 0 && number < dev.numbers ? dev.watched[number] : NULL;
}

static void name_folder(int number, char *folder)
{
    if (number >= dev.numbers) {
        int numbers = 2 * number + 16;
        dev.watched = reallocarray(dev.watched, (size_t)numbers, sizeof *dev.watched);
        if (!dev.watched)
            die(EXIT_BUILD, "out of memory");
        while (dev.numbers < numbers)
            dev.watched[dev.numbers++] = NULL;
    }
    dev.folders_now += (folder != NULL) - (dev.watched[number] != NULL);
    dev.watched[number] = folder;
}

static void watch(const char *folder, int depth)
{
    struct dirent *entry;
    int number = inotify_add_watch(dev.inotify, folder,
                                   IN_CLOSE_WRITE | IN_CREATE | IN_MOVED_TO | IN_MOVED_FROM |
                                       IN_DELETE | IN_ONLYDIR | IN_EXCL_UNLINK);
    if (number < 0 || (dev.folders_now >= FOLDERS_MOST && !folder_of(number))) {
        say("%s is not watched: %s", folder, number < 0 ? strerror(errno) : "too many folders");
        if (number >= 0)
            inotify_rm_watch(dev.inotify, number);
        return;
    }
    if (folder_of(number) && strcmp(folder_of(number), folder) == 0)
        return;
    name_folder(number, text_of("%s", folder)); /* perhaps it has moved */
    DIR *all = depth < DEPTH_MOST ? opendir(folder) : NULL;
    while (all && (entry = readdir(all)))
        if (entry->d_name[0] != '.' && (entry->d_type == DT_DIR || entry->d_type == DT_UNKNOWN)) {
            char *below = text_of("%s/%s", folder, entry->d_name);
            struct stat status;
            if (lstat(below, &status) == 0 && S_ISDIR(status.st_mode))
                watch(below, depth + 1);
        }
    if (all)
        closedir(all);
}

static void watch_all(void)
{
    struct stat status;
    const char *slash = strrchr(dev.path, '/');
    if (stat(dev.path, &status) < 0)
        die(EXIT_USAGE, "%s: %s", dev.path, strerror(errno));
    dev.inotify = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    if (dev.inotify < 0)
        die(EXIT_USAGE, "inotify: %s", strerror(errno));
    watch(S_ISDIR(status.st_mode) ? dev.path
          : slash                 ? text_of("%.*s", (int)(slash - dev.path), dev.path)
                                  : ".",
          0);
    for (size_t i = 0; i < dev.folders.count; i++)
        watch(dev.folders.all[i], 0);
}

/* Headers that lie elsewhere: where the compiler has read them. */
static void watch_inputs(void)
{
    char *folder = text_of("%s", dev.program);
    *strrchr(folder, '/') = '\0';
    struct words files = inputs_of(folder);
    for (size_t i = 0; i < files.count; i++) {
        char *slash = strrchr(files.all[i], '/');
        if (!slash || strncmp(files.all[i], "/usr/", 5) == 0 ||
            strncmp(files.all[i], folder, strlen(folder)) == 0)
            continue;
        *slash = '\0';
        watch(files.all[i], DEPTH_MOST);
    }
}

static bool is_included(const char *name)
{
    for (size_t i = 0; i < dev.includes.count; i++)
        if (fnmatch(dev.includes.all[i], name, FNM_PERIOD) == 0)
            return true;
    return false;
}

static void take_event(const struct inotify_event *event)
{
    if (event->mask & IN_Q_OVERFLOW)
        dev.changed = true;
    const char *folder = folder_of(event->wd);
    if (!folder)
        return;
    if (event->mask & IN_IGNORED) { /* the folder is gone */
        name_folder(event->wd, NULL);
        return;
    }
    if (event->mask & IN_ISDIR) {
        if (event->name[0] == '.')
            return;
        if (event->mask & (IN_CREATE | IN_MOVED_TO))
            watch(text_of("%s/%s", folder, event->name), 1);
        dev.changed = dev.restart = true; /* with whatever is in it */
        return;
    }
    if ((event->mask & IN_CREATE) || event->len == 0 || !is_included(event->name))
        return;
    dev.changed = true;
    /* What is compiled is looked at by its stamps; the rest is read when the program starts. */
    if (fnmatch("*.[ch]", event->name, 0) != 0)
        dev.restart = true;
}

static void take_events(void)
{
    _Alignas(struct inotify_event) char bytes[16384];
    ssize_t size;
    while ((size = read(dev.inotify, bytes, sizeof bytes)) > 0)
        for (char *at = bytes; at < bytes + size;) {
            const struct inotify_event *event = (const void *)at;
            take_event(event);
            at += sizeof *event + event->len;
        }
}

/* ---- building and starting ---- */

/* A group of its own, which the kernel ends with this process. */
static void be_a_child(pid_t parent)
{
    sigset_t none;
    setpgid(0, 0);
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (getppid() != parent)
        _exit(EXIT_BUILD);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

/* -1: a signal says that this process is to end. */
static ssize_t read_unless_ending(int fd, char *bytes, size_t size)
{
    for (;;) {
        struct pollfd fds[] = {{fd, POLLIN, 0}, {dev.signals, POLLIN, 0}};
        if (poll(fds, 2, -1) < 0 && errno != EINTR)
            return 0;
        if (fds[0].revents)
            return read(fd, bytes, size);
        if (fds[1].revents)
            take_signals();
        if (dev.ending)
            return -1;
    }
}

/* Builds in a child, which has the lock of the cache while it does; whether it did. */
static bool build_again(void)
{
    int ends[2], status;
    char path[PATH_MAX];
    pid_t parent = getpid();
    dev.began_ms = now_ms();
    if (pipe2(ends, O_CLOEXEC) < 0)
        die(EXIT_BUILD, "pipe: %s", strerror(errno));
    fflush(NULL);
    pid_t pid = fork();
    if (pid < 0)
        die(EXIT_BUILD, "fork: %s", strerror(errno));
    if (pid == 0) {
        be_a_child(parent);
        const char *built = build(dev.path);
        _exit(write(ends[1], built, strlen(built)) < 0);
    }
    close(ends[1]);
    ssize_t length = read_unless_ending(ends[0], path, sizeof path - 1);
    close(ends[0]);
    if (length < 0) { /* the program is to end: so is what builds */
        kill(-pid, SIGTERM);
        length = 0;
    }
    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR)
            return false;
    if (length <= 0 || !WIFEXITED(status) || WEXITSTATUS(status) != 0)
        return false;
    path[length] = '\0';
    dev.program = text_of("%s", path);
    return true;
}

/* A socket on which the child says that it is ready; its name goes into `ret_name`. */
static int notify_socket(char **ret_name)
{
    static unsigned count;
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    *ret_name = text_of("@bide-dev-%d-%u", (int)getpid(), ++count);
    size_t length = strlen(*ret_name);
    memcpy(address.sun_path, *ret_name, length);
    address.sun_path[0] = '\0';
    if (fd < 0 || bind(fd, (struct sockaddr *)&address,
                       (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length)) < 0)
        die(EXIT_BUILD, "a socket for the program's word: %s", strerror(errno));
    return fd;
}

__attribute__((__noreturn__)) static void become_program(const char *name, pid_t parent)
{
    struct words words = {NULL, 0};
    add_word(&words, dev.program);
    add_word(&words, "run");
    add_word(&words, "--fd");
    add_word(&words, text_of("%d", HANDED_FD));
    if (!dev.has_lame_duck) { /* a kept connection may be used just now: for a moment longer */
        add_word(&words, "--lame-duck");
        add_word(&words, "1");
    }
    if (!dev.has_drain) { /* an endless stream shall not keep the old program for long */
        add_word(&words, "--drain");
        add_word(&words, "5");
    }
    add_words(&words, &dev.arguments);
    be_a_child(parent);
    setenv("NOTIFY_SOCKET", name, 1);
    unsetenv("BIDE_UDS");
    if (dev.listening == HANDED_FD)
        fcntl(HANDED_FD, F_SETFD, 0);
    else if (dup2(dev.listening, HANDED_FD) < 0)
        die(EXIT_BUILD, "the listening socket: %s", strerror(errno));
    execv(dev.program, words.all);
    die(EXIT_BUILD, "%s: %s", dev.program, strerror(errno));
}

static void forget_old(pid_t pid)
{
    size_t kept = 0;
    for (size_t i = 0; i < dev.old_count; i++)
        if (dev.old[i] != pid)
            dev.old[kept++] = dev.old[i];
    dev.old_count = kept;
}

static void tell_to_end(struct child *child, int number)
{
    if (child->pid == 0)
        return;
    kill(child->pid, number);
    close(child->notify);
    if (dev.old_count == OLD_MOST) { /* the oldest has had time enough */
        kill(dev.old[0], SIGKILL);
        forget_old(dev.old[0]);
    }
    dev.old[dev.old_count++] = child->pid;
    *child = (struct child){0};
}

static void start_next(void)
{
    char *name;
    pid_t parent = getpid();
    tell_to_end(&dev.next, SIGTERM);
    if (stat(dev.program, &dev.is) < 0)
        return;
    dev.next.notify = notify_socket(&name);
    fflush(NULL);
    dev.next.pid = fork();
    if (dev.next.pid < 0)
        die(EXIT_BUILD, "fork: %s", strerror(errno));
    if (dev.next.pid == 0)
        become_program(name, parent);
}

static void look_again(void)
{
    struct stat is;
    bool restart = dev.restart;
    dev.changed = dev.restart = false;
    if (!build_again()) {
        if (dev.ending)
            return;
        say(dev.now.pid ? "the program of before goes on" : "waiting for a change");
        return;
    }
    watch_inputs();
    if (stat(dev.program, &is) == 0 && (restart || (!dev.now.pid && !dev.next.pid) ||
                                        is.st_ino != dev.is.st_ino || is.st_size != dev.is.st_size))
        start_next();
}

/* ---- what children do ---- */

static void take_word(void)
{
    char word[256];
    ssize_t length = recv(dev.next.notify, word, sizeof word - 1, 0);
    if (length <= 0)
        return;
    word[length] = '\0';
    if (!strstr(word, "READY=1"))
        return;
    bool first = dev.now.pid == 0;
    tell_to_end(&dev.now, SIGTERM);
    dev.now = dev.next;
    dev.next = (struct child){0};
    say("%s in %lld ms", first ? "built and ready" : "reloaded",
        (long long)(now_ms() - dev.began_ms));
}

static void say_ended(int status, const char *then)
{
    if (WIFSIGNALED(status))
        say("the program died of signal %d (%s): %s", WTERMSIG(status), strsignal(WTERMSIG(status)),
            then);
    else
        say("the program ended with %d: %s", WEXITSTATUS(status), then);
}

static void take_end(pid_t pid, int status)
{
    struct child *child = pid == dev.now.pid ? &dev.now : pid == dev.next.pid ? &dev.next : NULL;
    if (!child) {
        forget_old(pid);
        return;
    }
    close(child->notify);
    *child = (struct child){0};
    if (dev.ending)
        dev.status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    else
        say_ended(status, dev.now.pid ? "the one of before goes on" : "waiting for a change");
}

static void take_signals(void)
{
    struct signalfd_siginfo info;
    int status;
    while (read(dev.signals, &info, sizeof info) == (ssize_t)sizeof info) {
        if (info.ssi_signo == SIGCHLD)
            continue;
        dev.ending = (int)info.ssi_signo;
        if (dev.next.pid)
            kill(dev.next.pid, dev.ending);
        if (dev.now.pid)
            kill(dev.now.pid, dev.ending);
        for (size_t i = 0; i < dev.old_count; i++)
            kill(dev.old[i], dev.ending);
    }
    for (pid_t pid; (pid = waitpid(-1, &status, WNOHANG)) > 0;)
        take_end(pid, status);
}

static void block_signals(void)
{
    sigset_t taken;
    sigemptyset(&taken);
    sigaddset(&taken, SIGCHLD);
    sigaddset(&taken, SIGINT);
    sigaddset(&taken, SIGTERM);
    sigaddset(&taken, SIGHUP);
    sigprocmask(SIG_BLOCK, &taken, NULL);
    dev.signals = signalfd(-1, &taken, SFD_CLOEXEC | SFD_NONBLOCK);
    if (dev.signals < 0)
        die(EXIT_USAGE, "signalfd: %s", strerror(errno));
}

void run_dev(const char *path, char **arguments)
{
    dev.path = path;
    take_arguments(arguments);
    dev.listening = dev.uds ? listen_unix() : listen_tcp();
    watch_all();
    block_signals();
    look_again();
    while (!dev.ending || dev.now.pid || dev.next.pid || dev.old_count > 0) {
        struct pollfd fds[] = {{dev.inotify, POLLIN, 0},
                               {dev.signals, POLLIN, 0},
                               {dev.next.pid ? dev.next.notify : -1, POLLIN, 0}};
        int count = poll(fds, 3, dev.changed && !dev.ending ? QUIET_MS : -1);
        if (count == 0)
            look_again();
        if (fds[0].revents)
            take_events();
        if (fds[2].revents)
            take_word();
        if (fds[1].revents)
            take_signals();
    }
    if (dev.uds && *dev.uds != '@')
        unlink(dev.uds);
    exit(dev.status);
}
