/* SPDX-License-Identifier: Apache-2.0 */
#include "driver/driver.h"

const struct driver_ops *driver_find(const char *name)
{
    static const struct driver_ops *const drivers[] = {&driver_bridge,  &driver_cni,
                                                       &driver_host,    &driver_ipvlan,
                                                       &driver_macvlan, &driver_null};

    if (str_is_empty(name))
        return NULL;
    for (size_t i = 0; i < ARRAY_SIZE(drivers); i++)
        if (str_equal(drivers[i]->name, name))
            return drivers[i];
    return &driver_remote;
}
