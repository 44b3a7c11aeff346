/*
 * settings_test.c: settings from defaults, a file, the environment and a command line.
 */
#include <bide/settings.h>
#include <bide/test.h>

#include "base/mem.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

ENUM(level, low, high);

MODEL(smtp, "", (str, host, dflt("localhost")), (i32, port, range(1, 65535), dflt(25)),
      (secret, password, optional));

MODEL(app_settings, "",
      (str, database_url, dflt("sqlite:app.db")),
      (i32, page_size, range(1, 100), dflt(20)),
      (bool, debug, dflt(false)),
      (level, level, dflt(level_low)),
      (secret, secret_key, len(8, 100)),
      (str, api_token, secret, optional),
      (list(str), origins, optional),
      (list(i32), ports, len(0, 3), optional),
      (obj(smtp), mail),
      (str, legacy, alias("LEGACY_NAME"), optional),
      (f64, ratio, optional));

enum { TEXT_BYTES = 8192 };

/* Fills `text` with what `print` writes. */
#define PRINTED(text, ...)                                                                         \
    do {                                                                                           \
        FILE *out = fmemopen(text, sizeof text, "w");                                              \
        require(out);                                                                              \
        __VA_ARGS__;                                                                               \
        fclose(out);                                                                               \
    } while (0)

#define KEY "APP_SECRET_KEY=0123456789"
#define ENVIRONMENT(...) ((const char *const[]){__VA_ARGS__, NULL})

static bide_settings *of_environment(const char *const *environment)
{
    return bide_settings_read(app_settings, .prefix = "APP_", .environment = environment);
}

/* A file that is gone at the end of the test. */
static char file_name[] = "/tmp/bide-settings-XXXXXX";

static void remove_file(void)
{
    unlink(file_name);
}

static const char *file_of(const char *text)
{
    int fd = mkstemp(file_name);
    require(fd >= 0);
    atexit(remove_file);
    check_int(write(fd, text, strlen(text)), strlen(text));
    close(fd);
    return file_name;
}

static bide_settings *of_file(const char *text, const char *const *environment)
{
    return bide_settings_read(app_settings, .prefix = "APP_", .file = file_of(text),
                              .environment = environment);
}

static const char *problems_of(const bide_settings *settings)
{
    static char text[TEXT_BYTES];
    memset(text, 0, sizeof text);
    PRINTED(text, bide_settings_problems(settings, out));
    return text;
}

static const app_settings *row_of(const bide_settings *settings)
{
    check_str(problems_of(settings), "");
    const app_settings *row = bide_settings_row(app_settings, settings);
    require(row);
    return row;
}

TEST_PLAIN(defaults_stand_where_nothing_is_said)
{
    bide_settings *settings = of_environment(ENVIRONMENT(KEY));
    const app_settings *row = row_of(settings);
    check_str(row->database_url, "sqlite:app.db");
    check_int(row->page_size, 20);
    check(!row->debug && row->level == level_low);
    check_str(row->secret_key.text, "0123456789");
    check_str(row->mail.host, "localhost");
    check_int(row->origins.count, 0);
    check(!bide_has(row, page_size) && bide_has(row, secret_key) && !bide_has(row, ratio));
    check_str(bide_settings_source(settings, "page_size"), "default");
    check_str(bide_settings_source(settings, "secret_key"), "environment APP_SECRET_KEY");
    check_str(bide_settings_source(settings, "ratio"), "not set");
    check_str(bide_settings_source(settings, "mail.port"), "default");
    check_str(bide_settings_source(settings, "nothing"), NULL);
    bide_settings_free(settings);
}

