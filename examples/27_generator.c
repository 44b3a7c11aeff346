/*
 * Generator: values one after the other, made when they are asked for.
 *
 * A generator is a task of its own that stops at each bide_give. It may await and hold resources
 * across the values it gives; leaving the block early runs its cleanups first.
 */
#include <bide/bide.h>

#include <stdio.h>

static void close_book(void *name)
{
    printf("closed %s\n", (const char *)name);
}

GENERATES(int, pages_of, const char *)
async(void) pages_of(bide_gen(int) * gen, const char *name)
{
    printf("opened %s\n", name);
    defer(close_book, (void *)(uintptr_t)name);
    for (int page = 1;; page++) {
        await(bide_sleep(bide_s(1))); /* turning it takes a while */
        await(bide_give(gen, page));
    }
}

static async(void) app(void)
{
    with_generator(pages, pages_of, "the red book")
    {
        int page;
        while (await(bide_next(pages, &page))) {
            printf("page %d\n", page);
            if (page == 3)
                break;
        }
    }
    printf("enough\n");
    return bide_void;
}

int main(void)
{
    return bide_run(app, .virtual_clock = true);
}
