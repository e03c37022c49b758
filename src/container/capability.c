/* SPDX-License-Identifier: Apache-2.0 */
#include "container/capability.h"

#include <errno.h>
#include <linux/capability.h>
#include <string.h>
#include <strings.h>
#include <sys/prctl.h>

static const struct capability {
    const char *name;
    bool is_default; /* in Docker's default set */
} capabilities[] = {
    [CAP_CHOWN] = {"CAP_CHOWN", true},
    [CAP_DAC_OVERRIDE] = {"CAP_DAC_OVERRIDE", true},
    [CAP_DAC_READ_SEARCH] = {"CAP_DAC_READ_SEARCH", false},
    [CAP_FOWNER] = {"CAP_FOWNER", true},
    [CAP_FSETID] = {"CAP_FSETID", true},
    [CAP_KILL] = {"CAP_KILL", true},
    [CAP_SETGID] = {"CAP_SETGID", true},
    [CAP_SETUID] = {"CAP_SETUID", true},
    [CAP_SETPCAP] = {"CAP_SETPCAP", true},
    [CAP_LINUX_IMMUTABLE] = {"CAP_LINUX_IMMUTABLE", false},
    [CAP_NET_BIND_SERVICE] = {"CAP_NET_BIND_SERVICE", true},
    [CAP_NET_BROADCAST] = {"CAP_NET_BROADCAST", false},
    [CAP_NET_ADMIN] = {"CAP_NET_ADMIN", false},
    [CAP_NET_RAW] = {"CAP_NET_RAW", true},
    [CAP_IPC_LOCK] = {"CAP_IPC_LOCK", false},
    [CAP_IPC_OWNER] = {"CAP_IPC_OWNER", false},
    [CAP_SYS_MODULE] = {"CAP_SYS_MODULE", false},
    [CAP_SYS_RAWIO] = {"CAP_SYS_RAWIO", false},
    [CAP_SYS_CHROOT] = {"CAP_SYS_CHROOT", true},
    [CAP_SYS_PTRACE] = {"CAP_SYS_PTRACE", false},
    [CAP_SYS_PACCT] = {"CAP_SYS_PACCT", false},
    [CAP_SYS_ADMIN] = {"CAP_SYS_ADMIN", false},
    [CAP_SYS_BOOT] = {"CAP_SYS_BOOT", false},
    [CAP_SYS_NICE] = {"CAP_SYS_NICE", false},
    [CAP_SYS_RESOURCE] = {"CAP_SYS_RESOURCE", false},
    [CAP_SYS_TIME] = {"CAP_SYS_TIME", false},
    [CAP_SYS_TTY_CONFIG] = {"CAP_SYS_TTY_CONFIG", false},
    [CAP_MKNOD] = {"CAP_MKNOD", true},
    [CAP_LEASE] = {"CAP_LEASE", false},
    [CAP_AUDIT_WRITE] = {"CAP_AUDIT_WRITE", true},
    [CAP_AUDIT_CONTROL] = {"CAP_AUDIT_CONTROL", false},
    [CAP_SETFCAP] = {"CAP_SETFCAP", true},
    [CAP_MAC_OVERRIDE] = {"CAP_MAC_OVERRIDE", false},
    [CAP_MAC_ADMIN] = {"CAP_MAC_ADMIN", false},
    [CAP_SYSLOG] = {"CAP_SYSLOG", false},
    [CAP_WAKE_ALARM] = {"CAP_WAKE_ALARM", false},
    [CAP_BLOCK_SUSPEND] = {"CAP_BLOCK_SUSPEND", false},
    [CAP_AUDIT_READ] = {"CAP_AUDIT_READ", false},
    [CAP_PERFMON] = {"CAP_PERFMON", false},
    [CAP_BPF] = {"CAP_BPF", false},
    [CAP_CHECKPOINT_RESTORE] = {"CAP_CHECKPOINT_RESTORE", false},
};

static bool is_all(const char *name)
{
    return strcasecmp(name, "ALL") == 0;
}

static bool is_named(const char *name, const struct capability *cap)
{
    return strcasecmp(name, cap->name) == 0 || strcasecmp(name, cap->name + strlen("CAP_")) == 0;
}

int capability_check(const char *name, struct weft_error *err)
{
    if (is_all(name))
        return 0;
    for (size_t i = 0; i < ARRAY_SIZE(capabilities); i++)
        if (is_named(name, &capabilities[i]))
            return 0;
    return weft_fail(err, WEFT_INVALID, "\"%s\" is not a capability", name);
}

enum mention { NOT_NAMED, BY_ALL, BY_NAME };

static enum mention mentioned(char *const *list, const struct capability *cap)
{
    enum mention found = NOT_NAMED;

    for (; list && *list; list++) {
        if (is_named(*list, cap))
            return BY_NAME;
        if (is_all(*list))
            found = BY_ALL;
    }
    return found;
}

/* A capability's own name outweighs "ALL" in the other list; dropping outweighs adding. */
static bool is_granted(int number, char *const *add, char *const *drop)
{
    enum mention added = mentioned(add, &capabilities[number]);
    enum mention dropped = mentioned(drop, &capabilities[number]);

    if (added == NOT_NAMED && dropped == NOT_NAMED)
        return capabilities[number].is_default;
    if (added == BY_ALL && dropped == NOT_NAMED)
        /* A kernel older than the table lacks some, and weft cannot give what it has not. */
        return prctl(PR_CAPBSET_READ, number) == 1;
    return added > dropped;
}

int capability_set(bool all, char *const *add, char *const *drop, strv *ret)
{
    static char everything[] = "ALL";
    char *privileged[] = {everything, NULL};
    _cleanup_strv_ strv set = NULL;

    for (size_t i = 0; i < ARRAY_SIZE(capabilities); i++) {
        bool granted = all ? is_granted((int)i, privileged, NULL) : is_granted((int)i, add, drop);

        if (granted && strv_add(&set, capabilities[i].name) < 0)
            return -ENOMEM;
    }
    *ret = TAKE_PTR(set);
    return 0;
}
