/* SPDX-License-Identifier: Apache-2.0 */

/* /weft/…: what Docker has no word for. */

#include <errno.h>
#include <limits.h>
#include <string.h>

#include "api/endpoint_json.h"
#include "api/handlers.h"
#include "api/later.h"
#include "api/reply.h"
#include "base/json.h"

int handle_explain(struct request *rq, struct weft_error *err)
{
    _cleanup_strbuf_ struct strbuf script = {0};
    int r = engine_explain(rq->api->engine, rq->ref, &script, err);

    return r < 0 ? r : reply_text(rq, &script, err);
}

/* ---- attached namespaces ---- */

static int read_attach(const json_t *doc, struct engine_attach *ret, struct endpoint_want *want,
                       struct weft_error *err)
{
    static const char *const known[] = {"Netns", "Pid", "Name", "Network", "EndpointConfig", NULL};
    int64_t pid = 0;
    int r = json_check_keys(doc, known, err);

    if (r == 0)
        r = json_get_string(doc, "Netns", &ret->netns, err);
    if (r == 0)
        r = json_get_i64(doc, "Pid", &pid, err);
    if (r == 0)
        r = json_get_string(doc, "Name", &ret->name, err);
    if (r == 0)
        r = json_get_string(doc, "Network", &ret->network, err);
    if (r == 0)
        r = endpoint_want_from_json(json_object_get(doc, "EndpointConfig"), want, err);
    if (r < 0)
        return r;
    if (str_is_empty(ret->netns))
        ret->netns = NULL;
    if (str_is_empty(ret->name))
        ret->name = NULL;
    if (pid < 0 || pid > INT_MAX || !ret->netns == (pid == 0))
        return weft_fail(err, WEFT_INVALID, "either Netns or Pid must say which namespace");
    if (str_is_empty(ret->network))
        return weft_fail(err, WEFT_INVALID, "Network must name a network");
    ret->pid = (pid_t)pid;
    ret->want = want;
    return 0;
}

static json_t *attached_json(const struct sandbox *sb)
{
    return json_pack("{s:s, s:s, s:s}", "Id", sb->id, "Name", sb->name, "Netns",
                     sb->netns ? sb->netns : "");
}

int handle_attach(struct request *rq, struct weft_error *err)
{
    _cleanup_(endpoint_want_clear) struct endpoint_want want = {0};
    _cleanup_strbuf_ struct strbuf plan = {0};
    _cleanup_json_ json_t *doc = NULL;
    struct strbuf *dry = request_dry(rq, &plan);
    _cleanup_later_ struct later *later = NULL;
    struct engine_attach attach = {0};
    const struct sandbox *sb = NULL;
    int r = request_json(rq, &doc, err);

    if (r == 0)
        r = read_attach(doc, &attach, &want, err);
    if (r == 0)
        r = later_new(rq, &later, err);
    if (r < 0)
        return r;
    r = engine_attach(rq->api->engine, &attach, dry, later_done, later, &sb, err);
    if (r < 0)
        return r;
    if (dry)
        return reply_text(rq, dry, err);
    if (r == 0)
        return reply_json(rq, MHD_HTTP_OK, attached_json(sb), err);
    later_prepare(TAKE_PTR(later), MHD_HTTP_OK, attached_json(sb));
    return 0;
}

int handle_detach(struct request *rq, struct weft_error *err)
{
    static const char *const known[] = {"Sandbox", "Network", NULL};
    _cleanup_strbuf_ struct strbuf plan = {0};
    _cleanup_json_ json_t *doc = NULL;
    struct strbuf *dry = request_dry(rq, &plan);
    _cleanup_later_ struct later *later = NULL;
    const char *sandbox = NULL, *network = NULL;
    int r = request_json(rq, &doc, err);

    if (r == 0)
        r = json_check_keys(doc, known, err);
    if (r == 0)
        r = json_get_string(doc, "Sandbox", &sandbox, err);
    if (r == 0)
        r = json_get_string(doc, "Network", &network, err);
    if (r == 0 && str_is_empty(sandbox))
        r = weft_fail(err, WEFT_INVALID, "Sandbox must name an attached namespace");
    if (r == 0)
        r = later_new(rq, &later, err);
    if (r == 0)
        r = engine_detach(rq->api->engine, sandbox, str_is_empty(network) ? NULL : network, dry,
                          later_done, later, err);
    if (r > 0)
        TAKE_PTR(later);
    if (r != 0)
        return r < 0 ? r : 0;
    return dry ? reply_text(rq, dry, err) : reply_empty(rq, MHD_HTTP_NO_CONTENT, err);
}

