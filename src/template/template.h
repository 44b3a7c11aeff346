/*
 * What the files of this folder share: tokens, the compiled form, the templates of a program.
 *
 *     text -> parse.c: tokens -> compile.c (html.c: where in HTML a tag stands): operations
 *     row, operations -> render.c (escape.c) -> bytes
 *     store.c: files, what was compiled of them, reloading
 *
 * Invariants
 *  1. A name is resolved when it is compiled: an operation says in which register a row is, and
 *     where in it the value. A register is a model (or an item of a list), not a depth: it holds
 *     the innermost row of that model around the tag.
 *  2. Code owns all that it refers to but the models: the files that it was compiled from may go.
 */
#ifndef BIDE_TEMPLATE_TEMPLATE_H
#define BIDE_TEMPLATE_TEMPLATE_H

#include "base/caps.h"
#include "base/slice.h"
#include "model/model.h"

#include <bide/template.h>

/* The first problem, as a line. */
struct bide__template_problem {
    bool is_set;
    char text[512];
};

/* `file:line: what`, unless there is a problem already. Gives -EINVAL. */
int bide__template_refuse(struct bide__template_problem *problem, const char *file, unsigned line,
                          const char *format, ...)
    __attribute__((__cold__, __format__(__printf__, 4, 5)));

/* ---- tokens ---- */

enum bide__token_kind {
    BIDE__TOKEN_TEXT,
    BIDE__TOKEN_VALUE,
    BIDE__TOKEN_RAW,
    BIDE__TOKEN_LINK,
    BIDE__TOKEN_SECTION,
    BIDE__TOKEN_INVERTED,
    BIDE__TOKEN_PARTIAL,
    BIDE__TOKEN_PARENT,
    BIDE__TOKEN_BLOCK,
    BIDE__TOKEN_CLOSE,
};

struct bide__token {
    enum bide__token_kind kind;
    unsigned line;
    uint32_t partner;               /* of what is closed: the index of its CLOSE */
    struct bide__slice text;        /* the literal, or the name */
    struct bide__slice indentation; /* of a standalone partial or parent */
    bool begins_line, is_alone; /* of a parent: only blanks before it; nothing behind it either */
};

struct bide__tokens {
    const struct bide__token *all;
    uint32_t count;
};

/* The tokens of a text, which they point into. 0, -EINVAL after a problem, -ENOMEM. */
int bide__template_parse(bide_arena *arena, const char *file, struct bide__slice text,
                         struct bide__tokens *ret_tokens, struct bide__template_problem *problem);

/* A text with `indentation` in front of each line that is not empty. NULL without memory. */
const char *bide__template_indent(bide_arena *arena, struct bide__slice text,
                                  struct bide__slice indentation, size_t *ret_length);

/* ---- the compiled form ---- */

/* How a value is written. */
enum bide__escape {
    BIDE__ESCAPE_NONE,
    BIDE__ESCAPE_HTML,
    BIDE__ESCAPE_URL,       /* a whole one, its scheme is looked at */
    BIDE__ESCAPE_URL_PATH,  /* a part of a path: / stays */
    BIDE__ESCAPE_URL_ROOT,  /* the same behind a `/` alone: it may not begin with another one */
    BIDE__ESCAPE_URL_QUERY, /* a part of a query */
};

/* What is written of a value, or asked of it. */
enum bide__aspect {
    BIDE__ASPECT_VALUE,
    BIDE__ASPECT_COUNT, /* of a list */
    BIDE__ASPECT_IS,    /* an enum has the value `is` */
};

/* An optional object on the way to a value. */
struct bide__hop {
    const bide_model *model;
    const bide_field *field;
    size_t offset; /* of the row that has it */
};

/* Where a value is. */
struct bide__place {
    unsigned reg;        /* the row, or the value itself without a field */
    enum bide_kind kind; /* BIDE_KIND_LIST or the type's */
    enum bide__aspect aspect;
    const bide_type *type;   /* of the value, or of the items */
    const bide_model *model; /* that has the field */
    const bide_field *field; /* NULL: the register is the value */
    size_t offset;           /* of the row that has the field, in that of the register */
    int32_t is;
    const struct bide__hop *hops; /* the outermost first */
    unsigned hop_count;
};

/* A pair of a query: a text, or a value. */
struct bide__query {
    const char *name; /* as it is written */
    const char *text; /* NULL: the value of `place` */
    struct bide__place place;
    bool is_first; /* of its URL */
    bool is_html;  /* `&` is an entity */
};

