/* SPDX-License-Identifier: Apache-2.0 */
#include "base/json.h"
#include "model/sandbox.h"

static const char *const kind_names[] = {
    [SANDBOX_CONTAINER] = "container",
    [SANDBOX_FOREIGN] = "foreign",
    [SANDBOX_HOST] = "host",
};

json_t *sandbox_to_json(const struct sandbox *sb)
{
    return json_pack("{s:s, s:s, s:s, s:b, s:s?, s:I, s:I}", "Id", sb->id, "Name", sb->name, "Kind",
                     kind_names[sb->kind], "Active", sb->active, "Origin", sb->origin, "Pid",
                     (json_int_t)sb->pid, "PidStart", (json_int_t)sb->pid_start);
}

static int read_kind(const json_t *doc, struct sandbox *sb, struct weft_error *err)
{
    const char *text = "";
    int r = json_get_string(doc, "Kind", &text, err);

    if (r < 0)
        return r;
    for (size_t i = 0; i < ARRAY_SIZE(kind_names); i++) {
        if (str_equal(text, kind_names[i])) {
            sb->kind = (enum sandbox_kind)i;
            return 0;
        }
    }
    return weft_fail(err, WEFT_INVALID, "kind \"%s\" of sandbox %s is unknown", text, sb->name);
}

static int read_identity(const json_t *doc, struct sandbox *sb, struct weft_error *err)
{
    const char *id = "";
    int r = json_get_string(doc, "Id", &id, err);

    if (r == 0)
        r = json_get_strdup(doc, "Name", &sb->name, err);
    if (r < 0)
        return r;
    if (!id_is_valid(id))
        return weft_fail(err, WEFT_INVALID, "Id \"%s\" of a sandbox is not an id", id);
    if (!sb->name)
        return weft_fail(err, WEFT_INVALID, "sandbox %.*s has no name", ID_SHORT, id);
    return str_copy(sb->id, sizeof sb->id, id);
}

static int read_process(const json_t *doc, struct sandbox *sb, struct weft_error *err)
{
    int64_t pid = 0;
    int r = json_get_i64(doc, "Pid", &pid, err);

    if (r == 0)
        r = json_get_i64(doc, "PidStart", &sb->pid_start, err);
    if (r < 0)
        return r;
    if (pid < 0 || pid > INT32_MAX)
        return weft_fail(err, WEFT_INVALID, "Pid of sandbox %s is not a process id", sb->name);
    sb->pid = (pid_t)pid;
    return 0;
}

int sandbox_from_json(const json_t *doc, struct sandbox **ret, struct weft_error *err)
{
    _cleanup_sandbox_ struct sandbox *sb = calloc(1, sizeof *sb);
    int r;

    if (!sb)
        return weft_oom(err);
    if (!json_is_object(doc))
        return weft_fail(err, WEFT_INVALID, "a sandbox must be a JSON object");
    r = read_identity(doc, sb, err);
    if (r == 0)
        r = read_kind(doc, sb, err);
    if (r == 0)
        r = read_process(doc, sb, err);
    if (r == 0)
        r = json_get_bool(doc, "Active", &sb->active, err);
    if (r == 0)
        r = json_get_strdup(doc, "Origin", &sb->origin, err);
    if (r < 0)
        return r;
    *ret = TAKE_PTR(sb);
    return 0;
}
