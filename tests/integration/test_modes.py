# SPDX-License-Identifier: Apache-2.0
"""--network host, none and container:NAME, and a container wired by hand."""

from hosts import OUTSIDE_IPV4, UPLINK_IPV4, eventually
from snapshots import stack


def test_host_mode_is_the_hosts_stack(weft, host, outside):
    outside.serve(80)
    weft.start("a", "--network", "host")
    assert weft.exec("a", "readlink", "/proc/self/ns/net") == host.run(
        "readlink", "/proc/self/ns/net"
    )
    assert weft.ask("a", OUTSIDE_IPV4, 80) == UPLINK_IPV4
    assert weft.exec("a", "hostname") == "host"
    assert weft.networks("a") == {"host"}
    assert len(weft.daemon.get("/networks/host")["Containers"]) == 1


def test_none_mode_has_loopback_only(weft, host):
    weft.start("a", "--network", "none")
    netns = weft.netns("a")
    assert set(host.links(netns)) == {"lo"}
    assert host.default_route(netns=netns) is None
    weft.ping("a", "127.0.0.1")
    assert not weft.pings("a", "172.17.0.1")
    assert weft.networks("a") == {"none"}


def test_container_mode_shares_the_stack(weft):
    weft.serve("owner")
    weft.start("guest", "--network", "container:owner")
    assert weft.exec("guest", "readlink", "/proc/self/ns/net") == weft.exec(
        "owner", "readlink", "/proc/self/ns/net"
    )
    assert weft.ask("guest", "127.0.0.1") == "127.0.0.1"
    assert weft.exec("guest", "hostname") == weft.exec("owner", "hostname")
    assert weft.exec("guest", "cat", "/etc/hosts") == weft.exec("owner", "cat", "/etc/hosts")


def test_container_mode_takes_ids_and_prefixes(weft):
    owner = weft.start("owner")
    weft.start("by-id", "--network", f"container:{owner}")
    weft.start("by-prefix", "--network", f"container:{owner[:8]}")
    stacks = {weft.exec(c, "readlink", "/proc/self/ns/net") for c in ("owner", "by-id", "by-prefix")}
    assert len(stacks) == 1


def test_the_stack_survives_its_owners_restart(weft, host):
    """weft owns the namespace: a guest keeps its network while the owner comes and goes."""
    weft.start("owner")
    weft.start("guest", "--network", "container:owner")
    before = weft.exec("guest", "readlink", "/proc/self/ns/net")
    weft("kill", "owner")
    eventually(lambda: weft.status("owner") == "exited")
    weft.ping("guest", "172.17.0.1")
    weft("start", "owner")
    assert weft.exec("owner", "readlink", "/proc/self/ns/net") == before
    weft.ping("owner", "172.17.0.1")
    # The last of both takes it along.
    netns = weft.netns("owner")
    weft("rm", "-f", "guest", "owner")
    eventually(lambda: not host.path(netns).exists())
    assert set(host.links()) == {"lo", "uplink", "weft0"}


def test_joining_a_container_that_is_not_there(weft):
    weft.fails("run", "--network", "container:nobody", "--", "true", says="nobody", status=125)
    weft.start("stopped")
    weft("kill", "stopped")
    eventually(lambda: weft.status("stopped") == "exited")
    weft.fails(
        "run", "--network", "container:stopped", "--", "true",
        says=("stopped", "not running"), status=125,
    )  # fmt: skip


def wire_by_hand(weft, host):
    """What a user does: a veth pair from the host into the container."""
    weft.start("handmade", "--network", "none")
    weft("netns", "link", "handmade")
    host.run("ip", "link", "add", "hand0", "type", "veth", "peer", "in0", "netns", "handmade")
    host.run("ip", "addr", "add", "10.99.0.1/24", "dev", "hand0")
    host.run("ip", "link", "set", "hand0", "up")
    host.run("ip", "-n", "handmade", "addr", "add", "10.99.0.2/24", "dev", "in0")
    host.run("ip", "-n", "handmade", "link", "set", "in0", "up")
    host.run("ip", "-n", "handmade", "route", "add", "default", "via", "10.99.0.1")
    weft.ping("handmade", "10.99.0.1")


def test_a_hand_wired_container_is_left_alone(weft, host):
    wire_by_hand(weft, host)
    inside = stack(host, weft.netns("handmade"))
    # weft works beside it, is restarted, and mends: the hand's work is not weft's to mend.
    weft("network", "create", "net1")
    weft.start("b", "--network", "net1")
    weft("network", "connect", "bridge", "b")
    weft("rm", "-f", "b")
    weft.daemon.restart()
    weft.ping("handmade", "10.99.0.1")
    assert stack(host, weft.netns("handmade")) == inside
    assert "hand0" in host.links()
    assert host.run("ip", "netns", "exec", "handmade", "hostname")


def test_a_hand_wired_container_goes_whole(weft, host):
    wire_by_hand(weft, host)
    weft("rm", "-f", "handmade")
    eventually(lambda: "hand0" not in host.links())
    assert not host.path("/run/netns/handmade").exists()
