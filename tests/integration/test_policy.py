# SPDX-License-Identifier: Apache-2.0
"""The rest of the packet policy: options of networks, the administrator's chains, constant size."""

from __future__ import annotations

import json

import pytest

from hosts import OUTSIDE_IPV4, OUTSIDE_IPV6, UPLINK_IPV4, UPLINK_IPV6, eventually

BRIDGE = "com.docker.network.bridge."
DUAL = ("--ipv6", "--subnet", "10.5.0.0/24", "--subnet", "fd00:5::/64")
BOTH = ("tcp", "udp")


def create(weft, *options: str, name: str = "web", subnets: tuple = DUAL) -> str:
    """A network with driver options. Returns its bridge's name."""
    flags = [word for option in options for word in ("-o", option)]
    return f"br-{weft('network', 'create', *subnets, *flags, name)[:12]}"


def nobody(host, *questions: tuple, netns: str | None = None) -> None:
    """None of (PROTO, ADDRESS, PORT) is answered."""
    asked = [(*question, False) for question in questions]
    assert host.probe(*asked, netns=netns) == [""] * len(asked)


def everybody(host, wanted: dict, netns: str | None = None) -> None:
    """All of (PROTO, ADDRESS, PORT) are answered so. Answers are compared without the last word."""
    answers = host.probe(*((*question, True) for question in wanted), netns=netns)
    seen = {question: " ".join(answer.split()[:2]) for question, answer in zip(wanted, answers)}
    assert seen == wanted


def rule(host, chain: str, text: str) -> None:
    host.run("nft", f"add rule inet weft {chain} {text}")


def asked_for(host, chain: str, port: int, text: str) -> None:
    """A rule about a published port, by what the client asked for. nft 1.0.6 has to be told which
    protocols have ports."""
    for proto in BOTH:
        rule(host, chain, f"meta l4proto {proto} ct original proto-dst {port} {text}")


# ---- size ----


def rules(host) -> int:
    ruleset = json.loads(host.run("nft", "-j", "list", "ruleset"))["nftables"]
    return sum("rule" in entry or "chain" in entry for entry in ruleset)


def test_the_number_of_rules_is_constant(weft, host):
    """The same with nothing, with one container, and with 500 of which each publishes."""
    empty = rules(host)
    create(weft, name="many", subnets=("--ipv6", "--subnet", "10.9.0.0/22", "--subnet", "fd00:9::/64"))
    weft.start("one", "--network", "many", "-p", "8000:80")
    assert rules(host) == empty
    # With names as addresses: made in one go.
    host.run("sh", "-c", "for i in $(seq 500); do echo netns add n$i; done | ip -batch -")
    for number in range(1, 501):
        attach = {"Netns": f"/run/netns/n{number}", "Name": f"n{number}", "Network": "many"}
        answer = weft.daemon.request("POST", "/weft/attach", attach)
        assert answer.status in (200, 201), answer.text
        port = {"80/tcp": [{"HostPort": str(9000 + number)}]}
        weft.daemon.post("/weft/publish", {"Container": f"n{number}", "PortBindings": port})
    assert rules(host) == empty
    elements = host.run("nft", "list", "map", "inet", "weft", "publish4_any")
    assert "9001" in elements and "9500" in elements


# ---- options of networks ----


