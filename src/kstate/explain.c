/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Plans as commands of iproute2 (6.1), nftables (1.0), iptables (1.8) and procps. Run as root in an
 * empty namespace they leave the same kernel state as applying the plan does.
 *
 * Each function appends whole lines. Names are quoted as shell words where they must be, and those
 * of links follow a keyword ("dev", "name"), so that a link called "up" is no surprise.
 */

#include <assert.h>
#include <linux/netfilter.h>
#include <string.h>

#include "base/str.h"
#include "kstate/explain_parts.h"
#include "kstate/nft_text.h"
#include "kstate/plan.h"

#define NETNS_DIR "/run/netns/" /* of ip-netns(8) */

void explain_word(struct strbuf *out, const char *text)
{
    strbuf_puts(out, " ");
    strbuf_add_shell_word(out, text);
}

/* A command of iproute2, in the fact's namespace. */
void explain_command(const char *command, const struct fact *fact, struct strbuf *out)
{
    strbuf_puts(out, command);
    if (fact->ns) {
        strbuf_puts(out, " -n");
        explain_word(out, fact->ns->name);
    }
}

/* `ip netns attach` would pin the namespace of a process; a path has to be mounted by hand. */
static void explain_pin(const struct kstate_ns *ns, struct strbuf *out)
{
    _cleanup_strbuf_ struct strbuf target = {0};

    strbuf_printf(&target, NETNS_DIR "%s", ns->name);
    strbuf_puts(out, "mkdir -p " NETNS_DIR " && touch");
    explain_word(out, strbuf_text(&target));
    strbuf_puts(out, " && mount --bind");
    explain_word(out, ns->origin);
    explain_word(out, strbuf_text(&target));
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
    explain_word(out, ns->name);
    strbuf_puts(out, "\n");
}

/* The administrator's chains go into the new tables as they were in the old. */
static void explain_base_replacement(const char *text, struct strbuf *out)
{
    strbuf_puts(out, "{ cat <<'EOF'; for chain in before after; do "
                     "nft list chain inet weft $chain 2>/dev/null; done; } | nft -f -\n"
                     "add table inet weft\ndelete table inet weft\n"
                     "add table bridge weft\ndelete table bridge weft\n");
    strbuf_puts(out, text);
    strbuf_puts(out, "EOF\n");
}

static void explain_base(const struct op *op, struct strbuf *out)
{
    const char *text = op->fact.base.text ? op->fact.base.text : "";

    if (op->verb == OP_REMOVE) {
        strbuf_puts(out, "nft delete table inet weft\nnft delete table bridge weft\n");
        return;
    }
    if (op->verb == OP_CHANGE && !str_equal(op->old.base.version, op->fact.base.version)) {
        explain_base_replacement(text, out);
        return;
    }
    /* Loading it twice would double its rules. */
    if (op->verb == OP_ADD)
        strbuf_puts(out, "nft list table inet weft >/dev/null 2>&1 || ");
    strbuf_puts(out, "nft -f - <<'EOF'\n");
    if (op->verb == OP_ADD)
        strbuf_puts(out, text);
    else
        nft_print_reload(text, out);
    strbuf_puts(out, "EOF\n");
}

#define TEXT_OF_(number) #number
#define TEXT_OF(number) TEXT_OF_(number)
#define RESOLVER_PORT TEXT_OF(FACT_RESOLVER_PORT)

/* In place of one that is there: adding before deleting lets the deletion succeed when there is
 * none. */
static void explain_resolver(const struct op *op, struct strbuf *out)
{
    static const char table[] = "add table ip weft\n"
                                "delete table ip weft\n"
                                "table ip weft {\n"
                                "    comment \"weft\"\n"
                                "    chain output {\n"
                                "        type filter hook output priority raw; policy accept;\n"
                                "        oif != \"lo\" accept\n"
                                "        ip daddr " FACT_RESOLVER_ADDR
                                " udp dport 53 udp dport set " RESOLVER_PORT " accept\n"
                                "        ip daddr " FACT_RESOLVER_ADDR
                                " tcp dport 53 tcp dport set " RESOLVER_PORT " accept\n"
                                "        ip saddr " FACT_RESOLVER_ADDR " udp sport " RESOLVER_PORT
                                " udp sport set 53 accept\n"
                                "        ip saddr " FACT_RESOLVER_ADDR " tcp sport " RESOLVER_PORT
                                " tcp sport set 53 accept\n"
                                "    }\n"
                                "}\n";

    strbuf_puts(out, "ip netns exec");
    explain_word(out, op->fact.ns->name);
    if (op->verb == OP_REMOVE)
        strbuf_puts(out, " nft delete table ip weft\n");
    else
        strbuf_printf(out, " nft -f - <<'EOF'\n%sEOF\n", table);
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
    if (op->verb == OP_REMOVE && !*sysctl->idle) {
        strbuf_printf(out, "# %s stays as it is\n", key);
        return;
    }
    if (op->fact.ns) {
        strbuf_puts(out, "ip netns exec");
        explain_word(out, op->fact.ns->name);
        strbuf_puts(out, " ");
    }
    strbuf_printf(&assignment, "%s=%s", key, op->verb == OP_REMOVE ? sysctl->idle : sysctl->value);
    strbuf_puts(out, "sysctl -w");
    explain_word(out, strbuf_text(&assignment));
    strbuf_puts(out, "\n");
}

