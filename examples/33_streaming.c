/*
 * Streaming: bodies that are made while they are sent.
 *
 * The handler says who makes the body: a function that sends pieces, or a generator of texts. It
 * runs when the providers are through, waits while the peer does not read, and is cancelled when
 * the peer is gone.
 */
#include <bide/bide.h>
#include <bide/web_test.h>

#include <stdio.h>
#include <string.h>

/* A table as CSV, a row at a time. */
static async(void) send_squares(bide_request *req, int from, int to);
SPAWNABLE(void, send_squares, bide_request *, int, int)
static async(void) send_squares(bide_request *req, int from, int to)
{
    await(bide_send_text(req, "n,square\n"));
    for (int n = from; n <= to; n++)
        await(bide_send_format(req, "%d,%d\n", n, n * n));
    return bide_void;
}

GET(squares, "/squares.csv", stream("text/csv; charset=utf-8"), query(i32, from, dflt(1)),
    query(i32, to, dflt(3)))
{
    return bide_stream_with(req, send_squares, from, to);
}

/* Texts that somebody else makes. */
static async(void) words_of(bide_gen(bide_text) * gen, const char *text);
GENERATES(bide_text, words_of, const char *)
static async(void) words_of(bide_gen(bide_text) * gen, const char *text)
{
    while (*text) {
        size_t length = strcspn(text, " ");
        length += text[length] == ' ';
        await(bide_give(gen, (bide_text){text, length}));
        await(bide_sleep(bide_ms(300))); /* thinking */
        text += length;
    }
    return bide_void;
}

GET(answer, "/answer", stream("text/plain"))
{
    return bide_stream_from(req, words_of, "forty two, I am afraid");
}

/* Events for a browser's EventSource, which says where it was when it comes again. */
static async(void) send_countdown(bide_request *req, int last);
SPAWNABLE(void, send_countdown, bide_request *, int)
static async(void) send_countdown(bide_request *req, int last)
{
    await(bide_send_event(req, .retry_ms = 2000, .comment = "from three"));
    for (int left = last - 1; left >= 0 && !bide_stopping(); left--) {
        char id[16];
        snprintf(id, sizeof id, "%d", left);
        await(bide_sleep(bide_s(1)));
        await(bide_send_event(req, .name = left ? "left" : "done", .id = id, .data = id));
    }
    return bide_void;
}

GET(countdown, "/countdown", stream("text/event-stream"),
    header(i32, last_event_id, dflt(3), range(0, 3)))
{
    return bide_stream_with(req, send_countdown, last_event_id);
}

static async(void) app(void)
{
    bide_app *streams = bide_app_new(.title = "Streams");
    bide_app_add_all(streams, "");
    with_client(c, streams) {
        printf("%s\n", await(client_get(c, "/squares.csv")).body);
        printf("%s\n\n", await(client_get(c, "/answer")).body);
        printf("%s", await(client_get(c, "/countdown")).body);
        client_header(c, "Last-Event-ID", "1");
        printf("again\n\n%s", await(client_get(c, "/countdown")).body);
    }
    return bide_void;
}

int main(void)
{
    return bide_run(app, .virtual_clock = true);
}