def test_icc_off(weft, host, outside):
    """Neighbours do not meet, neither by IP nor below it; published ports and the world are there."""
    create(weft, f"{BRIDGE}enable_icc=false")
    netns = weft.attach("a", "--network", "web")
    weft.echo("b", "--network", "web", "-p", "8080:80", "-p", "8080:80/udp")
    outside.echo("world", 80)
    address, address6 = weft.address("b", "web"), weft.address6("b", "web")
    link = host.links(weft.netns("b"))["eth0"]["address"]
    nobody(host, *((proto, at, 80) for proto in BOTH for at in (address, address6)), netns=netns)
    # Even when it is known where the neighbour is.
    for at in (address, address6):
        host.run("ip", "neigh", "replace", at, "lladdr", link, "dev", "eth0", netns=netns)
    nobody(host, *((proto, at, 80) for proto in BOTH for at in (address, address6)), netns=netns)
    everybody(
        host,
        {
            (proto, at, 8080): f"b {gateway}"
            for proto in BOTH
            for at, gateway in ((UPLINK_IPV4, "10.5.0.1"), (UPLINK_IPV6, "fd00:5::1"))
        },
        netns=netns,
    )
    everybody(host, {("tcp", OUTSIDE_IPV4, 80): f"world {UPLINK_IPV4}"}, netns=netns)
    everybody(outside, {("udp", UPLINK_IPV4, 8080): f"b {OUTSIDE_IPV4}"})
    # The same after a restart.
    weft.daemon.restart()
    nobody(host, ("tcp", address, 80), ("udp", address6, 80), netns=netns)


def test_masquerade_off(weft, host, outside):
    """The world sees containers' own addresses, if it has a route to them."""
    create(weft, f"{BRIDGE}enable_ip_masquerade=false")
    netns = weft.attach("a", "--network", "web", "--ip", "10.5.0.9", "--ip6", "fd00:5::9")
    outside.echo("world", 80)
    outside.run("ip", "route", "add", "10.5.0.0/24", "via", UPLINK_IPV4)
    outside.run("ip", "route", "add", "fd00:5::/64", "via", UPLINK_IPV6)
    everybody(
        host,
        {
            (proto, at, 80): f"world {own}"
            for proto in BOTH
            for at, own in ((OUTSIDE_IPV4, "10.5.0.9"), (OUTSIDE_IPV6, "fd00:5::9"))
        },
        netns=netns,
    )


def test_source_address_for_nat(weft, host, outside):
    host.run("ip", "addr", "add", "192.0.2.7/24", "dev", "uplink")
    host.run("ip", "addr", "add", "2001:db8::7/64", "dev", "uplink", "nodad")
    options = ("com.docker.network.host_ipv4=192.0.2.7", "com.docker.network.host_ipv6=2001:db8::7")
    create(weft, *options)
    netns = weft.attach("a", "--network", "web")
    outside.echo("world", 80)
    everybody(
        host,
        {
            (proto, at, 80): f"world {own}"
            for proto in BOTH
            for at, own in ((OUTSIDE_IPV4, "192.0.2.7"), (OUTSIDE_IPV6, "2001:db8::7"))
        },
        netns=netns,
    )
    # Another network is not concerned.
    other = weft.attach("b", "--network", "bridge")
    everybody(host, {("tcp", OUTSIDE_IPV4, 80): f"world {UPLINK_IPV4}"}, netns=other)


def test_trusted_host_interfaces(weft, host, outside):
    """What comes in by these links gets at published ports by the container's address; at others
    not."""
    create(weft, f"{BRIDGE}trusted_host_interfaces=uplink:eth7")
    create(weft, name="strict", subnets=("--subnet", "10.6.0.0/24"))
    weft.echo("a", "--network", "web", "--ip", "10.5.0.9", "--ip6", "fd00:5::9", "-p", "8080:80",
              "-p", "8080:80/udp", ports=(80, 81))  # fmt: skip
    weft.echo("b", "--network", "strict", "--ip", "10.6.0.9", "-p", "8081:80")
    for subnet, gateway in (("10.5.0.0/24", UPLINK_IPV4), ("10.6.0.0/24", UPLINK_IPV4),
                            ("fd00:5::/64", UPLINK_IPV6)):  # fmt: skip
        outside.run("ip", "route", "add", subnet, "via", gateway)
    everybody(
        outside,
        {
            (proto, at, 80): f"a {own}"
            for proto in BOTH
            for at, own in (("10.5.0.9", OUTSIDE_IPV4), ("fd00:5::9", OUTSIDE_IPV6))
        },
    )
    nobody(outside, ("tcp", "10.5.0.9", 81), ("udp", "fd00:5::9", 81), ("tcp", "10.6.0.9", 80))


