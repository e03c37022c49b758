/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/endpoint.h"

#include "base/json.h"
#include "cli/body.h"

struct endpoint_args endpoint_args;

const struct cli_option endpoint_options[] = {
    OPT_COMMAS(0, "alias", &endpoint_args.aliases, "NAME", "Another name on this network"),
    OPT_COMMAS(0, "driver-opt", &endpoint_args.driver_opts, "KEY=VALUE",
               "An option for the network's driver"),
    OPT_STRING(0, "egress-burst", &endpoint_args.egress_burst, "SIZE",
               "How much it may send at once, e.g. 256k"),
    OPT_STRING(0, "egress-rate", &endpoint_args.egress_rate, "RATE",
               "The most that it sends, e.g. 10mbit"),
    OPT_NUMBER(0, "gw-priority", &endpoint_args.gw_priority, "NUMBER",
               "The network with the highest number provides the default gateway"),
    OPT_STRING(0, "ingress-burst", &endpoint_args.ingress_burst, "SIZE",
               "How much it may get at once, e.g. 256k"),
    OPT_STRING(0, "ingress-rate", &endpoint_args.ingress_rate, "RATE",
               "The most that it gets, e.g. 10mbit"),
    OPT_STRING(0, "ip", &endpoint_args.ip, "ADDRESS", "The IPv4 address, e.g. 172.30.100.104"),
    OPT_STRING(0, "ip6", &endpoint_args.ip6, "ADDRESS", "The IPv6 address, e.g. 2001:db8::33"),
    OPT_COMMAS(0, "link-local-ip", &endpoint_args.link_local_ips, "ADDRESS",
               "A link-local address as well"),
    OPT_STRING(0, "mac-address", &endpoint_args.mac_address, "ADDRESS",
               "The MAC address, e.g. 92:d0:c6:0a:29:33"),
    OPT_END,
};

/* Docker's API has no word for limits: they are driver options. */
static int add_driver_opts(const struct endpoint_args *args, json_t **settings,
                           struct weft_error *err)
{
    _cleanup_json_ json_t *doc = json_object();
    json_t *map;
    int r = body_pairs(&doc, "DriverOpts", "driver-opt", args->driver_opts, true, err);

    if (r < 0)
        return r;
    map = json_object_get(doc, "DriverOpts");
    map = map ? json_incref(map) : json_object();
    body_string(&map, "weft.ingress_rate", args->ingress_rate);
    body_string(&map, "weft.ingress_burst", args->ingress_burst);
    body_string(&map, "weft.egress_rate", args->egress_rate);
    body_string(&map, "weft.egress_burst", args->egress_burst);
    body_filled(settings, "DriverOpts", map);
    return 0;
}

int endpoint_settings(const struct endpoint_args *args, json_t **ret, struct weft_error *err)
{
    _cleanup_json_ json_t *settings = json_object(), *ipam = json_object();
    int r;

    body_string(&ipam, "IPv4Address", args->ip);
    body_string(&ipam, "IPv6Address", args->ip6);
    body_list(&ipam, "LinkLocalIPs", args->link_local_ips);
    body_filled(&settings, "IPAMConfig", TAKE_PTR(ipam));
    body_list(&settings, "Links", args->links);
    body_list(&settings, "Aliases", args->aliases);
    body_string(&settings, "MacAddress", args->mac_address);
    body_number(&settings, "GwPriority", &args->gw_priority);
    r = add_driver_opts(args, &settings, err);
    if (r < 0)
        return r;
    if (!settings)
        return weft_oom(err);
    *ret = TAKE_PTR(settings);
    return 0;
}
