/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* What the files of this layer share: the inside of `struct kernel`. */

#include "kernel/kernel.h"
#include "kernel/netlink.h"
#include "kernel/removal.h"

struct kernel {
    int host_ns;         /* the host's network namespace */
    struct netlink rtnl; /* sockets in the host */
    struct netlink nft;
    struct removals removals;
    struct forgetting *forgetting; /* conntrack.c's; NULL: none is under way */
    bool has_ipv6;                 /* booted with ipv6.disable=1 there is no such thing */

    /* The base ruleset as this process loaded it. */
    const char *rules;     /* its text; NULL: it did not */
    uint64_t rules_digest; /* see nft_rules_digest */
    pid_t loader;          /* the process that did it, whose number is its socket's port id, too */

    enum kernel_fault fault;
    unsigned fault_nth;
    unsigned fault_count;
};
