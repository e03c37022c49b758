/* SPDX-License-Identifier: Apache-2.0 */

/* Links as commands of iproute2. */

#include "base/str.h"
#include "kstate/explain_parts.h"

/* Below this MTU (IPV6_MIN_MTU in the kernel) a link has no IPv6, and no address generation mode.
 */
static bool has_ipv6(const struct fact_link *link)
{
    return link->mtu == 0 || link->mtu >= 1280;
}

static void add_setting(struct strbuf *out, const char *name, bool value)
{
    strbuf_printf(out, " %s %s", name, value ? "on" : "off");
}

/* What a bridge knows of its port. A new one is not isolated, and has no hairpin mode. */
static void explain_port(const struct fact *fact, const struct fact_link *from, struct strbuf *out)
{
    const struct fact_link *to = &fact->link;
    _cleanup_strbuf_ struct strbuf settings = {0};
    bool same_port = str_equal(from->master, to->master);

    if (!*to->master)
        return;
    if (to->isolated != (from->isolated && same_port))
        add_setting(&settings, "isolated", to->isolated);
    if (to->hairpin != (from->hairpin && same_port))
        add_setting(&settings, "hairpin", to->hairpin);
    if (settings.len == 0)
        return;
    explain_command("bridge", fact, out);
    strbuf_puts(out, " link set dev");
    explain_word(out, to->name);
    strbuf_printf(out, "%s\n", strbuf_text(&settings));
}

/* Begins a line about a port's VLANs. */
static void begin_vlan(const struct fact *fact, const char *verb, struct strbuf *out)
{
    explain_command("bridge", fact, out);
    strbuf_printf(out, " vlan %s dev", verb);
    explain_word(out, fact->link.name);
}

static void explain_port_vlans(const struct fact *fact, const struct fact_link *from,
                               struct strbuf *out)
{
    struct link_vlan_change change = link_vlan_change(&fact->link, from);

    if (change.leave) {
        begin_vlan(fact, "del", out);
        strbuf_printf(out, " vid %u-%u\n", change.leave, LINK_VLAN_MAX);
    }
    if (change.becomes_trunk) {
        begin_vlan(fact, "add", out);
        strbuf_printf(out, " vid %u-%u\n", LINK_TRUNK_FIRST, LINK_VLAN_MAX);
    }
    if (change.join) {
        begin_vlan(fact, "add", out);
        strbuf_printf(out, " vid %u pvid untagged\n", change.join);
    }
}

static void add_bridge_settings(const struct fact_link *to, const struct fact_link *from,
                                struct strbuf *out)
{
    if (to->kind != LINK_BRIDGE)
        return;
    if (to->stp != from->stp)
        strbuf_printf(out, " stp_state %d", to->stp);
    if (to->vlan_aware != from->vlan_aware)
        strbuf_printf(out, " vlan_filtering %d", to->vlan_aware);
}

static void explain_bridge(const struct fact *fact, const struct fact_link *from,
                           struct strbuf *out)
{
    _cleanup_strbuf_ struct strbuf settings = {0};

    add_bridge_settings(&fact->link, from, &settings);
    if (settings.len == 0)
        return;
    explain_command("ip", fact, out);
    strbuf_puts(out, " link set dev");
    explain_word(out, fact->link.name);
    strbuf_printf(out, " type bridge%s\n", strbuf_text(&settings));
}

/* What has to be set on a link that is as `from` says. */
static void explain_link_settings(const struct fact *fact, const struct fact_link *from,
                                  struct strbuf *out)
{
    const struct fact_link *to = &fact->link;
    _cleanup_strbuf_ struct strbuf settings = {0};

