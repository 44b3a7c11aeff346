/* A program to be looked at: look KIND [COUNT]. run_look.py finds the lines by their comments. */
#include <bide/bide.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "core/look.h" /* which stands alone */

static const char *kind = "tree";
static int count = 5;
static __thread bide_mutex account; /* one for each loop */

static async(void) feed(int number)
{
    await(bide_sleep(bide_s(1000 + number))); /* feed waits */
    return bide_void;
}
SPAWNABLE(void, feed, int)

static async(void) owner(void)
{
    with_lock(&account) {
        await(bide_sleep(bide_s(1000))); /* owner waits */
    }
    return bide_void;
}
SPAWNABLE(void, owner)

static async(void) wanter(void)
{
    with_deadline(bide_s(500)) {
        with_lock(&account) /* wanter waits */
        {
        }
    }
    return bide_void;
}
SPAWNABLE(void, wanter)

static async(void) ticker(void)
{
    for (;;)
        await(bide_sleep(bide_ms(1)));
}
SPAWNABLE(void, ticker)

static async(void) nothing(int number)
{
    if (number % 2)
        await(bide_yield());
    return bide_void;
}
SPAWNABLE(void, nothing, int)

static async(void) outer(void)
{
    bide_task_rename("outer %d", 7);
    with_group(inside) {
        spawn_void(inside, feed, 0);
    }
    return bide_void;
}
SPAWNABLE(void, outer)

static void up(void)
{
    printf("up\n");
    fflush(stdout);
}

/* Beside all the others, one that ends in a core. */
static async(void) crash(int number)
{
    up();
    volatile int *nowhere = NULL;
    await(bide_yield());
    *nowhere = number; /* crashes */
    return bide_void;
}
SPAWNABLE(void, crash, int)

/* The loop goes no further: what it would do with such memory is not the question. */
static void stay(void)
{
    up();
    for (;;)
        pause();
}

static bool send_all(void **bytes, size_t size, void *arg)
{
    return send(*(int *)arg, *bytes, size, MSG_NOSIGNAL) == (ssize_t)size;
}

static char texts[256] = "";
static uint32_t texts_end = 1;

static uint32_t text(const char *words)
{
    uint32_t place = texts_end;
    texts_end += (uint32_t)snprintf(texts + place, sizeof texts - place, "%s", words) + 1;
    return place;
}

/* A picture of what takes long to come about; its first task has a name that is not to be
   believed, which begins at COUNT. */
static const struct bide__look *made_up(void)
{
    enum { CIRCLE = 1, POOL, CLOSES, LATE = 100 };
    static struct bide__look_loop loop = {.task_count = 7};
    static struct bide__look_site site;
    static struct bide__look_kind kinds[4];
    static struct bide__look_task tasks[7];
    static struct bide__look look = {.magic = BIDE__DEBUG_MAGIC,
                                     .version = BIDE__DEBUG_VERSION,
                                     .now_ns = LATE * INT64_C(1000000000),
                                     .loop_count = 1,
                                     .task_count = 7,
                                     .site_count = 1,
                                     .kind_count = 4,
                                     .loops = &loop,
                                     .tasks = tasks,
                                     .sites = &site,
                                     .kinds = kinds,
                                     .texts = texts};
    text("\033[31mEVIL\033]0;owned\007 \xc4\x9b\xff");
    const char *const names[] = {"evil", "left", "right", "poor", "closer", "shielded", "quick"};
    for (uint32_t i = 0; i < 7; i++)
        tasks[i] = (struct bide__look_task){.id = i + 1,
                                            .name = text(names[i]),
                                            .parent = BIDE__LOOK_NOBODY,
                                            .holder = BIDE__LOOK_NOBODY,
                                            .since_ns = look.now_ns - 1000000000,
                                            .deadline_ns = INT64_MAX,
                                            .state = BIDE__LOOK_WAITING};
    kinds[CIRCLE] = (struct bide__look_kind){text("mutex"), text("wants")};
    kinds[POOL] = (struct bide__look_kind){text("pool"), text("wants a connection of")};
    kinds[CLOSES] = (struct bide__look_kind){text("pool"), text("closes")};
    tasks[0].name = (uint32_t)count;
    tasks[1].kind = tasks[2].kind = CIRCLE;
    tasks[1].holder = 2;
    tasks[2].holder = 1;
    tasks[3].kind = POOL;
    tasks[4].kind = CLOSES;
    tasks[5].flags = tasks[6].flags = BIDE__LOOK_CANCELLED;
    tasks[5].since_ns -= 5000000000;
    look.text_bytes = texts_end;
    return &look;
}

