# SPDX-License-Identifier: Apache-2.0
"""Bridges of somebody else's, uplinks, STP, hairpin, VLANs of ports, and where the MTU comes from."""

from __future__ import annotations

import json

import pytest

from conftest import closing_hosts
from frames import Watch, ether, send
from hosts import Host, eventually
from snapshots import assert_unchanged, stack, whole
from weftd import SANITIZER_ENV, WEFTD, Weft, Weftd

NAME = "com.docker.network.bridge.name"
MTU = "com.docker.network.driver.mtu"


def network(weft: Weft, name: str = "web") -> dict:
    return json.loads(weft("network", "inspect", name))[0]


def bridge_of(weft: Weft, name: str = "web") -> dict:
    """What `ip -d link` says of a network's bridge."""
    return weft.host.links()[f"br-{network(weft, name)['Id'][:12]}"]


# ---- a bridge that is there ----


@pytest.fixture
def bridged(lan, make_daemon) -> Weft:
    """A host whose only link is a port of br0, as hosts of virtual machines are set up, and a
    neighbour at 198.51.100.12."""
    host = lan.host("one")
    host.run(
        "ip", "-batch", "-",
        stdin="link add name br0 address 02:00:00:00:00:b0 type bridge forward_delay 0\n"
        "link set eth0 master br0\nlink set br0 up\naddr add 198.51.100.11/24 dev br0\n",
    )  # fmt: skip
    lan.host("other", "198.51.100.12/24")
    return Weft(make_daemon(host))


def test_a_bridge_that_is_there_is_taken_as_it_is(bridged):
    weft, host = bridged, bridged.host
    before = stack(host)
    weft("network", "create", "-o", f"{NAME}=br0", "web")
    config = network(weft)["IPAM"]["Config"]
    assert config == [{"Subnet": "198.51.100.0/24", "Gateway": "198.51.100.11"}]
    assert stack(host) == before
    weft.serve("a", "--network", "web", "--ip", "198.51.100.70")
    assert host.links()[weft.host_link("a", "web")]["master"] == "br0"
    weft.ping("a", "198.51.100.12")
    assert host.ask("198.51.100.70", 8000) == "198.51.100.11"
    # A setting that only weft's rules make safe goes with them.
    localnet = "/proc/sys/net/ipv4/conf/br0/route_localnet"
    assert host.run("cat", localnet) == "1"
    weft("rm", "-f", "a")
    weft("network", "rm", "web")
    assert stack(host) == before, "the bridge is not weft's to remove"
    assert host.run("cat", localnet) == "0"


def test_cleanup_leaves_a_bridge_as_it_was(bridged):
    weft = bridged
    weft("network", "create", "-o", f"{NAME}=br0", "web")
    weft.daemon.stop()
    weft.host.run(WEFTD, "--cleanup", env=SANITIZER_ENV)
    assert weft.host.run("cat", "/proc/sys/net/ipv4/conf/br0/route_localnet") == "0"


def test_the_gateways_found_are_remembered(bridged):
    """By subnet: a network that is removed after a restart takes no address of the host's along."""
    weft, host = bridged, bridged.host
    host.run("ip", "addr", "add", "10.2.0.1/24", "dev", "br0")
    before = stack(host)
    weft("network", "create", "-o", f"{NAME}=br0", "--subnet", "10.1.0.0/24", "--subnet", "10.2.0.0/24", "web")
    weft.daemon.restart()
    weft("network", "rm", "web")
    assert stack(host) == before


def test_the_lan_s_router_can_be_the_gateway(bridged):
    """The host has an address in the subnet, so weft adds none: that one is the router's."""
    weft = bridged
    before = stack(weft.host)
    weft(
        "network", "create", "-o", f"{NAME}=br0", "--subnet", "198.51.100.0/24", "--gateway",
        "198.51.100.12", "--ip-range", "198.51.100.8/29", "web",
    )  # fmt: skip
    assert stack(weft.host) == before
    config = network(weft)["IPAM"]["Config"][0]
    assert config["AuxiliaryAddresses"] == {"host": "198.51.100.11"}
    weft.start("a", "--network", "web")
    assert weft.host.default_route(netns=weft.netns("a")) == ("198.51.100.12", "eth0")
    weft.fails("network", "connect", "--ip", "198.51.100.11", "web", "a", says="already on")
    weft.start("b")
    weft.fails(
        "network", "connect", "--ip", "198.51.100.11", "web", "b",
        says="address 198.51.100.11 of network web is its auxiliary address host",
    )  # fmt: skip


