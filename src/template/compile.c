/*
 * Tokens into operations, for one model. What a template includes is compiled in line; what
 * includes itself becomes a unit, which is called. Called by store.c; calls parse.c for texts that
 * are indented, name.c for names, html.c for places in HTML.
 *
 * Invariants
 *  1. The literals of all that is in line go through the state of HTML in the order in which they
 *     are written, so a partial or a block need not end where it began. A section that may be left
 *     out or repeated, and a unit, must.
 */
#include "template/compile.h"

#include "base/mem.h"

#include <errno.h>
#include <string.h>

static int compile(struct bide__compiler *compiler, const struct bide__source *source,
                   const struct bide__names *scope, uint32_t first, uint32_t last);

int bide__compiler_refuse(struct bide__compiler *compiler, const struct bide__source *source,
                          const struct bide__token *token, const char *reason)
{
    return bide__template_refuse(compiler->problem, source->file->where, token->line, "%s", reason);
}

static int add(struct bide__compiler *compiler, struct bide__template_op op)
{
    if (compiler->op_count == compiler->op_capacity) {
        uint32_t capacity = compiler->op_capacity ? compiler->op_capacity * 2 : 64;
        struct bide__template_op *grown = bide__realloc(compiler->ops, capacity * sizeof *grown);
        if (!grown)
            return -ENOMEM;
        compiler->ops = grown;
        compiler->op_capacity = capacity;
    }
    compiler->ops[compiler->op_count++] = op;
    return 0;
}

/* The literals so far as an operation. */
static int flush(struct bide__compiler *compiler)
{
    size_t length = bide_buf_length(&compiler->literal);
    if (bide_buf_error(&compiler->literal))
        return bide_buf_error(&compiler->literal);
    if (length == 0)
        return 0;
    char *text = bide_arena_copy(&compiler->code->arena, bide_buf_str(&compiler->literal), length);
    bide_buf_reset(&compiler->literal);
    if (!text)
        return -ENOMEM;
    return add(compiler,
               (struct bide__template_op){.code = BIDE__OP_TEXT, .text = text, .length = length});
}

static int emit(struct bide__compiler *compiler, struct bide__template_op op)
{
    int result = flush(compiler);
    return result < 0 ? result : add(compiler, op);
}

static int emit_place(struct bide__compiler *compiler, enum bide__op_code code, unsigned reg,
                      const struct bide__place *place)
{
    const struct bide__place *kept = bide_arena_copy(&compiler->code->arena, place, sizeof *place);
    if (!kept)
        return -ENOMEM;
    return emit(compiler, (struct bide__template_op){
                              .code = (uint8_t)code, .reg = (uint16_t)reg, .place = kept});
}

int bide__compiler_put(struct bide__compiler *compiler, enum bide__op_code code,
                       const struct bide__place *place, enum bide__escape escape)
{
    int result = emit_place(compiler, code, 0, place);
    if (result == 0)
        compiler->ops[compiler->op_count - 1].escape = (uint8_t)escape;
    return result;
}

int bide__compiler_put_query(struct bide__compiler *compiler, const struct bide__query *query)
{
    const struct bide__query *kept = bide_arena_copy(&compiler->code->arena, query, sizeof *query);
    return kept ? emit(compiler, (struct bide__template_op){.code = BIDE__OP_QUERY, .query = kept})
                : -ENOMEM;
}

static int add_literal(struct bide__compiler *compiler, const struct bide__source *source,
                       const struct bide__token *token)
{
    size_t stop = 0;
    if (compiler->is_html) {
        const char *reason = bide__html_literal(&compiler->html, token->text, &stop);
        if (reason) {
            struct bide__token at = *token;
            for (size_t i = 0; i < stop; i++)
                at.line += token->text.bytes[i] == '\n';
            return bide__compiler_refuse(compiler, source, &at, reason);
        }
    }
    bide_buf_append(&compiler->literal, token->text.bytes, token->text.length);
    return 0;
}

/* ---- values ---- */

static bool is_word(enum bide_kind kind)
{
    return kind == BIDE_KIND_I32 || kind == BIDE_KIND_I64 || kind == BIDE_KIND_F64 ||
           kind == BIDE_KIND_DECIMAL || kind == BIDE_KIND_BOOL || kind == BIDE_KIND_ENUM;
}

