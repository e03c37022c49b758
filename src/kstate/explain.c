/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Plans as commands of iproute2 (6.1), nftables (1.0) and procps. Run as root in an empty namespace
 * they leave the same kernel state as applying the plan does.
 *
 * Each function appends whole lines. Names are quoted as shell words where they must be, and those
 * of links follow a keyword ("dev", "name"), so that a link called "up" is no surprise.
 */

#include <assert.h>
#include <string.h>

#include "base/str.h"
#include "kstate/nft_text.h"
#include "kstate/plan.h"

#define NETNS_DIR "/run/netns/" /* of ip-netns(8) */

static void add_word(struct strbuf *out, const char *text)
{
    strbuf_puts(out, " ");
    strbuf_add_shell_word(out, text);
}

/* `ip`, in the fact's namespace. */
static void start_ip(const struct fact *fact, struct strbuf *out)
{
    strbuf_puts(out, "ip");
    if (fact->ns) {
        strbuf_puts(out, " -n");
        add_word(out, fact->ns->name);
    }
}

/* `ip netns attach` would pin the namespace of a process; a path has to be mounted by hand. */
static void explain_pin(const struct kstate_ns *ns, struct strbuf *out)
{
    _cleanup_strbuf_ struct strbuf target = {0};

    strbuf_printf(&target, NETNS_DIR "%s", ns->name);
    strbuf_puts(out, "mkdir -p " NETNS_DIR " && touch");
    add_word(out, strbuf_text(&target));
    strbuf_puts(out, " && mount --bind");
    add_word(out, ns->origin);
    add_word(out, strbuf_text(&target));
    strbuf_puts(out, "  # somebody else's namespace\n");
}

static void explain_netns(const struct op *op, struct strbuf *out)
{
    const struct kstate_ns *ns = op->fact.ns;

    if (op->verb != OP_REMOVE && ns->origin) {
        explain_pin(ns, out);
        return;
    }
    strbuf_puts(out, op->verb == OP_REMOVE ? "ip netns del" : "ip netns add");
    add_word(out, ns->name);
    strbuf_puts(out, "\n");
}

static void explain_base(const struct op *op, struct strbuf *out)
{
    if (op->verb == OP_REMOVE) {
        strbuf_puts(out, "nft delete table inet weft\n");
        return;
    }
    /* Loading it twice would double its rules. */
    if (op->verb == OP_ADD)
        strbuf_puts(out, "nft list table inet weft >/dev/null 2>&1 || ");
    strbuf_puts(out, "nft -f - <<'EOF'\n");
    if (op->verb == OP_CHANGE)
        strbuf_puts(out, "delete table inet weft\n");
    strbuf_puts(out, op->fact.base.text ? op->fact.base.text : "");
    strbuf_puts(out, "EOF\n");
}

/* Below this MTU (IPV6_MIN_MTU in the kernel) a link has no IPv6, and no address generation mode.
 */
static bool has_ipv6(const struct fact_link *link)
{
    return link->mtu == 0 || link->mtu >= 1280;
}

/* What has to be set on a link that is as `from` says. */
static void explain_link_settings(const struct fact *fact, const struct fact_link *from,
                                  struct strbuf *out)
{
    const struct fact_link *to = &fact->link;
    _cleanup_strbuf_ struct strbuf settings = {0};

    if (mac_is_set(&to->mac) && !mac_equal(&to->mac, &from->mac))
        strbuf_printf(&settings, " address %s", mac_text(&to->mac));
    if (to->mtu && to->mtu != from->mtu)
        strbuf_printf(&settings, " mtu %u", to->mtu);
    if (!str_equal(to->master, from->master)) {
        strbuf_puts(&settings, *to->master ? " master" : " nomaster");
        if (*to->master)
            add_word(&settings, to->master);
    }
    if (to->no_autoconf != from->no_autoconf && has_ipv6(to))
        strbuf_printf(&settings, " addrgenmode %s", to->no_autoconf ? "none" : "eui64");
    if (to->up != from->up)
        strbuf_puts(&settings, to->up ? " up" : " down");
    if (settings.len == 0)
        return;
    start_ip(fact, out);
    strbuf_puts(out, " link set dev");
    add_word(out, to->name);
    strbuf_puts(out, strbuf_text(&settings));
    strbuf_puts(out, "\n");
}

