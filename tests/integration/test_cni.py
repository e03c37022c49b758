# SPDX-License-Identifier: Apache-2.0
"""Networks whose endpoints CNI plugins wire: the reference plugins, and such as misbehave."""

from __future__ import annotations

import json
import time

import pytest

from hosts import OUTSIDE_IPV4, UPLINK_IPV4, Host, eventually
from peers import PEERS
from weftd import Weft

PLUGINS = PEERS / "usr/lib/cni"
SUBNET = "10.88.0.0/16"
HOST_LOCAL = {
    "type": "host-local",
    "ranges": [[{"subnet": SUBNET, "gateway": "10.88.0.1"}]],
    "routes": [{"dst": "0.0.0.0/0"}],
}
BRIDGE = {"type": "bridge", "bridge": "cni0", "isGateway": True, "ipMasq": True, "ipam": HOST_LOCAL}

FAKES = "/run/fake"
# Writes down how it is called and what it reads. What it does beside that is in files of the test's.
FAKE = f"""#!/bin/sh
name=$(basename "$0")
echo "$name $CNI_COMMAND $CNI_IFNAME" >>{FAKES}/calls
cat >{FAKES}/$name.$CNI_COMMAND.json
env >{FAKES}/$name.$CNI_COMMAND.env
[ -e {FAKES}/$name.$CNI_COMMAND ] && . {FAKES}/$name.$CNI_COMMAND
case $CNI_COMMAND in
VERSION) echo '{{"cniVersion":"1.1.0","supportedVersions":["0.4.0","1.0.0","1.1.0"]}}' ;;
ADD) echo '{{"cniVersion":"1.1.0","interfaces":[{{"name":"'$CNI_IFNAME'","sandbox":"'$CNI_NETNS'",
    "mac":"02:00:00:00:00:07"}}],"ips":[{{"address":"10.99.0.7/24","interface":0}}]}}' ;;
esac
"""


def create(weft: Weft, name: str, config: dict, *options: str, path: str = str(PLUGINS)) -> None:
    file = weft.host.write(f"/etc/cni/{name}.conflist", json.dumps(config))
    weft("network", "create", "-d", "cni", "-o", f"config={file}", "-o", f"path={path}",
         *options, name)  # fmt: skip


def chain(*plugins: dict, version: str = "1.0.0", **keys) -> dict:
    return {"cniVersion": version, "name": "lan", "plugins": list(plugins), **keys}


class Fakes:
    """Plugins that do what a test says."""

    def __init__(self, host: Host, *names: str):
        self.host = host
        for name in names:
            host.write(f"{FAKES}/{name}", FAKE, 0o755)

    def do(self, name: str, command: str, script: str) -> None:
        """What the plugin does first when it gets the command."""
        self.host.write(f"{FAKES}/{name}.{command}", script)

    def fail(self, name: str, command: str, code: int, msg: str, details: str = "") -> None:
        error = json.dumps({"cniVersion": "1.1.0", "code": code, "msg": msg, "details": details})
        self.do(name, command, f"echo '{error}'; exit 1\n")

    def calls(self) -> list[str]:
        """All calls until now, as PLUGIN COMMAND INTERFACE."""
        path = self.host.path(f"{FAKES}/calls")
        return path.read_text(encoding="utf-8").splitlines() if path.exists() else []

    def forget(self) -> None:
        self.host.path(f"{FAKES}/calls").unlink(missing_ok=True)

    def read(self, name: str, command: str) -> dict:
        """The configuration of the last call."""
        return json.loads(self.host.read(f"{FAKES}/{name}.{command}.json"))

    def env(self, name: str, command: str) -> dict:
        lines = self.host.read(f"{FAKES}/{name}.{command}.env").splitlines()
        return dict(line.split("=", 1) for line in lines)


@pytest.fixture
def fakes(host) -> Fakes:
    return Fakes(host, "one", "two")