static void explain_addr(const struct op *op, struct strbuf *out)
{
    const struct fact_addr *addr = &op->fact.addr;
    bool removing = op->verb == OP_REMOVE;

    explain_command("ip", &op->fact, out);
    strbuf_printf(out, " addr %s %s dev", removing ? "del" : "add", prefix_text(&addr->prefix));
    explain_word(out, addr->link);
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

    explain_command("ip", &op->fact, out);
    strbuf_printf(out, "%s route %s %s", route->destination.addr.family == AF_INET6 ? " -6" : "",
                  verbs[op->verb],
                  route->destination.len ? prefix_text(&route->destination) : "default");
    if (addr_is_set(&route->via))
        strbuf_printf(out, " via %s", addr_text(&route->via));
    strbuf_puts(out, " dev");
    explain_word(out, route->link);
    if (route->metric)
        strbuf_printf(out, " metric %u", route->metric);
    strbuf_printf(out, " proto %d\n", FACT_ROUTE_PROTOCOL);
}

static void add_elem_command(const char *verb, const struct fact_nft_elem *elem, struct strbuf *out)
{
    strbuf_printf(out, "%s element %s weft %s", verb, nft_table_family(elem->table), elem->set);
}

/* A map's element is changed by deleting and adding it in one transaction. */
static void explain_changed_elem(const struct op *op, struct strbuf *out)
{
    _cleanup_strbuf_ struct strbuf command = {0};

    add_elem_command("delete", &op->old.elem, &command);
    strbuf_puts(&command, " { ");
    nft_elem_print(&op->old.elem, &command);
    strbuf_puts(&command, " }; ");
    add_elem_command("add", &op->fact.elem, &command);
    strbuf_puts(&command, " { ");
    nft_elem_print(&op->fact.elem, &command);
    strbuf_puts(&command, " }");
    strbuf_puts(out, "nft");
    explain_word(out, strbuf_text(&command));
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
    strbuf_puts(out, "nft ");
    add_elem_command(op->verb == OP_REMOVE ? "delete" : "add", &op->fact.elem, out);
    explain_word(out, strbuf_text(&elem));
    strbuf_puts(out, "\n");
}

static void explain_iptables_accept(const struct op *op, struct strbuf *out)
{
    const struct fact_nft_accept *accept = &op->fact.accept;
    const char *verb = accept->chain.ends_in_drop ? "-I" : "-A";

    strbuf_puts(out, accept->chain.family == NFPROTO_IPV6 ? "ip6tables" : "iptables");
    if (!str_equal(accept->chain.table, "filter"))
        strbuf_printf(out, " -t %s", accept->chain.table);
    strbuf_printf(out, " %s %s -m devgroup --%s-group 0x%x -m comment --comment %s -j ACCEPT\n",
                  op->verb == OP_REMOVE ? "-D" : verb, accept->chain.name,
                  accept->outgoing ? "dst" : "src", FACT_LINK_GROUP, FACT_NFT_ACCEPT_COMMENT);
}

static const char *nft_family_text(uint8_t family)
{
    if (family == NFPROTO_IPV4)
        return "ip";
    return family == NFPROTO_IPV6 ? "ip6" : "inet";
}

/* nft deletes rules by their handles. */
static void explain_nft_accept(const struct op *op, struct strbuf *out)
{
    const struct fact_nft_accept *accept = &op->fact.accept;
    const char *group = accept->outgoing ? "oifgroup" : "iifgroup";
    _cleanup_strbuf_ struct strbuf chain = {0};

    strbuf_printf(&chain, "%s %s %s", nft_family_text(accept->chain.family), accept->chain.table,
                  accept->chain.name);
    if (op->verb == OP_REMOVE)
        strbuf_printf(out,
                      "nft -a list chain %s | sed -n 's/.*%s .* comment \"%s\" # handle //p' | "
                      "xargs -rn1 nft delete rule %s handle\n",
                      strbuf_text(&chain), group, FACT_NFT_ACCEPT_COMMENT, strbuf_text(&chain));
    else
        strbuf_printf(out, "nft '%s rule %s %s %u counter accept comment \"%s\"'\n",
                      accept->chain.ends_in_drop ? "insert" : "add", strbuf_text(&chain), group,
                      FACT_LINK_GROUP, FACT_NFT_ACCEPT_COMMENT);
}

static void explain_accept(const struct op *op, struct strbuf *out)
{
    if (nft_chain_is_iptables(&op->fact.accept.chain))
        explain_iptables_accept(op, out);
    else
        explain_nft_accept(op, out);
}

static void explain_op(const struct op *op, struct strbuf *out)
{
    static void (*const explain[])(const struct op *, struct strbuf *) = {
        [FACT_NETNS] = explain_netns,       [FACT_NFT_BASE] = explain_base,
        [FACT_LINK] = explain_link,         [FACT_SYSCTL] = explain_sysctl,
        [FACT_ADDR] = explain_addr,         [FACT_ROUTE] = explain_route,
        [FACT_NFT_ELEM] = explain_elem,     [FACT_NFT_ACCEPT] = explain_accept,
        [FACT_RESOLVER] = explain_resolver, [FACT_SHAPE] = explain_shape,
        [FACT_REDIRECT] = explain_redirect,
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
        strbuf_puts(out, "nft -f base.nft  # tables inet weft and bridge weft");
        return;
    }
    if (op->fact.kind == FACT_RESOLVER && op->verb != OP_REMOVE) {
        strbuf_puts(out, "ip netns exec");
        explain_word(out, op->fact.ns->name);
        strbuf_puts(out, " nft -f resolver.nft  # table ip weft");
        return;
    }
    explain_op(op, &lines);
    strbuf_add(out, strbuf_text(&lines), strcspn(strbuf_text(&lines), "\n"));
}
