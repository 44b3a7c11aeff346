/*
 * The router: see router.h for the rules. Called by the application; calls route_pattern, arena.
 *
 *     root --+-- slash                      /
 *            +-- "users" --+-- slash        /users/
 *            |             +-- parameter    /users/{id}
 *            |                 +-- "posts"  /users/{id}/posts
 *            +-- rest                       /{all:path}
 *
 * Literal children stand in a hash table per node. Its key is the segment's length with its first
 * and its last eight bytes, which tells all segments of up to 16 bytes apart; longer ones are then
 * compared in full. Whoever sends paths cannot make it slow: the tables hold only what the
 * application declared, at most half full.
 */
#include "web/router.h"

#include "base/assert.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { FIRST_SLOTS = 2, FIRST_ROUTES = 16 };

#define BIT(method) (1u << (method))

/* A part of a path between two slashes, or at its end. */
struct segment {
    const char *text;
    size_t length;
    uint64_t first; /* the first eight bytes, zeros behind the end */
    uint64_t last;  /* the last eight bytes; 0 for fewer than eight */
};

struct slot {
    uint64_t first;
    uint64_t last;
    size_t length;
    struct bide__route_node *child; /* NULL in a free slot */
};

struct bide__route_node {
    struct slot *slots; /* literal children; NULL while there are none */
    uint32_t slot_count;
    uint32_t slots_used;
    struct bide__route_node *slash;     /* the empty last segment */
    struct bide__route_node *parameter; /* {name} */
    struct bide__route_node *rest;      /* {name:path} */
    struct bide__route_node *parent;
    const char *text; /* of a literal */
    unsigned methods; /* that have a route here */
    const struct bide__route *by_method[BIDE__ROUTE_METHODS];
};

/* Segments */

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the first byte is the lowest one");

static inline uint64_t load64(const char *bytes)
{
    uint64_t word;
    memcpy(&word, bytes, sizeof word);
    return word;
}

/* Fewer than eight bytes, without touching what follows them: two loads that may overlap. */
static inline uint64_t load_short(const char *bytes, size_t length)
{
    if (length >= 4) {
        uint32_t head;
        uint32_t tail;
        memcpy(&head, bytes, sizeof head);
        memcpy(&tail, bytes + length - sizeof tail, sizeof tail);
        return head | (uint64_t)tail << 8 * (length - sizeof tail);
    }
    if (length >= 2) {
        uint16_t head;
        uint16_t tail;
        memcpy(&head, bytes, sizeof head);
        memcpy(&tail, bytes + length - sizeof tail, sizeof tail);
        return head | (uint64_t)tail << 8 * (length - sizeof tail);
    }
    return length == 1 ? (unsigned char)bytes[0] : 0;
}

/* A word whose lowest bit set is in the byte of the first slash; 0 if there is none. (The classic
 * test for a zero byte; above the first hit it may be wrong.) */
static inline uint64_t find_slash(uint64_t word)
{
    uint64_t zeroed = word ^ UINT64_C(0x2F2F2F2F2F2F2F2F);
    return (zeroed - UINT64_C(0x0101010101010101)) & ~zeroed & UINT64_C(0x8080808080808080);
}

/* The segment that starts at `at`. */
static inline struct segment cut(const char *at, const char *end)
{
    size_t left = (size_t)(end - at);
    uint64_t word = left >= 8 ? load64(at) : load_short(at, left);
    uint64_t slash = find_slash(word);
    if (slash) {
        unsigned bits = (unsigned)__builtin_ctzll(slash) & ~7u;
        return (struct segment){at, bits / 8, word & ((UINT64_C(1) << bits) - 1), 0};
    }
    if (left < 8)
        return (struct segment){at, left, word, 0};
    const char *found = memchr(at + 8, '/', left - 8);
    size_t length = found ? (size_t)(found - at) : left;
    return (struct segment){at, length, word, load64(at + length - 8)};
}

static inline uint32_t hash(uint64_t first, uint64_t last, size_t length)
{
    uint64_t mixed = (first + length) * UINT64_C(0x9E3779B97F4A7C15);
    mixed ^= last * UINT64_C(0xC2B2AE3D27D4EB4F);
    return (uint32_t)(mixed >> 32 ^ mixed >> 50);
}

