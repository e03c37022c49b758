# SPDX-License-Identifier: Apache-2.0
"""macvlan: containers on the physical network, which here is a switch with several hosts on it."""

from __future__ import annotations

import json
from typing import NamedTuple

import pytest

from hosts import Host, eventually
from lan import LAN_IPV4, LAN_IPV6, Lan
from snapshots import assert_same, assert_unchanged, stack, whole
from weftd import Weft, Weftd

ROUTER = "198.51.100.1"
ROUTER6 = "2001:db8:1::1"
WORLD = "203.0.113.1"  # beyond the router
PARENT = ("-o", "parent=eth0")
POOL = ("--subnet", LAN_IPV4, "--gateway", ROUTER)


class World(NamedTuple):
    """A LAN with a router, and two hosts with a weftd each."""

    lan: Lan
    router: Host
    one: Weft
    two: Weft


def lan_range(number: int) -> tuple[str, str]:
    """The addresses of the LAN that a host's weft may give."""
    return "--ip-range", f"198.51.100.{32 * (number + 1)}/27"


@pytest.fixture
def world(lan, make_daemon) -> World:
    router = lan.host("router", f"{ROUTER}/24", f"{ROUTER6}/64")
    router.run("ip", "addr", "add", f"{WORLD}/32", "dev", "lo")
    wefts = [
        Weft(make_daemon(lan.host(name, f"198.51.100.{number}/24")))
        for name, number in (("one", 11), ("two", 12))
    ]
    return World(lan, router, *wefts)


@pytest.fixture
def one(lan, make_daemon) -> Weft:
    """A single host on the LAN."""
    return Weft(make_daemon(lan.host("one", "198.51.100.11/24")))


def create(weft: Weft, *options: str, name: str = "phys", number: int = 1, pool=POOL) -> None:
    weft("network", "create", "-d", "macvlan", *pool, *lan_range(number), *options, name)


def mac(weft: Weft, container: str) -> str:
    return weft.host.links(weft.netns(container))["eth0"]["address"]


# ---- packets ----


def test_containers_of_two_hosts_are_on_one_network(world):
    create(world.one, *PARENT, number=1)
    create(world.two, *PARENT, number=2)
    for weft, names in ((world.one, ("a", "b")), (world.two, ("c",))):
        for name in names:
            weft.serve(name, "--network", "phys")
    addresses = {
        "a": world.one.address("a", "phys"),
        "b": world.one.address("b", "phys"),
        "c": world.two.address("c", "phys"),
    }
    assert addresses == {"a": "198.51.100.64", "b": "198.51.100.65", "c": "198.51.100.96"}
    for name in ("b", "c"):
        assert world.one.ask("a", addresses[name]) == addresses["a"]
    assert world.two.ask("c", addresses["a"]) == addresses["c"]
    # By the router, under their own addresses; nothing of the host's is in between.
    world.router.serve(80)
    assert world.one.ask("a", WORLD, 80) == addresses["a"]
    assert world.router.ask(addresses["c"], 8000) == ROUTER
    assert world.lan.learnt(mac(world.one, "a")) == {"one"}
    assert world.lan.learnt(mac(world.two, "c")) == {"two"}
    assert world.one.host.default_route(netns=world.one.netns("a")) == (ROUTER, "eth0")
    assert world.one.host_link("a", "phys") == ""


def test_ipv6_on_the_lan(world):
    world.one(
        "network", "create", "-d", "macvlan", *PARENT, "--ipv6", *POOL,
        "--subnet", LAN_IPV6, "--gateway", ROUTER6, "phys",
    )  # fmt: skip
    world.one.start("a", "--network", "phys")
    world.one.ping("a", ROUTER6)
    netns = world.one.netns("a")
    assert world.one.host.default_route(6, netns) == (ROUTER6, "eth0")


@pytest.mark.parametrize("mode", ["bridge", "private", "vepa"])
def test_modes_say_who_meets_directly(world, mode):
    create(world.one, *PARENT, "-o", f"macvlan_mode={mode}")
    world.one.start("a", "--network", "phys")
    world.one.start("b", "--network", "phys")
    other = world.one.address("b", "phys")
    links = world.one.host.links(world.one.netns("a"))
    assert links["eth0"]["linkinfo"]["info_data"]["mode"] == mode
    world.one.ping("a", WORLD)
    world.one.ping("b", WORLD)
    assert world.one.pings("a", other) == (mode == "bridge")
    # A switch that sends back by the port that it came from makes the difference of the two others.
    world.lan.switch.run("bridge", "link", "set", "dev", "one", "hairpin", "on")
    if mode == "vepa":
        world.one.ping("a", other)
    assert world.one.pings("a", other) == (mode != "private")