TEST_PLAIN(the_environment_counts_more_than_the_file_and_a_command_line_more_than_both)
{
    const char *text = "APP_PAGE_SIZE=30\nAPP_LEVEL=high\nAPP_DEBUG=yes\n" KEY "\n";
    bide_settings *settings = of_file(text, ENVIRONMENT("APP_PAGE_SIZE=40", "APP_RATIO=0.5"));
    const app_settings *row = row_of(settings);
    check_int(row->page_size, 40);
    check_int(row->level, level_high);
    check(row->debug);
    check_near(row->ratio, 0.5, 0);
    char source[64];
    snprintf(source, sizeof source, "%s:2", file_name);
    check_str(bide_settings_source(settings, "level"), source);
    check_str(bide_settings_source(settings, "page_size"), "environment APP_PAGE_SIZE");
    bide_settings_free(settings);

    bide_setting given[] = {{"page_size", "50", "--page-size"}};
    settings = bide_settings_read(app_settings, .prefix = "APP_", .file = file_name,
                                  .environment = ENVIRONMENT("APP_PAGE_SIZE=40"), .given = given,
                                  .given_count = 1);
    check_int(row_of(settings)->page_size, 50);
    check_str(bide_settings_source(settings, "page_size"), "--page-size");
    bide_settings_free(settings);
}

TEST_PLAIN(the_environment_of_the_process_is_the_usual_one)
{
    setenv("BIDE_TEST_SETTINGS_SECRET_KEY", "from outside", 1);
    setenv("BIDE_TEST_SETTINGS_MAIL__PORT", "26", 1);
    bide_settings *settings = bide_settings_read(app_settings, .prefix = "BIDE_TEST_SETTINGS_");
    check_str(row_of(settings)->secret_key.text, "from outside");
    check_int(row_of(settings)->mail.port, 26);
    bide_settings_free(settings);
}

TEST_PLAIN(all_problems_come_at_once_with_variable_and_source)
{
    const char *text = "APP_PAGE_SIZE=500\n# a comment\nAPP_PAGE_SZIE=5\nAPP_RATIO=x\n";
    bide_settings *settings =
        of_file(text, ENVIRONMENT("APP_LEVEL=loud", "APP_SECRET_KEY=hushhus", "APP_PORTS=1,b,3,4"));
    char expected[TEXT_BYTES];
    snprintf(
        expected, sizeof expected,
        "settings: 7 problems\n"
        "  APP_PAGE_SIZE (%s:1): Input should be less than or equal to 100\n"
        "  APP_LEVEL (environment): Input should be 'low' or 'high'\n"
        "  APP_SECRET_KEY (environment): String should have at least 8 characters\n"
        "  APP_PORTS (environment): List should have at most 3 items after validation, not 4\n"
        "  APP_PORTS (environment): 1: Input should be a valid integer, unable to parse string "
        "as an integer\n"
        "  APP_RATIO (%s:4): Input should be a valid number, unable to parse string as a "
        "number\n"
        "  APP_PAGE_SZIE (%s:3): no such setting; did you mean APP_PAGE_SIZE?\n",
        file_name, file_name, file_name);
    check_str(problems_of(settings), expected);
    check_int(bide_settings_problems(settings, NULL), 7);
    check(!bide_settings_row(app_settings, settings));
    check(!strstr(problems_of(settings), "hushhus"));
    bide_settings_free(settings);
}

TEST_PLAIN(a_missing_setting_names_what_looks_like_it)
{
    bide_settings *settings = of_environment(ENVIRONMENT("APP_SECRT_KEY=0123456789", "HOME=/"));
    check_str(
        problems_of(settings),
        "settings: 1 problem\n"
        "  APP_SECRET_KEY: required, and not set; the environment has APP_SECRT_KEY: a typing "
        "error?\n");
    bide_settings_free(settings);
    settings = of_environment(ENVIRONMENT("HOME=/"));
    check_str(problems_of(settings),
              "settings: 1 problem\n  APP_SECRET_KEY: required, and not set\n");
    bide_settings_free(settings);
}

