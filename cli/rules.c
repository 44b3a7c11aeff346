/*
 * Rules about the shape of the code, which need no compiler. Each looks at one function at a time;
 * in doubt it says nothing. Called by check.c.
 *
 * Source: flake8-async 100, 110, 111, 112, 103 and 913.
 */
#include "check.h"

#include <string.h>

static void find(struct findings *findings, const struct source *source, int i, const char *rule,
                 const char *message)
{
    add_finding(findings, source->file, source->tokens[i].line, rule, message);
}

static bool begins(const struct source *source, int i, const char *text)
{
    return is_name(source, i) && source->tokens[i].length > (int)strlen(text) &&
           strncmp(source->tokens[i].text, text, strlen(text)) == 0;
}

/* The index after the brackets that follow token `i`; -1: none do. */
static int after_brackets(const struct source *source, int i)
{
    int close = is_word(source, i + 1, "(") ? source->tokens[i + 1].match : -1;
    return close < 0 ? -1 : close + 1;
}

/* Whether two parts are the same tokens. */
static bool same_text(const struct source *source, int a, int a_end, int b, int b_end)
{
    if (a_end - a != b_end - b)
        return false;
    for (; a < a_end; a++, b++)
        if (!has_same(source, b, b + 1, a))
            return false;
    return true;
}

/* Whether a part has a call, or changes something. */
static bool does_anything(const struct source *source, int from, int to)
{
    for (int i = from; i < to; i++)
        if (is_word(source, i, "(") || is_word(source, i, "=") || is_word(source, i, "+") ||
            is_word(source, i, "-") || is_word(source, i, "return") || is_word(source, i, "break"))
            return true;
    return false;
}

static void check_deadline(const struct source *source, int i, struct findings *findings)
{
    int from, to = body_of(source, i, &from);
    if (!awaits(source, from, to))
        find(findings, source, i, "deadline-without-await",
             "this deadline cannot end anything: nothing inside awaits");
}

/* `while (condition)` around nothing, or around a sleep alone. */
static void check_busy(const struct source *source, int i, struct findings *findings)
{
    int from, to = body_of(source, i, &from), last = after_brackets(source, i) - 1;
    bool constant =
        last == i + 3 && (is_word(source, i + 2, "1") || is_word(source, i + 2, "true"));
    if (last < 0 || constant || awaits(source, i + 2, last))
        return;
    if (!does_anything(source, i + 2, last) && !does_anything(source, from, to)) {
        find(findings, source, i, "busy-wait",
             "this loop waits and lets nobody else run: wait for an event or a condition");
        return;
    }
    int at = is_word(source, from, "{") ? from + 1 : from;
    int end = is_word(source, from, "{") ? to - 1 : to;
    if (is_word(source, at, "await") &&
        (is_word(source, at + 2, "bide_sleep") || is_word(source, at + 2, "bide_yield")) &&
        end_of_statement(source, at) == end)
        find(findings, source, i, "busy-wait",
             "this loop asks again and again: wait for an event, a condition or a channel");
}

static void check_group(const struct source *source, int i, struct findings *findings)
{
    int from, to = body_of(source, i, &from);
    int at = is_word(source, from, "{") ? from + 1 : from;
    int end = is_word(source, from, "{") ? to - 1 : to;
    if ((is_word(source, at, "spawn_void") || is_word(source, at, "bide_spawn_void")) &&
        end_of_statement(source, at) == end)
        find(findings, source, i, "group-with-one-task",
             "a group with one task does what an await of the call does");
}

/* `attempt(&error, ...)` in a loop that never looks at the error. */
static void check_swallowed(const struct source *source, int i, struct findings *findings)
{
    int from, to = body_of(source, i, &from);
    for (int at = from; at < to; at++) {
        if (!(is_word(source, at, "attempt") || is_word(source, at, "bide_attempt")) ||
            !is_word(source, at + 1, "(") || !is_word(source, at + 2, "&") ||
            !is_name(source, at + 3))
            continue;
        bool read = false;
        for (int k = i; k < to && !read; k++)
            read = has_same(source, k, k + 1, at + 3) && !is_word(source, k - 1, "*") &&
                   !(is_word(source, k - 1, "&") && is_word(source, k - 2, "("));
        for (int k = i; k < to && !read; k++) /* a member of it, or what it points to */
            read = k != at + 3 && has_same(source, k, k + 1, at + 3) &&
                   (is_word(source, k + 1, "-") || is_word(source, k + 1, "."));
        if (!read)
            find(findings, source, at, "cancel-swallowed",
                 "this loop goes on after every error, a cancel too: look at the error");
    }
}