/* Answers as bide would. */
static void lie(void)
{
    struct bide__look look = *made_up();
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int length = snprintf(address.sun_path + 1, 100, BIDE__LOOK_SOCKET, getpid());
    int listener = socket(AF_UNIX, SOCK_STREAM, 0);
    size_t size = offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)length;
    if (bind(listener, (void *)&address, (socklen_t)size) < 0 || listen(listener, 4) < 0)
        abort();
    up();
    for (;;) {
        char what;
        int fd = accept(listener, NULL, NULL);
        void *head = &look;
        if (recv(fd, &what, 1, 0) == 1 && send_all(&head, sizeof look, &fd))
            bide__look_parts(&look, send_all, &fd);
        close(fd);
    }
}

static async(void) tree(void)
{
    bide_mutex_init(&account, "account");
    with_group(g, .name = "all") {
        for (int i = 0; i < count; i++)
            spawn_void(g, feed, i); /* feed is spawned */
        spawn_void(g, owner);
        spawn_void(g, wanter);
        spawn_void(g, ticker);
        spawn_void(g, outer);
        spawn_void(bide_background(), feed, 1);
        await(bide_sleep(bide_ms(5)));
        if (strcmp(kind, "crash") == 0)
            spawn_void(g, crash, count);
        else
            up();
    }
    return bide_void;
}

/* Tasks come and go all the time. */
static async(void) churn(void)
{
    up();
    for (;;) {
        with_group(g) {
            for (int i = 0; i < count; i++)
                spawn_void(g, nothing, i);
        }
    }
}

/* More and more tasks at one place. */
static async(void) growth(void)
{
    with_group(g) {
        up();
        for (;;) {
            spawn_void(g, feed, 1);
            await(bide_sleep(bide_ms(1)));
        }
    }
    return bide_void;
}

static async(void) read_it(bide_stream_ptr peer)
{
    char bytes[16];
    (void)await(bide_read(peer, bytes, sizeof bytes));
    return bide_void;
}
SPAWNABLE(void, read_it, bide_stream_ptr)

static async(void) ask(bide_stream_ptr peer, bool bounded)
{
    if (bounded)
        with_deadline(bide_s(2000))
            await(read_it(peer));
    else
        await(read_it(peer));
    return bide_void;
}
SPAWNABLE(void, ask, bide_stream_ptr, bool)

static async(void) is_meant(bide_stream_ptr peer)
{
    with_deadline(BIDE_FOREVER) {
        with_group(inside)
            spawn_void(inside, read_it, peer);
    }
    return bide_void;
}
SPAWNABLE(void, is_meant, bide_stream_ptr)

/* Tasks that wait for a peer: the first with a deadline, COUNT without; two that are meant to. */
static async(void) asks(void)
{
    bide_stream_ptr ends[2];
    with_group(g) {
        for (int i = 0; i <= count; i++) {
            await(bide_stream_pair(ends));
            spawn_void(g, ask, ends[0], i == 0);
        }
        await(bide_stream_pair(ends));
        spawn_void(g, is_meant, ends[0]);
        await(bide_stream_pair(ends));
        spawn_void(bide_background(), read_it, ends[0]);
        await(bide_sleep(bide_ms(5)));
        up();
        await(bide_sleep(bide_s(1000)));
    }
    return bide_void;
}

