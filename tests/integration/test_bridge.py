# SPDX-License-Identifier: Apache-2.0
"""The main job: containers on the default bridge reach each other, the host and the outside."""

import re

import pytest

from hosts import OUTSIDE_IPV4, UPLINK_IPV4, eventually
from snapshots import assert_unchanged, whole
from weftd import Weft


def test_two_containers_ping_each_other(weft):
    weft.start("a")
    weft.start("b")
    weft.ping("a", weft.address("b"))
    weft.ping("b", weft.address("a"))


def test_tcp_between_containers_keeps_the_source_address(weft):
    weft.serve("server")
    weft.start("client")
    assert weft.ask("client", weft.address("server")) == weft.address("client")


def test_container_reaches_the_host_and_the_host_the_container(weft, host):
    weft.serve("server")
    host.serve(9000)
    host.ping(weft.address("server"))
    weft.ping("server", "172.17.0.1")
    assert host.ask(weft.address("server"), 8000) == "172.17.0.1"
    # The host's uplink address is the host too: nothing leaves, nothing is masqueraded.
    assert weft.ask("server", UPLINK_IPV4, 9000) == weft.address("server")


def test_outside_sees_the_hosts_address(weft, outside):
    outside.serve(80)
    weft.start("a")
    assert weft.ask("a", OUTSIDE_IPV4, 80) == UPLINK_IPV4
    weft.ping("a", OUTSIDE_IPV4)


def test_outside_cannot_reach_in(weft, outside):
    """Nothing is published, so a router that sends packets our way gets no answer."""
    weft.serve("server")
    outside.run("ip", "route", "add", "172.17.0.0/16", "via", UPLINK_IPV4)
    outside.run("ping", "-n", "-c1", "-W2", UPLINK_IPV4)
    assert not outside.pings(weft.address("server"))


def test_forwarding_is_on(weft, host):
    weft.start("a")
    assert host.run("cat", "/proc/sys/net/ipv4/ip_forward") == "1"


def test_interfaces_name_each_other(weft, host):
    weft.start("a")
    outer_name = weft.host_link("a")
    inner = host.links(netns=weft.netns("a"))["eth0"]
    outer = host.links()[outer_name]
    assert re.fullmatch(r"veth[0-9a-f]{7}", outer_name)
    assert inner["link_index"] == outer["ifindex"]
    assert outer["link_index"] == inner["ifindex"]
    # As people see it, in the container and on the host.
    shown = host.run("ip", "link", netns=weft.netns("a"))
    assert f"eth0@if{outer['ifindex']}:" in shown
    assert f"{outer_name}@if{inner['ifindex']}:" in host.run("ip", "link")


def test_bridge_tools_show_the_ends(weft, host):
    weft.start("a")
    weft.start("b")
    links = {weft.host_link("a"), weft.host_link("b")}
    ports = {port["ifname"]: port for port in host.json("bridge", "-j", "link")}
    assert links == set(ports)
    assert {port["master"] for port in ports.values()} == {"weft0"}
    assert {port["state"] for port in ports.values()} == {"forwarding"}
    shown = host.run("brctl", "show")
    assert "weft0" in shown and all(link in shown for link in links)


def test_addresses_mac_and_route(weft, host):
    weft.start("a")
    netns = weft.netns("a")
    links = host.links(netns)
    assert host.addresses("eth0", netns) == ["172.17.0.2/16"]
    assert links["eth0"]["address"] == "02:42:ac:11:00:02"
    assert set(links) == {"lo", "eth0"}
    assert "UP" in links["lo"]["flags"] and "LOWER_UP" in links["eth0"]["flags"]
    assert host.default_route(netns=netns) == ("172.17.0.1", "eth0")
    assert host.addresses("weft0") == ["172.17.0.1/16"]
    assert weft.endpoint("a")["MacAddress"] == "02:42:ac:11:00:02"
    assert weft.endpoint("a")["Gateway"] == "172.17.0.1"
    assert weft.endpoint("a")["IPPrefixLen"] == 16


def test_mac_address_can_be_given(weft, host):
    weft.start("a", "--mac-address", "02:00:00:aa:bb:cc")
    assert host.links(weft.netns("a"))["eth0"]["address"] == "02:00:00:aa:bb:cc"
    assert weft.endpoint("a")["MacAddress"] == "02:00:00:aa:bb:cc"


def test_hostname_and_files(weft):
    container_id = weft.start("a")
    weft.start("b", "--hostname", "called-b")
    assert weft.exec("a", "hostname") == container_id[:12]
    assert weft.exec("b", "hostname") == "called-b"
    hosts = weft.exec("b", "cat", "/etc/hosts").splitlines()
    assert [line.split() for line in hosts if line.startswith("172.")] == [
        [weft.address("b"), "called-b"]
    ]
    assert any(line.split() == ["127.0.0.1", "localhost"] for line in hosts)
    assert weft.exec("b", "cat", "/etc/hostname") == "called-b"
    resolv = weft.exec("a", "cat", "/etc/resolv.conf")
    assert "nameserver 192.0.2.53" in resolv and "search example.test" in resolv


def test_loopback_nameservers_are_not_copied(host, make_daemon):
    host.write("/etc/resolv.conf", "nameserver 127.0.0.53\nnameserver 192.0.2.53\n")
    weft = Weft(make_daemon(host))
    weft.start("a")
    resolv = weft.exec("a", "cat", "/etc/resolv.conf")
    assert "127.0.0.53" not in resolv and "nameserver 192.0.2.53" in resolv


@pytest.mark.parametrize("end", ["kill", "exit", "rm"])
def test_everything_goes_with_the_container(weft, host, end):
    weft.start("other")
    before = whole(weft.daemon)
    if end == "exit":
        weft("run", "--rm", "--", "true")
    else:
        weft.start("a", "--rm")
        weft(*(["kill", "a"] if end == "kill" else ["rm", "-f", "a"]))
    assert_unchanged(weft.daemon, before)
    assert set(host.links()) == {"lo", "uplink", "weft0", weft.host_link("other")}


def test_an_ended_container_has_no_network(weft, host):
    """Without --rm it stays known; its links, namespace and address do not."""
    weft.start("a")
    netns = weft.netns("a")
    weft("kill", "a")
    weft("wait", "a")
    eventually(lambda: not host.path(netns).exists(), what="the namespace is gone")
    assert set(host.links()) == {"lo", "uplink", "weft0"}
    assert weft.address("a") == ""
    weft("start", "a")
    weft.ping("a", "172.17.0.1")


def test_an_address_is_not_reused_at_once(weft):
    weft.start("a")
    assert weft.address("a") == "172.17.0.2"
    weft("rm", "-f", "a")
    weft.start("b")
    assert weft.address("b") == "172.17.0.3"


def test_many_containers_start_at_once(weft):
    """Started side by side, all get their own address and reach one another."""
    names = [f"c{number}" for number in range(8)]
    children = [weft.popen("run", "-d", "--name", name, "--", "sleep", "1000") for name in names]
    assert [child.wait(60) for child in children] == [0] * len(names)
    addresses = {weft.address(name) for name in names}
    assert len(addresses) == len(names)
    for address in addresses:
        weft.ping("c0", address)
