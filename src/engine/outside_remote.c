/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/outside.h"

static void not_yet(struct errand *er)
{
    errand_done(er, 0, NULL);
}

static int check_driver(struct engine *e _unused_, struct network *net, struct weft_error *err)
{
    return weft_fail(err, WEFT_NOT_FOUND, "network driver %s not found", net->driver);
}

static int check_ipam(struct engine *e _unused_, struct network *net, struct weft_error *err)
{
    return weft_fail(err, WEFT_NOT_FOUND, "IPAM driver %s of network %s not found",
                     net->ipam_driver, net->name);
}

const struct outsider outsider_remote = {
    .name = "remote", .check = check_driver, .join = not_yet, .leave = not_yet};
const struct outsider outsider_remote_ipam = {
    .name = "remote_ipam", .check = check_ipam, .join = not_yet, .leave = not_yet};
