/*
 * Finds a program of bide's in a process, and takes pictures of it. Called by see.c and top.c;
 * calls src/core/look.c, which reads the memory through here.
 *
 *     /proc/PID/maps -> the start of each file that is loaded -> its notes -> bide_debug
 *
 * Nothing is read from files: a program that was deleted, replaced or stripped is found as well.
 * Where its memory may not be read, the program itself is asked (core/look.h).
 */
#include "look.h"

#include <elf.h>
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

enum {
    MAX_HEADERS = 64,
    MAX_NOTE_BYTES = 65536,
    PATIENCE_MS = 3000, /* until the answer begins */
    WHOLE_MS = 60000,   /* until it has ended */
    STEP_MS = 10,
};

/* The reader that src/core/look.c is given. */
struct memory {
    struct bide__look_reader reader;
    int pid;
    int error; /* of the last read: an errno */
};

static void *resize(void *memory, size_t bytes)
{
    if (bytes)
        return realloc(memory, bytes);
    free(memory);
    return NULL;
}

int64_t clock_ns(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * INT64_C(1000000000) + time.tv_nsec;
}

static void read_process(struct bide__look_reader *reader, struct bide__look_piece *pieces,
                         size_t count)
{
    struct memory *memory = (struct memory *)reader;
    memory->error = bide__look_process_read(memory->pid, pieces, count);
}

static struct memory memory_of(int pid)
{
    return (struct memory){{read_process, resize, clock_ns}, pid, 0};
}

static bool read_at(struct memory *memory, uint64_t address, void *to, size_t size)
{
    struct bide__look_piece piece = {address, to, (uint32_t)size, false};
    read_process(&memory->reader, &piece, 1);
    return piece.read;
}

void look_end(struct bide__look *look)
{
    struct memory memory = memory_of(0);
    bide__look_free(&memory.reader, look);
}

/* elf(5), "Notes": sizes of name and descriptor, type; name; descriptor. Gives what ours leads to,
   or 0. */
static uint64_t debug_in_notes(const char *notes, size_t size, uint64_t address)
{
    Elf64_Nhdr note;
    for (size_t at = 0; at + sizeof note <= size;) {
        memcpy(&note, notes + at, sizeof note);
        size_t name = at + sizeof note;
        size_t descriptor = name + ((size_t)note.n_namesz + 3) / 4 * 4;
        size_t next = descriptor + ((size_t)note.n_descsz + 3) / 4 * 4;
        if (next > size)
            return 0;
        if (note.n_type == BIDE__NOTE_TYPE && note.n_namesz == sizeof BIDE__NOTE_NAME &&
            note.n_descsz == sizeof(int64_t) &&
            memcmp(notes + name, BIDE__NOTE_NAME, sizeof BIDE__NOTE_NAME) == 0) {
            int64_t distance;
            memcpy(&distance, notes + descriptor, sizeof distance);
            return address + descriptor + (uint64_t)distance;
        }
        at = next;
    }
    return 0;
}

/* In the file that is loaded at `start`. */
static uint64_t debug_in_file(struct memory *memory, uint64_t start)
{
    Elf64_Ehdr head;
    Elf64_Phdr parts[MAX_HEADERS];
    if (!read_at(memory, start, &head, sizeof head) || memcmp(head.e_ident, ELFMAG, SELFMAG) != 0 ||
        head.e_ident[EI_CLASS] != ELFCLASS64 || head.e_phentsize != sizeof *parts ||
        head.e_phnum == 0 || head.e_phnum > MAX_HEADERS ||
        !read_at(memory, start + head.e_phoff, parts, head.e_phnum * sizeof *parts))
        return 0;
    uint64_t shift = start;
    for (int i = 0; i < head.e_phnum; i++) {
        if (parts[i].p_type != PT_LOAD)
            continue;
        shift = start - (parts[i].p_vaddr - parts[i].p_offset);
        break;
    }
    for (int i = 0; i < head.e_phnum; i++) {
        uint64_t size = parts[i].p_memsz, found = 0;
        if (parts[i].p_type != PT_NOTE || size == 0 || size > MAX_NOTE_BYTES)
            continue;
        char *notes = malloc(size);
        if (notes && read_at(memory, shift + parts[i].p_vaddr, notes, size))
            found = debug_in_notes(notes, size, shift + parts[i].p_vaddr);
        free(notes);
        if (found)
            return found;
    }
    return 0;
}

