# SPDX-License-Identifier: Apache-2.0
"""Test hosts: each is a process in namespaces of its own, and a network of two of them.

A Host has its own network, mounts (with /run, /var/lib and /etc private to it), processes, cgroups
and host name. Nothing a test does in it reaches the machine. It dies with the test process, however
that ends: unshare(1) gets PR_SET_PDEATHSIG, and its child, the host's first process, --kill-child.
"""

from __future__ import annotations

import contextlib
import ctypes
import itertools
import json
import os
import pathlib
import select
import signal
import subprocess
import sys
import time
from typing import Any, Callable, NamedTuple

from features import PATIENCE

HERE = pathlib.Path(__file__).parent
REACH = str(HERE / "reach.py")
PR_SET_PDEATHSIG = 1
libc = ctypes.CDLL(None, use_errno=True)

# RFC 5737 and RFC 3849: addresses for documentation. Neither exists anywhere else.
UPLINK_IPV4 = "192.0.2.2"
OUTSIDE_IPV4 = "192.0.2.1"
UPLINK_IPV6 = "2001:db8::2"
OUTSIDE_IPV6 = "2001:db8::1"

# Answers every TCP connection with the peer's address. Listens on both families.
TCP_SERVER = """
import socket, sys
server = socket.create_server(("::", int(sys.argv[1])), family=socket.AF_INET6, dualstack_ipv6=True)
print("listening", flush=True)
while True:
    connection, peer = server.accept()
    with connection:
        connection.sendall(peer[0].removeprefix("::ffff:").encode())
"""

# Prints what the server at ADDRESS PORT says; tries for as long as it is refused, up to SECONDS.
TCP_CLIENT = """
import socket, sys, time
address, port, seconds = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
end = time.monotonic() + seconds
while True:
    try:
        with socket.create_connection((address, port), timeout=seconds) as connection:
            print(connection.makefile().read())
            break
    except OSError as error:
        if time.monotonic() > end:
            sys.exit(f"{address} port {port}: {error}")
        time.sleep(0.05)
"""


class Result(NamedTuple):
    """What a command did."""

    status: int
    out: str
    err: str


class CommandFailed(AssertionError):
    """A command that should have worked did not."""


def eventually(check: Callable[[], Any], timeout: float = 10.0, what: str = "") -> Any:
    """Calls check until it returns something true, and returns that. Fails when time is up."""
    timeout *= PATIENCE
    end = time.monotonic() + timeout
    while True:
        value = check()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"did not come true in {timeout} s: {what or check}")
        time.sleep(0.02)


def cgroup_root() -> pathlib.Path:
    """Where the machine has cgroup2 mounted."""
    for line in pathlib.Path("/proc/self/mounts").read_text(encoding="utf-8").splitlines():
        _, point, fstype, *_ = line.split()
        if fstype == "cgroup2":
            return pathlib.Path(point)
    raise RuntimeError("the machine has no cgroup2 mounted")


def remove_cgroup(path: pathlib.Path) -> None:
    """rmdir -r, as far as it goes: a cgroup with processes stays."""
    for below, _, _ in os.walk(path, topdown=False):
        with contextlib.suppress(OSError):
            os.rmdir(below)


def sweep_cgroups() -> None:
    """Removes what test processes that were killed could not."""
    for path in cgroup_root().glob("weft-test-*"):
        if not os.path.exists(f"/proc/{path.name.split('-')[2]}"):
            remove_cgroup(path)


class Talk:
    """A connection to a server of reach.py."""

    def __init__(self, child: subprocess.Popen):
        self._child = child
        self.first = self._read()

    def _read(self) -> str:
        assert self._child.stdout
        return self._child.stdout.readline().rstrip("\n")

    def again(self) -> str:
        """Asks once more: what the server says, "" when the connection has gone."""
        assert self._child.stdin
        with contextlib.suppress(BrokenPipeError):
            self._child.stdin.write("?\n")
            self._child.stdin.flush()
        return self._read()


