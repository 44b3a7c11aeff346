/*
 * main() of every test binary: the list of tests, a process for each, the report.
 *
 * Calls the bodies through run_task.c or run_plain.c. Each attempt of a test is a forked child in a
 * process group of its own, its output a pipe that this file reads while it waits.
 *
 * 1. The child's process group is killed before the child is reaped, so its number cannot have been
 *    given away.
 * 2. At most `output_max` bytes of output are kept per attempt: the beginning, which says what went
 *    wrong first.
 */
#include "harness.h"

#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
    output_max = 256 * 1024,
    default_timeout_ms = 10 * 1000,
    slow_build_factor = 10,
    last_words_ms =
        300, /* between SIGQUIT, which makes a runtime print its task tree, and SIGKILL */
    points_max = 10 * 1000, /* more injected points than that is a test that never ends */
    shrink_ms = 3000,       /* for making a failing schedule smaller */
};

enum outcome { outcome_passed, outcome_failed, outcome_skipped };

struct arguments {
    const char *program;
    const char *only;
    bool list, no_fork, verbose, seed_given, schedule_given;
    uint64_t seed;
    unsigned long repeat;
};

/* One run of one test: a repetition, or one injected point of it. */
struct attempt {
    const struct bide__test *test;
    struct bide__test_options options;
    uint64_t seed;
    const struct bide__trail *schedule; /* EXPLORE: the only one to run; NULL: a search */
};

struct output {
    char *text;
    size_t size;
    size_t dropped;
};

/* How an attempt in a process of its own ended. */
struct ending {
    struct output output;
    bool failed, in_time;
    char why[128];
};

struct bide__test_verdict *bide__test_verdict;
struct bide__trail *bide__test_trail;
const struct bide__trail *bide__test_replay;
int bide__test_search_ms;
static struct bide__trail schedule; /* of BIDE_SCHEDULE */
uint64_t bide__test_current_seed;
int bide__test_capture_fd = -1;

static struct bide__test *tests;
static volatile sig_atomic_t running_group;

void bide__test_register(struct bide__test *test)
{
    struct bide__test **at = &tests;

    while (*at && (strcmp((*at)->file, test->file) < 0 ||
                   (strcmp((*at)->file, test->file) == 0 && (*at)->line < test->line)))
        at = &(*at)->next;
    test->next = *at;
    *at = test;
}

static long long now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000LL + now.tv_nsec / 1000000;
}

static bool slow_build(void)
{
    const char *preload = getenv("LD_PRELOAD");

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    return true;
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) ||                         \
    __has_feature(memory_sanitizer)
    return true;
#endif
#endif
    return preload && strstr(preload, "vgpreload");
}

static int timeout_ms_of(const struct bide__test_options *options)
{
    int timeout_ms = options->timeout_ms ? options->timeout_ms : default_timeout_ms;

    return slow_build() ? timeout_ms * slow_build_factor : timeout_ms;
}

/* Runs the body in this process and leaves the result in the verdict. */
static void run_body(const struct attempt *attempt)
{
    int result;

    bide__test_current_seed = attempt->seed;
    bide__test_replay = attempt->schedule;
    bide__test_search_ms = timeout_ms_of(&attempt->options) / 2;
    result = attempt->options.run(attempt->test->body, &attempt->options);
    if (result < 0)
        atomic_fetch_add(&bide__test_verdict->failures, 1);
    if (result == 1)
        atomic_store(&bide__test_verdict->point_reached, true);
    atomic_store(&bide__test_verdict->finished, true);
}

__attribute__((noreturn)) static void run_child(const struct attempt *attempt, int output_fd)
{
    int null_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    sigset_t none;

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    signal(SIGINT, SIG_DFL);
    signal(SIGTERM, SIG_DFL);
    signal(SIGHUP, SIG_DFL);
    signal(SIGCHLD, SIG_DFL);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    dup2(null_fd, STDIN_FILENO);
    dup2(output_fd, STDOUT_FILENO);
    dup2(output_fd, STDERR_FILENO);
    /* What is printed before a crash must not stay in a buffer. */
    setvbuf(stdout, NULL, _IOLBF, 0);
    run_body(attempt);
    /*
     * exit() and not _exit(): LeakSanitizer looks at the end, and turns a leak into an exit status.
     */
    exit(atomic_load(&bide__test_verdict->failures) ? 1 : 0);
}

