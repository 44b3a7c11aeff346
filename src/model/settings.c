/*
 * Settings: the fields of a model from defaults, a file, the environment and a command line; see
 * bide/settings.h. Called by users and by bide_main; calls the readers of forms and of JSON for the
 * values, settings_file.c for the lines of the file, settings_print.c shows the result.
 *
 *     bide__settings_read -> read_model -> find (given, environment, file) -> read_value
 *                             `- obj without a variable of its own: read_model of the one inside
 */
#include "model/settings.h"

#include "base/caps.h"
#include "base/nearest.h"
#include "model/settings_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

extern char **environ;

enum { FILE_PIECE_BYTES = 4096 };

struct reader {
    bide_settings *settings;
    const struct bide_settings_options *options;
    const char *const *environment;
    struct bide__settings_line *lines;
};

/* A text for a field, and where it comes from. */
struct found {
    const char *text;   /* NULL: there is none */
    const char *source; /* for bide_settings_source */
    const char *where;  /* for problems */
};

/* The variables of a model's fields, and the fields' names from the outside. */
struct names {
    const char *variables; /* "APP_SMTP__" */
    const char *fields;    /* "smtp." */
};

__attribute__((__format__(__printf__, 2, 3))) static const char *text_of(struct reader *reader,
                                                                         const char *format, ...)
{
    va_list args;
    va_start(args, format);
    const char *text = bide_arena_vprintf(reader->settings->arena, format, args);
    va_end(args);
    if (!text)
        reader->settings->no_memory = true;
    return text ? text : "";
}

static void add_problem(struct reader *reader, const char *where, const char *message)
{
    bide_settings *settings = reader->settings;
    struct bide__settings_problem *problem = NULL;
    settings->problem_count++;
    if (settings->problem_count <= BIDE_CAP_PROBLEMS)
        problem = bide_arena_alloc(settings->arena, sizeof *problem);
    if (!problem)
        return;
    *problem = (struct bide__settings_problem){NULL, where, message};
    *settings->problems_end = problem;
    settings->problems_end = &problem->next;
}

/* ---- where values are ---- */

static const char *value_of(const char *entry, const char *variable, size_t length, bool any_case)
{
    int differs =
        any_case ? strncasecmp(entry, variable, length) : strncmp(entry, variable, length);
    return differs == 0 && entry[length] == '=' ? entry + length + 1 : NULL;
}

static const char *find_in_environment(const struct reader *reader, const char *variable)
{
    size_t length = strlen(variable);
    for (int any_case = 0; any_case < 2; any_case++)
        for (const char *const *entry = reader->environment; *entry; entry++) {
            const char *value = value_of(*entry, variable, length, any_case);
            if (value)
                return value;
        }
    return NULL;
}

static struct bide__settings_line *find_line(struct bide__settings_line *lines, const char *name)
{
    while (lines && (lines->wrong || strcasecmp(lines->name, name) != 0))
        lines = lines->next;
    return lines;
}

/* `field` is the name of one in the model itself, or NULL. */
static struct found find(struct reader *reader, const char *variable, const char *field)
{
    const struct bide_settings_options *options = reader->options;
    struct bide__settings_line *line = find_line(reader->lines, variable);
    if (line)
        line->used = true;
    for (size_t i = 0; field && i < options->given_count; i++) {
        const bide_setting *given = &options->given[i];
        if (strcmp(given->name, field) == 0) {
            const char *source = text_of(reader, "%s", given->source);
            return (struct found){given->value, source, source};
        }
    }
    const char *value = find_in_environment(reader, variable);
    if (value)
        return (struct found){value, text_of(reader, "environment %s", variable),
                              text_of(reader, "%s (environment)", variable)};
    if (line)
        return (struct found){line->value, text_of(reader, "%s:%d", options->file, line->number),
                              text_of(reader, "%s (%s:%d)", variable, options->file, line->number)};
    return (struct found){NULL, NULL, variable};
}

/* Whether a variable begins so. */
static bool has_parts(const struct reader *reader, const char *start)
{
    size_t length = strlen(start);
    bool found = false;
    for (const char *const *entry = reader->environment; *entry; entry++)
        found = found || strncasecmp(*entry, start, length) == 0;
    for (struct bide__settings_line *line = reader->lines; line; line = line->next)
        found = found || strncasecmp(line->name, start, length) == 0;
    return found;
}

/* ---- one value ---- */