def two(version: str = "1.1.0", **keys) -> dict:
    return chain({"type": "one"}, {"type": "two"}, version=version, **keys)


def create_fake(weft: Weft, config: dict | None = None, *options: str, name: str = "net") -> None:
    create(weft, name, config or two(), *options, path=FAKES)


# ---- the reference plugins ----


def test_bridge_and_host_local(weft, host, outside):
    create(weft, "net", chain(BRIDGE))
    weft.serve("a", "--network", "net")
    weft.start("b", "--network", "net", "--network-alias", "bee")
    endpoint = weft.endpoint("a", "net")
    assert endpoint["IPAddress"] == "10.88.0.2"
    assert endpoint["IPPrefixLen"] == 16
    assert endpoint["Gateway"] == "10.88.0.1"
    link = host.links(netns=weft.netns("a"))["eth0"]
    assert endpoint["MacAddress"] == link["address"]
    assert host.addresses("eth0", netns=weft.netns("a")) == ["10.88.0.2/16"]
    assert host.default_route(netns=weft.netns("a")) == ("10.88.0.1", "eth0")
    # weft resolves their names.
    assert weft.ask("b", "a") == "10.88.0.3"
    weft.ping("a", "bee")
    outside.serve(80)
    assert weft.ask("a", OUTSIDE_IPV4, 80) == UPLINK_IPV4
    weft("rm", "-f", "a")
    weft("rm", "-f", "b")
    # host-local has let go of the addresses, and the bridge has no port left.
    assert [f.name for f in host.path("/var/lib/cni/networks/lan").glob("10.*")] == []
    assert not [link for link in host.links().values() if link.get("master") == "cni0"]
    weft("network", "rm", "net")


def test_a_plugin_by_its_path_and_one_by_its_name(weft, host):
    """A configuration that does not say the type; the folder of the plugin is looked in first."""
    config = {"cniVersion": "0.4.0", "ipam": HOST_LOCAL}
    file = host.write("/etc/cni/plain.conf", json.dumps(config))
    weft("network", "create", "-d", "cni", "-o", f"plugin={PLUGINS}/ptp",
         "-o", f"config={file}", "path")  # fmt: skip
    weft("network", "create", "-d", "cni", "-o", "plugin=ptp", "-o", f"path=/nowhere:{PLUGINS}",
         "-o", f"config={file}", "name")  # fmt: skip
    weft.start("a", "--network", "path")
    weft.start("b", "--network", "name")
    for name, network in (("a", "path"), ("b", "name")):
        assert weft.address(name, network) == "10.88.0.2"
        assert host.default_route(netns=weft.netns(name)) == ("10.88.0.1", "eth0")


def test_the_file_is_read_once(weft, host):
    create(weft, "net", chain(BRIDGE))
    host.write("/etc/cni/net.conflist", "garbage")
    weft.start("a", "--network", "net")
    host.path("/etc/cni/net.conflist").unlink()
    weft.daemon.restart()
    weft.start("b", "--network", "net")
    assert weft.address("b", "net") == "10.88.0.3"
    weft("rm", "-f", "a")
    weft("rm", "-f", "b")


def test_macvlan_with_static_addresses(weft, host, outside):
    static = {"type": "static", "addresses": [{"address": "192.0.2.77/24"}]}
    macvlan = {"type": "macvlan", "master": "uplink", "mode": "bridge", "ipam": static}
    create(weft, "net", chain(macvlan))
    weft.start("a", "--network", "net")
    assert weft.address("a", "net") == "192.0.2.77"
    assert weft.endpoint("a", "net")["Gateway"] == ""
    assert host.links(netns=weft.netns("a"))["eth0"]["linkinfo"]["info_kind"] == "macvlan"
    weft.ping("a", OUTSIDE_IPV4)
    weft("stop", "-t", "0", "a")
    weft("start", "a")
    weft.ping("a", OUTSIDE_IPV4)