/* Takes what can be read at once; gives false at the end of the pipe. */
static bool read_some(int fd, struct output *output)
{
    char buffer[16 * 1024];
    ssize_t n = read(fd, buffer, sizeof buffer);
    size_t kept;

    if (n <= 0)
        return n < 0 && (errno == EAGAIN || errno == EINTR);
    kept = output_max - output->size;
    if (kept > (size_t)n)
        kept = (size_t)n;
    memcpy(output->text + output->size, buffer, kept);
    output->size += kept;
    output->dropped += (size_t)n - kept;
    return true;
}

static bool has_ended(pid_t child)
{
    siginfo_t info = {.si_pid = 0};

    return waitid(P_PID, (id_t)child, &info, WEXITED | WNOHANG | WNOWAIT) == 0 &&
           info.si_pid == child;
}

/*
 * Reads the child's output until the child ends; gives false when its time was over first. It stays
 * a zombie. SIGCHLD is let in only while this waits, so the end cannot fall between look and sleep.
 */
static bool wait_for_end(pid_t child, int fd, int timeout_ms, struct output *output)
{
    struct pollfd polled = {.fd = fd, .events = POLLIN};
    long long deadline = now_ms() + timeout_ms;
    bool in_time = true;
    sigset_t let_in;

    sigprocmask(SIG_SETMASK, NULL, &let_in);
    sigdelset(&let_in, SIGCHLD);
    while (!has_ended(child)) {
        long long left_ms = deadline - now_ms();
        struct timespec left = {.tv_sec = left_ms / 1000, .tv_nsec = left_ms % 1000 * 1000000};

        if (left_ms <= 0 && !in_time)
            return false;
        if (left_ms <= 0) {
            in_time = false;
            kill(child, SIGQUIT);
            deadline = now_ms() + last_words_ms;
        } else if (ppoll(&polled, 1, &left, &let_in) > 0 && !read_some(fd, output)) {
            polled.fd = -1;
        }
    }
    return in_time;
}

static void print_indented(const char *text, size_t size)
{
    const char *end = text + size;

    while (text < end) {
        const char *line_end = memchr(text, '\n', (size_t)(end - text));
        size_t length = (size_t)((line_end ? line_end : end) - text);

        printf("    | ");
        fwrite(text, 1, length, stdout);
        putchar('\n');
        text += length + 1;
    }
}

static void print_output(const struct output *output)
{
    print_indented(output->text, output->size);
    if (output->dropped)
        printf("    (%zu further bytes dropped)\n", output->dropped);
    if (atomic_load(&bide__test_verdict->capturing)) {
        size_t size;
        char *text = bide__test_read_all(bide__test_capture_fd, &size);

        printf("    stderr captured by the test so far:\n");
        print_indented(text, size);
        free(text);
    }
}

/* Says in `text` why the attempt failed, or gives false if it did not. `status` is waitpid's. */
static bool why_failed(char *text, size_t size, int status, bool in_time, int timeout_ms)
{
    int failures = atomic_load(&bide__test_verdict->failures);

    if (!in_time)
        snprintf(text, size, "did not end within %d ms, killed", timeout_ms);
    else if (WIFSIGNALED(status))
        snprintf(
            text, size, "died by signal %d (%s)%s", WTERMSIG(status), strsignal(WTERMSIG(status)),
            WTERMSIG(status) == SIGSYS ? "; under no_blocking: in a thread that blocks it" : "");
    else if (failures)
        snprintf(text, size, "%d failure%s", failures, failures == 1 ? "" : "s");
    else if (atomic_load(&bide__test_verdict->skipped))
        return false;
    else if (!atomic_load(&bide__test_verdict->finished))
        snprintf(text, size, "left by exit(%d) before its end", WEXITSTATUS(status));
    else if (WEXITSTATUS(status) != 0)
        snprintf(text, size, "exit status %d after its end", WEXITSTATUS(status));
    else
        return false;
    return true;
}

