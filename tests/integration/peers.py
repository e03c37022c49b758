# SPDX-License-Identifier: Apache-2.0
"""Other engines and firewalls in a test host: dockerd, firewalld, ufw.

Their packages lie unpacked in build/peers (scripts/lib.sh); a host sees them as if they were installed.
"""

from __future__ import annotations

import os
import pathlib
import signal
import subprocess
import tempfile

from hosts import Host, eventually

PEERS = pathlib.Path(__file__).parents[2] / "build/peers"
ADD_USER = "echo {0}:x:999:999::/:/bin/false >> /etc/passwd; echo {0}:x:999: >> /etc/group"
ROOTFS = """
set -e
mkdir -p /run/rootfs/bin
cp "$(command -v busybox)" /run/rootfs/bin/busybox
for name in sh sleep nc ping; do ln -s busybox /run/rootfs/bin/$name; done
tar -C /run/rootfs -c . | docker import - box
"""


def install_peers(host: Host) -> None:
    """Lays the unpacked packages over the host's /usr and /etc."""
    assert (PEERS / "complete").exists(), f"{PEERS} is not complete: scripts/test unpacks it"
    host.run("mount", "-t", "overlay", "-o", f"lowerdir={PEERS}/usr:/usr", "overlay", "/usr")
    host.run("cp", "-a", "-n", f"{PEERS}/etc/.", "/etc/")
    # What their packages do when they are set up.
    for user in ("messagebus", "polkitd"):
        host.run("sh", "-c", f"id -u {user} || {ADD_USER.format(user)}")
    host.run("sh", "-c", "cd /usr/share/ufw; cp -n ufw.conf *.init *.rules iptables/*.rules /etc/ufw")


class Service:
    """A daemon of a test host."""

    def __init__(self, host: Host):
        self.host = host
        self._log = tempfile.TemporaryFile("w+", prefix="peer-log-")
        self._process: subprocess.Popen | None = None

    def spawn(self, *argv: str) -> None:
        self._process = self.host.popen(*argv, stdout=self._log, stderr=self._log)

    def log(self) -> str:
        self._log.seek(0)
        return self._log.read()

    def end(self) -> None:
        """SIGTERM, as systemd would send it."""
        assert self._process
        os.kill(self.host.child_of(self._process.pid), signal.SIGTERM)
        self._process.wait(30)
        self._process = None


class Dockerd(Service):
    """The real one, with iptables on, as its package sets it up."""

    ENV = {"DOCKER_HOST": "unix:///run/docker.sock"}

    def start(self) -> "Dockerd":
        self.host.run("rm", "-f", "/run/docker.pid", "/run/docker/containerd/containerd.pid")
        # It loads the module br_netfilter, with which bridged frames are filtered. A kernel may have
        # that built in.
        for family in ("iptables", "ip6tables"):
            self.host.run("sysctl", "-qew", f"net.bridge.bridge-nf-call-{family}=1")
        self.spawn(
            "dockerd", "--host=unix:///run/docker.sock", "--storage-driver=vfs", "--ipv6",
            "--fixed-cidr-v6=fd00:d0c::/64", "--experimental", "--ip6tables",
        )  # fmt: skip
        eventually(
            lambda: self.host.try_run("docker", "version", env=self.ENV).status == 0,
            30,
            "dockerd answers",
        )
        return self

    def __call__(self, *argv: str) -> str:
        return self.host.run("docker", *argv, env=self.ENV)

    def import_box(self) -> None:
        """An image called box, of busybox alone."""
        self.host.run("sh", "-c", ROOTFS, env=self.ENV)


class Firewalld(Service):
    """The real one, with its default zone, on a system bus of the host's own."""

    def start(self) -> "Firewalld":
        if not self.host.path("/run/dbus/system_bus_socket").exists():
            self.host.run("mkdir", "-p", "/run/dbus")
            bus = self.host.popen("dbus-daemon", "--system", "--nofork", "--nopidfile",
                                  stdout=self._log, stderr=self._log)  # fmt: skip
            eventually(
                lambda: self.host.path("/run/dbus/system_bus_socket").exists() or bus.poll(),
                what="a system bus",
            )
        self.spawn("firewalld", "--nofork", "--nopid")
        eventually(
            lambda: self.host.try_run("firewall-cmd", "--state").status == 0, 30, "firewalld runs"
        )
        return self