def test_host_device_comes_back(weft, host):
    host.run("ip", "link", "add", "name", "spare", "type", "veth", "peer", "name", "spare-peer")
    static = {"type": "static", "addresses": [{"address": "10.77.0.7/24"}]}
    create(weft, "net", chain({"type": "host-device", "device": "spare", "ipam": static}))
    weft.start("a", "--network", "net")
    assert "spare" not in host.links()
    assert host.addresses("eth0", netns=weft.netns("a")) == ["10.77.0.7/24"]
    weft("rm", "-f", "a")
    assert "spare" in host.links()


def test_portmap(weft, host, outside):
    create(weft, "net", chain(BRIDGE, {"type": "portmap", "capabilities": {"portMappings": True}}))
    weft.serve("a", "--network", "net", "-p", "8080:8000")
    assert outside.ask(UPLINK_IPV4, 8080) == OUTSIDE_IPV4
    # The port is taken; one that nobody has asked for by number is not.
    says = ["8080/tcp", "in use"]
    weft.fails("run", "-d", "--name", "b", "--network", "net", "-p", "8080:8000", "--", "true",
               status=125, says=says)  # fmt: skip
    weft.serve("c", "--network", "net", "-p", "8000")
    assert weft.docker("port", "a") == "8000/tcp -> 0.0.0.0:8080"
    assert outside.ask(UPLINK_IPV4, weft.host_port("c", "8000/tcp")) == OUTSIDE_IPV4
    weft("rm", "-f", "a")
    assert not outside.probe(("tcp", UPLINK_IPV4, 8080, False))[0]


def test_bandwidth(weft, host):
    create(weft, "net", chain(BRIDGE, {"type": "bandwidth", "capabilities": {"bandwidth": True}}))
    body = {"weft.ingress_rate": "10mbit", "weft.egress_rate": "5mbit"}
    options = [f"driver-opt={key}={value}" for key, value in body.items()]
    weft.start("a", "--network", ",".join(["name=net", *options]))
    qdiscs = [q for q in host.json("tc", "-j", "qdisc", "show") if q["kind"] == "tbf"]
    assert sorted(q["options"]["rate"] for q in qdiscs) == [625000, 1250000]
    weft.fails("limit", "a", "--ingress-rate", "20mbit", says="kept by the network's plugins")
    weft("stop", "-t", "0", "a")
    weft("limit", "a", "--ingress-rate", "20mbit")
    weft("start", "a")
    qdiscs = [q for q in host.json("tc", "-j", "qdisc", "show") if q["kind"] == "tbf"]
    assert sorted(q["options"]["rate"] for q in qdiscs) == [625000, 2500000]
    weft("rm", "-f", "a")
    assert not [q for q in host.json("tc", "-j", "qdisc", "show") if q["kind"] == "tbf"]


def test_tuning_and_firewall(weft, host):
    tuning = {
        "type": "tuning",
        "capabilities": {"mac": True},
        "sysctl": {"net.ipv4.conf.IFNAME.arp_announce": "2"},
        "mtu": 1300,
    }
    create(weft, "net", chain(BRIDGE, tuning, {"type": "firewall", "backend": "iptables"}))
    weft.start("a", "--network", "net", "--mac-address", "02:11:22:33:44:55")
    assert host.links(netns=weft.netns("a"))["eth0"]["address"] == "02:11:22:33:44:55"
    assert host.links(netns=weft.netns("a"))["eth0"]["mtu"] == 1300
    assert weft.endpoint("a", "net")["MacAddress"] == "02:11:22:33:44:55"
    assert "10.88.0.2/32" in host.run("iptables-save")
    weft("rm", "-f", "a")
    assert "10.88.0.2/32" not in host.run("iptables-save")


def test_an_address_that_is_asked_for(weft):
    create(weft, "net", chain({**BRIDGE, "capabilities": {"ips": True}}))
    weft.start("a", "--network", "net", "--ip", "10.88.5.5")
    assert weft.address("a", "net") == "10.88.5.5"
    weft.fails("run", "-d", "--name", "b", "--network", "net", "--ip", "10.88.5.5", "--", "true",
               status=125, says=["CNI plugin bridge (ADD)", "10.88.5.5"])  # fmt: skip


