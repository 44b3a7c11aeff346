/*
 * address.c: lists of addresses, as people write them: `sam@example.org`, `Sam <sam@example.org>`,
 * `"Gamgee, Sam" <sam@example.org>`, with commas between them. Called by message.c.
 *
 * Source: RFC 5322 section 3.4, without its comments, groups and domain literals; which addresses
 * there are is said by model/format.c.
 */
#include "mail/mail.h"

#include "base/utf8.h"
#include "model/model.h"

#include <string.h>

const char bide__mail_no_memory[] = "out of memory";

static const char *skip_spaces(const char *at)
{
    while (*at == ' ' || *at == '\t')
        at++;
    return at;
}

/* A name in quotes, from the opening one; `\` takes the next byte as it is. Gives what follows, or
   NULL: it has no end. */
static const char *parse_quoted(const char *at, char *name, size_t *length)
{
    for (at++; *at && *at != '"'; at++) {
        if (*at == '\\' && at[1])
            at++;
        name[(*length)++] = *at;
    }
    return *at ? at + 1 : NULL;
}

static const char *check_address(const char *text, size_t length)
{
    for (size_t i = 0; i < length; i++)
        if ((unsigned char)text[i] > 126)
            return "an address has letters beyond ASCII: write its domain in the xn-- form";
    return bide__check_email(text, length);
}

/* One mailbox; gives what follows it. `name` has room for the rest of the list. */
static const char *parse_one(bide_arena *arena, const char *at, char *name,
                             struct bide__mailbox *box, const char **problem)
{
    size_t length = 0;
    const char *start = at, *address = at;
    bool quoted = *at == '"';
    if (quoted) {
        at = parse_quoted(at, name, &length);
        at = at ? skip_spaces(at) : "";
        *problem = *at == '<' ? NULL : "a name in quotes has no <address> behind it";
    } else {
        at += strcspn(at, "<>,\"");
        *problem = *at == '"' ? "quotes stand around a whole name" : NULL;
    }
    if (*problem)
        return at;
    const char *end = at;
    if (*at == '<') {
        address = at + 1;
        at = end = address + strcspn(address, "<>,");
        *problem = *at == '>' ? NULL : "an address has no > behind it";
        if (*problem)
            return at;
        at = skip_spaces(at + 1);
        if (!quoted) {
            length = (size_t)(address - 1 - start);
            memcpy(name, start, length);
        }
    } else {
        while (end > address && (end[-1] == ' ' || end[-1] == '\t'))
            end--;
    }
    while (length > 0 && (name[length - 1] == ' ' || name[length - 1] == '\t'))
        length--;
    *problem = *at && *at != ',' ? "there is no comma between two addresses"
               : length > BIDE_CAP_MAIL_NAME_BYTES
                   ? "a name is too long"
                   : check_address(address, (size_t)(end - address));
    box->name = bide_arena_strndup(arena, name, length);
    box->address = bide_arena_strndup(arena, address, (size_t)(end - address));
    if (!box->name || !box->address)
        *problem = bide__mail_no_memory;
    return at;
}

static const char *append(bide_arena *arena, struct bide__mailboxes *to, struct bide__mailbox box)
{
    if (to->count == BIDE_CAP_MAIL_RECIPIENTS)
        return "it has too many addresses";
    if (!to->items)
        to->items = bide_arena_alloc_zero(arena, BIDE_CAP_MAIL_RECIPIENTS, sizeof *to->items);
    if (!to->items)
        return bide__mail_no_memory;
    to->items[to->count++] = box;
    return NULL;
}

static const char *check_text(const char *text)
{
    for (const char *at = text; *at; at++)
        if ((unsigned char)*at < ' ' || *at == 127)
            return "it has a line break or another control character in it";
    return bide__utf8_valid(text, strlen(text)) ? NULL : "it is not UTF-8";
}

const char *bide__mailboxes_parse(bide_arena *arena, const char *list, struct bide__mailboxes *to)
{
    if (!list || !*list)
        return NULL;
    const char *problem = check_text(list);
    char *name = problem ? NULL : bide_arena_alloc(arena, strlen(list) + 1);
    if (!problem && !name)
        problem = bide__mail_no_memory;
    for (const char *at = list; !problem;) {
        struct bide__mailbox box;
        at = parse_one(arena, skip_spaces(at), name, &box, &problem);
        if (!problem)
            problem = append(arena, to, box);
        if (!*at)
            break;
        at++; /* the comma */
    }
    return problem;
}