static int add_value(struct bide__compiler *compiler, const struct bide__source *source,
                     const struct bide__names *scope, const struct bide__token *token)
{
    struct bide__place place;
    enum bide__escape escape = BIDE__ESCAPE_NONE;
    bool is_raw = token->kind == BIDE__TOKEN_RAW;
    int result = bide__compiler_resolve(compiler, source, scope, token, &place);
    if (result < 0)
        return result;
    if (place.aspect == BIDE__ASPECT_VALUE &&
        (place.kind == BIDE_KIND_LIST || place.kind == BIDE_KIND_OBJ))
        return bide__template_refuse(
            compiler->problem, source->file->where, token->line, "`%.*s` is a %s: %s",
            (int)token->text.length, token->text.bytes,
            place.kind == BIDE_KIND_LIST ? "list" : "model",
            place.kind == BIDE_KIND_LIST ? "write its items in a section, or its `.count`"
                                         : "write one of its fields");
    if (compiler->is_html) {
        if (is_raw && place.type != bide__info_html_safe())
            return bide__template_refuse(
                compiler->problem, source->file->where, token->line,
                "`%.*s` is a `%s` and cannot be written raw: write {{%.*s}}, or make it an "
                "`html_safe`",
                (int)token->text.length, token->text.bytes, place.type->name,
                (int)token->text.length, token->text.bytes);
        const char *reason =
            bide__html_value(&compiler->html, is_raw,
                             place.aspect != BIDE__ASPECT_VALUE || is_word(place.kind), &escape);
        if (reason)
            return bide__compiler_refuse(compiler, source, token, reason);
    }
    bool is_plain = place.kind == BIDE_KIND_STR && place.field && !place.hop_count &&
                    !place.model->partial && !(place.field->flags & BIDE_COMPUTED);
    if (is_plain && escape == BIDE__ESCAPE_HTML)
        return emit(compiler,
                    (struct bide__template_op){.code = BIDE__OP_STR,
                                               .reg = (uint16_t)place.reg,
                                               .offset = place.offset + place.field->offset});
    return bide__compiler_put(compiler, BIDE__OP_VALUE, &place, escape);
}

/* ---- sections ---- */

static void enter(struct bide__names *scope, const struct bide__names *outer, unsigned reg)
{
    scope->count = 0;
    scope->regs[scope->count++] = (uint8_t)reg;
    for (unsigned i = 0; i < outer->count; i++)
        if (outer->regs[i] != reg)
            scope->regs[scope->count++] = outer->regs[i];
}

/* The register of a model, or a new one; of an item without a model always a new one. */
static int find_register(struct bide__compiler *compiler, const struct bide__source *source,
                         const struct bide__token *token, const bide_model *model,
                         unsigned *ret_reg)
{
    unsigned reg = 0;
    while (reg < compiler->reg_count &&
           !(model && compiler->regs[reg] && strcmp(compiler->regs[reg]->name, model->name) == 0 &&
             compiler->regs[reg]->size == model->size))
        reg++;
    if (reg == BIDE_CAP_TEMPLATE_REGISTERS)
        return bide__compiler_refuse(compiler, source, token,
                                     "the template goes into too many models and lists");
    if (reg == compiler->reg_count)
        compiler->regs[compiler->reg_count++] = model;
    *ret_reg = reg;
    return 0;
}

/* The body of a section, between an operation that is there and one that ends it. */
static int compile_body(struct bide__compiler *compiler, const struct bide__source *source,
                        const struct bide__names *scope, uint32_t opener, bool repeats)
{
    const struct bide__token *tokens = source->tokens.all;
    uint32_t first = opener + 1, last = tokens[opener].partner, start = compiler->op_count;
    struct bide__html before = compiler->html, body_start = before;
    for (bool again = false;; again = true) {
        int result = compile(compiler, source, scope, first, last);
        if (result == 0)
            result = flush(compiler);
        if (result < 0 || !compiler->is_html)
            return result;
        bide__html_cut(&compiler->html);
        const char *reason = bide__html_join(&compiler->html, &before);
        if (reason)
            return bide__compiler_refuse(compiler, source, &tokens[last], reason);
        if (!repeats || bide__html_equal(&compiler->html, &body_start))
            return 0;
        if (again)
            return bide__compiler_refuse(compiler, source, &tokens[last],
                                         "the section ends in another place of the tag each time");
        /* The second item begins where the first one ended. */
        body_start = compiler->html;
        compiler->op_count = start;
    }
}