def test_dhcp(weft, host, lan, make_host):
    """The plugin of that name asks its daemon, which asks a server on the LAN."""
    lan.plug(host, "eth7")
    server = lan.host("server", "198.51.100.1/24")
    server.popen("dnsmasq", "-d", "-C", "/dev/null", "-p0", "-i", "eth0", "--leasefile-ro",
                 "--dhcp-range=198.51.100.50,198.51.100.60,10m")  # fmt: skip
    host.run("mkdir", "-p", "/run/cni")
    host.popen(str(PLUGINS / "dhcp"), "daemon")
    eventually(lambda: host.path("/run/cni/dhcp.sock").exists(), what="the daemon's socket")
    macvlan = {"type": "macvlan", "master": "eth7", "ipam": {"type": "dhcp"}}
    create(weft, "net", chain(macvlan))
    weft.start("a", "--network", "net")
    assert weft.address("a", "net").startswith("198.51.100.")
    assert weft.endpoint("a", "net")["Gateway"] == "198.51.100.1"
    weft.ping("a", "198.51.100.1")
    weft("rm", "-f", "a")


def test_the_docker_command(weft):
    file = weft.host.write("/etc/cni/net.conflist", json.dumps(chain(BRIDGE)))
    weft.docker("network", "create", "-d", "cni", "-o", f"config={file}", "-o", f"path={PLUGINS}",
                "net")  # fmt: skip
    weft.start("a")
    weft.docker("network", "connect", "net", "a")
    assert weft.address("a", "net") == "10.88.0.2"
    inspected = json.loads(weft.docker("network", "inspect", "net"))[0]
    assert [c["IPv4Address"] for c in inspected["Containers"].values()] == ["10.88.0.2/16"]
    assert inspected["Driver"] == "cni"
    weft.docker("network", "disconnect", "net", "a")
    assert "eth1" not in weft.host.links(netns=weft.netns("a"))
    weft.docker("network", "rm", "net")


def test_beside_a_bridge_of_wefts_own(weft, host):
    """The default route that plugins make is the one."""
    weft("network", "create", "own")
    create(weft, "net", chain(BRIDGE))
    weft.start("a", "--network", "own")
    before = host.default_route(netns=weft.netns("a"))
    weft("network", "connect", "net", "a")
    assert host.default_route(netns=weft.netns("a")) == ("10.88.0.1", "eth1")
    weft("network", "disconnect", "net", "a")
    assert host.default_route(netns=weft.netns("a")) == before
    weft.start("b", "--network", "net")
    weft("network", "connect", "own", "b")
    assert host.default_route(netns=weft.netns("b")) == ("10.88.0.1", "eth0")
    weft("stop", "-t", "0", "b")
    weft("start", "b")
    assert host.default_route(netns=weft.netns("b")) == ("10.88.0.1", "eth0")
    weft("network", "disconnect", "net", "b")
    assert host.default_route(netns=weft.netns("b"))[1] == "eth1"


def test_an_attached_namespace(weft, host):
    create(weft, "net", chain(BRIDGE))
    path = weft.attach("ns", "--network", "net")
    assert host.addresses("eth0", netns=path) == ["10.88.0.2/16"]
    weft.start("a", "--network", "net")
    weft.ping("a", "ns")
    weft("detach", "ns")
    assert "eth0" not in host.links(netns=path)


# ---- what plugins are told ----