/* A lock inside of a block that holds the same. */
static void check_double_lock(const struct source *source, int i, struct findings *findings)
{
    int from, to = body_of(source, i, &from), end = after_brackets(source, i);
    for (int at = from; at < to; at++) {
        int close = after_brackets(source, at);
        if ((is_word(source, at, "with_lock") || is_word(source, at, "bide_lock") ||
             is_word(source, at, "bide_with_lock")) &&
            close > 0 && end > 0 && same_text(source, i + 2, end, at + 2, close))
            find(findings, source, at, "double-lock",
                 text_of("the task holds this lock since line %d: it would wait for itself",
                         source->tokens[i].line));
    }
}

/* Another server is asked inside of a transaction. */
static void check_transaction(const struct source *source, int i, struct findings *findings)
{
    static const char *const outside[] = {"bide_http_get",    "bide_http_post", "bide_http_put",
                                          "bide_http_delete", "bide_http_send", "bide_mail_send",
                                          "bide_connect",     "bide_redis_",    "bide_udp_",
                                          "bide_sleep",       "bide_read",      "bide_write"};
    int from, to = body_of(source, i, &from);
    for (int at = from; at < to; at++)
        for (size_t k = 0; k < sizeof outside / sizeof *outside; k++)
            if (is_word(source, at + 1, "(") &&
                (is_word(source, at, outside[k]) ||
                 (outside[k][strlen(outside[k]) - 1] == '_' && begins(source, at, outside[k])) ||
                 (k == 6 && begins(source, at, outside[k]))))
                find(findings, source, at, "io-in-transaction",
                     text_of("the transaction of line %d, and what it has locked, wait for "
                             "'%.*s': do that before it begins, or after its commit",
                             source->tokens[i].line, source->tokens[at].length,
                             source->tokens[at].text));
}

/* Words that wait, whatever stands inside of them; `awaits` has those that may. */
static bool surely_awaits(const struct source *source, int i)
{
    static const char *const words[] = {"await",     "await_task",     "attempt",
                                        "gather",    "gather_settled", "with_lock",
                                        "with_slot", "with_group",     "with_tx"};
    int skipped = begins(source, i, "bide_") ? 5 : 0, length = source->tokens[i].length - skipped;
    for (size_t k = 0; k < sizeof words / sizeof *words; k++)
        if (length == (int)strlen(words[k]) &&
            strncmp(source->tokens[i].text + skipped, words[k], (size_t)length) == 0)
            return true;
    return false;
}

/* pthread_mutex_lock(x) ... await ... pthread_mutex_unlock(x), in the order of the text. */
static void check_thread_locks(const struct source *source, const struct function *function,
                               struct findings *findings)
{
    enum { LOCKS = 8 };
    int held[LOCKS], count = 0;
    for (int i = function->from; i < function->to; i++) {
        int close = after_brackets(source, i);
        if (is_word(source, i, "with_no_await")) { /* clang looks into it */
            int from;
            i = body_of(source, i, &from) - 1;
            continue;
        }
        if (close > 0 && count < LOCKS &&
            (is_word(source, i, "pthread_mutex_lock") || is_word(source, i, "pthread_spin_lock") ||
             is_word(source, i, "pthread_rwlock_wrlock") ||
             is_word(source, i, "pthread_rwlock_rdlock")))
            held[count++] = i;
        else if (close > 0 && (begins(source, i, "pthread_mutex_unlock") ||
                               is_word(source, i, "pthread_mutex_unlock") ||
                               is_word(source, i, "pthread_spin_unlock") ||
                               is_word(source, i, "pthread_rwlock_unlock")))
            for (int k = count - 1; k >= 0; k--)
                if (same_text(source, held[k] + 2, after_brackets(source, held[k]), i + 2, close))
                    held[k] = held[--count];
        if (count > 0 && surely_awaits(source, i)) {
            find(findings, source, i, "lock-across-await",
                 text_of("the thread's lock of line %d is held across this await: a bide_mutex, "
                         "or with_no_await around what needs it",
                         source->tokens[held[0]].line));
            count = 0;
        }
    }
}

