/* Misuse of spawn, of handles and of groups. */
#include <bide/bide.h>

typedef struct connection {
    int number;
} connection;

SPAWNABLE(int, fetch, connection *, int)
SPAWNABLE(void, flush, connection *)
async(int) not_spawnable(int number);
async(int) run(connection *c);
int plain(void);

#ifdef CASE_handle_as_truth_value
// gcc: used struct type value where scalar is required
// clang: statement requires expression of scalar type ('struct bide_task_int' invalid)
async(int) run(connection *c)
{
    with_group(g) {
        task(int) one = spawn(g, fetch, c, 1);
#ifndef FIXED
        if (one) // <- here
#else
        if (await_task(one))
#endif
            return ready(int, 1);
    }
    return ready(int, 0);
}
#endif // CASE_handle_as_truth_value

#ifdef CASE_spawn_as_truth_value
// gcc: used struct type value where scalar is required
// clang: statement requires expression of scalar type ('struct bide_task_int' invalid)
async(int) run(connection *c)
{
    with_group(g) {
#ifndef FIXED
        if (spawn(g, fetch, c, 1)) // <- here
#else
        task(int) one = spawn(g, fetch, c, 1);
        if (await_task(one))
#endif
            return ready(int, 1);
    }
    return ready(int, 0);
}
#endif // CASE_spawn_as_truth_value

#ifdef CASE_handle_as_value
// gcc: incompatible types when initializing type 'int' using type 'struct bide_task_int'
// clang: initializing 'int' with an expression of incompatible type 'struct bide_task_int'
async(int) run(connection *c)
{
    int result = 0;
    with_group(g) {
        task(int) one = spawn(g, fetch, c, 1);
#ifndef FIXED
        int value = one; // <- here
#else
        int value = await_task(one);
#endif
        result += value;
    }
    return ready(int, result);
}
#endif // CASE_handle_as_value

#ifdef CASE_unused_handle
// gcc: ignoring return value of 'fetch__spawn' declared with attribute 'warn_unused_result'
// clang: ignoring return value of function declared with 'warn_unused_result' attribute
async(int) run(connection *c)
{
    with_group(g) {
#ifndef FIXED
        spawn(g, fetch, c, 1); // <- here
#else
        spawn_void(g, fetch, c, 1);
#endif
    }
    return ready(int, 0);
}
#endif // CASE_unused_handle

#ifdef CASE_await_of_a_handle
// gcc: 'struct bide_task_int' has no member named 'await'
// clang: no member named 'await' in 'struct bide_task_int'
async(int) run(connection *c)
{
    int result = 0;
    with_group(g) {
        task(int) one = spawn(g, fetch, c, 1);
#ifndef FIXED
        result = await(one); // <- here
#else
        result = await_task(one);
#endif
    }
    return ready(int, result);
}
#endif // CASE_await_of_a_handle

#ifdef CASE_await_task_of_a_call
// gcc: 'struct forgotten_await_int' has no member named 'type_'
// clang: no member named 'type_' in 'struct forgotten_await_int'
async(int) run(connection *c)
{
#ifndef FIXED
    return ready(int, await_task(fetch(c, 1))); // <- here
#else
    return ready(int, await(fetch(c, 1)));
#endif
}
#endif // CASE_await_task_of_a_call

#ifdef CASE_handle_of_another_type
// gcc: invalid initializer
// clang: initializing 'struct bide_task_bool' with an expression of incompatible type
async(int) run(connection *c)
{
    int result = 0;
    with_group(g) {
#ifndef FIXED
        task(bool) one = spawn(g, fetch, c, 1); // <- here
#else
        task(int) one = spawn(g, fetch, c, 1);
#endif
        result = await_task(one);
    }
    return ready(int, result);
}
#endif // CASE_handle_of_another_type

#ifdef CASE_spawn_argument_of_another_type
// gcc: passing argument 3 of 'fetch__spawn_void' from incompatible pointer type
// clang: incompatible pointer types passing 'const char *' to parameter of type 'connection *'
async(int) run(connection *c)
{
    const char *name = "one";
    with_group(g) {
#ifndef FIXED
        spawn_void(g, fetch, name, 1); // <- here
#else
        spawn_void(g, fetch, c, name[0]);
#endif
    }
    return ready(int, c->number);
}
#endif // CASE_spawn_argument_of_another_type

