# SPDX-License-Identifier: Apache-2.0
"""The source guard: what a container sends as somebody else reaches nobody.

Mallory is root in her network namespace and makes frames by hand. alice and bob are her neighbours.
Each forged frame is sent to alice, to the bridge, and to all. That it did not arrive is known when an
honest frame that was sent after it has.
"""

from __future__ import annotations

import json
import re
from typing import Callable, Iterable, NamedTuple

import pytest

import frames
from conftest import host_and_outside
from frames import BROADCAST, NOBODY
from hosts import OUTSIDE_IPV4, eventually
from weftd import Weft, Weftd

GUARD = "weft.source_guard"
FOREIGN_MAC = "02:00:00:00:00:99"
ALL_NODES, ALL_NODES_MAC = "ff02::1", "33:33:00:00:00:01"
MDNS_PORT = 5353


class Party(NamedTuple):
    """Somebody on the network."""

    mac: str
    ipv4: str
    ipv6: str

    @property
    def local(self) -> str:
        return frames.link_local(self.mac)


class Street(NamedTuple):
    """A network with everybody on it."""

    weft: Weft
    name: str
    bridge: str
    parties: dict[str, Party]
    netns: dict[str, str]

    def __getattr__(self, name: str) -> Party:
        return self.parties[name]

    def send(self, forged: Iterable[bytes]) -> None:
        """Mallory's frames, then an honest one to everybody."""
        mallory = self.parties["mallory"]
        packet = frames.udp(mallory.ipv4, OUTSIDE_IPV4, 9, 9, b"honest")
        frames.send(
            self.weft.host, "eth0",
            [*forged, frames.ip_frame(BROADCAST, mallory.mac, packet)], self.netns["mallory"],
        )  # fmt: skip

    def arrivals(self, forged: list[bytes]) -> dict[str, list[bytes]]:
        """Sends them: which of them alice and the bridge saw. VLAN headers are taken off on the
        way, so contents are compared."""
        host = self.weft.host
        watches = {
            "alice": frames.Watch(host, "eth0", self.netns["alice"]),
            "host": frames.Watch(host, self.bridge),
        }
        self.send(forged)
        bodies = {content(frame) for frame in forged}
        return {
            name: [frame for frame in watch.until(b"honest") if content(frame) in bodies]
            for name, watch in watches.items()
        }


def content(frame: bytes) -> bytes:
    """Source address and payload, without VLAN headers."""
    start = 12
    while frame[start : start + 2] in (b"\x81\x00", b"\x88\xa8"):
        start += 4
    return frame[6:12] + frame[start:]


def neighbourhood(weft: Weft, name: str, number: int, *flags: str, mallory: tuple = ()) -> Street:
    """A network, and all three on it; further flags of the network and of mallory's endpoint."""
    weft(
        "network", "create", "--ipv6", "--subnet", f"10.{number}.0.0/24",
        "--subnet", f"fd00:{number}::/64", *flags, name,
    )  # fmt: skip
    bridge = f"br-{weft.daemon.get(f'/networks/{name}')['Id'][:12]}"
    link = weft.host.links()[bridge]["address"]
    parties = {"gateway": Party(link, f"10.{number}.0.1", f"fd00:{number}::1")}
    netns = {}
    for last, who in enumerate(("alice", "bob", "mallory"), 10):
        more = mallory if who == "mallory" else ()
        netns[who] = weft.attach(f"{who}-{name}", "--network", name, "--ip", f"10.{number}.0.{last}",
                                 "--ip6", f"fd00:{number}::{last}", *more)  # fmt: skip
        mac = weft.host.links(netns[who])["eth0"]["address"]
        parties[who] = Party(mac, f"10.{number}.0.{last}", f"fd00:{number}::{last}")
    for family in ("ipv4", "ipv6"):
        weft.host.ping(getattr(parties["bob"], family), netns["alice"])
        weft.host.ping(getattr(parties["gateway"], family), netns["alice"])
    # Link-local addresses may be used once they have been looked for twice.
    for each in netns.values():
        eventually(lambda each=each: "tentative" not in weft.host.run("ip", "-6", "addr", netns=each))
    return Street(weft, name, bridge, parties, netns)


@pytest.fixture(scope="module")
def world():
    with host_and_outside() as (host, outside):
        daemon = Weftd(host).start()
        yield Weft(daemon), host, outside
        daemon.stop()
        daemon.check_log()


@pytest.fixture(scope="module")
def guarded(world):
    return neighbourhood(world[0], "guarded", 5)


@pytest.fixture(scope="module")
def open_network(world):
    return neighbourhood(world[0], "open", 6, "-o", f"{GUARD}=false")