@pytest.mark.parametrize(
    "option",
    [
        "com.docker.network.bridge.nonsense=1",
        "com.docker.network.nonsense=1",
        "weft.nonsense=1",
        f"{BRIDGE}gateway_mode_ipv4=sideways",
        f"{BRIDGE}enable_icc=perhaps",
        "weft.source_guard=perhaps",
        "com.docker.network.host_ipv4=fd00::1",
        "com.docker.network.host_ipv6=192.0.2.2",
        f"{BRIDGE}host_binding_ipv4=nowhere",
    ],
)
def test_options_are_refused_by_name(weft, option):
    key, _, value = option.rpartition("=")
    before = weft("network", "ls", "-q")
    weft.fails("network", "create", *DUAL, "-o", option, "web", says=key.rpartition(".")[2])
    assert weft("network", "ls", "-q") == before


def test_isolated_needs_internal(weft):
    for family in (4, 6):
        option = f"{BRIDGE}gateway_mode_ipv{family}=isolated"
        weft.fails("network", "create", *DUAL, "-o", option, "web", says=("isolated", "internal"))
    create(weft, option, name="fine", subnets=(*DUAL, "--internal"))


# ---- closed by default ----


@pytest.mark.config(publish_default="deny")
def test_closed_by_default(weft, host, outside):
    create(weft)
    weft.echo("a", "--network", "web", "-p", "8080:80", "-p", "8080:80/udp", "-p", "8081:80")
    weft.echo("four", "-p", "8082:80")
    other = weft.attach("other", "--network", "bridge")
    ways = [
        *((proto, at, 8080) for proto in BOTH for at in (UPLINK_IPV4, UPLINK_IPV6)),
        ("tcp", UPLINK_IPV4, 8081),
        ("tcp", UPLINK_IPV4, 8082),
        ("tcp", UPLINK_IPV6, 8082),
    ]
    nobody(outside, *ways)
    nobody(host, ("tcp", UPLINK_IPV4, 8080), netns=other)
    # The host itself is not another.
    everybody(host, {("tcp", "127.0.0.1", 8080): "a 10.5.0.1", ("udp", "::1", 8080): "a fd00:5::1"})

    asked_for(host, "before", 8080, f"ip saddr {OUTSIDE_IPV4} accept")
    asked_for(host, "before", 8080, f"ip6 saddr {OUTSIDE_IPV6} accept")
    asked_for(host, "before", 8082, f"ip6 saddr {OUTSIDE_IPV6} accept")
    opened = {
        **{(proto, UPLINK_IPV4, 8080): f"a {OUTSIDE_IPV4}" for proto in BOTH},
        **{(proto, UPLINK_IPV6, 8080): f"a {OUTSIDE_IPV6}" for proto in BOTH},
        ("tcp", UPLINK_IPV6, 8082): "four 172.17.0.1",
    }
    for _ in range(2):
        everybody(outside, opened)
        nobody(outside, ("tcp", UPLINK_IPV4, 8081), ("tcp", UPLINK_IPV4, 8082))
        weft.daemon.restart()


# ---- the administrator's chains ----


