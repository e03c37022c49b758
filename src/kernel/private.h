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
    bool has_ipv6; /* booted with ipv6.disable=1 there is no such thing */

    enum kernel_fault fault;
    unsigned fault_nth;
    unsigned fault_count;
};
