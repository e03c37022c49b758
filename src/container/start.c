/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Theory of operation of a start:
 *
 *   make root, files, bundle → conmon → (runtime create) → runtime start → done(pid)
 *                                         | failed           | failed
 *                                         '------------------'→ undo → done(-errno)
 *
 * where undo kills conmon, runs the runtime's delete and removes the bundle.
 *
 * The end of the container is looked for only after done(pid), so that its user hears of both in
 * this order, however short the life.
 */

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/json.h"
#include "container/bundle.h"
#include "container/container_check.h"
#include "container/failure.h"
#include "container/rootfs.h"
#include "container/task.h"

/* ---- what is there before the first program runs ---- */

static int write_file(const struct runtime *rt, const char *id, const char *name,
                      const char *contents, struct weft_error *err)
{
    _cleanup_free_ char *path = state_path(rt, id, name);

    if (!contents)
        return 0;
    if (!path)
        return weft_oom(err);
    return file_write_in_place(path, contents, strlen(contents), 0644, err);
}

static int write_files(const struct runtime *rt, const char *id, const char *dir,
                       const struct runtime_network *net, struct weft_error *err)
{
    _cleanup_free_ char *hostname = net->hostname ? str_printf("%s\n", net->hostname) : NULL;
    int r = dir_make(dir, 0700, err);

    if (r == 0)
        r = write_file(rt, id, "hosts", net->hosts, err);
    if (r == 0)
        r = write_file(rt, id, "resolv.conf", net->resolv_conf, err);
    if (r == 0)
        r = write_file(rt, id, "hostname", hostname, err);
    return r;
}

/* As docker -v does, a source that is missing becomes a directory. */
static int make_bind_sources(char *const *binds, struct weft_error *err)
{
    for (; binds && *binds; binds++) {
        _cleanup_bind_ struct bind bind = {0};
        struct stat st;
        int r = bind_parse(*binds, &bind, err);

        if (r == 0 && stat(bind.source, &st) < 0)
            r = dir_make(bind.source, 0755, err);
        if (r < 0)
            return r;
    }
    return 0;
}

static int write_config(const struct runtime *rt, const struct bundle *b, struct weft_error *err)
{
    _cleanup_free_ char *path = bundle_path(rt, b->container->id, "config.json"), *text = NULL;
    _cleanup_json_ json_t *config = NULL;
    int r = bundle_config(b, &config, err);

    if (r < 0)
        return r;
    text = json_text(config);
    if (!text || !path)
        return weft_oom(err);
    return file_write_in_place(path, text, strlen(text), 0600, err);
}

static int make_bundle(const struct runtime *rt, const struct container *c,
                       const struct runtime_network *net, struct weft_error *err)
{
    _cleanup_free_ char *dir = bundle_path(rt, c->id, NULL), *files = state_path(rt, c->id, NULL);
    _cleanup_free_ char *rootfs = NULL;
    int r;

    if (!dir || !files)
        return weft_oom(err);
    /* What an earlier life may have left. */
    r = bundle_remove(rt, c->id, err);
    if (r == 0)
        r = runtime_forget_exit(rt, c->id, err);
    if (r == 0)
        r = dir_make(dir, 0700, err);
    if (r == 0)
        r = write_files(rt, c->id, files, net, err);
    if (r == 0)
        r = make_bind_sources(c->config.binds, err);
    if (r == 0)
        r = rootfs_mount(rt, c, &rootfs, err);
    if (r == 0)
        r = write_config(rt, &(struct bundle){c, net, rootfs, files}, err);
    return r;
}

/* ---- conmon ---- */