#ifdef CASE_spawn_with_too_few_arguments
// gcc: too few arguments to function 'fetch__spawn
// clang: too few arguments to function call
async(int) run(connection *c)
{
    with_group(g) {
#ifndef FIXED
        spawn_void(g, fetch, c); // <- here
#else
        spawn_void(g, fetch, c, 1);
#endif
    }
    return ready(int, 0);
}
#endif // CASE_spawn_with_too_few_arguments

#ifdef CASE_spawn_with_too_many_arguments
// gcc: too many arguments to function 'fetch__spawn
// clang: too many arguments to function call
async(int) run(connection *c)
{
    with_group(g) {
#ifndef FIXED
        spawn_void(g, fetch, c, 1, 2); // <- here
#else
        spawn_void(g, fetch, c, 1);
#endif
    }
    return ready(int, 0);
}
#endif // CASE_spawn_with_too_many_arguments

#ifdef CASE_spawn_without_a_group
// gcc: incompatible pointer type
// clang: incompatible pointer types
async(int) run(connection *c)
{
    with_group(g) {
#ifndef FIXED
        spawn_void(c, fetch, c, 1); // <- here
#else
        spawn_void(g, fetch, c, 1);
#endif
    }
    return ready(int, 0);
}
#endif // CASE_spawn_without_a_group

#ifdef CASE_spawn_of_a_function_not_spawnable
// gcc: implicit declaration of function 'not_spawnable__spawn
// clang: implicit declaration of function 'not_spawnable__spawn
#ifdef FIXED
SPAWNABLE(int, not_spawnable, int)
#endif
async(int) run(connection *c)
{
    with_group(g) {
#ifndef FIXED
        spawn_void(g, not_spawnable, 1); // <- here
#else
        spawn_void(g, not_spawnable, 1);
#endif
    }
    return ready(int, c->number);
}
#endif // CASE_spawn_of_a_function_not_spawnable

#ifdef CASE_spawnable_differs_from_its_prototype
// gcc: conflicting types for 'not_spawnable'
// clang: conflicting types for 'not_spawnable'
#ifndef FIXED
SPAWNABLE(int, not_spawnable, connection *) // <- here
#else
SPAWNABLE(int, not_spawnable, int)
#endif
#endif // CASE_spawnable_differs_from_its_prototype

#ifdef CASE_group_after_its_block
// gcc: 'g' undeclared
// clang: use of undeclared identifier 'g'
async(int) run(connection *c)
{
    with_group(g) {
        spawn_void(g, fetch, c, 1);
#ifdef FIXED
        spawn_void(g, fetch, c, 2);
#endif
    }
#ifndef FIXED
    spawn_void(g, fetch, c, 2); // <- here
#endif
    return ready(int, 0);
}
#endif // CASE_group_after_its_block

#ifdef CASE_result_of_a_void_task
// gcc: initialization of 'connection *'
// clang: incompatible integer to pointer conversion initializing 'connection *'
async(int) run(connection *c)
{
    with_group(g) {
        task(void) one = spawn(g, flush, c);
#ifndef FIXED
        connection *result = await_task(one); // <- here
        (void)result;
#else
        await_task(one);
#endif
    }
    return ready(int, 0);
}
#endif // CASE_result_of_a_void_task

#ifdef CASE_cancel_without_a_reason
// gcc: macro "bide_cancel" requires 2 arguments, but only 1 given
// clang: too few arguments provided to function-like macro invocation
async(int) run(connection *c)
{
    with_group(g) {
        task(int) one = spawn(g, fetch, c, 1);
#ifndef FIXED
        bide_cancel(one); // <- here
#else
        bide_cancel(one, "not needed any more");
        await_task(one);
#endif
    }
    return ready(int, 0);
}
#endif // CASE_cancel_without_a_reason