def test_a_subnet_of_its_own_on_a_bridge_that_is_there(bridged):
    weft, host = bridged, bridged.host
    before = stack(host)
    weft("network", "create", "-o", f"{NAME}=br0", "--subnet", "10.9.0.0/24", "web")
    assert set(host.addresses("br0")) == {"198.51.100.11/24", "10.9.0.1/24"}
    weft.start("a", "--network", "web")
    weft.ping("a", "10.9.0.1")
    weft("rm", "-f", "a")
    weft("network", "rm", "web")
    assert stack(host) == before


def test_a_bridge_that_is_there_outlives_a_crash(bridged):
    weft = bridged
    weft("network", "create", "-o", f"{NAME}=br0", "--subnet", "10.9.0.0/24", "web")
    weft.start("a", "--network", "web")
    before = whole(weft.daemon)
    weft.daemon.kill9()
    weft.host.run("ip", "addr", "del", "10.9.0.1/24", "dev", "br0")
    weft.host.run("ip", "link", "set", "dev", "br0", "mtu", "1450")
    weft.daemon.start()
    weft.host.run("ip", "link", "set", "dev", "br0", "mtu", "1500")
    assert_unchanged(weft.daemon, before)
    weft.ping("a", "10.9.0.1")


def test_ports_lead_through_a_bridge_that_is_there(bridged, lan):
    weft = bridged
    weft("network", "create", "-o", f"{NAME}=br0", "--subnet", "10.9.0.0/24", "web")
    weft.echo("a", "--network", "web", "-p", "8080:80")
    assert weft.host.reaches("127.0.0.1", 8080).startswith("a ")


# ---- an uplink ----


@pytest.fixture
def uplinked(lan, make_daemon) -> Weft:
    """A host with a second link to the LAN, eth1, without addresses."""
    host = lan.host("one")
    lan.plug(host, "eth1")
    lan.host("other", "198.51.100.12/24")
    return Weft(make_daemon(host))


UPLINK = ("--subnet", "198.51.100.0/24", "--gateway", "198.51.100.11", "-o", "uplink=eth1")


def test_an_uplink_puts_containers_on_the_lan(uplinked):
    weft, host = uplinked, uplinked.host
    before = stack(host)
    weft("network", "create", *UPLINK, "web")
    link = f"br-{network(weft)['Id'][:12]}"
    assert host.links()["eth1"]["master"] == link
    weft.start("a", "--network", "web", "--ip", "198.51.100.70")
    weft.ping("a", "198.51.100.12")
    weft("rm", "-f", "a")
    weft("network", "rm", "web")
    assert stack(host) == before


def test_an_uplink_can_be_a_port_of_a_bridge_that_is_there(uplinked):
    weft, host = uplinked, uplinked.host
    host.run("ip", "link", "add", "name", "br0", "address", "02:00:00:00:00:b0", "type", "bridge")
    host.run("ip", "link", "set", "dev", "br0", "up")
    before = stack(host)
    weft("network", "create", *UPLINK, "-o", f"{NAME}=br0", "web")
    weft.start("a", "--network", "web")
    assert host.links()["eth1"]["master"] == "br0"
    weft("rm", "-f", "a")
    weft("network", "rm", "web")
    assert stack(host) == before


@pytest.mark.parametrize("command", ["ip link set eth1 nomaster", "ip link set eth1 down"])
def test_an_uplink_that_is_taken_away_is_put_back(uplinked, command):
    weft, host = uplinked, uplinked.host
    weft("network", "create", *UPLINK, "web")
    weft.start("a", "--network", "web")
    before = stack(host)
    host.run("sh", "-c", command)
    eventually(lambda: stack(host) == before, 5, "the uplink is a port again")
    weft.daemon.kill9()
    host.run("sh", "-c", command)
    weft.daemon.start()
    eventually(lambda: stack(host) == before, 5, "the uplink is a port again after a start")
    weft.ping("a", "198.51.100.12")


