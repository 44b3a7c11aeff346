/*
 * Effects, which only clang sees: gcc's users learn of them from `bide check`, or at run time. The
 * first line of each case says so.
 */
#include <bide/bide.h>

#include <pthread.h>
#include <stdlib.h>

async(int) count_users(void);
async(int) run(int id);
typedef async_fn(int) question(int id);

#ifdef CASE_await_in_a_plain_function
// gcc: nothing
// clang: calling function 'count_users' requires holding role 'inside_a_task' exclusively
#ifndef FIXED
int helper(int id);
int helper(int id)
{
    return id + await(count_users()); // <- here
}
#else
async(int) helper(int id);
async(int) helper(int id)
{
    return ready(int, id + await(count_users()));
}
#endif
#endif // CASE_await_in_a_plain_function

#ifdef CASE_await_in_a_comparison_function
// gcc: nothing
// clang: calling function 'count_users' requires holding role 'inside_a_task' exclusively
static int total;
static int compare(const void *a, const void *b)
{
    (void)b;
#ifndef FIXED
    return *(const int *)a - await(count_users()); // <- here
#else
    return *(const int *)a - total;
#endif
}
async(int) run(int id)
{
    int numbers[2] = {id, 3};
    total = await(count_users());
    qsort(numbers, 2, sizeof numbers[0], compare);
    return ready(int, numbers[0]);
}
#endif // CASE_await_in_a_comparison_function

#ifdef CASE_await_under_with_no_await
// gcc: nothing
// clang: cannot call function 'count_users' while region without await
async(int) run(int id)
{
#ifdef FIXED
    int users = await(count_users());
#endif
    with_no_await {
#ifndef FIXED
        id += await(count_users()); // <- here
#else
        id += users;
#endif
    }
    return ready(int, id);
}
#endif // CASE_await_under_with_no_await

#ifdef CASE_await_under_a_thread_lock
// gcc: nothing
// clang: cannot call function 'count_users' while region without await
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
async(int) run(int id)
{
#ifdef FIXED
    id += await(count_users());
#endif
    with_no_await {
        pthread_mutex_lock(&lock);
#ifndef FIXED
        id += await(count_users()); // <- here
#endif
        pthread_mutex_unlock(&lock);
    }
    return ready(int, id);
}
#endif // CASE_await_under_a_thread_lock
