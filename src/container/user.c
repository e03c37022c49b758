/* SPDX-License-Identifier: Apache-2.0 */
#include "container/user.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/openat2.h>
#include <pwd.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/syscall.h>

#include "base/str.h"

void user_clear(struct user *u)
{
    free(u->groups);
    free(u->home);
    *u = (struct user){0};
}

/* NULL when it is not there: a root without these files is fine as long as only numbers are used.
 */
static FILE *open_in_root(const char *rootfs, const char *path)
{
    struct open_how how = {.flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK,
                           .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS};
    _cleanup_close_ int root = open(rootfs, O_PATH | O_DIRECTORY | O_CLOEXEC);
    _cleanup_close_ int fd = -1;
    FILE *f;

    if (root < 0)
        return NULL;
    fd = (int)syscall(SYS_openat2, root, path, &how, sizeof how);
    if (fd < 0)
        return NULL;
    f = fdopen(fd, "re");
    if (f)
        (void)TAKE_FD(fd);
    return f;
}

/* The number that text is, or -1. */
static int64_t as_id(const char *text)
{
    int64_t id;

    return str_to_i64(text, 0, UINT32_MAX - 1, &id) == 0 ? id : -1;
}

static int use_passwd(struct user *u, const struct passwd *pw, char **ret_name)
{
    u->uid = pw->pw_uid;
    u->gid = pw->pw_gid;
    u->home = strdup(str_is_empty(pw->pw_dir) ? "/" : pw->pw_dir);
    *ret_name = strdup(pw->pw_name);
    return u->home && *ret_name ? 0 : -ENOMEM;
}

/* Fills uid, gid and home; *ret_name is set when passwd has an entry. */
static int resolve_user(const char *rootfs, const char *text, struct user *u, char **ret_name,
                        struct weft_error *err)
{
    _cleanup_fclose_ FILE *f = open_in_root(rootfs, "etc/passwd");
    int64_t uid = as_id(text);
    struct passwd *pw;

    while (f && (pw = fgetpwent(f)))
        if (str_equal(pw->pw_name, text) || (uid >= 0 && pw->pw_uid == (uid_t)uid))
            return use_passwd(u, pw, ret_name) < 0 ? weft_oom(err) : 0;
    if (uid < 0)
        return weft_fail(err, WEFT_INVALID,
                         "unable to find user %s: no matching entries in passwd file", text);
    u->uid = (uid_t)uid;
    u->home = strdup("/");
    return u->home ? 0 : weft_oom(err);
}

static int resolve_group(const char *rootfs, const char *text, struct user *u,
                         struct weft_error *err)
{
    _cleanup_fclose_ FILE *f = open_in_root(rootfs, "etc/group");
    int64_t gid = as_id(text);
    struct group *gr;

    while (f && gid < 0 && (gr = fgetgrent(f)))
        if (str_equal(gr->gr_name, text))
            gid = gr->gr_gid;
    if (gid < 0)
        return weft_fail(err, WEFT_INVALID,
                         "unable to find group %s: no matching entries in group file", text);
    u->gid = (gid_t)gid;
    return 0;
}

static int add_group(struct user *u, gid_t gid)
{
    gid_t *grown = reallocarray(u->groups, u->group_count + 1, sizeof *grown);

    if (!grown)
        return -ENOMEM;
    u->groups = grown;
    u->groups[u->group_count++] = gid;
    return 0;
}

static int resolve_supplementary(const char *rootfs, const char *name, struct user *u,
                                 struct weft_error *err)
{
    _cleanup_fclose_ FILE *f = open_in_root(rootfs, "etc/group");
    struct group *gr;

    while (f && (gr = fgetgrent(f)))
        if (gr->gr_gid != u->gid && strv_contains(gr->gr_mem, name) && add_group(u, gr->gr_gid) < 0)
            return weft_oom(err);
    return 0;
}

int user_resolve(const char *rootfs, const char *text, struct user *ret, struct weft_error *err)
{
    _cleanup_user_ struct user u = {0};
    _cleanup_free_ char *name = NULL, *copy = strdup(str_is_empty(text) ? "0" : text);
    char *group;
    int r;

    if (!copy)
        return weft_oom(err);
    group = strchr(copy, ':');
    if (group)
        *group++ = '\0';
    r = resolve_user(rootfs, *copy ? copy : "0", &u, &name, err);
    /* As Docker: who names a group gets this one only. */
    if (r == 0 && !str_is_empty(group))
        r = resolve_group(rootfs, group, &u, err);
    else if (r == 0 && name)
        r = resolve_supplementary(rootfs, name, &u, err);
    if (r < 0)
        return r;
    *ret = u;
    u = (struct user){0};
    return 0;
}
