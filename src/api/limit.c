/* SPDX-License-Identifier: Apache-2.0 */

/* /weft/limits: the most that the endpoints of a container or an attached namespace get and send.
 * Docker has driver options for it, which it can say only when a container joins. */

#include <errno.h>

#include "api/container_json.h"
#include "api/handlers.h"
#include "api/reply.h"
#include "base/json.h"
#include "model/limit.h"

/* ---- shown ---- */

static void rate_text(const struct limit *limit, char buf[static LIMIT_TEXT_MAX])
{
    buf[0] = '\0';
    if (limit->rate)
        rate_format(limit->rate, buf);
}

static void burst_text(const struct limit *limit, char buf[static LIMIT_TEXT_MAX])
{
    buf[0] = '\0';
    if (limit->rate)
        burst_format(limit->burst, buf);
}

static json_t *limits_json(const struct endpoint *ep)
{
    char ingress[2][LIMIT_TEXT_MAX], egress[2][LIMIT_TEXT_MAX];
    struct limits limits;

    if (limits_read(&ep->want.driver_opts, &limits, NULL) < 0)
        limits = (struct limits){0};
    rate_text(&limits.ingress, ingress[0]);
    burst_text(&limits.ingress, ingress[1]);
    rate_text(&limits.egress, egress[0]);
    burst_text(&limits.egress, egress[1]);
    return json_pack("{s:s, s:s, s:s, s:s, s:s, s:s}", "Network", ep->network->name, "Interface",
                     ep->ifname, "IngressRate", ingress[0], "IngressBurst", ingress[1],
                     "EgressRate", egress[0], "EgressBurst", egress[1]);
}

int handle_limit_list(struct request *rq, struct weft_error *err)
{
    struct engine *e = rq->api->engine;
    const struct container *c = engine_container(e, rq->ref, NULL);
    const struct sandbox *sb = c ? container_own_sandbox(e, c) : engine_sandbox(e, rq->ref, err);
    _cleanup_json_ json_t *list = json_array();

    if (!c && !sb)
        return -err->errnum;
    for (size_t i = 0; sb && i < sb->endpoint_count; i++)
        if (json_array_append_new(list, limits_json(sb->endpoints[i])) < 0)
            return weft_oom(err);
    return reply_json(rq, MHD_HTTP_OK, TAKE_PTR(list), err);
}

/* ---- changed ---- */

static int read_limits(const json_t *doc, struct strmap *ret, struct weft_error *err)
{
    static const char *const names[] = {"IngressRate", "IngressBurst", "EgressRate", "EgressBurst",
                                        NULL};
    static const char *const keys[] = {OPTION_INGRESS_RATE, OPTION_INGRESS_BURST,
                                       OPTION_EGRESS_RATE, OPTION_EGRESS_BURST};
    int r = json_check_keys(doc, names, err);

    for (size_t i = 0; r == 0 && i < ARRAY_SIZE(keys); i++) {
        const char *value = NULL;

        r = json_get_string(doc, names[i], &value, err);
        if (r == 0 && value && strmap_set(ret, keys[i], value) < 0)
            r = weft_oom(err);
    }
    if (r == 0 && ret->count == 0)
        return weft_fail(err, WEFT_INVALID, "Limits must name a rate or a burst");
    return r;
}

int handle_limit(struct request *rq, struct weft_error *err)
{
    static const char *const known[] = {"Container", "Network", "Limits", NULL};
    _cleanup_(strmap_clear) struct strmap limits = {0};
    _cleanup_strbuf_ struct strbuf plan = {0};
    _cleanup_json_ json_t *doc = NULL;
    struct strbuf *dry = request_dry(rq, &plan);
    const char *who = NULL, *network = NULL;
    json_t *wanted = NULL;
    int r = request_json(rq, &doc, err);

    if (r == 0)
        r = json_check_keys(doc, known, err);
    if (r == 0)
        r = json_get_string(doc, "Container", &who, err);
    if (r == 0)
        r = json_get_string(doc, "Network", &network, err);
    if (r == 0)
        r = json_get_object(doc, "Limits", &wanted, err);
    if (r == 0 && str_is_empty(who))
        r = weft_fail(err, WEFT_INVALID, "Container must name a container");
    if (r == 0)
        r = read_limits(wanted, &limits, err);
    if (r == 0)
        r = engine_limit(rq->api->engine, who, str_is_empty(network) ? NULL : network, &limits, dry,
                         err);
    if (r < 0)
        return r;
    return dry ? reply_text(rq, dry, err) : reply_empty(rq, MHD_HTTP_NO_CONTENT, err);
}
