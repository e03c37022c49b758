/* SPDX-License-Identifier: Apache-2.0 */
#include "base/json.h"
#include "container/exec.h"

int exec_config_from_json(const json_t *doc, struct exec_config *ret, struct weft_error *err)
{
    struct exec_config config = {0};
    int r;

    if (!json_is_object(doc))
        return weft_fail(err, WEFT_INVALID, "an exec must be a JSON object");
    r = json_get_strv(doc, "Cmd", &config.cmd, err);
    if (r == 0)
        r = json_get_strv(doc, "Env", &config.env, err);
    if (r == 0)
        r = json_get_strdup(doc, "User", &config.user, err);
    if (r == 0)
        r = json_get_strdup(doc, "WorkingDir", &config.workdir, err);
    if (r == 0)
        r = json_get_bool(doc, "Tty", &config.tty, err);
    if (r == 0)
        r = json_get_bool(doc, "Privileged", &config.privileged, err);
    if (r == 0)
        r = json_get_bool(doc, "AttachStdin", &config.attach_stdin, err);
    if (r == 0)
        r = json_get_bool(doc, "AttachStdout", &config.attach_stdout, err);
    if (r == 0)
        r = json_get_bool(doc, "AttachStderr", &config.attach_stderr, err);
    if (r == 0 && !config.cmd)
        r = weft_fail(err, WEFT_INVALID, "no exec command specified");
    if (r < 0)
        exec_config_clear(&config);
    else
        *ret = config;
    return r;
}

void exec_config_clear(struct exec_config *config)
{
    strv_free(config->cmd);
    strv_free(config->env);
    free(config->user);
    free(config->workdir);
    *config = (struct exec_config){0};
}
