/* symbol_test.c: names of functions by address, static ones too; the frames of interrupted code. */
#include "base/symbol.h"

#include <bide/test.h>

#include <errno.h>
#include <link.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static volatile int sink;

__attribute__((noinline)) static int a_static_function(int n)
{
    for (int i = 0; i < n; i++)
        sink += i;
    return sink;
}

__attribute__((noinline)) int an_exported_function(int n);
__attribute__((noinline)) int an_exported_function(int n)
{
    return a_static_function(n) + 1;
}

TEST_PLAIN(functions_have_names)
{
    struct bide__symbol symbol;

    require(bide__symbol_find((const void *)(uintptr_t)a_static_function, &symbol));
    check_str(symbol.name, "a_static_function");
    check_int(symbol.offset, 0);
    check_str(symbol.object, program_invocation_short_name);
    require(bide__symbol_find((const char *)(uintptr_t)an_exported_function + 3, &symbol));
    check_str(symbol.name, "an_exported_function");
    check_int(symbol.offset, 3);
    check_int(an_exported_function(1), 1);
}

static int count_objects(struct dl_phdr_info *info, size_t size, void *count)
{
    (void)info;
    (void)size;
    ++*(int *)count;
    return 0;
}

TEST_PLAIN(shared_objects_have_names_too)
{
    struct bide__symbol symbol;
    int objects = 0;

    dl_iterate_phdr(count_objects, &objects);
    if (objects < 3)
        test_skip("a static program");
    require(bide__symbol_find((const char *)(uintptr_t)a64l + 1, &symbol));
    check_str(symbol.name, "a64l");
    check_int(symbol.offset, 1);
    check_contains(symbol.object, ".so");
}

TEST_PLAIN(what_is_no_code_has_no_name)
{
    struct bide__symbol symbol = {.name = "untouched"};
    int local = 0;

    check(!bide__symbol_find(&local, &symbol));
    check(!bide__symbol_find(NULL, &symbol));
    check(!bide__symbol_find((const void *)UINTPTR_MAX, &symbol));
    check_str(symbol.name, "untouched");
}

TEST_PLAIN(data_has_an_object_only)
{
    struct bide__symbol symbol;

    require(bide__symbol_find((const void *)(uintptr_t)&sink, &symbol));
    check_str(symbol.name, "");
    check_str(symbol.object, program_invocation_short_name);
}

TEST_PLAIN(frames_are_folded_and_cut)
{
    char *in_static = (char *)(uintptr_t)a_static_function + 4;
    char *in_exported = (char *)(uintptr_t)an_exported_function + 4;
    void *frames[] = {in_static, in_static, in_static, in_exported, (void *)8, in_static};
    char text[1024], small[64];

    size_t length = bide__symbol_frames(frames, 5, NULL, text, sizeof text);
    check_int(length, strlen(text));
    check_contains(text, "    #0 a_static_function + 0x4 (");
    check_contains(text, ")\n       ... 2 more of a_static_function\n    #3 an_exported_function");
    check_contains(text, "    #4 ? + 0x8 (?)\n");
    bide__symbol_frames(frames, 6, "an_exported_function", text, sizeof text);
    check(!strstr(text, "an_exported_function"));
    check_contains(text, "... 2 more of a_static_function\n");
    check(bide__symbol_frames(frames, 5, NULL, small, sizeof small) < sizeof small);
    check_int(bide__symbol_frames(frames, 0, NULL, text, sizeof text), 0);
    check_str(text, "");
}

static void *frames[32];
static size_t frame_count;

static void on_signal(int number, siginfo_t *info, void *context)
{
    (void)number;
    (void)info;
    frame_count = bide__symbol_walk(context, frames, 32);
}

__attribute__((noinline)) static int interrupted(void)
{
    raise(SIGUSR1);
    return ++sink;
}

__attribute__((noinline)) static int caller_of_interrupted(void)
{
    return interrupted() + sink;
}

TEST_PLAIN(a_handler_sees_who_was_interrupted)
{
    struct sigaction action = {.sa_sigaction = on_signal, .sa_flags = SA_SIGINFO};
    char text[4096];

    bide__symbol_walk(NULL, NULL, 0);
    sigaction(SIGUSR1, &action, NULL);
    caller_of_interrupted();
    require(frame_count > 2);
    bide__symbol_frames(frames, frame_count, NULL, text, sizeof text);
    check(!strstr(text, "on_signal"));
    const char *inner = strstr(text, " interrupted + "), *outer = strstr(text, " caller_of_");
    if (check(inner) && check(outer))
        check(inner < outer);
}
