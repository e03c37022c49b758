/* SPDX-License-Identifier: Apache-2.0 */
#include "model/endpoint.h"

#include <stdio.h>
#include <string.h>

void endpoint_host_link(const struct endpoint *ep, char ret[static IFNAMSIZ])
{
    (void)snprintf(ret, IFNAMSIZ, "veth%.*s", ENDPOINT_HOST_LINK_DIGITS, ep->id);
}

void endpoint_want_clear(struct endpoint_want *want)
{
    free(want->link_local);
    strv_free(want->aliases);
    strv_free(want->links);
    strmap_clear(&want->driver_opts);
    memset(want, 0, sizeof *want);
}

void endpoint_free(struct endpoint *ep)
{
    if (!ep)
        return;
    endpoint_want_clear(&ep->want);
    free(ep);
}
