# SPDX-License-Identifier: Apache-2.0
"""Trunks: a parent called eth0.10 is VLAN 10 of eth0, which weft uses, or makes and removes."""

from __future__ import annotations

import pytest

from hosts import Host, eventually
from lan import Lan
from snapshots import assert_unchanged, stack, whole
from weftd import Weft

pytestmark = pytest.mark.needs_kernel("8021q", "macvlan")


def create(weft: Weft, vlan: int, *options: str, link: str = "eth0", name: str = "") -> str:
    """A network in a VLAN, 10.VLAN.0.0/24, whose router is at .1. Its name."""
    name = name or f"v{vlan}"
    pool = ("--subnet", f"10.{vlan}.0.0/24", "--gateway", f"10.{vlan}.0.1")
    weft("network", "create", "-d", "macvlan", *pool, "-o", f"parent={link}.{vlan}", *options, name)
    return name


def trunked(lan: Lan, name: str, *vlans: int) -> Host:
    """A machine on the LAN with addresses 10.VLAN.0.1 in some VLANs."""
    host = lan.host(name)
    for vlan in vlans:
        host.run("ip", "link", "add", "link", "eth0", "name", f"v{vlan}", "type", "vlan", "id", str(vlan))
        host.run("ip", "link", "set", "dev", f"v{vlan}", "up")
        host.run("ip", "addr", "add", f"10.{vlan}.0.1/24", "dev", f"v{vlan}")
    return host


@pytest.fixture
def pair():
    """The LAN is all there is of the world: emulated machines are slow to make others."""


@pytest.fixture
def one(lan, make_daemon) -> Weft:
    return Weft(make_daemon(lan.host("one", "198.51.100.11/24")))


def test_a_vlan_is_made_and_goes_with_its_last_network(one):
    host = one.host
    before = stack(host)
    create(one, 10)
    link = host.links()["eth0.10"]
    assert link["linkinfo"]["info_data"]["id"] == 10 and link["link"] == "eth0"
    pool = ("--subnet", "10.99.0.0/24")
    one("network", "create", "-d", "macvlan", *pool, "-o", "parent=eth0.10", "also")
    one.start("a", "--network", "also")
    one("network", "rm", "v10")
    assert "eth0.10" in host.links() and "eth0" in host.links(one.netns("a"))
    one("rm", "-f", "a")
    one("network", "rm", "also")
    assert stack(host) == before


def test_vlans_are_isolated_from_each_other(lan, make_daemon):
    router = trunked(lan, "router", 10, 20)
    wefts = [Weft(make_daemon(lan.host(name))) for name in ("one", "two")]
    for weft, number in zip(wefts, (1, 2)):
        for vlan in (10, 20):
            create(weft, vlan, "--ip-range", f"10.{vlan}.0.{64 * number}/26")
            weft.start(f"c{vlan}", "--network", f"v{vlan}")
    one, two = wefts
    for vlan, other in ((10, 20), (20, 10)):
        one.ping(f"c{vlan}", f"10.{vlan}.0.1")
        one.ping(f"c{vlan}", two.address(f"c{vlan}", f"v{vlan}"))
        # Beside the router, which would lead there, nothing does: the question who has the address
        # does not even get there.
        netns, there = one.netns(f"c{vlan}"), two.address(f"c{other}", f"v{other}")
        one.host.run("ip", "route", "replace", f"10.{other}.0.0/24", "dev", "eth0", netns=netns)
        assert not one.pings(f"c{vlan}", there)
        assert "lladdr" not in one.host.run("ip", "neigh", "show", "to", there, netns=netns)


def test_a_vlan_of_the_user_s_is_used_and_stays(one):
    host = one.host
    host.run("ip", "link", "add", "link", "eth0", "name", "eth0.30", "type", "vlan", "id", "30")
    host.run("ip", "link", "set", "dev", "eth0.30", "up")
    before = stack(host)
    create(one, 30)
    one.start("a", "--network", "v30")
    one("rm", "-f", "a")
    one("network", "rm", "v30")
    assert stack(host) == before


def test_a_vlan_of_a_bridge(lan, make_daemon):
    trunked(lan, "router", 10)
    host = lan.host("one")
    host.run(
        "ip", "-batch", "-",
        stdin="link add name br0 type bridge forward_delay 0\nlink set eth0 master br0\n"
        "link set br0 up\n",
    )  # fmt: skip
    weft = Weft(make_daemon(host))
    create(weft, 10, link="br0")
    weft.start("a", "--network", "v10")
    weft.ping("a", "10.10.0.1")
    weft("rm", "-f", "a")
    weft("network", "rm", "v10")
    assert "br0.10" not in host.links() and "br0" in host.links()


