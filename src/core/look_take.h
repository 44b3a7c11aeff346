/*
 * What look.c (loops, records, rings) and look_tasks.c (what the tasks wait for, names) share: the
 * state of a picture that is being taken, and tables from addresses to numbers. Addresses are the
 * other process's; 0 is none.
 */
#ifndef BIDE_CORE_LOOK_TAKE_H
#define BIDE_CORE_LOOK_TAKE_H

#include "core/look.h"

#include <string.h>

/* The largest structs that are taken for possible. */
enum { BIDE__LOOK_MAX_TASK_BYTES = 4096, BIDE__LOOK_MAX_OTHER_BYTES = 256 };

struct bide__look_map {
    struct {
        uint64_t key;
        uint32_t value;
    } * places;
    size_t capacity, count; /* capacity: a power of two, or 0 */
};

static inline size_t bide__look_map_place(const struct bide__look_map *map, uint64_t key)
{
    size_t place = (size_t)(key * UINT64_C(0x9e3779b97f4a7c15) >> 20) & (map->capacity - 1);
    while (map->places[place].key && map->places[place].key != key)
        place = (place + 1) & (map->capacity - 1);
    return place;
}

static inline bool bide__look_map_get(const struct bide__look_map *map, uint64_t key,
                                      uint32_t *ret_value)
{
    if (!key || !map->count)
        return false;
    size_t place = bide__look_map_place(map, key);
    if (!map->places[place].key)
        return false;
    *ret_value = map->places[place].value;
    return true;
}

static inline bool bide__look_map_grow(struct bide__look_reader *reader, struct bide__look_map *map)
{
    struct bide__look_map larger = {.capacity = map->capacity ? 2 * map->capacity : 256,
                                    .count = map->count};
    larger.places = reader->resize(NULL, larger.capacity * sizeof *larger.places);
    if (!larger.places)
        return false;
    for (size_t i = 0; i < larger.capacity; i++)
        larger.places[i].key = 0;
    for (size_t i = 0; i < map->capacity; i++)
        if (map->places[i].key)
            larger.places[bide__look_map_place(&larger, map->places[i].key)] = map->places[i];
    reader->resize(map->places, 0);
    *map = larger;
    return true;
}

/* False without memory. The key is not 0. */
static inline bool bide__look_map_put(struct bide__look_reader *reader, struct bide__look_map *map,
                                      uint64_t key, uint32_t value)
{
    if (2 * map->count >= map->capacity && !bide__look_map_grow(reader, map))
        return false;
    size_t place = bide__look_map_place(map, key);
    map->count += !map->places[place].key;
    map->places[place].key = key;
    map->places[place].value = value;
    return true;
}

/* What is known of a task besides the picture of it. Addresses. */
struct bide__look_work {
    uint64_t address, at, wait, scope, group, stack, sp, name, made;
    uint64_t object, kind, object_name, object_made, holder;
    bool again;  /* it changed while it was read */
    bool called; /* it runs a call of another loop */
};

struct bide__look_list {
    void *entries;
    size_t capacity;
};

struct bide__look_taker {
    struct bide__look_reader *reader;
    struct bide__look *look;
    struct bide__debug debug;
    struct bide__look_map tasks, chunks, groups, sites, kinds, texts;
    struct bide__look_work *work; /* beside look->tasks */
    uint32_t text_count, group_count;
    struct bide__look_list loop_list, task_list, work_list, site_at_list, kind_at_list,
        text_at_list, group_at_list, resume_list, turn_list;
    struct bide__look_piece *pieces;
    size_t piece_count;
    struct bide__look_list piece_list;
    bool out_of_memory;
};

static inline uint64_t bide__look_at(const struct bide__look_taker *taker, uint64_t base,
                                     enum bide__debug_offset field)
{
    return base + taker->debug.offsets[field];
}

/* A member of a struct whose bytes were read. */
static inline uint64_t bide__look_word(const struct bide__look_taker *taker, const char *bytes,
                                       enum bide__debug_offset field)
{
    uint64_t value;
    memcpy(&value, bytes + taker->debug.offsets[field], sizeof value);
    return value;
}

/* look.c: room for one entry more than `count`; the list's pointer. NULL: no memory. */
void *bide__look_room(struct bide__look_taker *taker, struct bide__look_list *list, size_t count,
                      size_t entry_bytes);

/* Puts off a read until `bide__look_read`; the place stays where it is until then. */
void bide__look_want(struct bide__look_taker *taker, uint64_t address, void *to, size_t size);

/* Whether all of them could be read. What could not be is 0. */
bool bide__look_read(struct bide__look_taker *taker);
bool bide__look_read_now(struct bide__look_taker *taker, uint64_t address, void *to, size_t size);

/* The number of an address in one of the tables that are filled in later: sites, kinds, texts. 0:
   none. */
uint32_t bide__look_number(struct bide__look_taker *taker, struct bide__look_map *map,
                           struct bide__look_list *list, uint32_t *count, uint64_t address);

/* Whether the bytes at `address` are the record of a task of this loop that is not free. */
bool bide__look_decode(struct bide__look_taker *taker, const char *bytes, uint64_t loop,
                       uint64_t next_id, struct bide__look_work *work,
                       struct bide__look_task *task);

/* look_tasks.c: all that is not in the records. */
void bide__look_take_tasks(struct bide__look_taker *taker);

static inline uint32_t bide__look_site_of(struct bide__look_taker *taker, uint64_t address)
{
    return bide__look_number(taker, &taker->sites, &taker->site_at_list, &taker->look->site_count,
                             address);
}

#endif