/* The place of a problem inside of a value: ["setting","host",0] as "host.0". */
static const char *place_inside(struct reader *reader, const char *loc)
{
    const char *comma = strchr(loc, ',');
    char *text = comma ? bide_arena_strdup(reader->settings->arena, comma + 1) : NULL, *to = text;
    if (!text)
        return NULL;
    for (const char *from = text; *from; from++)
        if (!strchr("\"]", *from))
            *to++ = *from == ',' ? '.' : *from;
    *to = '\0';
    return text;
}

static void add_problems(struct reader *reader, const struct found *found,
                         const bide_problems *problems)
{
    for (const bide_problem *problem = problems->first; problem; problem = problem->next) {
        const char *inside = place_inside(reader, problem->loc);
        add_problem(reader, found->where,
                    inside ? text_of(reader, "%s: %s", inside, problem->msg) : problem->msg);
    }
    reader->settings->problem_count += problems->dropped;
}

/* Texts between commas, with the spaces around them dropped. */
static int read_items(const bide_input *input, const bide_field *field, const char *text,
                      struct bide__any_list *ret_list)
{
    struct bide__target item = {field->type->kind, field->type, NULL};
    struct bide__path here = {.index = 0};
    size_t count = *text != '\0';
    for (const char *at = text; *at; at++)
        count += *at == ',';
    bide__check_count(input, NULL, field, count);
    char *items = bide_arena_alloc_zero(input->arena, count, field->type->size);
    if (!items)
        return -ENOMEM;
    for (const char *at = text; here.index < count; here.index++) {
        const char *end = at + strcspn(at, ","), *next = end + 1;
        while (at < end && strchr(" \t", *at))
            at++;
        while (end > at && strchr(" \t", end[-1]))
            end--;
        int error = bide__text_read(input, &here, &item, at, (size_t)(end - at),
                                    items + here.index * field->type->size);
        if (error)
            return error;
        at = next;
    }
    *ret_list = (struct bide__any_list){items, count};
    return 0;
}

static int read_text(const bide_input *input, const bide_field *field, const char *text,
                     void *member)
{
    struct bide__target target = {field->kind, field->type, field};
    const char *start = text + strspn(text, " \t\r\n");
    if (field->kind == BIDE_KIND_OBJ || (field->kind == BIDE_KIND_LIST && *start == '['))
        return bide__json_read_value(input, &target, text, strlen(text), member);
    if (field->kind != BIDE_KIND_LIST)
        return bide__text_read(input, NULL, &target, text, strlen(text), member);
    struct bide__any_list list = {NULL, 0};
    int error = read_items(input, field, start, &list);
    memcpy(member, &list, sizeof list);
    return error;
}

/* Reads what was found into a member; whether it was assigned. */
static bool read_value(struct reader *reader, const struct found *found, const bide_field *field,
                       void *member)
{
    bide_problems problems;
    bide_problems_init(&problems, reader->settings->arena);
    bide_input input = {.arena = reader->settings->arena,
                        .problems = &problems,
                        .where = "setting",
                        .refuse_unknown = true};
    if (*found->text == '\0' && field->flags & BIDE_OPTIONAL)
        return false;
    if (read_text(&input, field, found->text, member) == -ENOMEM)
        reader->settings->no_memory = true;
    add_problems(reader, found, &problems);
    return bide_problems_count(&problems) == 0;
}

/* ---- models ---- */

static void add_setting(struct reader *reader, const struct names *names, const bide_field *field,
                        const char *variable, const char *source, const void *value)
{
    bide_settings *settings = reader->settings;
    struct bide__setting *setting = bide_arena_alloc(settings->arena, sizeof *setting);
    if (!setting) {
        settings->no_memory = true;
        return;
    }
    *setting = (struct bide__setting){
        NULL, text_of(reader, "%s%s", names->fields, field->name), variable, source, field, value};
    *settings->end = setting;
    settings->end = &setting->next;
}

/* Says that a value is needed, and what may be it under another name. */
static void add_missing(struct reader *reader, const char *variable)
{
    struct bide__nearest nearest = {.wanted = variable};
    for (const char *const *entry = reader->environment; *entry; entry++) {
        const char *end = strchr(*entry, '=');
        char *name =
            end ? bide_arena_strndup(reader->settings->arena, *entry, (size_t)(end - *entry))
                : NULL;
        if (name)
            bide__nearest_offer(&nearest, name);
    }
    if (nearest.best && reader->options->prefix)
        add_problem(reader, variable,
                    text_of(reader,
                            "required, and not set; the environment has %s: a typing error?",
                            nearest.best));
    else
        add_problem(reader, variable, "required, and not set");
}