def test_a_chain(weft, fakes):
    create_fake(weft)
    assert fakes.calls() == ["one VERSION ", "two VERSION ", "one STATUS ", "two STATUS "]
    fakes.forget()
    weft.start("a", "--network", "net")
    assert fakes.calls() == ["one ADD eth0", "two ADD eth0"]
    assert fakes.read("one", "ADD") == {"cniVersion": "1.1.0", "name": "lan", "type": "one"}
    result = fakes.read("two", "ADD")["prevResult"]
    assert result["ips"][0]["address"] == "10.99.0.7/24"
    env = fakes.env("one", "ADD")
    sandbox = weft.sandbox("a")
    assert env["CNI_CONTAINERID"] == sandbox["Id"]
    assert env["CNI_NETNS"] == sandbox["Netns"]
    assert env["CNI_PATH"] == FAKES
    assert weft.address("a", "net") == "10.99.0.7"
    assert weft.endpoint("a", "net")["MacAddress"] == "02:00:00:00:00:07"
    fakes.forget()
    weft("rm", "-f", "a")
    assert fakes.calls() == ["two DEL eth0", "one DEL eth0"]
    assert fakes.read("two", "DEL")["prevResult"] == fakes.read("one", "DEL")["prevResult"]
    assert fakes.read("one", "DEL")["prevResult"]["ips"] == result["ips"]
    fakes.forget()
    weft("network", "rm", "net")
    assert fakes.calls() == ["one GC ", "two GC "]
    assert fakes.read("one", "GC")["cni.dev/valid-attachments"] == []


def test_capabilities(weft, fakes):
    everything = ["portMappings", "bandwidth", "ips", "mac", "aliases", "dns"]
    config = chain(
        {"type": "one", "capabilities": {name: True for name in everything}},
        {"type": "two", "capabilities": {"mac": True, "ips": False}},
    )
    create_fake(weft, config)
    weft.start("a", "--network", "net", "--network-alias", "ay", "--ip", "10.99.0.7",
               "--mac-address", "02:00:00:00:00:07", "-p", "127.0.0.1:8080:80/udp",
               "--dns", "192.0.2.9")  # fmt: skip
    told = fakes.read("one", "ADD")["runtimeConfig"]
    assert told["ips"] == ["10.99.0.7"]
    assert told["mac"] == "02:00:00:00:00:07"
    assert {"a", "ay"} <= set(told["aliases"])
    assert told["dns"]["servers"] == ["192.0.2.9"]
    assert told["portMappings"] == [
        {"hostPort": 8080, "containerPort": 80, "protocol": "udp", "hostIP": "127.0.0.1"}
    ]
    assert "bandwidth" not in told
    assert fakes.read("two", "ADD")["runtimeConfig"] == {"mac": "02:00:00:00:00:07"}
    weft("rm", "-f", "a")
    assert fakes.read("one", "DEL")["runtimeConfig"] == told


def test_the_highest_version_in_common(weft, fakes):
    fakes.do("two", "VERSION", 'echo \'{"supportedVersions":["0.3.1","0.4.0","1.0.0"]}\'; exit\n')
    create_fake(weft, two("0.4.0", cniVersions=["0.4.0", "1.0.0", "1.1.0"]))
    assert "one STATUS " not in fakes.calls()
    weft.start("a", "--network", "net")
    assert fakes.read("one", "ADD")["cniVersion"] == "1.0.0"
    says = ["CNI plugin two (VERSION)", "speaks no version"]
    fails_to_create(weft, two("1.1.0"), *says, name="newer")


def test_check_when_weftd_starts(weft, fakes, daemon):
    create_fake(weft)
    weft.start("a", "--network", "net")
    weft.start("b", "--network", "none")
    fakes.forget()
    daemon.restart()
    eventually(lambda: fakes.calls() == ["one CHECK eth0", "two CHECK eth0"], what="CHECK")
    assert fakes.read("one", "CHECK")["prevResult"]["ips"][0]["address"] == "10.99.0.7/24"
    fakes.fail("one", "CHECK", 101, "the cable is cut", "by a digger")
    daemon.restart()
    eventually(
        lambda: "CNI plugin one (CHECK): error 101: the cable is cut: by a digger" in daemon.log(),
        what="word of CHECK",
    )


