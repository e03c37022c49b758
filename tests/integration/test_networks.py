# SPDX-License-Identifier: Apache-2.0
"""User-defined networks: what can be asked for, and containers that join and leave."""

import ipaddress
import json

import pytest

from hosts import OUTSIDE_IPV4, UPLINK_IPV4, eventually
from snapshots import assert_unchanged, whole


def network(weft, name: str) -> dict:
    return json.loads(weft("network", "inspect", name))[0]


def ipam(weft, name: str) -> list[dict]:
    return network(weft, name)["IPAM"]["Config"]


# ---- create, ls, inspect, rm, prune ----


def test_predefined_networks(weft):
    rows = [json.loads(row) for row in weft("network", "ls", "--format", "json").splitlines()]
    assert {row["Name"]: row["Driver"] for row in rows} == {
        "bridge": "bridge",
        "host": "host",
        "none": "null",
    }
    assert ipam(weft, "bridge") == [{"Subnet": "172.17.0.0/16", "Gateway": "172.17.0.1"}]
    assert network(weft, "bridge")["Options"]["com.docker.network.bridge.name"] == "weft0"


def test_create_makes_a_bridge_and_rm_removes_it(weft, host):
    before = whole(weft.daemon)
    created = weft("network", "create", "--subnet", "10.5.0.0/24", "--label", "a=b", "net1")
    assert len(created) == 64
    seen = network(weft, created[:10])
    assert (seen["Name"], seen["Id"], seen["Driver"]) == ("net1", created, "bridge")
    assert seen["Labels"] == {"a": "b"}
    assert seen["IPAM"]["Config"] == [{"Subnet": "10.5.0.0/24", "Gateway": "10.5.0.1"}]
    bridge = f"br-{created[:12]}"
    assert host.addresses(bridge) == ["10.5.0.1/24"]
    assert host.links()[bridge]["linkinfo"]["info_kind"] == "bridge"
    assert weft("network", "rm", "net1") == "net1"
    assert_unchanged(weft.daemon, before)


def test_ls_filters_and_quiet(weft):
    first = weft("network", "create", "--label", "tier=front", "first")
    second = weft("network", "create", "second")
    listed = weft("network", "ls", "-q", "--no-trunc").splitlines()
    assert {first, second} < set(listed)
    assert weft("network", "ls", "-q", "--filter", "name=fir") == first[:12]
    assert weft("network", "ls", "-q", "--filter", "label=tier=front") == first[:12]
    assert weft("network", "ls", "--filter", "driver=null", "--format", "{{.Name}}") == "none"
    assert "NETWORK ID" in weft("network", "ls")


def test_bridge_name_and_mtu_options(weft, host):
    weft(
        "network", "create", "-o", "com.docker.network.bridge.name=mine0",
        "-o", "com.docker.network.driver.mtu=1400", "net1",
    )  # fmt: skip
    weft.start("a", "--network", "net1")
    assert host.links()["mine0"]["mtu"] == 1400
    assert host.links(weft.netns("a"))["eth0"]["mtu"] == 1400
    assert host.links()[weft.host_link("a", "net1")]["mtu"] == 1400


def test_default_pools_are_many_and_apart(host, weft):
    """Each of 60 networks gets a /24 of its own that no route of the host leads into."""
    host.run("ip", "route", "add", "172.18.0.0/16", "via", OUTSIDE_IPV4)
    pools = []
    for number in range(60):
        weft.daemon.post("/networks/create", {"Name": f"net{number}"}, 201)
        pools.append(ipaddress.ip_network(ipam(weft, f"net{number}")[0]["Subnet"]))
    assert {pool.prefixlen for pool in pools} == {24}
    taken = [ipaddress.ip_network(net) for net in ("172.17.0.0/16", "172.18.0.0/16", "192.0.2.0/24")]
    for index, pool in enumerate(pools):
        assert not any(pool.overlaps(other) for other in taken + pools[:index])