static const char *variable_of(struct reader *reader, const struct names *names,
                               const bide_field *field)
{
    if (field->alias && !*names->fields)
        return field->alias;
    char *variable =
        bide_arena_printf(reader->settings->arena, "%s%s", names->variables, field->json_name);
    if (!variable) {
        reader->settings->no_memory = true;
        return "";
    }
    for (char *at = variable + strlen(names->variables); *at; at++)
        *at = *at >= 'a' && *at <= 'z' ? (char)(*at - 'a' + 'A') : *at;
    return variable;
}

static void read_model(struct reader *reader, const struct names *names, const bide_model *model,
                       void *row);

/* An object from a variable for each of its fields. Whether it is there. */
static bool read_parts(struct reader *reader, const struct names *names, const bide_field *field,
                       const char *variable, void *member)
{
    struct names inside = {text_of(reader, "%s__", variable),
                           text_of(reader, "%s%s.", names->fields, field->name)};
    if (field->flags & BIDE_OPTIONAL && !has_parts(reader, inside.variables)) {
        add_setting(reader, names, field, variable, "not set", NULL);
        return false;
    }
    read_model(reader, &inside, field->type->model(), member);
    return true;
}

static const char *default_of(struct reader *reader, const bide_field *field, const char *variable,
                              void *member)
{
    bide_problems problems;
    bide_problems_init(&problems, reader->settings->arena);
    bide_input input = {.arena = reader->settings->arena, .problems = &problems};
    if (field->flags & BIDE_DFLT) {
        if (bide__set_default(&input, NULL, field, member) < 0)
            reader->settings->no_memory = true;
        return "default";
    }
    if (!(field->flags & BIDE_OPTIONAL))
        add_missing(reader, variable);
    return "not set";
}

/* Whether the member was assigned from outside. */
static bool read_field(struct reader *reader, const struct names *names, const bide_field *field,
                       void *member)
{
    const char *variable = variable_of(reader, names, field);
    struct found found = find(reader, variable, *names->fields ? NULL : field->name);
    bool is_object = field->kind == BIDE_KIND_OBJ;
    if (!found.text && is_object)
        return read_parts(reader, names, field, variable, member);
    if (is_object && has_parts(reader, text_of(reader, "%s__", variable)))
        add_problem(reader, found.where, "set as a whole, and by variables for its parts too");
    bool assigned = found.text && read_value(reader, &found, field, member);
    if (!found.text)
        found.source = default_of(reader, field, variable, member);
    bool is_null = !assigned && !(field->flags & BIDE_DFLT && !found.text);
    add_setting(reader, names, field, variable, found.source, is_null ? NULL : member);
    return assigned;
}

static void read_model(struct reader *reader, const struct names *names, const bide_model *model,
                       void *row)
{
    uint64_t *set = bide__set_of(model, row);
    for (size_t i = 0; i < model->field_count; i++) {
        const bide_field *field = &model->fields[i];
        void *member = (char *)row + field->offset;
        if (!(model->readable >> i & 1)) {
            if (model->defaulted >> i & 1)
                default_of(reader, field, "", member);
        } else if (read_field(reader, names, field, member)) {
            *set |= UINT64_C(1) << i;
        }
    }
}

/* ---- the file ---- */

/* Appends a whole file. Returns 0, or a negative errno: the file's or the buffer's. */
static int append_file(bide_buf *buf, const char *path)
{
    int error = 0;
    ssize_t got = 1;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    while (error == 0 && got > 0) {
        char *room = bide_buf_reserve(buf, FILE_PIECE_BYTES);
        got = room ? read(fd, room, FILE_PIECE_BYTES) : 0;
        error = got < 0 ? -errno : bide_buf_error(buf);
        bide_buf_commit(buf, got > 0 ? (size_t)got : 0);
    }
    close(fd);
    return error;
}

/* The file's text, "" without one; NULL: no memory. What is wrong with it is a problem. */
static const char *load(struct reader *reader)
{
    const struct bide_settings_options *options = reader->options;
    bide_buf buf;
    bide_buf_init(&buf, BIDE_CAP_SETTINGS_FILE_BYTES + FILE_PIECE_BYTES);
    int error = append_file(&buf, options->file);
    const char *text = bide_arena_strdup(reader->settings->arena, bide_buf_str(&buf));
    if (error == -ENOENT && !options->need_file)
        error = 0;
    if (error)
        add_problem(reader, text_of(reader, "%s", options->file),
                    error == -EMSGSIZE ? "larger than 1 MiB"
                                       : text_of(reader, "cannot be read: %s", strerror(-error)));
    else if (text && strlen(text) != bide_buf_length(&buf))
        add_problem(reader, text_of(reader, "%s", options->file), "no text: a NUL is in it");
    bide_buf_done(&buf);
    return text;
}