def test_no_check_where_it_is_disabled(weft, fakes, daemon):
    create_fake(weft, two("1.0.0", disableCheck=True, disableGC=True))
    weft.start("a", "--network", "net")
    fakes.forget()
    daemon.restart()
    weft("rm", "-f", "a")
    weft("network", "rm", "net")
    assert fakes.calls() == ["two DEL eth0", "one DEL eth0"]


def test_servers_and_search_lists_of_results(weft, fakes, host):
    """They are asked from the container's namespace, as --dns servers are."""
    result = {"cniVersion": "1.1.0", "ips": [{"address": "10.99.0.7/24"}],
              "dns": {"nameservers": ["127.0.0.53", "192.0.2.99"], "search": ["lab.test"]}}  # fmt: skip
    fakes.do("one", "ADD", f"echo '{json.dumps(result)}'; exit\n")
    create_fake(weft, chain({"type": "one"}, version="1.1.0"))
    weft.start("a", "--network", "net")
    assert "search lab.test" in weft.exec("a", "cat", "/etc/resolv.conf").splitlines()
    host.run("ip", "addr", "add", "192.0.2.99/32", "dev", "lo", netns=weft.netns("a"))
    host.popen("dnsmasq", "-d", "-C", "/dev/null", "-R", "-h", "--listen-address=192.0.2.99",
               "--bind-interfaces", "--address=/there.test/192.0.2.44", netns=weft.netns("a"))  # fmt: skip
    eventually(lambda: "192.0.2.44" in weft("dns", "lookup", "--from", "a", "there.test"),
               what="an answer of the server")  # fmt: skip


# ---- what goes wrong ----


def fails_to_create(weft: Weft, config, *says: str, name: str = "net", options: tuple = ()) -> str:
    text = config if isinstance(config, str) else json.dumps(config)
    file = weft.host.write(f"/etc/cni/{name}.conflist", text)
    sentence = weft.fails("network", "create", "-d", "cni", "-o", f"config={file}",
                          "-o", f"path={FAKES}", *options, name, says=says)  # fmt: skip
    assert name not in weft("network", "ls")
    return sentence


def test_bad_configurations(weft, fakes):
    one = {"type": "one"}
    fails_to_create(weft, "garbage", "net.conflist", "invalid JSON")
    fails_to_create(weft, {}, "neither type", "nor plugins")
    fails_to_create(weft, chain(one, version="0.3.1"), "0.3.1", "0.4.0, 1.0.0 and 1.1.0")
    fails_to_create(weft, chain(), "plugins is empty")
    fails_to_create(weft, chain({}), "plugin 1: type is missing")
    fails_to_create(weft, chain({"type": "../one"}), "is not the name of a program")
    fails_to_create(weft, chain({"type": "absent"}), "CNI plugin absent is not in /run/fake")
    fails_to_create(weft, chain({**one, "ipam": {"type": "ipam"}}), "ipam is not in /run/fake")
    fails_to_create(weft, chain(one), "not for plugin two", options=("-o", "plugin=two"))
    fails_to_create(weft, chain(one), "option bogus", options=("-o", "bogus=1"))
    fails_to_create(weft, chain(one), "timeout", options=("-o", "timeout=0"))
    fails_to_create(weft, chain(one), "subnet", options=("--subnet", "10.1.0.0/16"))
    fails_to_create(weft, chain(one), "internal", options=("--internal",))
    assert fakes.calls() == []
    for options, says in (
        ((), "needs option config"),
        (("-o", "config=/absent"), "/absent"),
        (("-o", "config=relative"), "not an absolute path"),
        (("-o", "plugin=sub/one"), "neither a name nor an absolute path"),
        (("-o", "plugin=one", "-o", "path=relative"), "absolute folders"),
        (("-o", "plugin=/run/fake/absent"), "absent is not in"),
    ):
        weft.fails("network", "create", "-d", "cni", *options, "net", says=says)