def test_a_source_range_for_a_port(weft, host, outside):
    """By the port that was asked for, whoever answers: the kernel or the relay."""
    outside.run("ip", "addr", "add", "192.0.2.9/24", "dev", "uplink")
    outside.run("ip", "addr", "add", "2001:db8::9/64", "dev", "uplink", "nodad")
    # The world comes from another address to each of these.
    host.run("ip", "addr", "add", "192.0.2.3/24", "dev", "uplink")
    host.run("ip", "addr", "add", "2001:db8::3/64", "dev", "uplink", "nodad")
    outside.run("ip", "route", "add", "192.0.2.3/32", "dev", "uplink", "src", "192.0.2.9")
    outside.run("ip", "route", "add", "2001:db8::3/128", "dev", "uplink", "src", "2001:db8::9")
    outside.run("ip", "route", "add", "2001:db8::2/128", "dev", "uplink", "src", "2001:db8::1")
    create(weft)
    # Port 80 of "plain" answers at 8081: only what is asked for counts.
    weft.echo("a", "--network", "web", "-p", "8080:80", "-p", "8080:80/udp", "-p", "8081:80")
    weft.echo("four", "-p", "8082:80", "-p", "8082:80/udp")
    for port in (8080, 8082):
        for family, address in (("ip", "192.0.2.9"), ("ip6", "2001:db8::9")):
            asked_for(host, "before", port, f"{family} saddr {address} drop")
    reached = {
        **{(proto, UPLINK_IPV4, 8080): f"a {OUTSIDE_IPV4}" for proto in BOTH},
        **{(proto, UPLINK_IPV6, 8080): f"a {OUTSIDE_IPV6}" for proto in BOTH},
        **{(proto, UPLINK_IPV6, 8082): "four 172.17.0.1" for proto in BOTH},
        ("tcp", UPLINK_IPV4, 8082): f"four {OUTSIDE_IPV4}",
        ("tcp", "192.0.2.3", 8081): "a 192.0.2.9",
        ("tcp", "2001:db8::3", 8081): "a 2001:db8::9",
    }
    refused = [(p, at, 8080) for p in BOTH for at in ("192.0.2.3", "2001:db8::3")]
    refused += [(p, at, 8082) for p in BOTH for at in ("192.0.2.3", "2001:db8::3")]
    for _ in range(2):
        everybody(outside, reached)
        nobody(outside, *refused)
        # The host's own are never asked.
        everybody(host, {("tcp", "127.0.0.1", 8080): "a 10.5.0.1"})
        weft.daemon.restart()


def test_the_chain_after(weft, host, outside):
    """Sees what weft lets through, in both directions, and what it drops is dropped."""
    create(weft)
    weft.echo("a", "--network", "web", "-p", "8080:80", "-p", "8081:80")
    outside.echo("world", 80, 81)
    netns = weft.netns("a")
    asked_for(host, "after", 8081, "drop")
    rule(host, "after", f"iifname @links ip daddr {OUTSIDE_IPV4} tcp dport 81 drop")
    for _ in range(2):
        everybody(outside, {("tcp", UPLINK_IPV4, 8080): f"a {OUTSIDE_IPV4}"})
        nobody(outside, ("tcp", UPLINK_IPV4, 8081))
        everybody(host, {("tcp", OUTSIDE_IPV4, 80): f"world {UPLINK_IPV4}"}, netns=netns)
        nobody(host, ("tcp", OUTSIDE_IPV4, 81), netns=netns)
        weft.daemon.restart()


def test_networks_may_be_let_together(weft, host):
    """An accept in `before` is final."""
    bridge = create(weft)
    weft.echo("a", "--network", "web", "--ip", "10.5.0.9")
    netns = weft.attach("b", "--network", "bridge")
    nobody(host, ("tcp", "10.5.0.9", 80), netns=netns)
    rule(host, "before", f"iifname weft0 oifname {bridge} accept")
    everybody(host, {("tcp", "10.5.0.9", 80): "a 10.5.0.1"}, netns=netns)


def test_the_chains_survive_a_damaged_ruleset(weft, host, outside):
    """weft mends its own rules around the administrator's."""
    create(weft)
    weft.echo("a", "--network", "web", "-p", "8080:80", "-p", "8081:80")
    asked_for(host, "before", 8081, "drop")
    host.run("nft", "flush chain inet weft decide; delete element inet weft links { weft0 }")
    eventually(
        lambda: "established" in host.run("nft", "list", "chain", "inet", "weft", "decide"),
        what="the rules are back",
    )
    everybody(outside, {("tcp", UPLINK_IPV4, 8080): f"a {OUTSIDE_IPV4}"})
    nobody(outside, ("tcp", UPLINK_IPV4, 8081))