@pytest.fixture(scope="module")
def open_endpoint(world):
    return neighbourhood(world[0], "trusting", 7, mallory=("--driver-opt", f"{GUARD}=false"))


# ---- what mallory tries ----


def to_all(street: Street, src_mac: str, make: Callable[[str], bytes]) -> list[bytes]:
    """A packet in frames to alice, to the bridge and to everybody."""
    targets = {
        street.alice.mac: street.alice,
        street.gateway.mac: street.gateway,
        BROADCAST: street.alice,
    }
    packets = ((mac, make(who)) for mac, who in targets.items())
    return [frames.ip_frame(mac, src_mac, packet) for mac, packet in packets]


def hello(src: str, dst: Party, sport: int = MDNS_PORT, dport: int = MDNS_PORT) -> bytes:
    return frames.udp(src, dst.ipv6 if ":" in src else dst.ipv4, sport, dport, b"forged")


def datagrams(src: Callable, mac: Callable = lambda s: s.mallory.mac, sport=MDNS_PORT, dport=9):
    """UDP from an address and a MAC address."""
    return lambda s: to_all(s, mac(s), lambda who: hello(src(s), who, sport, dport))


def arps(operation: int, sender: Callable, target: Callable, mac: Callable = lambda s: s.mallory.mac):
    return lambda s: [
        frames.arp(dst, mac(s), operation, sender(s), target(s))
        for dst in (s.alice.mac, s.gateway.mac, BROADCAST)
    ]


def icmps(src: Callable, kind: int, body: Callable, before: bytes = b""):
    """ICMPv6 to alice's, the gateway's and everybody's address."""

    def make(s: Street) -> list[bytes]:
        targets = [(s.alice.mac, s.alice.ipv6), (s.gateway.mac, s.gateway.ipv6)]
        return [
            frames.ip_frame(mac, s.mallory.mac, frames.icmpv6(src(s), dst, kind, body(s), before))
            for mac, dst in (*targets, (ALL_NODES_MAC, ALL_NODES))
        ]

    return make


def in_vlans(attack: Callable):
    """The same with 802.1Q headers, one or two."""

    def make(s: Street) -> list[bytes]:
        plain = attack(s)
        once = [frames.tagged(frame, vlan) for frame in plain for vlan in (0, 5)]
        twice = [frames.tagged(frames.tagged(frame, 5), 6, 0x88A8) for frame in plain]
        return once + twice

    return make


def own(s: Street) -> tuple:
    return (s.mallory.mac, s.mallory.ipv4)


def as_gateway(s: Street) -> tuple:
    return (s.mallory.mac, s.gateway.ipv4)


def as_bob(s: Street) -> tuple:
    return (s.mallory.mac, s.bob.ipv4)


def redirect(s: Street) -> bytes:
    """RFC 4861, 4.5: everything for a far host by way of mallory."""
    return bytes(4) + frames.packed(s.mallory.local) + frames.packed("2001:db8::1")


def redirect4(s: Street) -> list[bytes]:
    """RFC 792, in the gateway's name."""
    inner = frames.udp(s.alice.ipv4, OUTSIDE_IPV4, 1, 1, b"")[:28]
    body = b"\x05\x01\x00\x00" + frames.packed(s.mallory.ipv4) + inner
    body = body[:2] + frames.checksum(body).to_bytes(2, "big") + body[4:]
    return to_all(s, s.mallory.mac, lambda who: frames.ipv4(s.gateway.ipv4, who.ipv4, 1, body))


router = icmps(
    lambda s: s.mallory.local, 134, lambda s: frames.router_advertisement(s.mallory.mac, "fd00:bad::")
)
gateway_na = icmps(
    lambda s: s.mallory.local, 136, lambda s: frames.advertisement(s.gateway.ipv6, s.mallory.mac)
)
arp_gateway = arps(2, as_gateway, lambda s: (s.alice.mac, s.alice.ipv4))

