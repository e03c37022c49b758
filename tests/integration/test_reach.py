# SPDX-License-Identifier: Apache-2.0
"""Who reaches a container: every client, family, protocol and gateway mode.

A row of the tables is a client and how it asks; a column is the gateway mode of the container's
network. Each cell is tried with TCP and UDP, IPv4 and IPv6. It says

    real     the server answers, and sees the address that the client itself has
    gate     the server answers, and sees the address of its own network's bridge
    closed   nobody answers
    -        there is no such address

Both ports of the server are of the container's; 80 is published as port 8080 of the host.
"""

from __future__ import annotations

import contextlib
from concurrent.futures import ThreadPoolExecutor
from typing import Iterator, NamedTuple

import pytest

import frames
from conftest import host_and_outside
from hosts import OUTSIDE_IPV4, OUTSIDE_IPV6, UPLINK_IPV4, UPLINK_IPV6
from weftd import Weft, Weftd

# client: the outside host, the host itself, a container on another network, one on the server's,
# the server itself, and one on an internal network.
# asks: an address of the host (its uplink's, loopback's, or that of the bridge which the client
# sees), or the server's own address.
DUAL_STACK = """
client    asks          nat     nat-unprotected  routed  isolated  internal

outside   uplink:8080   real    real             closed  closed    closed
outside   bridge:8080   real    real             closed  -         closed
host      uplink:8080   real    real             closed  closed    closed
host      loopback:8080 gate    gate             closed  closed    closed
host      bridge:8080   gate    gate             closed  -         closed
other     uplink:8080   gate    gate             closed  closed    closed
other     bridge:8080   gate    gate             closed  -         closed
same      uplink:8080   gate    gate             closed  closed    closed
same      bridge:8080   gate    gate             closed  -         closed
itself    uplink:8080   gate    gate             closed  closed    closed
itself    bridge:8080   gate    gate             closed  -         closed
walled    uplink:8080   closed  closed           closed  closed    closed
walled    own-gate:8080 closed  closed           closed  closed    closed

outside   server:80     closed  real             real    closed    closed
host      server:80     gate    gate             gate    closed    gate
other     server:80     closed  closed           gate    closed    closed
same      server:80     real    real             real    real      real
itself    server:80     real    real             real    real      real
walled    server:80     closed  closed           closed  closed    closed

outside   server:81     closed  real             closed  closed    closed
host      server:81     gate    gate             gate    closed    gate
other     server:81     closed  closed           closed  closed    closed
same      server:81     real    real             real    real      real
itself    server:81     real    real             real    real      real
walled    server:81     closed  closed           closed  closed    closed
"""

# The server has one family only, and is asked for in the other: published as port 8090.
OTHER_FAMILY = """
client    asks          nat     nat-unprotected  routed  isolated  internal

outside   uplink:8090   gate    gate             closed  closed    closed
host      uplink:8090   gate    gate             closed  closed    closed
host      loopback:8090 gate    gate             closed  closed    closed
other     uplink:8090   gate    gate             closed  closed    closed
walled    uplink:8090   closed  closed           closed  closed    closed
"""

# And in its own.
OWN_FAMILY = """
client    asks          nat     nat-unprotected  routed  isolated  internal

outside   uplink:8090   real    real             closed  closed    closed
host      uplink:8090   real    real             closed  closed    closed
host      loopback:8090 gate    gate             closed  closed    closed
other     uplink:8090   gate    gate             closed  closed    closed
"""

# Echo requests to the server's address: "pong" or closed.
ECHO = """
client    asks          nat     nat-unprotected  routed  isolated  internal

outside   server:0      closed  pong             pong    closed    closed
host      server:0      pong    pong             pong    closed    pong
other     server:0      closed  closed           closed  closed    closed
same      server:0      pong    pong             pong    pong      pong
"""

MODES = ("nat", "nat-unprotected", "routed", "isolated", "internal")
MODE_OPTION = "com.docker.network.bridge.gateway_mode_ipv"
CLIENTS = ("outside", "host", "other", "same", "itself", "walled")