static inline struct bide__route_node *find_literal(const struct bide__route_node *node,
                                                    const struct segment *segment)
{
    if (!node->slots)
        return NULL;
    uint32_t mask = node->slot_count - 1;
    uint32_t i = hash(segment->first, segment->last, segment->length) & mask;
    for (;; i = (i + 1) & mask) {
        const struct slot *slot = &node->slots[i];
        if (!slot->child)
            return NULL;
        if (slot->first == segment->first && slot->last == segment->last &&
            slot->length == segment->length &&
            (segment->length <= 16 ||
             memcmp(slot->child->text + 8, segment->text + 8, segment->length - 16) == 0))
            return slot->child;
    }
}

/* Finding */

struct search {
    struct bide__route_match *match;
    const char *end;
    unsigned method;
    unsigned wanted;  /* the bit of the method, and that of GET for HEAD */
    unsigned allowed; /* by the routes that matched the path so far */
    bool add_slash;   /* the path is to be read with one more slash at its end */
};

/* The route of the method at a node, which may be NULL. */
static inline const struct bide__route *taker(const struct bide__route_node *node, unsigned method)
{
    if (!node)
        return NULL;
    const struct bide__route *route = node->by_method[method];
    return !route && method == BIDE__HTTP_HEAD ? node->by_method[BIDE__HTTP_GET] : route;
}

static inline const struct bide__route *
end_at(struct search *search, const struct bide__route_node *node, unsigned parameter_count)
{
    search->allowed |= node->methods;
    if (!(node->methods & search->wanted))
        return NULL;
    search->match->parameter_count = parameter_count;
    return taker(node, search->method);
}

static const struct bide__route *below(struct search *search, const struct bide__route_node *node,
                                       const char *at, unsigned parameter_count);

/* The best route at or below `node`, whose segment ends at `after`. */
static inline const struct bide__route *reach(struct search *search,
                                              const struct bide__route_node *node,
                                              const char *after, unsigned parameter_count)
{
    if (after < search->end)
        return below(search, node, after + 1, parameter_count);
    if (search->add_slash)
        return below(search, node, after, parameter_count);
    return end_at(search, node, parameter_count);
}

/* The best route below `node` for the segments from `at` on. */
static const struct bide__route *below(struct search *search, const struct bide__route_node *node,
                                       const char *at, unsigned parameter_count)
{
    struct segment segment = cut(at, search->end);
    const char *after = at + segment.length;
    struct bide__slice *slice = &search->match->parameters[parameter_count];
    const struct bide__route *route = NULL;
    if (segment.length > 0) {
        const struct bide__route_node *literal = find_literal(node, &segment);
        if (literal)
            route = reach(search, literal, after, parameter_count);
        if (!route && node->parameter) {
            *slice = bide__slice(at, segment.length);
            route = reach(search, node->parameter, after, parameter_count + 1);
        }
    } else if (node->slash && at == search->end) {
        route = end_at(search, node->slash, parameter_count);
    }
    if (!route && node->rest) {
        *slice = bide__slice(at, (size_t)(search->end - at));
        route = end_at(search, node->rest, parameter_count + 1);
    }
    return route;
}

/* Whether the path would be found with one slash more, or less, at its end. */
static bool found_with_other_slash(const struct bide__router *router, struct search search,
                                   const char *path, size_t length)
{
    if (length < 2 || path[1] == '/')
        return false; /* a Location that begins with two slashes would name another host */
    struct bide__route_match unused;
    search.match = &unused;
    if (path[length - 1] == '/')
        search.end--;
    else
        search.add_slash = true;
    return below(&search, router->root, path + 1, 0);
}

enum bide__route_result bide__router_find(const struct bide__router *router,
                                          enum bide__http_method method, const char *path,
                                          size_t length, struct bide__route_match *ret_match)
{
    if (!router->root || length == 0 || path[0] != '/')
        return BIDE__ROUTE_NOT_FOUND;
    unsigned wanted = BIT(method) | (method == BIDE__HTTP_HEAD ? BIT(BIDE__HTTP_GET) : 0);
    struct search search = {ret_match, path + length, method, wanted, 0, false};
    const struct bide__route *route = below(&search, router->root, path + 1, 0);
    if (bide__likely(route)) {
        ret_match->route = route;
        return BIDE__ROUTE_FOUND;
    }
    if (!search.allowed) {
        if (router->redirect_slash && found_with_other_slash(router, search, path, length))
            return BIDE__ROUTE_REDIRECT;
        return BIDE__ROUTE_NOT_FOUND;
    }
    if (search.allowed & BIT(BIDE__HTTP_GET))
        search.allowed |= BIT(BIDE__HTTP_HEAD);
    ret_match->allowed_methods = search.allowed | BIT(BIDE__HTTP_OPTIONS);
    return method == BIDE__HTTP_OPTIONS ? BIDE__ROUTE_ALLOWED : BIDE__ROUTE_NOT_ALLOWED;
}