/* ---- sandboxes ---- */

static const char *const kind_names[] = {
    [SANDBOX_CONTAINER] = "container", [SANDBOX_FOREIGN] = "foreign", [SANDBOX_HOST] = "host"};

/* Only endpoints with a pair of interfaces have one. */
static const char *host_link(const struct endpoint *ep, char buf[static IFNAMSIZ])
{
    buf[0] = '\0';
    if (endpoint_is_wired(ep) && ep->sandbox->kind != SANDBOX_HOST && *ep->network->link)
        endpoint_host_link(ep, buf);
    return buf;
}

static json_t *link_json(const struct endpoint *ep)
{
    static const struct endpoint nothing;
    const struct endpoint *seen = endpoint_is_wired(ep) ? ep : &nothing;
    char ipv4[PREFIX_TEXT_MAX], ipv6[PREFIX_TEXT_MAX], link[IFNAMSIZ];

    return json_pack("{s:s, s:s, s:s, s:s, s:s}", "Interface", ep->ifname, "HostLink",
                     host_link(ep, link), "IPv4", endpoint_prefix_text(ep, &seen->ipv4, ipv4),
                     "IPv6", endpoint_prefix_text(ep, &seen->ipv6, ipv6), "MacAddress",
                     mac_is_set(&seen->mac) ? mac_text(&seen->mac) : "");
}

static json_t *sandbox_json(const struct sandbox *sb)
{
    _cleanup_json_ json_t *networks = json_object();

    for (size_t i = 0; i < sb->endpoint_count; i++)
        if (json_object_set_new(networks, sb->endpoints[i]->network->name,
                                link_json(sb->endpoints[i])) < 0)
            return NULL;
    return json_pack("{s:s, s:s, s:s, s:b, s:s, s:s, s:i, s:O}", "Id", sb->id, "Name", sb->name,
                     "Kind", kind_names[sb->kind], "Active", sb->active, "Netns",
                     sb->netns ? sb->netns : "", "Origin", sb->origin ? sb->origin : "", "Pid",
                     (int)sb->pid, "Networks", networks);
}

int handle_sandbox_list(struct request *rq, struct weft_error *err)
{
    _cleanup_json_ json_t *list = json_array();
    size_t count;
    struct sandbox *const *sandboxes = engine_sandboxes(rq->api->engine, &count);

    for (size_t i = 0; i < count; i++)
        if (json_array_append_new(list, sandbox_json(sandboxes[i])) < 0)
            return weft_oom(err);
    return reply_json(rq, MHD_HTTP_OK, TAKE_PTR(list), err);
}

int handle_sandbox_link(struct request *rq, struct weft_error *err)
{
    struct engine *e = rq->api->engine;
    const struct sandbox *sb = engine_sandbox(e, rq->ref, err);
    _cleanup_json_ json_t *doc = NULL;
    const char *name = NULL;
    int r;

    if (!sb)
        return -err->errnum;
    r = rq->body.len > 0 ? request_json(rq, &doc, err) : 0;
    if (r == 0 && doc)
        r = json_get_string(doc, "Name", &name, err);
    if (str_is_empty(name))
        name = sb->name;
    if (r == 0)
        r = engine_netns_link(e, sb->id, name, err);
    if (r < 0)
        return r;
    return reply_json(rq, MHD_HTTP_OK,
                      json_pack("{s:o}", "Path", json_sprintf("/run/netns/%s", name)), err);
}

int handle_link_remove(struct request *rq, struct weft_error *err)
{
    int r = engine_netns_unlink(rq->api->engine, rq->ref, err);

    return r < 0 ? r : reply_empty(rq, MHD_HTTP_NO_CONTENT, err);
}

/* ---- veths ---- */