UPLINK = {4: UPLINK_IPV4, 6: UPLINK_IPV6}
OUTSIDE = {4: OUTSIDE_IPV4, 6: OUTSIDE_IPV6}
LOOPBACK = {4: "127.0.0.1", 6: "::1"}


class Net(NamedTuple):
    """A network of the test's, by number: 10.N.0.0/24 and fd00:N::/64."""

    name: str
    number: int

    def subnet(self, family: int) -> str:
        return f"10.{self.number}.0.0/24" if family == 4 else f"fd00:{self.number}::/64"

    def address(self, family: int, last: int) -> str:
        return f"10.{self.number}.0.{last}" if family == 4 else f"fd00:{self.number}::{last}"

    def gateway(self, family: int) -> str:
        return self.address(family, 1)

    def create(self, weft: Weft, *flags: str, families: tuple = (4, 6)) -> None:
        subnets = [word for family in families for word in ("--subnet", self.subnet(family))]
        which = [f"--ipv4={str(4 in families).lower()}", f"--ipv6={str(6 in families).lower()}"]
        weft("network", "create", *which, *subnets, *flags, self.name)


WEB, ONLY4, ONLY6 = Net("web", 5), Net("only4", 6), Net("only6", 7)
OTHER, WALLED = Net("other", 8), Net("walled", 9)
# Of the server on each network, and of the clients.
SERVER, SAME, AWAY = 80, 66, 77


class Cell(NamedTuple):
    """A question, and what shall come of it."""

    row: str
    client: str
    proto: str
    address: str
    port: int
    wanted: str  # "" for nothing, else the server's whole answer: see reach.py


@contextlib.contextmanager
def weft_world() -> Iterator[tuple]:
    """A host with weft and the world outside, which has routes to every network of the host's."""
    with host_and_outside() as (host, outside):
        daemon = Weftd(host).start()
        for family in (4, 6):
            for net in (WEB, ONLY4, ONLY6, OTHER, WALLED):
                outside.run("ip", "route", "add", net.subnet(family), "via", UPLINK[family])
        yield Weft(daemon), host, outside
        daemon.stop()
        daemon.check_log()


