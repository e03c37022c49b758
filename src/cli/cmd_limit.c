/* SPDX-License-Identifier: Apache-2.0 */
#include "base/json.h"
#include "cli/body.h"
#include "cli/commands.h"
#include "cli/table.h"
#include "client/url.h"

#define NONE "none" /* as a rate or a burst: takes it away */

static struct {
    bool dry_run;
    bool none;
    const char *format;
    const char *ingress_rate;
    const char *ingress_burst;
    const char *egress_rate;
    const char *egress_burst;
} args;

static const struct cli_option options[] = {
    OPT_FLAG(0, "dry-run", &args.dry_run, "Print the commands this comes down to, do nothing"),
    OPT_STRING(0, "egress-burst", &args.egress_burst, "SIZE",
               "How much it may send at once, e.g. 256k"),
    OPT_STRING(0, "egress-rate", &args.egress_rate, "RATE",
               "The most that it sends, e.g. 10mbit; none: as much as it can"),
    OPT_STRING(0, "format", &args.format, "FORMAT", "table, json, a template, or 'table TEMPLATE'"),
    OPT_STRING(0, "ingress-burst", &args.ingress_burst, "SIZE",
               "How much it may get at once, e.g. 256k"),
    OPT_STRING(0, "ingress-rate", &args.ingress_rate, "RATE",
               "The most that it gets, e.g. 10mbit; none: as much as there is"),
    OPT_FLAG(0, "none", &args.none, "Take all limits away"),
    OPT_END,
};

static const struct column columns[] = {
    {"Network", "NETWORK", true},
    {"Interface", "INTERFACE", true},
    {"IngressRate", "INGRESS RATE", true},
    {"IngressBurst", "INGRESS BURST", true},
    {"EgressRate", "EGRESS RATE", true},
    {"EgressBurst", "EGRESS BURST", true},
    {NULL, NULL, false},
};

static bool is_change(void)
{
    return args.none || args.ingress_rate || args.ingress_burst || args.egress_rate ||
           args.egress_burst;
}

/* ---- showing ---- */

/* Those of one network, which must be there. */
static int select_network(json_t **list, strv operands, struct weft_error *err)
{
    json_t *found = json_array(), *limits;
    size_t i;

    json_array_foreach (*list, i, limits)
        if (str_equal(json_string_value(json_object_get(limits, "Network")), operands[1]))
            json_array_append(found, limits);
    json_decref(*list);
    *list = found;
    if (json_array_size(found) == 0)
        return weft_fail(err, WEFT_NOT_FOUND, "%s is not on network %s", operands[0], operands[1]);
    return 0;
}

static int show(struct client *daemon, strv operands, struct weft_error *err)
{
    _cleanup_json_ json_t *list = NULL;
    _cleanup_strbuf_ struct strbuf url = {0};
    int r;

    if (args.dry_run)
        return weft_fail(err, WEFT_INVALID, "--dry-run has nothing to change");
    url_path(&url, "weft", "limits", operands[0]);
    r = client_call(daemon, "GET", strbuf_text(&url), NULL, &list, err);
    if (r == 0 && operands[1])
        r = select_network(&list, operands, err);
    return r < 0 ? r : table_print(columns, list, args.format, err);
}

/* ---- changing ---- */

static void add_limit(json_t **limits, const char *key, const char *value)
{
    if (args.none || str_equal(value, NONE))
        value = "";
    body_string(limits, key, value);
}

static int change(struct client *daemon, strv operands, struct weft_error *err)
{
    _cleanup_json_ json_t *body = json_object();
    _cleanup_strbuf_ struct strbuf url = {0};
    json_t *limits = json_object();

    add_limit(&limits, "IngressRate", args.ingress_rate);
    add_limit(&limits, "IngressBurst", args.ingress_burst);
    add_limit(&limits, "EgressRate", args.egress_rate);
    add_limit(&limits, "EgressBurst", args.egress_burst);
    body_string(&body, "Container", operands[0]);
    body_string(&body, "Network", operands[1]);
    body_add(&body, "Limits", limits);
    if (!body)
        return weft_oom(err);
    url_path(&url, "weft", "limits");
    return send_change(daemon, "POST", &url, body, args.dry_run, NULL, err);
}

static int run(struct client *daemon, strv operands, struct weft_error *err)
{
    if (!is_change())
        return show(daemon, operands, err);
    if (args.format)
        return weft_fail(err, WEFT_INVALID, "--format is for showing limits, not for setting them");
    if (args.none &&
        (args.ingress_rate || args.ingress_burst || args.egress_rate || args.egress_burst))
        return weft_fail(err, WEFT_INVALID, "--none takes all limits away: it goes with no other");
    return change(daemon, operands, err);
}

const struct command cmd_limit = {
    .name = "limit",
    .summary = "Limit how much a container gets and sends on a network, or show how it is limited.",
    .operands = "CONTAINER [NETWORK]",
    .example = "weft limit web --ingress-rate 10mbit --egress-rate 2mbit",
    .options = {options},
    .run = run,
};
