/*
 * /dev/documents: docs/from-the-documents.md as a page, while developing.
 */
#include "blog/markdown.h"
#include "site/site.h"

#include <stdio.h>

enum { DOCUMENT_BYTES = 1 << 20 };

MODEL(document_page, "", (html_safe, content));

static const char *read_file(const char *path)
{
    FILE *file = fopen(path, "r");
    char *text = bide_arena_alloc(bide_task_arena(), DOCUMENT_BYTES);
    size_t length = file && text ? fread(text, 1, DOCUMENT_BYTES - 1, file) : 0;
    if (text)
        text[length] = 0;
    if (file)
        fclose(file);
    return length ? text : NULL;
}

GET(show_documents, "/dev/documents", html("site/documents", document_page), hidden)
{
    const frodo *site = frodo_of(req);
    const char *text = NULL;
    if (site->settings->mode == run_mode_development)
        text = read_file(bide_arena_printf(bide_arena_of(req),
                                           "%s/../../docs/from-the-documents.md", site->folder));
    if (!text)
        fail(http_error(404, "There is no such page"));
    return (document_page){.content = await(markdown_html(bide_arena_of(req), text))};
}