/* The name of the parameter `bide_group *name`; -1: there is none. */
static int group_parameter(const struct source *source, const struct function *function)
{
    int end = source->tokens[function->parameters].match;
    for (int i = function->parameters; i + 2 < end; i++)
        if (is_word(source, i, "bide_group") && is_word(source, i + 1, "*"))
            return i + 2;
    return -1;
}

/* Whether `name`, after `&`, leads to a variable of the function, which ends with it. */
static bool is_local(const struct source *source, const struct function *function, int name)
{
    if (is_word(source, name + 1, "-") && is_word(source, name + 2, ">"))
        return false; /* what it points to */
    for (int i = function->from; i < name; i++) {
        if (!has_same(source, i, i + 1, name))
            continue;
        bool typed = is_name(source, i - 1) || is_word(source, i - 1, "*");
        bool ends = is_word(source, i + 1, "=") || is_word(source, i + 1, ";") ||
                    is_word(source, i + 1, "[") || is_word(source, i + 1, ",");
        int first = i;
        while (first > function->from && !is_word(source, first - 1, ";") &&
               !is_word(source, first - 1, "{") && !is_word(source, first - 1, "}"))
            first--;
        bool inside = !is_word(source, name + 1, "[") || is_word(source, i + 1, "[");
        return typed && ends && inside && !is_word(source, first, "static") &&
               !is_word(source, first, "return");
    }
    return false;
}

/* Tasks of a group that the function was given get the address of a variable of its own. */
static void check_frames(const struct source *source, const struct function *function,
                         struct findings *findings)
{
    int group = group_parameter(source, function);
    if (group < 0)
        return;
    for (int i = function->from; i < function->to; i++) {
        int end = after_brackets(source, i);
        if (!is_word(source, i, "spawn_void") || end < 0 || !has_same(source, i + 2, i + 3, group))
            continue;
        for (int at = i + 3; at < end; at++)
            if (is_word(source, at, "&") && is_word(source, at - 1, ",") &&
                is_name(source, at + 1) && is_local(source, function, at + 1))
                find(findings, source, i, "pointer-to-frame",
                     text_of("'%.*s' ends with this function, and the task lives as long as the "
                             "group",
                             source->tokens[at + 1].length, source->tokens[at + 1].text));
    }
}

/* Whether the `while` at `i` is the end of a `do`, of those that begin at `from` or behind. */
static bool ends_do(const struct source *source, int from, int i)
{
    for (; from < i; from++)
        if (is_word(source, from, "do") && end_of_statement(source, from + 1) == i)
            return true;
    return false;
}

/* What begins at a word of a function that runs in a task. */
static void check_word(const struct source *source, int from, int i, struct findings *findings)
{
    if (is_word(source, i, "with_deadline") || is_word(source, i, "bide_with_deadline"))
        check_deadline(source, i, findings);
    else if (is_word(source, i, "with_group") || is_word(source, i, "bide_with_group"))
        check_group(source, i, findings);
    else if (is_word(source, i, "with_lock") || is_word(source, i, "bide_with_lock"))
        check_double_lock(source, i, findings);
    else if (is_word(source, i, "with_tx") || is_word(source, i, "bide_with_tx"))
        check_transaction(source, i, findings);
    else if (is_word(source, i, "while") && !ends_do(source, from, i))
        check_busy(source, i, findings);
    if (is_word(source, i, "while") || is_word(source, i, "for"))
        check_swallowed(source, i, findings);
}

void check_rules(const struct source *source, struct findings *findings)
{
    struct function function;
    for (int at = 0; next_function(source, &at, &function);) {
        check_frames(source, &function, findings);
        if (!function.is_async)
            continue;
        check_calls(source, &function, findings);
        check_thread_locks(source, &function, findings);
        for (int i = function.from; i < function.to; i++)
            check_word(source, function.from, i, findings);
    }
}