static void add_veth_peer(const struct fact_link *link, struct strbuf *out)
{
    strbuf_puts(out, " peer name");
    add_word(out, link->peer_name);
    if (mac_is_set(&link->peer_mac))
        strbuf_printf(out, " address %s", mac_text(&link->peer_mac));
    if (link->peer_ns) {
        strbuf_puts(out, " netns");
        add_word(out, link->peer_ns->name);
    }
    strbuf_printf(out, " group %u", FACT_LINK_GROUP);
}

/* A bridge or a veth pair. Two things cannot be given at birth: the address generation mode, which
 * has to be set before the link is up, and a bridge's MTU, which would then follow its ports'. */
static void explain_link_birth(const struct fact *fact, struct strbuf *out)
{
    const struct fact_link *link = &fact->link;
    struct fact_link born = *link;

    born.no_autoconf = born.up = false;
    if (link->kind == LINK_BRIDGE)
        born.mtu = 0;
    start_ip(fact, out);
    strbuf_puts(out, " link add name");
    add_word(out, link->name);
    if (mac_is_set(&link->mac))
        strbuf_printf(out, " address %s", mac_text(&link->mac));
    if (born.mtu)
        strbuf_printf(out, " mtu %u", born.mtu);
    if (*link->master) {
        strbuf_puts(out, " master");
        add_word(out, link->master);
    }
    strbuf_printf(out, " group %u", FACT_LINK_GROUP);
    if (link->kind == LINK_BRIDGE) {
        strbuf_puts(out, " type bridge");
    } else {
        strbuf_puts(out, " type veth");
        add_veth_peer(link, out);
    }
    strbuf_puts(out, "\n");
    explain_link_settings(fact, &born, out);
}

static void explain_link_removal(const struct fact *fact, struct strbuf *out)
{
    bool loopback = fact->link.kind == LINK_LOOPBACK;

    start_ip(fact, out);
    strbuf_puts(out, loopback ? " link set dev" : " link del dev");
    add_word(out, fact->link.name);
    strbuf_puts(out, loopback ? " down\n" : "\n");
}

static void explain_link(const struct op *op, struct strbuf *out)
{
    const struct fact_link *link = &op->fact.link;

    if (op->verb == OP_REMOVE) {
        explain_link_removal(&op->fact, out);
    } else if (op->verb == OP_CHANGE) {
        explain_link_settings(&op->fact, &op->old.link, out);
    } else if (link->kind == LINK_BRIDGE || link->kind == LINK_VETH) {
        explain_link_birth(&op->fact, out);
    } else {
        /* Is there already: the loopback link, or a peer, which was born with its MAC. */
        struct fact_link born = {.mac = link->mac};

        explain_link_settings(&op->fact, &born, out);
    }
}

/* Dots, unless a component has one of its own. */
static void explain_sysctl(const struct op *op, struct strbuf *out)
{
    const struct fact_sysctl *sysctl = &op->fact.sysctl;
    char key[sizeof sysctl->path];
    _cleanup_strbuf_ struct strbuf assignment = {0};

    memcpy(key, sysctl->path, sizeof key);
    if (!strchr(key, '.'))
        for (char *slash = key; (slash = strchr(slash, '/'));)
            *slash = '.';
    if (op->verb == OP_REMOVE) {
        strbuf_printf(out, "# %s stays as it is\n", key);
        return;
    }
    if (op->fact.ns) {
        strbuf_puts(out, "ip netns exec");
        add_word(out, op->fact.ns->name);
        strbuf_puts(out, " ");
    }
    strbuf_printf(&assignment, "%s=%s", key, sysctl->value);
    strbuf_puts(out, "sysctl -w");
    add_word(out, strbuf_text(&assignment));
    strbuf_puts(out, "\n");
}

