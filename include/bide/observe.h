/*
 * observe.h: what an application does, as seen from outside: a line per request, numbers for
 * Prometheus.
 *
 *     bide_app_access_log(app, false);
 *     bide_app_metrics(app, "/metrics");
 *
 * Both are off unless they are asked for, and then see every request, also those that middleware
 * answered or that were cancelled. A request under way when its peer hangs up, or that is cut off
 * by its deadline, has the status 0: the application has not replied.
 *
 * layer: web
 */
#ifndef BIDE_OBSERVE_H
#define BIDE_OBSERVE_H

#include <bide/web.h>

/*
 * One record of the log (log.h), at level info, for each request, after its reply has been handed
 * to the peer:
 *
 *     INFO [task 7] observe.c:61 request method=GET path=/users/7 status=200 bytes=42
 *          duration_us=180 client=192.0.2.1 request_id=9f2c... user_agent="curl/8.0"  (on one line)
 *
 * The id is that of X-Request-Id (bide_request_ids) and of the error's record, if there is one. The
 * query is left out, as it may hold secrets, unless `with_query` is true. Texts of peers are
 * escaped, and cut: the path at 512 bytes, the others at 256. When records come faster than the log
 * writes them it drops some and says how many (bide_log_dropped_total). Before the application
 * starts.
 */
void bide_app_access_log(bide_app *app, bool with_query);

/*
 * A page for Prometheus, in its text format 0.0.4, at this path. Before the application starts.
 *
 *   bide_http_requests_total{route,method,status}       by pattern, not by path; status "2xx", or
 *                                                       "none"; what found no route has route=""
 *   bide_http_request_duration_seconds{route,method}    a histogram: from the turn of the loop that
 *                                                       saw the request to the end of its reply
 *   bide_http_requests_in_flight
 *   bide_http_connections                               of all servers of the process
 *   process_...                                         CPU, memory, descriptors, start, threads
 *   and all that the program and the library declare with metrics.h
 *
 * Each loop counts for itself; the page sums, on the blocking lane. Do not let strangers read it: a
 * port of its own, or a middleware.
 */
void bide_app_metrics(bide_app *app, const char *path);

#endif
