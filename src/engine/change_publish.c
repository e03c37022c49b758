/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Published ports in a transaction.
 *
 * Where a sandbox is not touched otherwise, only the facts of the ports that come or go are
 * compared. Ports of one sandbox may share elements, though: two host ports that lead to the same
 * port of a routed container open it once. So those that stay and are about the same port are among
 * the facts on both sides, and what they share is neither added nor removed.
 */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "engine/change_step.h"
#include "firewall/firewall.h"
#include "model/publish_path.h"

/* ---- bindings ---- */

static int hold(struct change *ch, struct sandbox *sb, const struct publish_want *want,
                struct relay_port *at, struct weft_error *err)
{
    struct change_step step = {.kind = STEP_HOLD, .sb = sb};
    int r = hold_first_free(ch->engine, sb, want, at, err);

    if (r < 0)
        return r;
    step.port = *at;
    r = change_record(ch, &step, err);
    if (r < 0)
        relay_release(ch->engine->relay, at);
    return r;
}

static int let_go(struct change *ch, struct sandbox *sb, const struct publish *p,
                  struct weft_error *err)
{
    struct change_step step = {.kind = STEP_LET_GO, .sb = sb};

    return held_port(p, &step.port) ? change_record(ch, &step, err) : 0;
}

/* The same port at other addresses: these overlap, so it cannot be held at both at a time. */
static int hold_elsewhere(struct change *ch, struct sandbox *sb, const struct publish_want *want,
                          const struct relay_port *old, struct relay_port *at,
                          struct weft_error *err)
{
    struct change_step step = {.kind = STEP_UNHOLD, .sb = sb, .port = *old};
    struct publish_want same = *want;
    int r = change_record(ch, &step, err);

    if (r < 0)
        return r;
    relay_release(ch->engine->relay, old);
    same.first = same.last = old->port;
    return hold(ch, sb, &same, at, err);
}

/* Gives p the bindings that it has in its sandbox as that is now. It keeps its host port if it has
 * one and still needs one. */
static int bind_port(struct change *ch, struct sandbox *sb, struct publish *p,
                     struct weft_error *err)
{
    struct publish_binding draft[2];
    size_t count = (size_t)publish_bindings(sb, &p->want, UINT16_MAX, draft);
    struct relay_port old, at = {.proto = p->want.proto, .host = publish_hold_host(draft, count)};
    bool held = held_port(p, &old);
    int r = 0;

    if (publish_host_port(draft, count) == 0) {
        r = let_go(ch, sb, p, err);
    } else if (!held) {
        r = hold(ch, sb, &p->want, &at, err);
    } else {
        at.port = old.port;
        if (!addr_equal(&at.host, &old.host))
            r = hold_elsewhere(ch, sb, &p->want, &old, &at, err);
    }
    if (r < 0)
        return r;
    for (size_t i = 0; i < count; i++) {
        p->bindings[i] = draft[i];
        if (draft[i].host_port)
            p->bindings[i].host_port = at.port;
    }
    p->binding_count = (uint8_t)count;
    return 0;
}

static bool same_bindings(const struct publish *a, const struct publish *b)
{
    if (a->binding_count != b->binding_count)
        return false;
    for (size_t i = 0; i < a->binding_count; i++)
        if (a->bindings[i].host_port != b->bindings[i].host_port ||
            !addr_equal(&a->bindings[i].host, &b->bindings[i].host))
            return false;
    return true;
}

/* Puts another list in the place of the sandbox's. *list is taken. */
static int replace_ports(struct change *ch, struct sandbox *sb, struct publish_list *list,
                         struct weft_error *err)
{
    struct change_step step = {.kind = STEP_PORTS, .sb = sb, .old_ports = sb->publishes};
    int r = change_record(ch, &step, err);

    if (r == 0)
        sb->publishes = TAKE_GENERIC(*list, (struct publish_list){0});
    return r;
}

static int copy_ports(const struct publish_list *list, struct publish_list *ret,
                      struct weft_error *err)
{
    ret->items = calloc(list->count, sizeof *ret->items);
    if (!ret->items)
        return weft_oom(err);
    memcpy(ret->items, list->items, list->count * sizeof *list->items);
    ret->count = ret->capacity = list->count;
    return 0;
}

int change_bind_ports(struct change *ch, struct sandbox *sb, struct weft_error *err)
{
    _cleanup_publish_list_ struct publish_list list = {0};
    bool changed = false;
    int r;

    if (sb->publishes.count == 0)
        return 0;
    r = copy_ports(&sb->publishes, &list, err);
    for (size_t i = 0; r == 0 && i < list.count; i++) {
        r = bind_port(ch, sb, &list.items[i], err);
        if (r < 0 || same_bindings(&list.items[i], &sb->publishes.items[i]))
            continue;
        changed = true;
        r = store_put_publish(ch->engine->store, sb->id, &list.items[i], err);
    }
    return r == 0 && changed ? replace_ports(ch, sb, &list, err) : r;
}

