/*
 * The templates of a program: files, what was compiled of them, and reading them again when they
 * change. Called by users, the web layer and compile.c; calls parse.c, compile.c, render.c.
 *
 *     file (text, tokens) <- name --- template (name, model, site) -> code
 *
 * Invariants
 *  1. One lock covers files, templates and problems. Without `reload` a template's code never
 *     changes: it is read without the lock.
 *  2. With `reload` a code lives until its template has another one and its last user is done.
 */
#include "template/template.h"

#include "base/mem.h"
#include "base/nearest.h"
#include "base/utf8.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

struct bide_template {
    bide_template *next;
    bide_templates *templates;
    struct bide__template_file *file;
    const bide_model *model, *site;
    struct bide__code *code;
};

struct bide_templates {
    pthread_mutex_t lock;
    bide_arena arena; /* names */
    const char *folder;
    bool reload;
    struct bide__template_file *files;
    uint32_t file_count;
    bide_template *all;
    const struct bide__links *links;       /* or NULL */
    struct bide__template_problem problem; /* what bide_templates_problem gives */
};

void bide__templates_link(bide_templates *templates, const struct bide__links *links)
{
    templates->links = links;
}

const struct bide__links *bide__template_links(const bide_templates *templates)
{
    return templates->links;
}

static int refuse(bide_templates *templates, const char *where, const char *what)
{
    if (!templates->problem.is_set) {
        snprintf(templates->problem.text, sizeof templates->problem.text, "%.200s: %.300s", where,
                 what);
        templates->problem.is_set = true;
    }
    return -EINVAL;
}

/* ---- files ---- */

enum { NOT_READ = -1 }; /* in place of a stamp */

static int64_t stamp_of(const struct stat *status)
{
    return (int64_t)status->st_mtim.tv_sec * 1000000000 + status->st_mtim.tv_nsec +
           (int64_t)status->st_size; /* two writings within a tick of the clock */
}

static bool ends_with(const char *name, const char *ending)
{
    size_t length = strlen(name), ending_length = strlen(ending);
    return length > ending_length && strcmp(name + length - ending_length, ending) == 0;
}

/* Parses the text of a file, which is in its arena. */
static int parse(struct bide__template_file *file, struct bide__template_problem *problem)
{
    size_t valid = bide__utf8_prefix(file->text.bytes, file->text.length);
    unsigned line = 1;
    for (size_t i = 0; i < valid; i++)
        line += file->text.bytes[i] == '\n';
    file->tokens = (struct bide__tokens){NULL, 0};
    if (valid < file->text.length)
        return bide__template_refuse(problem, file->where, line, "the file is not UTF-8");
    if (memchr(file->text.bytes, '\0', file->text.length))
        return bide__template_refuse(problem, file->where, 1, "the file has a byte of zero");
    return bide__template_parse(&file->arena, file->where, file->text, &file->tokens, problem);
}

static ssize_t read_all(int fd, char *to, size_t size)
{
    size_t length = 0;
    while (length < size) {
        ssize_t got = read(fd, to + length, size - length);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return -errno;
        if (got == 0)
            break;
        length += (size_t)got;
    }
    return (ssize_t)length;
}

/* Reads a file into its arena, whatever was there before. */
static int read_file(struct bide__template_file *file, struct bide__template_problem *problem)
{
    struct stat status;
    int fd = open(file->where, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0 || fstat(fd, &status) < 0 || !S_ISREG(status.st_mode)) {
        int error = fd < 0 ? errno : EISDIR;
        if (fd >= 0)
            close(fd);
        return bide__template_refuse(problem, file->where, 1, "it cannot be read: %s",
                                     strerror(error));
    }
    size_t room = (size_t)status.st_size + 1; /* a file that grows meanwhile is seen */
    if (status.st_size > BIDE_CAP_TEMPLATE_BYTES) {
        close(fd);
        return bide__template_refuse(problem, file->where, 1, "it is larger than %d bytes",
                                     BIDE_CAP_TEMPLATE_BYTES);
    }
    bide_arena_reset(&file->arena);
    file->text = bide__slice("", 0);
    char *text = bide_arena_alloc(&file->arena, room);
    ssize_t length = text ? read_all(fd, text, room) : -ENOMEM;
    close(fd);
    if (length < 0)
        return bide__template_refuse(problem, file->where, 1, "it cannot be read: %s",
                                     strerror((int)-length));
    file->text = bide__slice(text, (size_t)length);
    file->stamp = stamp_of(&status);
    return parse(file, problem);
}