static void print_replay(const struct arguments *arguments, const struct attempt *attempt)
{
    if (attempt->options.cancel_at)
        printf("    with the await number %u cancelled\n", attempt->options.cancel_at);
    if (attempt->options.fail_allocation_at)
        printf("    with the allocation number %u failing\n", attempt->options.fail_allocation_at);
    printf("    replay: ");
    if (!attempt->options.explores || attempt->seed != attempt->test->options.seed)
        printf("BIDE_TEST_SEED=%llu ", (unsigned long long)attempt->seed);
    if (attempt->options.explores) {
        char *text = bide__trail_text(attempt->schedule ? attempt->schedule : bide__test_trail);

        printf("BIDE_SCHEDULE=%s ", text);
        free(text);
    }
    printf("%s --only %s\n", arguments->program, attempt->test->options.name);
}

/* Runs the attempt in a process of its own. The caller frees the output's text. */
static void run_child_to_end(const struct attempt *attempt, struct ending *ending)
{
    int timeout_ms = timeout_ms_of(&attempt->options), fds[2], status;
    pid_t child;

    memset(bide__test_verdict, 0, sizeof *bide__test_verdict);
    bide__test_trail->count = 0;
    ending->output = (struct output){.text = malloc(output_max)};
    if (!ending->output.text || pipe2(fds, O_CLOEXEC) < 0 || (fflush(NULL), child = fork()) < 0) {
        perror("starting a test");
        exit(2);
    }
    if (child == 0) {
        setpgid(0, 0);
        run_child(attempt, fds[1]);
    }
    /* Both sides do it, so that it is done whichever runs first. */
    setpgid(child, child);
    running_group = child;
    close(fds[1]);
    fcntl(fds[0], F_SETFL, O_NONBLOCK);
    ending->in_time = wait_for_end(child, fds[0], timeout_ms, &ending->output);
    kill(-child, SIGKILL);
    running_group = 0;
    while (poll(&(struct pollfd){.fd = fds[0], .events = POLLIN}, 1, 0) > 0 &&
           read_some(fds[0], &ending->output))
        ;
    while (waitpid(child, &status, 0) < 0 && errno == EINTR)
        ;
    close(fds[0]);
    ending->failed =
        why_failed(ending->why, sizeof ending->why, status, ending->in_time, timeout_ms);
}

static bool schedule_fails(const struct bide__trail *trail, void *arg)
{
    struct attempt attempt = *(const struct attempt *)arg;
    struct ending ending;

    attempt.schedule = trail;
    run_child_to_end(&attempt, &ending);
    free(ending.output.text);
    return ending.failed && ending.in_time;
}

/*
 * After a search that found a failing schedule: makes it smaller in `*trail`, and its run the one
 * that is reported. If it passes in a process of its own, the search's report stays.
 */
static void shrink_failure(struct attempt *attempt, struct ending *ending,
                           struct bide__trail *trail)
{
    struct ending again;

    memcpy(trail, bide__test_trail, sizeof *trail);
    attempt->schedule = trail;
    if (!ending->in_time)
        return;
    if (schedule_fails(trail, attempt)) {
        bide__trail_shrink(trail, schedule_fails, attempt, shrink_ms);
        run_child_to_end(attempt, &again);
        if (again.failed) {
            free(ending->output.text);
            *ending = again;
            return;
        }
        free(again.output.text);
    }
    snprintf(ending->why, sizeof ending->why,
             "a schedule that passes when it runs alone: statics, clocks or others count");
}

static enum outcome run_forked(const struct arguments *arguments, const struct attempt *asked)
{
    struct attempt attempt = *asked;
    struct ending ending;
    bool failed;

    run_child_to_end(&attempt, &ending);
    failed = ending.failed;
    if (failed && attempt.options.explores && !attempt.schedule) {
        static struct bide__trail smaller;

        shrink_failure(&attempt, &ending, &smaller);
    }
    if (failed)
        printf("FAIL %s: %s\n", attempt.test->options.name, ending.why);
    if (failed || arguments->verbose)
        print_output(&ending.output);
    if (failed)
        print_replay(arguments, &attempt);
    free(ending.output.text);
    if (failed)
        return outcome_failed;
    return atomic_load(&bide__test_verdict->skipped) ? outcome_skipped : outcome_passed;
}

