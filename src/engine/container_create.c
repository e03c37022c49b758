/* SPDX-License-Identifier: Apache-2.0 */

/* Creating a container: its sandbox, and its place on the networks that it shall join. */

#include <errno.h>
#include <limits.h>
#include <string.h>

#include "base/time.h"
#include "driver/driver.h"
#include "engine/change.h"
#include "engine/dns.h"
#include "engine/outside.h"

#define HOST_IMAGE "host"

/* What config.network_mode means. */
struct mode {
    struct network *net;     /* the network that it names; NULL for container:REF */
    struct container *other; /* container:REF */
    bool exclusive;          /* no further networks: host, none, container */
};

static int resolve_mode(struct engine *e, const struct container *c, struct mode *ret,
                        struct weft_error *err)
{
    const char *mode = c->config.network_mode;

    if (str_is_empty(mode) || strcmp(mode, "default") == 0)
        mode = "bridge";
    if (str_starts_with(mode, "container:")) {
        ret->exclusive = true;
        ret->other = engine_container(e, mode + strlen("container:"), err);
        if (!ret->other)
            return -err->errnum;
        if (strcmp(ret->other->id, ret->other->sandbox_id) != 0)
            return weft_fail(
                err, WEFT_INVALID,
                "container %s shares the network of another container itself: join that one",
                ret->other->name);
        return 0;
    }
    ret->net = engine_network(e, mode, err);
    if (!ret->net)
        return -err->errnum;
    ret->exclusive = driver_find(ret->net->driver)->single;
    return 0;
}

/* Whether a join speaks of the mode's own network. */
static bool is_mode_join(struct engine *e, const struct mode *mode, const struct engine_join *join)
{
    struct weft_error ignored;

    if (!mode->net)
        return false;
    return (mode->net == engine_network(e, join->network, &ignored)) ||
           strcmp(join->network, "default") == 0;
}

static int check_joins(struct engine *e, const struct mode *mode, const struct container *c,
                       const struct engine_join *joins, size_t count, struct weft_error *err)
{
    for (size_t i = 0; i < count; i++)
        if (mode->exclusive && !is_mode_join(e, mode, &joins[i]))
            return weft_fail(err, WEFT_INVALID,
                             "network mode %s cannot be combined with network %s",
                             c->config.network_mode, joins[i].network);
    return 0;
}

/* The sandbox that is the container's own. */
static int add_own_sandbox(struct change *ch, const struct container *c, const struct mode *mode,
                           struct sandbox **ret, struct weft_error *err)
{
    _cleanup_sandbox_ struct sandbox *sb = calloc(1, sizeof *sb);
    int r;

    if (!sb)
        return weft_oom(err);
    memcpy(sb->id, c->id, sizeof sb->id);
    sb->kind = strcmp(mode->net->driver, "host") == 0 ? SANDBOX_HOST : SANDBOX_CONTAINER;
    sb->name = strdup(c->name);
    if (!sb->name)
        return weft_oom(err);
    *ret = sb;
    r = change_add_sandbox(ch, TAKE_PTR(sb), err);
    return r;
}

static int join(struct change *ch, struct sandbox *sb, struct network *net,
                const struct endpoint_want *want, struct weft_error *err)
{
    int r = 0;

    if (network_is_busy(ch->engine, net, err))
        return -err->errnum;
    if (sandbox_endpoint_on(sb, net))
        return weft_fail(err, WEFT_INVALID, "network %s is named twice for container %s", net->name,
                         sb->name);
    if (want)
        r = driver_find(net->driver)->check_endpoint(net, want, err);
    return r < 0 ? r : change_add_endpoint(ch, sb, net, want, err);
}

/* On the mode's network. The container's own links are links there; on the default bridge they are
 * lines in a file. */
static int join_mode(struct change *ch, struct sandbox *sb, const struct mode *mode,
                     const struct endpoint_want *asked, struct weft_error *err)
{
    const struct container *c = sandbox_container(ch->engine, sb);
    struct endpoint_want want = asked ? *asked : (struct endpoint_want){0};
    _cleanup_strv_ strv links = NULL;
    int r = strv_copy(want.links, &links);

    if (strv_length(c->config.links) == 0 || !network_has_names(mode->net))
        return join(ch, sb, mode->net, asked, err);
    for (char **link = c->config.links; r == 0 && *link; link++)
        if (!strv_contains(links, *link))
            r = strv_add(&links, *link);
    if (r < 0)
        return weft_oom(err);
    want.links = links;
    return join(ch, sb, mode->net, &want, err);
}

