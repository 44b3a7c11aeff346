/*
 * How far two names are apart: letters inserted, left out, replaced, or two that changed places
 * (optimal string alignment).
 */
#include "base/nearest.h"

#include <string.h>

enum { NAME_BYTES = 64 };

static unsigned least(unsigned a, unsigned b)
{
    return a < b ? a : b;
}

/* Both are at most NAME_BYTES long. Three rows of the table are enough. */
static unsigned distance_of(const char *a, size_t a_length, const char *b, size_t b_length)
{
    unsigned rows[3][NAME_BYTES + 1];
    for (unsigned j = 0; j <= b_length; j++)
        rows[0][j] = j;
    for (unsigned i = 1; i <= a_length; i++) {
        unsigned *row = rows[i % 3], *above = rows[(i - 1) % 3], *over = rows[(i + 1) % 3];
        row[0] = i;
        for (unsigned j = 1; j <= b_length; j++) {
            unsigned replaced = above[j - 1] + (a[i - 1] != b[j - 1]);
            row[j] = least(replaced, least(above[j], row[j - 1]) + 1);
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                row[j] = least(row[j], over[j - 2] + 1);
        }
    }
    return rows[a_length % 3][b_length];
}

void bide__nearest_offer(struct bide__nearest *nearest, const char *name)
{
    size_t wanted = strlen(nearest->wanted), length = strlen(name);
    if (wanted > NAME_BYTES || length > NAME_BYTES)
        return;
    unsigned most = wanted < 4 ? 1 : wanted < 8 ? 2 : 3;
    unsigned distance = distance_of(nearest->wanted, wanted, name, length);
    if (distance <= most && (!nearest->best || distance < nearest->distance)) {
        nearest->best = name;
        nearest->distance = distance;
    }
}