TEST_PLAIN(secrets_are_never_printed)
{
    bide_settings *settings =
        of_environment(ENVIRONMENT("APP_SECRET_KEY=hush-hush", "APP_API_TOKEN=whisper",
                                   "APP_DATABASE_URL=postgres://app:pa/ss@db:5432/app",
                                   "APP_ORIGINS=http://a, "
                                   "https://me:mumble@b",
                                   "APP_MAIL__PASSWORD=murmur", "APP_LEVEL=high"));
    check_str(row_of(settings)->api_token, "whisper");
    check_str(row_of(settings)->mail.password.text, "murmur");
    char text[TEXT_BYTES] = "";
    PRINTED(text, bide_settings_print(settings, out));
    check_str(text,
              "database_url = \"postgres://app:***@db:5432/app\"  (environment APP_DATABASE_URL)\n"
              "page_size = 20  (default)\n"
              "debug = false  (default)\n"
              "level = \"high\"  (environment APP_LEVEL)\n"
              "secret_key = ***  (environment APP_SECRET_KEY)\n"
              "api_token = ***  (environment APP_API_TOKEN)\n"
              "origins = [\"http://a\",\"https://me:***@b\"]  (environment APP_ORIGINS)\n"
              "ports = null  (not set)\n"
              "mail.host = \"localhost\"  (default)\n"
              "mail.port = 25  (default)\n"
              "mail.password = ***  (environment APP_MAIL__PASSWORD)\n"
              "legacy = null  (not set)\n"
              "ratio = null  (not set)\n");
    bide_settings_free(settings);
}

TEST_PLAIN(lists_are_json_or_stand_between_commas)
{
    bide_settings *settings =
        of_environment(ENVIRONMENT(KEY, "APP_ORIGINS= a , b,c ", "APP_PORTS=[1, 2]"));
    const app_settings *row = row_of(settings);
    check_int(row->origins.count, 3);
    check_str(row->origins.items[0], "a");
    check_str(row->origins.items[2], "c");
    check_int(row->ports.count, 2);
    check_int(row->ports.items[1], 2);
    bide_settings_free(settings);
    settings = of_environment(ENVIRONMENT(KEY, "APP_PORTS=[1, 2", "APP_ORIGINS="));
    check_contains(problems_of(settings), "APP_PORTS (environment): ");
    check_contains(problems_of(settings), "JSON decode error");
    check_int(bide_settings_problems(settings, NULL), 1);
    bide_settings_free(settings);
}

TEST_PLAIN(objects_are_json_or_have_a_variable_per_field)
{
    bide_settings *settings =
        of_environment(ENVIRONMENT(KEY, "APP_MAIL={\"host\":\"m\",\"port\":2525}"));
    check_str(row_of(settings)->mail.host, "m");
    check_int(row_of(settings)->mail.port, 2525);
    check_str(bide_settings_source(settings, "mail"), "environment APP_MAIL");
    bide_settings_free(settings);
    settings = of_environment(ENVIRONMENT(KEY, "APP_MAIL={\"port\":0,\"hst\":\"m\"}"));
    check_str(problems_of(settings),
              "settings: 2 problems\n"
              "  APP_MAIL (environment): port: Input should be greater than or equal to 1\n"
              "  APP_MAIL (environment): hst: Extra inputs are not permitted\n");
    bide_settings_free(settings);
    settings = of_environment(ENVIRONMENT(KEY, "APP_MAIL={}", "APP_MAIL__PORT=26"));
    check_contains(problems_of(settings), "set as a whole, and by variables for its parts too");
    bide_settings_free(settings);
}

TEST_PLAIN(names_know_no_case_and_an_alias_no_prefix)
{
    bide_settings *settings = of_environment(
        ENVIRONMENT(KEY, "app_page_size=7", "APP_LEVEL=high", "app_level=low", "LEGACY_NAME=old"));
    check_int(row_of(settings)->page_size, 7);
    check_int(row_of(settings)->level, level_high);
    check_str(row_of(settings)->legacy, "old");
    bide_settings_free(settings);
}

