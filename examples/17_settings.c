/*
 * Settings: a model that is filled from outside: defaults, a .env file, the environment.
 *
 * All that is wrong is told at once, with its variable and where that comes from. Nothing shows a
 * secret. A program reads the environment of its process; this one brings its own, so that it
 * always prints the same.
 */
#include <bide/bide.h>

#include <stdio.h>

MODEL(mail_settings, "", (str, host, dflt("localhost")), (i32, port, range(1, 65535), dflt(25)));

MODEL(app_settings, "",
      (str, database_url, dflt("postgres://localhost/app")),
      (i32, page_size, range(1, 100), dflt(20)),
      (list(str), origins, optional),
      (secret, secret_key, len(16, 200)),
      (obj(mail_settings), mail));

static const char *const good[] = {"APP_DATABASE_URL=postgres://app:pa55word@db.example/app",
                                   "APP_PAGE_SIZE=50",
                                   "APP_ORIGINS=https://a.example, https://b.example",
                                   "APP_SECRET_KEY=0123456789abcdef",
                                   "APP_MAIL__HOST=mail.example",
                                   NULL};

static const char *const bad[] = {"APP_PAGE_SIZE=many", "APP_SECRT_KEY=0123456789abcdef",
                                  "APP_MAIL__PORT=70000", NULL};

static void start_with(const char *const *environment)
{
    bide_settings *settings =
        bide_settings_read(app_settings, .prefix = "APP_", .environment = environment);
    const app_settings *config = bide_settings_row(app_settings, settings);
    if (config) {
        printf("starting with %d per page\n", (int)config->page_size);
        bide_settings_print(settings, stdout);
    } else {
        bide_settings_problems(settings, stdout);
    }
    bide_settings_free(settings);
}

int main(void)
{
    start_with(good);
    start_with(bad);
    return 0;
}