#ifdef CASE_loop_bound_on_another_loop
// gcc: what belongs to one loop stays there: `serve` takes a handle that another loop cannot use
// clang: what belongs to one loop stays there: `serve` takes a handle that another loop cannot use
SPAWNABLE(void, serve, bide_stream *)
SPAWNABLE(void, serve_descriptor, int)
async(int) run(connection *c)
{
    (void)c;
    with_group(g) {
#ifndef FIXED
        spawn_void_on(g, 1, serve, NULL); // <- here
#else
        spawn_void_on(g, 1, serve_descriptor, 3);
#endif
    }
    return ready(int, 0);
}
#endif // CASE_loop_bound_on_another_loop

#ifdef CASE_channel_on_another_loop
// gcc: what belongs to one loop stays there: `serve` takes a handle that another loop cannot use
// clang: what belongs to one loop stays there: `serve` takes a handle that another loop cannot use
SPAWNABLE(void, serve, int, bide_channel(int) *)
SPAWNABLE(void, serve_there, bide_cross_channel(int) *)
async(int) run(connection *c)
{
    (void)c;
    with_group(g) {
#ifndef FIXED
        spawn_void_on(g, 1, serve, 3, NULL); // <- here
#else
        spawn_void_on(g, 1, serve_there, NULL);
#endif
    }
    return ready(int, 0);
}
#endif // CASE_channel_on_another_loop

#ifdef CASE_generator_on_another_loop
// gcc: what belongs to one loop stays there: `serve` takes a handle that another loop cannot use
// clang: what belongs to one loop stays there: `serve` takes a handle that another loop cannot use
SPAWNABLE(void, serve, bide_gen(int) *, int)
SPAWNABLE(void, serve_there, bide_cross_channel(int) *)
async(int) run(connection *c)
{
    (void)c;
    with_group(g) {
#ifndef FIXED
        spawn_void_on(g, 1, serve, NULL, 3); // <- here
#else
        spawn_void_on(g, 1, serve_there, NULL);
#endif
    }
    return ready(int, 0);
}
#endif // CASE_generator_on_another_loop

#ifdef CASE_handle_on_another_loop
// gcc: what belongs to one loop stays there: `serve` takes a handle that another loop cannot use
// clang: what belongs to one loop stays there: `serve` takes a handle that another loop cannot use
SPAWNABLE(void, serve, task(int))
SPAWNABLE(void, serve_number, int)
async(int) run(connection *c)
{
    with_group(g) {
        task(int) one = spawn(g, fetch, c, 1);
#ifndef FIXED
        spawn_void_on(g, 1, serve, one); // <- here
#else
        spawn_void_on(g, 1, serve_number, await_task(one));
#endif
    }
    return ready(int, 0);
}
#endif // CASE_handle_on_another_loop

#ifdef CASE_barrier_on_another_loop
// gcc: what belongs to one loop stays there: `serve` takes a handle that another loop cannot use
// clang: what belongs to one loop stays there: `serve` takes a handle that another loop cannot use
SPAWNABLE(void, serve, int, bide_barrier *)
SPAWNABLE(void, serve_number, int)
async(int) run(connection *c)
{
    (void)c;
    with_group(g) {
#ifndef FIXED
        spawn_void_on(g, 1, serve, 3, NULL); // <- here
#else
        spawn_void_on(g, 1, serve_number, 3);
#endif
    }
    return ready(int, 0);
}
#endif // CASE_barrier_on_another_loop

#ifdef CASE_rwlock_on_another_loop
// gcc: what belongs to one loop stays there: `serve` takes a handle that another loop cannot use
// clang: what belongs to one loop stays there: `serve` takes a handle that another loop cannot use
SPAWNABLE(void, serve, int, bide_rwlock *)
SPAWNABLE(void, serve_number, int)
async(int) run(connection *c)
{
    (void)c;
    with_group(g) {
#ifndef FIXED
        spawn_void_on(g, 1, serve, 3, NULL); // <- here
#else
        spawn_void_on(g, 1, serve_number, 3);
#endif
    }
    return ready(int, 0);
}
#endif // CASE_rwlock_on_another_loop

