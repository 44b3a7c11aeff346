/*
 * The table of `routes`. Called by main.c, for an application that was checked. A column without
 * anything in it is left out.
 *
 *     GET   /notes       list_notes  200  list(note_out)         app.c:42
 *     POST  /notes       add_note    201  note_out        writer app.c:31
 */
#include "web/main.h"

#include <string.h>

enum { METHOD, PATTERN, HANDLER, STATUS, RESPONSE, PROVIDERS, SOURCE, COLUMNS };
enum { CELL_BYTES = 256 };

static const char *const titles[COLUMNS] = {"METHOD",   "PATTERN",   "HANDLER", "STATUS",
                                            "RESPONSE", "PROVIDERS", "SOURCE"};

/* What the program adds: not the library's own documentation. */
static bool is_shown(const struct bide__plan *plan)
{
    return plan->route || plan->builtin->line > 0;
}

/* The folder that the files of all routes share: how many bytes of their names it takes. */
static size_t common_folder(const bide_app *app)
{
    const char *first = NULL;
    size_t length = 0;
    for (const struct bide__plan *plan = app->plans; plan; plan = plan->next) {
        if (!is_shown(plan))
            continue;
        const char *file = plan->route ? plan->route->callable.at.file : plan->builtin->file;
        if (!first) {
            first = file;
            length = strlen(file);
        }
        size_t same = 0;
        while (same < length && first[same] == file[same])
            same++;
        length = same;
        while (length > 0 && first[length - 1] != '/')
            length--;
    }
    return length;
}

/* As it stands in the declaration. */
static void put_response(const struct bide__plan *plan, char *cell)
{
    static const char *const words[] = {
        [bide__kind_nothing] = "nothing",   [bide__kind_text] = "text",
        [bide__kind_html] = "html",         [bide__kind_raw] = "raw",
        [bide__kind_redirect] = "redirect", [bide__kind_stream_] = "stream",
        [bide__kind_file] = "file"};
    const char *name = plan->output ? plan->output->name : words[plan->shape];
    const char *around = plan->shape == BIDE_KIND_LIST      ? "list"
                         : plan->shape == bide__kind_maybe_ ? "maybe"
                         : plan->shape == bide__kind_page_  ? "page"
                         : plan->template                   ? "html"
                                                            : NULL;
    snprintf(cell, CELL_BYTES, around ? "%s(%s)" : "%s%s", around ? around : "", name);
}

/* The providers in the order in which they run. */
static void put_providers(const struct bide__plan *plan, char *cell)
{
    size_t length = 0;
    cell[0] = '\0';
    for (uint32_t i = 0; i + 1 < plan->step_count && length < CELL_BYTES; i++)
        length += (size_t)snprintf(cell + length, CELL_BYTES - length, "%s%s", i ? ", " : "",
                                   plan->steps[i].callable->name);
}

static void put_row(const struct bide__plan *plan, size_t folder, char row[COLUMNS][CELL_BYTES])
{
    const bide_route *route = plan->route;
    for (int column = 0; column < COLUMNS; column++)
        row[column][0] = '\0';
    snprintf(row[METHOD], CELL_BYTES, "%s", route ? route->method : plan->mounted ? "*" : "GET");
    snprintf(row[PATTERN], CELL_BYTES, "%s%s", plan->pattern, plan->mounted ? "/*" : "");
    if (!route) {
        snprintf(row[HANDLER], CELL_BYTES, plan->mounted ? "(mounted)" : "(built in)");
        snprintf(row[SOURCE], CELL_BYTES, "%s:%d", plan->builtin->file + folder,
                 plan->builtin->line);
        return;
    }
    snprintf(row[HANDLER], CELL_BYTES, "%s", route->callable.name);
    if (plan->shape != bide__kind_raw && plan->shape != bide__kind_redirect &&
        plan->shape != bide__kind_file) /* those say it */
        snprintf(row[STATUS], CELL_BYTES, "%d", plan->status);
    put_response(plan, row[RESPONSE]);
    put_providers(plan, row[PROVIDERS]);
    snprintf(row[SOURCE], CELL_BYTES, "%s:%d", route->callable.at.file + folder,
             route->callable.at.line);
}

static void print_row(const char *const cells[COLUMNS], const int widths[COLUMNS], FILE *out)
{
    for (int column = 0; column < SOURCE; column++)
        fprintf(out, "%-*s", widths[column] ? widths[column] + 2 : 0, cells[column]);
    fprintf(out, "%s\n", cells[SOURCE]);
}

/* Makes the row of each plan, twice: for the widths, and for printing. A column without anything in
   it is left out. */
void bide__main_routes(const bide_app *app, FILE *out)
{
    char row[COLUMNS][CELL_BYTES];
    const char *cells[COLUMNS];
    int widths[COLUMNS] = {0};
    size_t folder = common_folder(app);
    for (const struct bide__plan *plan = app->plans; plan; plan = plan->next) {
        if (!is_shown(plan))
            continue;
        put_row(plan, folder, row);
        for (int column = 0; column < COLUMNS; column++) {
            int length = (int)strlen(row[column]);
            int least = length ? (int)strlen(titles[column]) : 0;
            length = length > least ? length : least;
            widths[column] = length > widths[column] ? length : widths[column];
        }
    }
    for (int column = 0; column < COLUMNS; column++)
        cells[column] = widths[column] ? titles[column] : "";
    print_row(cells, widths, out);
    for (const struct bide__plan *plan = app->plans; plan; plan = plan->next) {
        if (!is_shown(plan))
            continue;
        put_row(plan, folder, row);
        for (int column = 0; column < COLUMNS; column++)
            cells[column] = row[column];
        print_row(cells, widths, out);
    }
}
