# SPDX-License-Identifier: Apache-2.0
"""Namespaces that belong to somebody else, on weft's networks."""

import pytest

from hosts import OUTSIDE_IPV4, UPLINK_IPV4, eventually
from snapshots import assert_unchanged, stack, whole


@pytest.fixture
def theirs(host) -> str:
    """A namespace that a user made with ip-netns(8), with something of the user's own in it."""
    host.run("ip", "netns", "add", "theirs")
    host.run("ip", "-n", "theirs", "link", "set", "lo", "up")
    host.run("ip", "-n", "theirs", "link", "add", "own0", "type", "bridge")
    return "/run/netns/theirs"


def test_attach_by_path(weft, host, outside, theirs):
    outside.serve(80)
    weft.serve("a")
    weft("attach", "--netns", theirs, "--name", "guest", "--network", "bridge")
    sandbox = weft.sandbox("guest")
    address = sandbox["Networks"]["bridge"]["IPv4"].split("/")[0]
    assert sandbox["Kind"] == "foreign"
    assert host.addresses("eth0", theirs) == [f"{address}/16"]
    assert host.ask(weft.address("a"), 8000, netns=theirs) == address
    assert host.ask(OUTSIDE_IPV4, 80, netns=theirs) == UPLINK_IPV4
    weft.ping("a", address)


def test_detach_leaves_it_as_it_was(weft, host, theirs):
    inside = stack(host, theirs)
    before = whole(weft.daemon)
    weft("attach", "--netns", theirs, "--name", "guest", "--network", "bridge")
    assert set(host.links(theirs)) == {"lo", "own0", "eth0"}
    weft("detach", "guest")
    assert stack(host, theirs) == inside
    assert_unchanged(weft.daemon, before)


def test_attach_to_several_and_detach_from_one(weft, host, theirs):
    weft("network", "create", "net1")
    weft("attach", "--netns", theirs, "--name", "guest", "--network", "bridge")
    weft("attach", "--netns", theirs, "--network", "net1")
    assert set(weft.sandbox("guest")["Networks"]) == {"bridge", "net1"}
    assert {"eth0", "eth1"} < set(host.links(theirs))
    weft("detach", "guest", "--network", "bridge")
    assert set(weft.sandbox("guest")["Networks"]) == {"net1"}
    assert "eth0" not in host.links(theirs)


def test_attach_by_pid_leaves_with_the_process(weft, host):
    child = host.popen("unshare", "--net", "sleep", "1000")
    pid = eventually(lambda: host.try_run("pgrep", "-x", "sleep").out.strip())
    eventually(
        lambda: host.run("readlink", f"/proc/{pid}/ns/net") != host.run("readlink", "/proc/1/ns/net")
    )
    before = whole(weft.daemon)
    weft("attach", "--pid", pid, "--name", "proc", "--network", "bridge", "--ip", "172.17.0.99")
    host.ping("172.17.0.99")
    assert weft.sandbox("proc")["Pid"] == int(pid)
    weft("detach", "proc")
    assert_unchanged(weft.daemon, before)
    child.kill()


def test_attach_gives_what_is_asked_for(weft, host, theirs):
    weft("network", "create", "--ipv6", "--subnet", "10.5.0.0/24", "--subnet", "fd00:5::/64", "net1")
    weft(
        "attach", "--netns", theirs, "--name", "guest", "--network", "net1", "--ip", "10.5.0.9",
        "--ip6", "fd00:5::9", "--mac-address", "02:00:00:00:00:09",
        "--driver-opt", "com.docker.network.endpoint.ifname=front0",
    )  # fmt: skip
    assert set(host.addresses("front0", theirs)) == {"10.5.0.9/24", "fd00:5::9/64"}
    assert host.links(theirs)["front0"]["address"] == "02:00:00:00:00:09"


def test_an_attached_sandbox_survives_a_restart(weft, host, theirs):
    weft("attach", "--netns", theirs, "--name", "guest", "--network", "bridge")
    before = whole(weft.daemon)
    weft.daemon.restart()
    assert_unchanged(weft.daemon, before)
    host.ping("172.17.0.1", netns=theirs)


def test_network_connect_works_on_it(weft, host, theirs):
    weft("network", "create", "net1")
    weft("attach", "--netns", theirs, "--name", "guest", "--network", "bridge")
    weft("network", "connect", "net1", "guest")
    assert set(weft.sandbox("guest")["Networks"]) == {"bridge", "net1"}
    weft("network", "disconnect", "net1", "guest")
    assert set(weft.sandbox("guest")["Networks"]) == {"bridge"}


def test_a_users_namespace_may_go_without_a_word(weft, host, theirs):
    """`ip netns del` by its owner: weft pinned it, so detach still works and leaves nothing."""
    before = whole(weft.daemon)
    weft("attach", "--netns", theirs, "--name", "guest", "--network", "bridge")
    host.run("ip", "netns", "del", "theirs")
    weft("detach", "guest")
    before["mounts"] = [point for point in before["mounts"] if "theirs" not in point]
    assert_unchanged(weft.daemon, before)


# ---- netns, veth ----


def test_netns_lists_every_sandbox(weft, host, theirs):
    container = weft.start("a")
    weft("attach", "--netns", theirs, "--name", "guest", "--network", "bridge")
    listed = weft("netns")
    for word in ("a", "guest", weft.netns("a"), weft.netns("guest")):
        assert word in listed
    assert weft.netns("a") == f"/run/weft/netns/{container}"
    # Which is a namespace file that nsenter takes.
    assert "172.17.0.2/16" in host.run("nsenter", f"--net={weft.netns('a')}", "ip", "addr")


def test_netns_link_makes_ip_netns_work(weft, host):
    weft.start("a")
    weft("netns", "link", "a")
    weft("netns", "link", "a", "again")
    assert {entry["name"] for entry in host.json("ip", "-j", "netns")} == {"a", "again"}
    assert "172.17.0.2/16" in host.run("ip", "netns", "exec", "a", "ip", "addr")
    weft("netns", "unlink", "again")
    assert not host.path("/run/netns/again").exists()
    weft("rm", "-f", "a")
    eventually(lambda: not host.path("/run/netns/a").exists(), what="the link goes too")


def test_netns_link_does_not_take_a_users_name(weft, host, theirs):
    weft.start("a")
    weft.fails("netns", "link", "a", "theirs", says="theirs")
    weft.fails("netns", "unlink", "theirs", says="theirs")
    assert "own0" in host.links(theirs)


def test_veth_says_which_is_whose(weft, host, theirs):
    weft.start("a")
    weft("attach", "--netns", theirs, "--name", "guest", "--network", "bridge")
    for name in ("a", "guest"):
        link = weft.host_link(name)
        row = weft("veth", name)
        assert link in row and "eth0" in row
    entries = {entry["Link"]: entry for entry in weft.daemon.get("/weft/veths")}
    links = host.links()
    for name in ("a", "guest"):
        entry = entries[weft.host_link(name)]
        assert entry["Sandbox"] == name
        assert entry["Index"] == links[entry["Link"]]["ifindex"]
        inner = host.links(weft.netns(name))["eth0"]
        assert entry["InterfaceIndex"] == inner["ifindex"]
        assert entry["MacAddress"] == inner["address"]
    assert weft.host_link("guest") in weft("veth")
