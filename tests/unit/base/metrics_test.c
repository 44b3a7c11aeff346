/* Metrics: sums over threads, bucket bounds, the text format. */
#include <bide/metrics.h>

#include <bide/test.h>

#include <pthread.h>
#include <string.h>

BIDE_COUNTER(test_events_total, "events with a \\ and a\nnewline");
BIDE_COUNTER_LABELED(reads, "test_calls_total", "kind=\"read\"", "calls");
BIDE_GAUGE(test_open_things, "things open now");
BIDE_COUNTER_LABELED(writes, "test_calls_total", "kind=\"write\"", "calls");
BIDE_GAUGE(test_limit, "a limit");
BIDE_HISTOGRAM(test_size_bytes, "sizes", 2, 4, 1);
BIDE_HISTOGRAM_NS(test_wait_seconds, "waits");

enum { THREADS = 4, ROUNDS = 20000 };

static void *count(void *unused)
{
    for (int i = 0; i < ROUNDS; i++) {
        bide_counter_add(&test_events_total, 2);
        bide_gauge_add(&test_open_things, 1);
        bide_gauge_add(&test_open_things, -1);
        bide_histogram_observe(&test_wait_seconds, 1000000);
    }
    return unused;
}

TEST_PLAIN(threads_add_up_also_after_their_end)
{
    bide_gauge_add(&test_open_things, 3);
    for (int round = 0; round < 3; round++) {
        pthread_t threads[THREADS];
        for (int i = 0; i < THREADS; i++)
            pthread_create(&threads[i], NULL, count, NULL);
        check(bide_counter_read(&test_events_total) <= 2 * 3 * THREADS * ROUNDS);
        for (int i = 0; i < THREADS; i++)
            pthread_join(threads[i], NULL);
    }
    check_int(bide_counter_read(&test_events_total), 2 * 3 * THREADS * ROUNDS);
    check_int(bide_gauge_read(&test_open_things), 3);
    check_int(bide_histogram_count(&test_wait_seconds), 3 * THREADS * ROUNDS);
}

static void *opened_here(void *unused)
{
    bide_gauge_add(&test_open_things, 5);
    return unused;
}

TEST_PLAIN(a_gauge_may_fall_in_another_thread)
{
    pthread_t thread;
    pthread_create(&thread, NULL, opened_here, NULL);
    pthread_join(thread, NULL);
    bide_gauge_add(&test_open_things, -7);
    check_int(bide_gauge_read(&test_open_things), -2);
    bide_gauge_set(&test_limit, 12);
    bide_gauge_set(&test_limit, 11);
    check_int(bide_gauge_read(&test_limit), 11);
}

/* More threads at a time than there are shards: the last one is shared and must lose nothing. */
enum { CROWD = 160 };
static pthread_barrier_t all_here;

static void *count_in_a_crowd(void *unused)
{
    bide_counter_add(&reads, 1);
    pthread_barrier_wait(&all_here);
    for (int i = 0; i < 100; i++)
        bide_counter_add(&reads, 1);
    return unused;
}

TEST_PLAIN(more_threads_than_shards)
{
    pthread_t threads[CROWD];
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, 262144);
    pthread_barrier_init(&all_here, NULL, CROWD);
    for (int i = 0; i < CROWD; i++)
        require(pthread_create(&threads[i], &attributes, count_in_a_crowd, NULL) == 0);
    for (int i = 0; i < CROWD; i++)
        pthread_join(threads[i], NULL);
    pthread_attr_destroy(&attributes);
    check_int(bide_counter_read(&reads), CROWD * 101);
}

static bool written(const char *text)
{
    bide_buf buf;
    bide_buf_init(&buf, 1 << 20);
    check_int(bide_metrics_write(&buf), 0);
    bool found = strstr(bide_buf_str(&buf), text) != NULL;
    bide_buf_done(&buf);
    return found;
}

TEST_PLAIN(buckets_hold_what_is_not_above_their_bound)
{
    static const uint64_t values[] = {0, 1, 4, 5, 8, 9, 16, 17, 100, UINT64_C(1) << 40};
    for (size_t i = 0; i < sizeof values / sizeof *values; i++)
        bide_histogram_observe(&test_size_bytes, values[i]);
    check(written("# HELP test_size_bytes sizes\n"
                  "# TYPE test_size_bytes histogram\n"
                  "test_size_bytes_bucket{le=\"4\"} 3\n"
                  "test_size_bytes_bucket{le=\"8\"} 5\n"
                  "test_size_bytes_bucket{le=\"16\"} 7\n"
                  "test_size_bytes_bucket{le=\"+Inf\"} 10\n"
                  "test_size_bytes_sum 1099511627936\n"
                  "test_size_bytes_count 10\n"));
}

TEST_PLAIN(nanoseconds_are_written_in_seconds)
{
    bide_histogram_observe(&test_wait_seconds, 1024);
    bide_histogram_observe(&test_wait_seconds, 500000000);
    check(written("test_wait_seconds_bucket{le=\"1.024e-06\"} 1\n"));
    check(written("test_wait_seconds_bucket{le=\"17.1798692\"} 2\n"
                  "test_wait_seconds_bucket{le=\"+Inf\"} 2\n"
                  "test_wait_seconds_sum 0.50000102"));
}

TEST_PLAIN(families_are_kept_together_and_help_is_escaped)
{
    bide_counter_add(&reads, 7);
    check(written("# HELP test_calls_total calls\n# TYPE test_calls_total counter\n"
                  "test_calls_total{kind=\"write\"} 0\ntest_calls_total{kind=\"read\"} 7\n# HELP"));
    check(written("# HELP test_events_total events with a \\\\ and a\\nnewline\n"));
    check(written("# TYPE test_open_things gauge\ntest_open_things 0\n"));
}

TEST_PLAIN(a_full_buffer_is_an_error)
{
    bide_buf buf;
    bide_buf_init(&buf, 100);
    check(bide_metrics_write(&buf) < 0);
    check_int(bide_buf_length(&buf), 0);
    bide_buf_done(&buf);
}
