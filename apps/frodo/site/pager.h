/*
 * The links below a list that is shown in pages.
 */
#ifndef FRODO_SITE_PAGER_H
#define FRODO_SITE_PAGER_H

#include <bide/bide.h>

/* One of "‹ 1 … 4 [5] 6 … 9 ›"; without `href`: the page that is shown, or a gap. */
MODEL(page_link, "", (str, label), (str, href, optional), (bool, current));

/* The links to the pages of `url`, whose number is the parameter `name` of its query. None where
   all is on one page. */
page_link_list pager_of(const char *url, const char *name, int64_t page, int64_t size,
                        int64_t total);

#endif
