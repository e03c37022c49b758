/* SPDX-License-Identifier: Apache-2.0 */

/*
 * weft-dns reads what anybody in a container sends. So it is nobody, with no capability, and the
 * kernel kills it when it calls what a server of names has no use for: it cannot open a file, run a
 * program or make a socket but for asking servers. Its sockets were made by weftd.
 */

#include "dns/confine.h"

#include <cap-ng.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <seccomp.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>

#define NOBODY 65534

/* The sanitizers' run time calls whatever it likes, and traces the process when it ends. */
#if defined(__SANITIZE_ADDRESS__)
#define HAS_SANITIZER 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define HAS_SANITIZER 1
#endif
#endif
#ifndef HAS_SANITIZER
#define HAS_SANITIZER 0
#endif

static int become_nobody(struct weft_error *err)
{
    int flags = CAPNG_DROP_SUPP_GRP, r;

    if (capng_get_caps_process() != 0)
        return weft_fail(err, WEFT_KERNEL, "cannot read the capabilities");
    if (capng_have_capability(CAPNG_EFFECTIVE, CAP_SETPCAP))
        flags |= CAPNG_CLEAR_BOUNDING;
    capng_clear(CAPNG_SELECT_CAPS);
    if (geteuid() == 0)
        r = capng_change_id(NOBODY, NOBODY, (capng_flags_t)flags);
    else
        r = capng_apply(CAPNG_SELECT_CAPS);
    if (r != 0)
        return weft_fail(err, WEFT_KERNEL, "cannot give up privileges (%d)", r);
    if (capng_get_caps_process() != 0 || capng_have_capabilities(CAPNG_SELECT_CAPS) != CAPNG_NONE ||
        geteuid() == 0)
        return weft_fail(err, WEFT_KERNEL, "privileges are still there");
    return 0;
}

#if !HAS_SANITIZER

static const int plain_calls[] = {
    /* the loop */
    SCMP_SYS(epoll_create1),
    SCMP_SYS(epoll_ctl),
    SCMP_SYS(epoll_wait),
    SCMP_SYS(epoll_pwait),
    SCMP_SYS(epoll_pwait2),
    SCMP_SYS(clock_gettime),
    SCMP_SYS(gettimeofday),
    SCMP_SYS(restart_syscall),
    SCMP_SYS(rt_sigreturn),
    SCMP_SYS(rt_sigprocmask),
    SCMP_SYS(rt_sigaction),
    /* sockets; read and write are for the loop's own, and for messages */
    SCMP_SYS(recvfrom),
    SCMP_SYS(recvmsg),
    SCMP_SYS(recvmmsg),
    SCMP_SYS(sendto),
    SCMP_SYS(sendmsg),
    SCMP_SYS(sendmmsg),
    SCMP_SYS(accept4),
    SCMP_SYS(connect),
    SCMP_SYS(shutdown),
    SCMP_SYS(getsockname),
    SCMP_SYS(getpeername),
    SCMP_SYS(getsockopt),
    SCMP_SYS(setsockopt),
    SCMP_SYS(read),
    SCMP_SYS(write),
    SCMP_SYS(writev),
    SCMP_SYS(close),
    /* memory, chance, and the end */
    SCMP_SYS(brk),
    SCMP_SYS(munmap),
    SCMP_SYS(mremap),
    SCMP_SYS(madvise),
    SCMP_SYS(futex),
    SCMP_SYS(getrandom),
    SCMP_SYS(exit),
    SCMP_SYS(exit_group),
};

/* Those that are allowed with one of these arguments only: the masked value at the index. */
static const struct {
    int call;
    unsigned index;
    uint64_t mask, value;
} narrow_calls[] = {
    {SCMP_SYS(socket), 0, UINT64_MAX, AF_INET}, {SCMP_SYS(socket), 0, UINT64_MAX, AF_INET6},
    {SCMP_SYS(mmap), 2, PROT_EXEC, 0},          {SCMP_SYS(mprotect), 2, PROT_EXEC, 0},
    {SCMP_SYS(ioctl), 1, UINT32_MAX, FIONBIO},  {SCMP_SYS(fcntl), 1, UINT64_MAX, F_GETFL},
    {SCMP_SYS(fcntl), 1, UINT64_MAX, F_SETFL},  {SCMP_SYS(fcntl), 1, UINT64_MAX, F_GETFD},
    {SCMP_SYS(fcntl), 1, UINT64_MAX, F_SETFD},  {SCMP_SYS(fcntl), 1, UINT64_MAX, F_DUPFD_CLOEXEC},
};

static int add_rules(scmp_filter_ctx filter)
{
    int r = 0;

    for (size_t i = 0; r == 0 && i < ARRAY_SIZE(plain_calls); i++)
        r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, plain_calls[i], 0);
    for (size_t i = 0; r == 0 && i < ARRAY_SIZE(narrow_calls); i++)
        r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, narrow_calls[i].call, 1,
                             SCMP_CMP(narrow_calls[i].index, SCMP_CMP_MASKED_EQ,
                                      narrow_calls[i].mask, narrow_calls[i].value));
    return r;
}

static int filter_calls(struct weft_error *err)
{
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_KILL_PROCESS);
    int r;

    if (!filter)
        return weft_oom(err);
    r = add_rules(filter);
    if (r == 0)
        r = seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, 2);
    if (r == 0)
        r = seccomp_load(filter);
    seccomp_release(filter);
    return r < 0 ? weft_fail_errno(err, -r, "cannot filter system calls") : 0;
}

#else

static int filter_calls(struct weft_error *err _unused_)
{
    return prctl(PR_SET_DUMPABLE, 1) < 0 ? -errno : 0;
}

#endif

int dns_confine(struct weft_error *err)
{
    const struct rlimit none = {0, 0};
    int r = become_nobody(err);

    if (r < 0)
        return r;
    if (setrlimit(RLIMIT_CORE, &none) < 0)
        return weft_fail_errno(err, errno, "cannot forbid core dumps");
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        return weft_fail_errno(err, errno, "cannot give up new privileges");
    return filter_calls(err);
}