def test_passthru_gives_the_parent_away(world):
    parent = world.one.host.links()["eth0"]["address"]
    create(world.one, *PARENT, "-o", "macvlan_mode=passthru")
    world.one.start("a", "--network", "phys")
    assert mac(world.one, "a") == parent
    assert world.one.endpoint("a", "phys")["MacAddress"] == parent
    world.one.ping("a", WORLD)
    sentence = world.one.fails(
        "run", "-d", "--name", "b", "--network", "phys", "--", "sleep", "9", status=125
    )
    assert "network phys is passed through to container a: there can be only one on it" in sentence
    world.one("rm", "-f", "a")
    world.one("rm", "-f", "b")
    world.one.start("c", "--network", "phys")
    world.one.ping("c", WORLD)


def test_a_network_without_parent_is_internal(world):
    world.one("network", "create", "-d", "macvlan", "--subnet", "10.9.0.0/24", "alone")
    network = json.loads(world.one("network", "inspect", "alone"))[0]
    assert network["Internal"] is True
    link = f"dm-{network['Id'][:12]}"
    assert world.one.host.links()[link]["linkinfo"]["info_kind"] == "ifb"
    world.one.serve("a", "--network", "alone")
    world.one.start("b", "--network", "alone")
    assert world.one.ask("b", "a") == world.one.address("b", "alone")
    assert world.one.host.default_route(netns=world.one.netns("a")) is None
    assert not world.one.pings("a", ROUTER)
    for name in ("a", "b"):
        world.one("rm", "-f", name)
    world.one("network", "rm", "alone")
    assert link not in world.one.host.links()


def test_a_bridge_of_the_user_s_can_be_the_parent(lan, make_daemon):
    host = lan.host("one")
    host.run(
        "ip", "-batch", "-",
        stdin="link add name br0 type bridge forward_delay 0\nlink set eth0 master br0\n"
        "link set br0 up\naddr add 198.51.100.11/24 dev br0\n",
    )  # fmt: skip
    other = lan.host("other", "198.51.100.12/24")
    weft = Weft(make_daemon(host))
    weft.fails("network", "create", "-d", "macvlan", *PARENT, "phys", says="port of bridge br0: name br0")
    create(weft, "-o", "parent=br0")
    weft.start("a", "--network", "phys")
    weft.ping("a", "198.51.100.12")
    other.ping(weft.address("a", "phys"))


@pytest.mark.needs_kernel("bond")
def test_a_bond_can_be_the_parent(lan, make_daemon):
    host = lan.host("one")
    host.run(
        "ip", "-batch", "-",
        stdin="link set eth0 down\nlink add name bond0 type bond mode active-backup\n"
        "link set eth0 master bond0\nlink set bond0 up\n",
    )  # fmt: skip
    lan.host("other", "198.51.100.12/24")
    weft = Weft(make_daemon(host))
    create(weft, "-o", "parent=bond0")
    weft.start("a", "--network", "phys")
    weft.ping("a", "198.51.100.12", 10)


# ---- the host ----


def test_the_host_reaches_containers_only_with_a_link_of_its_own(one):
    host = one.host
    create(one, *PARENT)
    one.serve("a", "--network", "phys")
    assert not host.pings(one.address("a", "phys"))
    one("rm", "-f", "a")
    one("network", "rm", "phys")
    create(one, *PARENT, "--aux-address", "host=198.51.100.40")
    one.serve("a", "--network", "phys")
    address = one.address("a", "phys")
    assert host.ask(address, 8000) == "198.51.100.40"
    one.ping("a", "198.51.100.40")
    host.serve(9000)
    assert one.ask("a", "198.51.100.40", 9000) == address
    # Its way to the rest of the LAN is what it was.
    assert "dev eth0" in host.run("ip", "route", "get", ROUTER)
    one("rm", "-f", "a")
    assert address not in host.run("ip", "route")
    one("network", "rm", "phys")
    assert not [link for link in host.links() if link.startswith("mv-")]


def test_host_access_takes_an_address_of_the_pool(one):
    create(one, *PARENT, "-o", "host_access=true")
    config = json.loads(one("network", "inspect", "phys"))[0]["IPAM"]["Config"][0]
    assert config["AuxiliaryAddresses"] == {"host": "198.51.100.95", "parent": "198.51.100.11"}
    one.serve("a", "--network", "phys")
    assert one.host.ask(one.address("a", "phys"), 8000) == "198.51.100.95"


