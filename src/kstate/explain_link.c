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

/* A new port is not isolated. */
static void explain_isolation(const struct fact *fact, const struct fact_link *from,
                              struct strbuf *out)
{
    const struct fact_link *to = &fact->link;
    bool isolated = from->isolated && str_equal(from->master, to->master);

    if (!*to->master || to->isolated == isolated)
        return;
    explain_command("bridge", fact, out);
    strbuf_puts(out, " link set dev");
    explain_word(out, to->name);
    strbuf_printf(out, " isolated %s\n", to->isolated ? "on" : "off");
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
    explain_isolation(fact, from, out);
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

/* A bridge or a veth pair. Three things cannot be given at birth: the address generation mode,
 * which has to be set before the link is up, a bridge's MTU, which would then follow its ports',
 * and a port's isolation. */
static void explain_link_birth(const struct fact *fact, struct strbuf *out)
{
    const struct fact_link *link = &fact->link;
    struct fact_link born = *link;

    born.no_autoconf = born.up = born.isolated = false;
    if (link->kind == LINK_BRIDGE)
        born.mtu = 0;
    explain_command("ip", fact, out);
    strbuf_puts(out, " link add name");
    explain_word(out, link->name);
    if (mac_is_set(&link->mac))
        strbuf_printf(out, " address %s", mac_text(&link->mac));
    if (born.mtu)
        strbuf_printf(out, " mtu %u", born.mtu);
    if (*link->master) {
        strbuf_puts(out, " master");
        explain_word(out, link->master);
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

    explain_command("ip", fact, out);
    strbuf_puts(out, loopback ? " link set dev" : " link del dev");
    explain_word(out, fact->link.name);
    strbuf_puts(out, loopback ? " down\n" : "\n");
}

void explain_link(const struct op *op, struct strbuf *out)
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
