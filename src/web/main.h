/*
 * What the files of bide_main share.
 *
 *     main.c -> main_options.c (the command line)
 *            -> main_listen.c (sockets) -> main_holder.c (who has the port)
 *            -> main_routes.c (the table)
 *            -> serve.c, on each loop
 */
#ifndef BIDE_WEB_MAIN_H
#define BIDE_WEB_MAIN_H

#include "web/web.h"

#include <bide/log.h>
#include <bide/main.h>
#include <bide/settings.h>

#include <sys/stat.h>

/* Exit statuses, see bide/main.h. */
enum { BIDE__EXIT_FAILED = 1, BIDE__EXIT_USAGE = 2, BIDE__EXIT_LISTEN = 3 };

ENUM(bide__log_level_name, debug, info, warn, warning, error);
ENUM(bide__log_format_name, text, json);
ENUM(bide__io_name, auto, epoll, uring); /* as enum bide_io */

/* The options of `run`. The name of a field with - for _ is the option. */
MODEL(bide__run, "",
      (str, host, dflt("127.0.0.1")),
      (i32, port, range(0, 65535), dflt(8000)),
      (str, uds, len(1, 107), optional),
      (str, uds_mode, len(3, 4), dflt("660")),
      (i32, fd, range(0, 1048576), optional),
      (i32, backlog, range(1, 65535), optional),
      (i32, workers, range(0, BIDE_CAP_WORKERS), dflt(1)),
      (bide__io_name, io, optional),
      (f64, keep_alive, range(0.001, 86400), optional),
      (f64, lame_duck, range(0, 3600), optional),
      (f64, drain, range(0.001, 86400), optional),
      (str, trusted_proxies, optional),
      (i64, max_body, range(1, INT64_MAX), optional),
      (bide__log_level_name, log_level, dflt(bide__log_level_name_info)),
      (bide__log_format_name, log_format, dflt(bide__log_format_name_text)));

/* The name of the program, for messages. */
extern const char *bide__main_name;

/* Prints `NAME: ...` and a line end on stderr. */
void bide__main_say(const char *format, ...) __attribute__((__format__(__printf__, 1, 2)));

/* Reads the options behind the command: `arguments` ends with a NULL. NULL: it has said what is
   wrong, or printed the help (`ret_status` is 0 then). The caller frees the settings. */
bide_settings *bide__main_options_read(char *const *arguments, int *ret_status);
void bide__main_help(const struct bide_main_options *options, FILE *out);

/* Sockets that listen, one for each worker. */
struct bide__main_sockets {
    int fds[BIDE_CAP_WORKERS]; /* -1: none, or handed over */
    int count;
    bool handed_over;                 /* by who started the program, who may go on with them */
    char address[BIDE_ADDRESS_BYTES]; /* what is listened on */
    const char *path;                 /* of a socket file that was made, or NULL */
    struct stat file;                 /* it */
};

/* Opens them as the options say. 0, or the exit status after a message. */
int bide__main_listen(const bide__run *run, int count, struct bide__main_sockets *sockets);

/* Closes what was not handed over, and removes the socket file. */
void bide__main_unlisten(struct bide__main_sockets *sockets);

/* The process that listens on the TCP port: "nginx, pid 12"; false: nobody, or not to be seen. */
bool bide__main_holder(uint16_t port, char *text, size_t size);

/* Tells the supervisor that this process serves, if it wants to know (NOTIFY_SOCKET). */
void bide__main_notify_ready(void);

/* The table of an application's routes. */
void bide__main_routes(const bide_app *app, FILE *out);

#endif