TEST_PLAIN(the_forms_of_a_line)
{
    const char *text = "\xef\xbb\xbf# settings\r\n"
                       "\n"
                       "export  APP_SECRET_KEY = 'a \\'b\\' \\n # c'   # the key\r\n"
                       "APP_DATABASE_URL=\"two\\nlines\n"
                       "and a third \\\"$HOME\\\" \\x\"\n"
                       "  APP_ORIGINS = a#b, c # d\n"
                       "APP_LEVEL=high\r\n"
                       "OTHER=1\n"
                       "LEGACY_NAME=\n"
                       "APP_MAIL__HOST=''";
    bide_settings *settings = of_file(text, ENVIRONMENT("HOME=/"));
    const app_settings *row = row_of(settings);
    check_str(row->secret_key.text, "a 'b' \\n # c");
    check_str(row->database_url, "two\nlines\nand a third \"$HOME\" \\x");
    check_int(row->origins.count, 2);
    check_str(row->origins.items[0], "a#b");
    check_str(row->origins.items[1], "c");
    check_int(row->level, level_high);
    check_str(row->legacy, NULL);
    check_str(row->mail.host, "");
    char source[64];
    snprintf(source, sizeof source, "%s:6", file_name);
    check_str(bide_settings_source(settings, "origins"), source);
    bide_settings_free(settings);
}

TEST_PLAIN(wrong_lines_are_named_without_their_text)
{
    const char *text = "APP_LEVEL high\n"
                       "=x\n"
                       "1A=x\n"
                       "APP_DATABASE_URL='a' hush\n"
                       "APP_SECRET_KEY=\"hush hush\n"
                       "APP_DEBUG=1\n"
                       "app_debug=1\n";
    bide_settings *settings = of_file(text, ENVIRONMENT(KEY));
    char expected[TEXT_BYTES];
    snprintf(expected, sizeof expected,
             "settings: 6 problems\n"
             "  %s:1: not of the form NAME=value\n"
             "  %s:2: not of the form NAME=value\n"
             "  %s:3: not of the form NAME=value\n"
             "  %s:4: something stands behind the closing quote\n"
             "  %s:5: a quote is opened and never closed\n"
             "  app_debug (%s:7): line 6 sets it too\n",
             file_name, file_name, file_name, file_name, file_name, file_name);
    check_str(problems_of(settings), expected);
    bide_settings_free(settings);
}

/* Each beginning of a text, and each byte of it replaced: whatever comes of it, it ends, and there
   is a row exactly when there is no problem. */
TEST_PLAIN(no_text_breaks_the_reader, .timeout_ms = 30000)
{
    static const char text[] = "# c\nexport APP_SECRET_KEY='a\\'bcdefgh' # x\r\nAPP_LEVEL=high #y\n"
                               "APP_DATABASE_URL=\"two\\n\nlines\"\nAPP_PORTS=[1,2]\nAPP_MAIL={}";
    static const char replacements[] = "\0\n\r\"'\\#= A\xff";
    char changed[sizeof text];
    FILE *file = fopen(file_of(""), "r+");
    require(file);
    for (size_t i = 0; i < sizeof text; i++) {
        for (size_t n = 0; n < sizeof replacements; n++) {
            memcpy(changed, text, sizeof text);
            changed[i] = replacements[n];
            size_t length = n + 1 == sizeof replacements ? i : sizeof text - 1;
            rewind(file);
            require(fwrite(changed, 1, length, file) == length && fflush(file) == 0);
            require(ftruncate(fileno(file), (off_t)length) == 0);
            bide_settings *settings =
                bide_settings_read(app_settings, .prefix = "APP_", .file = file_name,
                                   .environment = ENVIRONMENT("HOME=/"));
            size_t problems = bide_settings_problems(settings, NULL);
            check((problems == 0) == (bide_settings_row(app_settings, settings) != NULL));
            bide_settings_free(settings);
        }
    }
    fclose(file);
}