static int add_section(struct bide__compiler *compiler, const struct bide__source *source,
                       const struct bide__names *scope, uint32_t index)
{
    const struct bide__token *token = &source->tokens.all[index];
    struct bide__names inner = *scope;
    struct bide__place place;
    unsigned reg = 0;
    enum bide__op_code code = BIDE__OP_IF;
    int result = bide__compiler_resolve(compiler, source, scope, token, &place);
    if (result < 0)
        return result;
    bool is_list = place.kind == BIDE_KIND_LIST && place.aspect == BIDE__ASPECT_VALUE;
    bool is_model =
        place.type && place.type->kind == BIDE_KIND_OBJ && place.aspect == BIDE__ASPECT_VALUE;
    bool is_in = is_list || is_model;
    if (token->kind == BIDE__TOKEN_INVERTED) {
        code = BIDE__OP_UNLESS;
        is_in = false;
    } else if (is_in) {
        code = is_list ? BIDE__OP_LOOP : BIDE__OP_OBJECT;
        result =
            find_register(compiler, source, token, is_model ? place.type->model() : NULL, &reg);
        inner.dot = (struct bide__place){.reg = reg, .kind = place.type->kind, .type = place.type};
        if (is_model)
            enter(&inner, scope, reg);
    } else {
        inner.dot = place;
    }
    if (result == 0 && compiler->is_html)
        bide__html_cut(&compiler->html);
    if (result == 0)
        result = emit_place(compiler, code, reg, &place);
    uint32_t opener = compiler->op_count - 1;
    if (result == 0)
        result = compile_body(compiler, source, &inner, index, is_list && code == BIDE__OP_LOOP);
    if (result == 0 && is_in)
        result =
            add(compiler, (struct bide__template_op){.code = is_list ? BIDE__OP_NEXT : BIDE__OP_POP,
                                                     .reg = (uint16_t)reg,
                                                     .target = opener + 1});
    if (result == 0)
        compiler->ops[opener].target = compiler->op_count;
    return result;
}

/* ---- what is included ---- */

static bool is_open(const struct bide__source *source, const struct bide__template_file *file)
{
    for (; source; source = source->up)
        if (source->file == file)
            return true;
    return false;
}

static bool scope_equal(const struct bide__names *a, const struct bide__names *b)
{
    return a->count == b->count && memcmp(a->regs, b->regs, a->count) == 0;
}

/* A partial that is open already: it is called. */
static int add_call(struct bide__compiler *compiler, const struct bide__source *source,
                    const struct bide__names *scope, const struct bide__token *token,
                    struct bide__template_file *file)
{
    unsigned index = 0;
    if (compiler->is_html)
        bide__html_cut(&compiler->html);
    while (index < compiler->unit_count &&
           !(compiler->units[index].file == file &&
             scope_equal(&compiler->units[index].scope, scope) &&
             bide__html_equal(&compiler->units[index].html, &compiler->html)))
        index++;
    if (index == BIDE_CAP_TEMPLATE_UNITS)
        return bide__compiler_refuse(compiler, source, token,
                                     "too many partials that include themselves");
    if (index == compiler->unit_count) {
        struct bide__unit *unit = &compiler->units[compiler->unit_count++];
        *unit = (struct bide__unit){file, *scope, compiler->html, 0};
        unit->scope.dot = compiler->root_dot; /* who calls it may have another one */
    }
    return emit(compiler, (struct bide__template_op){.code = BIDE__OP_CALL, .target = index});
}

static int note_file(struct bide__compiler *compiler, struct bide__template_file *file)
{
    for (uint32_t i = 0; i < compiler->file_count; i++)
        if (compiler->files[i] == file)
            return 0;
    if (compiler->file_count == BIDE__COMPILER_FILES)
        return -EINVAL;
    compiler->files[compiler->file_count++] = file;
    return 0;
}

static int find_file(struct bide__compiler *compiler, const struct bide__source *source,
                     const struct bide__token *token, struct bide__template_file **ret_file)
{
    if (*token->text.bytes == '*')
        return bide__compiler_refuse(compiler, source, token,
                                     "names are not computed in templates");
    const char *slash = memrchr(token->text.bytes, '/', token->text.length);
    struct bide__slice last =
        bide__slice_from(token->text, slash ? (size_t)(slash - token->text.bytes) + 1 : 0);
    const char *ending = memchr(last.bytes, '.', last.length) ? "" : compiler->ending;
    const char *name = bide_arena_printf(&compiler->scratch, "%.*s%s", (int)token->text.length,
                                         token->text.bytes, ending);
    if (!name)
        return -ENOMEM;
    *ret_file = bide__template_find(compiler->templates, name);
    if (!*ret_file) {
        const char *nearest = bide__template_nearest(compiler->templates, name);
        return bide__template_refuse(
            compiler->problem, source->file->where, token->line, "there is no template `%s`%s%s%s",
            name, nearest ? ": did you mean `" : "", nearest ? nearest : "", nearest ? "`?" : "");
    }
    if (note_file(compiler, *ret_file) < 0)
        return bide__compiler_refuse(compiler, source, token, "it includes too many templates");
    return 0;
}

