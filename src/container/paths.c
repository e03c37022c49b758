/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/str.h"
#include "container/private.h"

/* Where programs are, whatever environment weftd was started with. */
#define PROGRAM_DIRS "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

static char *join(const char *dir, const char *kind, const char *id, const char *name)
{
    return name ? str_printf("%s/%s/%s/%s", dir, kind, id, name)
                : str_printf("%s/%s/%s", dir, kind, id);
}

char *bundle_path(const struct runtime *rt, const char *id, const char *name)
{
    return join(rt->run_dir, "containers", id, name);
}

char *layer_path(const struct runtime *rt, const char *id, const char *name)
{
    return join(rt->run_dir, "layers", id, name);
}

char *state_path(const struct runtime *rt, const char *id, const char *name)
{
    return join(rt->state_dir, "containers", id, name);
}

char *exit_path(const struct runtime *rt, const char *id)
{
    return join(rt->run_dir, "exits", id, NULL);
}

static bool is_program(const char *path)
{
    struct stat st;

    return stat(path, &st) == 0 && S_ISREG(st.st_mode) && access(path, X_OK) == 0;
}

/* Looks in each of the directories, which are separated by colons. */
static int find_in(const char *dirs, const char *name, char **ret)
{
    while (dirs && *dirs) {
        size_t len = strcspn(dirs, ":");
        _cleanup_free_ char *path = str_printf("%.*s/%s", (int)len, dirs, name);

        if (!path)
            return -ENOMEM;
        if (*dirs == '/' && is_program(path)) {
            *ret = TAKE_PTR(path);
            return 0;
        }
        dirs += len + (dirs[len] == ':');
    }
    return -ENOENT;
}

int program_find(const char *name, char **ret)
{
    int r;

    if (strchr(name, '/')) {
        if (*name != '/' || !is_program(name))
            return -ENOENT;
        *ret = strdup(name);
        return *ret ? 0 : -ENOMEM;
    }
    r = *name ? find_in(getenv("PATH"), name, ret) : -ENOENT;
    return r == -ENOENT && *name ? find_in(PROGRAM_DIRS, name, ret) : r;
}

int runtime_locate(const char *name, struct weft_error *err)
{
    _cleanup_free_ char *path = NULL;
    int r = program_find(name, &path);

    if (r == -ENOENT)
        return weft_fail(err, WEFT_INVALID, "runtime %s not found", name);
    return r < 0 ? weft_oom(err) : 0;
}

int runtime_find(const struct runtime *rt, const char *name, char **ret, struct weft_error *err)
{
    int r;

    name = name ? name : rt->name;
    r = program_find(name, ret);
    if (r == -ENOENT)
        return weft_fail(err, WEFT_INVALID, "runtime %s not found", name);
    return r < 0 ? weft_oom(err) : 0;
}
