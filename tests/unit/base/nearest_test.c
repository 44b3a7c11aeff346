/*
 * nearest_test.c: the name that somebody may have meant.
 */
#include "base/nearest.h"

#include <bide/test.h>

static const char *nearest_of(const char *wanted)
{
    static const char *const names[] = {"port", "host", "uds", "workers", "log-level"};
    struct bide__nearest nearest = {.wanted = wanted};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        bide__nearest_offer(&nearest, names[i]);
    return nearest.best;
}

TEST_PLAIN(small_mistakes_find_their_name)
{
    check_str(nearest_of("prot"), "port"); /* two letters that changed places are one mistake */
    check_str(nearest_of("pot"), "port");
    check_str(nearest_of("porrt"), "port");
    check_str(nearest_of("pert"), "port");
    check_str(nearest_of("worker"), "workers");
    check_str(nearest_of("loglevel"), "log-level");
    check_str(nearest_of("uds"), "uds");
}

TEST_PLAIN(the_nearest_of_several_wins)
{
    struct bide__nearest nearest = {.wanted = "hoist"};
    bide__nearest_offer(&nearest, "hosts");
    bide__nearest_offer(&nearest, "host");
    bide__nearest_offer(&nearest, "most");
    check_str(nearest.best, "host");
    check_int(nearest.distance, 1);
}

TEST_PLAIN(what_is_far_away_is_no_hint)
{
    check_str(nearest_of("timeout"), NULL);
    check_str(nearest_of(""), NULL);
    check_str(nearest_of("abc"), NULL);
    char longer[200];
    for (size_t i = 0; i < sizeof longer - 1; i++)
        longer[i] = 'a';
    longer[sizeof longer - 1] = '\0';
    check_str(nearest_of(longer), NULL);
}