static enum outcome run_here(const struct arguments *arguments, const struct attempt *attempt)
{
    memset(bide__test_verdict, 0, sizeof *bide__test_verdict);
    bide__test_trail->count = 0;
    printf("run  %s\n", attempt->test->options.name);
    fflush(stdout);
    run_body(attempt);
    if (!atomic_load(&bide__test_verdict->failures))
        return outcome_passed;
    printf("FAIL %s: %d failures\n", attempt->test->options.name,
           atomic_load(&bide__test_verdict->failures));
    print_replay(arguments, attempt);
    return outcome_failed;
}

static enum outcome run_attempt(const struct arguments *arguments, const struct attempt *attempt)
{
    return arguments->no_fork ? run_here(arguments, attempt) : run_forked(arguments, attempt);
}

/*
 * Runs the attempt with `*number` = 1, 2, ... until a run ends without having reached that point.
 */
static enum outcome run_points(const struct arguments *arguments, struct attempt *attempt,
                               unsigned *number)
{
    enum outcome outcome;

    do {
        if (++*number > points_max) {
            printf("FAIL %s: more than %d points to inject at\n", attempt->test->options.name,
                   points_max);
            outcome = outcome_failed;
            break;
        }
        outcome = run_attempt(arguments, attempt);
    } while (outcome == outcome_passed && atomic_load(&bide__test_verdict->point_reached));
    *number = 0;
    return outcome;
}

__attribute__((noreturn)) static void usage(const char *program)
{
    fprintf(stderr, "usage: %s [--list] [--only NAME] [--no-fork] [--seed N] [--repeat N] [-v]\n",
            program);
    exit(2);
}

/* Gives the number that `text` is; anything else is misuse. */
static uint64_t number(const char *program, const char *text)
{
    char *end;
    unsigned long long value;

    errno = 0;
    value = text ? strtoull(text, &end, 10) : 0;
    if (!text || *text < '0' || *text > '9' || *end || errno)
        usage(program);
    return value;
}

static enum outcome run_test(const struct arguments *arguments, const struct bide__test *test)
{
    struct attempt attempt = {.test = test, .options = test->options};
    const char *schedules = getenv("BIDE_SCHEDULES");
    uint64_t first_seed = arguments->seed_given ? arguments->seed : test->options.seed;
    long long start_ms = now_ms();
    enum outcome outcome = outcome_passed;

    if (test->options.explores && arguments->schedule_given)
        attempt.schedule = &schedule;
    if (schedules)
        attempt.options.schedules = (unsigned long)number(arguments->program, schedules);

    for (unsigned long i = 0; i < arguments->repeat && outcome == outcome_passed; i++) {
        attempt.seed = attempt.options.seed = first_seed + i;
        outcome = run_attempt(arguments, &attempt);
        if (test->options.explores) /* it has cancelled and failed allocations by itself */
            continue;
        if (outcome == outcome_passed && test->options.cancel_everywhere)
            outcome = run_points(arguments, &attempt, &attempt.options.cancel_at);
        if (outcome == outcome_passed && test->options.fail_allocations)
            outcome = run_points(arguments, &attempt, &attempt.options.fail_allocation_at);
    }
    if (outcome == outcome_skipped)
        printf("skip %s: %s\n", test->options.name, bide__test_verdict->reason);
    else if (outcome == outcome_passed && arguments->verbose)
        printf("ok   %s (%lld ms)\n", test->options.name, now_ms() - start_ms);
    fflush(stdout);
    return outcome;
}

static bool chosen(const struct arguments *arguments, const struct bide__test *test)
{
    if (test->options.hidden)
        return arguments->only && strcmp(arguments->only, test->options.name) == 0;
    return !arguments->only || fnmatch(arguments->only, test->options.name, 0) == 0;
}