static strv conmon_argv(const struct runtime *rt, const char *conmon, const char *runtime,
                        const struct container *c)
{
    _cleanup_free_ char *bundle = bundle_path(rt, c->id, NULL), *pid = NULL, *conmon_pid = NULL;
    _cleanup_free_ char *log = state_path(rt, c->id, "log"), *log_driver = NULL;
    _cleanup_free_ char *exits = str_printf("%s/exits", rt->run_dir);
    _cleanup_free_ char *root = str_printf("--runtime-arg=--root=%s/runc", rt->run_dir);
    _cleanup_strv_ strv argv = NULL;

    pid = bundle_path(rt, c->id, "pid");
    conmon_pid = bundle_path(rt, c->id, "conmon.pid");
    log_driver = str_printf("k8s-file:%s", log);
    if (!bundle || !pid || !conmon_pid || !log || !log_driver || !exits || !root)
        return NULL;

    const char *const args[] = {
        conmon, "--api-version=1", "-c", c->id, "-u", c->id, "-n", c->name ? c->name : c->id, "-r",
        runtime, "-b", bundle, "-p", pid, "-P", conmon_pid, "-l", log_driver, "--exit-dir", exits,
        "--log-level=error", root, "--runtime-arg=--log-format=json",
        /* The attach socket is the bundle's, not one in a directory shared by all. */
        "--full-attach",
        /* The log is not worth waiting for the disk when the container ends. */
        "--no-sync-log", c->config.tty ? "-t" : NULL, NULL};
    for (size_t i = 0; args[i]; i++)
        if (strv_add(&argv, args[i]) < 0)
            return NULL;
    return TAKE_PTR(argv);
}

static void fail(struct task *t, int result)
{
    t->result = result;
    running_free(TAKE_PTR(t->running));
    /* Else it would record the end of a container that never began. */
    conmon_kill(t->rt, t->id);
    if (task_delete(t, NULL) < 0)
        task_clean_up(t);
}

static void on_started(void *arg, int status, const char *output)
{
    struct task *t = arg;
    struct running *running = t->running;
    int r;

    t->command = NULL;
    if (status != 0) {
        fail(t, runtime_failure(output, "cannot start the container", &t->err));
        return;
    }
    r = running_watch(TAKE_PTR(t->running), &t->err);
    if (r < 0) {
        fail(t, r);
        return;
    }
    t->result = running->pid;
    task_end(t);
}

static int run_start(struct task *t)
{
    static char start[] = "start";
    char *args[] = {start, t->id, NULL};
    _cleanup_strv_ strv argv = runtime_argv(t->rt, t->runtime, args);

    if (!argv)
        return weft_oom(&t->err);
    return command_start(t->rt->loop, COMMAND_PLAIN, argv, on_started, t, &t->command, &t->err);
}

static void on_created(void *arg, int status, const char *output)
{
    struct task *t = arg;
    int r;

    (void)status;
    t->command = NULL;
    r = conmon_result(output, "cannot create the container", &t->err);
    if (r == 0)
        r = running_open(t->rt, t->id, &t->running, &t->err);
    if (r == 0)
        r = run_start(t);
    if (r < 0)
        fail(t, r);
}

static int run_conmon(struct task *t, const struct container *c, struct weft_error *err)
{
    _cleanup_free_ char *conmon = NULL;
    _cleanup_strv_ strv argv = NULL;

    if (program_find(t->rt->conmon, &conmon) < 0)
        return weft_fail(err, WEFT_INTERNAL, "%s not found: it runs containers", t->rt->conmon);
    argv = conmon_argv(t->rt, conmon, t->runtime, c);
    if (!argv)
        return weft_oom(err);
    return command_start(t->rt->loop, COMMAND_DAEMON, argv, on_created, t, &t->command, err);
}

int runtime_start(struct runtime *rt, const struct container *c, const struct runtime_network *net,
                  runtime_done_fn *done, void *arg, struct weft_error *err)
{
    struct task *t = task_new(rt, c, done, arg);
    int r;

    if (!t)
        return weft_oom(err);
    r = runtime_find(rt, c->config.runtime, &t->runtime, err);
    if (r == 0)
        r = make_bundle(rt, c, net, err);
    if (r == 0)
        r = run_conmon(t, c, err);
    if (r < 0) {
        (void)bundle_remove(rt, c->id, NULL);
        task_free(t);
    }
    return r;
}