size_t bide__route_allow(unsigned methods, char buffer[BIDE__ROUTE_ALLOW_BYTES])
{
    size_t length = 0;
    buffer[0] = '\0';
    for (unsigned method = 0; method < BIDE__ROUTE_METHODS; method++) {
        const char *text = bide__http_method_text((enum bide__http_method)method);
        if ((methods & BIT(method)) && text[0] != '\0')
            length += (size_t)snprintf(buffer + length, BIDE__ROUTE_ALLOW_BYTES - length, "%s%s",
                                       length > 0 ? ", " : "", text);
    }
    return length;
}

/* Adding */

static struct bide__route_node *make_node(bide_arena *arena, struct bide__route_node *parent)
{
    struct bide__route_node *node = bide_arena_alloc_zero(arena, 1, sizeof *node);
    if (node)
        node->parent = parent;
    return node;
}

static void put_slot(struct slot *slots, uint32_t slot_count, const struct slot *slot)
{
    uint32_t i = hash(slot->first, slot->last, slot->length) & (slot_count - 1);
    while (slots[i].child)
        i = (i + 1) & (slot_count - 1);
    slots[i] = *slot;
}

/* Keeps at least half of the slots free; an old table stays in the arena. */
static int make_slots(bide_arena *arena, struct bide__route_node *node)
{
    if (node->slots && (node->slots_used + 1) * 2 <= node->slot_count)
        return 0;
    uint32_t slot_count = node->slots ? node->slot_count * 2 : FIRST_SLOTS;
    struct slot *slots = bide_arena_alloc_zero(arena, slot_count, sizeof *slots);
    if (!slots)
        return -ENOMEM;
    for (uint32_t i = 0; i < node->slot_count; i++)
        if (node->slots[i].child)
            put_slot(slots, slot_count, &node->slots[i]);
    node->slots = slots;
    node->slot_count = slot_count;
    return 0;
}

static struct bide__route_node *make_literal(bide_arena *arena, struct bide__route_node *node,
                                             const struct bide__route_piece *piece)
{
    size_t length;
    char *text = bide__route_piece_encode(arena, piece, &length);
    if (!text)
        return NULL;
    struct segment segment = cut(text, text + length);
    struct bide__route_node *child = find_literal(node, &segment);
    if (child)
        return child;
    child = make_node(arena, node);
    if (!child || make_slots(arena, node) < 0)
        return NULL;
    child->text = text;
    struct slot slot = {segment.first, segment.last, segment.length, child};
    put_slot(node->slots, node->slot_count, &slot);
    node->slots_used++;
    return child;
}

/* The node of a pattern, made if it is missing. NULL when out of memory. */
static struct bide__route_node *make_place(struct bide__router *router,
                                           const struct bide__route_pattern *pattern)
{
    if (!router->root)
        router->root = make_node(&router->arena, NULL);
    struct bide__route_node *node = router->root;
    for (unsigned i = 0; node && i < pattern->piece_count; i++) {
        const struct bide__route_piece *piece = &pattern->pieces[i];
        struct bide__route_node **child = piece->kind == BIDE__ROUTE_PARAMETER ? &node->parameter
                                          : piece->kind == BIDE__ROUTE_REST    ? &node->rest
                                                                               : &node->slash;
        if (piece->kind == BIDE__ROUTE_LITERAL && piece->length > 0) {
            node = make_literal(&router->arena, node, piece);
        } else {
            if (!*child)
                *child = make_node(&router->arena, node);
            node = *child;
        }
    }
    return node;
}

/* Whether a route for everything below `node` gets nothing of this method: what comes before it
 * takes the empty rest, a rest of one segment, and of more. */
