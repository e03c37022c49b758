/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Netlink sockets, batches of requests, and dumps: what rtnetlink and nfnetlink have in common.
 *
 * A batch is many requests in one sendmsg(2). The kernel works through all of them, in order,
 * before the call returns, also past requests that it refuses. It reports each refusal; of those
 * that it grants, only the last asks for an acknowledgement (NLM_F_ACK), which therefore ends the
 * conversation: a request of which nothing was heard by then was granted. This costs one reply a
 * batch instead of one a request.
 */

#include <libmnl/libmnl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

struct netlink {
    struct mnl_socket *socket;
    uint32_t seq; /* of the request that was sent last */
};

/* A socket of the protocol (NETLINK_ROUTE …) in the calling thread's namespace, with extended
 * acknowledgements and strict checking of dump requests. 0 or -errno. */
int netlink_open(struct netlink *ret, int protocol, struct weft_error *err);
void netlink_close(struct netlink *nl);

/* The same without waiting: where nf_tables has just removed something, the kernel lets the last
 * socket that spoke of it go only after an RCU grace period, some ten milliseconds. */
void netlink_close_aside(struct netlink *nl);

/* The index of a link in the socket's namespace, or -ENODEV. */
int netlink_link_index(const struct netlink *nl, const char *name);

/* The socket's port id: by it, notifications tell who asked for a change. 0 or -errno. */
int netlink_port(const struct netlink *nl, uint32_t *ret, struct weft_error *err);

/* Requests that will go out together. Zero-initialise; keeps its memory for the next use. */
struct netlink_batch {
    char *data;
    size_t len;
    size_t capacity;
    unsigned count; /* of messages */
    uint32_t first_seq;
    /* nfnetlink: between a begin and an end message, all or nothing. A refusal of the begin message
     * is one of the whole. */
    bool is_transaction;
    size_t last, before_last; /* offsets of the last two messages */
};

/* Room for one more message: no message of this layer is longer. */
#define NETLINK_MESSAGE_MAX 1024

void netlink_batch_reset(struct netlink_batch *b, const struct netlink *nl);
void netlink_batch_free(struct netlink_batch *b);
/* Where the next message is to be written, with the sequence number it shall carry; NULL when
 * memory ran out. */
void *netlink_batch_begin(struct netlink_batch *b, uint32_t *ret_seq);
/* Adds the message written there. */
void netlink_batch_end(struct netlink_batch *b, const struct nlmsghdr *nlh);
/* Takes back what was added since the batch was copied to `before`. */
void netlink_batch_rollback(struct netlink_batch *b, const struct netlink_batch *before);
/* netlink_batch_begin for a request of rtnetlink: the header is filled in. */
struct nlmsghdr *netlink_batch_begin_request(struct netlink_batch *b, uint16_t type,
                                             uint16_t flags);

/* Told of each refusal: number of the message in the batch, positive errno, and the kernel's
 * explanation ("" if it gave none). */
typedef void netlink_refused_fn(void *ctx, unsigned message, int errnum, const char *why);

/* Sends the batch and hears all answers. 0 when the conversation was completed, whatever was
 * refused; -errno when it was not: what the kernel did is then unknown. */
int netlink_batch_run(struct netlink *nl, struct netlink_batch *b, netlink_refused_fn *refused,
                      void *ctx, struct weft_error *err);

/* Sends a request that has no NLM_F_DUMP and gives its one answer to cb. 0 or -errno. */
typedef int netlink_message_fn(void *ctx, const struct nlmsghdr *nlh);
int netlink_request(struct netlink *nl, struct nlmsghdr *nlh, netlink_message_fn *cb, void *ctx,
                    struct weft_error *err);

/* Sends a dump request and gives every message of the answer to cb. When the kernel says that the
 * dump was inconsistent (NLM_F_DUMP_INTR), reset is called and all is asked again, ten times at
 * most. A negative return of cb means that memory ran out and ends it. 0 or -errno. */
typedef void netlink_reset_fn(void *ctx);
int netlink_dump(struct netlink *nl, struct nlmsghdr *nlh, netlink_message_fn *cb,
                 netlink_reset_fn *reset, void *ctx, struct weft_error *err);