/* Whether its memory can be read. */
enum access { READABLE, FORBIDDEN, ENDED };

/* `ret_debug` is 0 when there is no bide in it. */
static enum access find_debug(struct target *target, uint64_t *ret_debug)
{
    struct memory memory = memory_of(target->pid);
    char line[PATH_MAX + 128], rights[8];
    uint64_t start, end, offset;
    bool readable = false, empty = true;
    *ret_debug = 0;
    FILE *maps = fopen(text_of("/proc/%d/maps", target->pid), "re");
    if (!maps)
        return errno == ENOENT ? ENDED : FORBIDDEN;
    while (!*ret_debug && fgets(line, sizeof line, maps)) {
        empty = false;
        if (sscanf(line, "%" SCNx64 "-%" SCNx64 " %7s %" SCNx64, &start, &end, rights, &offset) !=
                4 ||
            offset != 0 || rights[0] != 'r')
            continue;
        *ret_debug = debug_in_file(&memory, start);
        readable |= memory.error == 0;
    }
    fclose(maps);
    if (empty) /* a zombie, or a thread of the kernel */
        return ENDED;
    return readable ? READABLE : FORBIDDEN;
}

static char *gone(int pid)
{
    return text_of("process %d has ended", pid);
}

/* What forbids it, as an end of a sentence. */
static char *why_forbidden(int pid)
{
    struct stat status;
    char *scope = read_file("/proc/sys/kernel/yama/ptrace_scope");
    if (stat(text_of("/proc/%d", pid), &status) == 0 && geteuid() != 0 &&
        status.st_uid != geteuid())
        return text_of("it belongs to another user: be that user, or root");
    if (scope && atoi(scope) > 0)
        return text_of("kernel.yama.ptrace_scope is %d: be root, or say `sysctl "
                       "kernel.yama.ptrace_scope=0`",
                       atoi(scope));
    return text_of("the kernel forbids it (ptrace(2): capabilities, seccomp, PR_SET_DUMPABLE)");
}

/* ---- by its socket ---- */

struct talk {
    int fd;
    int64_t end_ns; /* when patience ends */
    bool late;      /* it has */
};

static void set_patience(struct talk *talk, int64_t ms)
{
    talk->end_ns = clock_ns() + ms * 1000000;
}

static bool receive(struct talk *talk, void *to, size_t size)
{
    struct pollfd input = {.fd = talk->fd, .events = POLLIN};
    for (size_t done = 0; done < size;) {
        int64_t left_ns = talk->end_ns - clock_ns();
        talk->late = left_ns <= 0;
        if (talk->late)
            return false;
        if (poll(&input, 1, (int)(left_ns / 1000000) + 1) <= 0)
            continue;
        ssize_t n = recv(talk->fd, (char *)to + done, size - done, MSG_DONTWAIT);
        if (n < 0 && (errno == EINTR || errno == EAGAIN))
            continue;
        if (n <= 0)
            return false;
        done += (size_t)n;
    }
    return true;
}

static bool receive_part(void **bytes, size_t size, void *arg)
{
    *bytes = malloc(size ? size : 1);
    return *bytes && receive(arg, *bytes, size);
}

/* Whether a text begins there. */
static bool is_text(const struct bide__look *look, uint32_t text)
{
    return text < look->text_bytes && (text == 0 || look->texts[text - 1] == '\0');
}

/* Whether all numbers in a picture that was sent are in their ranges. Its texts are made harmless:
   who sent it may have written anything. */
