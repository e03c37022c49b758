/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Theory of operation: two tables say which member of struct container_config is which key of
 * Docker's Config and HostConfig; reading and writing both follow them. Only keys whose values are
 * more than a string, a list, a map or a boolean have code of their own. PortBindings are read but
 * not written: from its creation on a container's published ports are its sandbox's.
 */

#include <errno.h>
#include <string.h>

#include "base/json.h"
#include "base/time.h"
#include "container/container.h"
#include "container/container_check.h"

#define ROOTFS_ANNOTATION "weft.rootfs"

struct field {
    const char *key;
    enum { TEXT, LIST, MAP, BOOLEAN, WORDS } type; /* WORDS: a list, or one string */
    size_t offset;
};
#define FIELD(key, type, member)                                                                   \
    {                                                                                              \
        key, type, offsetof(struct container_config, member)                                       \
    }

static const struct field config_fields[] = {
    FIELD("Hostname", TEXT, hostname),
    FIELD("Domainname", TEXT, domainname),
    FIELD("User", TEXT, user),
    FIELD("Tty", BOOLEAN, tty),
    FIELD("OpenStdin", BOOLEAN, open_stdin),
    FIELD("Env", LIST, env),
    FIELD("Cmd", WORDS, cmd),
    FIELD("Image", TEXT, image),
    FIELD("WorkingDir", TEXT, workdir),
    FIELD("Entrypoint", WORDS, entrypoint),
    FIELD("Labels", MAP, labels),
    FIELD("StopSignal", TEXT, stop_signal),
};

static const struct field host_fields[] = {
    FIELD("Binds", LIST, binds),
    FIELD("NetworkMode", TEXT, network_mode),
    FIELD("AutoRemove", BOOLEAN, auto_remove),
    FIELD("CapAdd", LIST, cap_add),
    FIELD("CapDrop", LIST, cap_drop),
    FIELD("Dns", LIST, dns),
    FIELD("DnsOptions", LIST, dns_options),
    FIELD("DnsSearch", LIST, dns_search),
    FIELD("ExtraHosts", LIST, extra_hosts),
    FIELD("Privileged", BOOLEAN, privileged),
    FIELD("ReadonlyRootfs", BOOLEAN, readonly_rootfs),
    FIELD("PublishAllPorts", BOOLEAN, publish_all),
    FIELD("Sysctls", MAP, sysctls),
    FIELD("Runtime", TEXT, runtime),
};

/* Keys of HostConfig that would change what the container is allowed or given: better refused than
 * silently passed over. Clients send all of them, mostly empty. */
static const char *const unsupported[] = {
    "Mounts",       "VolumesFrom", "Devices",        "DeviceRequests", "DeviceCgroupRules",
    "Tmpfs",        "Ulimits",     "Memory",         "MemorySwap",     "NanoCpus",
    "CpuShares",    "CpuQuota",    "CpuPeriod",      "CpusetCpus",     "CpusetMems",
    "PidsLimit",    "SecurityOpt", "PidMode",        "UTSMode",        "UsernsMode",
    "GroupAdd",     "ShmSize",     "StorageOpt",     "BlkioWeight",    "VolumeDriver",
    "CgroupParent", "OomScoreAdj", "OomKillDisable", "Init",
};

/* ---- reading ---- */

static int read_words(const json_t *object, const char *key, strv *ret, struct weft_error *err)
{
    const json_t *value = json_object_get(object, key);

    if (!json_is_string(value))
        return json_get_strv(object, key, ret, err);
    return strv_add(ret, json_string_value(value)) < 0 ? weft_oom(err) : 0;
}

static int read_field(const json_t *object, const struct field *f, struct container_config *config,
                      struct weft_error *err)
{
    void *member = (char *)config + f->offset;

    switch (f->type) {
    case TEXT:
        return json_get_strdup(object, f->key, member, err);
    case LIST:
        return json_get_strv(object, f->key, member, err);
    case WORDS:
        return read_words(object, f->key, member, err);
    case MAP:
        return json_get_strmap(object, f->key, member, err);
    case BOOLEAN:
        return json_get_bool(object, f->key, member, err);
    }
    return 0;
}

