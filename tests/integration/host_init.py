# SPDX-License-Identifier: Apache-2.0
"""The first process of a test host: makes its private mounts, says so, and reaps orphans for ever.

Runs in namespaces that unshare(1) has just made (see hosts.py). Prints its process id as the outer
world knows it, and "ready".
"""

import ctypes
import os
import signal

libc = ctypes.CDLL(None, use_errno=True)


def mount(source, target, fstype, data=""):
    if libc.mount(source.encode(), target.encode(), fstype.encode(), 0, data.encode()) != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), target)


def write(path, text):
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)


def main():
    # Before the new /proc hides it: our number in the outer process namespace.
    print(os.readlink("/proc/self"), flush=True)

    mount("proc", "/proc", "proc")
    mount("sysfs", "/sys", "sysfs")
    mount("cgroup2", "/sys/fs/cgroup", "cgroup2")
    mount("tmpfs", "/run", "tmpfs", "mode=755")
    mount("tmpfs", "/var/lib", "tmpfs", "mode=755")

    # An /etc of its own: what a test writes there stays in the host.
    for name in ("upper", "work", "home"):
        os.makedirs(f"/run/test/{name}")
    mount("etc", "/etc", "overlay", "lowerdir=/etc,upperdir=/run/test/upper,workdir=/run/test/work")
    if os.path.lexists("/etc/resolv.conf"):
        os.unlink("/etc/resolv.conf")
    write("/etc/resolv.conf", "search example.test\nnameserver 192.0.2.53\n")

    # IPv4 settings are copied from the machine's first namespace; a host starts with the kernel's.
    write("/proc/sys/net/ipv4/ip_forward", "0")

    print("ready", flush=True)
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGCHLD})
    while True:
        try:
            os.waitpid(-1, 0)
        except ChildProcessError:
            signal.sigwait({signal.SIGCHLD})


main()
