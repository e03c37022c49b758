# SPDX-License-Identifier: Apache-2.0
"""ipvlan: containers on the physical network that share the host's MAC address."""

from __future__ import annotations

import json
from typing import NamedTuple

import pytest

from hosts import Host, eventually
from lan import LAN_IPV4, LAN_IPV6, Lan
from snapshots import assert_unchanged, stack, whole
from weftd import Weft

pytestmark = pytest.mark.needs_kernel("ipvlan")

ROUTER = "198.51.100.1"
WORLD = "203.0.113.1"


class World(NamedTuple):
    lan: Lan
    router: Host
    one: Weft
    two: Weft


@pytest.fixture
def pair():
    """The LAN is all there is of the world: emulated machines are slow to make others."""


@pytest.fixture
def world(lan, make_daemon) -> World:
    router = lan.host("router", f"{ROUTER}/24", "2001:db8:1::1/64")
    router.run("ip", "addr", "add", f"{WORLD}/32", "dev", "lo")
    wefts = [
        Weft(make_daemon(lan.host(name, f"198.51.100.{number}/24")))
        for name, number in (("one", 11), ("two", 12))
    ]
    return World(lan, router, *wefts)


@pytest.fixture
def one(lan, make_daemon) -> Weft:
    return Weft(make_daemon(lan.host("one", "198.51.100.11/24")))


def create(weft: Weft, *options: str, number: int = 1, name: str = "phys") -> None:
    """On the LAN, as one of its hosts."""
    weft(
        "network", "create", "-d", "ipvlan", "--subnet", LAN_IPV4, "--gateway", ROUTER,
        "--ip-range", f"198.51.100.{32 * (number + 1)}/27", "-o", "parent=eth0", *options, name,
    )  # fmt: skip


def mac(weft: Weft, container: str) -> str:
    return weft.host.links(weft.netns(container))["eth0"]["address"]


def test_l2_containers_are_hosts_of_the_lan(world):
    create(world.one, number=1)
    create(world.two, number=2)
    world.one.serve("a", "--network", "phys")
    world.one.serve("b", "--network", "phys")
    world.two.serve("c", "--network", "phys")
    a, b = world.one.address("a", "phys"), world.one.address("b", "phys")
    c = world.two.address("c", "phys")
    assert world.one.ask("a", b) == a
    assert world.one.ask("a", c) == a
    assert world.two.ask("c", b) == c
    world.router.serve(80)
    assert world.one.ask("a", WORLD, 80) == a
    assert mac(world.one, "a") == mac(world.one, "b") == world.one.host.links()["eth0"]["address"]
    assert world.one.endpoint("a", "phys")["MacAddress"] == ""
    assert world.one.host.default_route(netns=world.one.netns("a")) == (ROUTER, "eth0")
    assert world.one.ask("a", "b") == a, "names are found"


def test_l2_over_ipv6(one, lan):
    other = lan.host("other", "2001:db8:1::1/64")
    one(
        "network", "create", "-d", "ipvlan", "--ipv6", "--subnet", LAN_IPV4, "--subnet", LAN_IPV6,
        "--gateway", "2001:db8:1::1", "-o", "parent=eth0", "phys",
    )  # fmt: skip
    one.start("a", "--network", "phys")
    one.ping("a", "2001:db8:1::1", 10)
    other.ping(one.address6("a", "phys"))


@pytest.mark.parametrize("flag", ["bridge", "private", "vepa"])
def test_flags_say_who_meets_directly(world, flag):
    create(world.one, "-o", f"ipvlan_flag={flag}")
    world.one.start("a", "--network", "phys")
    world.one.start("b", "--network", "phys")
    data = world.one.host.links(world.one.netns("a"))["eth0"]["linkinfo"]["info_data"]
    assert data["mode"] == "l2" and data[flag] is True
    world.one.ping("a", WORLD)
    assert world.one.pings("a", world.one.address("b", "phys")) == (flag == "bridge")


@pytest.mark.parametrize("mode", ["l3", "l3s"])
def test_the_parent_routes(world, mode):
    """Networks of one parent reach each other, and the LAN has a route to them by the host."""
    weft = world.one
    for number in (1, 2):
        weft(
            "network", "create", "-d", "ipvlan", "--subnet", f"10.{number}.0.0/24", "-o",
            "parent=eth0", "-o", f"ipvlan_mode={mode}", f"net{number}",
        )  # fmt: skip
        weft.serve(f"c{number}", "--network", f"net{number}")
        world.router.run("ip", "route", "add", f"10.{number}.0.0/24", "via", "198.51.100.11")
    config = json.loads(weft("network", "inspect", "net1"))[0]["IPAM"]["Config"]
    assert config == [{"Subnet": "10.1.0.0/24"}], "no gateway is needed"
    netns = weft.netns("c1")
    assert weft.host.default_route(netns=netns) == ("", "eth0")
    assert weft.host.links(netns)["eth0"]["linkinfo"]["info_data"]["mode"] == mode
    address = weft.address("c1", "net1")
    assert address == "10.1.0.1"
    assert weft.endpoint("c1", "net1")["Gateway"] == ""
    assert weft.ask("c1", weft.address("c2", "net2")) == address
    # Out by the host's own neighbours: the router answers what it is asked.
    world.router.ping(address)
    weft.ping("c1", ROUTER)


