/* SPDX-License-Identifier: Apache-2.0 */
#include "model/sandbox.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "model/network.h"

void sandbox_free(struct sandbox *sb)
{
    if (!sb)
        return;
    publish_list_clear(&sb->publishes);
    free(sb->endpoints);
    free(sb->netns);
    free(sb->origin);
    free(sb->name);
    free(sb);
}

int sandbox_add_endpoint(struct sandbox *sb, struct endpoint *ep)
{
    struct endpoint **grown =
        reallocarray(sb->endpoints, sb->endpoint_count + 1, sizeof(struct endpoint *));

    if (!grown)
        return -ENOMEM;
    sb->endpoints = grown;
    sb->endpoints[sb->endpoint_count++] = ep;
    return 0;
}

void sandbox_remove_endpoint(struct sandbox *sb, const struct endpoint *ep)
{
    for (size_t i = 0; i < sb->endpoint_count; i++) {
        if (sb->endpoints[i] != ep)
            continue;
        sb->endpoint_count--;
        memmove(&sb->endpoints[i], &sb->endpoints[i + 1],
                (sb->endpoint_count - i) * sizeof(struct endpoint *));
        return;
    }
}

struct endpoint *sandbox_endpoint_on(const struct sandbox *sb, const struct network *net)
{
    for (size_t i = 0; i < sb->endpoint_count; i++)
        if (sb->endpoints[i]->network == net)
            return sb->endpoints[i];
    return NULL;
}

static bool has_ifname(const struct sandbox *sb, const char *ifname)
{
    for (size_t i = 0; i < sb->endpoint_count; i++)
        if (str_equal(sb->endpoints[i]->ifname, ifname))
            return true;
    return false;
}

void sandbox_free_ifname(const struct sandbox *sb, const char *prefix, char ret[static IFNAMSIZ])
{
    /* One of the first count + 1 numbers is free. */
    for (size_t n = 0; n <= sb->endpoint_count; n++) {
        (void)snprintf(ret, IFNAMSIZ, "%.*s%zu", IFACE_PREFIX_MAX, prefix, n);
        if (!has_ifname(sb, ret))
            return;
    }
}