/* The tasks above a task lead back to it. */
static async(void) circle(void)
{
    with_group(g) {
        task(void) child = spawn(g, feed, 1);
        await(bide_sleep(bide_ms(5)));
        g->scope.task = bide_ref(child).task;
        stay();
    }
    return bide_void;
}

/* Members of the loop that only its own thread reads, its rings, and the layout itself. */
static void damage_loop(const struct bide_task *task)
{
    static const int members[] = {BIDE__AT_loop_turns,     BIDE__AT_loop_ring_turns,
                                  BIDE__AT_loop_ring,      BIDE__AT_loop_chunks,
                                  BIDE__AT_loop_fresh_end, BIDE__AT_loop_chunk_tasks,
                                  BIDE__AT_loop_next_id,   BIDE__AT_loop_index};
    char *loop;
    memcpy(&loop, (const char *)task + bide_debug.offsets[BIDE__AT_task_loop], sizeof loop);
    int member = members[count % 8];
    int bytes = member == BIDE__AT_loop_chunk_tasks || member == BIDE__AT_loop_index ? 4 : 8;
    if (count % 3 == 0)
        memset(loop + bide_debug.offsets[member], 0xff, (size_t)bytes);
    if (count % 3 == 1)
        for (int i = 0; i < 4096; i++)
            loop[bide_debug.offsets[BIDE__AT_loop_ring] + (unsigned)rand() % 131072] = (char)rand();
    if (count % 3 != 2)
        return;
    uint32_t *number = (uint32_t *)(uintptr_t)&bide_debug.offsets[rand() % BIDE__OFFSETS];
    uintptr_t page = (uintptr_t)number & ~(uintptr_t)(getpagesize() - 1);
    if (mprotect((void *)page, (size_t)getpagesize(), PROT_READ | PROT_WRITE) == 0)
        *number = (uint32_t[]){0, 8, 200, 4088, UINT32_MAX, (uint32_t)rand()}[rand() % 6];
}

/* Records and the group are overwritten by chance: COUNT is the seed. */
static async(void) damage(void)
{
    bide_task_ref refs[20];
    with_group(g) {
        for (int i = 0; i < 20; i++)
            refs[i] = bide_ref(spawn(g, feed, i));
        await(bide_sleep(bide_ms(5)));
        srand((unsigned)count);
        damage_loop(refs[0].task);
        for (int i = 0; i < 60; i++) {
            uint64_t *words = (void *)refs[rand() % 20].task;
            uint64_t wild[] = {0,
                               (uint64_t)rand(),
                               ~UINT64_C(0),
                               (uint64_t)(uintptr_t)words,
                               words[rand() % 30],
                               (uint64_t)(uintptr_t)&refs};
            words[rand() % 30] = wild[rand() % 6];
            if (i % 10 == 0)
                ((uint64_t *)(void *)g)[(size_t)rand() % (sizeof *g / 8)] = wild[rand() % 6];
        }
        stay();
    }
    return bide_void;
}

static async(void) brief(void)
{
    with_group(g) {
        for (int i = 0; i < 500; i++)
            spawn_void(g, nothing, i);
        up();
        await(bide_sleep(bide_ms(count)));
    }
    return bide_void;
}

int main(int argc, char **argv)
{
    if (argc > 1)
        kind = argv[1];
    if (argc > 2)
        count = atoi(argv[2]);
    if (strcmp(kind, "plain") == 0)
        stay();
    if (strcmp(kind, "lie") == 0)
        lie();
    if (strcmp(kind, "deaf") == 0)
        return bide_run(tree, .ignore_signals = true);
    if (strcmp(kind, "loops") == 0)
        return bide_run(tree, .loops = 2);
    return strcmp(kind, "churn") == 0    ? bide_run(churn)
           : strcmp(kind, "growth") == 0 ? bide_run(growth)
           : strcmp(kind, "asks") == 0   ? bide_run(asks)
           : strcmp(kind, "circle") == 0 ? bide_run(circle)
           : strcmp(kind, "damage") == 0 ? bide_run(damage)
           : strcmp(kind, "brief") == 0  ? bide_run(brief)
                                         : bide_run(tree);
}