static int link_index(struct kernel *k, const struct kstate_ns *ns, const char *name)
{
    int index = kernel_link_index(k, ns, name);

    return index > 0 ? index : 0;
}

static json_t *veth_json(struct kernel *k, const struct endpoint *ep, const char *link)
{
    const struct sandbox *sb = ep->sandbox;
    const struct kstate_ns ns = {.id = sb->id, .name = sb->name, .path = sb->netns};
    char ipv4[PREFIX_TEXT_MAX], ipv6[PREFIX_TEXT_MAX];

    return json_pack("{s:s, s:i, s:s, s:s, s:s, s:i, s:s, s:s, s:s, s:s}", "Link", link, "Index",
                     link_index(k, NULL, link), "Sandbox", sb->name, "SandboxId", sb->id,
                     "Interface", ep->ifname, "InterfaceIndex", link_index(k, &ns, ep->ifname),
                     "Network", ep->network->name, "MacAddress", mac_text(&ep->mac), "IPv4",
                     endpoint_prefix_text(ep, &ep->ipv4, ipv4), "IPv6",
                     endpoint_prefix_text(ep, &ep->ipv6, ipv6));
}

int handle_veth_list(struct request *rq, struct weft_error *err)
{
    _cleanup_json_ json_t *list = json_array();
    size_t count;
    struct sandbox *const *sandboxes = engine_sandboxes(rq->api->engine, &count);

    for (size_t i = 0; i < count; i++) {
        for (size_t j = 0; j < sandboxes[i]->endpoint_count; j++) {
            const struct endpoint *ep = sandboxes[i]->endpoints[j];
            char link[IFNAMSIZ];

            if (*host_link(ep, link) &&
                json_array_append_new(list, veth_json(engine_kernel(rq->api->engine), ep, link)) <
                    0)
                return weft_oom(err);
        }
    }
    return reply_json(rq, MHD_HTTP_OK, TAKE_PTR(list), err);
}

/* ---- faults, for tests ---- */

static int reply_count(struct request *rq, unsigned count, struct weft_error *err)
{
    return reply_json(rq, MHD_HTTP_OK, json_pack("{s:I}", "Counted", (json_int_t)count), err);
}

static int read_fault(const json_t *doc, enum kernel_fault *fault, int64_t *nth,
                      struct weft_error *err)
{
    static const char *const known[] = {"Fault", "Operation", NULL};
    static const char *const names[] = {
        [KERNEL_FAULT_NONE] = "none", [KERNEL_FAULT_FAIL] = "fail", [KERNEL_FAULT_CRASH] = "crash"};
    const char *name = "none";
    int r = json_check_keys(doc, known, err);

    if (r == 0)
        r = json_get_string(doc, "Fault", &name, err);
    if (r == 0)
        r = json_get_i64(doc, "Operation", nth, err);
    if (r < 0)
        return r;
    if (*nth < 0 || *nth > INT_MAX)
        return weft_fail(err, WEFT_INVALID, "Operation must be from 0 to %d", INT_MAX);
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        if (strcmp(name, names[i]) == 0) {
            *fault = (enum kernel_fault)i;
            return 0;
        }
    }
    return weft_fail(err, WEFT_INVALID, "Fault must be fail, crash or none, not \"%s\"", name);
}

/* Answers with the operations counted before this call began a new count. */
int handle_fault(struct request *rq, struct weft_error *err)
{
    struct kernel *k = engine_kernel(rq->api->engine);
    enum kernel_fault fault = KERNEL_FAULT_NONE;
    _cleanup_json_ json_t *doc = NULL;
    unsigned counted;
    int64_t nth = 0;
    int r;

    if (!rq->api->enable_faults)
        return weft_fail(err, WEFT_FORBIDDEN, "faults are disabled: weftd needs --enable-faults");
    r = request_json(rq, &doc, err);
    if (r == 0)
        r = read_fault(doc, &fault, &nth, err);
    if (r < 0)
        return r;
    counted = kernel_fault_count(k);
    kernel_set_fault(k, fault, (unsigned)nth);
    return reply_count(rq, counted, err);
}

int handle_fault_count(struct request *rq, struct weft_error *err)
{
    return reply_count(rq, kernel_fault_count(engine_kernel(rq->api->engine)), err);
}