ATTACKS = {
    "foreign MAC": datagrams(lambda s: s.mallory.ipv4, lambda s: FOREIGN_MAC),
    "foreign MAC, IPv6": datagrams(lambda s: s.mallory.ipv6, lambda s: FOREIGN_MAC),
    "all of bob": datagrams(lambda s: s.bob.ipv4, lambda s: s.bob.mac),
    "all of bob, IPv6": datagrams(lambda s: s.bob.ipv6, lambda s: s.bob.mac),
    "all of the gateway": datagrams(lambda s: s.gateway.ipv4, lambda s: s.gateway.mac),
    "bob's IPv4": datagrams(lambda s: s.bob.ipv4),
    "bob's IPv6": datagrams(lambda s: s.bob.ipv6),
    "bob's link-local": datagrams(lambda s: s.bob.local),
    "gateway's IPv4": datagrams(lambda s: s.gateway.ipv4),
    "gateway's IPv6": datagrams(lambda s: s.gateway.ipv6),
    "stranger's IPv4": datagrams(lambda s: "198.51.100.7"),
    "stranger's IPv6": datagrams(lambda s: "2001:db8:bad::7"),
    "loopback's IPv4": datagrams(lambda s: "127.0.0.1"),
    "ARP reply: gateway": arp_gateway,
    "ARP reply: bob": arps(2, as_bob, lambda s: (s.alice.mac, s.alice.ipv4)),
    "ARP reply: bob, from bob": arps(2, as_bob, lambda s: own(s), lambda s: s.bob.mac),
    "gratuitous ARP: gateway": arps(1, as_gateway, lambda s: (NOBODY, s.gateway.ipv4)),
    "gratuitous ARP reply: gateway": arps(2, as_gateway, lambda s: (BROADCAST, s.gateway.ipv4)),
    "gratuitous ARP: bob": arps(1, as_bob, lambda s: (NOBODY, s.bob.ipv4)),
    "ARP request, bob asking": arps(1, as_bob, lambda s: (NOBODY, s.alice.ipv4)),
    "ARP request, foreign MAC": arps(
        1, lambda s: (FOREIGN_MAC, s.mallory.ipv4), lambda s: (NOBODY, s.alice.ipv4)
    ),
    "NA: gateway": gateway_na,
    "NA: gateway, own address": icmps(
        lambda s: s.mallory.ipv6, 136, lambda s: frames.advertisement(s.gateway.ipv6, s.mallory.mac)
    ),
    "NA: bob": icmps(
        lambda s: s.mallory.ipv6, 136, lambda s: frames.advertisement(s.bob.ipv6, s.mallory.mac)
    ),
    "NA: bob, from bob": icmps(
        lambda s: s.bob.ipv6, 136, lambda s: frames.advertisement(s.bob.ipv6, s.mallory.mac)
    ),
    "NA: bob, behind options": icmps(
        lambda s: s.mallory.ipv6, 136,
        lambda s: frames.advertisement(s.bob.ipv6, s.mallory.mac), frames.DESTINATION_OPTIONS,
    ),
    "NS, bob asking": icmps(
        lambda s: s.bob.ipv6, 135, lambda s: frames.solicitation(s.alice.ipv6, s.mallory.mac)
    ),
    "RA": router,
    "RA, own address": icmps(
        lambda s: s.mallory.ipv6, 134,
        lambda s: frames.router_advertisement(s.mallory.mac, "fd00:bad::"),
    ),
    "RA, behind options": icmps(
        lambda s: s.mallory.local, 134,
        lambda s: frames.router_advertisement(s.mallory.mac, "fd00:bad::"),
        frames.DESTINATION_OPTIONS,
    ),
    "redirect": icmps(lambda s: s.mallory.local, 137, redirect),
    "redirect, IPv4": redirect4,
    "DHCP offer": datagrams(lambda s: s.mallory.ipv4, sport=67, dport=68),
    "DHCPv6 advertise": datagrams(lambda s: s.mallory.local, sport=547, dport=546),
    "foreign MAC in a VLAN": in_vlans(datagrams(lambda s: s.mallory.ipv4, lambda s: FOREIGN_MAC)),
    "bob's IPv4 in a VLAN": in_vlans(datagrams(lambda s: s.bob.ipv4)),
    "ARP in a VLAN": in_vlans(arp_gateway),
    "NA in a VLAN": in_vlans(gateway_na),
    "RA in a VLAN": in_vlans(router),
    "other protocol": lambda s: [
        frames.ether(dst, s.mallory.mac, 0x88B5, b"forged" * 10)
        for dst in (s.alice.mac, s.gateway.mac, BROADCAST)
    ],
}  # fmt: skip


def named(street: Street, arrived: list[bytes]) -> list[str]:
    """What the frames that arrived belong to."""
    seen = {content(frame) for frame in arrived}
    return [
        name
        for name, attack in ATTACKS.items()
        if any(content(frame) in seen for frame in attack(street))
    ]


def test_nothing_arrives(guarded):
    arrived = guarded.arrivals([frame for attack in ATTACKS.values() for frame in attack(guarded)])
    assert named(guarded, arrived["alice"]) == []
    assert named(guarded, arrived["host"]) == []


# Containers stay off the host's loopback addresses, whoever they are.
NEVER = "loopback's IPv4"


