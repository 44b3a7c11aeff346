/* What proc(5) says of this process. */
#include "base/process.h"

#include <bide/clock.h>
#include <bide/test.h>
#include <fcntl.h>
#include <unistd.h>

TEST_PLAIN(what_is_known_of_this_process)
{
    struct bide__process before, after;
    bide__process_look(&before);
    check(before.threads >= 1 && before.threads < 1000);
    check(before.resident_bytes > 100000 && before.resident_bytes < before.virtual_bytes);
    check(before.most_descriptors > 0);
    check_near(before.start_unix_s, (double)bide_now_us() / 1e6, 60.0);
    int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    int64_t start_ns = bide_clock_ns();
    do
        bide__process_look(&after); /* until a tick of CPU time has passed */
    while (after.cpu_s <= before.cpu_s && bide_clock_ns() - start_ns < 5000000000);
    check_int(after.open_descriptors, before.open_descriptors + 1);
    check(after.cpu_s > before.cpu_s);
    close(fd);
}
