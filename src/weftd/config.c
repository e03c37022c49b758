/* SPDX-License-Identifier: Apache-2.0 */

#include "weftd/config.h"

#include <errno.h>
#include <grp.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "base/str.h"
#include "container/runtime.h"

#define FILE_MAX (1 << 20) /* bytes */

static int set_defaults(struct config *c, struct weft_error *err)
{
    *c = (struct config){
        .socket = strdup("/run/weft/weft.sock"),
        .state_dir = strdup("/var/lib/weft"),
        .run_dir = strdup("/run/weft"),
        .bridge_name = strdup("weft0"),
        .runtime = strdup("runc"),
        .log_level = LOG_LEVEL_INFO,
    };
    if (!c->socket || !c->state_dir || !c->run_dir || !c->bridge_name || !c->runtime)
        return weft_oom(err);
    return 0;
}

static int get_path(const json_t *doc, const char *key, char **ret, struct weft_error *err)
{
    int r = json_get_strdup(doc, key, ret, err);

    if (r == 0 && *ret && (*ret)[0] != '/')
        r = weft_fail(err, WEFT_INVALID, "%s must be an absolute path, not \"%s\"", key, *ret);
    return r;
}

static int get_subnet(const json_t *doc, const char *key, struct prefix *ret,
                      struct weft_error *err)
{
    const char *text = NULL;
    struct prefix p;
    int r = json_get_string(doc, key, &text, err);

    if (r < 0 || !text)
        return r;
    r = prefix_parse(text, &p, err);
    if (r < 0)
        return r;
    if (prefix_has_host_bits(&p)) {
        struct prefix network = prefix_network(&p);

        return weft_fail(err, WEFT_INVALID, "%s %s has host bits set: did you mean %s?", key, text,
                         prefix_text(&network));
    }
    *ret = p;
    return 0;
}

static int read_bridge(const json_t *doc, struct config *c, struct weft_error *err)
{
    static const char *const keys[] = {"name", "subnet", NULL};
    json_t *bridge = NULL;
    int r = json_get_object(doc, "default_bridge", &bridge, err);

    if (r < 0 || !bridge)
        return r;
    r = json_check_keys(bridge, keys, err);
    if (r == 0)
        r = json_get_strdup(bridge, "name", &c->bridge_name, err);
    if (r == 0)
        r = ifname_check(c->bridge_name, err);
    if (r == 0)
        r = get_subnet(bridge, "subnet", &c->bridge_subnet, err);
    if (r == 0 && c->bridge_subnet.addr.family == AF_INET6)
        r = weft_fail(err, WEFT_INVALID, "subnet must be an IPv4 subnet");
    if (r < 0)
        weft_error_prefix(err, "default_bridge");
    return r;
}

static int read_pool(const json_t *doc, struct ipam_base *ret, struct weft_error *err)
{
    static const char *const keys[] = {"base", "size", NULL};
    int64_t size = 0;
    int r;

    if (!json_is_object(doc))
        return weft_fail(err, WEFT_INVALID, "each must be an object with base and size");
    r = json_check_keys(doc, keys, err);
    if (r == 0)
        r = get_subnet(doc, "base", &ret->base, err);
    if (r == 0)
        r = json_get_i64(doc, "size", &size, err);
    if (r < 0)
        return r;
    if (ret->base.addr.family != AF_INET)
        return weft_fail(err, WEFT_INVALID, "base must be an IPv4 subnet");
    if (size < ret->base.len || size > 30)
        return weft_fail(err, WEFT_INVALID, "size %lld of base %s must be from %u to 30",
                         (long long)size, prefix_text(&ret->base), ret->base.len);
    ret->size = (uint8_t)size;
    return 0;
}

static int read_pools(const json_t *doc, struct config *c, struct weft_error *err)
{
    json_t *list = NULL, *item;
    size_t i;
    int r = json_get_array(doc, "address_pools", &list, err);

    if (r < 0 || json_array_size(list) == 0)
        return r;
    c->pools = calloc(json_array_size(list), sizeof *c->pools);
    if (!c->pools)
        return weft_oom(err);
    json_array_foreach (list, i, item) {
        r = read_pool(item, &c->pools[i], err);
        if (r < 0) {
            weft_error_prefix(err, "address_pools");
            return r;
        }
        c->pool_count++;
    }
    return 0;
}

static int read_mtu(const json_t *doc, struct config *c, struct weft_error *err)
{
    int64_t mtu = 0;
    int r = json_get_i64(doc, "mtu", &mtu, err);

    if (r == 0 && mtu != 0 && (mtu < 68 || mtu > 65535))
        r = weft_fail(err, WEFT_INVALID, "mtu %lld must be from 68 to 65535, or 0", (long long)mtu);
    if (r == 0)
        c->mtu = (uint32_t)mtu;
    return r;
}