@pytest.mark.parametrize("street", ["open_network", "open_endpoint"])
def test_without_the_guard_they_arrive(request, street):
    """And so the attacks above are real."""
    street = request.getfixturevalue(street)
    arrived = street.arrivals([frame for attack in ATTACKS.values() for frame in attack(street)])
    wanted = [name for name in ATTACKS if name != NEVER]
    assert named(street, arrived["alice"]) == wanted
    assert named(street, arrived["host"]) == wanted


# ---- what the neighbours notice ----


def fdb(street: Street) -> dict[str, str]:
    """Which port each MAC address is behind."""
    entries = street.weft.host.json("bridge", "-j", "fdb", "show", "br", street.bridge)
    return {entry["mac"]: entry["ifname"] for entry in entries if entry.get("master")}


def neighbours(street: Street, netns: str | None) -> dict[str, str]:
    link = "eth0" if netns else street.bridge
    entries = street.weft.host.json("ip", "-j", "neigh", "show", "dev", link, netns=netns)
    return {entry["dst"]: entry["lladdr"] for entry in entries if "lladdr" in entry}


def routes(street: Street, netns: str) -> list:
    return street.weft.host.json("ip", "-6", "-j", "route", netns=netns)


def test_neighbours_keep_working(guarded):
    """Everything at once, over and over, while alice talks to bob."""
    host, netns = guarded.weft.host, guarded.netns
    routes_before = routes(guarded, netns["alice"])
    streams = [
        host.popen("ping", "-n", "-q", "-i", "0.005", "-c", "200", address, netns=netns["alice"],
                   stdout=-1, text=True)  # fmt: skip
        for address in (guarded.bob.ipv4, guarded.bob.ipv6, guarded.gateway.ipv4)
    ]
    everything = [frame for attack in ATTACKS.values() for frame in attack(guarded)]
    while any(stream.poll() is None for stream in streams):
        guarded.send(everything)
    for stream in streams:
        out, _ = stream.communicate()
        assert re.search(r"200 packets transmitted, 200 received", out), out

    learned = fdb(guarded)
    for who in ("alice", "bob"):
        sandbox = guarded.weft.sandbox(f"{who}-guarded")
        link = sandbox["Networks"]["guarded"]["HostLink"]
        assert learned.get(guarded.parties[who].mac, link) == link
    assert FOREIGN_MAC not in learned
    true = {
        address: party.mac
        for party in guarded.parties.values()
        for address in (party.ipv4, party.ipv6, party.local)
    }
    for where in (netns["alice"], netns["bob"], None):
        seen = neighbours(guarded, where)
        assert seen == {address: true.get(address, "unknown") for address in seen}
    assert routes(guarded, netns["alice"]) == routes_before


# ---- honest traffic ----


def test_honest_pings(guarded, world):
    _, host, _ = world
    netns = guarded.netns["mallory"]
    for who in ("alice", "gateway"):
        party = guarded.parties[who]
        for address in (party.ipv4, party.ipv6, f"{party.local}%eth0"):
            host.run("ip", "neigh", "flush", "all", netns=netns)
            host.ping(address, netns)
    for address in (OUTSIDE_IPV4, "2001:db8::1"):
        host.ping(address, netns)
    # And back.
    for address in (guarded.mallory.ipv4, guarded.mallory.ipv6):
        host.ping(address)
        host.ping(address, guarded.netns["alice"])


# Both know addresses of IPv6 to be of eth0.
LISTEN = """
import socket, sys
group, port = sys.argv[1], int(sys.argv[2])
if ":" in group:
    s = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
    index = socket.if_nametoindex("eth0").to_bytes(4, sys.byteorder)
    s.setsockopt(41, socket.IPV6_JOIN_GROUP, socket.inet_pton(socket.AF_INET6, group) + index)
else:
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    if group.startswith("239."):
        join = socket.inet_aton(group) + socket.inet_aton("0.0.0.0")
        s.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, join)
s.bind(("", port))
print("listening", flush=True)
print(s.recv(100).decode(), flush=True)
"""
SPEAK = """
import socket, sys
group, port = sys.argv[1], int(sys.argv[2])
if ":" in group:
    s = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
    s.sendto(b"heard", (group, port, 0, socket.if_nametoindex("eth0")))
else:
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
    s.sendto(b"heard", (group, port))
"""


GROUPS = ("239.1.2.3", "ff02::1234", "ff05::1234", "10.5.0.255", "255.255.255.255")