TEST_PLAIN(unknown_lines)
{
    const char *text = KEY "\nAPP_WHATEVER=1\nWHATEVER=1\n";
    bide_settings *settings = of_file(text, ENVIRONMENT("HOME=/"));
    check_int(bide_settings_problems(settings, NULL), 1);
    check_contains(problems_of(settings), ":2): no such setting\n");
    bide_settings_free(settings);
    settings = bide_settings_read(app_settings, .prefix = "APP_", .file = file_name,
                                  .environment = ENVIRONMENT("HOME=/"), .ignore_unknown = true);
    row_of(settings);
    bide_settings_free(settings);
    /* without a prefix every line is meant */
    settings = bide_settings_read(smtp, .file = file_name, .environment = ENVIRONMENT("HOME=/"));
    check_int(bide_settings_problems(settings, NULL), 3);
    bide_settings_free(settings);
}

TEST_PLAIN(unknown_variables)
{
    static const char *const others[] = {"APP_FOLDER", "APP_SERVICE_*", NULL};
    const char *const *environment =
        ENVIRONMENT(KEY, "APP_PAGE_SISE=7", "APP_FOLDER=/", "app_mail__host=here", "HOME=/",
                    "APP_SERVICE_HOST=10.0.0.1", "APP_FOLDERS=/");
    bide_settings *settings = of_environment(environment);
    row_of(settings);
    bide_settings_free(settings);
    settings = bide_settings_read(app_settings, .prefix = "APP_", .environment = environment,
                                  .strict = "APP_", .others = others);
    check_int(bide_settings_problems(settings, NULL), 2);
    check_contains(problems_of(settings), "APP_FOLDERS (environment): no such setting\n");
    check_contains(problems_of(settings),
                   "APP_PAGE_SISE (environment): no such setting; did you mean APP_PAGE_SIZE?\n");
    bide_settings_free(settings);
    settings = bide_settings_read(app_settings, .prefix = "APP_", .environment = environment,
                                  .strict = "APP_");
    check_int(bide_settings_problems(settings, NULL), 4);
    bide_settings_free(settings);
}

TEST_PLAIN(files_that_cannot_be_read)
{
    bide_settings *settings = bide_settings_read(smtp, .file = "/nowhere/.env");
    check_int(bide_settings_problems(settings, NULL), 0);
    bide_settings_free(settings);
    settings = bide_settings_read(smtp, .file = "/nowhere/.env", .need_file = true);
    check_str(problems_of(settings),
              "settings: 1 problem\n"
              "  /nowhere/.env: cannot be read: No such file or directory\n");
    bide_settings_free(settings);
    settings = bide_settings_read(smtp, .file = "/");
    check_contains(problems_of(settings), "cannot be read: Is a directory");
    bide_settings_free(settings);
    settings = bide_settings_read(smtp, .file = "/dev/zero");
    check_contains(problems_of(settings), "larger than 1 MiB");
    bide_settings_free(settings);
}

TEST_PLAIN(without_memory_there_is_a_problem_and_no_row)
{
    file_of(KEY "\nAPP_MAIL__HOST=m\nAPP_ORIGINS=a,b\nAPP_PORTS=[1,2,3]\n");
    unsigned failures = 0;
    for (unsigned n = 1;; n++) {
        bide__mem_fail_at(n, false);
        bide_settings *settings =
            bide_settings_read(app_settings, .prefix = "APP_", .file = file_name,
                               .environment = ENVIRONMENT("APP_LEVEL=high"));
        bool failed = bide__mem_failed();
        bide__mem_fail_at(0, false);
        bool usable = bide_settings_row(app_settings, settings) != NULL;
        check(usable == (bide_settings_problems(settings, NULL) == 0));
        check(usable || failed);
        bide_settings_free(settings);
        if (!failed)
            break;
        failures += !usable;
    }
    check(failures > 1);
    check_str(problems_of(NULL), "settings: out of memory\n");
    check_int(bide__mem_live(), 0);
}
