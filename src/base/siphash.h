/*
 * A keyed hash of bytes, for tables whose keys strangers choose: without the key nobody makes two
 * that collide. Called by web/rate_limit.c. Not for signatures.
 *
 * Source: J.-P. Aumasson, D. J. Bernstein, "SipHash: a fast short-input PRF" (2012), SipHash-2-4.
 */
#ifndef BIDE_BASE_SIPHASH_H
#define BIDE_BASE_SIPHASH_H

#include <stddef.h>
#include <stdint.h>

uint64_t bide__siphash(const uint64_t key[2], const void *bytes, size_t length);

#endif
