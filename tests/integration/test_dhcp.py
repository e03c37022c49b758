# SPDX-License-Identifier: Apache-2.0
"""Addresses from a LAN's DHCP server: dnsmasq, and one that behaves as it is told.

The LAN is a switch with weft's host, by its eth0, and a router that is the server as well.
"""

from __future__ import annotations

import contextlib
import json
import pathlib
import subprocess
import sys
import threading
import time

import pytest

from hosts import Host, eventually
from lan import Lan
from weftd import Weft

SERVER = str(pathlib.Path(__file__).parent / "dhcp_server.py")
ROUTER = "198.51.100.1"
ROUTER6 = "2001:db8:1::1"
MACVLAN = ("-d", "macvlan", "-o", "parent=eth0")
DHCP = ("--ipam-driver", "dhcp")


class Dnsmasq:
    """The real one, in the foreground, with a log."""

    def __init__(self, host: Host, *options: str, port: int = 0):
        self.host = host
        host.write("/run/test/log", "")
        host.popen(
            "dnsmasq", "--no-daemon", "--conf-file=/dev/null", f"--port={port}", "--interface=eth0",
            "--bind-interfaces", "--user=root", "--log-dhcp", "--log-facility=/run/test/log",
            "--dhcp-leasefile=/run/test/leases", "--pid-file=", "--no-ping",
            *options,
        )  # fmt: skip
        eventually(lambda: "DHCP" in self.log(), what="dnsmasq is up")

    def log(self) -> str:
        return self.host.read("/run/test/log")

    def leases(self) -> dict[str, list[str]]:
        """MAC, name, client id by address."""
        with contextlib.suppress(FileNotFoundError):
            lines = [line.split() for line in self.host.read("/run/test/leases").splitlines()]
            return {
                line[2]: [line[1], line[3], line[4]]
                for line in lines
                if len(line) == 5 and "." in line[2]
            }
        return {}