/* The tokens of a file, each line of it with an indentation. */
static int tokens_of(struct bide__compiler *compiler, struct bide__template_file *file,
                     struct bide__slice indentation, struct bide__tokens *ret_tokens)
{
    struct bide__slice text = file->text;
    *ret_tokens = file->tokens;
    if (indentation.length == 0)
        return 0;
    text.bytes = bide__template_indent(&compiler->scratch, text, indentation, &text.length);
    if (!text.bytes)
        return -ENOMEM;
    return bide__template_parse(&compiler->scratch, file->where, text, ret_tokens,
                                compiler->problem);
}

static int include(struct bide__compiler *compiler, const struct bide__source *source,
                   const struct bide__names *scope, uint32_t index)
{
    const struct bide__token *token = &source->tokens.all[index];
    struct bide__template_file *file = NULL;
    int result = find_file(compiler, source, token, &file);
    if (result < 0)
        return result;
    struct bide__source inner = {.file = file, .up = source, .blocks = source->blocks};
    struct bide__blocks blocks = {source->blocks, source, index};
    if (token->kind == BIDE__TOKEN_PARENT)
        inner.blocks = &blocks;
    else if (is_open(source, file))
        return add_call(compiler, source, scope, token, file);
    result = tokens_of(compiler, file, token->indentation, &inner.tokens);
    return result < 0 ? result : compile(compiler, &inner, scope, 0, inner.tokens.count);
}

/* The outermost text for a block: its source and the index of its token. */
static bool find_override(const struct bide__source *source, struct bide__slice name,
                          const struct bide__source **ret_source, uint32_t *ret_index)
{
    bool found = false;
    for (const struct bide__blocks *blocks = source->blocks; blocks; blocks = blocks->up) {
        const struct bide__token *tokens = blocks->source->tokens.all;
        uint32_t last = tokens[blocks->index].partner;
        for (uint32_t i = blocks->index + 1; i < last; i++) {
            if (tokens[i].kind == BIDE__TOKEN_BLOCK && bide__slice_equal(tokens[i].text, name)) {
                *ret_source = blocks->source;
                *ret_index = i;
                found = true;
            }
            if (tokens[i].partner)
                i = tokens[i].partner;
        }
    }
    return found;
}

static int add_block(struct bide__compiler *compiler, const struct bide__source *source,
                     const struct bide__names *scope, uint32_t index)
{
    const struct bide__source *from = source;
    uint32_t at = index;
    struct bide__source inner = *source;
    if (find_override(source, source->tokens.all[index].text, &from, &at)) {
        inner = *from;
        inner.up = source;
        inner.blocks = source->blocks;
    }
    return compile(compiler, &inner, scope, at + 1, inner.tokens.all[at].partner);
}

/* ---- all of it ---- */

static int compile_token(struct bide__compiler *compiler, const struct bide__source *source,
                         const struct bide__names *scope, uint32_t index)
{
    const struct bide__token *token = &source->tokens.all[index];
    if (++compiler->steps > BIDE_CAP_TEMPLATE_OPS)
        return bide__compiler_refuse(compiler, source, token,
                                     "the template is too large with all that it includes");
    switch (token->kind) {
    case BIDE__TOKEN_TEXT:
        return add_literal(compiler, source, token);
    case BIDE__TOKEN_VALUE:
    case BIDE__TOKEN_RAW:
        return add_value(compiler, source, scope, token);
    case BIDE__TOKEN_LINK:
        return bide__compiler_link(compiler, source, scope, token);
    case BIDE__TOKEN_SECTION:
    case BIDE__TOKEN_INVERTED:
        return add_section(compiler, source, scope, index);
    case BIDE__TOKEN_PARTIAL:
    case BIDE__TOKEN_PARENT:
        return include(compiler, source, scope, index);
    case BIDE__TOKEN_BLOCK:
        return add_block(compiler, source, scope, index);
    default:
        return 0;
    }
}

static int compile(struct bide__compiler *compiler, const struct bide__source *source,
                   const struct bide__names *scope, uint32_t first, uint32_t last)
{
    int result = 0;
    if (compiler->depth == BIDE_CAP_TEMPLATE_DEPTH)
        return bide__template_refuse(
            compiler->problem, source->file->where,
            first < source->tokens.count ? source->tokens.all[first].line : 1,
            "more than %d sections and templates inside each other", BIDE_CAP_TEMPLATE_DEPTH);
    compiler->depth++;
    for (uint32_t i = first; i < last && result == 0; i++) {
        result = compile_token(compiler, source, scope, i);
        if (source->tokens.all[i].partner)
            i = source->tokens.all[i].partner;
    }
    compiler->depth--;
    return result;
}

