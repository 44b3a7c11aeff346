/*
 * What was raised, as a reply: only what was meant for the peer is told to it. Called by
 * dispatch.c; calls the application's rules, and the log.
 */
#include "web/web.h"

#include "core/error.h"
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

static void reply_unknown(bide_request *req, const bide_error *error)
{
    log_it(req, error);
    bide_buf *buf = bide__web_buf(req);
    if (buf)
        bide_buf_printf(buf, "{\"detail\":\"Internal Server Error\",\"id\":\"%s\"}", req->id);
    bide__web_detail(req, 500, buf ? NULL : "Internal Server Error");
}

void bide__web_failed(bide_request *req, const bide_error *error)
{
    const struct bide__error_rule *rule = rule_for(req->server->app, error->code);
    int status = error->code;
    bide__web_clear(req);
    if (rule) {
        bide_buf *buf = bide__web_buf(req);
        if (!buf) {
            reply_unknown(req, error);
            return;
        }
        status = rule->answer(req, error, buf);
        if (status < 200 || status > 599)
            status = 500;
        bool empty = bide_buf_length(buf) == 0;
        bide__web_detail(req, status, empty && !bide_buf_error(buf) ? error->message : NULL);
    } else if (status >= 400 && status <= 599) {
        bide__web_detail(req, status, error->message);
    } else {
        reply_unknown(req, error);
    }
}
