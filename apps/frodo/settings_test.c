/* What production refuses, and that development starts with nothing set. */
#include "testing.h"

static const char *problem_of(const char *key, const char *public_url, const char *smtp_url)
{
    frodo_settings set = frodo_test_settings("sqlite://:memory:");
    set.mode = run_mode_production;
    set.secret_key.text = key;
    set.public_url = public_url;
    set.smtp_url = smtp_url;
    return frodo_settings_problem(&set);
}

TEST(production_is_careful)
{
    static const char key[] = "k3Jq0vYpZr8sXw2LmTf5Hd9BnCg7AeUi";
    static const char site[] = "https://frodo.example", mail[] = "smtp://127.0.0.1";
    check(problem_of(key, site, mail) == NULL);
    check_contains(problem_of(NULL, site, mail), "SECRET_KEY is missing");
    check_contains(problem_of("abababababababababababababababab", site, mail), "not random");
    check_contains(problem_of("change-me-0123456789-abcdefghijkl", site, mail), "not random");
    check_contains(problem_of(key, "http://frodo.example", mail), "PUBLIC_URL");
    check_contains(problem_of(key, site, "outbox:"), "SMTP_URL");
}

TEST(production_has_no_demo)
{
    frodo_settings set = frodo_test_settings("sqlite://:memory:");
    set.demo = true;
    check(frodo_settings_problem(&set) == NULL);
    set.mode = run_mode_production;
    check_contains(frodo_settings_problem(&set), "FRODO_DEMO");
}

TEST(codes_in_redis_need_one)
{
    frodo_settings set = frodo_test_settings("sqlite://:memory:");
    check(frodo_settings_problem(&set) == NULL);
    set.codes = code_place_redis;
    check_contains(frodo_settings_problem(&set), "REDIS_URL");
}

TEST(the_application_is_not_made_with_them)
{
    frodo_settings set = frodo_test_settings("sqlite://:memory:");
    set.mode = run_mode_production;
    test_capture_stderr();
    check(frodo_app_with(&set) == NULL);
    check_contains(test_captured(), "frodo: PUBLIC_URL is not https");
}
