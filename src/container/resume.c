/* SPDX-License-Identifier: Apache-2.0 */

/* What a new weftd finds of an earlier one's containers. */

#include <dirent.h>
#include <errno.h>

#include "base/file.h"
#include "base/log.h"
#include "container/cgroup.h"
#include "container/command.h"
#include "container/running.h"

int runtime_resume(struct runtime *rt, const struct container *c, pid_t *pid, int *code,
                   int64_t *finished)
{
    struct weft_error err = {0};
    struct running *running;
    pid_t found;
    int r = running_open(rt, c->id, &running, &err);

    if (r == 0) {
        found = running->pid;
        r = running_watch(running, &err);
    }
    if (r == 0) {
        *pid = found;
        return 1;
    }
    if (r != -ESRCH)
        log_error("container %s: %s", c->name, err.text);
    exit_read(rt, c->id, code, finished);
    return 0;
}

static void closedir_p(DIR **d)
{
    if (*d)
        closedir(*d);
}

/* Appends the ids among the names in a directory that are not in keep and not in *list yet. */
static int collect(const struct runtime *rt, const char *name, char *const *keep, strv *list,
                   struct weft_error *err)
{
    _cleanup_free_ char *path = str_printf("%s/%s", rt->run_dir, name);
    _cleanup_(closedir_p) DIR *d = path ? opendir(path) : NULL;
    struct dirent *entry;

    if (!d)
        return weft_fail_errno(err, errno, "cannot read directory %s/%s", rt->run_dir, name);
    while ((entry = readdir(d))) {
        const char *id = entry->d_name;

        if (!id_is_valid(id) || strv_contains(keep, id) || strv_contains(*list, id))
            continue;
        if (strv_add(list, id) < 0)
            return weft_oom(err);
    }
    return 0;
}

/* The runtime's own state goes by hand in the end: that of another runtime than the configured one
 * is nothing that this one can delete. */
static int end_container(struct runtime *rt, const char *runtime, const char *id,
                         struct weft_error *err)
{
    _cleanup_strv_ strv argv = runtime_delete_argv(rt, runtime, id);
    _cleanup_free_ char *state = str_printf("%s/runc/%s", rt->run_dir, id);
    int r;

    if (!argv || !state)
        return weft_oom(err);
    conmon_kill(rt, id);
    r = command_run(argv, err);
    if (r > 0)
        log_warning("container %.*s: the runtime's delete failed with status %d", ID_SHORT, id, r);
    cgroup_remove(id);
    if (r >= 0)
        r = bundle_remove(rt, id, err);
    if (r == 0)
        r = runtime_forget_exit(rt, id, err);
    if (r == 0)
        r = dir_remove(state, err);
    return r;
}

int runtime_sweep(struct runtime *rt, char *const *ids, struct weft_error *err)
{
    static const char *const dirs[] = {"containers", "runc", "exits"};
    _cleanup_free_ char *runtime = NULL;
    _cleanup_strv_ strv leftovers = NULL;
    int r = 0;

    for (size_t i = 0; r == 0 && i < ARRAY_SIZE(dirs); i++)
        r = collect(rt, dirs[i], ids, &leftovers, err);
    if (r == 0 && leftovers)
        r = runtime_find(rt, NULL, &runtime, err);
    for (char **id = leftovers; r == 0 && id && *id; id++)
        r = end_container(rt, runtime, *id, err);
    return r;
}
