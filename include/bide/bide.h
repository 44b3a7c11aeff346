/*
 * bide.h: everything, in reading order.
 *
 *     cc app.c $(pkg-config --cflags --libs bide)
 *
 * Define BIDE_NO_KEYWORDS before including it to leave out the short words (async, await, spawn
 * ...); each has a long form (bide_async, bide_await, bide_spawn ...).
 */
#ifndef BIDE_BIDE_H
#define BIDE_BIDE_H

#include <bide/async.h>
#include <bide/clock.h>
#include <bide/error.h>
#include <bide/scope.h>
#include <bide/task.h>
#include <bide/group.h>
#include <bide/spawn_on.h>
#include <bide/gen.h>
#include <bide/retry.h>
#include <bide/local.h>
#include <bide/resource.h>
#include <bide/cell.h>
#include <bide/mutex.h>
#include <bide/rwlock.h>
#include <bide/semaphore.h>
#include <bide/barrier.h>
#include <bide/condition.h>
#include <bide/event.h>
#include <bide/once.h>
#include <bide/channel.h>
#include <bide/cross_channel.h>
#include <bide/pool.h>
#include <bide/name.h>
#include <bide/net.h>
#include <bide/udp.h>
#include <bide/offload.h>
#include <bide/file.h>
#include <bide/process.h>
#include <bide/runtime.h>
#include <bide/model.h>
#include <bide/json.h>
#include <bide/settings.h>
#include <bide/template.h>
#include <bide/db.h>
#include <bide/migrate.h>
#include <bide/redis.h>
#include <bide/cache.h>
#include <bide/code.h>
#include <bide/http.h>
#include <bide/web.h>
#include <bide/url_for.h>
#include <bide/middleware.h>
#include <bide/files.h>
#include <bide/http_client.h>
#include <bide/mail.h>
#include <bide/main.h>
#include <bide/observe.h>
#include <bide/token.h>
#include <bide/password.h>
#include <bide/jwt.h>
#include <bide/refresh.h>
#include <bide/login_guard.h>

#endif