def test_wishes_that_nobody_takes(weft, fakes):
    create_fake(weft)
    for flags, says in (
        (("--ip", "10.99.0.7"), ("10.99.0.7", "capability ips")),
        (("--mac-address", "02:00:00:00:00:07"), ("capability mac",)),
    ):
        weft.fails("run", "-d", "--network", "net", *flags, "--", "true", status=125, says=says)
    assert "one ADD eth0" not in fakes.calls()


def test_another_address_than_asked_for(weft, fakes):
    create_fake(weft, chain({"type": "one", "capabilities": {"ips": True}}))
    weft.fails("run", "-d", "--name", "a", "--network", "net", "--ip", "10.99.0.9", "--", "true",
               status=125, says=["10.99.0.7", "not 10.99.0.9"])  # fmt: skip
    assert fakes.calls()[-2:] == ["one ADD eth0", "one DEL eth0"]


def test_errors_are_shown_with_code_and_details(weft, fakes):
    create_fake(weft)
    fakes.forget()
    fakes.fail("two", "ADD", 7, "Invalid Configuration", "Network too small")
    sentence = "CNI plugin two (ADD): error 7: Invalid Configuration: Network too small"
    weft.fails("run", "-d", "--name", "a", "--network", "net", "--", "sleep", "9",
               status=125, says=sentence)  # fmt: skip
    # All of them let go, the last first.
    assert fakes.calls() == ["one ADD eth0", "two ADD eth0", "two DEL eth0", "one DEL eth0"]
    assert "prevResult" not in fakes.read("one", "DEL")
    weft.start("b")
    result = weft.docker_attempt("network", "connect", "net", "b")
    assert result.status != 0 and sentence in result.err
    assert weft.networks("b") == {"bridge"}


def test_a_network_that_is_not_ready(weft, fakes):
    fakes.fail("two", "STATUS", 50, "not available", "the daemon is down")
    fails_to_create(weft, two(), "CNI plugin two (STATUS): error 50: not available: the daemon")


@pytest.mark.parametrize(
    "script, says",
    [
        ("echo garbage; exit\n", "invalid JSON"),
        ("exit 0\n", "it is empty"),
        ("echo what a pity >&2; exit 3\n", "it ended with status 3: what a pity"),
        ("kill -9 $$\n", "signal 9 ended it"),
        ('echo \'{"ips":[{"address":"10.0.0.1"}]}\'; exit\n', "10.0.0.1"),
        ("sleep 100\n", "it did not end within 1 s"),
        ("head -c 2000000 /dev/zero; exit\n", "more than 1048576 bytes"),
    ],
)
def test_a_plugin_that_misbehaves(weft, fakes, script, says):
    create_fake(weft, None, "-o", "timeout=1")
    fakes.do("one", "ADD", script)
    weft.fails("run", "-d", "--name", "a", "--network", "net", "--", "sleep", "9",
               status=125, says=["CNI plugin one (ADD)", says])  # fmt: skip
    assert fakes.calls()[-2:] == ["two DEL eth0", "one DEL eth0"]
    fakes.do("one", "ADD", "")
    weft.start("b", "--network", "net")
    assert weft.address("b", "net") == "10.99.0.7"


def test_weftd_goes_on_while_a_plugin_takes_its_time(weft, fakes, host):
    create_fake(weft)
    fakes.do("one", "ADD", f"while ! [ -e {FAKES}/go ]; do sleep 0.05; done\n")
    run = weft.popen("run", "-d", "--name", "a", "--network", "net", "--", "sleep", "1000")
    eventually(lambda: "one ADD eth0" in fakes.calls(), what="ADD")
    begin = time.monotonic()
    weft.start("b")
    weft.ping("b", "172.17.0.1")
    weft.fails("network", "rm", "net")
    assert time.monotonic() - begin < 10
    assert run.poll() is None
    host.write(f"{FAKES}/go", "")
    assert run.wait(10) == 0
    assert weft.address("a", "net") == "10.99.0.7"