/* The mode's network first, so that it gets eth0; then the others in the order given. */
static int join_all(struct change *ch, struct sandbox *sb, const struct mode *mode,
                    const struct engine_join *joins, size_t count, struct weft_error *err)
{
    const struct endpoint_want *want = NULL;
    int r;

    for (size_t i = 0; i < count; i++)
        if (is_mode_join(ch->engine, mode, &joins[i]))
            want = &joins[i].want;
    r = join_mode(ch, sb, mode, want, err);
    for (size_t i = 0; r == 0 && i < count; i++) {
        struct network *net;

        if (is_mode_join(ch->engine, mode, &joins[i]))
            continue;
        net = engine_network(ch->engine, joins[i].network, err);
        r = net ? join(ch, sb, net, &joins[i].want, err) : -err->errnum;
    }
    return r;
}

/* There are no images yet but one: the host's own root. To run that under another's name would be a
 * lie. */
static int complete_image(struct container *c, struct weft_error *err)
{
    struct container_config *config = &c->config;

    if (!str_is_empty(config->image) && strcmp(config->image, HOST_IMAGE) != 0)
        return weft_fail(err, WEFT_UNSUPPORTED,
                         "image %s cannot be used: weft has no images but \"" HOST_IMAGE
                         "\", this machine's own root file system",
                         config->image);
    free(config->image);
    config->image = strdup(config->rootfs ? config->rootfs : HOST_IMAGE);
    return config->image ? 0 : weft_oom(err);
}

/* The UTS name: given, or that of the stack that is shared, or the short id. */
static int complete_hostname(struct container *c, const struct mode *mode, struct weft_error *err)
{
    char host[HOST_NAME_MAX + 1] = "";

    if (!str_is_empty(c->config.hostname))
        return 0;
    free(c->config.hostname);
    if (mode->other)
        c->config.hostname = strdup(mode->other->config.hostname);
    else if (strcmp(mode->net->driver, "host") == 0 && gethostname(host, sizeof host - 1) == 0)
        c->config.hostname = strdup(host);
    else
        c->config.hostname = strndup(c->id, ID_SHORT);
    return c->config.hostname ? 0 : weft_oom(err);
}

static int complete_container(struct engine *e, struct container *c, const struct mode *mode,
                              struct weft_error *err)
{
    int r = runtime_check(e->runtime, c->config.runtime, err);

    if (r == 0)
        r = complete_image(c, err);
    if (r < 0)
        return r;
    id_generate(c->id);
    c->created = time_now();
    c->status = CONTAINER_CREATED;
    memcpy(c->sandbox_id, mode->other ? mode->other->id : c->id, sizeof c->sandbox_id);
    if (str_is_empty(c->name)) {
        free(c->name);
        c->name = str_printf("weft-%.8s", c->id);
        if (!c->name)
            return weft_oom(err);
    }
    return complete_hostname(c, mode, err);
}

/* ---- published ports ---- */

struct wants {
    struct publish_want *list;
    size_t count;
};

static void wants_clear(struct wants *wants)
{
    free(wants->list);
}

static bool is_wanted(const struct wants *wants, uint8_t proto, uint16_t port)
{
    for (size_t i = 0; i < wants->count; i++)
        if (wants->list[i].proto == proto && wants->list[i].port == port)
            return true;
    return false;
}

/* Every exposed port that is not published otherwise, at any port of the host. */
static int add_exposed(const struct container_config *config, struct wants *wants,
                       struct weft_error *err)
{
    for (char **exposed = config->exposed; exposed && *exposed; exposed++) {
        struct publish_want want = {0};
        int r = publish_port_parse(*exposed, &want.proto, &want.port, err);

        if (r < 0)
            return r;
        if (!is_wanted(wants, want.proto, want.port))
            wants->list[wants->count++] = want;
    }
    return 0;
}

/* Moves what the configuration publishes to *ret. */
static int take_wants(struct container_config *config, struct wants *ret, struct weft_error *err)
{
    struct publish_list *list = &config->port_bindings;

    ret->list = calloc(list->count + strv_length(config->exposed) + 1, sizeof *ret->list);
    if (!ret->list)
        return weft_oom(err);
    for (size_t i = 0; i < list->count; i++)
        ret->list[ret->count++] = list->items[i].want;
    publish_list_clear(list);
    return config->publish_all ? add_exposed(config, ret, err) : 0;
}