enum bide__op_code {
    BIDE__OP_TEXT,   /* literal */
    BIDE__OP_STR,    /* a plain text member, escaped for HTML */
    BIDE__OP_VALUE,  /* place, escape */
    BIDE__OP_PART,   /* the same of a parameter in a path: there is one, and paths can have it */
    BIDE__OP_QUERY,  /* a pair of the query of a URL, or nothing without a value */
    BIDE__OP_IF,     /* place; false: to target */
    BIDE__OP_UNLESS, /* place; true: to target */
    BIDE__OP_OBJECT, /* place; its row into `reg` until the next POP; without one to target */
    BIDE__OP_POP,
    BIDE__OP_LOOP, /* place; its items into `reg`, until the NEXT before target */
    BIDE__OP_NEXT, /* to target with the next item */
    BIDE__OP_CALL, /* the unit at target */
    BIDE__OP_RETURN,
};

struct bide__template_op {
    uint8_t code, escape;
    uint16_t reg;
    uint32_t target;
    union {
        const char *text;
        const struct bide__place *place;
        const struct bide__query *query;
        size_t offset; /* of STR */
    };
    size_t length; /* of the literal */
};

struct bide__code {
    bide_arena arena;                    /* all of it */
    const struct bide__template_op *ops; /* the last one is RETURN */
    unsigned reg_count;                  /* 0 is the row, 1 the site's, if there is one */
    bool resolves;                       /* it names an async field */
    bool uses_site;
    unsigned users;                           /* of a version that may be replaced, with the lock */
    const struct bide__template_file **files; /* it was compiled from, `file_count` of them */
    const int64_t *stamps;                    /* theirs then */
    uint32_t file_count;
};

/* A template as it was read. */
struct bide__template_file {
    struct bide__template_file *next;
    const char *name;  /* "mail/code.txt" */
    const char *where; /* with the folder, for problems */
    bool on_disk;
    bool is_html;
    int64_t stamp;    /* of its last change */
    bide_arena arena; /* text and tokens */
    struct bide__slice text;
    struct bide__tokens tokens;
};

/* Compiles a template. 0 and code of one user, or -EINVAL after a problem, -ENOMEM. */
int bide__template_compile(bide_templates *templates, struct bide__template_file *file,
                           const bide_model *model, const bide_model *site,
                           struct bide__code **ret_code, struct bide__template_problem *problem);
void bide__code_free(struct bide__code *code);

/* store.c, with its lock: the file of a name, or NULL; and the nearest name for a problem. */
struct bide__template_file *bide__template_find(bide_templates *templates, const char *name);
const char *bide__template_nearest(bide_templates *templates, const char *name);

/* store.c: the code as it is now, for one use. NULL: a file that has changed has a problem. */
struct bide__code *bide__template_take(const bide_template *template,
                                       struct bide__template_problem *ret_problem);
void bide__template_give_back(const bide_template *template, struct bide__code *code);

/* store.c: whether it names a field of the second model; with `reload`: or may do so later. */
bool bide__template_uses_site(const bide_template *template);

/* ---- links ---- */

/* A piece of the path of a route: a literal, percent-encoded, or a parameter. */
struct bide__link_part {
    struct bide__slice text; /* the literal, or what the parameter is called in the pattern */
    const bide_field *field; /* of the parameter; NULL: of a literal, or nobody takes it */
    bool is_parameter;
    bool is_rest; /* of many segments */
};

/* A route, as its URLs are made. */
struct bide__link {
    const char *name;
    const struct bide__link_part *parts;
    const bide_field *const *queries;
    unsigned part_count, query_count;
};

/* Those of an application, and what stands before them. */
struct bide__links {
    const struct bide__link *all;
    size_t count;
    const char *root;   /* "/blog", or "" */
    const char *origin; /* "https://example.org", or NULL */
    /* Whether it is a path of this site; and whether something answers there: when that is not
       known yet it is kept and looked for later. */
    bool (*is_path)(const char *path);
    bool (*note_path)(void *app, const char *path, const char *where, unsigned line);
    void *app;
};

/* What {{@name}} means in these templates; looked into when one is compiled. */
void bide__templates_link(bide_templates *templates, const struct bide__links *links);
const struct bide__links *bide__template_links(const bide_templates *templates);

/* ---- rendering ---- */

/* The async fields of a rendering, found by field and row. */
struct bide__pendings {
    bide__pending_ptr *slots; /* `capacity` of them, a power of two, or NULL */
    size_t count, capacity;
};

/* Writes; or, with `collects`, only adds what is pending. */
int bide__code_run(const struct bide__code *code, const void *row, const void *site,
                   bide_arena *arena, struct bide__pendings *pendings, bool collects,
                   bide_buf *out);

#endif
