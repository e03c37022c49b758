/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "cli/body.h"
#include "cli/commands.h"
#include "cli/ipam.h"
#include "cli/report.h"
#include "client/url.h"

#define HOST_DNS_OPTION "weft.host_dns"

static struct {
    const char *driver;
    struct ipam_args ipam;
    enum option_switch ipv4;
    enum option_switch ipv6;
    bool host_dns;
    bool internal;
    bool attachable;
    strv labels;
    strv options;
    bool dry_run;
} args;

static const struct cli_option options[] = {
    OPT_FLAG(0, "attachable", &args.attachable, "Let containers be connected by hand"),
    OPT_LIST(0, "aux-address", &args.ipam.aux_addresses, "NAME=ADDRESS",
             "An address that somebody else uses: never given to containers"),
    OPT_STRING('d', "driver", &args.driver, "DRIVER", "The driver (default: bridge)"),
    OPT_FLAG(0, "dry-run", &args.dry_run, "Print the commands this comes down to, do nothing"),
    OPT_COMMAS(0, "gateway", &args.ipam.gateways, "ADDRESS", "The gateway of a subnet"),
    OPT_FLAG(0, "host-dns", &args.host_dns,
             "Let the host look up the network's names at its gateway address (-o " HOST_DNS_OPTION
             "=true)"),
    OPT_FLAG(0, "internal", &args.internal, "Keep the network away from the outside"),
    OPT_COMMAS(0, "ip-range", &args.ipam.ranges, "SUBNET",
               "The part of a subnet that containers get addresses from"),
    OPT_STRING(0, "ipam-driver", &args.ipam.driver, "DRIVER",
               "What manages addresses (default: default)"),
    OPT_LIST(0, "ipam-opt", &args.ipam.options, "KEY=VALUE", "An option for the IPAM driver"),
    OPT_SWITCH(0, "ipv4", &args.ipv4, "Give containers IPv4 addresses (default: true)"),
    OPT_SWITCH(0, "ipv6", &args.ipv6, "Give containers IPv6 addresses"),
    OPT_LIST(0, "label", &args.labels, "KEY=VALUE", "Metadata to keep with the network"),
    OPT_LIST('o', "opt", &args.options, "KEY=VALUE", "An option for the driver"),
    OPT_COMMAS(0, "subnet", &args.ipam.subnets, "SUBNET",
               "Addresses of the network, e.g. 10.5.0.0/24; once for each family or pool"),
    OPT_END,
};

static int make_body(const char *name, json_t **ret, struct weft_error *err)
{
    _cleanup_json_ json_t *body = json_object(), *ipam = NULL;
    int r;

    r = ipam_settings(&args.ipam, &ipam, err);
    if (r < 0)
        return r;
    body_string(&body, "Name", name);
    body_string(&body, "Driver", args.driver ? args.driver : "bridge");
    body_switch(&body, "EnableIPv4", args.ipv4);
    body_switch(&body, "EnableIPv6", args.ipv6);
    body_add(&body, "IPAM", TAKE_PTR(ipam));
    body_flag(&body, "Internal", args.internal);
    body_flag(&body, "Attachable", args.attachable);
    if (args.host_dns && strv_add(&args.options, HOST_DNS_OPTION "=true") < 0)
        return weft_oom(err);
    r = body_pairs(&body, "Options", "opt", args.options, false, err);
    if (r == 0)
        r = body_pairs(&body, "Labels", "label", args.labels, false, err);
    if (r < 0)
        return r;
    if (!body)
        return weft_oom(err);
    *ret = TAKE_PTR(body);
    return 0;
}

static int run(struct client *daemon, strv operands, struct weft_error *err)
{
    _cleanup_json_ json_t *body = NULL, *reply = NULL;
    _cleanup_strbuf_ struct strbuf url = {0};
    const char *id = NULL, *warning = NULL;
    int r;

    r = make_body(operands[0], &body, err);
    if (r < 0)
        return r;
    url_path(&url, "networks", "create");
    r = send_change(daemon, "POST", &url, body, args.dry_run, &reply, err);
    if (r < 0)
        return r;
    (void)json_get_string(reply, "Warning", &warning, NULL);
    if (!str_is_empty(warning))
        fprintf(stderr, "WARNING: %s\n", warning);
    r = json_get_string(reply, "Id", &id, err);
    if (r == 0 && id)
        puts(id);
    return r;
}

const struct command cmd_network_create = {
    .name = "network create",
    .summary = "Create a network.",
    .operands = "NETWORK",
    .example = "weft network create --subnet 10.5.0.0/24 --label team=web web",
    .options = {options},
    .run = run,
};
