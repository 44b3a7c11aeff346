/*
 * From a file to a socket, without a copy in this process. Called by src/http.
 */
#ifndef BIDE_IO_SEND_FILE_H
#define BIDE_IO_SEND_FILE_H

#include "core/loop.h"

/*
 * Sends some of the `size` bytes at `at` of a regular file: by the loop what is in memory, by the
 * blocking lane what a disk must be asked for, so that the loop does not wait for it. How many; 0:
 * the file ends before them; -EAGAIN: the socket takes none now; another negative code. The socket
 * has nobody else who writes. In a task; may suspend; raises a cancel and BIDE_LIMIT as offload.h
 * says, and then nobody knows how much was sent.
 */
int64_t bide__send_file(const struct bide__fd *to, int file, uint64_t at, uint64_t size) BIDE__TASK;

#endif