static int read_fields(const json_t *object, const struct field *fields, size_t count,
                       struct container_config *config, struct weft_error *err)
{
    int r = 0;

    for (size_t i = 0; r == 0 && i < count; i++)
        r = read_field(object, &fields[i], config, err);
    return r;
}

static bool is_zero(const json_t *value)
{
    switch (value ? json_typeof(value) : JSON_NULL) {
    case JSON_OBJECT:
        return json_object_size(value) == 0;
    case JSON_ARRAY:
        return json_array_size(value) == 0;
    case JSON_STRING:
        return json_string_length(value) == 0;
    case JSON_INTEGER:
    case JSON_REAL:
        return json_number_value(value) == 0;
    case JSON_TRUE:
        return false;
    default:
        return true;
    }
}

static int refuse_unsupported(const json_t *host, struct weft_error *err)
{
    const json_t *policy = json_object_get(json_object_get(host, "RestartPolicy"), "Name");

    for (size_t i = 0; i < ARRAY_SIZE(unsupported); i++)
        if (!is_zero(json_object_get(host, unsupported[i])))
            return weft_fail(err, WEFT_UNSUPPORTED, "HostConfig.%s is not supported",
                             unsupported[i]);
    if (!is_zero(policy) && !str_equal(json_string_value(policy), "no"))
        return weft_fail(err, WEFT_UNSUPPORTED, "HostConfig.RestartPolicy is not supported");
    return 0;
}

/* The keys of an object. There may be as many as there are ports: strv_add() would take its time.
 */
static int copy_keys(const json_t *object, strv *ret, struct weft_error *err)
{
    _cleanup_strv_ strv keys = calloc(json_object_size(object) + 1, sizeof *keys);
    json_t *nothing;
    const char *key;
    size_t count = 0;

    if (!keys)
        return weft_oom(err);
    json_object_foreach ((json_t *)object, key, nothing) {
        keys[count] = strdup(key);
        if (!keys[count++])
            return weft_oom(err);
    }
    *ret = TAKE_PTR(keys);
    return 0;
}

/* The ports are the keys; "80" is "80/tcp". */
static int read_exposed(const json_t *doc, struct container_config *config, struct weft_error *err)
{
    _cleanup_json_ json_t *exposed = json_object();
    char text[PUBLISH_PORT_TEXT_MAX];
    json_t *ports = NULL, *nothing;
    const char *key;
    uint16_t port;
    uint8_t proto;
    int r = json_get_object(doc, "ExposedPorts", &ports, err);

    if (r < 0 || json_object_size(ports) == 0)
        return r;
    json_object_foreach (ports, key, nothing) {
        r = publish_port_parse(key, &proto, &port, err);
        if (r < 0) {
            weft_error_prefix(err, "ExposedPorts");
            return r;
        }
        if (json_object_set_new(exposed, publish_port_format(proto, port, text), json_null()) < 0)
            return weft_oom(err);
    }
    return copy_keys(exposed, &config->exposed, err);
}

/* Also in the form in which inspect shows them: "/NAME:/CONTAINER/ALIAS". */
static int read_links(const json_t *host, struct container_config *config, struct weft_error *err)
{
    _cleanup_strv_ strv texts = NULL;
    int r = json_get_strv(host, "Links", &texts, err);

    for (char **text = texts; r == 0 && text && *text; text++) {
        _cleanup_free_ char *link = NULL;

        r = link_parse(*text, &link, err);
        if (r == 0 && strv_add(&config->links, link) < 0)
            r = weft_oom(err);
    }
    return r;
}

static int read_host_config(const json_t *doc, struct container_config *config,
                            struct weft_error *err)
{
    json_t *host = NULL, *annotations = NULL;
    int r = json_get_object(doc, "HostConfig", &host, err);

