/* SPDX-License-Identifier: Apache-2.0 */
#include "container/process.h"

#include <string.h>

#include "base/json.h"

#define DEFAULT_PATH "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

/* Variables are collected in a JSON object, which keeps the order of insertion. */
static int set_variable(json_t *variables, const char *name, size_t name_len, const char *value)
{
    _cleanup_free_ char *key = strndup(name, name_len);

    return key ? json_object_set_new(variables, key, json_stringn_nocheck(value, strlen(value)))
               : -1;
}

static int set_variables(json_t *variables, char *const *list)
{
    for (; list && *list; list++) {
        const char *equals = strchr(*list, '=');

        if (!equals)
            (void)json_object_del(variables, *list);
        else if (set_variable(variables, *list, (size_t)(equals - *list), equals + 1) < 0)
            return -1;
    }
    return 0;
}

static json_t *env_json(const struct process *p)
{
    _cleanup_json_ json_t *variables =
        json_pack("{s:s, s:s*, s:s*, s:s}", "PATH", DEFAULT_PATH, "HOSTNAME", p->hostname, "TERM",
                  p->tty ? "xterm" : NULL, "HOME", p->user->home);
    _cleanup_json_ json_t *list = json_array();
    const char *name;
    json_t *value;

    if (!variables || set_variables(variables, p->env[0]) < 0 ||
        set_variables(variables, p->env[1]) < 0)
        return NULL;
    json_object_foreach (variables, name, value)
        if (json_array_append_new(list, json_sprintf("%s=%s", name, json_string_value(value))) < 0)
            return NULL;
    return TAKE_PTR(list);
}

static json_t *args_json(const struct process *p)
{
    json_t *args = json_from_strv(p->entrypoint);

    for (size_t i = 0; p->args && p->args[i]; i++)
        (void)json_array_append_new(args, json_string(p->args[i]));
    return args;
}

static json_t *user_json(const struct user *u)
{
    json_t *groups = json_array();

    for (size_t i = 0; i < u->group_count; i++)
        (void)json_array_append_new(groups, json_integer(u->groups[i]));
    return json_pack("{s:I, s:I, s:o}", "uid", (json_int_t)u->uid, "gid", (json_int_t)u->gid,
                     "additionalGids", groups);
}

/* A process that is not root gets no capability but may gain them back by set-user-ID programs:
 * what execve(2) does with these sets. */
static json_t *capabilities_json(char *const *names)
{
    return json_pack("{s:o, s:o, s:o}", "bounding", json_from_strv(names), "effective",
                     json_from_strv(names), "permitted", json_from_strv(names));
}

int process_json(const struct process *p, json_t **ret, struct weft_error *err)
{
    json_t *process = json_pack("{s:b, s:o, s:o, s:o, s:s, s:o, s:b}", "terminal", p->tty, "user",
                                user_json(p->user), "args", args_json(p), "env", env_json(p), "cwd",
                                p->cwd ? p->cwd : "/", "capabilities",
                                capabilities_json(p->capabilities), "noNewPrivileges", false);

    if (!process)
        return weft_oom(err);
    *ret = process;
    return 0;
}
