/*
 * What the files of this folder share.
 */
#ifndef BIDE_AUTH_AUTH_H
#define BIDE_AUTH_AUTH_H

#include <bide/arena.h>
#include <bide/clock.h>

#include <stdbool.h>
#include <stddef.h>

/* Raises BIDE_INVALID: `what` it is about, and why. */
__attribute__((noreturn, cold, format(printf, 2, 3))) void
bide__auth_invalid(const char *what, const char *format, ...);

/* The same for a library that this bide was built without: its packages for apt and dnf. */
__attribute__((noreturn, cold)) void bide__auth_missing(const char *what, const char *library,
                                                        const char *apt, const char *dnf);

/* An arena, or for NULL that of bide_task_arena, and memory of it. Raise BIDE_NO_MEMORY. */
bide_arena *bide__auth_arena(bide_arena *arena) __attribute__((returns_nonnull));
void *bide__auth_alloc(bide_arena *arena, size_t size) __attribute__((returns_nonnull));

/* Random bytes of the system, for keys. Raises BIDE_SYSTEM. */
void bide__auth_random(void *ret_bytes, size_t size);

/* Microseconds of a duration of rules, where 0 means the default. */
static inline int64_t bide__auth_us(bide_duration duration, int64_t default_s)
{
    return duration.ns ? duration.ns / 1000 : default_s * 1000000;
}

/* The SHA-256 of texts with a NUL between them, as hexadecimal digits. */
enum { BIDE__DIGEST_BYTES = 65 }; /* the digits and a NUL */
void bide__auth_digest(const char *const *texts, size_t count, char ret_text[BIDE__DIGEST_BYTES]);

/* Base64url without padding (RFC 4648 section 5). Room for a text of `size` bytes, NUL included. */
static inline size_t bide__base64url_room(size_t size)
{
    return (size + 2) / 3 * 4 + 1;
}
void bide__base64url_encode(const void *bytes, size_t size, char *ret_text);

/* The bytes of the one text that has them, in room for `length` of them; -1 for any other text:
   padding, blanks, a length that none has, bits that are left over. */
ptrdiff_t bide__base64url_decode(const char *text, size_t length, void *ret_bytes);

#endif