    if (r < 0 || !host)
        return r;
    r = refuse_unsupported(host, err);
    if (r == 0)
        r = read_fields(host, host_fields, ARRAY_SIZE(host_fields), config, err);
    if (r == 0)
        r = read_links(host, config, err);
    if (r == 0)
        r = publish_from_port_bindings(json_object_get(host, "PortBindings"),
                                       &config->port_bindings, err);
    if (r == 0)
        r = json_get_object(host, "Annotations", &annotations, err);
    if (r == 0 && annotations)
        r = json_get_strdup(annotations, ROOTFS_ANNOTATION, &config->rootfs, err);
    return r;
}

static int read_time(const json_t *object, const char *key, int64_t *ret, struct weft_error *err)
{
    const char *text = NULL;
    int r = json_get_string(object, key, &text, err);

    if (r == 0 && text && time_parse(text, ret) < 0)
        return weft_fail(err, WEFT_INVALID, "%s \"%s\" is not a time", key, text);
    return r;
}

static int read_status(const json_t *state, struct container *c, struct weft_error *err)
{
    const char *text = "created";
    int r = json_get_string(state, "Status", &text, err);

    if (r < 0)
        return r;
    for (c->status = CONTAINER_CREATED; c->status <= CONTAINER_EXITED; c->status++)
        if (str_equal(text, container_status_text(c->status)))
            return 0;
    c->status = CONTAINER_CREATED;
    return weft_fail(err, WEFT_INVALID, "Status \"%s\" is unknown", text);
}

static int read_state(const json_t *doc, struct container *c, struct weft_error *err)
{
    json_t *state = NULL;
    int64_t pid = 0, code = 0;
    int r = json_get_object(doc, "State", &state, err);

    if (r < 0 || !state)
        return r;
    r = read_status(state, c, err);
    if (r == 0)
        r = json_get_i64(state, "Pid", &pid, err);
    if (r == 0)
        r = json_get_i64(state, "ExitCode", &code, err);
    if (r == 0)
        r = json_get_strdup(state, "Error", &c->error, err);
    if (r == 0)
        r = read_time(state, "StartedAt", &c->started, err);
    if (r == 0)
        r = read_time(state, "FinishedAt", &c->finished, err);
    if (r == 0 && (pid < 0 || pid > INT32_MAX || code < 0 || code > 255))
        return weft_fail(err, WEFT_INVALID, "Pid or ExitCode is out of range");
    c->pid = (pid_t)pid;
    c->exit_code = (int)code;
    return r;
}

static int copy_id(const char *key, const char *id, char ret[static ID_TEXT_MAX],
                   struct weft_error *err)
{
    if (!id_is_valid(id))
        return weft_fail(err, WEFT_INVALID, "%s \"%s\" is not an id", key, id);
    return str_copy(ret, ID_TEXT_MAX, id);
}

/* What only a stored document has. */
static int read_stored(const json_t *doc, const char *id, struct container *c,
                       struct weft_error *err)
{
    const char *sandbox = NULL;
    json_t *weft = NULL;
    int r = copy_id("Id", id, c->id, err);

    if (r == 0)
        r = json_get_strdup(doc, "Name", &c->name, err);
    if (r == 0)
        r = read_time(doc, "Created", &c->created, err);
    if (r == 0)
        r = read_state(doc, c, err);
    if (r == 0)
        r = json_get_object(doc, "Weft", &weft, err);
    if (r == 0 && weft)
        r = json_get_string(weft, "SandboxId", &sandbox, err);
    if (r == 0 && !str_is_empty(sandbox))
        r = copy_id("SandboxId", sandbox, c->sandbox_id, err);
    return r;
}

int container_from_json(const json_t *doc, struct container **ret, struct weft_error *err)
{
    _cleanup_container_ struct container *c = calloc(1, sizeof *c);
    const char *id = NULL;
    int r;

    if (!c)
        return weft_oom(err);
    if (!json_is_object(doc))
        return weft_fail(err, WEFT_INVALID, "a container must be a JSON object");
    c->config.stop_timeout = -1;
    r = read_fields(doc, config_fields, ARRAY_SIZE(config_fields), &c->config, err);
    if (r == 0)
        r = json_get_i64(doc, "StopTimeout", &c->config.stop_timeout, err);
    if (r == 0)
        r = read_exposed(doc, &c->config, err);
    if (r == 0)
        r = read_host_config(doc, &c->config, err);
    if (r == 0)
        r = json_get_string(doc, "Id", &id, err);
    if (r < 0)
        return r;
    /* A stored one was checked when it was made; its root may be gone, and it can still be removed.
     */
    r = id ? read_stored(doc, id, c, err) : container_config_check(&c->config, err);
    if (r == 0)
        *ret = TAKE_PTR(c);
    return r;
}