def test_weftd_that_was_killed_gives_an_uplink_back(uplinked):
    weft, host = uplinked, uplinked.host
    before = stack(host)
    weft("network", "create", *UPLINK, "web")
    weft.daemon.restart()
    weft("network", "rm", "web")
    assert stack(host) == before


# ---- the rest ----


def test_stp_is_spoken(weft, host):
    weft("network", "create", "-o", "stp=true", "web")
    weft("network", "create", "quiet")
    assert bridge_of(weft)["linkinfo"]["info_data"]["stp_state"] == 1
    assert bridge_of(weft, "quiet")["linkinfo"]["info_data"]["stp_state"] == 0
    # Somebody turns it off while weftd is away.
    weft.daemon.kill9()
    name = bridge_of_offline(host)
    host.run("ip", "link", "set", "dev", name, "type", "bridge", "stp_state", "0")
    weft.daemon.start()
    assert bridge_of(weft)["linkinfo"]["info_data"]["stp_state"] == 1


def bridge_of_offline(host: Host) -> str:
    """The bridge that speaks STP."""
    return next(
        name
        for name, link in host.links().items()
        if link.get("linkinfo", {}).get("info_data", {}).get("stp_state") == 1
    )


@pytest.mark.parametrize("hairpin", ["true", "false"])
def test_hairpin_ports_get_back_what_they_sent(weft, host, hairpin):
    weft("network", "create", "-o", f"hairpin={hairpin}", "-o", "weft.source_guard=false", "web")
    weft.start("a", "--network", "web")
    netns = weft.netns("a")
    port = host.json("bridge", "-j", "-d", "link", "show", "dev", weft.host_link("a", "web"))[0]
    assert port["hairpin"] == (hairpin == "true")
    watch = Watch(host, "eth0", netns)
    everybody, own = "ff:ff:ff:ff:ff:ff", host.links(netns)["eth0"]["address"]
    send(host, "eth0", [ether(everybody, own, 0x88B5, b"come back" + bytes(51))], netns)
    send(host, weft.host_link("a", "web"), [ether(own, "02:00:00:00:00:99", 0x88B5, b"mark" + bytes(56))])
    seen = watch.until(b"mark")
    assert any(b"come back" in frame for frame in seen) == (hairpin == "true")


def test_the_mtu_is_that_of_the_default_route_s_link(weft, host, outside):
    link = host.default_route()[1]
    host.run("ip", "link", "set", "dev", link, "mtu", "1380")
    weft("network", "create", "web")
    weft("network", "create", "-o", f"{MTU}=1500", "large")
    weft.start("a", "--network", "web")
    weft.start("b", "--network", "large")
    assert bridge_of(weft)["mtu"] == 1380
    assert host.links(weft.netns("a"))["eth0"]["mtu"] == 1380
    assert host.links(weft.netns("b"))["eth0"]["mtu"] == 1500


def test_the_mtu_is_that_of_the_bridge_or_the_uplink(uplinked):
    weft, host = uplinked, uplinked.host
    host.run("ip", "link", "set", "dev", "eth1", "mtu", "1400")
    host.run("ip", "link", "add", "name", "br0", "mtu", "1300", "type", "bridge")
    host.run("ip", "link", "set", "dev", "br0", "up")
    weft("network", "create", *UPLINK, "web")
    weft("network", "create", "-o", f"{NAME}=br0", "theirs")
    weft.start("a", "--network", "web")
    weft.start("b", "--network", "theirs")
    assert host.links(weft.netns("a"))["eth0"]["mtu"] == 1400
    assert host.links(weft.netns("b"))["eth0"]["mtu"] == 1300


def test_docker_takes_them(uplinked):
    weft = uplinked
    weft.docker(
        "network", "create", "-d", "bridge", "--subnet", "198.51.100.0/24", "--gateway",
        "198.51.100.11", "-o", "uplink=eth1", "-o", "hairpin=true", "web",
    )  # fmt: skip
    weft.start("a", "--network", "web", "--ip", "198.51.100.70")
    weft.ping("a", "198.51.100.12")


# ---- VLANs ----