/* The same; what fails is read again when it is needed the next time. */
static int load(struct bide__template_file *file, struct bide__template_problem *problem)
{
    int result = read_file(file, problem);
    if (result < 0)
        file->stamp = NOT_READ;
    return result;
}

static struct bide__template_file *find(const bide_templates *templates, const char *name)
{
    struct bide__template_file *file = templates->files;
    while (file && strcmp(file->name, name) != 0)
        file = file->next;
    return file;
}

/* A new file without a text. */
static int add_file(bide_templates *templates, const char *name, const char *where,
                    struct bide__template_file **ret_file)
{
    if (templates->file_count == BIDE_CAP_TEMPLATE_FILES)
        return refuse(templates, where, "there are too many templates");
    struct bide__template_file *file = bide__calloc(1, sizeof *file);
    if (!file)
        return -ENOMEM;
    bide_arena_init(&file->arena, NULL, BIDE_CAP_TEMPLATE_CODE_BYTES);
    file->name = bide_arena_strdup(&templates->arena, name);
    file->where = bide_arena_strdup(&templates->arena, where);
    file->is_html = ends_with(name, ".html");
    if (!file->name || !file->where) {
        bide__free(file);
        return -ENOMEM;
    }
    file->next = templates->files;
    templates->files = file;
    templates->file_count++;
    *ret_file = file;
    return 0;
}

/* Adds and reads a file of the folder. */
static int add_from_disk(bide_templates *templates, const char *name,
                         struct bide__template_file **ret_file)
{
    const char *where = bide_arena_printf(&templates->arena, "%s/%s", templates->folder, name);
    int result = where ? add_file(templates, name, where, ret_file) : -ENOMEM;
    if (result < 0)
        return result;
    (*ret_file)->on_disk = true;
    return load(*ret_file, &templates->problem);
}

static int read_folder(bide_templates *templates, const char *below, unsigned depth);

/* An entry of a folder: a template, a folder of them, or neither. */
static int read_entry(bide_templates *templates, const char *below, const char *entry,
                      unsigned depth)
{
    struct bide__template_file *file;
    struct stat status;
    const char *name =
        bide_arena_printf(&templates->arena, "%s%s%s", below, *below ? "/" : "", entry);
    const char *where =
        name ? bide_arena_printf(&templates->arena, "%s/%s", templates->folder, name) : NULL;
    if (!where)
        return -ENOMEM;
    if (*entry == '.' || stat(where, &status) < 0)
        return 0; /* hidden, or gone meanwhile */
    if (S_ISDIR(status.st_mode))
        return read_folder(templates, name, depth + 1);
    if (!S_ISREG(status.st_mode) || !(ends_with(entry, ".html") || ends_with(entry, ".txt")))
        return 0;
    return add_from_disk(templates, name, &file);
}

static int read_folder(bide_templates *templates, const char *below, unsigned depth)
{
    const char *where = bide_arena_printf(&templates->arena, "%s/%s", templates->folder, below);
    int result = 0;
    if (!where)
        return -ENOMEM;
    if (depth > BIDE_CAP_TEMPLATE_FOLDERS)
        return refuse(templates, where, "too many folders inside each other");
    DIR *folder = opendir(where);
    if (!folder)
        return refuse(templates, where, strerror(errno));
    for (const struct dirent *entry; result == 0 && (entry = readdir(folder));)
        result = read_entry(templates, below, entry->d_name, depth);
    closedir(folder);
    return result;
}

