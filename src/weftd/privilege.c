/* SPDX-License-Identifier: Apache-2.0 */

/*
 * weftd runs as root but acts with the few capabilities that its own work takes: making links and
 * namespaces, mounting, and reaching files and processes of containers whatever their owner. The
 * others stay permitted but not effective: the OCI runtime, started by exec, needs them to give a
 * container what it is to have.
 */

#include "weftd/privilege.h"

#include <cap-ng.h>
#include <errno.h>

static const unsigned own[] = {
    CAP_NET_ADMIN,       /* links, addresses, routes, nftables */
    CAP_SYS_ADMIN,       /* namespaces, mounts */
    CAP_SYS_PTRACE,      /* /proc/PID/ns/net of other users' processes */
    CAP_DAC_OVERRIDE,    /* root file systems of any owner */
    CAP_DAC_READ_SEARCH, /* overlayfs over the host's root */
    CAP_FOWNER,          /* overlayfs copies keep their owner and mode */
    CAP_CHOWN,
    CAP_FSETID,
    CAP_MKNOD,
    CAP_SETFCAP,
    CAP_KILL, /* containers' processes of any user */
    CAP_NET_BIND_SERVICE,
    CAP_NET_RAW,
    CAP_SYS_RESOURCE, /* the limit of open files */
};

int privilege_drop(struct weft_error *err)
{
    if (capng_get_caps_process() != 0)
        return weft_fail(err, WEFT_KERNEL, "cannot read the capabilities");
    if (!capng_have_capability(CAPNG_EFFECTIVE, CAP_NET_ADMIN) ||
        !capng_have_capability(CAPNG_EFFECTIVE, CAP_SYS_ADMIN))
        return weft_fail(err, WEFT_FORBIDDEN,
                         "weftd needs root: CAP_NET_ADMIN and CAP_SYS_ADMIN are missing");
    for (unsigned cap = 0; cap <= CAP_LAST_CAP; cap++)
        capng_update(CAPNG_DROP, CAPNG_EFFECTIVE, cap);
    for (size_t i = 0; i < sizeof own / sizeof own[0]; i++)
        if (capng_have_capability(CAPNG_PERMITTED, own[i]))
            capng_update(CAPNG_ADD, CAPNG_EFFECTIVE, own[i]);
    if (capng_apply(CAPNG_SELECT_CAPS) != 0)
        return weft_fail(err, WEFT_KERNEL, "cannot drop capabilities");
    return 0;
}