class Scripted:
    """The one of dhcp_server.py."""

    def __init__(self, host: Host, **state):
        self.host = host
        self.state = {
            "manner": "serve",
            "pool": [f"198.51.100.{number}" for number in range(50, 60)],
            "seconds": 3600,
            "options": [[3, "c6336401"]],
        }
        host.write("/run/test/seen", "")
        self.set(**state)
        server = host.popen(
            sys.executable, SERVER, "eth0", ROUTER, "/run/test/state", "/run/test/seen",
            stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert server.stdout and server.stdout.readline() == "listening\n"

    def set(self, **state) -> None:
        self.state.update(state)
        self.host.write("/run/test/state.new", json.dumps(self.state))
        self.host.run("mv", "/run/test/state.new", "/run/test/state")

    def seen(self, kind: str | None = None) -> list[dict]:
        messages = [json.loads(line) for line in self.host.read("/run/test/seen").splitlines()]
        return [m for m in messages if kind in (None, m["type"])]


@pytest.fixture
def router(lan: Lan, host: Host) -> Host:
    """Plugs weft's host to the LAN, too."""
    lan.plug(host, "eth0")
    return lan.host("router", f"{ROUTER}/24", f"{ROUTER6}/64")


@pytest.fixture
def dnsmasq(router: Host) -> Dnsmasq:
    return Dnsmasq(
        router,
        "--dhcp-range=198.51.100.50,198.51.100.99,255.255.255.0,1h",
        f"--dhcp-option=option:router,{ROUTER}",
    )


@pytest.fixture
def scripted(router: Host) -> Scripted:
    return Scripted(router)


def ip_of(weft: Weft, name: str) -> list[str]:
    return weft.host.addresses("eth0", netns=weft.netns(name))


# ---- with dnsmasq ----


def test_lease(weft: Weft, dnsmasq: Dnsmasq, router: Host):
    """Address, router, a host name for the server, MAC; the LAN is reached; names work."""
    weft("network", "create", *MACVLAN, *DHCP, "lan")
    weft.start("web", "--network", "lan")
    weft.start("db", "--network", "lan")
    endpoint = weft.endpoint("web", "lan")
    address = endpoint["IPAddress"]
    assert address.startswith("198.51.100.")
    assert endpoint["IPPrefixLen"] == 24
    assert endpoint["Gateway"] == ROUTER
    assert ip_of(weft, "web") == [f"{address}/24"]
    assert weft.host.default_route(netns=weft.netns("web")) == (ROUTER, "eth0")
    mac, name, client = dnsmasq.leases()[address]
    assert mac == endpoint["MacAddress"]
    assert name == "web"
    assert client == f"01:{mac}"
    assert weft.address("db", "lan") != address
    weft.ping("web", ROUTER)
    router.ping(address)
    weft.ping("web", "db")
    weft.ping("db", address)


def test_names_of_the_lan(weft: Weft, router: Host):
    """The server names a name server and a domain: containers ask it, unless they have others."""
    Dnsmasq(
        router,
        "--dhcp-range=198.51.100.50,198.51.100.99,255.255.255.0,1h", "--no-resolv", "--no-hosts",
        "--domain=lan.example", "--address=/printer.lan.example/198.51.100.7", port=53,
    )  # fmt: skip
    weft("network", "create", *MACVLAN, *DHCP, "lan")
    weft.start("web", "--network", "lan")
    weft.start("own", "--network", "lan", "--dns", "198.51.100.250", "--dns-search", "other.example")
    assert "search lan.example\n" in weft.exec("web", "cat", "/etc/resolv.conf") + "\n"
    for name in ("printer", "printer.lan.example"):
        assert weft.exec("web", "getent", "ahostsv4", name).split()[0] == "198.51.100.7"
    assert weft.exec("web", "getent", "ahostsv4", "own").split()[0] == weft.address("own", "lan")
    assert "search other.example\n" in weft.exec("own", "cat", "/etc/resolv.conf") + "\n"


def test_release(weft: Weft, dnsmasq: Dnsmasq):
    """The server gets back what is not used any more; a container made anew gets the same."""
    weft("network", "create", *MACVLAN, *DHCP, "lan")
    weft.start("web", "--network", "lan")
    address = weft.address("web", "lan")
    weft("stop", "-t", "0", "web")
    eventually(lambda: address not in dnsmasq.leases(), what="the lease is given back")
    assert f"DHCPRELEASE(eth0) {address}" in dnsmasq.log()
    assert weft.address("web", "lan") == ""
    weft("start", "web")
    assert weft.address("web", "lan") == address
    weft("rm", "-f", "web")
    eventually(lambda: address not in dnsmasq.leases(), what="the lease is given back")
    weft.start("web", "--network", "lan")
    assert weft.address("web", "lan") == address
    weft("network", "disconnect", "lan", "web")
    eventually(lambda: address not in dnsmasq.leases(), what="the lease is given back")
    weft("network", "connect", "lan", "web")
    assert weft.address("web", "lan") == address


def test_reservation(weft: Weft, router: Host):
    """By MAC, asked for or that of the names."""
    Dnsmasq(
        router,
        "--dhcp-range=198.51.100.50,198.51.100.99,255.255.255.0,1h",
        "--dhcp-host=02:00:00:00:00:77,198.51.100.177",
    )
    weft("network", "create", *MACVLAN, *DHCP, "lan")
    weft.start("web", "--network", "lan", "--mac-address", "02:00:00:00:00:77")
    assert weft.address("web", "lan") == "198.51.100.177"
    weft.start("db", "--network", "lan")
    mac = weft.endpoint("db", "lan")["MacAddress"]
    weft("rm", "-f", "db")
    weft.start("db", "--network", "lan")
    assert weft.endpoint("db", "lan")["MacAddress"] == mac


def test_hostname(weft: Weft, dnsmasq: Dnsmasq):
    weft("network", "create", *MACVLAN, *DHCP, "lan")
    weft.start("web_1", "--network", "lan")
    assert dnsmasq.leases()[weft.address("web_1", "lan")][1] == "web-1"
    weft.start("db", "--network", "lan", "--hostname", "ledger")
    assert dnsmasq.leases()[weft.address("db", "lan")][1] == "ledger"


def test_asked_for(weft: Weft, dnsmasq: Dnsmasq):
    """--ip is asked of the server, and insisted on."""
    weft("network", "create", *MACVLAN, *DHCP, "lan")
    weft.start("web", "--network", "lan", "--ip", "198.51.100.70")
    assert weft.address("web", "lan") == "198.51.100.70"
    weft.fails(
        "run", "-d", "--name", "db", "--network", "lan", "--ip", "198.51.100.200",
        "--", "sleep", "9", status=125, says=("198.51.100.200", ROUTER, "eth0"),
    )  # fmt: skip
    assert "198.51.100.200" not in dnsmasq.leases()


def test_two_at_once(weft: Weft, dnsmasq: Dnsmasq):
    weft("network", "create", *MACVLAN, *DHCP, "lan")
    names = [f"c{number}" for number in range(4)]
    threads = [
        threading.Thread(target=weft.start, args=(name, "--network", "lan")) for name in names
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    addresses = {weft.address(name, "lan") for name in names}
    assert len(addresses) == 4
    assert addresses == set(dnsmasq.leases())


def test_docker(weft: Weft, dnsmasq: Dnsmasq):
    weft.docker(
        "network", "create", "-d", "macvlan", "--ipam-driver", "dhcp", "-o", "parent=eth0", "lan"
    )
    weft.docker("network", "inspect", "lan")
    weft.start("web", "--network", "lan")
    address = weft.docker(
        "inspect", "-f", "{{.NetworkSettings.Networks.lan.IPAddress}}", "web"
    )
    assert address in dnsmasq.leases()
    weft.docker("network", "disconnect", "lan", "web")
    eventually(lambda: address not in dnsmasq.leases(), what="the lease is given back")
    weft.docker("network", "connect", "lan", "web")
    assert weft.address("web", "lan") == address
    weft.docker("rm", "-f", "web")
    weft.docker("network", "rm", "lan")


def test_the_router_of_the_lan_is_not_the_host(weft: Weft, dnsmasq: Dnsmasq, router: Host):
    """A gateway of the user's choice takes the place of the server's, and is no address of weft's."""
    weft(
        "network", "create", "-o", "uplink=eth0", *DHCP, "--subnet", "198.51.100.0/24", "--gateway",
        "198.51.100.254", "lan",
    )  # fmt: skip
    weft.start("web", "--network", "lan")
    assert weft.host.default_route(netns=weft.netns("web")) == ("198.51.100.254", "eth0")
    addresses = weft.host.run("ip", "-br", "addr")
    assert "198.51.100.254" not in addresses


def test_bridge_with_uplink(weft: Weft, dnsmasq: Dnsmasq, router: Host):
    weft("network", "create", "-o", "uplink=eth0", *DHCP, "lan")
    weft.start("web", "--network", "lan")
    address = weft.address("web", "lan")
    assert address in dnsmasq.leases()
    weft.ping("web", ROUTER)
    router.ping(address)
    weft("rm", "-f", "web")
    eventually(lambda: address not in dnsmasq.leases(), what="the lease is given back")


def test_adopted_bridge(weft: Weft, dnsmasq: Dnsmasq, router: Host):
    weft.host.run(
        "ip", "-batch", "-",
        stdin="link add br0 type bridge forward_delay 0\nlink set eth0 master br0\nlink set br0 up\n",
    )  # fmt: skip
    weft("network", "create", "-o", "com.docker.network.bridge.name=br0", *DHCP, "lan")
    weft.start("web", "--network", "lan")
    assert weft.address("web", "lan") in dnsmasq.leases()
    router.ping(weft.address("web", "lan"))


def test_attached_namespace(weft: Weft, dnsmasq: Dnsmasq):
    weft("network", "create", *MACVLAN, *DHCP, "lan")
    path = weft.attach("lab", "--network", "lan")
    address = weft.host.addresses("eth0", netns=path)[0].partition("/")[0]
    assert address in dnsmasq.leases()
    weft("detach", "lab")
    eventually(lambda: address not in dnsmasq.leases(), what="the lease is given back")


@pytest.mark.parametrize("how", ["SIGTERM", "SIGKILL"])
def test_weftd_ends(weft: Weft, dnsmasq: Dnsmasq, how: str):
    """It goes on with what it has, and gives it back later."""
    weft("network", "create", *MACVLAN, *DHCP, "lan")
    weft.start("web", "--network", "lan")
    address = weft.address("web", "lan")
    weft.daemon.restart(15 if how == "SIGTERM" else 9)
    assert weft.address("web", "lan") == address
    assert address in dnsmasq.leases()
    assert ip_of(weft, "web") == [f"{address}/24"]
    weft("rm", "-f", "web")
    eventually(lambda: address not in dnsmasq.leases(), what="the lease is given back")


@pytest.mark.parametrize(
    "driver", [MACVLAN, ("-o", "uplink=eth0", "-o", "weft.source_guard=false")],
    ids=["macvlan", "bridge"],
)  # fmt: skip
def test_slaac(weft: Weft, router: Host, driver: tuple):
    """IPv6 from router advertisements: it stays through a restart of weftd."""
    Dnsmasq(
        router,
        "--dhcp-range=198.51.100.50,198.51.100.99,255.255.255.0,1h",
        "--dhcp-range=2001:db8:1::,ra-only,64,1h",
        "--enable-ra",
        "--ra-param=eth0,4,600",
    )
    weft("network", "create", *driver, *DHCP, "--ipv6", "--ipam-opt", "ipv6=slaac", "lan")
    weft.start("web", "--network", "lan")

    def own() -> list[str]:
        return [a for a in ip_of(weft, "web") if a.startswith("2001:db8:1:")]

    address = eventually(own, 15, "an address from a router's advertisement")[0]
    eventually(lambda: weft.host.default_route(6, weft.netns("web")), what="a default route")
    router.ping(address.partition("/")[0])
    weft.daemon.restart()
    assert own() == [address]
    weft.start("db", "--network", "lan")  # a change that may mend
    assert own() == [address]


@pytest.mark.needs_kernel("ipvlan")
def test_ipvlan(weft: Weft, dnsmasq: Dnsmasq, router: Host):
    """All have the parent's MAC: the client identifier tells them apart, the same every time."""
    weft("network", "create", "-d", "ipvlan", "-o", "parent=eth0", *DHCP, "lan")
    weft.start("web", "--network", "lan")
    weft.start("db", "--network", "lan")
    web, db = weft.address("web", "lan"), weft.address("db", "lan")
    leases = dnsmasq.leases()
    assert leases[web][0] == leases[db][0] == weft.host.links()["eth0"]["address"]
    assert leases[web][2] != leases[db][2]
    router.ping(web)
    router.ping(db)
    weft("rm", "-f", "web")
    eventually(lambda: web not in dnsmasq.leases(), what="the lease is given back")
    assert db in dnsmasq.leases()
    weft.start("web", "--network", "lan")
    assert weft.address("web", "lan") == web
    assert dnsmasq.leases()[web][2] == leases[web][2]


@pytest.mark.needs_kernel("8021q")
def test_vlan(weft: Weft, lan: Lan, router: Host):
    """The server of the untagged LAN is not heard in a VLAN, nor the other way round."""
    Dnsmasq(router, "--dhcp-range=198.51.100.50,198.51.100.99,255.255.255.0,1h")
    other = lan.host("other")
    other.run(
        "ip", "-batch", "-",
        stdin="link add link eth0 name eth0.10 type vlan id 10\nlink set eth0.10 up\n"
        "addr add 203.0.113.1/24 dev eth0.10\n",
    )  # fmt: skip
    Dnsmasq(
        other, "--interface=eth0.10", "--dhcp-range=203.0.113.50,203.0.113.99,255.255.255.0,1h"
    )
    weft("network", "create", "-d", "macvlan", "-o", "parent=eth0.10", *DHCP, "ten")
    weft("network", "create", *MACVLAN, *DHCP, "lan")
    weft.start("web", "--network", "ten")
    weft.start("db", "--network", "lan")
    assert weft.address("web", "ten").startswith("203.0.113.")
    assert weft.address("db", "lan").startswith("198.51.100.")
    other.ping(weft.address("web", "ten"))


def test_container_ends_without_weftd(weft: Weft, dnsmasq: Dnsmasq):
    """Its lease is given back by the next weftd."""
    weft("network", "create", *MACVLAN, *DHCP, "lan")
    weft.start("web", "--network", "lan")
    address = weft.address("web", "lan")
    pid = weft.pid("web")
    weft.daemon.kill9()
    weft.host.run("kill", "-9", str(pid))
    time.sleep(0.5)
    assert address in dnsmasq.leases()
    weft.daemon.start()
    eventually(lambda: address not in dnsmasq.leases(), what="the lease is given back")


def test_network_with_others(weft: Weft, dnsmasq: Dnsmasq):
    """Beside a network of weft's own."""
    weft("network", "create", *MACVLAN, *DHCP, "lan")
    weft("network", "create", "front")
    weft.start("web", "--network", "front")
    weft("network", "connect", "lan", "web")
    assert weft.networks("web") == {"front", "lan"}
    assert weft.address("web", "lan") in dnsmasq.leases()
    assert weft.address("web", "front")
    weft("restart", "-t", "0", "web")
    assert weft.address("web", "lan") in dnsmasq.leases()
    assert weft.address("web", "front")


# ---- with one that does what it is told ----


@pytest.mark.parametrize("mode", ["private", "vepa", "passthru"])
def test_macvlan_modes(weft: Weft, scripted: Scripted, mode: str):
    scripted.set(seconds=4)
    weft("network", "create", *MACVLAN, "-o", f"macvlan_mode={mode}", *DHCP, "lan")
    weft.start("web", "--network", "lan")
    eventually(lambda: len(scripted.seen("request")) >= 2, 15, "a renewal")
    assert len(scripted.seen("discover")) == 1
    assert {m["mac"] for m in scripted.seen()} == {weft.endpoint("web", "lan")["MacAddress"]}
    weft.ping("web", ROUTER)


@pytest.mark.parametrize("driver", [MACVLAN, ("-o", "uplink=eth0")], ids=["macvlan", "bridge"])
def test_renewal(weft: Weft, scripted: Scripted, driver: tuple):
    """At half of the time, by broadcast, with the address."""
    scripted.set(seconds=4)
    weft("network", "create", *driver, *DHCP, "lan")
    weft.start("web", "--network", "lan")
    address = weft.address("web", "lan")
    eventually(lambda: len(scripted.seen("request")) >= 4, 15, "three renewals")
    assert len(scripted.seen("discover")) == 1
    for request in scripted.seen("request")[1:]:
        assert (request["requested"], request["server"], request["own"]) == (address, "", "")
    assert weft.address("web", "lan") == address
    assert len({m["mac"] for m in scripted.seen()}) == 1


def test_renewal_after_a_restart(weft: Weft, scripted: Scripted):
    scripted.set(seconds=8)
    weft("network", "create", *MACVLAN, *DHCP, "lan")
    weft.start("web", "--network", "lan")
    address = weft.address("web", "lan")
    weft.daemon.kill9()
    time.sleep(5)
    assert len(scripted.seen("request")) == 1
    weft.daemon.start()
    eventually(lambda: len(scripted.seen("request")) >= 2, 3, "a renewal that was due")
    assert len(scripted.seen("discover")) == 1
    assert weft.address("web", "lan") == address


def test_server_goes_and_comes_back(weft: Weft, scripted: Scripted):
    """A lease that has run out is not used; the next one is."""
    scripted.set(seconds=6)
    weft("network", "create", *MACVLAN, *DHCP, "lan")
    weft.start("web", "--network", "lan")
    address = weft.address("web", "lan")
    scripted.set(manner="silent")
    eventually(lambda: not ip_of(weft, "web"), 12, "the address goes with the lease")
    assert weft.address("web", "lan") == ""
    assert "has run out" in weft.daemon.log()
    scripted.set(manner="serve")
    eventually(lambda: ip_of(weft, "web") == [f"{address}/24"], 20, "it is there again")
    assert weft.address("web", "lan") == address
    assert weft.host.default_route(netns=weft.netns("web")) == (ROUTER, "eth0")
    weft.ping("web", ROUTER)


def test_another_address(weft: Weft, scripted: Scripted, router: Host):
    """The server refuses to renew, and gives another: kernel, inspect and names follow."""
    scripted.set(seconds=6)
    weft("network", "create", *MACVLAN, *DHCP, "lan")
    weft.start("web", "--network", "lan")
    weft.start("db", "--network", "lan")
    old = weft.address("web", "lan")
    scripted.set(pool=["198.51.100.80", "198.51.100.81"])
    new = eventually(
        lambda: [a for a in ip_of(weft, "web") if a.startswith("198.51.100.8")], 10, "another"
    )[0]
    assert ip_of(weft, "web") == [new]
    address = new.partition("/")[0]
    eventually(lambda: weft.address("web", "lan") == address)
    assert old != address
    eventually(lambda: weft.address("db", "lan").startswith("198.51.100.8"), 10)
    assert address in weft("exec", "db", "getent", "hosts", "web")
    assert address in weft("exec", "web", "cat", "/etc/hosts")
    router.ping(address)
    weft.ping("web", ROUTER)


def test_silent_server(weft: Weft, scripted: Scripted):
    """A clear error after ten seconds, in which weftd goes on with everything else."""
    scripted.set(manner="silent")
    weft("network", "create", *MACVLAN, *DHCP, "lan")
    begin = time.monotonic()
    waiting = weft.popen(
        "run", "-d", "--name", "web", "--network", "lan", "--", "sleep", "9",
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    time.sleep(1)
    weft.start("other")
    assert time.monotonic() - begin < 8
    _, err = waiting.communicate(timeout=20)
    took = time.monotonic() - begin
    assert "no DHCP server answered on eth0 within 10 s" in err
    assert 9 < took < 14
    assert len(scripted.seen("discover")) >= 3
    assert weft.status("web") == "created"
    scripted.set(manner="serve")
    weft("start", "web")
    assert weft.address("web", "lan") == "198.51.100.50"


def test_nobody_there(weft: Weft, router: Host):
    weft("network", "create", *MACVLAN, *DHCP, "lan")
    weft.fails(
        "run", "-d", "--name", "web", "--network", "lan", "--", "sleep", "9", status=125,
        says="no DHCP server answered on eth0 within 10 s",
    )  # fmt: skip
    assert "macvlan" not in weft.host.run("ip", "-d", "link")


@pytest.mark.parametrize("manner, says", [("nak", "refuses 198.51.100.50: go away"),
                                          ("mute", "offered 198.51.100.50")])  # fmt: skip
def test_refusing_server(weft: Weft, scripted: Scripted, manner: str, says: str):
    scripted.set(manner=manner)
    weft("network", "create", *MACVLAN, *DHCP, "lan")
    weft.fails(
        "run", "-d", "--name", "web", "--network", "lan", "--", "sleep", "9", status=125,
        says=(f"DHCP server {ROUTER} on eth0", says),
    )  # fmt: skip


def test_subnet_that_does_not_match(weft: Weft, scripted: Scripted):
    weft("network", "create", *MACVLAN, *DHCP, "--subnet", "10.9.0.0/24", "lan")
    weft.fails(
        "run", "-d", "--name", "web", "--network", "lan", "--", "sleep", "9", status=125,
        says=("subnet 10.9.0.0/24 of network lan does not match the LAN", "198.51.100.50"),
    )  # fmt: skip
    assert not scripted.seen("request")


def test_subnet_that_matches(weft: Weft, scripted: Scripted):
    weft(
        "network", "create", *MACVLAN, *DHCP, "--subnet", "198.51.100.0/24",
        "--gateway", "198.51.100.2", "lan",
    )  # fmt: skip
    weft.start("web", "--network", "lan")
    assert weft.endpoint("web", "lan")["Gateway"] == "198.51.100.2"


@pytest.mark.parametrize("driver", [MACVLAN, ("-o", "uplink=eth0")], ids=["macvlan", "bridge"])
def test_routes_and_mtu(weft: Weft, scripted: Scripted, driver: tuple):
    """Classless routes, one of them to a router that lies beside the subnet."""
    routes = "00c6336401" + "180a0102c6336407" + "18cb007100000000" + "10ac10" + "cb007105"
    scripted.set(options=[[121, routes], [3, "c63364fe"], [26, "0578"]])
    weft("network", "create", *driver, *DHCP, "lan")
    weft.start("web", "--network", "lan")
    shown = weft.host.json("ip", "-j", "route", netns=weft.netns("web"))
    found = {route["dst"]: route.get("gateway") for route in shown}
    assert found["default"] == ROUTER
    assert found["10.1.2.0/24"] == "198.51.100.7"
    assert found["203.0.113.0/24"] is None
    assert found["172.16.0.0/16"] == "203.0.113.5"
    assert weft.host.links(weft.netns("web"))["eth0"]["mtu"] == 1400


def test_gateway_beside_the_subnet(weft: Weft, scripted: Scripted):
    scripted.set(options=[[3, "cb007101"]])
    weft("network", "create", *MACVLAN, *DHCP, "lan")
    weft.start("web", "--network", "lan")
    assert weft.host.default_route(netns=weft.netns("web")) == ("203.0.113.1", "eth0")


def test_address_in_use(weft: Weft, scripted: Scripted):
    """Two clients, one address: the second is told."""
    weft("network", "create", *MACVLAN, *DHCP, "lan")
    weft.start("web", "--network", "lan")
    address = weft.address("web", "lan")
    scripted.set(careless=True)
    weft.fails(
        "run", "-d", "--name", "db", "--network", "lan", "--", "sleep", "9", status=125,
        says=(address, "container web"),
    )  # fmt: skip


def test_removed_while_it_waits(weft: Weft, scripted: Scripted):
    """weftd is killed while it waits for a lease: nothing is left of it."""
    scripted.set(manner="silent")
    weft("network", "create", *MACVLAN, *DHCP, "lan")
    waiting = weft.popen(
        "run", "-d", "--name", "web", "--network", "lan", "--", "sleep", "9",
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    eventually(lambda: scripted.seen("discover"))
    weft.daemon.restart()
    waiting.communicate()
    scripted.set(manner="serve")
    weft("start", "web")
    assert weft.address("web", "lan") == "198.51.100.50"


BAD = [
    (("-d", "macvlan", *DHCP), "option parent"),
    (DHCP, "option uplink"),
    (("-d", "ipvlan", "-o", "parent=eth0", "-o", "ipvlan_mode=l3", *DHCP), "ipvlan_mode l3"),
    ((*MACVLAN, *DHCP, "--ipam-opt", "colour=red"), "IPAM option colour"),
    ((*MACVLAN, *DHCP, "--ipv6", "--ipam-opt", "ipv6=dhcp"), '"dhcp"'),
    ((*MACVLAN, *DHCP, "--ipam-opt", "ipv6=slaac"), "IPv6, which is not enabled"),
    ((*MACVLAN, *DHCP, "--ipv6"), "ipv6=slaac"),
    (("-o", "uplink=eth0", *DHCP, "--ipv6", "--ipam-opt", "ipv6=slaac"), "weft.source_guard=false"),
    ((*MACVLAN, *DHCP, "--subnet", "198.51.100.0/24", "--ip-range", "198.51.100.0/28"), "range"),
    ((*MACVLAN, *DHCP, "--ipv6", "--ipam-opt", "ipv6=slaac", "--subnet", "2001:db8:1::/64"),
     "routers advertise"),
]  # fmt: skip


@pytest.mark.parametrize("flags, says", BAD)
def test_bad_networks(weft: Weft, router: Host, flags: tuple, says: str):
    weft.fails("network", "create", *flags, "lan", says=says)
    assert "lan" not in weft("network", "ls")