static void explain_addr(const struct op *op, struct strbuf *out)
{
    const struct fact_addr *addr = &op->fact.addr;
    bool removing = op->verb == OP_REMOVE;

    start_ip(&op->fact, out);
    strbuf_printf(out, " addr %s %s dev", removing ? "del" : "add", prefix_text(&addr->prefix));
    add_word(out, addr->link);
    /* weft hands out every address once: no need to wait for duplicate address detection. */
    if (!removing && addr->prefix.addr.family == AF_INET6)
        strbuf_puts(out, " nodad");
    strbuf_puts(out, "\n");
}

static void explain_route(const struct op *op, struct strbuf *out)
{
    static const char *const verbs[] = {
        [OP_ADD] = "add", [OP_CHANGE] = "replace", [OP_REMOVE] = "del"};
    const struct fact_route *route = &op->fact.route;

    start_ip(&op->fact, out);
    strbuf_printf(out, "%s route %s %s", route->destination.addr.family == AF_INET6 ? " -6" : "",
                  verbs[op->verb],
                  route->destination.len ? prefix_text(&route->destination) : "default");
    if (addr_is_set(&route->via))
        strbuf_printf(out, " via %s", addr_text(&route->via));
    strbuf_puts(out, " dev");
    add_word(out, route->link);
    if (route->metric)
        strbuf_printf(out, " metric %u", route->metric);
    strbuf_printf(out, " proto %d\n", FACT_ROUTE_PROTOCOL);
}

/* A map's element is changed by deleting and adding it in one transaction. */
static void explain_changed_elem(const struct op *op, struct strbuf *out)
{
    _cleanup_strbuf_ struct strbuf command = {0};

    strbuf_printf(&command, "delete element inet weft %s { ", op->old.elem.set);
    nft_elem_print(&op->old.elem, &command);
    strbuf_printf(&command, " }; add element inet weft %s { ", op->fact.elem.set);
    nft_elem_print(&op->fact.elem, &command);
    strbuf_puts(&command, " }");
    strbuf_puts(out, "nft");
    add_word(out, strbuf_text(&command));
    strbuf_puts(out, "\n");
}

static void explain_elem(const struct op *op, struct strbuf *out)
{
    _cleanup_strbuf_ struct strbuf elem = {0};

    if (op->verb == OP_CHANGE) {
        explain_changed_elem(op, out);
        return;
    }
    strbuf_puts(&elem, "{ ");
    nft_elem_print(&op->fact.elem, &elem);
    strbuf_puts(&elem, " }");
    strbuf_printf(out, "nft %s element inet weft %s", op->verb == OP_REMOVE ? "delete" : "add",
                  op->fact.elem.set);
    add_word(out, strbuf_text(&elem));
    strbuf_puts(out, "\n");
}

static void explain_op(const struct op *op, struct strbuf *out)
{
    static void (*const explain[])(const struct op *, struct strbuf *) = {
        [FACT_NETNS] = explain_netns,   [FACT_NFT_BASE] = explain_base,
        [FACT_LINK] = explain_link,     [FACT_SYSCTL] = explain_sysctl,
        [FACT_ADDR] = explain_addr,     [FACT_ROUTE] = explain_route,
        [FACT_NFT_ELEM] = explain_elem,
    };
    static_assert(ARRAY_SIZE(explain) == FACT_KIND_COUNT, "each kind of fact is explained");

    explain[op->fact.kind](op, out);
}

void plan_explain(const struct plan *plan, struct strbuf *out)
{
    for (size_t i = 0; i < plan->count; i++)
        explain_op(&plan->ops[i], out);
}

void op_describe(const struct op *op, struct strbuf *out)
{
    _cleanup_strbuf_ struct strbuf lines = {0};

    if (op->fact.kind == FACT_NFT_BASE && op->verb != OP_REMOVE) {
        strbuf_puts(out, "nft -f base.nft  # table inet weft");
        return;
    }
    explain_op(op, &lines);
    strbuf_add(out, strbuf_text(&lines), strcspn(strbuf_text(&lines), "\n"));
}