def test_host_access_over_ipv6(one):
    one(
        "network", "create", "-d", "macvlan", *PARENT, "--ipv6", *POOL, "--subnet", LAN_IPV6,
        "--gateway", ROUTER6, "-o", "host_access=true", "phys",
    )  # fmt: skip
    one.serve("a", "--network", "phys")
    own = "2001:db8:1:0:ffff:ffff:ffff:ffff"
    assert one.host.ask(one.address6("a", "phys"), 8000) == own
    one.ping("a", own)


def test_no_container_gets_the_host_s_address(one):
    one("network", "create", "-d", "macvlan", *PARENT, *POOL, "--ip-range", "198.51.100.8/29", "phys")
    given = []
    for name in "abcd":
        one.start(name, "--network", "phys")
        given.append(one.address(name, "phys"))
    assert given == ["198.51.100.8", "198.51.100.9", "198.51.100.10", "198.51.100.12"]
    one.fails("network", "connect", "--ip", "198.51.100.11", "phys", "a", says="already on network phys")


def test_published_ports_are_warned_about(one):
    create(one, *PARENT)
    result = one.attempt(
        "run", "-d", "--name", "a", "--network", "phys", "-p", "8080:80", "--", "sleep", "1000"
    )
    assert result.status == 0
    assert "port 80/tcp is not published: network phys of container a has no way to the host" in result.err


# ---- names ----


def test_names_are_found(one):
    create(one, *PARENT)
    one.serve("a", "--network", "phys", "--network-alias", "web")
    one.start("b", "--network", "phys")
    assert "nameserver 127.0.0.11" in one.exec("b", "cat", "/etc/resolv.conf")
    address = one.address("b", "phys")
    for name in ("a", "web", "a.phys"):
        assert one.ask("b", name) == address
    assert one.endpoint("a", "phys")["DNSNames"]


# ---- MAC addresses ----


def test_macs_come_from_where_the_option_says(one):
    create(one, *PARENT, name="phys")
    one.start("a", "--network", "phys", "--ip", "198.51.100.70")
    assert mac(one, "a") == "02:42:c6:33:64:46"
    one.start("b", "--network", "phys", "--mac-address", "02:00:00:00:00:0b")
    assert mac(one, "b") == one.endpoint("b", "phys")["MacAddress"] == "02:00:00:00:00:0b"


def test_macs_from_names_stay_the_same(one):
    create(one, *PARENT, "-o", "mac_from=name")
    seen = []
    for address in ("198.51.100.70", "198.51.100.71"):
        one.start("a", "--network", "phys", "--ip", address)
        seen.append(mac(one, "a"))
        one("rm", "-f", "a")
    one.start("b", "--network", "phys")
    assert seen[0] == seen[1] != mac(one, "b")


def test_random_macs_differ_every_time(one):
    create(one, *PARENT, "-o", "mac_from=random")
    one.start("a", "--network", "phys")
    before = mac(one, "a")
    one("restart", "-t", "0", "a")
    assert mac(one, "a") != before
    assert int(mac(one, "a")[:2], 16) & 3 == 2, "locally administered, and no group's"


# ---- sharing ----


def test_networks_share_a_parent(one):
    create(one, *PARENT, name="phys")
    pool = ("--subnet", "10.77.0.0/24")
    one("network", "create", "-d", "macvlan", *PARENT, *pool, "-o", "macvlan_mode=private", "other")
    one.start("a", "--network", "phys")
    one.start("b", "--network", "other")
    one("rm", "-f", "a")
    one("network", "rm", "phys")
    assert "eth0" in one.host.links(one.netns("b"))
    assert "eth0" in one.host.links(), "the parent is not weft's"


# ---- MTU ----


def test_the_mtu_is_the_parent_s(one):
    one.host.run("ip", "link", "set", "eth0", "mtu", "1400")
    create(one, *PARENT)
    one.start("a", "--network", "phys")
    assert one.host.links(one.netns("a"))["eth0"]["mtu"] == 1400
    one("rm", "-f", "a")
    one("network", "rm", "phys")
    create(one, *PARENT, "-o", "com.docker.network.driver.mtu=1300")
    one.start("a", "--network", "phys")
    assert one.host.links(one.netns("a"))["eth0"]["mtu"] == 1300


# ---- weftd comes and goes, others meddle ----