class Host:
    """A machine of the test's own."""

    _numbers = itertools.count(1)

    def __init__(self, name: str = "host"):
        self.name = name
        self.cgroup = cgroup_root() / f"weft-test-{os.getpid()}-{next(self._numbers)}"
        self.cgroup.mkdir()
        self._children: list[subprocess.Popen] = []
        flags = ["--net", "--mount", "--propagation", "private", "--pid", "--uts", "--ipc"]
        self._holder = subprocess.Popen(
            ["unshare", *flags, "--cgroup", "--fork", "--kill-child", "--"]
            + [sys.executable, "-SE", str(HERE / "host_init.py")],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            text=True,
            preexec_fn=self._enter_cgroup,
        )
        assert self._holder.stdout
        self.pid = int(self._holder.stdout.readline())
        if self._holder.stdout.readline() != "ready\n":
            raise RuntimeError("the test host did not start: see its message above")
        self.run("sh", "-c", f"hostname {name}; ip link set lo up")

    def _enter_cgroup(self) -> None:
        libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        (self.cgroup / "cgroup.procs").write_text("0", encoding="ascii")

    def close(self) -> None:
        """Kills everything in the host; its namespaces and mounts go with the last process."""
        first = os.pidfd_open(self.pid)
        self._holder.kill()
        self._holder.wait()
        select.select([first], [], [])
        os.close(first)
        if self._holder.stdout:
            self._holder.stdout.close()
        for child in self._children:
            child.kill()
            child.wait()
            for stream in (child.stdin, child.stdout, child.stderr):
                if stream:
                    stream.close()
        remove_cgroup(self.cgroup)

    # ---- files ----

    def path(self, path: str) -> pathlib.Path:
        """A file of the host, as the test process can open it."""
        return pathlib.Path(f"/proc/{self.pid}/root{path}")

    def write(self, path: str, text: str, mode: int = 0o644) -> str:
        """Makes a file in the host and returns its path there."""
        target = self.path(path)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")
        target.chmod(mode)
        return path

    def read(self, path: str) -> str:
        return self.path(path).read_text(encoding="utf-8")

    # ---- commands ----

    def command(self, *argv: str, netns: str | None = None) -> list[str]:
        """argv, wrapped so that it runs in the host, or in a network namespace mounted there."""
        enter = ["nsenter", f"--target={self.pid}", "--mount", "--pid", "--uts", "--ipc"]
        enter += ["--cgroup", "--net", "--wd=/", "--"]
        inner = ["nsenter", f"--net={netns}", "--"] if netns else []
        return enter + inner + list(argv)

    def popen(self, *argv: str, netns: str | None = None, env=None, **options) -> subprocess.Popen:
        """Starts argv in the host. It is killed with the host at the latest."""
        options.setdefault("stdin", subprocess.DEVNULL)
        child = subprocess.Popen(
            self.command(*argv, netns=netns),
            env={**os.environ, "HOME": "/run/test/home", **(env or {})},
            preexec_fn=self._enter_cgroup,
            **options,
        )
        self._children.append(child)
        return child

    def try_run(
        self,
        *argv: str,
        netns: str | None = None,
        stdin: str | None = None,
        env: dict | None = None,
        timeout: float = 60,
    ) -> Result:
        """Runs argv to its end."""
        child = self.popen(
            *argv,
            netns=netns,
            env=env,
            stdin=subprocess.DEVNULL if stdin is None else subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
        )
        try:
            out, err = child.communicate(stdin, timeout=timeout)
        except subprocess.TimeoutExpired:
            os.kill(self.child_of(child.pid), signal.SIGKILL)
            out, err = child.communicate()
            raise CommandFailed(
                f"{' '.join(argv)} did not end in {timeout} s\n{out}{err}"
            ) from None
        finally:
            self._children.remove(child)
        return Result(child.returncode, out, err)

    def run(self, *argv: str, **options) -> str:
        """Runs argv, which must work, and returns its output without the final newline."""
        result = self.try_run(*argv, **options)
        if result.status != 0:
            raise CommandFailed(
                f"{' '.join(argv)}: exit status {result.status}\n{result.out}{result.err}"
            )
        return result.out.rstrip("\n")

    def json(self, *argv: str, **options) -> Any:
        """Runs a command that prints JSON."""
        return json.loads(self.run(*argv, **options) or "[]")

    def ask_all(self, *commands: str, netns: str | None = None) -> list[str]:
        """The outputs of several shell commands, all of which must work."""
        script = "set -e\n" + "\nprintf '\\000'\n".join(commands)
        return self.run("sh", "-c", script, netns=netns).split("\0")

    def child_of(self, parent: int) -> int:
        """The process that nsenter forked, by the number the test process knows it by."""

        def find() -> int:
            for stat in pathlib.Path("/proc").glob("[0-9]*/stat"):
                with contextlib.suppress(OSError):
                    fields = stat.read_text(encoding="utf-8", errors="replace").rpartition(")")[2]
                    if int(fields.split()[1]) == parent:
                        return int(stat.parent.name)
            return 0

        return eventually(find, what=f"a child of process {parent}")

    # ---- what the network looks like ----

    def links(self, netns: str | None = None) -> dict[str, dict]:
        """`ip -d link`, by name."""
        return {link["ifname"]: link for link in self.json("ip", "-j", "-d", "link", netns=netns)}

    def addresses(self, link: str, netns: str | None = None) -> list[str]:
        """ADDRESS/LENGTH of everything global on a link."""
        entries = self.json("ip", "-j", "addr", "show", "dev", link, netns=netns)
        return [
            f"{addr['local']}/{addr['prefixlen']}"
            for entry in entries
            for addr in entry.get("addr_info", [])
            if addr["scope"] == "global"
        ]

    def default_route(self, family: int = 4, netns: str | None = None) -> tuple[str, str] | None:
        """Gateway and link of the default route."""
        routes = self.json("ip", f"-{family}", "-j", "route", "show", "default", netns=netns)
        assert len(routes) <= 1, f"more than one default route: {routes}"
        return (routes[0].get("gateway", ""), routes[0]["dev"]) if routes else None

    # ---- packets ----

    def ping(self, address: str, netns: str | None = None, timeout: float = 5) -> None:
        """Passes when an echo comes back in time. Addresses that have just come may need a try."""
        eventually(lambda: self.pings(address, netns), timeout, f"{self.name} reaches {address}")

    def pings(self, address: str, netns: str | None = None) -> bool:
        result = self.try_run("ping", "-n", "-c1", "-W1", address, netns=netns)
        return result.status == 0

    def serve(self, port: int, netns: str | None = None) -> None:
        """Starts a TCP server that tells every client its address."""
        child = self.popen(
            sys.executable, "-c", TCP_SERVER, str(port), netns=netns,
            stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert child.stdout and child.stdout.readline() == "listening\n"

    def ask(self, address: str, port: int, netns: str | None = None, seconds: float = 5) -> str:
        """Our address as the server at address sees it."""
        return self.run(
            sys.executable, "-c", TCP_CLIENT, address, str(port), str(seconds), netns=netns
        )

    def echo(self, name: str, *ports: int, netns: str | None = None) -> int:
        """Starts a server on these ports: see reach.py. Its process id in the host."""
        child = self.popen(
            sys.executable, REACH, "serve", name, *map(str, ports), netns=netns,
            stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert child.stdout
        said, _, pid = child.stdout.readline().partition(" ")
        assert said == "listening"
        return int(pid)

    def probe(self, *questions: tuple, netns: str | None = None) -> list[str]:
        """Asks all of (PROTO, ADDRESS, PORT, WHETHER AN ANSWER IS EXPECTED) at once. The answers
        of reach.py, "" where there was none."""
        answers = self.run(sys.executable, REACH, "probe", netns=netns, stdin=json.dumps(questions))
        return json.loads(answers)

    def reaches(self, address: str, port: int, proto: str = "tcp", netns: str | None = None) -> str:
        """What the server there says, waited for."""
        answer = self.probe((proto, address, port, True), netns=netns)[0]
        assert answer, f"{self.name} does not reach {address} port {port}/{proto}"
        return answer

    def talk(self, proto: str, address: str, port: int, netns: str | None = None) -> Talk:
        """A connection that stays."""
        return Talk(
            self.popen(
                sys.executable, REACH, "talk", proto, address, str(port), netns=netns,
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            )  # fmt: skip
        )


def join(host: Host, outside: Host) -> None:
    """A cable between the two. The host's default routes lead to outside, which has none itself:
    what reaches it with an address of the host's own networks cannot be answered."""
    pair = f"link add uplink type veth peer name uplink netns {outside.pid}"
    inside = [f"--net=/proc/{host.pid}/ns/net", "ip", *pair.split()]
    subprocess.run(["nsenter", *inside], check=True)
    for end, ipv4, ipv6 in (
        (outside, OUTSIDE_IPV4, OUTSIDE_IPV6),
        (host, UPLINK_IPV4, UPLINK_IPV6),
    ):
        end.run(
            "ip", "-batch", "-",
            stdin=f"addr add {ipv4}/24 dev uplink\n"
            f"addr add {ipv6}/64 dev uplink nodad\n"
            "link set uplink up\n",
        )  # fmt: skip
    host.run(
        "ip", "-batch", "-",
        stdin=f"route add default via {OUTSIDE_IPV4}\nroute add ::/0 via {OUTSIDE_IPV6}\n",
    )  # fmt: skip
