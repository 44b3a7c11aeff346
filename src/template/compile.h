/*
 * What compiling and the looking up of names share.
 */
#ifndef BIDE_TEMPLATE_COMPILE_H
#define BIDE_TEMPLATE_COMPILE_H

#include "template/html.h"

enum { BIDE__COMPILER_FILES = 256 };

/* What names mean at a place. */
struct bide__names {
    struct bide__place dot; /* {{.}}; of kind OBJ: the innermost model */
    unsigned count;
    uint8_t regs[BIDE_CAP_TEMPLATE_REGISTERS]; /* of the models around, the innermost first */
};

/* The blocks that a {{<parent}} tag brings, and those of the tags around it. */
struct bide__blocks {
    const struct bide__blocks *up;
    const struct bide__source *source; /* where the tag is */
    uint32_t index;                    /* of its token */
};

/* A text that is being compiled, and what included it. */
struct bide__source {
    struct bide__template_file *file;
    struct bide__tokens tokens;
    const struct bide__source *up;
    const struct bide__blocks *blocks;
};

/* A partial that includes itself, where it is called from. */
struct bide__unit {
    struct bide__template_file *file;
    struct bide__names scope;
    struct bide__html html;
    uint32_t start;
};

struct bide__compiler {
    bide_templates *templates;
    struct bide__template_problem *problem;
    struct bide__code *code;
    bide_arena scratch; /* until the end of the compilation */
    bool is_html;
    const char *ending; /* of the names of partials */
    struct bide__place root_dot;
    struct bide__html html;
    bide_buf literal; /* that is not an operation yet */
    struct bide__template_op *ops;
    uint32_t op_count, op_capacity;
    unsigned depth, steps;
    const bide_model *regs[BIDE_CAP_TEMPLATE_REGISTERS]; /* NULL: an item of a list */
    unsigned reg_count;
    struct bide__unit units[BIDE_CAP_TEMPLATE_UNITS];
    unsigned unit_count;
    struct bide__template_file *files[BIDE__COMPILER_FILES];
    uint32_t file_count;
};

int bide__compiler_refuse(struct bide__compiler *compiler, const struct bide__source *source,
                          const struct bide__token *token, const char *reason);

/* name.c: where the value of a name is. 0, -EINVAL after a problem, -ENOMEM. */
int bide__compiler_resolve(struct bide__compiler *compiler, const struct bide__source *source,
                           const struct bide__names *scope, const struct bide__token *token,
                           struct bide__place *ret_place);

/* compile.c: a value (`code`: VALUE or PART), a pair of a query as operations; both are copied. 0,
   -ENOMEM, or the error of the literals before. */
int bide__compiler_put(struct bide__compiler *compiler, enum bide__op_code code,
                       const struct bide__place *place, enum bide__escape escape);
int bide__compiler_put_query(struct bide__compiler *compiler, const struct bide__query *query);

/* link.c: {{@route ...}}. */
int bide__compiler_link(struct bide__compiler *compiler, const struct bide__source *source,
                        const struct bide__names *scope, const struct bide__token *token);

#endif