def test_killed_weftd_disturbs_nothing(world):
    create(world.one, *PARENT, "-o", "host_access=true")
    world.one("network", "create", "-d", "macvlan", "--subnet", "10.9.0.0/24", "alone")
    world.one.serve("a", "--network", "phys")
    world.one("network", "connect", "alone", "a")
    before = whole(world.one.daemon)
    address, said = world.one.address("a", "phys"), len(world.one.daemon.log())
    world.one.daemon.kill9()
    world.router.ping(address)
    world.one.host.ping(address)
    world.one.daemon.start()
    assert_unchanged(world.one.daemon, before)
    assert "mending:" not in world.one.daemon.log()[said:]
    world.one.ping("a", WORLD)


def test_what_weftd_missed_is_mended(one):
    create(one, *PARENT, "-o", "host_access=true")
    one("network", "create", "-d", "macvlan", "--subnet", "10.9.0.0/24", "alone")
    one.start("a", "--network", "phys")
    one("network", "connect", "alone", "a")
    netns = one.netns("a")
    before = whole(one.daemon)
    one.daemon.kill9()
    host = one.host
    access = next(link for link in host.links() if link.startswith("mv-"))
    ifb = next(link for link in host.links() if link.startswith("dm-"))
    host.run("ip", "link", "del", access)
    host.run("ip", "link", "del", ifb)
    host.run("ip", "link", "del", "eth0", netns=netns)
    one.daemon.start()
    assert_unchanged(one.daemon, before)


@pytest.mark.parametrize(
    "command",
    [
        "ip link del {access}",
        "ip link set {access} down",
        "ip addr flush dev {access}",
        "ip route del 198.51.100.64/32",
        "ip link del {ifb}",
        "ip link set {ifb} down",
    ],
)
def test_drift_is_mended(one, command):
    create(one, *PARENT, "-o", "host_access=true")
    one("network", "create", "-d", "macvlan", "--subnet", "10.9.0.0/24", "alone")
    one.start("a", "--network", "phys")
    one("network", "connect", "alone", "a")
    links = one.host.links()
    names = {
        "access": next(link for link in links if link.startswith("mv-")),
        "ifb": next(link for link in links if link.startswith("dm-")),
    }
    before = whole(one.daemon)
    one.host.run("sh", "-c", command.format(**names))

    def is_mended():
        try:
            assert_unchanged(one.daemon, before)
        except AssertionError:
            return False
        return True

    eventually(is_mended, 10, f"weft mends: {command}")


def test_a_parent_that_comes_back_gets_its_endpoints(lan, make_daemon):
    """As when a network card is unplugged and plugged in again."""
    host = lan.host("one")
    weft = Weft(make_daemon(host))
    weft.daemon.expected_errors.append("eth7|eth0")
    lan.host("other", "198.51.100.12/24")
    lan.plug(host, "eth7")
    create(weft, "-o", "parent=eth7")
    weft.start("a", "--network", "phys")
    weft.ping("a", "198.51.100.12")
    host.run("ip", "link", "del", "eth7")
    eventually(lambda: "parent eth7 of network phys has gone" in weft.daemon.log())
    lan.forget(host, "eth7")
    lan.plug(host, "eth7")
    weft.ping("a", "198.51.100.12", 20)


# ---- explained, dry, and by docker ----


def test_the_script_does_the_same(one, make_host):
    create(one, *PARENT, "-o", "host_access=true")
    one("network", "create", "-d", "macvlan", "--subnet", "10.9.0.0/24", "alone")
    one.start("a", "--network", "phys")
    one("network", "connect", "alone", "a")
    scripts = [one("explain", ref) for ref in ("phys", "alone", "a")]
    other = make_host("other")
    other.run("ip", "link", "add", "name", "eth0", "type", "veth", "peer", "name", "wall")
    mac_address = one.host.links()["eth0"]["address"]
    other.run("ip", "link", "set", "dev", "eth0", "address", mac_address, "up")
    other.run("ip", "link", "set", "dev", "wall", "up")
    other.run("mkdir", "-p", "/run/netns")
    for script in scripts:
        other.run("sh", "-eu", "-c", script.replace("nft ", "true "))
    inside = stack(one.host, one.netns("a"))
    assert_same(stack(other, "/run/netns/a"), inside)
    ours = [link for link in stack(one.host)["links"] if link["ifname"][:3] in ("mv-", "dm-")]
    theirs = [link for link in stack(other)["links"] if link["ifname"][:3] in ("mv-", "dm-")]
    assert len(ours) == 2
    assert ours == theirs