static bool is_valid(const struct bide__look *look)
{
    bool valid = look->text_bytes > 0 && look->texts[look->text_bytes - 1] == '\0' &&
                 look->site_count > 0 && look->kind_count > 0 && look->loop_count > 0;
    for (size_t at = 0; valid && at < look->text_bytes;)
        at += bide__look_clean_text(look->texts + at, look->text_bytes - at) + 1;
    for (uint32_t i = 0; valid && i < look->site_count; i++)
        valid = is_text(look, look->sites[i].file) && is_text(look, look->sites[i].function) &&
                is_text(look, look->sites[i].what);
    for (uint32_t i = 0; valid && i < look->kind_count; i++)
        valid = is_text(look, look->kinds[i].noun) && is_text(look, look->kinds[i].verb);
    for (uint32_t i = 0; valid && i < look->task_count; i++) {
        const struct bide__look_task *task = &look->tasks[i];
        valid = task->loop < look->loop_count &&
                (task->parent < look->task_count || task->parent == BIDE__LOOK_NOBODY) &&
                (task->holder < look->task_count || task->holder == BIDE__LOOK_NOBODY) &&
                is_text(look, task->name) && is_text(look, task->object) &&
                task->kind < look->kind_count && task->made < look->site_count &&
                task->at < look->site_count && task->object_made < look->site_count;
    }
    for (uint32_t i = 0; valid && i < look->loop_count; i++) {
        const struct bide__look_loop *loop = &look->loops[i];
        valid = (uint64_t)loop->first_task + loop->task_count <= look->task_count &&
                (uint64_t)loop->first_turn + loop->turn_count <= look->turn_count &&
                (uint64_t)loop->first_resume + loop->resume_count <= look->resume_count;
    }
    for (uint32_t i = 0; valid && i < look->resume_count; i++)
        valid = (uintptr_t)look->resumes[i].at < look->site_count;
    return valid;
}

/* Anybody may take the name of a socket: it must be this process, and one that may answer us.
   proc(5), /proc/pid/status: the second number of "Uid:" is the effective one, as the socket has.
 */
static bool is_answer_of(int fd, int pid)
{
    struct ucred peer;
    socklen_t size = sizeof peer;
    uid_t user;
    char *status = read_file(text_of("/proc/%d/status", pid));
    char *line = status ? strstr(status, "\nUid:") : NULL;
    return line && sscanf(line, " Uid: %*u %u", &user) == 1 &&
           getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 && peer.pid == pid &&
           peer.uid == user && (geteuid() == 0 || peer.uid == geteuid());
}

static bool connect_to(struct talk *talk, int pid)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int64_t left_us = (talk->end_ns - clock_ns()) / 1000;
    struct timeval patience = {left_us / 1000000, left_us % 1000000};
    int length =
        snprintf(address.sun_path + 1, sizeof address.sun_path - 1, BIDE__LOOK_SOCKET, pid);
    if (left_us <= 0)
        return false;
    talk->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (talk->fd < 0)
        return false;
    /* unix(7): connect(2) waits while its backlog is full, as long as a send may. */
    setsockopt(talk->fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    if (connect(talk->fd, (struct sockaddr *)&address,
                (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)length)) == 0) {
        if (is_answer_of(talk->fd, pid))
            return true;
    } else {
        talk->late = errno == EAGAIN;
    }
    close(talk->fd);
    return false;
}

static bool has_ended(int pid)
{
    return kill(pid, 0) < 0 && errno == ESRCH;
}

/* Has the process listen, and waits until it does. */
static bool ask_to_listen(struct talk *talk, int pid)
{
    union sigval value = {.sival_int = BIDE__LOOK_SIGNAL_VALUE};
    if (connect_to(talk, pid))
        return true;
    if (talk->late || sigqueue(pid, SIGURG, value) < 0)
        return false;
    while (talk->end_ns > clock_ns() && !has_ended(pid)) {
        poll(NULL, 0, STEP_MS);
        if (connect_to(talk, pid))
            return true;
    }
    return false;
}

/* What went wrong with the answer of a process that is connected; NULL: nothing. */
static char *receive_look(struct talk *talk, int pid, enum bide__look_what what,
                          struct bide__look *look)
{
    char asked = (char)what, pointers[sizeof *look - offsetof(struct bide__look, loops)];
    if (send(talk->fd, &asked, 1, MSG_NOSIGNAL) != 1 ||
        !receive(talk, look, offsetof(struct bide__look, loops)))
        return text_of("process %d did not say what it does: no bide_run runs in it", pid);
    if (memcmp(look->magic, BIDE__DEBUG_MAGIC, sizeof look->magic) != 0 ||
        look->version != BIDE__DEBUG_VERSION)
        return text_of("process %d has another version of bide (layout %u; this command knows %d)",
                       pid, look->version, BIDE__DEBUG_VERSION);
    set_patience(talk, WHOLE_MS);
    if (!receive(talk, pointers, sizeof pointers) || !bide__look_parts(look, receive_part, talk) ||
        !is_valid(look))
        return text_of("what process %d sent is damaged", pid);
    return NULL;
}

