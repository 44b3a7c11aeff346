/*
 * An SMTP server in tasks of the test: for what a real one does not do when it is asked to, and for
 * tests that run often.
 */
#ifndef BIDE_TEST_FAKE_SMTP_H
#define BIDE_TEST_FAKE_SMTP_H

#include <bide/bide.h>
#include <bide/test.h>

#include <stdio.h>
#include <string.h>

struct fake {
    bide_listener *listener;
    char url[96];
    int busy;           /* so many connections are greeted with 421 */
    int later;          /* so many mails are refused for now, at their end */
    bool hangs_up;      /* when it has taken a mail */
    bool slowly;        /* its words come byte by byte */
    const char *answer; /* to MAIL, in place of 250; NULL: none */
    /* What it saw. */
    int connections, mails, quits, resets;
};

typedef struct fake *fake_ptr;
typedef bide_group *group_ptr;

struct fake_client {
    bide_stream *stream;
    bool slowly;
    size_t start, end;
    char bytes[2048];
};

static inline async(void) fake_say(const struct fake_client *c, const char *text)
{
    size_t step = c->slowly ? 1 : strlen(text);
    for (; *text; text += step)
        await(bide_write(c->stream, text, step));
    return bide_void;
}

/* The next line, without its end; NULL: there is none. */
static inline async(str) fake_hear(struct fake_client *c)
{
    for (;;) {
        char *line = c->bytes + c->start;
        char *end = memchr(line, '\n', c->end - c->start);
        if (end) {
            end[-1] = 0;
            c->start += (size_t)(end + 1 - line);
            return ready(str, line);
        }
        memmove(c->bytes, line, c->end - c->start);
        c->end -= c->start;
        c->start = 0;
        size_t n = await(bide_read(c->stream, c->bytes + c->end, sizeof c->bytes - c->end));
        if (n == 0)
            return ready(str, NULL);
        c->end += n;
    }
}

static inline async(bool) fake_take_mail(struct fake *fake, struct fake_client *c)
{
    const char *line;
    await(fake_say(c, "354 go on\r\n"));
    do {
        line = await(fake_hear(c));
        if (!line)
            return ready(bool, false);
    } while (strcmp(line, ".") != 0);
    if (fake->later > 0) {
        fake->later--;
        await(fake_say(c, "450 not now\r\n"));
        return ready(bool, true);
    }
    fake->mails++;
    await(fake_say(c, "250 taken\r\n"));
    return ready(bool, true);
}

static inline async(void) fake_serve(fake_ptr fake, bide_stream_ptr stream)
{
    struct fake_client client = {.stream = stream, .slowly = fake->slowly}, *c = &client;
    const char *line;
    defer(bide_close_stream, stream);
    bool busy = fake->connections++ < fake->busy;
    await(fake_say(c, busy ? "421 later\r\n" : "220 fake\r\n"));
    while ((line = await(fake_hear(c)))) {
        if (strncmp(line, "EHLO", 4) == 0) {
            await(fake_say(c, "250-fake\r\n250 HELP\r\n"));
        } else if (strcmp(line, "DATA") == 0) {
            if (!await(fake_take_mail(fake, c)) || fake->hangs_up)
                break;
        } else if (strcmp(line, "QUIT") == 0) {
            fake->quits++;
            break;
        } else {
            fake->resets += strcmp(line, "RSET") == 0;
            bool mail = strncmp(line, "MAIL", 4) == 0;
            await(fake_say(c, mail && fake->answer ? fake->answer : "250 ok\r\n"));
        }
    }
    return bide_void;
}
SPAWNABLE(void, fake_serve, fake_ptr, bide_stream_ptr)

/* Its client may go at any time. */
static inline async(void) fake_serve_quietly(fake_ptr fake, bide_stream_ptr stream)
{
    bide_error *err;
    attempt(&err, fake_serve, fake, stream);
    if (err && err->is_cancel)
        fail(err);
    return bide_void;
}
SPAWNABLE(void, fake_serve_quietly, fake_ptr, bide_stream_ptr)

static inline async(void) fake_accept(fake_ptr fake, group_ptr clients)
{
    for (int i = 0; i < 10000; i++)
        spawn_void(clients, fake_serve_quietly, fake, await(bide_accept(fake->listener)));
    return bide_void;
}
SPAWNABLE(void, fake_accept, fake_ptr, group_ptr)

/* with_fake(fake) { ... }: it serves inside; `fake->url` is a mailer's. */
static inline void fake_put_url(struct fake *fake)
{
#if !__has_include(<curl/curl.h>)
    test_skip("no libcurl: ./dev deps more");
#endif
    snprintf(fake->url, sizeof fake->url, "smtp://127.0.0.1:%u?timeout=30",
             (unsigned)bide_listener_port(fake->listener));
}
#define with_fake(fake)                                                                            \
    with(bide_tcp_listener, fake_listener, "127.0.0.1", 0, NULL)                                   \
        with_group(fake_group)                                                                     \
            for (int fake_once = ((fake)->listener = fake_listener, fake_put_url(fake),            \
                                 spawn_void(fake_group, fake_accept, fake, fake_group), 1);        \
                 fake_once; fake_once = 0, bide_group_cancel(fake_group, "the test is over"))

#endif