def test_killed_weftd_and_drift(lan, make_daemon):
    trunked(lan, "router", 10)
    weft = Weft(make_daemon(lan.host("one")))
    create(weft, 10, "-o", "host_access=true")
    weft.start("a", "--network", "v10")
    before = whole(weft.daemon)
    address = weft.address("a", "v10")
    weft.daemon.kill9()
    weft.host.ping(address)
    weft.daemon.start()
    assert_unchanged(weft.daemon, before)

    # With the VLAN go the container's interface and the host's.
    weft.host.run("ip", "link", "del", "eth0.10")
    eventually(lambda: "eth0.10" in weft.host.links(), 5, "the VLAN is back")
    weft.ping("a", "10.10.0.1")
    assert_unchanged(weft.daemon, before)
    weft.host.run("ip", "link", "set", "eth0.10", "down")
    weft.ping("a", "10.10.0.1")

    weft.daemon.kill9()
    weft.host.run("ip", "link", "del", "eth0.10")
    weft.daemon.start()
    assert_unchanged(weft.daemon, before)
    weft.ping("a", "10.10.0.1")
    weft.host.ping(address)


def test_weftd_removes_what_a_network_left(one):
    """Killed between the store and the kernel, or the store was restored from before."""
    host = one.host
    before = stack(host)
    host.run(
        "ip", "link", "add", "link", "eth0", "name", "eth0.40", "group", "2003134068", "type",
        "vlan", "id", "40",
    )  # fmt: skip
    one.daemon.restart()
    assert stack(host) == before


def test_a_vlan_that_has_become_somebody_s_is_left_to_them(one):
    """Made anew by the host's own set-up while weftd was away."""
    host = one.host
    create(one, 50)
    one.daemon.kill9()
    host.run("ip", "link", "del", "eth0.50")
    host.run("ip", "link", "add", "link", "eth0", "name", "eth0.50", "type", "vlan", "id", "50")
    host.run("ip", "link", "set", "eth0.50", "up")
    one.daemon.start()
    assert "eth0.50 of network v50 is not the one that weft made" in one.daemon.log()
    one("network", "rm", "v50")
    assert "eth0.50" in host.links()


def test_docker_makes_a_vlan(lan, make_daemon):
    trunked(lan, "router", 10)
    weft = Weft(make_daemon(lan.host("one")))
    weft.docker(
        "network", "create", "-d", "macvlan", "--subnet", "10.10.0.0/24", "--gateway", "10.10.0.1",
        "-o", "parent=eth0.10", "v10",
    )  # fmt: skip
    assert "eth0.10" in weft.host.links()
    weft.start("a", "--network", "v10")
    weft.ping("a", "10.10.0.1")
    weft("rm", "-f", "a")
    weft.docker("network", "rm", "v10")
    assert "eth0.10" not in weft.host.links()


def test_the_script_does_the_same(lan, make_daemon, make_host):
    weft = Weft(make_daemon(lan.host("one")))
    create(weft, 10)
    weft.start("a", "--network", "v10")
    other = make_host("other")
    other.run("ip", "link", "add", "name", "eth0", "type", "veth", "peer", "name", "wall")
    other.run("ip", "link", "set", "dev", "wall", "up")
    other.run("ip", "link", "set", "dev", "eth0", "up")
    other.run("mkdir", "-p", "/run/netns")
    for ref in ("v10", "a"):
        other.run("sh", "-eu", stdin=weft("explain", ref).replace("nft ", "true "))
    assert stack(other, "/run/netns/a") == stack(weft.host, weft.netns("a"))
    ours = weft.host.links()["eth0.10"]["linkinfo"]
    assert other.links()["eth0.10"]["linkinfo"] == ours


def test_bad_vlans_are_refused(one):
    host = one.host
    host.run("ip", "link", "add", "link", "eth0", "name", "lab", "type", "vlan", "id", "50")
    host.run("ip", "link", "set", "dev", "lab", "up")
    create(one, 60)
    before = whole(one.daemon)
    cases = {
        "eth0.50": "VLAN 50 of eth0 is link lab",
        "eth0.5000": "VLAN id 5000 is not a number from 1 to 4094",
        "eth0.60.7": "parent eth0.60 of network bad is a link of weft's own",
        "eth9.10": "is missing, and so is eth9",
    }
    for parent, says in cases.items():
        one.fails("network", "create", "-d", "macvlan", "-o", f"parent={parent}", "bad", says=says)
    one.fails(
        "network", "create", "-d", "ipvlan", "-o", "parent=eth0.60", "bad",
        says="in use by network v60, which is of driver macvlan",
    )  # fmt: skip
    assert_unchanged(one.daemon, before)


def test_a_vlan_inside_a_vlan(one):
    host = one.host
    host.run("ip", "link", "add", "link", "eth0", "name", "eth0.70", "type", "vlan", "id", "70")
    host.run("ip", "link", "set", "dev", "eth0.70", "up")
    one("network", "create", "-d", "macvlan", "-o", "parent=eth0.70.7", "inner")
    link = host.links()["eth0.70.7"]
    assert link["link"] == "eth0.70" and link["linkinfo"]["info_data"]["id"] == 7
    one("network", "rm", "inner")
    assert "eth0.70.7" not in host.links() and "eth0.70" in host.links()