int change_let_go_ports(struct change *ch, struct sandbox *sb, struct weft_error *err)
{
    int r = 0;

    for (size_t i = 0; r == 0 && i < sb->publishes.count; i++)
        r = let_go(ch, sb, &sb->publishes.items[i], err);
    return r;
}

/* ---- wants ---- */

/* A want as a key, sorted by publish_want_compare(). */
struct key {
    const struct publish_want *want;
    bool known; /* to publish: it is published already. To unpublish: a port matched */
};

static int compare_keys(const void *a, const void *b)
{
    return publish_want_compare(((const struct key *)a)->want, ((const struct key *)b)->want);
}

static int compare_services(const struct publish_want *a, const struct publish_want *b)
{
    int c = (int)a->proto - b->proto;

    return c ? c : (int)a->port - b->port;
}

/* The wants, sorted, and room for more behind them; for the caller to free. */
static struct key *sort_wants(const struct publish_want *wants, size_t count, size_t room)
{
    struct key *keys = calloc(count + room + 1, sizeof *keys);

    for (size_t i = 0; keys && i < count; i++)
        keys[i].want = &wants[i];
    if (keys && count > 0)
        qsort(keys, count, sizeof *keys, compare_keys);
    return keys;
}

/* The first of the keys that is about the same port of the sandbox as want; count: none is. */
static size_t find_service(const struct key *keys, size_t count, const struct publish_want *want)
{
    size_t low = 0, high = count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (compare_services(keys[middle].want, want) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low < count && compare_services(keys[low].want, want) == 0 ? low : count;
}

/* As the command line spells it. */
static const char *want_text(const struct publish_want *want, struct strbuf *buf)
{
    char port[PUBLISH_PORT_TEXT_MAX], range[PUBLISH_PORT_TEXT_MAX];
    bool ipv6 = want->host.family == AF_INET6;

    publish_range_format(want->first, want->last, range);
    if (addr_is_set(&want->host))
        strbuf_printf(buf, "%s%s%s:", ipv6 ? "[" : "", addr_text(&want->host), ipv6 ? "]" : "");
    if (addr_is_set(&want->host) || *range)
        strbuf_printf(buf, "%s:", range);
    strbuf_printf(buf, "%s", publish_port_format(want->proto, want->port, port));
    return strbuf_text(buf);
}

/* ---- publishing ---- */

/* Those that stay as they are and may share elements with what comes or goes. */
static int render_neighbour(struct change *ch, const struct sandbox *sb, const struct publish *p)
{
    int r = firewall_render_publish(&ch->engine->host, sb, p, &ch->before);

    return r < 0 ? r : firewall_render_publish(&ch->engine->host, sb, p, &ch->added);
}

/* Ports that are wanted by number must be new. Of ephemeral ones there may be any number. */
static int check_new(const struct sandbox *sb, const struct key *keys, size_t count,
                     struct weft_error *err)
{
    for (size_t i = 1; i < count; i++) {
        _cleanup_strbuf_ struct strbuf text = {0};
        const struct publish_want *want = keys[i].want;
        bool known = keys[i].known || keys[i - 1].known;

        if (!publish_want_equal(want, keys[i - 1].want) || (known && want->first == 0))
            continue;
        if (known)
            return weft_fail(err, WEFT_CONFLICT, "%s is published by %s already",
                             want_text(want, &text), sandbox_owner_text(sb));
        return weft_fail(err, WEFT_INVALID, "%s is to be published twice", want_text(want, &text));
    }
    return 0;
}

/* Checks the wants against each other and what is there; with render, renders of the latter what is
 * about the same ports. */
static int meet_neighbours(struct change *ch, const struct sandbox *sb,
                           const struct publish_want *wants, size_t count, bool render,
                           struct weft_error *err)
{
    _cleanup_free_ struct key *keys = sort_wants(wants, count, sb->publishes.count);
    size_t found = count;

    if (!keys)
        return weft_oom(err);
    for (size_t i = 0; i < sb->publishes.count; i++) {
        const struct publish *p = &sb->publishes.items[i];

        if (find_service(keys, count, &p->want) == count)
            continue;
        if (render && render_neighbour(ch, sb, p) < 0)
            return weft_oom(err);
        keys[found++] = (struct key){.want = &p->want, .known = true};
    }
    if (found > count)
        qsort(keys, found, sizeof *keys, compare_keys);
    return check_new(sb, keys, found, err);
}

/* The ports of a sandbox that is touched, or at rest, are nobody's business now. */
static bool binds_now(const struct change *ch, const struct sandbox *sb)
{
    return sb->active && !change_is_touched(ch, sb->id);
}

static int add_port(struct change *ch, struct sandbox *sb, const struct publish_want *want,
                    bool bind, struct weft_error *err)
{
    struct publish *p;
    int r = publish_list_add(&sb->publishes, want);

    if (r < 0)
        return weft_oom(err);
    p = &sb->publishes.items[sb->publishes.count - 1];
    if (bind) {
        r = bind_port(ch, sb, p, err);
        if (r == 0 && firewall_render_publish(&ch->engine->host, sb, p, &ch->added) < 0)
            r = weft_oom(err);
    }
    return r < 0 ? r : store_put_publish(ch->engine->store, sb->id, p, err);
}

int change_publish(struct change *ch, struct sandbox *sb, const struct publish_want *wants,
                   size_t count, struct weft_error *err)
{
    struct change_step step = {.kind = STEP_PUBLISH, .sb = sb, .old_count = sb->publishes.count};
    bool bind = binds_now(ch, sb);
    int r = meet_neighbours(ch, sb, wants, count, bind, err);

    if (r == 0)
        r = change_record(ch, &step, err);
    for (size_t i = 0; r == 0 && i < count; i++)
        r = add_port(ch, sb, &wants[i], bind, err);
    return r;
}

/* ---- unpublishing ---- */

/* Does the want speak of this port? Of the host's side it may say nothing, what was wanted, or what
 * was given. */
static bool matches(const struct publish_want *want, const struct publish *p)
{
    uint16_t given = publish_host_port(p->bindings, p->binding_count);

    if (compare_services(want, &p->want) != 0)
        return false;
    if (addr_is_set(&want->host) && !addr_equal(&want->host, &p->want.host))
        return false;
    return want->first == 0 || (want->first == p->want.first && want->last == p->want.last) ||
           (want->first <= given && given <= want->last);
}

/* Marks all keys that speak of the port. */
static bool match_port(struct key *keys, size_t count, const struct publish *p)
{
    bool matched = false;

    for (size_t i = find_service(keys, count, &p->want);
         i < count && compare_services(keys[i].want, &p->want) == 0; i++) {
        if (!matches(keys[i].want, p))
            continue;
        keys[i].known = matched = true;
    }
    return matched;
}

static int remove_port(struct change *ch, struct sandbox *sb, const struct publish *p, bool bound,
                       struct weft_error *err)
{
    int r = let_go(ch, sb, p, err);

    if (r == 0)
        r = store_delete_publish(ch->engine->store, sb->id, p->number, err);
    if (r == 0 && bound && firewall_render_publish(&ch->engine->host, sb, p, &ch->before) < 0)
        r = weft_oom(err);
    return r;
}

/* Removes what matches the keys; *ret is what is left. */
static int remove_matches(struct change *ch, struct sandbox *sb, struct key *keys, size_t count,
                          struct publish_list *ret, struct weft_error *err)
{
    bool bound = binds_now(ch, sb);
    int r = copy_ports(&sb->publishes, ret, err);

    ret->count = 0;
    for (size_t i = 0; r == 0 && i < sb->publishes.count; i++) {
        const struct publish *p = &sb->publishes.items[i];

        if (match_port(keys, count, p)) {
            r = remove_port(ch, sb, p, bound, err);
            continue;
        }
        ret->items[ret->count++] = *p;
        if (bound && find_service(keys, count, &p->want) < count && render_neighbour(ch, sb, p) < 0)
            r = weft_oom(err);
    }
    return r;
}

int change_unpublish(struct change *ch, struct sandbox *sb, const struct publish_want *wants,
                     size_t count, struct weft_error *err)
{
    _cleanup_publish_list_ struct publish_list left = {0};
    _cleanup_free_ struct key *keys = sort_wants(wants, count, 0);
    int r = keys ? 0 : weft_oom(err);

    if (r == 0 && sb->publishes.count > 0)
        r = remove_matches(ch, sb, keys, count, &left, err);
    for (size_t i = 0; r == 0 && i < count; i++) {
        _cleanup_strbuf_ struct strbuf text = {0};

        if (!keys[i].known)
            r = weft_fail(err, WEFT_NOT_FOUND, "%s is not published by %s",
                          want_text(keys[i].want, &text), sandbox_owner_text(sb));
    }
    return r < 0 || sb->publishes.count == 0 ? r : replace_ports(ch, sb, &left, err);
}
