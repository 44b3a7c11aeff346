/*
 * pager.h. Called by the pages of blog/ and users/.
 */
#include "site/pager.h"

#include <inttypes.h>
#include <string.h>

enum { AROUND = 2, MOST_LINKS = 2 * AROUND + 7 };

static void add(page_link_list *links, const char *base, const char *label, int64_t page)
{
    links->items[links->count++] = (page_link){
        .label = label, .href = bide_arena_printf(bide_task_arena(), "%s%" PRId64, base, page)};
}

page_link_list pager_of(const char *url, const char *name, int64_t page, int64_t size,
                        int64_t total)
{
    const char *base =
        bide_arena_printf(bide_task_arena(), "%s%c%s=", url, strchr(url, '?') ? '&' : '?', name);
    int64_t pages = (total + size - 1) / size;
    page_link_list links = {bide_arena_alloc_zero(bide_task_arena(), MOST_LINKS, sizeof(page_link)),
                            0};
    if (!links.items)
        fail(bide_error_new(BIDE_NO_MEMORY, "no memory for links"));
    if (pages <= 1 || page > pages)
        return links;
    if (page > 1)
        add(&links, base, "‹ Newer", page - 1);
    bool in_gap = false;
    for (int64_t i = 1; i <= pages; i++) {
        bool is_near = i >= page - AROUND && i <= page + AROUND;
        if (!is_near && i != 1 && i != pages) {
            if (!in_gap)
                links.items[links.count++] = (page_link){.label = "…"};
            in_gap = true;
            i = i < page ? page - AROUND - 1 : pages - 1;
            continue;
        }
        in_gap = false;
        const char *label = bide_arena_printf(bide_task_arena(), "%" PRId64, i);
        add(&links, base, label, i);
        if (i == page) {
            links.items[links.count - 1].href = NULL;
            links.items[links.count - 1].current = true;
        }
    }
    if (page < pages)
        add(&links, base, "Older ›", page + 1);
    return links;
}
