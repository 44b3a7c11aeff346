/* What both sides of file_read share: a file in the page cache, whose blocks begin with their
 * numbers, and the order in which a reader takes them. */
#pragma once
#include "measure.h"
#include <stdbool.h>
#include <unistd.h>

enum { READERS = 64, BLOCKS = 4096, BLOCK_BYTES = 4096 };

static inline void blocks_must(bool holds, const char *what)
{
    if (!holds) {
        perror(what);
        exit(1);
    }
}

/* Writes the file; its name goes to `path`, "/tmp/..._XXXXXX". */
static inline void blocks_make(char *path)
{
    char block[BLOCK_BYTES] = {0};
    int fd = mkstemp(path);
    blocks_must(fd >= 0, path);
    for (uint64_t i = 0; i < BLOCKS; i++) {
        memcpy(block, &i, sizeof i);
        blocks_must(write(fd, block, sizeof block) == sizeof block, path);
    }
    close(fd);
}

struct reader {
    uint64_t state; /* of the order */
    char block[BLOCK_BYTES];
};

/* Where it reads next. */
static inline uint64_t reader_next(struct reader *reader)
{
    reader->state = reader->state * 6364136223846793005u + 1442695040888963407u;
    return (reader->state >> 33) % BLOCKS * BLOCK_BYTES;
}

/* After it read `size` bytes at `offset`. */
static inline void reader_check(const struct reader *reader, long size, uint64_t offset)
{
    uint64_t number;
    memcpy(&number, reader->block, sizeof number);
    if (size != BLOCK_BYTES || number != offset / BLOCK_BYTES) {
        fprintf(stderr, "file_read: not the block that was asked for\n");
        exit(1);
    }
}