static void read_file(struct reader *reader)
{
    if (!reader->options->file || !*reader->options->file)
        return;
    const char *text = load(reader);
    if (!text || bide__settings_lines(reader->settings->arena, text, &reader->lines) < 0)
        reader->settings->no_memory = true;
}

static void refuse_unknown(struct reader *reader, const char *name, const char *where)
{
    struct bide__nearest nearest = {.wanted = name};
    for (const struct bide__setting *setting = reader->settings->first; setting;
         setting = setting->next)
        bide__nearest_offer(&nearest, setting->variable);
    add_problem(reader, where,
                nearest.best ? text_of(reader, "no such setting; did you mean %s?", nearest.best)
                             : "no such setting");
}

static void check_unknown(struct reader *reader, const struct bide__settings_line *line,
                          const char *where)
{
    const char *prefix = reader->options->prefix ? reader->options->prefix : "";
    if (!reader->options->ignore_unknown && !line->used &&
        strncasecmp(line->name, prefix, strlen(prefix)) == 0)
        refuse_unknown(reader, line->name, where);
}

/* What no field has asked for. Where a name is twice, the later one is told. */
static void check_lines(struct reader *reader)
{
    for (const struct bide__settings_line *line = reader->lines; line; line = line->next) {
        const char *at = text_of(reader, "%s:%d", reader->options->file, line->number);
        if (line->wrong) {
            add_problem(reader, at, line->wrong);
            continue;
        }
        const char *where = text_of(reader, "%s (%s)", line->name, at);
        const struct bide__settings_line *earlier = find_line(reader->lines, line->name);
        if (earlier != line)
            add_problem(reader, where, text_of(reader, "line %d sets it too", earlier->number));
        else
            check_unknown(reader, line, where);
    }
}

static bool is_like(const char *name, const char *pattern)
{
    size_t length = strcspn(pattern, "*");
    return pattern[length] ? strncmp(name, pattern, length) == 0 : strcmp(name, pattern) == 0;
}

static bool is_known(const struct reader *reader, const char *name)
{
    const char *const *other = reader->options->others;
    const struct bide__setting *setting = reader->settings->first;
    while (other && *other && !is_like(name, *other))
        other++;
    while (setting && strcasecmp(setting->variable, name) != 0)
        setting = setting->next;
    return setting || (other && *other);
}

static void check_environment(struct reader *reader)
{
    const char *strict = reader->options->strict;
    for (const char *const *entry = reader->environment; strict && *entry; entry++) {
        if (strncasecmp(*entry, strict, strlen(strict)) != 0)
            continue;
        const char *name = text_of(reader, "%.*s", (int)strcspn(*entry, "="), *entry);
        if (!is_known(reader, name))
            refuse_unknown(reader, name, text_of(reader, "%s (environment)", name));
    }
}

/* ---- the whole ---- */

bide_settings *bide__settings_read(const bide_model *model,
                                   const struct bide_settings_options *options)
{
    bide_arena *arena = bide_arena_new(options->arena, BIDE_CAP_SETTINGS_BYTES);
    bide_settings *settings = arena ? bide_arena_alloc_zero(arena, 1, sizeof *settings) : NULL;
    if (!settings) {
        bide_arena_free(arena);
        return NULL;
    }
    settings->arena = arena;
    settings->model = model;
    settings->end = &settings->first;
    settings->problems_end = &settings->problems;
    struct reader reader = {settings, options, options->environment, NULL};
    if (!reader.environment)
        reader.environment = (const char *const *)environ;
    settings->row = bide_arena_alloc_zero(settings->arena, 1, model->size);
    if (!settings->row) {
        settings->no_memory = true;
    } else if (bide_model_check(model)) {
        add_problem(&reader, model->name, bide_model_check(model));
    } else {
        struct names names = {text_of(&reader, "%s", options->prefix ? options->prefix : ""), ""};
        read_file(&reader);
        read_model(&reader, &names, model, settings->row);
        check_lines(&reader);
        check_environment(&reader);
    }
    return settings;
}

const void *bide__settings_row(const bide_settings *settings, const char *model)
{
    if (bide_settings_problems(settings, NULL) > 0)
        return NULL;
    BIDE_ASSERT(strcmp(settings->model->name, model) == 0,
                "the settings are a `%s`, and are asked for as a `%s`", settings->model->name,
                model);
    return settings->row;
}

void bide_settings_free(bide_settings *settings)
{
    if (settings)
        bide_arena_free(settings->arena);
}