/* ---- writing ---- */

static json_t *field_json(const struct field *f, const struct container_config *config)
{
    const void *member = (const char *)config + f->offset;
    const char *text;

    switch (f->type) {
    case TEXT:
        text = *(char *const *)member;
        return json_string(text ? text : "");
    case LIST:
    case WORDS:
        return json_from_strv(*(char **const *)member);
    case MAP:
        return json_from_strmap(member);
    case BOOLEAN:
        return json_boolean(*(const bool *)member);
    }
    return NULL;
}

static json_t *fields_json(const struct field *fields, size_t count,
                           const struct container_config *config)
{
    _cleanup_json_ json_t *object = json_object();

    for (size_t i = 0; i < count; i++)
        if (json_object_set_new(object, fields[i].key, field_json(&fields[i], config)) < 0)
            return NULL;
    return TAKE_PTR(object);
}

static json_t *exposed_json(char *const *exposed)
{
    _cleanup_json_ json_t *ports = json_object();

    for (; exposed && *exposed; exposed++)
        if (json_object_set_new(ports, *exposed, json_object()) < 0)
            return NULL;
    return TAKE_PTR(ports);
}

json_t *container_config_json(const struct container *c)
{
    _cleanup_json_ json_t *object =
        fields_json(config_fields, ARRAY_SIZE(config_fields), &c->config);

    if (json_object_set_new(object, "ExposedPorts", exposed_json(c->config.exposed)) < 0)
        return NULL;
    if (c->config.stop_timeout >= 0 &&
        json_object_set_new(object, "StopTimeout", json_integer(c->config.stop_timeout)) < 0)
        return NULL;
    return TAKE_PTR(object);
}

static json_t *links_json(const struct container *c)
{
    _cleanup_json_ json_t *list = json_array();

    for (char **link = c->config.links; link && *link; link++) {
        const char *alias = strchr(*link, ':') + 1;

        if (json_array_append_new(list, json_sprintf("/%.*s:/%s/%s", (int)(alias - 1 - *link),
                                                     *link, c->name ? c->name : "", alias)) < 0)
            return NULL;
    }
    return TAKE_PTR(list);
}

json_t *container_host_config_json(const struct container *c)
{
    _cleanup_json_ json_t *object = fields_json(host_fields, ARRAY_SIZE(host_fields), &c->config);

    if (json_object_set_new(object, "Links", links_json(c)) < 0)
        return NULL;
    if (c->config.rootfs &&
        json_object_set_new(object, "Annotations",
                            json_pack("{s:s}", ROOTFS_ANNOTATION, c->config.rootfs)) < 0)
        return NULL;
    return TAKE_PTR(object);
}

static json_t *state_json(const struct container *c)
{
    return json_pack("{s:s, s:i, s:i, s:s, s:s, s:s}", "Status", container_status_text(c->status),
                     "Pid", (int)c->pid, "ExitCode", c->exit_code, "Error",
                     c->error ? c->error : "", "StartedAt", time_text(c->started), "FinishedAt",
                     time_text(c->finished));
}

json_t *container_to_json(const struct container *c)
{
    _cleanup_json_ json_t *doc = container_config_json(c);
    _cleanup_json_ json_t *rest =
        json_pack("{s:s, s:s?, s:s, s:o, s:o, s:{s:s}}", "Id", c->id, "Name", c->name, "Created",
                  time_text(c->created), "State", state_json(c), "HostConfig",
                  container_host_config_json(c), "Weft", "SandboxId", c->sandbox_id);

    if (!doc || !rest || json_object_update(doc, rest) < 0)
        return NULL;
    return TAKE_PTR(doc);
}
