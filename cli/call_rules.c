/*
 * Calls that do not belong into a task: they block its loop, or a function that waits stands where
 * they stand. Direct calls in async functions only: what a helper calls is found when it runs
 * (core/watchdog.c). Called by rules.c.
 */
#include "check.h"

#define BIDE__BLOCKING_CALLS_ONLY
#include <bide/no_blocking.h>
#include <string.h>

static const char blocking[] = "blocking-call", low_level[] = "low-level-call";

/* What is wrong with a call, and what to write. A name that ends with `*` stands for all that
   begin like it. */
static const struct call {
    const char *name, *rule, *advice;
} calls[] = {
/* clang-format off */
#define CALL(name, instead) {#name, blocking, instead},
    BIDE__BLOCKING_CALLS(CALL)
    /* clang-format on */
    {"crypt", blocking, "await(bide_password_hash(...))"},
    {"PQexec", blocking, "the engine of bide/db.h"},
    {"PQexecParams", blocking, "the engine of bide/db.h"},
    {"PQexecPrepared", blocking, "the engine of bide/db.h"},
    {"PQprepare", blocking, "the engine of bide/db.h"},
    {"PQconnectdb", blocking, "with(bide_database, ...)"},
    {"PQgetResult", blocking, "the engine of bide/db.h"},
    {"sqlite3_step", blocking, "the engine of bide/db.h"},
    {"sqlite3_exec", blocking, "the engine of bide/db.h"},
    {"mysql_query", blocking, "await(offload(BIDE_BLOCKING, ...))"},
    {"mysql_real_connect", blocking, "await(offload(BIDE_BLOCKING, ...))"},
    {"redisCommand", blocking, "await(bide_redis_get(...)) and its kind"},
    {"redisConnect", blocking, "with(bide_redis, ...)"},
    {"curl_easy_perform", blocking, "await(bide_http_get(...))"},
    {"epoll_create1", low_level, "the calls of bide/net.h, which wait"},
    {"epoll_ctl", low_level, "the calls of bide/net.h, which wait"},
    {"epoll_wait", low_level, "the calls of bide/net.h, which wait"},
    {"poll", low_level, "the calls of bide/net.h, which wait"},
    {"ppoll", low_level, "the calls of bide/net.h, which wait"},
    {"select", low_level, "the calls of bide/net.h, which wait"},
    {"io_uring_*", low_level, "the calls of bide/net.h and bide/file.h, which wait"},
    {"socket", low_level, "await(bide_connect_tcp(...))"},
    {"accept", low_level, "await(bide_accept(...))"},
    {"accept4", low_level, "await(bide_accept(...))"},
    {"recv", low_level, "await(bide_read(...))"},
    {"send", low_level, "await(bide_write(...))"},
    {"timerfd_create", low_level, "await(bide_sleep(...)) or with_deadline"},
    {"signalfd", low_level, "await(bide_until_stop())"},
    {"setjmp", low_level, "attempt(...)"},
    {"longjmp", low_level, "fail(...): cleanups run on the way"},
    {"swapcontext", low_level, "spawn(...)"},
    {"fork", low_level, "with(bide_child, ...)"},
    {"alarm", low_level, "with_deadline(...)"},
    {"bide__*", low_level, "the public calls: those with two underscores may change"},
};

static const struct call *find_call(const struct source *source, int i)
{
    for (size_t k = 0; k < sizeof calls / sizeof *calls; k++) {
        size_t length = strlen(calls[k].name);
        bool begins = calls[k].name[length - 1] == '*';
        if (begins ? source->tokens[i].length >= (int)length &&
                         strncmp(source->tokens[i].text, calls[k].name, length - 1) == 0
                   : is_word(source, i, calls[k].name))
            return &calls[k];
    }
    return NULL;
}

void check_calls(const struct source *source, const struct function *function,
                 struct findings *findings)
{
    for (int i = function->from; i < function->to; i++) {
        const struct call *call =
            is_name(source, i) && is_word(source, i + 1, "(") ? find_call(source, i) : NULL;
        bool is_awaited = is_word(source, i - 1, "(") &&
                          (is_word(source, i - 2, "await") || is_word(source, i - 2, "bide_await"));
        /* a member, a declaration, or an async function, of the same name */
        if (!call || is_awaited || is_word(source, i - 1, ".") || is_word(source, i - 1, ">") ||
            (is_name(source, i - 1) && !is_word(source, i - 1, "return")))
            continue;
        add_finding(findings, source->file, source->tokens[i].line, call->rule,
                    text_of("'%.*s' %s: %s", source->tokens[i].length, source->tokens[i].text,
                            call->rule == blocking ? "blocks the loop" : "is low-level",
                            call->advice));
    }
}
