/* SPDX-License-Identifier: Apache-2.0 */
#include "firewall/firewall.h"

#include "base_nft.h" /* made of base.nft by tools/embed-ruleset */

int firewall_render_base(struct fact_set *out)
{
    static const struct fact base = {
        .kind = FACT_NFT_BASE,
        .base = {.text = BASE_NFT_TEXT, .version = BASE_NFT_VERSION},
    };

    return fact_set_add(out, &base);
}

/* Adds link, `fields` times, as the key of an element. */
static int add_link(struct fact_set *out, const char *set, const char *link, size_t fields)
{
    struct fact fact = {.kind = FACT_NFT_ELEM};

    (void)str_copy(fact.elem.set, sizeof fact.elem.set, set);
    for (size_t i = 0; i < fields; i++) {
        fact.elem.key[i].type = NFT_FIELD_IFNAME;
        (void)str_copy(fact.elem.key[i].ifname, IFNAMSIZ, link);
    }
    return fact_set_add(out, &fact);
}

int firewall_render_network(const struct network *net, struct fact_set *out)
{
    bool masqueraded = !net->internal && network_option_bool(net, OPTION_BRIDGE_MASQUERADE, true);
    int r;

    if (!*net->link)
        return 0;
    r = add_link(out, "same_link", net->link, 2);
    if (r == 0)
        r = add_link(out, "links", net->link, 1);
    if (r == 0 && masqueraded)
        r = add_link(out, "masqueraded", net->link, 1);
    if (r == 0 && net->internal)
        r = add_link(out, "internal", net->link, 1);
    return r;
}