class World:
    """A host with a server in each of three networks of certain gateway modes, and all clients."""

    def __init__(self, weft: Weft, host, outside, modes: dict[int, str]):
        self.modes = modes
        self.netns: dict[str, str | None] = {"outside": None, "host": None}
        self.hosts = {client: outside if client == "outside" else host for client in CLIENTS}
        for net, families in ((WEB, (4, 6)), (ONLY4, (4,)), (ONLY6, (6,))):
            net.create(weft, *self.flags(families), families=families)
        OTHER.create(weft)
        WALLED.create(weft, "--internal")
        for name, net, families, port, ports in (
            ("server", WEB, (4, 6), 8080, (80, 81)),
            ("server4", ONLY4, (4,), 8084, (80,)),
            ("server6", ONLY6, (6,), 8086, (80,)),
        ):
            flags = [flag for family in families for flag in self.ip_flag(net, family, SERVER)]
            publish = ["-p", f"{port}:80", "-p", f"{port}:80/udp"]
            weft.echo(name, "--network", net.name, *flags, *publish, ports=ports)
        self.netns["itself"] = weft.netns("server")
        for client, net, last in (("same", WEB, SAME), ("other", OTHER, AWAY), ("walled", WALLED, AWAY)):
            flags = [flag for family in (4, 6) for flag in self.ip_flag(net, family, last)]
            self.netns[client] = weft.attach(client, "--network", net.name, *flags)

    def flags(self, families: tuple) -> list[str]:
        flags = []
        for family in families:
            if self.modes[family] != "internal":
                flags += ["-o", f"{MODE_OPTION}{family}={self.modes[family]}"]
        return flags + (["--internal"] if self.modes[4] in ("isolated", "internal") else [])

    @staticmethod
    def ip_flag(net: Net, family: int, last: int) -> list[str]:
        return ["--ip" if family == 4 else "--ip6", net.address(family, last)]

    def own_address(self, client: str, family: int, target: str) -> str:
        """That a client has itself, when it asks for target."""
        return {
            "outside": OUTSIDE[family],
            "host": target,
            "other": OTHER.address(family, AWAY),
            "same": WEB.address(family, SAME),
            "itself": WEB.address(family, SERVER),
            "walled": WALLED.address(family, AWAY),
        }[client]

    def cells(self, table: str, name: str, net: Net, families: dict[int, int]) -> Iterator[Cell]:
        """The questions of a table to a server, asked for in the families that are keys; the values
        are those in which it has an address and is reached."""
        heads, *rows = [line.split() for line in table.splitlines() if line]
        for client, asks, *words in rows:
            target, _, port = asks.partition(":")
            if port == "8090":
                port = {"server4": "8084", "server6": "8086"}[name]
            for family, servers in families.items():
                word = words[heads.index(self.modes[servers]) - 2]
                address = {
                    "uplink": UPLINK[family],
                    "loopback": LOOPBACK[family],
                    "bridge": net.gateway(family),
                    "own-gate": WALLED.gateway(family),
                    "server": net.address(family, SERVER),
                }[target]
                wanted = {
                    "real": f"{name} {self.own_address(client, family, address)} "
                    f"{net.address(servers, SERVER)}",
                    "gate": f"{name} {net.gateway(servers)} {net.address(servers, SERVER)}",
                    "pong": "pong",
                }.get(word, "")
                row = f"{client} asks {name} at {asks}"
                for proto in ("icmp",) if port == "0" else ("tcp", "udp"):
                    if word != "-":
                        yield Cell(row, client, proto, address, int(port), wanted)

    def all_cells(self) -> list[Cell]:
        return [
            *self.cells(DUAL_STACK, "server", WEB, {4: 4, 6: 6}),
            *self.cells(OTHER_FAMILY, "server4", ONLY4, {6: 4}),
            *self.cells(OTHER_FAMILY, "server6", ONLY6, {4: 6}),
            *self.cells(OWN_FAMILY, "server4", ONLY4, {4: 4}),
            *self.cells(OWN_FAMILY, "server6", ONLY6, {6: 6}),
            *self.cells(ECHO, "server", WEB, {4: 4, 6: 6}),
        ]

    def differences(self) -> list[str]:
        """Asks everything, each client for itself: what was not answered as it shall be."""
        cells = self.all_cells()

        def ask(client: str) -> list[str]:
            own = [cell for cell in cells if cell.client == client]
            questions = [(cell.proto, cell.address, cell.port, cell.wanted != "") for cell in own]
            answers = self.hosts[client].probe(*questions, netns=self.netns[client])
            return [
                f"{cell.row}, {cell.proto} to {cell.address}: {answer or 'closed'!r},"
                f" not {cell.wanted or 'closed'!r}"
                for cell, answer in zip(own, answers)
                if answer != cell.wanted
            ]

        with ThreadPoolExecutor() as executor:
            return sum(executor.map(ask, CLIENTS), [])


# Whether the kernel shows the host's packet filter what is bridged, too: docker turns it on, most
# machines without docker have it off.
BRIDGED = ("net.bridge.bridge-nf-call-iptables", "net.bridge.bridge-nf-call-ip6tables")


@pytest.mark.parametrize(
    "ipv4, ipv6, bridged",
    [
        *(pytest.param(mode, mode, 1, id=mode) for mode in MODES),
        # Each family in its own way.
        pytest.param("nat", "routed", 1, id="nat+routed"),
        pytest.param("routed", "nat", 0, id="routed+nat"),
        pytest.param("nat", "nat", 0, id="nat, without bridge-nf-call"),
    ],
)
def test_reach(ipv4, ipv6, bridged):
    with weft_world() as (weft, host, outside):
        # A kernel without br_netfilter has no such switches, and is as if they were off.
        if host.path(f"/proc/sys/{BRIDGED[0].replace('.', '/')}").exists():
            host.run("sysctl", "-q", "-w", *(f"{switch}={bridged}" for switch in BRIDGED))
        wrong = World(weft, host, outside, {4: ipv4, 6: ipv6}).differences()
        assert not wrong, "\n".join(wrong)