static int read_level(const json_t *doc, struct config *c, struct weft_error *err)
{
    const char *text = NULL;
    int r = json_get_string(doc, "log_level", &text, err);

    if (r < 0 || !text)
        return r;
    if (log_level_parse(text, &c->log_level) < 0)
        return weft_fail(err, WEFT_INVALID,
                         "log_level must be error, warning, info or debug, not \"%s\"", text);
    return 0;
}

/* ---- the whole ---- */

static int read_socket(const json_t *doc, struct config *c, struct weft_error *err)
{
    return get_path(doc, "socket", &c->socket, err);
}

static int read_group(const json_t *doc, struct config *c, struct weft_error *err)
{
    int r = json_get_strdup(doc, "group", &c->group, err);

    if (r == 0 && c->group && !getgrnam(c->group))
        r = weft_fail(err, WEFT_INVALID, "group %s does not exist", c->group);
    return r;
}

static int read_state_dir(const json_t *doc, struct config *c, struct weft_error *err)
{
    return get_path(doc, "state_dir", &c->state_dir, err);
}

static int read_run_dir(const json_t *doc, struct config *c, struct weft_error *err)
{
    return get_path(doc, "run_dir", &c->run_dir, err);
}

static int read_publish_default(const json_t *doc, struct config *c, struct weft_error *err)
{
    const char *text = "allow";
    int r = json_get_string(doc, "publish_default", &text, err);

    if (r < 0)
        return r;
    c->publish_deny = str_equal(text, "deny");
    if (!c->publish_deny && !str_equal(text, "allow"))
        return weft_fail(err, WEFT_INVALID, "publish_default must be allow or deny, not \"%s\"",
                         text);
    return 0;
}

static int read_runtime(const json_t *doc, struct config *c, struct weft_error *err)
{
    int r = json_get_strdup(doc, "runtime", &c->runtime, err);

    return r < 0 ? r : runtime_locate(c->runtime, err);
}

static const struct {
    const char *key;
    int (*read)(const json_t *doc, struct config *c, struct weft_error *err);
} readers[] = {
    {"socket", read_socket},
    {"group", read_group},
    {"state_dir", read_state_dir},
    {"run_dir", read_run_dir},
    {"default_bridge", read_bridge},
    {"address_pools", read_pools},
    {"mtu", read_mtu},
    {"publish_default", read_publish_default},
    {"runtime", read_runtime},
    {"log_level", read_level},
};

static int read_key(const json_t *doc, const char *key, struct config *c, struct weft_error *err)
{
    for (size_t i = 0; i < ARRAY_SIZE(readers); i++)
        if (strcmp(readers[i].key, key) == 0)
            return readers[i].read(doc, c, err);
    return weft_fail(err, WEFT_INVALID, "unknown key \"%s\"", key);
}

/* The line on which the key stands: JSON's parser does not keep it. A key is a string before a
 * colon. */
static unsigned line_of(const char *text, const char *key)
{
    size_t length = strlen(key);
    const char *found = text;
    unsigned line = 1;

    while ((found = strstr(found, key))) {
        const char *end = found + length;

        if (found > text && found[-1] == '"' && *end == '"' &&
            end[1 + strspn(end + 1, " \t\r\n")] == ':')
            break;
        found = end;
    }
    for (const char *p = text; found && p < found; p++)
        line += *p == '\n';
    return line;
}

static int read_all(const json_t *doc, const char *text, struct config *c, struct weft_error *err)
{
    const char *key;
    json_t *value;

    if (!json_is_object(doc))
        return weft_fail(err, WEFT_INVALID, "line 1: the configuration must be an object");
    json_object_foreach ((json_t *)doc, key, value) {
        int r = read_key(doc, key, c, err);

        if (r < 0) {
            weft_error_prefix(err, "line %u", line_of(text, key));
            return r;
        }
    }
    return 0;
}

static int read_file(const char *path, bool required, struct config *c, struct weft_error *err)
{
    _cleanup_json_ json_t *doc = NULL;
    _cleanup_free_ char *text = NULL;
    size_t length;
    int r = file_read(path, FILE_MAX, &text, &length, err);

    if (r == -ENOENT && !required)
        return 0;
    if (r < 0)
        return r;
    r = json_parse(text, length, &doc, err);
    if (r == 0)
        r = read_all(doc, text, c, err);
    if (r < 0)
        weft_error_prefix(err, "%s", path);
    return r;
}

int config_load(const char *path, bool required, struct config *ret, struct weft_error *err)
{
    struct config c;
    int r = set_defaults(&c, err);

    if (r == 0)
        r = read_file(path, required, &c, err);
    if (r < 0) {
        config_clear(&c);
        return r;
    }
    *ret = c;
    return 0;
}

void config_clear(struct config *c)
{
    free(c->socket);
    free(c->group);
    free(c->state_dir);
    free(c->run_dir);
    free(c->bridge_name);
    free(c->pools);
    free(c->runtime);
    *c = (struct config){0};
}