def test_a_dry_run_changes_nothing(one):
    before = whole(one.daemon)
    script = one("network", "create", "--dry-run", "-d", "macvlan", *PARENT, *POOL, "-o",
                 "host_access=true", "phys")  # fmt: skip
    assert "type macvlan mode bridge" in script
    one.fails("network", "create", "--dry-run", "-d", "macvlan", "-o", "parent=eth9", "phys",
              says="parent eth9 of network phys is missing")  # fmt: skip
    assert_unchanged(one.daemon, before)


def test_docker_makes_and_uses_one(world):
    weft = world.one
    weft.docker(
        "network", "create", "-d", "macvlan", "--subnet", LAN_IPV4, "--gateway", ROUTER, "--ip-range",
        "198.51.100.64/27", "--aux-address", "host=198.51.100.90", "-o", "parent=eth0", "phys",
    )  # fmt: skip
    network = json.loads(weft.docker("network", "inspect", "phys"))[0]
    assert network["Driver"] == "macvlan"
    assert network["Options"] == {"parent": "eth0"}
    assert network["IPAM"]["Config"][0]["Gateway"] == ROUTER
    assert "macvlan" in weft.docker("network", "ls")
    weft.start("a", "--network", "phys")
    shown = json.loads(weft.docker("inspect", "a"))[0]["NetworkSettings"]["Networks"]["phys"]
    assert shown["IPAddress"] == "198.51.100.64" and shown["Gateway"] == ROUTER
    assert shown["IPPrefixLen"] == 24 and shown["MacAddress"] == mac(weft, "a")
    weft.ping("a", WORLD)
    weft.start("b")
    weft.docker("network", "connect", "--ip", "198.51.100.80", "phys", "b")
    world.router.ping("198.51.100.80")
    weft.docker("network", "disconnect", "phys", "b")
    assert not world.router.pings("198.51.100.80")
    sentence = weft.docker_attempt("network", "rm", "phys").err
    assert "network phys has active endpoints: a" in sentence


# ---- bad input ----


@pytest.fixture(scope="module")
def hurt():
    """A host with all that can be wrong about a parent."""
    from conftest import closing_hosts

    with closing_hosts() as make:
        host = make("one")
        host.run(
            "ip", "-batch", "-",
            stdin="""link add name eth0 type veth peer name wall0
                link set wall0 up\nlink set eth0 up\naddr add 198.51.100.11/24 dev eth0
                link add name eth1 type veth peer name wall1
                link set wall1 up\nlink set eth1 up
                link add name eth2 type veth peer name wall2
                link add name eth3 type veth peer name wall3
                link set wall3 up\nlink set eth3 up
                link add name theirs link eth3 type macvlan mode passthru
                link add name mac0 link eth0 type macvlan mode bridge\nlink set mac0 up
                link add name br0 type bridge\nlink set br0 up
                link add name eth4 type veth peer name wall4\nlink set wall4 up
                link set eth4 master br0\nlink set eth4 up
                link add name eth5 type veth peer name wall5\nlink set wall5 up\nlink set eth5 up
                """,
        )  # fmt: skip
        daemon = Weftd(host).start()
        weft = Weft(daemon)
        weft("network", "create", "web")
        weft("network", "create", "-d", "macvlan", "-o", "parent=eth1", "plain")
        weft("network", "create", "-d", "macvlan", "-o", "parent=eth5", "-o", "macvlan_mode=passthru", "through")
        weft("network", "create", "-d", "macvlan", "alone")
        yield weft
        daemon.stop()
        daemon.check_log()


def refusal(parent: str, *says: str, options: tuple = (), driver: str = "macvlan"):
    name = " ".join((driver, parent) + options)
    return pytest.param(driver, parent, options, says, id=name)