    explain_bridge(fact, from, out);
    if (mac_is_set(&to->mac) && !mac_equal(&to->mac, &from->mac))
        strbuf_printf(&settings, " address %s", mac_text(&to->mac));
    if (to->mtu && to->mtu != from->mtu)
        strbuf_printf(&settings, " mtu %u", to->mtu);
    if (!str_equal(to->master, from->master)) {
        strbuf_puts(&settings, *to->master ? " master" : " nomaster");
        if (*to->master)
            explain_word(&settings, to->master);
    }
    if (to->no_autoconf != from->no_autoconf && has_ipv6(to))
        strbuf_printf(&settings, " addrgenmode %s", to->no_autoconf ? "none" : "eui64");
    if (to->up != from->up)
        strbuf_puts(&settings, to->up ? " up" : " down");
    if (settings.len > 0) {
        explain_command("ip", fact, out);
        strbuf_puts(out, " link set dev");
        explain_word(out, to->name);
        strbuf_puts(out, strbuf_text(&settings));
        strbuf_puts(out, "\n");
    }
    explain_port(fact, from, out);
    explain_port_vlans(fact, from, out);
}

static void add_veth_peer(const struct fact_link *link, struct strbuf *out)
{
    strbuf_puts(out, " peer name");
    explain_word(out, link->peer_name);
    if (mac_is_set(&link->peer_mac))
        strbuf_printf(out, " address %s", mac_text(&link->peer_mac));
    if (link->peer_ns) {
        strbuf_puts(out, " netns");
        explain_word(out, link->peer_ns->name);
    }
    strbuf_printf(out, " group %u", FACT_LINK_GROUP);
}

static void add_type(const struct fact_link *link, struct strbuf *out)
{
    static const struct fact_link plain = {0};

    switch (link->kind) {
    case LINK_BRIDGE:
        strbuf_puts(out, " type bridge");
        add_bridge_settings(link, &plain, out);
        break;
    case LINK_VLAN:
        strbuf_printf(out, " type vlan id %u", link->vlan);
        break;
    case LINK_IFB:
        strbuf_puts(out, " type ifb");
        break;
    case LINK_MACVLAN:
        strbuf_printf(out, " type macvlan mode %s",
                      link_mode_name(link->mode ? link->mode : LINK_MODE_BRIDGE));
        break;
    case LINK_IPVLAN:
        strbuf_printf(out, " type ipvlan mode %s",
                      link_mode_name(link->mode ? link->mode : LINK_MODE_L2));
        if (link->port_mode)
            strbuf_printf(out, " %s", link_mode_name(link->port_mode));
        break;
    default:
        strbuf_puts(out, " type veth");
        add_veth_peer(link, out);
        break;
    }
}

/* Into its namespace straight from the host, where its name may be somebody else's. */
static bool is_born_abroad(const struct fact *fact)
{
    return fact->ns && (fact->link.kind == LINK_MACVLAN || fact->link.kind == LINK_IPVLAN);
}

static void explain_naming(const struct fact *fact, const char *unborn, struct strbuf *out)
{
    explain_command("ip", fact, out);
    strbuf_puts(out, " link set dev");
    explain_word(out, unborn);
    strbuf_puts(out, " name");
    explain_word(out, fact->link.name);
    strbuf_puts(out, "\n");
}

static void add_born_abroad(const struct fact *fact, const char *unborn, struct strbuf *out)
{
    strbuf_puts(out, "ip link add name");
    explain_word(out, unborn);
    strbuf_puts(out, " netns");
    explain_word(out, fact->ns->name);
}

/* Some things cannot be given at birth: the address generation mode, which has to be set before the
 * link is up, a bridge's MTU, which would then follow its ports', and what a bridge knows of its
 * port. */
