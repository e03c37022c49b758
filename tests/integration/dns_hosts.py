# SPDX-License-Identifier: Apache-2.0
"""What the tests of names have around weft: servers for it to ask, and a look at weft-dns."""

from __future__ import annotations

import json
import os
import pathlib
import subprocess
import sys
import tempfile
from typing import NamedTuple

from dns_client import Client
from hosts import Host, eventually
from weftd import BUILD, Weft

HERE = pathlib.Path(__file__).parent
UPSTREAM = str(HERE / "dns_upstream.py")

# The server in a test host's /etc/resolv.conf (host_init.py), and more of the outside host's.
SERVER, SECOND, THIRD = "192.0.2.53", "192.0.2.54", "192.0.2.55"
SERVER6 = "2001:db8::53"

# What dns_upstream.py answers, and what it lies.
TRUE4, TRUE6, FALSE4 = "198.51.100.1", "2001:db8:100::1", "203.0.113.66"

DUAL = ("--ipv6", "--subnet", "10.9.0.0/24", "--subnet", "fd00:9::/64")
GATEWAY4, GATEWAY6 = "10.9.0.1", "fd00:9::1"

# Whether figures are held to their limits: on a machine that does nothing else.
STRICT = os.environ.get("WEFT_STRICT") == "1"


def sanitized() -> bool:
    """Whether the programs are built with sanitizers."""
    return b"__asan_init" in (BUILD / "weft-dns").read_bytes()


def within(strict: float, otherwise: float) -> float:
    """A time limit in seconds."""
    return strict if STRICT and not sanitized() else otherwise


class Upstream:
    """A server of dns_upstream.py, in a host or in a namespace mounted there."""

    def __init__(self, host: Host, name: str = "up", address: str = SERVER, mode: str = "", netns: str | None = None):
        self.host = host
        self.address = address
        if not netns and "%" not in address:
            self._add_address()
        self._log = tempfile.TemporaryFile("w+", prefix="dns-upstream-")
        self._process = host.popen(
            sys.executable, UPSTREAM, name, address, mode, netns=netns,
            stdin=subprocess.PIPE, stdout=self._log, text=True,
        )  # fmt: skip
        eventually(lambda: "listening\n" in self._read(), 20, f"server {name} listens")

    def _add_address(self) -> None:
        self.host.run("ip", "addr", "replace", self.address, "dev", "uplink", *(("nodad",) * (":" in self.address)))

    def _read(self) -> str:
        with open(f"/proc/self/fd/{self._log.fileno()}", encoding="utf-8") as log:
            return log.read()

    def _entries(self) -> list[dict]:
        lines = self._read().splitlines()
        return [json.loads(line) for line in lines if line.startswith("{") and line.endswith("}")]

    def set_mode(self, mode: str) -> None:
        """From now on all queries are met so: see dns_upstream.py."""
        before = len([entry for entry in self._entries() if "mode" in entry and "id" not in entry])
        assert self._process.stdin
        self._process.stdin.write(mode + "\n")
        self._process.stdin.flush()
        eventually(
            lambda: len([e for e in self._entries() if "mode" in e and "id" not in e]) > before,
            what=f"mode {mode}",
        )

    def queries(self) -> list[dict]:
        """All that came, the oldest first."""
        return [entry for entry in self._entries() if "id" in entry]

    def asked(self, name: str) -> list[dict]:
        """Those about a name."""
        return [entry for entry in self.queries() if entry["name"].lower() == name.lower()]

    def malformed(self) -> list[str]:
        """What came that is no query."""
        return [entry["malformed"] for entry in self._entries() if "malformed" in entry]

    def settled(self, client: Client) -> list[str]:
        """The names of all queries, after client's last: one more is sent, and has arrived."""
        marker = f"settled-{len(self.queries())}.test"
        assert client.data(marker) == [TRUE4]
        return [entry["name"] for entry in self.queries() if not entry["name"].startswith("settled-")]

    def end(self) -> None:
        """Nobody is there any more: its port is closed."""
        assert self._process.stdin
        self._process.stdin.close()
        self._process.wait(20)


DNSMASQ_RECORDS = (
    "--address=/many.lab.test/198.51.100.7",
    "--host-record=server.lab.test,198.51.100.5,2001:db8:100::5,100",
    "--cname=www.lab.test,server.lab.test",
    "--srv-host=_http._tcp.lab.test,server.lab.test,8080",
    "--txt-record=txt.lab.test,some text",
    "--mx-host=lab.test,server.lab.test,10",
    "--ptr-record=5.100.51.198.in-addr.arpa,server.lab.test",
    "--local=/test/",
)


def start_dnsmasq(host: Host, address: str = SERVER, *more: str, netns: str | None = None) -> None:
    """The real thing, with a zone lab.test, and nobody to ask itself."""
    if not netns:
        host.run("ip", "addr", "replace", address, "dev", "uplink")
    child = host.popen(
        "dnsmasq", "--keep-in-foreground", "--log-facility=-", "--conf-file=/dev/null", "--no-resolv", "--no-hosts",
        "--pid-file=", "--user=root", "--bind-interfaces", f"--listen-address={address}", *DNSMASQ_RECORDS, *more,
        netns=netns, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip

    def listens() -> bool:
        assert child.poll() is None, "dnsmasq ended"
        return f"{address}:53" in host.run("ss", "-Hlnu", netns=netns)

    eventually(listens, 20, "dnsmasq listens")


def set_servers(host: Host, *servers: str, path: str = "/etc/resolv.conf", more: str = "") -> None:
    """Writes a resolv.conf of a host, as an editor does."""
    host.write(path, more + "".join(f"nameserver {server}\n" for server in servers))


class Resolvers(NamedTuple):
    """A resolv.conf(5)."""

    servers: list[str]
    search: list[str]
    options: set[str]


def resolv_conf(text: str) -> Resolvers:
    fields = [line.split() for line in text.splitlines() if line.strip() and line[0] not in "#;"]
    return Resolvers(
        [words[1] for words in fields if words[0] == "nameserver"],
        [word for words in fields if words[0] == "search" for word in words[1:]],
        {word for words in fields if words[0] == "options" for word in words[1:]},
    )


def resolvers_of(weft: Weft, container: str) -> Resolvers:
    """The container's."""
    return resolv_conf(weft.exec(container, "cat", "/etc/resolv.conf"))


def dns_pids(host: Host) -> list[int]:
    """The weft-dns processes, by their numbers in the host."""
    return [int(pid) for pid in host.try_run("pgrep", "-x", "weft-dns").out.split()]


def dns_pid(host: Host) -> int:
    """Of the one that there is."""
    pids = dns_pids(host)
    assert len(pids) == 1, f"weft-dns processes: {pids}"
    return pids[0]


def signal_dns(host: Host, signal: str) -> int:
    """Sends a signal: to which process."""
    pid = dns_pid(host)
    host.run("kill", f"-{signal}", str(pid))
    return pid
