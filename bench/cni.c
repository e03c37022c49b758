/* SPDX-License-Identifier: Apache-2.0 */

#include "cni.h"

#include <fcntl.h>
#include <spawn.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/json.h"
#include "base/str.h"
#include "stats.h"

static char *find_plugin(const char **ret_dir)
{
    const char *const dirs[] = {getenv("CNI_PATH"), "/usr/lib/cni", "/opt/cni/bin"};

    for (size_t i = 0; i < ARRAY_SIZE(dirs); i++) {
        _cleanup_free_ char *path = str_printf("%s/bridge", str_is_empty(dirs[i]) ? "" : dirs[i]);

        if (path && access(path, X_OK) == 0) {
            *ret_dir = dirs[i];
            return TAKE_PTR(path);
        }
    }
    return NULL;
}

static char *write_config(const char *dir, const char *bridge)
{
    char *path = str_printf("%s/cni.json", dir);
    _cleanup_free_ char *data = str_printf("%s/cni", dir);
    _cleanup_json_ json_t *config =
        json_pack("{s:s, s:s, s:s, s:s, s:{s:s, s:s, s:[[{s:s, s:s, s:s, s:s}]], s:[{s:s}]}}",
                  "cniVersion", "0.4.0", "name", "bench", "type", "bridge", "bridge", bridge,
                  "ipam", "type", "host-local", "dataDir", data, "ranges", "subnet", "10.98.0.0/16",
                  "rangeStart", "10.98.201.1", "rangeEnd", "10.98.201.254", "gateway", "10.98.0.1",
                  "routes", "dst", "0.0.0.0/0");

    if (!path || !config || json_dump_file(config, path, 0) < 0)
        die("cannot write %s/cni.json", dir);
    return path;
}

bool cni_find(const char *dir, const char *bridge, const char *netns, struct cni *ret)
{
    const char *found;
    char *plugin = find_plugin(&found);

    if (!plugin)
        return false;
    *ret = (struct cni){
        .plugin = plugin,
        .path_env = str_printf("CNI_PATH=%s", found),
        .config = write_config(dir, bridge),
        .netns_env = str_printf("CNI_NETNS=%s", netns),
    };
    return true;
}

int cni_run(const struct cni *c, const char *command, const char *ifname)
{
    static char container[] = "CNI_CONTAINERID=extra", path[] = "PATH=/usr/sbin:/usr/bin";
    _cleanup_free_ char *verb = str_printf("CNI_COMMAND=%s", command);
    _cleanup_free_ char *link = str_printf("CNI_IFNAME=%s", ifname);
    char *const env[] = {verb, link, c->netns_env, c->path_env, container, path, NULL};
    char *const argv[] = {c->plugin, NULL};
    posix_spawn_file_actions_t actions;
    int status = 0, r;
    pid_t pid;

    (void)posix_spawn_file_actions_init(&actions);
    (void)posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, c->config, O_RDONLY, 0);
    (void)posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
    r = -posix_spawn(&pid, c->plugin, &actions, NULL, argv, env);
    (void)posix_spawn_file_actions_destroy(&actions);
    if (r == 0 && waitpid(pid, &status, 0) == pid)
        r = WIFEXITED(status) ? WEXITSTATUS(status) : EXIT_FAILURE;
    return r;
}

void cni_clear(struct cni *c)
{
    free(c->plugin);
    free(c->path_env);
    free(c->config);
    free(c->netns_env);
}