@pytest.mark.needs_kernel("vlan_filtering")
def test_ports_have_vlans(weft, host):
    weft("network", "create", "--subnet", "10.9.0.0/24", "-o", "vlan_aware=true", "web")
    assert bridge_of(weft)["linkinfo"]["info_data"]["vlan_filtering"] == 1
    for name, vlan in (("a", "10"), ("b", "10"), ("c", "20")):
        weft.start(name, "--network", f"name=web,driver-opt=vlan={vlan}")
    weft.start("d", "--network", "web")
    addresses = {name: weft.address(name, "web") for name in "abcd"}
    weft.ping("a", addresses["b"])
    weft.ping("d", "10.9.0.1")
    for client, server in (("a", "c"), ("c", "a"), ("a", "d"), ("d", "c")):
        assert not weft.pings(client, addresses[server]), f"{client} reaches {server}"
    shown = host.json("bridge", "-j", "vlan", "show", "dev", weft.host_link("a", "web"))
    assert shown[0]["vlans"] == [{"vlan": 10, "flags": ["PVID", "Egress Untagged"]}]
    before = whole(weft.daemon)
    weft.daemon.restart()
    assert_unchanged(weft.daemon, before)
    weft.ping("a", addresses["b"])
    assert not weft.pings("a", addresses["c"])


@pytest.mark.needs_kernel("vlan_filtering")
def test_ports_of_a_bridge_that_is_there_have_vlans(weft, host):
    host.run("ip", "link", "add", "name", "br0", "type", "bridge", "vlan_filtering", "1")
    host.run("ip", "link", "set", "dev", "br0", "up")
    weft("network", "create", "--subnet", "10.9.0.0/24", "-o", f"{NAME}=br0", "-o", "vlan_aware=true", "web")
    for name, vlan in (("a", "10"), ("b", "10"), ("c", "20")):
        weft.start(name, "--network", f"name=web,driver-opt=vlan={vlan}")
    weft.ping("a", weft.address("b", "web"))
    assert not weft.pings("a", weft.address("c", "web"))


BARE = [{"vlan": 1, "flags": ["PVID", "Egress Untagged"]}]
TRUNK = BARE + [{"vlan": vlan} for vlan in range(2, 4095)]


def port_vlans(host: Host, link: str) -> list:
    """What `bridge vlan` says of a port."""
    return host.json("bridge", "-j", "vlan", "show", "dev", link)[0]["vlans"]


@pytest.mark.needs_kernel("vlan_filtering", "8021q")
def test_an_uplink_is_a_trunk(uplinked, lan):
    weft, host = uplinked, uplinked.host
    for vlan in ("10", "20"):
        tagged = lan.host(f"in{vlan}")
        link = f"eth0.{vlan}"
        tagged.run("ip", "link", "add", "link", "eth0", "name", link, "type", "vlan", "id", vlan)
        tagged.run("ip", "link", "set", "dev", link, "up")
        tagged.run("ip", "addr", "add", f"198.51.100.{vlan}/24", "dev", link)
    before = stack(host)
    weft("network", "create", *UPLINK, "-o", "vlan_aware=true", "web")
    assert port_vlans(host, "eth1") == TRUNK
    for vlan in ("10", "20"):
        weft.start(f"c{vlan}", "--network", f"name=web,driver-opt=vlan={vlan}")
    weft.start("bare", "--network", "web")
    assert port_vlans(host, weft.host_link("bare", "web")) == BARE
    assert port_vlans(host, weft.host_link("c10", "web"))[0]["vlan"] == 10
    # Each container reaches those of its VLAN on the wire, and no one else there.
    reached = {"c10": "198.51.100.10", "c20": "198.51.100.20", "bare": "198.51.100.12"}
    for client, address in reached.items():
        weft.ping(client, address)
    for client, owner in (("c10", "c20"), ("c20", "bare"), ("bare", "c10")):
        assert not weft.pings(client, reached[owner]), f"{client} reaches {reached[owner]}"
    for name in reached:
        weft("rm", "-f", name)
    weft("network", "rm", "web")
    assert stack(host) == before


@pytest.mark.needs_kernel("vlan_filtering")
def test_a_trunk_is_put_back(uplinked):
    weft, host = uplinked, uplinked.host
    weft("network", "create", *UPLINK, "-o", "vlan_aware=true", "web")
    host.run("ip", "link", "set", "dev", "eth1", "nomaster")
    eventually(lambda: "master" in host.links()["eth1"], 5, "the uplink is a port again")
    eventually(lambda: port_vlans(host, "eth1") == TRUNK, 5, "the uplink is a trunk again")
    weft.daemon.kill9()
    host.run("bridge", "vlan", "del", "dev", "eth1", "vid", "10")
    weft.daemon.start()
    assert port_vlans(host, "eth1") == TRUNK
    before = whole(weft.daemon)
    weft.daemon.restart()
    assert_unchanged(weft.daemon, before)