/* A whole template, up to its RETURN. */
static int compile_whole(struct bide__compiler *compiler, struct bide__template_file *file,
                         const struct bide__names *scope)
{
    struct bide__html before = compiler->html;
    struct bide__source source = {.file = file, .tokens = file->tokens};
    struct bide__token end = {.line = 1};
    int result = compile(compiler, &source, scope, 0, file->tokens.count);
    for (size_t i = 0; i < file->text.length; i++)
        end.line += file->text.bytes[i] == '\n';
    if (result == 0 && compiler->is_html) {
        bide__html_cut(&compiler->html);
        if (!bide__html_equal(&compiler->html, &before))
            result = bide__compiler_refuse(compiler, &source, &end,
                                           "the template ends inside of a tag or a comment");
    }
    return result < 0 ? result
                      : emit(compiler, (struct bide__template_op){.code = BIDE__OP_RETURN});
}

static int compile_all(struct bide__compiler *compiler, struct bide__template_file *file,
                       const bide_model *model, const bide_model *site)
{
    struct bide__names scope = {.dot = {.kind = BIDE_KIND_OBJ, .type = model->type_of()}};
    compiler->root_dot = scope.dot;
    compiler->regs[0] = model;
    compiler->regs[1] = site;
    compiler->reg_count = 2;
    scope.regs[scope.count++] = 0;
    if (site)
        scope.regs[scope.count++] = 1;
    int result = note_file(compiler, file);
    if (result == 0)
        result = compile_whole(compiler, file, &scope);
    for (unsigned i = 0; i < compiler->unit_count && result == 0; i++) {
        struct bide__unit *unit = &compiler->units[i];
        unit->start = compiler->op_count;
        compiler->html = unit->html;
        result = compile_whole(compiler, unit->file, &unit->scope);
    }
    for (uint32_t i = 0; i < compiler->op_count; i++)
        if (compiler->ops[i].code == BIDE__OP_CALL)
            compiler->ops[i].target = compiler->units[compiler->ops[i].target].start;
    return result;
}

/* What is kept of a compilation. */
static int finish(struct bide__compiler *compiler)
{
    struct bide__code *code = compiler->code;
    size_t files = compiler->file_count;
    int64_t *stamps = bide_arena_alloc_zero(&code->arena, files, sizeof *stamps);
    code->ops =
        bide_arena_copy(&code->arena, compiler->ops, compiler->op_count * sizeof *compiler->ops);
    code->files = bide_arena_copy(&code->arena, compiler->files, files * sizeof *compiler->files);
    if (!stamps || !code->ops || !code->files)
        return -ENOMEM;
    for (size_t i = 0; i < files; i++)
        stamps[i] = compiler->files[i]->stamp;
    code->stamps = stamps;
    code->file_count = compiler->file_count;
    code->reg_count = compiler->reg_count;
    code->users = 1;
    return 0;
}

int bide__template_compile(bide_templates *templates, struct bide__template_file *file,
                           const bide_model *model, const bide_model *site,
                           struct bide__code **ret_code, struct bide__template_problem *problem)
{
    struct bide__compiler *compiler = bide__calloc(1, sizeof *compiler);
    struct bide__code *code = bide__calloc(1, sizeof *code);
    if (!compiler || !code) {
        bide__free(compiler);
        bide__free(code);
        return -ENOMEM;
    }
    bide_arena_init(&code->arena, NULL, BIDE_CAP_TEMPLATE_CODE_BYTES);
    bide_arena_init(&compiler->scratch, NULL, BIDE_CAP_TEMPLATE_CODE_BYTES);
    bide_buf_init(&compiler->literal, BIDE_CAP_TEMPLATE_CODE_BYTES);
    compiler->templates = templates;
    compiler->problem = problem;
    compiler->code = code;
    compiler->is_html = file->is_html;
    compiler->ending = strrchr(file->name, '.') ? strrchr(file->name, '.') : "";
    int result = compile_all(compiler, file, model, site);
    if (result == 0)
        result = finish(compiler);
    bide_buf_done(&compiler->literal);
    bide_arena_done(&compiler->scratch);
    bide__free(compiler->ops);
    bide__free(compiler);
    if (result < 0)
        bide__code_free(code);
    else
        *ret_code = code;
    return result;
}

void bide__code_free(struct bide__code *code)
{
    if (!code)
        return;
    bide_arena_done(&code->arena);
    bide__free(code);
}
