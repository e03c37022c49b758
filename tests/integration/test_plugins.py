# SPDX-License-Identifier: Apache-2.0
"""Network and IPAM drivers that are Docker plugins: tests/plugins/remote.py, well-behaved and not."""

from __future__ import annotations

import contextlib
import json
import os
import pathlib
import signal
import sys
import time

import pytest

from hosts import Host, eventually
from weftd import Weft

PLUGIN = str(pathlib.Path(__file__).parents[1] / "plugins" / "remote.py")
SLEEP = ("sleep", "1000")


class Plugin:
    """A plugin that runs in a host."""

    def __init__(self, host: Host, name: str = "plug", *args: str):
        self.host = host
        self.name = name
        self.args = args
        self.start()

    def start(self) -> Plugin:
        self._child = self.host.popen(
            sys.executable, "-B", PLUGIN, self.name, *self.args,
            stdout=-1, stderr=None, text=True,
        )  # fmt: skip
        assert self._child.stdout and self._child.stdout.readline() == "listening\n"
        self._pid = self.host.child_of(self._child.pid)
        return self

    def end(self) -> None:
        """As a crash does: its socket stays and refuses."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self._pid, signal.SIGKILL)
        self._child.wait()

    def _file(self, name: str) -> str:
        return f"/run/plugin-{self.name}/{name}"

    def fault(self, method: str, **what) -> None:
        """What goes wrong from now on when the method is called; nothing: nothing does."""
        path = self.host.path(self._file("faults"))
        faults = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
        faults.pop(method, None)
        if what:
            faults[method] = what
        self.host.write(self._file("faults"), json.dumps(faults))

    def calls(self) -> list[dict]:
        """What it was asked, in order."""
        path = self.host.path(self._file("calls"))
        if not path.exists():
            return []
        return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]

    def methods(self) -> list[str]:
        return [call["method"] for call in self.calls()]

    def bodies(self, method: str) -> list[dict]:
        return [call["body"] for call in self.calls() if call["method"] == method]

    def forget(self) -> None:
        """The calls up to now."""
        self.host.path(self._file("calls")).unlink(missing_ok=True)

    @property
    def memory(self) -> dict:
        return json.loads(self.host.read(self._file("state")))

    def assert_holds_nothing(self) -> None:
        memory = self.memory
        assert memory["networks"] == memory["endpoints"] == memory["pools"] == {}, memory
        links = self.host.links()
        assert not [name for name in links if name[:2] in ("pb", "ph", "pc")], list(links)


@pytest.fixture
def plugin(host) -> Plugin:
    return Plugin(host)


BOTH = ("-d", "plug", "--ipam-driver", "plug")


def make_network(weft: Weft, name: str = "net", *flags: str) -> str:
    return weft.docker("network", "create", *BOTH, *flags, name)


# ---- the main job ----


def test_a_network_of_a_plugin_for_both(weft, host, plugin):
    identity = make_network(weft)
    network = weft.daemon.get("/networks/net")
    assert network["Driver"] == "plug"
    assert network["IPAM"]["Driver"] == "plug"
    assert network["IPAM"]["Config"] == [{"Subnet": "10.200.0.0/24", "Gateway": "10.200.0.1"}]
    weft.start("a", "--network", "net")
    weft.start("b", "--network", "net")
    assert weft.address("a", "net") == "10.200.0.2"
    assert weft.address("b", "net") == "10.200.0.3"
    # The link has the name that the plugin's prefix asks for, its address, routes and gateway.
    netns = weft.netns("a")
    assert host.addresses("plug0", netns) == ["10.200.0.2/24"]
    assert host.default_route(4, netns) == ("10.200.0.1", "plug0")
    assert "198.51.100.0/24 dev plug0" in host.run("ip", "route", netns=netns)
    weft.ping("a", "10.200.0.3")
    weft.ping("a", "10.200.0.1")
    weft("rm", "-f", "a", "b")
    weft("network", "rm", "net")
    plugin.assert_holds_nothing()
    assert plugin.bodies("NetworkDriver.CreateNetwork")[0]["NetworkID"] == identity


def test_every_call_in_its_order(weft, plugin):
    make_network(weft)
    assert plugin.methods() == [
        "Plugin.Activate",
        "IpamDriver.GetCapabilities",
        "NetworkDriver.GetCapabilities",
        "IpamDriver.GetDefaultAddressSpaces",
        "IpamDriver.RequestPool",
        "IpamDriver.RequestAddress",
        "NetworkDriver.CreateNetwork",
    ]
    plugin.forget()
    weft.start("a", "--network", "net")
    assert plugin.methods() == [
        "IpamDriver.RequestAddress",
        "NetworkDriver.CreateEndpoint",
        "NetworkDriver.Join",
        "NetworkDriver.EndpointOperInfo",
        "NetworkDriver.ProgramExternalConnectivity",
    ]
    plugin.forget()
    weft("rm", "-f", "a")
    assert plugin.methods() == [
        "NetworkDriver.RevokeExternalConnectivity",
        "NetworkDriver.Leave",
        "NetworkDriver.DeleteEndpoint",
        "IpamDriver.ReleaseAddress",
    ]
    plugin.forget()
    weft("network", "rm", "net")
    assert plugin.methods() == [
        "NetworkDriver.DeleteNetwork",
        "IpamDriver.ReleaseAddress",
        "IpamDriver.ReleasePool",
    ]


def test_what_the_calls_say(weft, plugin):
    identity = make_network(
        weft, "net", "--subnet", "10.77.0.0/16", "--ip-range", "10.77.5.0/24", "--gateway",
        "10.77.0.9", "--aux-address", "printer=10.77.5.1", "-o", "colour=green",
        "--ipam-opt", "tenant=blue", "--internal",
    )  # fmt: skip
    assert plugin.bodies("IpamDriver.RequestPool") == [
        {
            "AddressSpace": "here",
            "Pool": "10.77.0.0/16",
            "SubPool": "10.77.5.0/24",
            "Options": {"tenant": "blue"},
            "V6": False,
        }
    ]
    pool = "here/10.77.0.0/16"
    assert plugin.bodies("IpamDriver.RequestAddress") == [
        {
            "PoolID": pool,
            "Address": "10.77.0.9",
            "Options": {"RequestAddressType": "com.docker.network.gateway"},
        },
        {"PoolID": pool, "Address": "10.77.5.1", "Options": {}},
    ]
    [create] = plugin.bodies("NetworkDriver.CreateNetwork")
    assert create["NetworkID"] == identity
    assert create["IPv4Data"] == [
        {
            "AddressSpace": "here",
            "Pool": "10.77.0.0/16",
            "Gateway": "10.77.0.9/16",
            "AuxAddresses": {"printer": "10.77.5.1/16"},
        }
    ]
    assert create["IPv6Data"] == []
    assert create["Options"]["com.docker.network.generic"] == {"colour": "green"}
    assert create["Options"]["com.docker.network.internal"] is True
    plugin.forget()
    weft.start("a", "--network", "net", "--ip", "10.77.5.33", "--mac-address", "02:00:00:00:00:33")
    assert plugin.bodies("IpamDriver.RequestAddress")[0]["Address"] == "10.77.5.33"
    [endpoint] = plugin.bodies("NetworkDriver.CreateEndpoint")
    assert endpoint["Interface"] == {
        "Address": "10.77.5.33/16",
        "AddressIPv6": "",
        "MacAddress": "02:00:00:00:00:33",
    }
    [join] = plugin.bodies("NetworkDriver.Join")
    assert join["SandboxKey"] == weft.netns("a")
    assert join["EndpointID"] == endpoint["EndpointID"] == weft.endpoint("a", "net")["EndpointID"]
    # Nothing leads out of an internal network.
    assert "NetworkDriver.ProgramExternalConnectivity" not in plugin.methods()


def test_dual_stack(weft, host, plugin):
    make_network(weft, "net", "--ipv6")
    assert [body["V6"] for body in plugin.bodies("IpamDriver.RequestPool")] == [False, True]
    weft.start("a", "--network", "net")
    weft.start("b", "--network", "net")
    netns = weft.netns("a")
    assert host.addresses("plug0", netns) == ["10.200.0.2/24", "fd00:200:1::2/64"]
    assert host.default_route(6, netns) == ("fd00:200:1::1", "plug0")
    weft.ping("a", weft.address6("b", "net"))
    weft("rm", "-f", "a", "b")
    weft("network", "rm", "net")
    plugin.assert_holds_nothing()


def test_driver_alone_with_wefts_addresses(weft, host, plugin):
    weft.docker("network", "create", "-d", "plug", "--subnet", "10.9.0.0/24", "net")
    weft.start("a", "--network", "net")
    assert weft.address("a", "net") == "10.9.0.2"
    assert host.addresses("plug0", weft.netns("a")) == ["10.9.0.2/24"]
    weft.ping("a", "10.9.0.1")
    assert not [method for method in plugin.methods() if method.startswith("Ipam")]
    weft("rm", "-f", "a")
    weft("network", "rm", "net")
    plugin.assert_holds_nothing()


def test_ipam_alone_with_wefts_bridge(weft, host, plugin):
    weft.docker("network", "create", "--ipam-driver", "plug", "net")
    weft.start("a", "--network", "net")
    weft.start("b", "--network", "net")
    assert weft.address("a", "net") == "10.200.0.2"
    weft.ping("a", weft.address("b", "net"))
    weft.ping("a", "10.200.0.1")
    assert "NetworkDriver.CreateNetwork" not in plugin.methods()
    weft("rm", "-f", "a", "b")
    weft("network", "rm", "net")
    assert plugin.memory["pools"] == {}


def test_a_pool_that_is_taken_is_not_used(weft, plugin):
    """The plugin does not know of the other network: it is asked until it offers a free one."""
    weft("network", "create", "--subnet", "10.200.0.0/16", "--ip-range", "10.200.0.0/24", "big")
    weft("network", "rm", "big")
    weft("network", "create", "--subnet", "10.200.0.0/23", "taken")
    make_network(weft)
    config = weft.daemon.get("/networks/net")["IPAM"]["Config"]
    assert config[0]["Subnet"] == "10.200.2.0/24"
    assert list(plugin.memory["pools"]) == ["here/10.200.2.0/24"]


def test_connect_and_disconnect_while_running(weft, host, plugin):
    make_network(weft)
    weft.start("a")
    weft.docker("network", "connect", "net", "a")
    netns = weft.netns("a")
    assert host.addresses("plug0", netns) == ["10.200.0.2/24"]
    weft.docker("network", "disconnect", "net", "a")
    assert "plug0" not in host.links(netns)
    assert plugin.memory["endpoints"] == {}
    assert weft.networks("a") == {"bridge"}


def test_attached_namespace(weft, host, plugin):
    make_network(weft)
    path = weft.attach("ns", "--network", "net")
    assert host.addresses("plug0", path) == ["10.200.0.2/24"]
    weft("detach", "ns")
    assert "plug0" not in host.links(path)
    assert plugin.memory["endpoints"] == {}


def test_names_on_a_plugins_network(weft, plugin):
    make_network(weft)
    weft.start("a", "--network", "net")
    weft.start("b", "--network", "net")
    assert weft.address("b", "net") in weft.exec("a", "getent", "ahostsv4", "b")


def test_external_connectivity_follows_the_default_route(weft, plugin):
    """The endpoint of the network with the higher priority carries it."""
    make_network(weft, "one")
    make_network(weft, "two")
    weft.start("a", "--network", "one")
    first = weft.endpoint("a", "one")["EndpointID"]
    plugin.forget()
    weft.docker("network", "connect", "--gw-priority", "5", "two", "a")
    second = weft.endpoint("a", "two")["EndpointID"]
    eventually(
        lambda: plugin.memory["endpoints"][first]["external"] is False
        and plugin.memory["endpoints"][second]["external"] is True,
        what="the second endpoint carries the default route",
    )
    weft.docker("network", "disconnect", "two", "a")
    eventually(
        lambda: plugin.memory["endpoints"][first]["external"] is True,
        what="the first endpoint carries the default route again",
    )


def test_ports_are_told_to_the_driver(weft, plugin):
    make_network(weft)
    weft.start("a", "--network", "net", "-p", "8080:80")
    [join] = plugin.bodies("NetworkDriver.Join")
    assert join["Options"]["com.docker.network.endpoint.exposedports"] == [{"Proto": 6, "Port": 80}]
    [binding] = join["Options"]["com.docker.network.portmap"]
    assert (binding["Proto"], binding["Port"], binding["HostPort"]) == (6, 80, 8080)


def test_driver_options_of_an_endpoint(weft, plugin):
    make_network(weft)
    weft.start("a")
    weft.docker("network", "connect", "--driver-opt", "speed=fast", "net", "a")
    assert plugin.bodies("NetworkDriver.CreateEndpoint")[0]["Options"]["speed"] == "fast"


# ---- where plugins are found ----


def test_spec_file(weft, host):
    plugin = Plugin(host, "plug", "--unix", "/run/elsewhere.sock")
    host.write("/etc/docker/plugins/plug.spec", "unix:///run/elsewhere.sock\n")
    make_network(weft)
    assert "NetworkDriver.CreateNetwork" in plugin.methods()


def test_spec_file_with_tcp(weft, host):
    plugin = Plugin(host, "plug", "--tcp", "127.0.0.1:7777")
    host.write("/etc/docker/plugins/plug/plug.spec", "tcp://127.0.0.1:7777")
    make_network(weft)
    assert "NetworkDriver.CreateNetwork" in plugin.methods()


def make_certificates(host: Host) -> None:
    """An authority, and for server and client a key each and what the authority says of it."""
    host.write("/run/tls/names", "subjectAltName=IP:127.0.0.1")
    new = "openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes"
    host.run(
        "sh", "-ec", f"""cd /run/tls
        {new} -x509 -days 2 -subj /CN=authority -keyout ca.key -out ca.pem
        for who in server client; do
            {new} -subj /CN=$who -keyout $who.key -out $who.csr
            openssl x509 -req -in $who.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 \\
                -extfile names -out $who.pem
        done
        {new} -x509 -days 2 -subj /CN=nobody -keyout nobody.key -out nobody.pem""",
    )  # fmt: skip


def write_tls_json(host: Host, authority: str, client: str) -> None:
    tls = {
        "CAFile": f"/run/tls/{authority}.pem",
        "CertFile": f"/run/tls/{client}.pem",
        "KeyFile": f"/run/tls/{client}.key",
    }
    document = {"Name": "plug", "Addr": "https://127.0.0.1:7443", "TLSConfig": tls}
    host.write("/etc/docker/plugins/plug.json", json.dumps(document))


def test_tls(weft, host):
    make_certificates(host)
    tls = ("/run/tls/server.pem", "/run/tls/server.key", "/run/tls/ca.pem")
    plugin = Plugin(host, "plug", "--tcp", "127.0.0.1:7443", "--tls", *tls)
    # A server that the authority does not know, and a client that it does not.
    write_tls_json(host, "nobody", "client")
    sentence = weft.fails("network", "create", *BOTH, "net", says=("plugin plug", "certificate"))
    assert "https" not in sentence
    write_tls_json(host, "ca", "nobody")
    weft.fails("network", "create", *BOTH, "net", says="plugin plug")
    assert plugin.calls() == []
    write_tls_json(host, "ca", "client")
    make_network(weft)
    weft.start("a", "--network", "net")
    assert weft.address("a", "net") == "10.200.0.2"


# ---- bad plugins ----


def test_plugin_absent(weft):
    for flags in (("-d", "nosuch"), ("--ipam-driver", "nosuch")):
        begun = time.monotonic()
        weft.fails(
            "network", "create", *flags, "net",
            says=("plugin nosuch not found", "/run/docker/plugins", "/etc/docker/plugins"),
        )  # fmt: skip
        assert time.monotonic() - begun < 2
    answer = weft.daemon.request("POST", "/networks/create", {"Name": "net", "Driver": "nosuch"})
    assert answer.status == 404
    assert weft.docker_attempt("network", "create", "-d", "nosuch", "net").status == 1


def test_plugin_file_that_makes_no_sense(weft, host):
    host.write("/etc/docker/plugins/plug.spec", "carrier pigeon")
    weft.fails(
        "network", "create", *BOTH, "net",
        says=("/etc/docker/plugins/plug.spec", "carrier pigeon", "unix://"),
    )  # fmt: skip
    host.path("/etc/docker/plugins/plug.spec").unlink()
    host.write("/etc/docker/plugins/plug.json", '{"Addr": 17}')
    weft.fails("network", "create", *BOTH, "net", says=("plug.json", "Addr must be a string"))


def test_plugin_that_implements_something_else(weft, host):
    Plugin(host, "plug", "--implements", "VolumeDriver")
    answer = weft.daemon.request("POST", "/networks/create", {"Name": "net", "Driver": "plug"})
    assert answer.status == 400
    assert "plugin plug is no NetworkDriver" in answer.message


BAD_ANSWERS = [
    ({"do": "garbage"}, "JSON"),
    ({"do": "status", "code": 500, "body": "the disk is full"}, "500: the disk is full"),
    ({"do": "status", "code": 500, "body": '{"Err": "no more VLANs"}'}, "no more VLANs"),
    ({"do": "err", "text": "no more\nVLANs"}, "no more VLANs"),
    ({"do": "answer", "body": [1, 2]}, "no JSON object"),
    ({"do": "huge"}, "too long"),
]


@pytest.mark.parametrize(
    "method", ["NetworkDriver.CreateNetwork", "IpamDriver.RequestPool", "IpamDriver.RequestAddress"]
)
def test_bad_answers_to_creation(weft, plugin, method):
    for fault, says in BAD_ANSWERS:
        plugin.fault(method, **fault)
        weft.fails("network", "create", *BOTH, "net", says=(f"plugin plug: {method}: ", says))
        assert "net" not in weft("network", "ls")
        assert plugin.memory["networks"] == plugin.memory["pools"] == {}
    plugin.fault(method)
    make_network(weft)


@pytest.mark.parametrize(
    "method", ["NetworkDriver.CreateEndpoint", "NetworkDriver.Join", "IpamDriver.RequestAddress"]
)
def test_bad_answers_to_joining(weft, host, plugin, method):
    make_network(weft)
    weft.start("a")
    for fault, says in BAD_ANSWERS:
        plugin.fault(method, **fault)
        weft.fails("network", "connect", "net", "a", says=(f"plugin plug: {method}: ", says))
        assert weft.networks("a") == {"bridge"}
        assert set(host.links(weft.netns("a"))) == {"lo", "eth0"}
        memory = plugin.memory
        assert memory["endpoints"] == {}
        assert memory["pools"]["here/10.200.0.0/24"]["taken"] == ["10.200.0.1"]
    plugin.fault(method)
    weft("network", "connect", "net", "a")
    assert weft.address("a", "net") == "10.200.0.2"


WRONG_CREATION = [
    ("Plugin.Activate", {"Implements": "NetworkDriver"}, "Implements must be an array"),
    ("NetworkDriver.GetCapabilities", {"Scope": "universal"}, "local or global"),
    ("NetworkDriver.GetCapabilities", {}, "Scope"),
    ("IpamDriver.GetDefaultAddressSpaces", {"LocalDefaultAddressSpace": 1}, "a string"),
    ("IpamDriver.RequestPool", {"PoolID": "x"}, "no Pool"),
    ("IpamDriver.RequestPool", {"Pool": "10.1.0.0/24"}, "no PoolID"),
    ("IpamDriver.RequestPool", {"PoolID": "x", "Pool": "ten"}, "Pool must be an address"),
    ("IpamDriver.RequestPool", {"PoolID": "x", "Pool": "fd00::/64"}, "must be an IPv4"),
    ("IpamDriver.RequestPool", {"PoolID": "x", "Pool": "10.1.0.0/24", "Data": 1}, "an object"),
    (
        "IpamDriver.RequestPool",
        {
            "PoolID": "x",
            "Pool": "10.1.0.0/24",
            "Data": {"com.docker.network.gateway": "10.2.0.1/24"},
        },
        "10.2.0.1 lies outside its pool 10.1.0.0/24",
    ),
    ("IpamDriver.RequestAddress", {"Address": "192.0.2.7/24"}, "192.0.2.7 lies outside pool 10.2"),
    ("IpamDriver.RequestAddress", {"Address": "10.200.0.1"}, "length of its prefix"),
    ("IpamDriver.RequestAddress", {}, "no Address"),
]


def test_wrong_types_and_addresses_in_creation(weft, plugin):
    for method, body, says in WRONG_CREATION:
        plugin.fault(method, do="answer", body=body)
        where = method if "its pool" not in says else "plug"
        weft.fails("network", "create", *BOTH, "net", says=("plugin plug: ", where, says))
        assert "net" not in weft("network", "ls")
        plugin.fault(method)


WRONG_JOINING = [
    ("IpamDriver.RequestAddress", {"Address": "192.0.2.7/24"}, "outside pool 10.200.0.0/24"),
    ("IpamDriver.RequestAddress", {"Address": ["10.200.0.7/24"]}, "Address must be a string"),
    ("NetworkDriver.CreateEndpoint", {"Interface": {"Address": "10.200.0.9/24"}}, "10.200.0.9"),
    ("NetworkDriver.CreateEndpoint", {"Interface": {"AddressIPv6": "fd00::9/64"}}, "fd00::9"),
    ("NetworkDriver.CreateEndpoint", {"Interface": {"MacAddress": "zz"}}, "no MAC address"),
    ("NetworkDriver.CreateEndpoint", {"Interface": "eth0"}, "Interface must be an object"),
    ("NetworkDriver.Join", {"InterfaceName": {"SrcName": "nosuch0"}}, "no link of the host"),
    ("NetworkDriver.Join", {"InterfaceName": {"SrcName": "a/b"}}, "no name of an interface"),
    (
        "NetworkDriver.Join",
        {"InterfaceName": {"SrcName": "lo", "DstPrefix": "much too long"}},
        "DstPrefix",
    ),
    ("NetworkDriver.Join", {"Gateway": "fd00::1"}, "Gateway must be an IPv4 address"),
    ("NetworkDriver.Join", {"Gateway": "router"}, "not an IP address"),
    ("NetworkDriver.Join", {"StaticRoutes": [{"Destination": "x"}]}, "x"),
    (
        "NetworkDriver.Join",
        {"StaticRoutes": [{"Destination": "10.0.0.0/8", "RouteType": 0}]},
        "NextHop",
    ),
]


def test_wrong_types_and_addresses_in_joining(weft, host, plugin):
    make_network(weft)
    weft.start("a")
    for method, body, says in WRONG_JOINING:
        plugin.fault(method, do="answer", body=body)
        weft.fails("network", "connect", "net", "a", says=("plugin plug: ", method, says))
        assert weft.networks("a") == {"bridge"}
        assert set(host.links(weft.netns("a"))) == {"lo", "eth0"}
        plugin.fault(method)


def test_an_address_given_twice(weft, plugin):
    make_network(weft)
    weft.start("a", "--network", "net")
    plugin.fault("IpamDriver.RequestAddress", do="answer", body={"Address": "10.200.0.2/24"})
    weft.fails("run", "-d", "--name", "b", "--network", "net", "--", *SLEEP,
               says=("10.200.0.2", "container a"), status=125)  # fmt: skip
    plugin.fault("IpamDriver.RequestAddress", do="answer", body={"Address": "10.200.0.1/24"})
    weft.fails("run", "-d", "--name", "c", "--network", "net", "--", *SLEEP,
               says=("10.200.0.1", "gateway"), status=125)  # fmt: skip
    # They are whose they were.
    assert plugin.bodies("IpamDriver.ReleaseAddress") == []
    assert weft.status("a") == "running"


def test_refused_join_of_a_new_container(weft, plugin):
    """The container stays and can be started when the plugin agrees."""
    make_network(weft)
    plugin.fault("NetworkDriver.Join", do="err", text="not today")
    weft.fails(
        "run", "-d", "--name", "a", "--network", "net", "--", *SLEEP, says="not today", status=125
    )
    plugin.fault("NetworkDriver.Join")
    weft("start", "a")
    assert weft.address("a", "net") == "10.200.0.2"
    assert len(plugin.memory["endpoints"]) == 1


@pytest.mark.parametrize(
    "method", ["NetworkDriver.Leave", "NetworkDriver.DeleteEndpoint", "IpamDriver.ReleaseAddress"]
)
def test_refused_leaving_is_leaving(weft, plugin, method):
    make_network(weft)
    weft.start("a")
    weft("network", "connect", "net", "a")
    plugin.fault(method, do="err", text="I like it here")
    weft("network", "disconnect", "net", "a")
    assert weft.networks("a") == {"bridge"}
    assert "I like it here" in weft.daemon.log()


def test_methods_that_a_plugin_need_not_know(weft, plugin):
    for method in (
        "IpamDriver.GetCapabilities",
        "NetworkDriver.EndpointOperInfo",
        "NetworkDriver.ProgramExternalConnectivity",
        "NetworkDriver.RevokeExternalConnectivity",
    ):
        plugin.fault(method, do="status", code=404)
    make_network(weft)
    weft.start("a", "--network", "net")
    assert weft.address("a", "net") == "10.200.0.2"
    weft("rm", "-f", "a")
    assert "warning" not in weft.daemon.log()


# ---- slow and dead ----


def test_a_slow_plugin_holds_up_nobody_else(weft, plugin):
    make_network(weft)
    plugin.fault("NetworkDriver.Join", do="slow", seconds=4)
    waiting = weft.popen("run", "-d", "--name", "a", "--network", "net", "--", *SLEEP)
    eventually(lambda: "NetworkDriver.CreateEndpoint" in plugin.methods())
    begun = time.monotonic()
    weft.start("b")
    weft("network", "create", "other")
    weft("network", "rm", "other")
    weft.fails("network", "rm", "net", says="net")
    assert time.monotonic() - begun < 3
    assert waiting.wait(20) == 0
    assert weft.address("a", "net") == "10.200.0.2"


def test_an_answer_that_comes_too_late(weft, plugin):
    plugin.fault("NetworkDriver.CreateNetwork", do="slow", seconds=60)
    begun = time.monotonic()
    weft.fails("network", "create", *BOTH, "net", says=("plugin plug", "no answer within 10 s"))
    assert 9 < time.monotonic() - begun < 15
    assert "net" not in weft("network", "ls")


def test_a_plugin_that_starts_late_is_waited_for(weft, host):
    """Its socket is there, and refuses: it is tried again."""
    plugin = Plugin(host)
    plugin.end()
    waiting = weft.popen("network", "create", *BOTH, "net")
    time.sleep(2)
    plugin.start()
    assert waiting.wait(20) == 0
    assert "net" in weft("network", "ls")


def test_a_plugin_that_dies_in_mid_call_and_comes_back(weft, plugin):
    make_network(weft)
    plugin.fault("NetworkDriver.Join", do="die", times=1)
    waiting = weft.popen("run", "-d", "--name", "a", "--network", "net", "--", *SLEEP)
    eventually(lambda: "NetworkDriver.Join" in plugin.methods())
    plugin.end()
    plugin.start()
    assert waiting.wait(30) == 0
    assert weft.address("a", "net") == "10.200.0.2"


@pytest.mark.seconds(180)
def test_a_plugin_that_stays_dead(weft, plugin):
    plugin.end()
    begun = time.monotonic()
    weft.fails(
        "network", "create", *BOTH, "net",
        says=("plugin plug", "cannot be reached at /run/docker/plugins/plug.sock"), timeout=60,
    )  # fmt: skip
    assert 10 < time.monotonic() - begun < 35


def test_a_plugin_that_dies_while_containers_run(weft, host, plugin):
    make_network(weft)
    weft.start("a", "--network", "net")
    weft.start("b", "--network", "net")
    weft.start("c")
    weft("network", "connect", "net", "c")
    plugin.end()
    # What is attached goes on, across a restart of weftd too.
    weft.ping("a", weft.address("b", "net"))
    weft.daemon.restart()
    weft.ping("a", weft.address("b", "net"))
    assert host.addresses("plug0", weft.netns("a")) == ["10.200.0.2/24"]
    # Leaving works, and weftd says that the plugin could not be told.
    begun = time.monotonic()
    weft("network", "disconnect", "net", "c")
    assert weft.networks("c") == {"bridge"}
    assert "plug0" not in host.links(weft.netns("c"))
    weft("rm", "-f", "a")
    assert time.monotonic() - begun < 20
    assert "cannot be reached" in weft.daemon.log()
    weft.start("d")
    plugin.start()
    weft.start("e", "--network", "net")
    weft.ping("e", weft.address("b", "net"))


def test_networks_of_a_plugin_that_is_gone_can_be_removed(weft, host, plugin):
    make_network(weft)
    plugin.end()
    host.path("/run/docker/plugins/plug.sock").unlink()
    begun = time.monotonic()
    weft("network", "rm", "net")
    assert time.monotonic() - begun < 15
    assert "net" not in weft("network", "ls")


# ---- weftd dies ----


def test_weftd_killed_while_creating(weft, plugin):
    plugin.fault("NetworkDriver.CreateNetwork", do="slow", seconds=3)
    waiting = weft.popen("network", "create", *BOTH, "net", stderr=-1)
    eventually(lambda: "IpamDriver.RequestAddress" in plugin.methods())
    time.sleep(0.3)
    weft.daemon.kill9()
    assert waiting.wait(10) != 0
    plugin.fault("NetworkDriver.CreateNetwork")
    time.sleep(3.5)
    weft.daemon.start()
    eventually(lambda: plugin.memory["pools"] == plugin.memory["networks"] == {})
    assert "net" not in weft("network", "ls")
    make_network(weft)


@pytest.mark.parametrize("method", ["NetworkDriver.CreateEndpoint", "NetworkDriver.Join"])
def test_weftd_killed_while_joining(weft, host, plugin, method):
    make_network(weft)
    weft.start("a")
    plugin.fault(method, do="slow", seconds=2)
    waiting = weft.popen("network", "connect", "net", "a", stderr=-1)
    eventually(lambda: "IpamDriver.RequestAddress" in plugin.methods()[7:])
    time.sleep(0.5)
    weft.daemon.kill9()
    assert waiting.wait(10) != 0
    plugin.fault(method)
    time.sleep(2)
    weft.daemon.start()
    eventually(lambda: plugin.memory["endpoints"] == {})
    eventually(
        lambda: plugin.memory["pools"]["here/10.200.0.0/24"]["taken"] == ["10.200.0.1"],
        what="the address is released",
    )
    assert weft.status("a") == "running"
    eventually(lambda: weft.networks("a") == {"bridge"})
    weft("network", "connect", "net", "a")
    assert host.addresses("plug0", weft.netns("a")) == ["10.200.0.2/24"]


def test_replay_after_a_restart(weft, plugin):
    """A plugin that remembers nothing is told again of what it gave."""
    capabilities = {"RequiresRequestReplay": True}
    plugin.fault("IpamDriver.GetCapabilities", do="answer", body=capabilities)
    make_network(weft)
    weft.start("a", "--network", "net")
    weft.daemon.restart()
    plugin.forget()
    weft("network", "create", "--ipam-driver", "plug", "other")
    assert plugin.methods()[:6] == [
        "Plugin.Activate",
        "IpamDriver.GetCapabilities",
        "IpamDriver.RequestPool",
        "IpamDriver.RequestAddress",
        "IpamDriver.RequestAddress",
        "IpamDriver.GetDefaultAddressSpaces",
    ]
    addresses = [body["Address"] for body in plugin.bodies("IpamDriver.RequestAddress")]
    assert addresses[:2] == ["10.200.0.1", "10.200.0.2"]


def test_a_mac_for_an_ipam_driver_that_requires_one(weft, plugin):
    plugin.fault("IpamDriver.GetCapabilities", do="answer", body={"RequiresMACAddress": True})
    make_network(weft)
    weft.start("a", "--network", "net")
    [_, request] = plugin.bodies("IpamDriver.RequestAddress")
    mac = request["Options"]["com.docker.network.endpoint.macaddress"]
    assert plugin.bodies("NetworkDriver.CreateEndpoint")[0]["Interface"]["MacAddress"] == mac
    assert weft.endpoint("a", "net")["MacAddress"] == mac


def test_a_driver_that_wants_no_gateway(weft, host, plugin):
    """It says so before the pool is asked for; then there is no default route either."""
    capabilities = {"Scope": "global", "GwAllocChecker": True}
    plugin.fault("NetworkDriver.GetCapabilities", do="answer", body=capabilities)
    plugin.fault("NetworkDriver.GwAllocCheck", do="answer", body={"SkipIPv4": True})
    make_network(weft, "net", "-o", "colour=green")
    [check] = plugin.bodies("NetworkDriver.GwAllocCheck")
    assert check["Options"]["com.docker.network.generic"] == {"colour": "green"}
    assert plugin.bodies("IpamDriver.RequestAddress") == []
    assert plugin.bodies("IpamDriver.RequestPool")[0]["AddressSpace"] == "everywhere"
    assert "Gateway" not in plugin.bodies("NetworkDriver.CreateNetwork")[0]["IPv4Data"][0]
    weft.start("a", "--network", "net")
    assert host.addresses("plug0", weft.netns("a")) == ["10.200.0.1/24"]
    assert host.default_route(4, weft.netns("a")) is None
    assert "NetworkDriver.ProgramExternalConnectivity" not in plugin.methods()


def test_dry_run_asks_nobody(weft, plugin):
    shown = weft("network", "create", "--dry-run", "-d", "plug", "net")
    assert "plugin plug is asked first" in shown
    assert plugin.calls() == []