static char *look_by_socket(struct target *target, enum bide__look_what what,
                            struct bide__look *look)
{
    struct talk talk = {.fd = -1};
    char *problem = NULL;
    set_patience(&talk, PATIENCE_MS);
    memset(look, 0, sizeof *look);
    bool connected = ask_to_listen(&talk, target->pid);
    if (connected) {
        problem = receive_look(&talk, target->pid, what, look);
        close(talk.fd);
    } else if (!talk.late) {
        problem = text_of("the memory of process %d may not be read, and it did not answer on its "
                          "socket: %s",
                          target->pid, why_forbidden(target->pid));
    }
    if (!connected || problem) {
        if (has_ended(target->pid))
            return gone(target->pid);
        if (talk.late)
            return text_of("process %d did not answer within %d s: it is stopped, or too busy",
                           target->pid, PATIENCE_MS / 1000);
    }
    return problem;
}

/* ---- by its memory ---- */

char *target_look(struct target *target, enum bide__look_what what, struct bide__look *look)
{
    struct memory memory = memory_of(target->pid);
    if (!target->debug)
        return look_by_socket(target, what, look);
    enum bide__look_result result = bide__look_take(&memory.reader, target->debug, what, look);
    uint32_t version = look->version;
    look->pid = (uint32_t)target->pid;
    bool ended = has_ended(target->pid);
    if (result == BIDE__LOOK_DONE && !ended)
        return NULL;
    bide__look_free(&memory.reader, look);
    if (ended)
        return gone(target->pid);
    switch (result) {
    case BIDE__LOOK_NO_MEMORY:
        return text_of("out of memory");
    case BIDE__LOOK_OTHER_VERSION:
        return text_of("process %d has another version of bide (layout %u; this command knows %d): "
                       "use the command that came with its library",
                       target->pid, version, BIDE__DEBUG_VERSION);
    case BIDE__LOOK_NOT_RUNNING:
        return text_of("no bide_run runs in process %d (%s)", target->pid, target->program);
    case BIDE__LOOK_DONE:
    case BIDE__LOOK_UNREADABLE:
    case BIDE__LOOK_NO_MAGIC:
    case BIDE__LOOK_DAMAGED:
        break;
    }
    return text_of(
        "the tasks of process %d (%s) cannot be found: its memory was overwritten, or it "
        "is just ending",
        target->pid, target->program);
}

/* proc(5), /proc/pid/stat: field 22, in ticks since the machine's start. */
static int64_t start_of(int pid)
{
    unsigned long long ticks = 0;
    char *stat_text = read_file(text_of("/proc/%d/stat", pid));
    char *at = stat_text ? strrchr(stat_text, ')') : NULL;
    for (int field = 2; at && field < 22; field++)
        at = strchr(at + 1, ' ');
    if (!at || sscanf(at, "%llu", &ticks) != 1)
        return 0;
    return (int64_t)(ticks * (1000000000 / (unsigned long long)sysconf(_SC_CLK_TCK)));
}

char *target_open(struct target *target, int pid)
{
    struct stat status;
    char file[PATH_MAX];
    *target = (struct target){.pid = pid};
    if (stat(text_of("/proc/%d", pid), &status) < 0)
        return text_of("there is no process %d", pid);
    ssize_t length = readlink(text_of("/proc/%d/exe", pid), file, sizeof file - 1);
    file[length > 0 ? length : 0] = '\0';
    char *comm = read_file(text_of("/proc/%d/comm", pid));
    if (comm)
        comm[strcspn(comm, "\n")] = '\0';
    target->program = length > 0 ? text_of("%s", strrchr(file, '/') ? strrchr(file, '/') + 1 : file)
                                 : text_of("%s", comm ? comm : "?");
    bide__look_clean_text(target->program, strlen(target->program) + 1);
    target->began_ns = start_of(pid);
    enum access access = find_debug(target, &target->debug);
    if (access == ENDED)
        return gone(pid);
    if (access == READABLE && !target->debug)
        return text_of("process %d (%s) is no program of bide's: it has no note of bide in its "
                       "files, or was stripped of it",
                       pid, target->program);
    return NULL;
}