def test_the_host_reaches_them_with_a_link_of_its_own(one):
    create(one, "--aux-address", "host=198.51.100.40")
    one.serve("a", "--network", "phys")
    assert one.host.ask(one.address("a", "phys"), 8000) == "198.51.100.40"
    one.ping("a", "198.51.100.40")
    assert [link for link in one.host.links() if link.startswith("iv-")]
    one("rm", "-f", "a")
    one("network", "rm", "phys")
    assert not [link for link in one.host.links() if link.startswith("iv-")]


def test_a_network_without_parent_is_internal(one):
    one("network", "create", "-d", "ipvlan", "--subnet", "10.9.0.0/24", "alone")
    one.serve("a", "--network", "alone")
    one.start("b", "--network", "alone")
    assert one.ask("b", "a") == one.address("b", "alone")
    assert one.host.default_route(netns=one.netns("a")) is None


def test_killed_weftd_and_what_it_missed(one, lan):
    lan.host("router", f"{ROUTER}/24")
    create(one, "-o", "host_access=true")
    one.start("a", "--network", "phys")
    netns, before = one.netns("a"), whole(one.daemon)
    one.daemon.kill9()
    one.daemon.start()
    assert_unchanged(one.daemon, before)
    one.daemon.kill9()
    one.host.run("ip", "link", "del", "eth0", netns=netns)
    one.host.run("ip", "link", "del", next(n for n in one.host.links() if n.startswith("iv-")))
    one.daemon.start()
    assert_unchanged(one.daemon, before)
    one.ping("a", ROUTER)
    one.host.run("ip", "link", "del", next(n for n in one.host.links() if n.startswith("iv-")))
    eventually(lambda: stack(one.host) == before["host"], 5, "the host's link is back")


def test_the_script_does_the_same(one, make_host):
    create(one)
    one.start("a", "--network", "phys")
    other = make_host("other")
    other.run("ip", "link", "add", "name", "eth0", "type", "veth", "peer", "name", "wall")
    address = one.host.links()["eth0"]["address"]
    other.run("ip", "link", "set", "dev", "eth0", "address", address, "up")
    other.run("ip", "link", "set", "dev", "wall", "up")
    other.run("mkdir", "-p", "/run/netns")
    other.run("sh", "-eu", stdin=one("explain", "a").replace("nft ", "true "))
    assert stack(other, "/run/netns/a") == stack(one.host, one.netns("a"))


@pytest.mark.needs_kernel("8021q")
def test_a_vlan_can_be_the_parent(one):
    one("network", "create", "-d", "ipvlan", "--subnet", "10.9.0.0/24", "-o", "parent=eth0.10", "v")
    one.start("a", "--network", "v")
    assert one.host.links()["eth0.10"]["linkinfo"]["info_data"]["id"] == 10
    one("rm", "-f", "a")
    one("network", "rm", "v")
    assert "eth0.10" not in one.host.links()


def test_docker_makes_and_uses_one(world):
    weft = world.one
    weft.docker(
        "network", "create", "-d", "ipvlan", "--subnet", LAN_IPV4, "--gateway", ROUTER, "--ip-range",
        "198.51.100.64/27", "-o", "parent=eth0", "-o", "ipvlan_mode=l2", "phys",
    )  # fmt: skip
    assert json.loads(weft.docker("network", "inspect", "phys"))[0]["Driver"] == "ipvlan"
    weft.start("a", "--network", "phys")
    weft.ping("a", WORLD)


def test_bad_input_is_refused(one):
    create(one)
    one.start("b")
    one("network", "create", "-d", "macvlan", "m")
    before = whole(one.daemon)
    new = ("network", "create", "-d", "ipvlan", "-o", "parent=eth0")
    one.fails("network", "create", "-d", "macvlan", "-o", "parent=eth0", "new",
              says="in use by network phys, which is of driver ipvlan")  # fmt: skip
    one.fails(*new, "-o", "ipvlan_mode=l3", "new",
              says="is in use by network phys in mode l2 bridge: an ipvlan parent has one mode")  # fmt: skip
    one.fails(*new, "-o", "ipvlan_flag=private", "new", says="in mode l2 bridge")
    one.fails(*new, "-o", "ipvlan_mode=l4", "new", says='"l4" is none of l2, l3 and l3s')
    one.fails("network", "connect", "--driver-opt", "vlan=1", "phys", "b", says="none of ipvlan networks")
    one.fails("run", "--name", "c", "--network", "phys", "--mac-address", "02:00:00:00:00:01", "--",
              "true", says="all have the MAC of the parent eth0", status=125)  # fmt: skip
    assert_unchanged(one.daemon, before)
    host = one.host
    host.run("ip", "link", "add", "name", "eth7", "type", "veth", "peer", "name", "wall7")
    host.run("ip", "link", "set", "eth7", "up")
    host.run("ip", "link", "add", "name", "ipv0", "link", "eth7", "type", "ipvlan", "mode", "l3")
    host.run("ip", "link", "set", "ipv0", "up")
    seven = ("network", "create", "-d", "ipvlan", "-o", "parent=eth7", "new")
    one.fails(*seven, says="in use by link ipv0 in mode l3 bridge: an ipvlan parent has one mode")
    one.fails("network", "create", "-d", "ipvlan", "-o", "parent=ipv0", "new", says="is itself an ipvlan link")