static void parse_arguments(struct arguments *arguments, int argc, char **argv)
{
    const char *environment_seed = getenv("BIDE_TEST_SEED");
    const char *environment_schedule = getenv("BIDE_SCHEDULE");

    *arguments = (struct arguments){.program = argv[0], .repeat = 1};
    if (environment_seed) {
        arguments->seed = number(argv[0], environment_seed);
        arguments->seed_given = true;
    }
    if (environment_schedule) {
        arguments->schedule_given = bide__trail_parse(environment_schedule, &schedule);
        if (!arguments->schedule_given) {
            fprintf(stderr, "%s: BIDE_SCHEDULE is no schedule: \"%s\"\n", argv[0],
                    environment_schedule);
            exit(2);
        }
    }
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--list") == 0) {
            arguments->list = true;
        } else if (strcmp(argv[i], "--no-fork") == 0) {
            arguments->no_fork = true;
        } else if (strcmp(argv[i], "-v") == 0) {
            arguments->verbose = true;
        } else if (strcmp(argv[i], "--only") == 0 && i + 1 < argc) {
            arguments->only = argv[++i];
        } else if (strcmp(argv[i], "--repeat") == 0) {
            arguments->repeat = number(argv[0], argv[++i]);
        } else if (strcmp(argv[i], "--seed") == 0) {
            arguments->seed = number(argv[0], argv[++i]);
            arguments->seed_given = true;
        } else {
            usage(argv[0]);
        }
    }
}

static void refuse_equal_names(void)
{
    for (const struct bide__test *a = tests; a; a = a->next) {
        for (const struct bide__test *b = a->next; b; b = b->next) {
            if (strcmp(a->options.name, b->options.name) == 0) {
                fprintf(stderr, "%s:%d: the test '%s' has the name of the one at %s:%d\n", b->file,
                        b->line, b->options.name, a->file, a->line);
                exit(2);
            }
        }
    }
}

/* Being delivered is all that SIGCHLD is for: it ends the ppoll. */
static void wake_up(int signal_number)
{
    (void)signal_number;
}

static void kill_running_group(int signal_number)
{
    if (running_group)
        kill(-running_group, SIGKILL);
    signal(signal_number, SIG_DFL);
    raise(signal_number);
}

int main(int argc, char **argv)
{
    struct arguments arguments;
    unsigned counts[3] = {0};
    sigset_t child_ends;

    parse_arguments(&arguments, argc, argv);
    refuse_equal_names();
    bide__test_verdict = mmap(NULL, sizeof *bide__test_verdict, PROT_READ | PROT_WRITE,
                              MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    bide__test_trail = mmap(NULL, sizeof *bide__test_trail, PROT_READ | PROT_WRITE,
                            MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    bide__test_capture_fd = memfd_create("bide_test_capture", MFD_CLOEXEC);
    /* Of a memfd the kernel does not keep writes of several threads apart, but by O_APPEND. */
    if (bide__test_verdict == MAP_FAILED || bide__test_trail == MAP_FAILED ||
        bide__test_capture_fd < 0 || fcntl(bide__test_capture_fd, F_SETFL, O_APPEND) < 0) {
        perror("starting the tests");
        return 2;
    }
    sigemptyset(&child_ends);
    sigaddset(&child_ends, SIGCHLD);
    sigprocmask(SIG_BLOCK, &child_ends, NULL);
    signal(SIGCHLD, wake_up);
    signal(SIGINT, kill_running_group);
    signal(SIGTERM, kill_running_group);
    signal(SIGHUP, kill_running_group);
    for (const struct bide__test *test = tests; test; test = test->next) {
        if (!chosen(&arguments, test))
            continue;
        if (arguments.list)
            puts(test->options.name);
        else
            counts[run_test(&arguments, test)]++;
    }
    if (arguments.list)
        return 0;
    if (!counts[outcome_passed] && !counts[outcome_failed] && !counts[outcome_skipped]) {
        fprintf(stderr, "%s: no test is named '%s'\n", argv[0],
                arguments.only ? arguments.only : "");
        return 2;
    }
    printf("%u passed, %u failed, %u skipped\n", counts[outcome_passed], counts[outcome_failed],
           counts[outcome_skipped]);
    return counts[outcome_failed] ? 1 : 0;
}
