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

void bide__web_log_failure(bide_request *req, const bide_error *error)
{
    char report[2048];
    bide_error_format(error, report, sizeof report);
    bide_log(BIDE_LOG_ERROR, "request %s, %.*s %.*s, failed: %s", bide__web_id(req),
             (int)req->method_text.length, req->method_text.bytes,
             (int)(req->path.length < 256 ? req->path.length : 256), req->path.bytes, report);
}

/* The outage of this code and place, or the place of the one that was longest ago. */
static struct bide__outage *outage_of(struct bide__web_server *server, const bide_error *error)
{
    struct bide__outage *oldest = server->outages;
    for (int i = 0; i < BIDE_CAP_WEB_OUTAGES; i++) {
        struct bide__outage *outage = &server->outages[i];
        if (outage->code == error->code && outage->at == error->at)
            return outage;
        if (outage->until_ns < oldest->until_ns)
            oldest = outage;
    }
    *oldest = (struct bide__outage){.code = error->code, .at = error->at};
    return oldest;
}

/* What is away fails every request meanwhile: in full once in a while, otherwise in one line. */
static void log_outage(bide_request *req, const bide_error *error)
{
    struct bide__outage *outage = outage_of(req->server, error);
    int64_t now_ns = bide__task_current()->loop->now_ns;
    if (now_ns < outage->until_ns) {
        outage->left_out++;
        bide_log(BIDE_LOG_ERROR, "request %s, %.*s %.*s, failed: %s: %s", bide__web_id(req),
                 (int)req->method_text.length, req->method_text.bytes,
                 (int)(req->path.length < 256 ? req->path.length : 256), req->path.bytes,
                 bide_code_name(error->code), error->message);
        return;
    }
    if (outage->left_out > 0)
        bide_log(BIDE_LOG_ERROR, "%" PRIu64 " reports like the next one were left out",
                 outage->left_out);
    outage->left_out = 0;
    outage->until_ns = now_ns + BIDE_CAP_WEB_OUTAGE_MS * INT64_C(1000000);
    bide__web_log_failure(req, error);
}

static const struct bide__error_rule *rule_for(const bide_app *app, int code)
{
    const struct bide__error_rule *rule = app->error_rules;
    while (rule && rule->code != code)
        rule = rule->next;
    return rule;
}

/* The body of a failure as JSON; false without memory. */
static bool write_json(bide_request *req, const bide_failure *failure)
{
    bool details = req->server->app->options.problem_details;
    bide_buf *buf = bide__web_buf(req);
    if (!buf)
        return false;
    if (details) {
        bide_buf_append_str(buf, "{\"type\":\"about:blank\",\"title\":");
        put_text(buf, failure->title);
        bide_buf_printf(buf, ",\"status\":%d,", failure->status);
    } else {
        bide_buf_append_char(buf, '{');
    }
    bide_buf_append_str(buf, "\"detail\":");
    if (details || !failure->problems)
        put_text(buf, failure->detail);
    if (details && failure->problems)
        bide_buf_append_str(buf, ",\"errors\":");
    if (failure->problems)
        bide_problems_write(failure->problems, buf);
    if (failure->id)
        bide_buf_printf(buf, ",\"id\":\"%s\"", failure->id);
    return bide_buf_append_char(buf, '}') == 0;
}

static void refuse(bide_request *req, bide_failure failure)
{
    failure.title = bide__http_reason(failure.status);
    req->own_type = NULL;
    if (write_json(req, &failure))
        bide__web_reply_buf(req, failure.status,
                            req->server->app->options.problem_details ? "application/problem+json"
                                                                      : "application/json");
    else
        bide__web_reply(req, failure.status, NULL, "", 0);
    const char *challenge = failure.status == 401 ? bide__web_challenge(req) : NULL;
    if (challenge)
        (void)bide__web_add_field(req, "WWW-Authenticate", challenge);
    const char *detail = bide_arena_strdup(bide_arena_of(req), failure.detail);
    failure.detail = detail ? detail : failure.title;
    req->failure = failure;
    req->failure_is_new = true;
}

void bide__web_refuse(bide_request *req, int status, const char *detail)
{
    refuse(req, (bide_failure){.status = status, .detail = detail});
}

/* The list may lie in a frame, its problems are in the arena. */
void bide__web_refuse_problems(bide_request *req, const bide_problems *problems)
{
    bide_problems *kept = bide_arena_alloc(bide_arena_of(req), sizeof *kept);
    refuse(req, (bide_failure){
                    .status = 422, .detail = "the request has problems", .problems = problems});
    if (kept)
        *kept = *problems;
    req->failure.problems = kept;
}

const bide_failure *bide_failure_of(const bide_request *req)
{
    return req->failure.status ? &req->failure : NULL;
}

static void refuse_unknown(bide_request *req, const bide_error *error)
{
    bide__web_log_failure(req, error);
    refuse(req, (bide_failure){.status = 500, .detail = "Internal Server Error", .id = req->id});
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

/* Whether the same request may be sent again: nothing was done for it. Of a safe method (RFC 9110
   section 9.2.1) that is so whatever was done; else what failed must have left nothing, and nothing
   been committed before. */
static bool may_be_sent_again(const bide_request *req, const bide_error *error)
{
    bool is_away = error->code == BIDE_UNREACHABLE || error->code == BIDE_TIMEOUT;
    if (!is_away && error->code != BIDE_TX_RETRY)
        return false;
    if (req->method == BIDE__HTTP_GET || req->method == BIDE__HTTP_HEAD)
        return true;
    return !req->memory->has_effects && (error->code != BIDE_TIMEOUT || error->undone);
}

/* What the peer is told of an error that has a status. What the server of a database says is not
   for it: names of rules, addresses, other people's rows. */
static const char *told(const bide_error *error, bool again)
{
    switch (error->code) {
    case BIDE_TX_RETRY:
        return "another change was in the way: try again";
    case BIDE_UNREACHABLE:
        return "something that is needed for this does not answer: try again later";
    case BIDE_TIMEOUT:
        if (again)
            return "this took too long: try again later";
        return "this took too long, and may have been done: look before you try again";
    case BIDE_OUTCOME_UNKNOWN:
        return "this may have been done, or not: look before you try again";
    default:
        return error->told ? error->told : error->message;
    }
}

/* Answers by the status that the code means. Programs that are told when to try again do so by
   themselves. */
static void answer_by_code(bide_request *req, const bide_error *error)
{
    int code = error->code;
    if (code == BIDE_UNREACHABLE || code == BIDE_TIMEOUT || code == BIDE_OUTCOME_UNKNOWN)
        log_outage(req, error);
    bool again = may_be_sent_again(req, error);
    bide__web_refuse(req, status_of(error), told(error, again));
    if (again)
        (void)bide__web_add_field(req, "Retry-After", "1");
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