@pytest.mark.parametrize(
    "driver, parent, options, says",
    [
        refusal("eth9", "parent eth9 of network phys is missing: the host has no such link"),
        refusal("eth9.10", "parent eth9.10 of network phys is missing, and so is eth9"),
        refusal("eth0.0", "VLAN id 0 is not a number from 1 to 4094"),
        refusal("eth0.4095", "VLAN id 4095 is not a number from 1 to 4094"),
        refusal("eth0.-1", "VLAN id -1 is not a number from 1 to 4094"),
        refusal("eth0.fast", "VLAN id fast is not a number from 1 to 4094"),
        refusal("eth2", "parent eth2 of network phys is down: set it up first"),
        refusal("eth2.10", "parent eth2 of network phys is down: set it up first"),
        refusal("lo", "parent lo of network phys is the loopback link"),
        refusal("mac0", "parent mac0 of network phys is itself a macvlan link: name eth0"),
        refusal("eth4", "parent eth4 of network phys is a port of bridge br0: name br0"),
        refusal("weft0", "parent weft0 of network phys is a link of weft's own"),
        refusal("eth3", "parent eth3 of network phys is in use by link theirs in mode passthru"),
        refusal("eth5", "is in use by network through in mode passthru"),
        refusal("eth1", "is in use by network plain: mode passthru needs it alone",
                options=("macvlan_mode=passthru",)),
        refusal("eth0", "is in use by link mac0: mode passthru needs it alone",
                options=("macvlan_mode=passthru",)),
        refusal("eth1", "is in use by network plain, which is of driver macvlan", driver="ipvlan"),
        refusal("eth0", "is in use by link mac0, which is a macvlan", driver="ipvlan"),
        refusal("eth0", "MTU 1501 of network phys is more than that of its parent eth0, 1500",
                options=("com.docker.network.driver.mtu=1501",)),
        refusal("eth0", "option colour of network phys is unknown", options=("colour=red",)),
        refusal("eth0", "\"loud\" is none of bridge, private, vepa and passthru",
                options=("macvlan_mode=loud",)),
        refusal("a/b", "\"a/b\" is not a valid interface name"),
        refusal("", "macvlan_mode passthru of network phys needs a parent", options=("macvlan_mode=passthru",)),
        refusal("eth0", "in macvlan_mode private nobody reaches its endpoints directly",
                options=("macvlan_mode=private", "host_access=true")),
        refusal("eth0", "option mac_from of network phys is none of ipvlan networks",
                options=("mac_from=name",), driver="ipvlan"),
    ],
)  # fmt: skip
def test_bad_parents_are_refused(hurt, driver, parent, options, says):
    before = whole(hurt.daemon)
    flags = [word for option in (f"parent={parent}", *options) for word in ("-o", option)]
    hurt.fails("network", "create", "-d", driver, *flags, "phys", says=says)
    assert_unchanged(hurt.daemon, before)


@pytest.mark.parametrize(
    "arguments, says",
    [
        (("--subnet", LAN_IPV4, "--gateway", "198.51.100.11"),
         "gateway 198.51.100.11 of network phys is the host's own address on eth0"),
        (("--subnet", "198.51.100.10/31", "--gateway", "198.51.100.10", "-o", "host_access=true"),
         "has no address left for the host"),
        (("--subnet", "10.99.0.0/30", "-o", "host_access=true"),
         "pool 10.99.0.0/30 of network phys has no address for an endpoint"),
        (("-o", "weft.host_dns=true"), "option weft.host_dns of network phys is none of macvlan networks"),
    ],
)  # fmt: skip
def test_bad_addresses_are_refused(hurt, arguments, says):
    before = whole(hurt.daemon)
    hurt.fails("network", "create", "-d", "macvlan", *PARENT, *arguments, "phys", says=says)
    assert_unchanged(hurt.daemon, before)


def test_a_gateway_that_nobody_named_is_not_the_host(lan, make_daemon):
    """Neither the host's own address nor one that is no host's in the pool is a gateway or reserved."""
    host = lan.host("one", "198.51.100.1/24", "10.99.1.255/23")
    weft = Weft(make_daemon(host))
    weft("network", "create", "-d", "macvlan", *PARENT, "--subnet", LAN_IPV4, "phys")
    weft("network", "create", "-d", "macvlan", *PARENT, "--subnet", "10.99.1.0/24", "odd")
    weft.daemon.restart()
    config = json.loads(weft("network", "inspect", "phys"))[0]["IPAM"]["Config"][0]
    assert config["Gateway"] == "198.51.100.2"
    assert config["AuxiliaryAddresses"] == {"parent": "198.51.100.1"}


def test_limits_need_a_link_of_the_host(hurt):
    hurt.start("limited")
    hurt.fails(
        "network", "connect", "--driver-opt", "weft.ingress_rate=10mbit", "plain", "limited",
        says="endpoints of network plain cannot be limited: driver macvlan gives them no link",
    )  # fmt: skip
    hurt.fails(
        "network", "connect", "--driver-opt", "vlan=10", "plain", "limited",
        says="option vlan of the endpoint on network plain is none of macvlan networks",
    )  # fmt: skip
    hurt("rm", "-f", "limited")