static bool nothing_is_left(const struct bide__route_node *node, unsigned method)
{
    do {
        if (!taker(node->slash, method))
            return false;
        node = node->parameter;
        if (!taker(node, method))
            return false;
    } while (!taker(node->rest, method));
    return true;
}

/* A route of `node`'s catch-all that is hidden for all of its methods; NULL if there is none. */
static const struct bide__route *find_hidden(const struct bide__route_node *node)
{
    if (!node->rest)
        return NULL;
    unsigned hidden = 0;
    for (unsigned method = 0; method < BIDE__ROUTE_METHODS; method++)
        if (nothing_is_left(node, method))
            hidden |= BIT(method);
    for (unsigned method = 0; method < BIDE__ROUTE_METHODS; method++) {
        const struct bide__route *route = node->rest->by_method[method];
        if (route && !(route->methods & ~hidden))
            return route;
    }
    return NULL;
}

static const char *label(unsigned methods, char buffer[BIDE__ROUTE_ALLOW_BYTES])
{
    if (methods == BIDE__ROUTE_ANY_METHOD)
        return "any method";
    return bide__route_allow(methods, buffer) > 0 ? buffer : "another method";
}

/* The text of a problem of two routes; `relation` stands between them. */
static const char *say(bide_arena *arena, const struct bide__route *first, const char *relation,
                       const struct bide__route *second)
{
    char methods[2][BIDE__ROUTE_ALLOW_BYTES];
    const char *text = bide_arena_printf(
        arena, "%s '%s' at %s:%d %s %s '%s' at %s:%d", label(first->methods, methods[0]),
        first->pattern, first->file, first->line, relation, label(second->methods, methods[1]),
        second->pattern, second->file, second->line);
    return text ? text : "two routes exclude each other, and there is no memory to say which";
}

static void set_methods(struct bide__route_node *node, const struct bide__route *route, bool set)
{
    for (unsigned method = 0; method < BIDE__ROUTE_METHODS; method++)
        if (route->methods & BIT(method))
            node->by_method[method] = set ? route : NULL;
    node->methods =
        set ? node->methods | route->methods : node->methods & ~(unsigned)route->methods;
}

/* Puts a route at its node, unless it or another one could then never match. */
static int place(struct bide__router *router, struct bide__route_node *node,
                 const struct bide__route *route, const char **ret_problem)
{
    unsigned taken = node->methods & route->methods;
    if (taken) {
        *ret_problem = say(&router->arena, route, "is the same route as",
                           node->by_method[__builtin_ctz(taken)]);
        return -EEXIST;
    }
    set_methods(node, route, true);
    for (const struct bide__route_node *above = node->parent; above; above = above->parent) {
        const struct bide__route *hidden = find_hidden(above);
        if (!hidden)
            continue;
        unsigned method = (unsigned)__builtin_ctz(hidden->methods);
        *ret_problem = say(&router->arena, hidden,
                           "can never match: more specific routes take all its paths, one of them",
                           hidden == route ? taker(above->parameter, method) : route);
        set_methods(node, route, false);
        return -EEXIST;
    }
    return 0;
}

static int compare(const struct bide__route *a, const struct bide__route *b)
{
    int order = strcmp(a->file, b->file);
    if (order == 0)
        order = (a->line > b->line) - (a->line < b->line);
    if (order == 0)
        order = strcmp(a->pattern, b->pattern);
    return order;
}

static int make_room(struct bide__router *router)
{
    if (router->route_count < router->route_room)
        return 0;
    size_t room = router->route_room ? router->route_room * 2 : FIRST_ROUTES;
    const struct bide__route **routes = bide_arena_alloc_zero(&router->arena, room, sizeof *routes);
    if (!routes)
        return -ENOMEM;
    if (router->route_count > 0)
        memcpy(routes, router->routes, router->route_count * sizeof *routes);
    router->routes = routes;
    router->route_room = room;
    return 0;
}

/* There is room. */
static void put_in_order(struct bide__router *router, const struct bide__route *route)
{
    size_t i = router->route_count++;
    for (; i > 0 && compare(router->routes[i - 1], route) > 0; i--)
        router->routes[i] = router->routes[i - 1];
    router->routes[i] = route;
}