@pytest.mark.parametrize("number, group", enumerate(GROUPS), ids=GROUPS)
def test_honest_multicast_and_broadcast(guarded, world, number, group):
    _, host, _ = world
    port = str(7000 + number)
    listener = host.popen("/usr/bin/python3", "-c", LISTEN, group, port,
                          netns=guarded.netns["alice"], stdout=-1, text=True)  # fmt: skip
    assert listener.stdout.readline() == "listening\n"
    host.run("/usr/bin/python3", "-c", SPEAK, group, port, netns=guarded.netns["mallory"])
    assert listener.stdout.readline() == "heard\n"


def test_honest_membership_reports(guarded, world):
    """The bridge hears who has joined which group."""
    _, host, _ = world
    link = host.links()[guarded.bridge]["linkinfo"]["info_data"]
    if not link["mcast_snooping"]:
        pytest.skip("this bridge does not listen to reports")
    port = guarded.weft.sandbox("mallory-guarded")["Networks"]["guarded"]["HostLink"]
    for number, group in ((8001, "239.9.9.9"), (8002, "ff05::9999")):
        listener = host.popen("/usr/bin/python3", "-c", LISTEN, group, str(number),
                              netns=guarded.netns["mallory"], stdout=-1, text=True)  # fmt: skip
        assert listener.stdout.readline() == "listening\n"

        def known(group=group) -> bool:
            shown = host.run("bridge", "mdb", "show", "dev", guarded.bridge)
            return any(port in line and group in line for line in shown.splitlines())

        eventually(known, what=f"the bridge knows of {group} at {port}")


def test_honest_duplicate_address_detection(guarded, world):
    """An own address is found free, a neighbour's is found taken."""
    _, host, _ = world
    netns = guarded.netns["mallory"]
    address = f"{guarded.mallory.ipv6}/64"
    host.run("sh", "-c", f"ip addr del {address} dev eth0; ip addr add {address} dev eth0", netns=netns)

    def flags(which: str) -> str:
        shown = host.run("ip", "-o", "-6", "addr", "show", "dev", "eth0", netns=netns)
        return next((line for line in shown.splitlines() if which in line), "gone")

    eventually(lambda: "tentative" not in flags(address), what="the own address may be used")
    assert "dadfailed" not in flags(address)
    taken = f"{guarded.alice.ipv6}/128"
    host.run("ip", "addr", "add", taken, "dev", "eth0", netns=netns)
    eventually(lambda: re.search("dadfailed|gone", flags(taken)), what="alice's address is taken")
    host.try_run("ip", "addr", "del", taken, "dev", "eth0", netns=netns)
    host.ping(guarded.alice.ipv6, netns)


def test_honest_addresses_of_ones_choice(guarded, world):
    """--mac-address, --ip, --ip6 and --link-local-ip are own addresses too, in containers as well."""
    weft, host, _ = world
    weft.start(
        "chosen", "--network", "guarded", "--ip", "10.5.0.200", "--ip6", "fd00:5::200",
        "--mac-address", "02:00:00:aa:bb:cc", "--link-local-ip", "169.254.7.7",
        "--link-local-ip", "fe80::777",
    )  # fmt: skip
    netns = weft.netns("chosen")
    host.run("ip", "route", "add", "169.254.0.0/16", "dev", "eth0", netns=guarded.netns["alice"])
    for address in ("10.5.0.200", "fd00:5::200", "169.254.7.7", "fe80::777%eth0"):
        host.ping(address, guarded.netns["alice"])
    for source, target in (
        ("10.5.0.200", guarded.alice.ipv4),
        ("fd00:5::200", guarded.alice.ipv6),
        ("fe80::777%eth0", f"{guarded.alice.local}%eth0"),
    ):
        asks = ("ping", "-n", "-c1", "-W1", "-I", source, target)
        eventually(
            lambda asks=asks: host.try_run(*asks, netns=netns).status == 0, what=" ".join(asks)
        )
    weft("rm", "-f", "chosen")


def test_the_guard_goes_and_comes_with_the_endpoint(guarded, world):
    """Nothing of it is left behind, and a restart of weftd changes nothing."""
    weft, host, _ = world

    def elements() -> int:
        ruleset = json.loads(host.run("nft", "-j", "list", "table", "bridge", "weft"))["nftables"]
        return sum(len(entry["set"].get("elem", [])) for entry in ruleset if "set" in entry)

    before = elements()
    assert before > 0
    weft.attach("passer-by", "--network", "guarded")
    assert elements() > before
    weft("detach", "passer-by")
    assert elements() == before
    weft.daemon.restart()
    assert elements() == before
    arrived = guarded.arrivals(ATTACKS["ARP reply: gateway"](guarded))
    assert arrived == {"alice": [], "host": []}