#ifdef CASE_udp_on_another_loop
// gcc: what belongs to one loop stays there: `serve` takes a handle that another loop cannot use
// clang: what belongs to one loop stays there: `serve` takes a handle that another loop cannot use
SPAWNABLE(void, serve, int, bide_udp *)
SPAWNABLE(void, serve_number, int)
async(int) run(connection *c)
{
    (void)c;
    with_group(g) {
#ifndef FIXED
        spawn_void_on(g, 1, serve, 3, NULL); // <- here
#else
        spawn_void_on(g, 1, serve_number, 3);
#endif
    }
    return ready(int, 0);
}
#endif // CASE_udp_on_another_loop

#ifdef CASE_process_on_another_loop
// gcc: what belongs to one loop stays there: `serve` takes a handle that another loop cannot use
// clang: what belongs to one loop stays there: `serve` takes a handle that another loop cannot use
SPAWNABLE(void, serve, int, bide_process *)
SPAWNABLE(void, serve_number, int)
async(int) run(connection *c)
{
    (void)c;
    with_group(g) {
#ifndef FIXED
        spawn_void_on(g, 1, serve, 3, NULL); // <- here
#else
        spawn_void_on(g, 1, serve_number, 3);
#endif
    }
    return ready(int, 0);
}
#endif // CASE_process_on_another_loop

#ifdef CASE_redis_on_another_loop
// gcc: what belongs to one loop stays there: `serve` takes a handle that another loop cannot use
// clang: what belongs to one loop stays there: `serve` takes a handle that another loop cannot use
SPAWNABLE(void, serve, int, bide_redis *)
SPAWNABLE(void, serve_number, int)
async(int) run(connection *c)
{
    (void)c;
    with_group(g) {
#ifndef FIXED
        spawn_void_on(g, 1, serve, 3, NULL); // <- here
#else
        spawn_void_on(g, 1, serve_number, 3);
#endif
    }
    return ready(int, 0);
}
#endif // CASE_redis_on_another_loop

#ifdef CASE_http_client_on_another_loop
// gcc: what belongs to one loop stays there: `serve` takes a handle that another loop cannot use
// clang: what belongs to one loop stays there: `serve` takes a handle that another loop cannot use
SPAWNABLE(void, serve, int, bide_http_client *)
SPAWNABLE(void, serve_number, int)
async(int) run(connection *c)
{
    (void)c;
    with_group(g) {
#ifndef FIXED
        spawn_void_on(g, 1, serve, 3, NULL); // <- here
#else
        spawn_void_on(g, 1, serve_number, 3);
#endif
    }
    return ready(int, 0);
}
#endif // CASE_http_client_on_another_loop

#ifdef CASE_unused_handle_of_another_loop
// gcc: ignoring return value of 'fetch__handle' declared with attribute 'warn_unused_result'
// clang: ignoring return value of function declared with 'warn_unused_result' attribute
async(int) run(connection *c)
{
    with_group(g) {
#ifndef FIXED
        spawn_on(g, 1, fetch, c, 1); // <- here
#else
        spawn_void_on(g, 1, fetch, c, 1);
#endif
    }
    return ready(int, 0);
}
#endif // CASE_unused_handle_of_another_loop

#ifdef CASE_wrong_argument_on_another_loop
// gcc: passing argument 5 of 'fetch__call' from incompatible pointer type
// clang: incompatible pointer types passing
async(int) run(connection *c)
{
    with_group(g) {
#ifndef FIXED
        spawn_void_on(g, 1, fetch, "c", 1); // <- here
#else
        spawn_void_on(g, 1, fetch, c, 1);
#endif
    }
    return ready(int, 0);
}
#endif // CASE_wrong_argument_on_another_loop

#ifdef CASE_channel_without_a_capacity
// gcc: macro "bide_channel_new" requires 3 arguments, but only 2 given
// clang: too few arguments provided to function-like macro invocation
async(int) run(connection *c)
{
#ifndef FIXED
    bide_channel(int) *jobs = bide_channel_new(int, "jobs"); // <- here
#else
    bide_channel(int) *jobs = bide_channel_new(int, 16, "jobs");
#endif
    (void)c;
    bide_channel_free(jobs);
    return ready(int, 0);
}
#endif // CASE_channel_without_a_capacity
