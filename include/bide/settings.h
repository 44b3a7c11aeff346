/*
 * settings.h: what a program is told from outside, as a model.
 *
 *     MODEL(app_settings, "",
 *           (str, database_url, url, dflt("http://127.0.0.1:5432")),
 *           (i32, page_size, range(1, 100), dflt(20)),
 *           (list(str), origins, optional),
 *           (secret, secret_key, len(16, 200)));
 *
 *     bide_settings *settings = bide_settings_read(app_settings, .prefix = "APP_", .file = ".env");
 *     if (bide_settings_problems(settings, stderr) > 0)
 *         return NULL;
 *     const app_settings *config = bide_settings_row(app_settings, settings);
 *
 * Each field has a variable: the prefix and its name in upper case, APP_PAGE_SIZE; a field with
 * alias("DATABASE_URL") has that one, without the prefix. Its value is the last that is there of
 *
 *   1. the default of the field (dflt)
 *   2. a line of the file
 *   3. the environment
 *   4. `given`: a command line
 *
 * and is read with the types, limits and words of models, as a form (json.h): a bool is true, 1,
 * on, yes, ... Beside that
 *
 *   list(T)      a JSON array ([1, 2]), or texts between commas: a, b. An empty text: no items
 *   obj(NAME)    a JSON object, or a variable for each of its fields: APP_SMTP__HOST, two
 *                underscores between the names
 *   optional     an empty text is null
 *
 * In the environment case makes no difference (APP_PAGE_SIZE is preferred), in the file neither.
 * What the environment has beyond that belongs to others and is left alone, but for names with the
 * prefix `strict`: a typing error there is a problem, as it is in the file.
 *
 * The file has a NAME=value per line. Before it may stand `export`; empty lines and those with a
 * `#` in front are skipped. A value ends with its line, or before ` #`; spaces around it are
 * dropped. In quotes it may hold both, and line ends: 'as it is', with \' and \\; "with \n, \t, \r,
 * \", \\". Nothing is substituted: a `$` is a `$`. A name that stands there twice, a line of
 * another form, and a name with the prefix (without a prefix: any) that is no setting are problems.
 *
 * Invariants
 *  1. All problems are found at once; each names its variable and where it comes from, and none
 *     repeats a value.
 *  2. With problems there is no row: no program starts with half of its settings.
 *  3. Nothing here shows what is secret, by type or by attribute, nor the password in a URL.
 *
 * Plain functions: before bide_run as well as in a task. They read a small file and never suspend.
 *
 * Source: the rules of pydantic-settings and python-dotenv.
 *
 * layer: model
 */
#ifndef BIDE_SETTINGS_H
#define BIDE_SETTINGS_H

#include <bide/model.h>

#include <stdio.h>

/* Settings that were read, with their memory. */
typedef struct bide_settings bide_settings;

/* A value that counts more than the environment. */
typedef struct bide_setting {
    const char *name; /* of the field, in the model itself */
    const char *value;
    const char *source; /* in place of the variable: "--port" */
} bide_setting;

struct bide_settings_options {
    const char *prefix;  /* of the variables: "APP_"; NULL: none */
    const char *file;    /* ".env"; NULL: none. One that is not there is like an empty one ... */
    bool need_file;      /* ... or a problem */
    bool ignore_unknown; /* lines of the file that are no setting are skipped */
    const char *strict; /* "APP_": what of the environment begins so and is no setting is a problem;
                           NULL: nothing is ... */
    const char *const *others; /* ... nor are these names, which somebody else reads; then a NULL.
                                  "APP_PORT_*": all that begin so */
    const char *const *environment; /* "NAME=value"s, then NULL; NULL: that of the process */
    bide_arena *arena; /* whose part the settings become: it frees them; NULL: of their own */
    const bide_setting *given; /* `given_count` of them */
    size_t given_count;
};

/*
 * bide_settings_read(NAME, .prefix = "APP_", ...): reads all settings of a MODEL. NULL without
 * memory, which the functions below take as a problem. The texts of the options are copied.
 */
#define bide_settings_read(NAME, ...)                                                              \
    bide__settings_read(NAME##_model(), &(struct bide_settings_options){__VA_ARGS__})

/* How many problems there are; with `out` (may be NULL) prints them, one on a line. */
size_t bide_settings_problems(const bide_settings *settings, FILE *out);

/* The row, as a `const NAME *`; NULL: there are problems. It lives as long as the settings. */
#define bide_settings_row(NAME, settings) ((const NAME *)bide__settings_row(settings, #NAME))

/* Where the value of a field comes from: "default", "environment APP_PAGE_SIZE", ".env:3", "not
   set"; NULL: there is no such field. A field of an obj is "smtp.host". */
const char *bide_settings_source(const bide_settings *settings, const char *name);

/* Prints each setting on a line: name, value, source. Secrets are ***. */
void bide_settings_print(const bide_settings *settings, FILE *out);

/* Gives everything back, unless an arena has done so. NULL is allowed. */
void bide_settings_free(bide_settings *settings);

bide_settings *bide__settings_read(const bide_model *model,
                                   const struct bide_settings_options *options);
const void *bide__settings_row(const bide_settings *settings, const char *model);

#endif