static const char *const *copy_names(bide_arena *arena, const struct bide__route_pattern *pattern)
{
    const char **names = bide_arena_alloc_zero(arena, BIDE__ROUTE_PARAMETERS, sizeof *names);
    if (!names)
        return NULL;
    unsigned count = 0;
    for (unsigned i = 0; i < pattern->piece_count; i++) {
        const struct bide__route_piece *piece = &pattern->pieces[i];
        if (piece->kind == BIDE__ROUTE_LITERAL)
            continue;
        names[count] = bide_arena_strndup(arena, piece->text, piece->length);
        if (!names[count])
            return NULL;
        count++;
    }
    return names;
}

static int out_of_memory(const char **ret_problem)
{
    *ret_problem = "out of memory for routes";
    return -ENOMEM;
}

/* Adds `model`, whose pattern is already whole and in the arena. */
static int add(struct bide__router *router, const struct bide__route *model,
               const char **ret_problem)
{
    struct bide__route_pattern pattern;
    const char *wrong = bide__route_pattern_parse(model->pattern, &pattern);
    if (wrong) {
        char methods[BIDE__ROUTE_ALLOW_BYTES];
        *ret_problem = bide_arena_printf(&router->arena, "%s '%s' at %s:%d: malformed pattern: %s",
                                         label(model->methods, methods), model->pattern,
                                         model->file, model->line, wrong);
        if (!*ret_problem)
            *ret_problem = wrong;
        return -EINVAL;
    }
    struct bide__route *route = bide_arena_copy(&router->arena, model, sizeof *model);
    const char *const *names = copy_names(&router->arena, &pattern);
    struct bide__route_node *node = make_place(router, &pattern);
    if (!route || !names || !node || make_room(router) < 0)
        return out_of_memory(ret_problem);
    route->parameter_count = (uint8_t)pattern.parameter_count;
    route->parameter_names = names;
    route->has_rest = pattern.pieces[pattern.piece_count - 1].kind == BIDE__ROUTE_REST;
    int result = place(router, node, route, ret_problem);
    if (result == 0)
        put_in_order(router, route);
    return result;
}

/* Adds a route whose pattern is the router's prefix and two parts. */
static int add_parts(struct bide__router *router, struct bide__route model, const char *first,
                     const char *second, const char **ret_problem)
{
    model.pattern = bide_arena_printf(&router->arena, "%s%s%s", router->prefix, first, second);
    return model.pattern ? add(router, &model, ret_problem) : out_of_memory(ret_problem);
}

int bide__router_add_methods(struct bide__router *router, unsigned methods, const char *pattern,
                             const void *handler, const char *file, int line,
                             const char **ret_problem)
{
    BIDE_ASSERT(methods != 0 && methods <= BIDE__ROUTE_ANY_METHOD,
                "route '%s' at %s:%d with methods 0x%x", pattern, file, line, methods);
    struct bide__route model = {
        .methods = (uint16_t)methods, .handler = handler, .file = file, .line = line};
    return add_parts(router, model, "", pattern, ret_problem);
}

int bide__router_add(struct bide__router *router, enum bide__http_method method,
                     const char *pattern, const void *handler, const char *file, int line,
                     const char **ret_problem)
{
    return bide__router_add_methods(router, BIT(method), pattern, handler, file, line, ret_problem);
}

int bide__router_mount(struct bide__router *router, const char *prefix, const void *handler,
                       const char *file, int line, const char **ret_problem)
{
    struct bide__route model = {
        .methods = BIDE__ROUTE_ANY_METHOD, .handler = handler, .file = file, .line = line};
    int result = 0;
    if (prefix[0] != '\0' || router->prefix[0] != '\0')
        result = add_parts(router, model, prefix, "", ret_problem);
    if (result == 0)
        result = add_parts(router, model, prefix, "/{rest:path}", ret_problem);
    return result;
}

/* The whole */

void bide__router_init(struct bide__router *router, const char *prefix)
{
    *router = (struct bide__router){.prefix = prefix};
    bide_arena_init(&router->arena, NULL, BIDE__ROUTER_CAP_BYTES);
}

void bide__router_redirect_slash(struct bide__router *router, bool redirect)
{
    router->redirect_slash = redirect;
}

const struct bide__route *const *bide__router_routes(const struct bide__router *router,
                                                     size_t *ret_count)
{
    *ret_count = router->route_count;
    return router->routes;
}

void bide__router_done(struct bide__router *router)
{
    bide_arena_done(&router->arena);
    bide__router_init(router, router->prefix);
}