@pytest.mark.needs_kernel("vlan_filtering")
def test_docker_connects_with_a_vlan(weft):
    weft("network", "create", "--subnet", "10.9.0.0/24", "-o", "vlan_aware=true", "web")
    weft.start("a")
    weft.start("b")
    weft.docker("network", "connect", "--driver-opt", "vlan=7", "web", "a")
    weft.docker("network", "connect", "--driver-opt", "vlan=7", "web", "b")
    weft.ping("a", weft.address("b", "web"))


# ---- bad input ----


@pytest.fixture(scope="module")
def hurt():
    """A host with links that cannot be what they are asked to be."""
    with closing_hosts() as make:
        host = make("one")
        lines = []
        for number in range(5):
            lines += [
                f"link add name eth{number} type veth peer name wall{number}",
                f"link set wall{number} up",
                f"link set eth{number} up",
            ]
        lines += [
            "addr add 198.51.100.11/24 dev eth0",
            "link add name br0 type bridge",
            "link set br0 up",
            "link set eth1 master br0",
            "link add name br1 type bridge",
        ]
        host.run("ip", "-batch", "-", stdin="\n".join(lines) + "\n")
        daemon = Weftd(host).start()
        weft = Weft(daemon)
        weft("network", "create", "-o", "uplink=eth2", "up")
        weft("network", "create", "-d", "macvlan", "-o", "parent=eth3", "phys")
        weft("network", "create", "-o", f"{NAME}=br0", "taken")
        weft.start("a")
        yield weft
        daemon.stop()
        daemon.check_log()


def refusal(*options: str, says: str):
    return pytest.param(options, says, id=" ".join(options))


@pytest.mark.parametrize(
    "options, says",
    [
        refusal(f"{NAME}=eth4", says="there is a link of this name that is no bridge"),
        refusal(f"{NAME}=br1", says="bridge br1 of network new is down: set it up first"),
        refusal(f"{NAME}=br0", says="bridge br0 is in use by network taken"),
        refusal("uplink=eth9", says="uplink eth9 of network new is missing: the host has no such link"),
        refusal("uplink=eth0", says="has address 198.51.100.11/24, at which the host would not be reached any more"),
        refusal("uplink=eth1", says="uplink eth1 of network new is a port of br0"),
        refusal("uplink=eth2", says="uplink eth2 of network new is the uplink of network up"),
        refusal("uplink=eth3", says="uplink eth3 of network new is the parent of network phys"),
        refusal("uplink=br1", says="uplink br1 of network new is a bridge itself"),
        refusal("uplink=lo", says="uplink lo of network new is the loopback link"),
        refusal("uplink=weft0", says="uplink weft0 of network new is a link of weft's own"),
        refusal("uplink=a/b", says='"a/b" is not a valid interface name'),
        refusal("stp=perhaps", says='"perhaps" is neither true nor false'),
        refusal("mac_from=dice", says='"dice" is none of address, name and random'),
    ],
)  # fmt: skip
def test_bad_options_are_refused(hurt, options, says):
    before = whole(hurt.daemon)
    flags = [word for option in options for word in ("-o", option)]
    hurt.fails("network", "create", *flags, "new", says=says)
    assert_unchanged(hurt.daemon, before)


@pytest.mark.parametrize("option", ["stp=true", "vlan_aware=true"])
def test_settings_of_a_bridge_that_is_there_stay(hurt, option):
    before = whole(hurt.daemon)
    hurt.host.run("ip", "link", "set", "br1", "up")
    hurt.fails("network", "create", "-o", f"{NAME}=br1", "-o", option, "new", says="bridge br1 is not weft's")
    hurt.host.run("ip", "link", "set", "br1", "down")
    assert_unchanged(hurt.daemon, before)


def test_vlans_need_a_bridge_that_knows_them(hurt):
    for option, says in (("vlan=10", "network up does not know VLANs"), ("vlan=0", "not a number from 1 to 4094")):
        hurt.fails("network", "connect", "--driver-opt", option, "up", "a", says=says)