bide_templates *bide_templates_open(const char *folder,
                                    const struct bide_templates_options *options)
{
    bide_templates *templates = bide__calloc(1, sizeof *templates);
    if (!templates)
        return NULL;
    pthread_mutex_init(&templates->lock, NULL);
    bide_arena_init(&templates->arena, NULL, BIDE_CAP_TEMPLATE_CODE_BYTES);
    templates->reload = options && options->reload;
    int result = 0;
    if (folder) {
        templates->folder = bide_arena_strdup(&templates->arena, folder);
        result = templates->folder ? read_folder(templates, "", 0) : -ENOMEM;
    }
    if (result == -ENOMEM) {
        bide_templates_close(templates);
        return NULL;
    }
    return templates;
}

void bide_templates_close(bide_templates *templates)
{
    if (!templates)
        return;
    for (bide_template *template = templates->all, *next; template; template = next) {
        next = template->next;
        bide__code_free(template->code);
        bide__free(template);
    }
    for (struct bide__template_file *file = templates->files, *next; file; file = next) {
        next = file->next;
        bide_arena_done(&file->arena);
        bide__free(file);
    }
    bide_arena_done(&templates->arena);
    pthread_mutex_destroy(&templates->lock);
    bide__free(templates);
}

int bide_templates_add(bide_templates *templates, const char *name, const char *text)
{
    struct bide__template_file *file;
    pthread_mutex_lock(&templates->lock);
    int result = find(templates, name) ? refuse(templates, name, "there is such a template already")
                 : strlen(text) > BIDE_CAP_TEMPLATE_BYTES
                     ? refuse(templates, name, "it is too large")
                     : add_file(templates, name, name, &file);
    if (result == 0) {
        const char *copy = bide_arena_strdup(&file->arena, text);
        file->text = bide__slice(copy ? copy : "", copy ? strlen(copy) : 0);
        result = copy ? parse(file, &templates->problem) : -ENOMEM;
    }
    if (result == -ENOMEM) /* who does not look is told when it is compiled */
        refuse(templates, name, "out of memory");
    pthread_mutex_unlock(&templates->lock);
    return result;
}

const char *bide_templates_problem(const bide_templates *templates)
{
    return templates->problem.is_set ? templates->problem.text : NULL;
}

/* A name that stays below the folder. */
static bool is_below(const char *name)
{
    return *name != '/' && strcmp(name, "..") != 0 && strncmp(name, "../", 3) != 0 &&
           !strstr(name, "/../") && !ends_with(name, "/..");
}

struct bide__template_file *bide__template_find(bide_templates *templates, const char *name)
{
    struct bide__template_file *file = find(templates, name);
    struct stat status;
    if (file && file->stamp == NOT_READ && load(file, &templates->problem) < 0)
        return NULL;
    if (file || !templates->reload || !templates->folder || !is_below(name))
        return file;
    const char *where = bide_arena_printf(&templates->arena, "%s/%s", templates->folder, name);
    if (!where || stat(where, &status) < 0 || add_from_disk(templates, name, &file) < 0)
        return NULL;
    return file;
}

const char *bide__template_nearest(bide_templates *templates, const char *name)
{
    struct bide__nearest nearest = {.wanted = name};
    for (const struct bide__template_file *file = templates->files; file; file = file->next)
        bide__nearest_offer(&nearest, file->name);
    return nearest.best;
}

/* ---- templates ---- */

static bool is_model(const bide_model *a, const bide_model *b)
{
    return a == b || (a && b && a->size == b->size && a->field_count == b->field_count &&
                      strcmp(a->name, b->name) == 0);
}

static bide_template *find_template(const bide_templates *templates, const char *name,
                                    const bide_model *model, const bide_model *site)
{
    bide_template *template = templates->all;
    while (template && !(strcmp(template->file->name, name) == 0 &&
                         is_model(template->model, model) && is_model(template->site, site)))
        template = template->next;
    return template;
}

