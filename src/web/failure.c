/*
 * Errors as replies, the library's own and those that were raised: only what was meant for the peer
 * is told to it. Called by dispatch.c, body.c, security.c, render.c; calls the application's rules,
 * and the log.
 *
 * Source: RFC 9457 (application/problem+json).
 */
#include "web/web.h"

#include "core/error.h"
#include "http/status.h"
#include "model/model.h"

#include <bide/log.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* A number that no other request of the application has, spread over 64 bits (splitmix64). */
const char *bide__web_id(bide_request *req)
{
    bide_app *app = req->server->app;
    if (req->id[0])
        return req->id;
    uint64_t n = app->id_seed +
                 __atomic_add_fetch(&app->ids, 1, __ATOMIC_RELAXED) * UINT64_C(0x9e3779b97f4a7c15);
    n = (n ^ n >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    n = (n ^ n >> 27) * UINT64_C(0x94d049bb133111eb);
    snprintf(req->id, sizeof req->id, "%016" PRIx64, n ^ n >> 31);
    return req->id;
}

static void put_text(bide_buf *buf, const char *text)
{
    bide__json_write_text(buf, text, strlen(text));
}

static void log_it(bide_request *req, const bide_error *error)
{
    char report[2048];
    bide_error_format(error, report, sizeof report);
    bide_log(BIDE_LOG_ERROR, "request %s, %.*s %.*s, failed: %s", bide__web_id(req),
             (int)req->method_text.length, req->method_text.bytes,
             (int)(req->path.length < 256 ? req->path.length : 256), req->path.bytes, report);
}

static const struct bide__error_rule *rule_for(const bide_app *app, int code)
{
    const struct bide__error_rule *rule = app->error_rules;
    while (rule && rule->code != code)
        rule = rule->next;
    return rule;
}

/* Starts an error's body: the members that all errors have. NULL without memory. */
static bide_buf *start(bide_request *req, int status, const char *detail)
{
    req->own_type = NULL;
    bide_buf *buf = bide__web_buf(req);
    if (!buf)
        return NULL;
    if (req->server->app->options.problem_details) {
        bide_buf_append_str(buf, "{\"type\":\"about:blank\",\"title\":");
        put_text(buf, bide__http_reason(status));
        bide_buf_printf(buf, ",\"status\":%d,\"detail\":", status);
    } else {
        bide_buf_append_str(buf, "{\"detail\":");
    }
    if (detail)
        put_text(buf, detail);
    return buf;
}

static void finish(bide_request *req, bide_buf *buf, int status)
{
    if (buf)
        bide_buf_append_char(buf, '}');
    if (!buf || bide_buf_error(buf))
        bide__web_reply(req, status, NULL, "", 0);
    else
        bide__web_reply_buf(req, status,
                            req->server->app->options.problem_details ? "application/problem+json"
                                                                      : "application/json");
    const char *challenge = status == 401 ? bide__web_challenge(req) : NULL;
    if (challenge)
        bide_set_header(req, "WWW-Authenticate", challenge);
}

void bide__web_refuse(bide_request *req, int status, const char *detail)
{
    finish(req, start(req, status, detail), status);
}

void bide__web_refuse_problems(bide_request *req, const bide_problems *problems)
{
    bool as_errors = req->server->app->options.problem_details;
    bide_buf *buf = start(req, 422, as_errors ? "the request has problems" : NULL);
    if (buf) {
        if (as_errors)
            bide_buf_append_str(buf, ",\"errors\":");
        bide_problems_write(problems, buf);
    }
    finish(req, buf, 422);
}

static void refuse_unknown(bide_request *req, const bide_error *error)
{
    log_it(req, error);
    bide_buf *buf = start(req, 500, "Internal Server Error");
    if (buf)
        bide_buf_printf(buf, ",\"id\":\"%s\"", req->id);
    finish(req, buf, 500);
}

/* What the application's rule says; without a body of its own, the error's message. */
static void answer_by(bide_request *req, const bide_error *error,
                      const struct bide__error_rule *rule)
{
    bide_buf *buf = bide__web_buf(req);
    if (!buf) {
        refuse_unknown(req, error);
        return;
    }
    int status = rule->answer(req, error, buf);
    if (status < 200 || status > 599)
        status = 500;
    if (bide_buf_length(buf) == 0 || bide_buf_error(buf))
        bide__web_refuse(req, status, error->message);
    else
        bide__web_reply_buf(req, status, "application/json");
}

/* The status that a code means by itself; 0: none. */
static int status_of(const bide_error *error)
{
    switch (error->code) {
    case BIDE_NOT_FOUND:
        return 404;
    case BIDE_CONFLICT:
        return 409;
    case BIDE_CONSTRAINT:
        return 422;
    case BIDE_TX_RETRY:
    case BIDE_UNREACHABLE:
    case BIDE_TIMEOUT:
    case BIDE_OUTCOME_UNKNOWN:
        return 503;
    default:
        return error->code >= 400 && error->code <= 599 ? error->code : 0;
    }
}

/* What the peer is told of an error that has a status. What the server of a database says is not
   for it: names of rules, addresses, other people's rows. */
static const char *told(const bide_error *error)
{
    switch (error->code) {
    case BIDE_TX_RETRY:
        return "another change was in the way: try again";
    case BIDE_UNREACHABLE:
        return "something that is needed for this does not answer: try again later";
    case BIDE_TIMEOUT:
        return "this took too long: try again later";
    case BIDE_OUTCOME_UNKNOWN:
        return "this may have been done, or not: look before you try again";
    default:
        return error->told ? error->told : error->message;
    }
}

/* Answers by the status that the code means. Programs that are told when to try again do so by
   themselves: only what has done nothing says so. */
static void answer_by_code(bide_request *req, const bide_error *error)
{
    int code = error->code;
    bool is_away = code == BIDE_UNREACHABLE || code == BIDE_TIMEOUT;
    if (is_away || code == BIDE_OUTCOME_UNKNOWN)
        log_it(req, error);
    bide__web_refuse(req, status_of(error), told(error));
    if (is_away || code == BIDE_TX_RETRY)
        bide_set_header(req, "Retry-After", "1");
}

void bide__web_failed(bide_request *req, const bide_error *error)
{
    const struct bide__error_rule *rule = rule_for(req->server->app, error->code);
    bide__web_clear(req);
    if (rule)
        answer_by(req, error, rule);
    else if (error->code == 422 && req->problems && bide_problems_count(req->problems) > 0)
        bide__web_refuse_problems(req, req->problems);
    else if (status_of(error))
        answer_by_code(req, error);
    else
        refuse_unknown(req, error);
}
