/*
 * The host of a mail server is looked up by bide_resolve: its answer is used, and a name server
 * that never answers ends a mail at its timeout.
 */
#include "fake_smtp.h"

#include <bide/mail.h>

#if __has_include(<curl/curl.h>)
#include "io/name.h"

#include <netdb.h>
#include <unistd.h>

static const bide_mail letter = {.from = "frodo@example.org",
                                 .to = "sam@example.org",
                                 .subject = "Elevenses",
                                 .text = "At the usual place.\n"};

static int asked, over; /* atomic */

/* Nobody is there at the first address. */
static int at_two_addresses(const char *host, struct bide__address *ret_addresses,
                            size_t *ret_count)
{
    __atomic_add_fetch(&asked, 1, __ATOMIC_RELAXED);
    if (strcmp(host, "mail.test") != 0)
        return EAI_NONAME;
    *ret_count = 2;
    return bide__address_parse("127.0.0.2", 0, &ret_addresses[0]) ||
                   bide__address_parse("127.0.0.1", 0, &ret_addresses[1])
               ? EAI_FAIL
               : 0;
}

static int never(const char *host, struct bide__address *ret_addresses, size_t *ret_count)
{
    (void)host, (void)ret_addresses, (void)ret_count;
    while (!__atomic_load_n(&over, __ATOMIC_ACQUIRE))
        usleep(1000);
    return EAI_AGAIN;
}

static async(void) send_letter(bide_mailer_ptr m)
{
    await(bide_mail_send(m, &letter));
    return bide_void;
}
SPAWNABLE(void, send_letter, bide_mailer_ptr)

static int code_at(const char *host, const char *options, const char *said) BIDE__TASK;
static int code_at(const char *host, const char *options, const char *said)
{
    char url[120];
    bide_error *error;
    snprintf(url, sizeof url, "smtp://%s?starttls=none%s", host, options);
    with(bide_mailer, m, url) {
        attempt(&error, send_letter, m);
        require(error);
        check_contains(error->message, said);
    }
    return error->code;
}

TEST(the_host_is_found_by_the_resolver_of_all, .real_clock = true)
{
    struct fake fake = {.busy = 0};
    bide__name_source = at_two_addresses;
    with_fake(&fake)
    {
        char url[120];
        snprintf(url, sizeof url, "smtp://mail.test:%u?starttls=none",
                 bide_listener_port(fake.listener));
        for (int i = 0; i < 2; i++)
            with(bide_mailer, m, url)
                await(bide_mail_send(m, &letter));
        check_int(fake.mails, 2);
        check_int(asked, 1); /* and kept for the second one */
    }
    check_int(code_at("nobody.test:25", "", "nobody.test"), BIDE_UNREACHABLE);
}

TEST(a_name_server_that_never_answers_ends_a_mail_in_time, .real_clock = true)
{
    bide__name_source = never;
    check_int(code_at("mail.test:25", "&timeout=1", "looking up the host took too long"),
              BIDE_TIMEOUT);
    __atomic_store_n(&over, 1, __ATOMIC_RELEASE);
}

#else

TEST_PLAIN(without_libcurl)
{
    test_skip("built without libcurl");
}
#endif
