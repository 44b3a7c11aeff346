/* What logins would cost if they were nothing but argon2id: rival_argon2id THREADS HASH PASSWORD
 *
 * Each thread verifies one after the other, with libsodium, as the application does, and this hash
 * is one of its own: so are the parameters. It warms up for a quarter of BENCH_MS, then counts for
 * BENCH_MS milliseconds whole hashes only. Prints `login`, hashes per second of all threads, and
 * `login_cpu`, the CPU time of one in microseconds. */
#include "../core/measure.h"
#include <pthread.h>
#include <sodium.h>

enum { MOST_THREADS = 1024 };

struct worker {
    pthread_t thread;
    uint64_t hashes, elapsed_ns, cpu_ns;
};

static const char *hash, *password;

static uint64_t thread_cpu_ns(void)
{
    struct timespec used;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used);
    return (uint64_t)used.tv_sec * 1000000000u + (uint64_t)used.tv_nsec;
}

/* Gives how many it made. */
static uint64_t verify_until(uint64_t until_ns)
{
    uint64_t count = 0;
    for (; measure_now_ns() < until_ns; count++) {
        if (crypto_pwhash_argon2id_str_verify(hash, password, strlen(password)) != 0) {
            fprintf(stderr, "rival_argon2id: not the password of this hash\n");
            exit(1);
        }
    }
    return count;
}

static void *work(void *arg)
{
    struct worker *worker = arg;
    verify_until(measure_now_ns() + measure_target_ns() / 4);
    uint64_t start_ns = measure_now_ns(), start_cpu_ns = thread_cpu_ns();
    worker->hashes = verify_until(start_ns + measure_target_ns());
    worker->cpu_ns = thread_cpu_ns() - start_cpu_ns;
    worker->elapsed_ns = measure_now_ns() - start_ns;
    return NULL;
}

int main(int argc, char **argv)
{
    static struct worker workers[MOST_THREADS];
    int threads = argc == 4 ? atoi(argv[1]) : 0;
    if (threads < 1 || threads > MOST_THREADS || sodium_init() < 0) {
        fprintf(stderr, "usage: rival_argon2id THREADS HASH PASSWORD\n");
        return 2;
    }
    hash = argv[2];
    password = argv[3];
    for (int i = 0; i < threads; i++)
        if (pthread_create(&workers[i].thread, NULL, work, &workers[i]) != 0)
            return 1;
    double rate = 0, hashes = 0, cpu_ns = 0;
    for (int i = 0; i < threads; i++) {
        pthread_join(workers[i].thread, NULL);
        rate += (double)workers[i].hashes * 1e9 / (double)workers[i].elapsed_ns;
        hashes += (double)workers[i].hashes;
        cpu_ns += (double)workers[i].cpu_ns;
    }
    printf("login %.3f\nlogin_cpu %.3f\n", rate, cpu_ns / hashes / 1000);
    return 0;
}
