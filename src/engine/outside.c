/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/outside.h"

#include "driver/driver.h"

size_t network_outsiders(const struct network *net, const struct outsider *ret[OUTSIDERS_MAX])
{
    size_t count = 0;

    if (str_equal(net->ipam_driver, "dhcp"))
        ret[count++] = &outsider_dhcp;
    else if (net->ipam_driver)
        ret[count++] = &outsider_remote_ipam;
    if (driver_find(net->driver) == &driver_cni)
        ret[count++] = &outsider_cni;
    else if (driver_find(net->driver) == &driver_remote)
        ret[count++] = &outsider_remote;
    return count;
}

void errand_done(struct errand *er, int result, const struct weft_error *err)
{
    (void)er, (void)result, (void)err;
}
