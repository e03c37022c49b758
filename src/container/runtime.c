/* SPDX-License-Identifier: Apache-2.0 */
#include "container/runtime.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/pidfd.h>
#include <unistd.h>

#include "base/file.h"
#include "container/rootfs.h"
#include "container/task.h"

#define FILE_MAX (1 << 20)

static int make_dirs(const struct runtime *rt, struct weft_error *err)
{
    static const char *const names[] = {"containers", "exits", "runc"};
    int r = 0;

    for (size_t i = 0; r == 0 && i < ARRAY_SIZE(names); i++) {
        _cleanup_free_ char *path = str_printf("%s/%s", rt->run_dir, names[i]);

        r = path ? dir_make(path, 0700, err) : weft_oom(err);
    }
    return r;
}

int runtime_new(uv_loop_t *loop, const struct runtime_config *config, runtime_exit_fn *on_exit,
                void *arg, struct runtime **ret, struct weft_error *err)
{
    struct runtime *rt = calloc(1, sizeof *rt);
    int r;

    if (!rt)
        return weft_oom(err);
    *rt = (struct runtime){
        .loop = loop,
        .run_dir = strdup(config->run_dir),
        .state_dir = strdup(config->state_dir),
        .name = strdup(config->runtime),
        .conmon = strdup(config->conmon ? config->conmon : "conmon"),
        .on_exit = on_exit,
        .arg = arg,
    };
    r = rt->run_dir && rt->state_dir && rt->name && rt->conmon ? make_dirs(rt, err) : weft_oom(err);
    if (r < 0) {
        runtime_free(rt);
        return r;
    }
    *ret = rt;
    return 0;
}

void runtime_free(struct runtime *rt)
{
    struct hash_slot slot;

    if (!rt)
        return;
    while (rt->tasks)
        task_free(rt->tasks);
    while (rt->execs)
        exec_free(rt->execs);
    for (size_t i = 0; hash_next(&rt->running, &i, &slot);)
        running_free(slot.value);
    hash_clear(&rt->running);
    free(rt->run_dir);
    free(rt->state_dir);
    free(rt->name);
    free(rt->conmon);
    free(rt);
}

int runtime_check(struct runtime *rt, const char *name, struct weft_error *err)
{
    _cleanup_free_ char *path = NULL;

    return runtime_find(rt, name, &path, err);
}

strv runtime_argv(const struct runtime *rt, const char *path, char *const *args)
{
    _cleanup_free_ char *root = str_printf("--root=%s/runc", rt->run_dir);
    _cleanup_strv_ strv argv = NULL;

    if (!root || strv_add(&argv, path) < 0 || strv_add(&argv, root) < 0 ||
        strv_add(&argv, "--log-format=json") < 0)
        return NULL;
    for (; *args; args++)
        if (strv_add(&argv, *args) < 0)
            return NULL;
    return TAKE_PTR(argv);
}

strv runtime_delete_argv(const struct runtime *rt, const char *path, const char *id)
{
    static char verb[] = "delete", force[] = "--force";
    char copy[ID_TEXT_MAX];
    char *args[] = {verb, force, copy, NULL};

    (void)str_copy(copy, sizeof copy, id);
    return runtime_argv(rt, path, args);
}

int bundle_remove(const struct runtime *rt, const char *id, struct weft_error *err)
{
    _cleanup_free_ char *dir = bundle_path(rt, id, NULL);
    int r;

    if (!dir)
        return weft_oom(err);
    r = rootfs_unmount(rt, id, err);
    return r < 0 ? r : dir_remove(dir, err);
}

int runtime_forget_exit(const struct runtime *rt, const char *id, struct weft_error *err)
{
    _cleanup_free_ char *path = exit_path(rt, id);

    if (!path)
        return weft_oom(err);
    if (unlink(path) < 0 && errno != ENOENT)
        return weft_fail_errno(err, errno, "cannot remove %s", path);
    return 0;
}

int runtime_update_file(struct runtime *rt, const char *id, const char *name, const char *contents,
                        struct weft_error *err)
{
    _cleanup_free_ char *path = state_path(rt, id, name);

    if (!path)
        return weft_oom(err);
    return file_write_in_place(path, contents, strlen(contents), 0644, err);
}

int runtime_read_file(struct runtime *rt, const char *id, const char *name, char **ret,
                      struct weft_error *err)
{
    _cleanup_free_ char *path = state_path(rt, id, name);

    return path ? file_read(path, FILE_MAX, ret, NULL, err) : weft_oom(err);
}

int runtime_signal(struct runtime *rt, const struct container *c, int signo, struct weft_error *err)
{
    const struct running *r = hash_get(&rt->running, c->id);

    if (!r || r->pidfd < 0)
        return weft_fail_errno(err, ESRCH, "cannot send signal %d to container %s", signo, c->name);
    if (pidfd_send_signal(r->pidfd, signo, NULL, 0) < 0)
        return weft_fail_errno(err, errno, "cannot send signal %d to container %s", signo, c->name);
    return 0;
}

int runtime_resize(struct runtime *rt, const struct container *c, unsigned rows, unsigned columns,
                   struct weft_error *err)
{
    _cleanup_free_ char *path = bundle_path(rt, c->id, "ctl");
    _cleanup_close_ int fd = -1;

    if (!c->config.tty)
        return 0;
    if (!path)
        return weft_oom(err);
    /* conmon(8): "1 HEIGHT WIDTH". Without a reader there is no conmon, and open fails. */
    fd = open(path, O_WRONLY | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0 || dprintf(fd, "1 %u %u\n", rows, columns) < 0)
        return weft_fail_errno(err, errno, "cannot resize the terminal of container %s", c->name);
    return 0;
}

int runtime_release(struct runtime *rt, const struct container *c, runtime_done_fn *done, void *arg,
                    struct weft_error *err)
{
    struct task *t = task_new(rt, c, done, arg);
    int r;

    if (!t)
        return weft_oom(err);
    r = runtime_find(rt, c->config.runtime, &t->runtime, err);
    if (r == 0)
        r = task_delete(t, err);
    if (r < 0) {
        task_free(t);
        return r;
    }
    /* The runtime has its own records: meanwhile the bundle can go. What fails is tried again. */
    (void)bundle_remove(rt, c->id, NULL);
    return 0;
}

int runtime_remove(struct runtime *rt, const char *id, struct weft_error *err)
{
    _cleanup_free_ char *files = state_path(rt, id, NULL), *layer = layer_path(rt, id, NULL);
    int r;

    if (!files || !layer)
        return weft_oom(err);
    r = bundle_remove(rt, id, err);
    if (r == 0)
        r = runtime_forget_exit(rt, id, err);
    if (r == 0)
        r = dir_remove(layer, err);
    if (r == 0)
        r = dir_remove(files, err);
    return r;
}
