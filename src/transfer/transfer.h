/*
 * libcurl on the loop: transfers, and connections that it makes for others. Called by drivers of
 * protocols; calls libcurl's multi socket interface and core/op.h.
 *
 * Nothing of this is there when the library was built without libcurl (BIDE_CURL).
 */
#ifndef BIDE_TRANSFER_TRANSFER_H
#define BIDE_TRANSFER_TRANSFER_H

#include "core/loop.h"

#if BIDE_CURL
#include <curl/curl.h>

/* ---- multi.c: transfers ---- */

/* One multi handle, for the tasks of one loop. */
struct bide__transfers;

/* 0, -ENOMEM, or what the kernel says. `name`, which must stay, is for reports. */
int bide__transfers_new(const char *name, struct bide__transfers **ret_transfers);

/* None is under way. NULL is nothing. */
void bide__transfers_free(struct bide__transfers *transfers);

/* An easy handle as all transfers want it: no signals, no waiting for threads of the resolver.
   NULL: no memory. Its CURLOPT_PRIVATE is taken. */
CURL *bide__transfer_easy(void);

/*
 * Does what the easy handle says, to its end: 0, with libcurl's result; -ECANCELED; -ENOMEM.
 * Suspends. Afterwards the handle is out of the multi handle; with `keep` it stays in, if it
 * succeeded, until bide__transfer_remove. Callbacks that are set on the handle may neither suspend
 * nor fail.
 */
int bide__transfer(struct bide__transfers *transfers, CURL *easy, bool keep, CURLcode *ret_result);
void bide__transfer_remove(struct bide__transfers *transfers, CURL *easy);

/*
 * The same in steps, for a task that has work of its own on the way: the callbacks of its handle
 * ask for the task by bide__transfer_want, and pause the transfer (curl_easy_pause(3)) while it is
 * at work; it may suspend then.
 */
struct bide__transfer {
    struct bide__transfers *transfers;
    CURL *easy;
    struct bide__wait wait; /* while another task lets libcurl work */
    bool done, wanted;
    CURLcode result; /* when it is done */
};

/* 0 or -ENOMEM. Must be followed by bide__transfer_end. */
int bide__transfer_begin(struct bide__transfer *transfer, struct bide__transfers *transfers,
                         CURL *easy);

/* Suspends until it is done, or wanted. 0, -ECANCELED, -ENOMEM. */
int bide__transfer_next(struct bide__transfer *transfer);

/* Takes the handle out of the multi handle, wherever it is. */
void bide__transfer_end(struct bide__transfer *transfer);

static inline void bide__transfer_want(struct bide__transfer *transfer)
{
    transfer->wanted = true;
    if (transfer->wait.queue)
        bide__wake(&transfer->wait, 0);
}

/* ---- addresses.c: what CURLOPT_RESOLVE takes ---- */

/* The addresses of a host, by bide_resolve; NULL for a numeric one. Freed by the caller, when the
   handle is. Suspends. Raises what bide_resolve does. */
struct curl_slist *bide__transfer_addresses(const char *host, uint16_t port) BIDE__TASK;

/* ---- wire.c: a connection that libcurl has made, for somebody who speaks its protocol ---- */

struct bide__wire {
    CURL *easy;
    struct bide__transfers *transfers;
    struct bide__fd fd;
    bool attached;
    char problem[CURL_ERROR_SIZE]; /* libcurl's words for the last failure, or "" */
};

/*
 * A zeroed wire gets an easy handle that only connects; what else it needs is set by the caller
 * before bide__wire_connect, which suspends: 0, with libcurl's result; -ECANCELED; -ENOMEM, or what
 * the kernel says. `kind` is for reports.
 */
int bide__wire_init(struct bide__wire *wire, struct bide__transfers *transfers,
                    const struct bide__kind *kind);
int bide__wire_connect(struct bide__wire *wire, CURLcode *ret_result);

/* Sends all; 0, -ECANCELED, -ECONNRESET. Receives some; 0 at the end. They suspend. */
int bide__wire_send(struct bide__wire *wire, const void *data, size_t size);
int bide__wire_receive(struct bide__wire *wire, void *data, size_t size);

/* Whether it is open and nothing has come from the peer that was not received. Never suspends. */
bool bide__wire_is_quiet(const struct bide__wire *wire);

/* Closes it at once, without a word to the peer; never suspends. May be called again. */
void bide__wire_done(struct bide__wire *wire);

#endif
#endif