@pytest.mark.config(address_pools=[{"base": "10.7.0.0/22", "size": 24}])
def test_configured_pools_run_out(weft):
    for number in range(4):
        weft("network", "create", f"net{number}")
        assert ipam(weft, f"net{number}")[0]["Subnet"] == f"10.7.{number}.0/24"
    weft.fails("network", "create", "net4", says=("no subnet is free", "pools"))
    weft("network", "rm", "net1")
    weft("network", "create", "net4")
    assert ipam(weft, "net4")[0]["Subnet"] == "10.7.1.0/24"


def test_rm_refuses_a_network_in_use(weft):
    weft("network", "create", "net1")
    weft.start("a", "--network", "net1")
    weft.fails("network", "rm", "net1", says=("net1", "a"))
    weft("rm", "-f", "a")
    weft("network", "rm", "net1")


def test_prune_removes_the_unused(weft):
    weft("network", "create", "used")
    weft("network", "create", "unused")
    weft.start("a", "--network", "used")
    assert "unused" in weft("network", "prune", "-f")
    names = weft("network", "ls", "--format", "{{.Name}}").splitlines()
    assert sorted(names) == ["bridge", "host", "none", "used"]


# ---- addresses ----


def test_ip_range_gateway_and_auxiliary_addresses(weft):
    weft(
        "network", "create", "--subnet", "10.5.0.0/24", "--ip-range", "10.5.0.128/29",
        "--gateway", "10.5.0.254", "--aux-address", "router=10.5.0.129", "net1",
    )  # fmt: skip
    assert ipam(weft, "net1") == [
        {
            "Subnet": "10.5.0.0/24",
            "IPRange": "10.5.0.128/29",
            "Gateway": "10.5.0.254",
            "AuxiliaryAddresses": {"router": "10.5.0.129"},
        }
    ]
    for number in range(7):
        weft.start(f"c{number}", "--network", "net1")
    given = {weft.address(f"c{number}", "net1") for number in range(7)}
    area = {str(address) for address in ipaddress.ip_network("10.5.0.128/29")}
    assert given == area - {"10.5.0.129"}
    weft.fails("run", "--network", "net1", "--", "true", says=("net1", "10.5.0.128/29"), status=125)
    # Asked for by number, an address may lie outside the range.
    weft.start("fixed", "--network", "net1", "--ip", "10.5.0.7")
    assert weft.address("fixed", "net1") == "10.5.0.7"


def test_an_address_stays_reserved_while_its_container_is_stopped(weft):
    weft("network", "create", "--subnet", "10.5.0.0/29", "net1")
    weft.start("fixed", "--network", "net1", "--ip", "10.5.0.3")
    weft("kill", "fixed")
    eventually(lambda: weft.status("fixed") == "exited")
    weft.fails(
        "run", "--network", "net1", "--ip", "10.5.0.3", "--", "true",
        says=("10.5.0.3", "fixed"), status=125,
    )  # fmt: skip
    # Five others fit in a /29 with a gateway; the sixth address is not given away.
    for number in range(4):
        weft.start(f"c{number}", "--network", "net1")
    weft.fails("run", "--network", "net1", "--", "true", says="net1", status=125)
    weft.daemon.restart()
    weft("start", "fixed")
    assert weft.address("fixed", "net1") == "10.5.0.3"


def test_ipv6_network_without_a_subnet_gets_a_ula(weft, host):
    weft("network", "create", "--ipv6", "net1")
    subnets = [ipaddress.ip_network(pool["Subnet"]) for pool in ipam(weft, "net1")]
    ula = next(subnet for subnet in subnets if subnet.version == 6)
    assert ula.prefixlen == 64 and ula.subnet_of(ipaddress.ip_network("fd00::/8"))
    weft.start("a", "--network", "net1")
    weft.start("b", "--network", "net1")
    weft.ping("a", weft.address6("b", "net1"))
    gateway = weft.endpoint("a", "net1")["IPv6Gateway"]
    assert host.default_route(6, weft.netns("a")) == (gateway, "eth0")
    # Two networks of one host differ.
    weft("network", "create", "--ipv6", "net2")
    assert ula not in [ipaddress.ip_network(pool["Subnet"]) for pool in ipam(weft, "net2")]


