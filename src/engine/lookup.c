/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Finding things by what users type: the full id, then the name, then a prefix of an id that only
 * one has. All three kinds of objects are found by the same steps; what differs is where their ids
 * and slots are.
 */

#include <string.h>

#include "engine/state.h"

struct lookup {
    const char *noun;
    const char *missing, *missing_end; /* Docker's sentence around the name */
    const struct hash *by_id, *by_name;
};

/* The slot, or NULL with the sentence in err. */
static void *lookup(const struct lookup *l, const char *ref, struct weft_error *err)
{
    void *found = NULL;
    struct hash_slot slot;
    size_t length = strlen(ref);

    if (length == 0) {
        weft_fail(err, WEFT_INVALID, "the name of a %s must not be empty", l->noun);
        return NULL;
    }
    found = hash_get(l->by_id, ref);
    if (!found)
        found = hash_get(l->by_name, ref);
    if (found)
        return found;

    for (size_t i = 0; hash_next(l->by_id, &i, &slot);) {
        if (strncmp(slot.key, ref, length) != 0)
            continue;
        if (found) {
            weft_fail(err, WEFT_INVALID, "several %ss have ids that begin with %s", l->noun, ref);
            return NULL;
        }
        found = slot.value;
    }
    if (!found)
        weft_fail(err, WEFT_NOT_FOUND, "%s%s%s", l->missing, ref, l->missing_end);
    return found;
}

struct network *engine_network(struct engine *e, const char *ref, struct weft_error *err)
{
    const struct lookup l = {"network", "network ", " not found", &e->networks_by_id,
                             &e->networks_by_name};
    struct net_slot *slot = lookup(&l, ref, err);

    return slot ? slot->net : NULL;
}

struct sandbox *engine_sandbox(struct engine *e, const char *ref, struct weft_error *err)
{
    const struct lookup l = {"container", "No such container: ", "", &e->sandboxes_by_id,
                             &e->sandboxes_by_name};
    struct sandbox_slot *slot = lookup(&l, ref, err);

    return slot ? slot->sandbox : NULL;
}

struct container *engine_container(struct engine *e, const char *ref, struct weft_error *err)
{
    const struct lookup l = {"container", "No such container: ", "", &e->containers_by_id,
                             &e->containers_by_name};
    struct container_slot *slot = lookup(&l, ref, err);

    return slot ? slot->container : NULL;
}

struct network *const *engine_networks(struct engine *e, size_t *ret_count)
{
    *ret_count = e->network_count;
    return e->networks;
}

struct sandbox *const *engine_sandboxes(struct engine *e, size_t *ret_count)
{
    *ret_count = e->sandbox_count;
    return e->sandboxes;
}

struct container *const *engine_containers(struct engine *e, size_t *ret_count)
{
    *ret_count = e->container_count;
    return e->containers;
}

struct endpoint *const *engine_network_endpoints(struct engine *e, const struct network *net,
                                                 size_t *ret_count)
{
    struct net_slot *slot = engine_net_slot(e, net);

    *ret_count = slot ? slot->endpoint_count : 0;
    return slot ? slot->endpoints : NULL;
}

struct sandbox *engine_container_sandbox(struct engine *e, const struct container *c)
{
    struct sandbox_slot *slot = hash_get(&e->sandboxes_by_id, c->sandbox_id);

    return slot ? slot->sandbox : NULL;
}

struct kernel *engine_kernel(struct engine *e)
{
    return e->kernel;
}
