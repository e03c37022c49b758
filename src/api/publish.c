/* SPDX-License-Identifier: Apache-2.0 */

/* /weft/publish, /weft/unpublish, /weft/ports: the published ports of a container or an attached
 * namespace, running or not. Docker can say them only when a container is made. */

#include <errno.h>
#include <stdlib.h>

#include "api/container_json.h"
#include "api/handlers.h"
#include "api/port_json.h"
#include "api/reply.h"
#include "base/json.h"

int handle_port_list(struct request *rq, struct weft_error *err)
{
    struct engine *e = rq->api->engine;
    const struct container *c = engine_container(e, rq->ref, NULL);
    const struct sandbox *sb = c ? container_own_sandbox(e, c) : engine_sandbox(e, rq->ref, err);

    if (!c && !sb)
        return -err->errnum;
    return reply_json(rq, MHD_HTTP_OK, port_map_json(sb, c ? c->config.exposed : NULL), err);
}

/* ---- changes ---- */

/* What a body asks for. */
struct wish {
    char *container;
    struct publish_want *wants;
    size_t count;
};

static void wish_clear(struct wish *wish)
{
    free(wish->container);
    free(wish->wants);
}
#define _cleanup_wish_ _cleanup_(wish_clear)

static int read_wants(const json_t *bindings, struct wish *wish, struct weft_error *err)
{
    _cleanup_publish_list_ struct publish_list list = {0};
    int r = publish_from_port_bindings(bindings, &list, err);

    if (r < 0)
        return r;
    if (list.count == 0)
        return weft_fail(err, WEFT_INVALID, "PortBindings must name a port");
    wish->wants = calloc(list.count, sizeof *wish->wants);
    if (!wish->wants)
        return weft_oom(err);
    for (size_t i = 0; i < list.count; i++)
        wish->wants[i] = list.items[i].want;
    wish->count = list.count;
    return 0;
}

/* The document, which may be large, is gone before anything is made that stays: its memory can then
 * be used again. */
static int read_wish(const struct request *rq, struct wish *wish, struct weft_error *err)
{
    static const char *const known[] = {"Container", "PortBindings", NULL};
    _cleanup_json_ json_t *doc = NULL;
    int r = request_json(rq, &doc, err);

    if (r == 0)
        r = json_check_keys(doc, known, err);
    if (r == 0)
        r = json_get_strdup(doc, "Container", &wish->container, err);
    if (r == 0 && !wish->container)
        r = weft_fail(err, WEFT_INVALID, "Container must name a container");
    return r < 0 ? r : read_wants(json_object_get(doc, "PortBindings"), wish, err);
}

/* The ports that were just published: the last of the sandbox's. */
static int reply_published(struct request *rq, const struct wish *wish, strv warnings,
                           struct weft_error *err)
{
    _cleanup_strbuf_ struct strbuf text = {0};
    _cleanup_json_ json_t *list = json_from_strv(warnings);
    _cleanup_free_ char *warning_text = list ? json_text(list) : NULL;
    struct engine *e = rq->api->engine;
    const struct container *c = engine_container(e, wish->container, NULL);
    const struct sandbox *sb =
        c ? container_own_sandbox(e, c) : engine_sandbox(e, wish->container, err);
    size_t count = sb && sb->active ? wish->count : 0;

    if (!sb)
        return -err->errnum;
    if (!warning_text)
        return weft_oom(err);
    strbuf_printf(&text, "{\"Warnings\":%s,\"Ports\":", warning_text);
    port_map_print(sb->publishes.items + sb->publishes.count - count, count, &text);
    strbuf_puts(&text, "}\n");
    return reply_json_text(rq, &text, err);
}

int handle_publish(struct request *rq, struct weft_error *err)
{
    _cleanup_wish_ struct wish wish = {0};
    _cleanup_strbuf_ struct strbuf plan = {0};
    _cleanup_strv_ strv warnings = NULL;
    struct strbuf *dry = request_dry(rq, &plan);
    int r = read_wish(rq, &wish, err);

    if (r == 0)
        r = engine_publish(rq->api->engine, wish.container, wish.wants, wish.count, dry, &warnings,
                           err);
    if (r < 0)
        return r;
    return dry ? reply_text(rq, dry, err) : reply_published(rq, &wish, warnings, err);
}

int handle_unpublish(struct request *rq, struct weft_error *err)
{
    _cleanup_wish_ struct wish wish = {0};
    _cleanup_strbuf_ struct strbuf plan = {0};
    struct strbuf *dry = request_dry(rq, &plan);
    int r = read_wish(rq, &wish, err);

    if (r == 0)
        r = engine_unpublish(rq->api->engine, wish.container, wish.wants, wish.count, dry, err);
    if (r < 0)
        return r;
    return dry ? reply_text(rq, dry, err) : reply_empty(rq, MHD_HTTP_NO_CONTENT, err);
}