def test_ipv6_reaches_outside_masqueraded(weft, outside):
    outside.serve(80)
    weft(
        "network", "create", "--ipv6", "--subnet", "10.5.0.0/24", "--subnet", "fd00:5::/64",
        "--gateway", "fd00:5::ff", "net1",
    )  # fmt: skip
    weft.start("a", "--network", "net1", "--ip6", "fd00:5::77")
    assert weft.address6("a", "net1") == "fd00:5::77"
    assert weft.endpoint("a", "net1")["IPv6Gateway"] == "fd00:5::ff"
    assert weft.ask("a", "2001:db8::1", 80) == "2001:db8::2"


def test_ipv6_only_network(weft, host):
    weft("network", "create", "--ipv6", "--ipv4=false", "--subnet", "fd00:6::/64", "net1")
    weft.start("a", "--network", "net1")
    weft.start("b", "--network", "net1")
    assert weft.address("a", "net1") == ""
    assert host.default_route(4, weft.netns("a")) is None
    weft.ping("a", weft.address6("b", "net1"))


# ---- several networks ----


def test_several_networks_at_once(weft, host):
    weft("network", "create", "--subnet", "10.5.0.0/24", "net1")
    weft("network", "create", "--subnet", "10.6.0.0/24", "net2")
    weft.start("a", "--network", "net1", "--network", "name=net2,ip=10.6.0.66")
    weft.start("b", "--network", "net2")
    assert weft.networks("a") == {"net1", "net2"}
    assert weft.address("a", "net2") == "10.6.0.66"
    netns = weft.netns("a")
    assert set(host.links(netns)) == {"lo", "eth0", "eth1"}
    weft.ping("b", "10.6.0.66")


def test_networks_do_not_reach_each_other(weft):
    weft("network", "create", "--subnet", "10.5.0.0/24", "net1")
    weft("network", "create", "--subnet", "10.6.0.0/24", "net2")
    weft.start("a", "--network", "net1")
    weft.start("b", "--network", "net2")
    weft.ping("a", weft.endpoint("a", "net1")["Gateway"])
    assert not weft.pings("a", weft.address("b", "net2"))


def test_internal_network_has_no_way_out(weft, host, outside):
    weft("network", "create", "--internal", "--subnet", "10.5.0.0/24", "inner")
    weft.start("a", "--network", "inner")
    weft.start("b", "--network", "inner")
    weft.ping("a", weft.address("b", "inner"))
    assert host.default_route(netns=weft.netns("a")) is None
    # Not even for one who adds a route: a container with NET_ADMIN, or the host's own user.
    host.run("ip", "route", "add", "default", "via", "10.5.0.1", netns=weft.netns("a"))
    assert not weft.pings("a", OUTSIDE_IPV4)
    outside.run("ip", "route", "add", "10.5.0.0/24", "via", UPLINK_IPV4)
    assert not outside.pings(weft.address("a", "inner"))


# ---- live change ----


def test_connect_and_disconnect_a_running_container(weft, host):
    weft("network", "create", "--subnet", "10.5.0.0/24", "net1")
    weft.start("a")
    weft.start("b", "--network", "net1")
    before = whole(weft.daemon)
    pid = weft.pid("a")
    weft("network", "connect", "--ip", "10.5.0.50", "net1", "a")
    assert host.addresses("eth1", weft.netns("a")) == ["10.5.0.50/24"]
    assert weft.pid("a") == pid
    weft.ping("b", "10.5.0.50")
    assert set(network(weft, "net1")["Containers"]) == {
        weft.inspect("a")["Id"],
        weft.inspect("b")["Id"],
    }
    weft("network", "disconnect", "net1", "a")
    assert set(host.links(weft.netns("a"))) == {"lo", "eth0"}
    assert_unchanged(weft.daemon, before)


