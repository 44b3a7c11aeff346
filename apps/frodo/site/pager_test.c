/* The links below a list. */
#include "site/pager.h"
#include "testing.h"

static const char *links_of(int64_t page, int64_t total)
{
    page_link_list links = pager_of("", "page", page, 10, total);
    const char *text = "";
    for (size_t i = 0; i < links.count; i++)
        text = bide_arena_printf(bide_task_arena(), links.items[i].current ? "%s[%s]" : "%s %s ",
                                 text, links.items[i].label);
    return text;
}

TEST(a_pager_has_gaps)
{
    check_str(links_of(1, 10), "");
    check_str(links_of(1, 11), "[1] 2  Older › ");
    check_str(links_of(5, 95), " ‹ Newer  1  …  3  4 [5] 6  7  …  10  Older › ");
    check_str(links_of(4, 100), " ‹ Newer  1  2  3 [4] 5  6  …  10  Older › ");
    check_str(links_of(10, 100), " ‹ Newer  1  …  8  9 [10]");
    check_str(links_of(1, 1000000), "[1] 2  3  …  100000  Older › ");
    check_str(links_of(99, 100), "");
}