static int make(bide_templates *templates, const char *name, const bide_model *model,
                const bide_model *site, bide_template **ret_template)
{
    struct bide__template_file *file = bide__template_find(templates, name);
    const char *error = bide_model_check(model);
    struct bide__code *code;
    if (!error && site)
        error = bide_model_check(site);
    if (error)
        return refuse(templates, name, error);
    if (!file) {
        const char *nearest = bide__template_nearest(templates, name);
        char text[256];
        snprintf(text, sizeof text, "there is no such template in `%s`%s%s%s",
                 templates->folder ? templates->folder : "memory",
                 nearest ? ": did you mean `" : "", nearest ? nearest : "", nearest ? "`?" : "");
        return refuse(templates, name, text);
    }
    int result = bide__template_compile(templates, file, model, site, &code, &templates->problem);
    if (result < 0)
        return result;
    bide_template *template = bide__calloc(1, sizeof *template);
    if (!template) {
        bide__code_free(code);
        return -ENOMEM;
    }
    *template = (bide_template){templates->all, templates, file, model, site, code};
    templates->all = template;
    *ret_template = template;
    return 0;
}

const bide_template *bide_template_of(bide_templates *templates, const char *name,
                                      const bide_model *model, const bide_model *site)
{
    char whole[512];
    const char *slash = strrchr(name, '/');
    snprintf(whole, sizeof whole, "%s%s", name, strchr(slash ? slash : name, '.') ? "" : ".html");
    pthread_mutex_lock(&templates->lock);
    bide_template *template = find_template(templates, whole, model, site);
    if (!template && templates->problem.is_set && templates->reload)
        templates->problem.is_set = false; /* it may have been mended */
    if (!template && !templates->problem.is_set &&
        make(templates, whole, model, site, &template) == -ENOMEM)
        refuse(templates, whole, "out of memory");
    pthread_mutex_unlock(&templates->lock);
    return template;
}

const char *bide_template_name(const bide_template *template)
{
    return template->file->name;
}

bool bide__template_uses_site(const bide_template *template)
{
    return template->site && (template->templates->reload || template->code->uses_site);
}

/* ---- changed files ---- */

/* With the lock. Whether a file that it was made from has changed; such files are read again. */
static int refresh(bide_templates *templates, const struct bide__code *code, bool *ret_changed)
{
    *ret_changed = false;
    for (uint32_t i = 0; i < code->file_count; i++) {
        struct bide__template_file *file = (struct bide__template_file *)code->files[i];
        struct stat status;
        int result = 0;
        if (file->on_disk && (stat(file->where, &status) < 0 || stamp_of(&status) != file->stamp))
            result = load(file, &templates->problem);
        if (result < 0)
            return result;
        *ret_changed |= file->stamp != code->stamps[i];
    }
    return 0;
}

/* With the lock: makes the code anew if it is old. */
static int renew(bide_template *template)
{
    bide_templates *templates = template->templates;
    struct bide__code *code;
    bool changed;
    templates->problem.is_set = false;
    int result = refresh(templates, template->code, &changed);
    if (result < 0 || !changed)
        return result;
    result = bide__template_compile(templates, template->file, template->model, template->site,
                                    &code, &templates->problem);
    if (result < 0)
        return result;
    if (--template->code->users == 0)
        bide__code_free(template->code);
    template->code = code;
    return 0;
}

struct bide__code *bide__template_take(const bide_template *template,
                                       struct bide__template_problem *ret_problem)
{
    bide_templates *templates = template->templates;
    struct bide__code *code = template->code;
    if (!templates->reload)
        return code;
    pthread_mutex_lock(&templates->lock);
    if (renew((bide_template *)template) < 0) {
        *ret_problem = templates->problem;
        code = NULL;
    } else {
        code = template->code;
        code->users++;
    }
    pthread_mutex_unlock(&templates->lock);
    return code;
}

void bide__template_give_back(const bide_template *template, struct bide__code *code)
{
    bide_templates *templates = template->templates;
    if (!templates->reload || !code)
        return;
    pthread_mutex_lock(&templates->lock);
    if (--code->users == 0)
        bide__code_free(code);
    pthread_mutex_unlock(&templates->lock);
}
