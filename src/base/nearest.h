/*
 * The name that somebody may have meant: "did you mean `port`?". Called by the readers of settings
 * and of command lines; pure.
 */
#ifndef BIDE_BASE_NEAREST_H
#define BIDE_BASE_NEAREST_H

struct bide__nearest {
    const char *wanted; /* what was written */
    const char *best;   /* of what was offered: the nearest that is near enough, or NULL */
    unsigned distance;  /* of `best`: letters that differ */
};

/* Offers one more name, which must stay as long as the structure. */
void bide__nearest_offer(struct bide__nearest *nearest, const char *name);

#endif