# ---- bindings of certain addresses ----


@pytest.fixture
def trio():
    """weft, its host and the outside; on network web a server with 80 published at 127.0.0.1 and
    ::1, port 8080."""
    with weft_world() as (weft, host, outside):
        WEB.create(weft)
        flags = [*World.ip_flag(WEB, 4, SERVER), *World.ip_flag(WEB, 6, SERVER)]
        for address in ("127.0.0.1", "[::1]"):
            for proto in ("tcp", "udp"):
                flags += ["-p", f"{address}:8080:80/{proto}"]
        weft.echo("server", "--network", "web", *flags)
        yield weft, host, outside


def tricks(source: dict, dst_mac: str, src_mac: str) -> Iterator[bytes]:
    """Frames that ask for the published port at addresses that lead there, or might."""
    for family in (4, 6):
        own, looped = source[family], LOOPBACK[family]
        gateway, server = WEB.gateway(family), WEB.address(family, SERVER)
        ways = [(own, looped, 8080), (looped, looped, 8080), (own, gateway, 8080)]
        ways += [(own, UPLINK[family], 8080), (looped, UPLINK[family], 8080), (looped, server, 80)]
        ways += [(own, server, 80)]
        for src, dst, port in ways:
            yield frames.ip_frame(dst_mac, src_mac, frames.tcp_syn(src, dst, 4000, port))
            yield frames.ip_frame(dst_mac, src_mac, frames.udp(src, dst, 4000, port, b"trick"))
    # All of 127.0.0.0/8 is loopback's.
    yield frames.ip_frame(dst_mac, src_mac, frames.tcp_syn(source[4], "127.9.9.9", 4000, 8080))


@pytest.mark.parametrize("route_localnet", [0, 1], ids=["as it is", "route_localnet everywhere"])
def test_loopback_binding_from_outside(trio, route_localnet):
    """No way leads in, even where others have let 127.0.0.0/8 be routed, as Kubernetes does."""
    weft, host, outside = trio
    host.run("sysctl", "-q", "-w", f"net.ipv4.conf.all.route_localnet={route_localnet}")
    watch = frames.Watch(host, "eth0", weft.netns("server"))
    here, there = (each.links()["uplink"]["address"] for each in (host, outside))
    frames.send(outside, "uplink", tricks(OUTSIDE, here, there))

    # With its own loopback network routed away.
    outside.run(
        "sh", "-c",
        "ip route del local 127.0.0.0/8 dev lo table local; ip addr flush dev lo;"
        f" ip route add 127.0.0.0/8 via {UPLINK_IPV4}; sysctl -q -w net.ipv4.conf.all.route_localnet=1",
    )  # fmt: skip
    asked = [
        (proto, address, port, False)
        for proto in ("tcp", "udp")
        for family in (4, 6)
        for address, port in (
            (LOOPBACK[family], 8080),
            (UPLINK[family], 8080),
            (WEB.gateway(family), 8080),
            (WEB.address(family, SERVER), 80),
        )
        if address != "::1"
    ]
    assert outside.probe(*asked) == [""] * len(asked)

    # The host itself gets there, and is the first to be seen.
    assert host.reaches("127.0.0.1", 8080) == "server 10.5.0.1 10.5.0.80"
    assert host.reaches("::1", 8080, "udp") == "server fd00:5::1 fd00:5::80"
    seen = watch.until(frames.packed(WEB.gateway(6)) + frames.packed(WEB.address(6, SERVER)))
    assert not [frame.hex() for frame in seen if frames.source_port(frame) == 4000]


