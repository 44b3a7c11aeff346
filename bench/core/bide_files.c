/* bide's side of file_read: 64 tasks that each read a block, look at it, and read the next. */
#include "blocks.h"
#include <bide/bide.h>

SPAWNABLE(void, read_blocks, bide_file_ptr, struct reader *, uint64_t)
async(void) read_blocks(bide_file_ptr file, struct reader *reader, uint64_t count)
{
    for (uint64_t i = 0; i < count; i++) {
        uint64_t offset = reader_next(reader);
        size_t size = await(bide_file_read_at(file, reader->block, BLOCK_BYTES, (int64_t)offset));
        reader_check(reader, (long)size, offset);
    }
    return bide_void;
}

static async(uint64_t) read_all(bide_file_ptr file, uint64_t each)
{
    static struct reader readers[READERS];
    uint64_t start_ns = measure_now_ns();
    with_group(g) {
        for (uint64_t i = 0; i < READERS; i++) {
            readers[i].state = i;
            spawn_void(g, read_blocks, file, &readers[i], each);
        }
    }
    return ready(uint64_t, measure_now_ns() - start_ns);
}

static async(void) app(const char *name)
{
    char path[] = "/tmp/bide_blocks_XXXXXX";
    blocks_make(path);
    bide_file *file = await(bide_file_open(path, BIDE_FILE_READ, 0));
    unlink(path);
    uint64_t target_ns = measure_target_ns(), each = 10;
    struct measured run;
    for (int last = 0; !last; each = measure_next_count(run, target_ns, &last) / READERS)
        run = (struct measured){each * READERS, await(read_all(file, each))};
    run = (struct measured){each * READERS, await(read_all(file, each))};
    measure_print(name, run);
    bide_file_close(file);
    return bide_void;
}

static const char *case_name;

static async(void) run_case(void)
{
    return app(case_name);
}

int main(int argc, char **argv)
{
    case_name = argc == 2 ? argv[1] : "file_read";
    return bide_run(run_case);
}
