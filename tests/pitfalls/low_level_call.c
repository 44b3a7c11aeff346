/* Descriptors where a function that waits is there. docs/pitfalls/low_level_call.md. */
#include <bide/bide.h>

#include <poll.h>
#include <sys/socket.h>

async(long) answer_of(int fd, char *buffer, size_t size);
async(long) answer_of(int fd, char *buffer, size_t size)
{
    struct pollfd wanted = {.fd = fd, .events = POLLIN};
    if (poll(&wanted, 1, -1) < 0)
        return ready(long, -1);
    return ready(long, recv(fd, buffer, size, 0));
}
