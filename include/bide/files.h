/*
 * files.h: folders of files in an application: assets, pages, single page applications.
 *
 *     bide_app_files(app, "/static", "assets", .max_age_s = 3600);
 *     bide_app_files(app, "", "dist", .index = "index.html", .fallback = "index.html");
 *
 * GET and HEAD for files below the folder; any other method is 405. What is not there, or not for
 * peers, is 404: nothing tells the two apart.
 *
 * Invariants
 *  1. Nothing outside of the folder is served: not by `..`, however it is encoded, not by a
 *     symbolic link that leads out (one that stays inside is followed, where the kernel has
 *     openat2(2), Linux 5.6; else none is).
 *  2. No name that begins with a dot, no listing of a folder, only regular files.
 *  3. Routes come first: a file below a prefix is hidden by a route of its path. Two folders at
 *     one prefix, or a folder and a catch-all, are an error at start.
 *  4. The loop does not wait for a disk: files are read on the blocking lane (offload.h). Each loop
 *     keeps small ones in memory, 8 MiB of them, and looks whether they have changed when they are
 *     asked for and a second has passed: so a change is seen after a second at most.
 *  5. A file of up to 1 MiB (BIDE_CAP_FILE_BYTES) is read whole, as it was at one moment. A larger
 *     one is not read: its bytes go from the kernel's memory to the socket (sendfile(2)), and what
 *     a disk has to be asked for is sent by the lane. It is the file that was opened, also when
 *     another is renamed over it; who writes into it in place, sends a mixture, and who cuts it
 *     while it is sent, cuts the reply: the connection is closed, and the log says why.
 *
 * A reply has
 *   Content-Type    by the end of the name, with charset=utf-8 for texts; nosniff
 *   ETag            strong: the time of the last change in nanoseconds, the size, the inode. Two
 *                   contents have the same one only if a file was overwritten in place, with the
 *                   same size, within a tick of the file system's clock (4 ms at most): rename(2) a
 *                   new file over the old one
 *   Last-Modified   of the file
 *   Cache-Control   "no-cache" (kept, but asked for each time) for pages, .html, and without
 *                   max_age_s; otherwise "public, max-age=...", ", immutable"
 *   Accept-Ranges   bytes
 * If-Match, If-Unmodified-Since (412), If-None-Match and If-Modified-Since (304) come first, in the
 * order of RFC 9110 13.2.2, then Range: 206 with one range or with several (multipart/byteranges),
 * of which those that overlap or touch are one; 416 when none is there. The whole file is sent to
 * HEAD, for a Range that is malformed or asks for more than 16 parts, and when If-Range has another
 * tag or date. `name.gz` beside `name`, of a type that compresses, is sent in its place to those
 * who accept gzip, unless it is older; files over 1 MiB are compressed in no other way.
 *
 * layer: web
 */
#ifndef BIDE_FILES_H
#define BIDE_FILES_H

#include <bide/web.h>

/* `prefix` and `folder` are the arguments of bide_app_files. */
struct bide_files {
    const char *file; /* where it was called */
    int line;
    const char *prefix, *folder;
    const char *index;    /* for paths that end with a slash, "index.html"; a folder without its
                             slash is redirected to it. NULL: such paths are 404 */
    const char *fallback; /* what a page that is not there gets, with 200: a path whose last part
                             has no dot, asked for by who would rather have a page than JSON, as
                             browsers would (Accept). A file of the folder; NULL: 404 */
    int max_age_s;        /* how long others may keep a file without asking */
    bool immutable;       /* files never change, as when their names have a hash in them */
};

/*
 * bide_app_files(app, prefix, folder, .index = ...): serves a folder below a prefix ("" for the
 * root, "/static"). All texts are copied. Before the application starts. The folder is opened when
 * it does: one that is not there is what bide_app_check says.
 */
#define bide_app_files(app, below, ...)                                                            \
    bide__app_files(                                                                               \
        (app), &(struct bide_files){                                                               \
                   .file = __FILE__, .line = __LINE__, .prefix = (below), .folder = __VA_ARGS__})
void bide__app_files(bide_app *app, const struct bide_files *files);

#endif