def test_a_plugin_that_cannot_delete_is_not_waited_for(weft, fakes, daemon):
    create_fake(weft)
    weft.start("a", "--network", "net")
    fakes.fail("two", "DEL", 5, "disk on fire")
    weft("rm", "-f", "a")
    assert fakes.calls()[-2:] == ["two DEL eth0", "one DEL eth0"]
    eventually(lambda: "disk on fire" in daemon.log(), what="word of it")
    weft("network", "rm", "net")


def test_weftd_is_killed_while_a_plugin_adds(weft, fakes, host, daemon):
    """The plugin goes on; the next weftd lets it end before it has everything deleted."""
    create_fake(weft)
    wait = f"while ! [ -e {FAKES}/go ]; do sleep 0.05; done\n"
    fakes.do("one", "ADD", f"{wait}echo end >>{FAKES}/calls\n")
    run = weft.popen("run", "-d", "--name", "a", "--network", "net", "--", "sleep", "1000")
    eventually(lambda: "one ADD eth0" in fakes.calls(), what="ADD")
    daemon.kill9()
    run.wait(10)
    fakes.forget()
    daemon.start()
    time.sleep(0.5)
    assert fakes.calls() == []
    host.write(f"{FAKES}/go", "")
    eventually(lambda: len(fakes.calls()) == 3, what="DEL")
    assert fakes.calls() == ["end", "two DEL eth0", "one DEL eth0"]
    eventually(lambda: weft.attempt("start", "a").status == 0, what="a starts")
    assert weft.address("a", "net") == "10.99.0.7"


def test_containers_outlive_weftd(weft, host, daemon):
    create(weft, "net", chain(BRIDGE))
    weft.start("a", "--network", "net")
    weft.start("b", "--network", "net")
    before = host.run("ip", "addr", netns=weft.netns("a"))
    routes = host.run("ip", "route", netns=weft.netns("a"))
    daemon.restart()
    assert host.run("ip", "addr", netns=weft.netns("a")) == before
    assert host.run("ip", "route", netns=weft.netns("a")) == routes
    weft.ping("a", "b")
    weft("rm", "-f", "a")
    assert [f.name for f in host.path("/var/lib/cni/networks/lan").glob("10.*")] == ["10.88.0.3"]


def test_a_machine_that_was_switched_off(weft, fakes, host, daemon):
    """Its namespaces have gone, and what was in them; the plugins are told all the same."""
    create_fake(weft)
    weft.start("a", "--network", "net")
    pid, netns = weft.pid("a"), weft.netns("a")
    daemon.kill9()
    host.run("kill", "-9", str(pid))
    host.run("umount", netns)
    host.run("rm", netns)
    fakes.forget()
    daemon.start()
    eventually(lambda: fakes.calls() == ["two DEL eth0", "one DEL eth0"], what="DEL")
    eventually(lambda: weft.attempt("start", "a").status == 0, what="a starts")
    assert weft.address("a", "net") == "10.99.0.7"


def test_both_families(weft, host):
    ranges = [[{"subnet": SUBNET}], [{"subnet": "fd00:88::/64"}]]
    routes = [{"dst": "0.0.0.0/0"}, {"dst": "::/0"}, {"dst": "10.200.0.0/16"}]
    ipam = {**HOST_LOCAL, "ranges": ranges, "routes": routes}
    create(weft, "net", chain({**BRIDGE, "ipam": ipam}))
    weft.serve("a", "--network", "net")
    weft.start("b", "--network", "net")
    endpoint = weft.endpoint("a", "net")
    assert endpoint["GlobalIPv6Address"] == "fd00:88::2"
    assert endpoint["GlobalIPv6PrefixLen"] == 64
    assert endpoint["IPv6Gateway"] == "fd00:88::1"
    assert host.default_route(6, netns=weft.netns("a")) == ("fd00:88::1", "eth0")
    weft.ping("b", endpoint["GlobalIPv6Address"])
    assert "fd00:88::2" in weft("dns", "lookup", "-t", "AAAA", "--from", "b", "a")