/* Docker's words. */
static int complete_ports(struct container *c, const struct mode *mode, struct wants *ret,
                          strv *warnings, struct weft_error *err)
{
    struct container_config *config = &c->config;
    bool publishes = config->port_bindings.count > 0 || config->publish_all;
    int r;

    if (mode->other && publishes)
        return weft_fail(err, WEFT_INVALID,
                         "conflicting options: port publishing and the container type network "
                         "mode");
    if (mode->other && strv_length(config->exposed) > 0)
        return weft_fail(err, WEFT_INVALID,
                         "conflicting options: port exposing and the container type network mode");
    r = take_wants(config, ret, err);
    if (r < 0 || mode->other || strcmp(mode->net->driver, "host") != 0)
        return r;
    ret->count = 0;
    if (publishes && warnings &&
        strv_add(warnings, "Published ports are discarded when using host network mode") < 0)
        return weft_oom(err);
    return 0;
}

/* ---- links ---- */

static int check_link(struct engine *e, const struct container *c, const struct mode *mode,
                      const char *link, struct weft_error *err)
{
    const struct container *target = linked_container(e, link, err);
    const struct sandbox *sb = target ? engine_container_sandbox(e, target) : NULL;

    if (!target)
        return -err->errnum;
    if (!sb || !sandbox_endpoint_on(sb, mode->net))
        return weft_fail(err, WEFT_CONFLICT,
                         "cannot link container %s to %s: it is not on network %s", c->name,
                         target->name, mode->net->name);
    return 0;
}

/* Docker's words. */
static int check_links(struct engine *e, const struct container *c, const struct mode *mode,
                       struct weft_error *err)
{
    int r = 0;

    if (strv_length(c->config.links) == 0)
        return 0;
    if (mode->exclusive)
        return weft_fail(err, WEFT_INVALID,
                         "conflicting options: network mode %s can't be used with links",
                         c->config.network_mode);
    for (char **link = c->config.links; r == 0 && *link; link++)
        r = check_link(e, c, mode, *link, err);
    return r;
}

/* ---- the verb ---- */

/* The container's half of the transaction. *c is taken. */
static int add_all(struct change *ch, struct container **c, const struct mode *mode,
                   const struct engine_join *joins, size_t join_count, const struct wants *wants,
                   bool active, strv *warnings, struct weft_error *err)
{
    struct container *made = *c;
    struct sandbox *sb = NULL;
    int r = change_add_container(ch, TAKE_PTR(*c), err);

    if (r < 0 || !mode->net)
        return r;
    r = add_own_sandbox(ch, made, mode, &sb, err);
    if (r == 0)
        r = join_all(ch, sb, mode, joins, join_count, err);
    if (r == 0)
        r = change_publish(ch, sb, wants->list, wants->count, err);
    if (r == 0)
        r = warn_unpublished(sb, 0, warnings, err);
    if (r == 0 && active)
        r = change_activate(ch, sb, true, err);
    return r;
}

static void explain_asked(const struct sandbox *sb, struct strbuf *out)
{
    for (size_t i = 0; sb && i < sb->endpoint_count; i++)
        outside_explain(sb->endpoints[i]->network, false, out);
}

int engine_container_create(struct engine *e, struct container *c, const struct engine_join *joins,
                            size_t join_count, struct strbuf *dry, strv *warnings,
                            const struct container **ret, struct weft_error *err)
{
    _cleanup_container_ struct container *owned = c;
    _cleanup_change_ struct change ch = {.dry = dry != NULL};
    _cleanup_(wants_clear) struct wants wants = {0};
    const struct container *made = c;
    struct mode mode = {0};
    int r = resolve_mode(e, c, &mode, err);

    if (r == 0)
        r = check_joins(e, &mode, c, joins, join_count, err);
    if (r == 0)
        r = complete_container(e, c, &mode, err);
    if (r == 0)
        r = complete_ports(c, &mode, &wants, warnings, err);
    if (r == 0)
        r = check_links(e, c, &mode, err);
    if (r == 0)
        r = change_begin(e, &ch, err);
    if (r == 0)
        r = add_all(&ch, &owned, &mode, joins, join_count, &wants, dry != NULL, warnings, err);
    if (r == 0 && dry)
        explain_asked(engine_container_sandbox(e, made), dry);
    if (r == 0)
        r = change_commit(&ch, dry, err);
    if (r < 0 || dry)
        return r;
    event_send(e, (struct engine_event){
                      .type = "container", .action = "create", .id = made->id, .name = made->name});
    *ret = made;
    return 0;
}