static void explain_link_birth(const struct fact *fact, struct strbuf *out)
{
    const struct fact_link *link = &fact->link;
    struct fact_link born = *link;
    char unborn[IFNAMSIZ];

    link_unborn_name(link->name, unborn);
    born.no_autoconf = born.up = born.isolated = born.hairpin = born.trunk = false;
    if (link->kind == LINK_BRIDGE)
        born.mtu = 0;
    if (link->kind != LINK_VLAN)
        born.vlan = 0;
    if (link->mode == LINK_MODE_PASSTHRU)
        born.mac = (struct mac){0}; /* it has its parent's, and the two change together */
    if (is_born_abroad(fact)) {
        add_born_abroad(fact, unborn, out);
    } else {
        explain_command("ip", fact, out);
        strbuf_puts(out, " link add name");
        explain_word(out, link->name);
    }
    if (*link->parent) {
        strbuf_puts(out, " link");
        explain_word(out, link->parent);
    }
    if (mac_is_set(&born.mac))
        strbuf_printf(out, " address %s", mac_text(&born.mac));
    if (born.mtu)
        strbuf_printf(out, " mtu %u", born.mtu);
    if (*link->master) {
        strbuf_puts(out, " master");
        explain_word(out, link->master);
    }
    strbuf_printf(out, " group %u", FACT_LINK_GROUP);
    add_type(link, out);
    strbuf_puts(out, "\n");
    if (is_born_abroad(fact))
        explain_naming(fact, unborn, out);
    explain_link_settings(fact, &born, out);
}

static void explain_taking(const struct fact *fact, struct strbuf *out)
{
    struct fact_link fresh = {0};
    _cleanup_strbuf_ struct strbuf alias = {0};

    strbuf_puts(out, "ip link set dev");
    explain_word(out, fact->link.parent);
    if (fact->ns) {
        strbuf_puts(out, " netns");
        explain_word(out, fact->ns->name);
    }
    strbuf_puts(out, " name");
    explain_word(out, fact->link.name);
    strbuf_printf(&alias, FACT_MOVED_ALIAS "%s", fact->link.parent);
    strbuf_printf(out, " group %u alias", FACT_LINK_GROUP);
    explain_word(out, strbuf_text(&alias));
    strbuf_puts(out, "\n");
    explain_link_settings(fact, &fresh, out);
}

/* The shell's own namespace is the host's. */
static void explain_return(const struct fact *fact, struct strbuf *out)
{
    explain_command("ip", fact, out);
    strbuf_puts(out, " link set dev");
    explain_word(out, fact->link.name);
    if (fact->ns)
        strbuf_puts(out, " netns $$");
    strbuf_puts(out, " name");
    explain_word(out, *fact->link.parent ? fact->link.parent : fact->link.name);
    strbuf_puts(out, " group 0 alias ''\n");
}

static void explain_link_removal(const struct fact *fact, struct strbuf *out)
{
    const char *last = "";

    if (fact->link.kind == LINK_MOVED) {
        explain_return(fact, out);
        return;
    }
    if (fact->link.kind == LINK_LOOPBACK)
        last = " down";
    else if (fact->link.kind == LINK_BORROWED)
        last = " nomaster";
    explain_command("ip", fact, out);
    strbuf_puts(out, *last ? " link set dev" : " link del dev");
    explain_word(out, fact->link.name);
    strbuf_printf(out, "%s\n", last);
}

static void explain_link_addition(const struct fact *fact, struct strbuf *out)
{
    /* It is there: the loopback link, a peer, which was born with its MAC, or a borrowed one. */
    struct fact_link fresh = {0};

    switch (fact->link.kind) {
    case LINK_MOVED:
        explain_taking(fact, out);
        break;
    case LINK_LOOPBACK:
    case LINK_VETH_PEER:
    case LINK_OTHER:
        fresh.mac = fact->link.mac;
        explain_link_settings(fact, &fresh, out);
        break;
    case LINK_BORROWED:
        explain_link_settings(fact, &fresh, out);
        break;
    default:
        explain_link_birth(fact, out);
        break;
    }
}

void explain_link(const struct op *op, struct strbuf *out)
{
    if (op->verb == OP_REMOVE)
        explain_link_removal(&op->fact, out);
    else if (op->verb == OP_CHANGE)
        explain_link_settings(&op->fact, &op->old.link, out);
    else
        explain_link_addition(&op->fact, out);
}