def test_loopback_binding_from_a_container(trio):
    """A bridge routes 127.0.0.0/8 so that the host gets to its containers: not they to the host."""
    weft, host, _ = trio
    netns = weft.attach("same", "--network", "web", *World.ip_flag(WEB, 4, SAME))
    watch = frames.Watch(host, "eth0", weft.netns("server"))
    bridge = host.links()[f"br-{weft.daemon.get('/networks/web')['Id'][:12]}"]["address"]
    own = host.links(netns)["eth0"]["address"]
    source = {4: WEB.address(4, SAME), 6: weft.sandbox("same")["Networks"]["web"]["IPv6"].split("/")[0]}
    away = [f for f in tricks(source, bridge, own) if frames.packed(WEB.address(4, SERVER)) not in f]
    away = [f for f in away if frames.packed(WEB.address(6, SERVER)) not in f]
    frames.send(host, "eth0", away, netns)
    mark = frames.udp(source[4], WEB.address(4, SERVER), 4001, 9, b"mark")
    frames.send(host, "eth0", [frames.ip_frame(frames.BROADCAST, own, mark)], netns)
    seen = watch.until(b"mark")
    assert not [frame.hex() for frame in seen if frames.source_port(frame) == 4000]
    answers = host.probe(("tcp", WEB.gateway(4), 8080, False), ("udp", UPLINK_IPV4, 8080, False), netns=netns)
    assert answers == ["", ""]


def test_a_port_of_two_host_addresses(weft, host, outside):
    """The same port leads to two containers, by the address that is asked for."""
    host.run("ip", "addr", "add", "192.0.2.3/24", "dev", "uplink")
    host.run("ip", "addr", "add", "2001:db8::3/64", "dev", "uplink", "nodad")
    WEB.create(weft)
    for name, ipv4, ipv6 in (("a", UPLINK_IPV4, "[2001:db8::2]"), ("b", "192.0.2.3", "[2001:db8::3]")):
        publish = [f"{at}:8080:80/{proto}" for at in (ipv4, ipv6) for proto in ("tcp", "udp")]
        weft.echo(name, "--network", "web", *(word for spec in publish for word in ("-p", spec)))
    for address, name in (
        (UPLINK_IPV4, "a"),
        (UPLINK_IPV6, "a"),
        ("192.0.2.3", "b"),
        ("2001:db8::3", "b"),
    ):
        for proto in ("tcp", "udp"):
            peer = OUTSIDE_IPV6 if ":" in address else OUTSIDE_IPV4
            assert outside.reaches(address, 8080, proto).split()[:2] == [name, peer]
            assert host.reaches(address, 8080, proto).startswith(f"{name} ")
    nowhere = [
        (proto, address, 8080, False)
        for proto in ("tcp", "udp")
        for address in ("127.0.0.1", "::1", WEB.gateway(4), WEB.gateway(6))
    ]
    assert host.probe(*nowhere) == [""] * len(nowhere)


def test_one_host_address_only(weft, host, outside):
    host.run("ip", "addr", "add", "192.0.2.3/24", "dev", "uplink")
    weft.echo("a", "-p", f"{UPLINK_IPV4}:8080:80")
    assert outside.reaches(UPLINK_IPV4, 8080).startswith(f"a {OUTSIDE_IPV4} ")
    asked = [("tcp", address, 8080, False) for address in ("192.0.2.3", UPLINK_IPV6)]
    assert outside.probe(*asked) == ["", ""]
    asked = [("tcp", address, 8080, False) for address in ("127.0.0.1", "::1", "172.17.0.1")]
    assert host.probe(*asked) == ["", "", ""]


def test_host_binding_of_the_network(weft, host, outside):
    """host_binding_ipv4: the address of ports that are published without one."""
    weft(
        "network", "create", "--subnet", "10.5.0.0/24",
        "-o", f"com.docker.network.bridge.host_binding_ipv4={UPLINK_IPV4}", "web",
    )  # fmt: skip
    weft.echo("a", "--network", "web", "-p", "8080:80")
    assert weft.ports("a")["80/tcp"] == [{"HostIp": UPLINK_IPV4, "HostPort": "8080"}]
    assert outside.reaches(UPLINK_IPV4, 8080) == f"a {OUTSIDE_IPV4} 10.5.0.2"
    assert host.probe(("tcp", "127.0.0.1", 8080, False)) == [""]
    assert outside.probe(("tcp", UPLINK_IPV6, 8080, False)) == [""]
