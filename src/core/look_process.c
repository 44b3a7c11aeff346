/*
 * Reads another process's memory (or one's own) for a picture: process_vm_readv(2), many pieces
 * with one call, without stopping it. Called by look_serve.c and by the command `bide`.
 */
#include "core/look.h"

#include <errno.h>
#include <sys/uio.h>

int bide__look_process_read(int pid, struct bide__look_piece *pieces, size_t count)
{
    enum { AT_A_TIME = 512 };
    struct iovec here[AT_A_TIME], there[AT_A_TIME];
    int error = 0;
    for (size_t done = 0; done < count;) {
        size_t n = count - done < AT_A_TIME ? count - done : AT_A_TIME, bytes = 0;
        for (size_t i = 0; i < n; i++) {
            const struct bide__look_piece *piece = &pieces[done + i];
            here[i] = (struct iovec){piece->to, piece->size};
            /* What lies there is never touched here: it is another process's address. */
            there[i] = (struct iovec){(void *)(uintptr_t)piece->address, piece->size};
            bytes += piece->size;
        }
        ssize_t read = process_vm_readv(pid, here, n, there, n, 0);
        if (read < 0) {
            if (errno != EFAULT)
                return errno;
            error = EFAULT;
            read = 0;
        }
        /* It stops before the first piece that is not there: which is left out. */
        size_t left = (size_t)read, whole = 0;
        while (whole < n && left >= pieces[done + whole].size)
            left -= pieces[done + whole++].size;
        for (size_t i = 0; i < whole; i++)
            pieces[done + i].read = true;
        done += whole;
        if ((size_t)read < bytes && done < count)
            done++;
    }
    return error;
}