def test_connect_a_stopped_container(weft, host):
    weft("network", "create", "net1")
    weft.start("a")
    weft("kill", "a")
    eventually(lambda: weft.status("a") == "exited")
    weft("network", "connect", "net1", "a")
    weft("network", "disconnect", "bridge", "a")
    weft("start", "a")
    assert weft.networks("a") == {"net1"}
    assert len(host.links(weft.netns("a"))) == 2
    weft.ping("a", weft.endpoint("a", "net1")["Gateway"])


def test_all_the_ways_to_ask_at_connect(weft, host):
    weft("network", "create", "--ipv6", "--subnet", "10.5.0.0/24", "--subnet", "fd00:5::/64", "net1")
    weft.start("a")
    weft(
        "network", "connect", "--ip", "10.5.0.9", "--ip6", "fd00:5::9", "--alias", "web",
        "--alias", "www", "--link-local-ip", "169.254.7.7",
        "--driver-opt", "com.docker.network.endpoint.ifname=front0", "net1", "a",
    )  # fmt: skip
    endpoint = weft.endpoint("a", "net1")
    assert endpoint["IPAMConfig"] == {
        "IPv4Address": "10.5.0.9",
        "IPv6Address": "fd00:5::9",
        "LinkLocalIPs": ["169.254.7.7"],
    }
    assert {"web", "www"} <= set(endpoint["Aliases"])
    netns = weft.netns("a")
    assert {"10.5.0.9/24", "fd00:5::9/64"} <= set(host.addresses("front0", netns))
    assert "169.254.7.7" in host.run("ip", "addr", "show", "dev", "front0", netns=netns)


def test_the_default_route_follows(weft, host):
    """Priority, then networks that are not internal, then names in order; at once."""
    for name, subnet in (("beta", "10.5.0.0/24"), ("alpha", "10.6.0.0/24"), ("gamma", "10.7.0.0/24")):
        weft("network", "create", "--subnet", subnet, name)
    weft("network", "create", "--internal", "--subnet", "10.8.0.0/24", "aaa")
    weft.start("a", "--network", "beta")
    netns = weft.netns("a")

    def gateway() -> str:
        return host.default_route(netns=netns)[0]

    assert gateway() == "10.5.0.1"
    weft("network", "connect", "alpha", "a")
    assert gateway() == "10.6.0.1"
    weft("network", "connect", "aaa", "a")
    assert gateway() == "10.6.0.1"
    weft("network", "connect", "--gw-priority", "1", "gamma", "a")
    assert gateway() == "10.7.0.1"
    weft("network", "disconnect", "gamma", "a")
    assert gateway() == "10.6.0.1"
    weft("network", "disconnect", "alpha", "a")
    assert gateway() == "10.5.0.1"
    weft("network", "disconnect", "beta", "a")
    assert host.default_route(netns=netns) is None


def test_outbound_traffic_takes_the_new_gateway_at_once(weft, outside):
    outside.serve(80)
    weft("network", "create", "net1")
    weft.start("a")
    assert weft.ask("a", OUTSIDE_IPV4, 80) == UPLINK_IPV4
    weft("network", "connect", "--gw-priority", "5", "net1", "a")
    assert weft.ask("a", OUTSIDE_IPV4, 80) == UPLINK_IPV4
    weft("network", "disconnect", "bridge", "a")
    assert weft.ask("a", OUTSIDE_IPV4, 80) == UPLINK_IPV4


def test_masquerade_can_be_turned_off(weft, outside):
    weft(
        "network", "create", "--subnet", "10.5.0.0/24",
        "-o", "com.docker.network.bridge.enable_ip_masquerade=false", "net1",
    )  # fmt: skip
    outside.serve(80)
    outside.run("ip", "route", "add", "10.5.0.0/24", "via", UPLINK_IPV4)
    weft.start("a", "--network", "net1")
    assert weft.ask("a", OUTSIDE_IPV4, 80) == weft.address("a", "net1")
