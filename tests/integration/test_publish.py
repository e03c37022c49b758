# SPDX-License-Identifier: Apache-2.0
"""Publishing ports: forms, conflicts, changes while a container runs, restarts, faults."""

from __future__ import annotations

import contextlib
import json
import re
import signal
import socket
from typing import Iterator

import pytest

from conftest import host_and_outside
from hosts import OUTSIDE_IPV4, OUTSIDE_IPV6, UPLINK_IPV4, UPLINK_IPV6, eventually
from snapshots import assert_unchanged, whole
from test_faults import Verb, each_operation, set_fault, survives, take_back
from weftd import DOCKER, SLEEP, Weft, Weftd

MAPS = ("publish4", "publish4_any", "publish6", "publish6_any")
SETS = ("relayed4", "relayed6", "relayed_any", "open4", "open6")

# Takes a port of an address until it is killed.
TAKER = """
import os, socket, sys, time
kind = {"tcp": socket.SOCK_STREAM, "udp": socket.SOCK_DGRAM}[sys.argv[1]]
family = socket.AF_INET6 if ":" in sys.argv[2] else socket.AF_INET
taker = socket.socket(family, kind)
taker.bind((sys.argv[2], int(sys.argv[3])))
if kind == socket.SOCK_STREAM:
    taker.listen()
print(os.getpid(), flush=True)
time.sleep(1000000)
"""
TRIER = TAKER.replace("time.sleep(1000000)", "")


@contextlib.contextmanager
def taken(host, proto: str, address: str, port: int) -> Iterator[str]:
    """A process of the host has the port: its number there."""
    child = host.popen("/usr/bin/python3", "-c", TAKER, proto, address, str(port), stdout=-1, text=True)
    pid = child.stdout.readline().strip()
    try:
        yield pid
    finally:
        host.run("kill", "-9", pid)
        child.wait()


def can_take(host, proto: str, port: int) -> dict[str, bool]:
    """Whether a process of the host could have the port, by address."""
    return {
        address: host.try_run(
            "/usr/bin/python3", "-c", TRIER, proto, address, str(port)
        ).status == 0
        for address in ("0.0.0.0", "::", "127.0.0.1", UPLINK_IPV4)
    }  # fmt: skip


FREE = dict.fromkeys(("0.0.0.0", "::", "127.0.0.1", UPLINK_IPV4), True)
HELD = dict.fromkeys(FREE, False)


# Where weft's own server of names listens on the host's addresses.
RESOLVER_PORT = 1011


def elements(host) -> list[str]:
    """Everything about published ports that is in the ruleset, but for the networks' servers of
    names."""
    found = []
    for entry in json.loads(host.run("nft", "-j", "list", "table", "inet", "weft"))["nftables"]:
        for kind in ("map", "set"):
            one = entry.get(kind, {})
            if one.get("name") in MAPS + SETS:
                found += [f"{one['name']} {json.dumps(element)}" for element in one.get("elem", [])]
    return sorted(element for element in found if f", {RESOLVER_PORT}]" not in element)


def held(host) -> list[str]:
    """Ports that weftd holds: "tcp 8080"."""
    found = set()
    for line in host.run("ss", "-H", "-n", "-l", "-t", "-u", "-p").splitlines():
        proto, _, _, _, local, *rest = line.split()
        if "weftd" in " ".join(rest) and not local.endswith(f":{RESOLVER_PORT}"):
            found.add(f"{proto} {local.rpartition(':')[2]}")
    # UDP sockets do not listen: ss calls them unconnected.
    return sorted(found)


def told(weft) -> list[str]:
    """Ports of the host that inspect tells of, of all containers: "tcp 8080"."""
    found = set()
    for container in weft("ps", "-aq").split():
        for port, bindings in (weft.ports(container) or {}).items():
            for binding in bindings or []:
                if binding["HostPort"]:
                    found.add(f"{port.partition('/')[2]} {binding['HostPort']}")
    return sorted(found)


def assert_consistent(weft) -> None:
    """What weft tells, what it holds and what the ruleset has are the same ports."""
    host, ports = weft.host, told(weft)
    assert held(host) == ports
    numbers = {element.split('"concat": [')[1].split("]")[0] for element in elements(host)}
    in_rules = {
        f"{match[1]} {match[2]}"
        for numbers_of in numbers
        if (match := re.search(r'"(tcp|udp|sctp)", (\d+)', numbers_of))
    }
    assert sorted(in_rules) == ports


def both(port: int | str) -> list[dict]:
    """Bindings of all addresses of the host."""
    return [{"HostIp": "0.0.0.0", "HostPort": str(port)}, {"HostIp": "::", "HostPort": str(port)}]


DUAL = ("network", "create", "--ipv6", "--subnet", "10.5.0.0/24", "--subnet", "fd00:5::/64", "web")


# ---- forms ----


@pytest.fixture(scope="module")
def shared():
    """One host for what leaves nothing behind: with network web, both families."""
    with host_and_outside() as (host, outside):
        daemon = Weftd(host).start()
        weft = Weft(daemon)
        weft(*DUAL)
        yield weft, host, outside
        daemon.stop()
        daemon.check_log()


@pytest.fixture(params=["weft", "docker"])
def run_a(request, shared):
    """Runs container "a" on web, by either command."""
    weft = shared[0]

    def run(*flags: str) -> None:
        if request.param == "weft":
            weft.start("a", "--network", "web", *flags)
        else:
            weft.docker("run", "-d", "--name", "a", "--network", "web", *flags, "host", *SLEEP)

    if request.param == "docker" and not DOCKER:
        pytest.skip("there is no docker command")
    return run


@pytest.fixture(autouse=True)
def leaves_nothing(request):
    """Of the shared host: containers go, and their ports with them."""
    yield
    if "shared" in request.fixturenames:
        weft = request.getfixturevalue("shared")[0]
        if names := weft("ps", "-aq").split():
            weft("rm", "-f", *names)
        assert elements(weft.host) == [] and held(weft.host) == []


FORMS = {
    "8080:80": {"80/tcp": both(8080)},
    "8080:80/udp": {"80/udp": both(8080)},
    "0.0.0.0:8080:80": {"80/tcp": both(8080)[:1]},
    "[::]:8080:80": {"80/tcp": both(8080)[1:]},
    "127.0.0.1:8080:80": {"80/tcp": [{"HostIp": "127.0.0.1", "HostPort": "8080"}]},
    "[::1]:8080:80": {"80/tcp": [{"HostIp": "::1", "HostPort": "8080"}]},
    f"[{UPLINK_IPV6}]:8080:80/udp": {"80/udp": [{"HostIp": UPLINK_IPV6, "HostPort": "8080"}]},
    "8080-8082:80-82": {f"{80 + n}/tcp": both(8080 + n) for n in range(3)},
    "8080-8090:80": {"80/tcp": both(8080)},
}


@pytest.mark.parametrize("spec", FORMS)
def test_forms(shared, run_a, spec):
    weft = shared[0]
    run_a("-p", spec)
    ports = weft.ports("a")
    assert {port: bindings for port, bindings in ports.items() if bindings} == FORMS[spec]
    assert_consistent(weft)


def test_several_bindings_of_one_port(shared, run_a):
    weft, host, _ = shared
    run_a("-p", "8080:80", "-p", "127.0.0.1:8081:80", "-p", "8082:80/udp")
    wanted = [*both(8080), {"HostIp": "127.0.0.1", "HostPort": "8081"}]
    key = lambda one: (one["HostPort"], one["HostIp"])  # noqa: E731
    assert sorted(weft.ports("a")["80/tcp"], key=key) == wanted
    assert weft.ports("a")["80/udp"] == both(8082)
    assert_consistent(weft)


def test_ephemeral(shared, run_a):
    weft, host, _ = shared
    run_a("-p", "80", "-p", "127.0.0.1::81", "-p", "82/udp")
    low, high = map(int, host.read("/proc/sys/net/ipv4/ip_local_port_range").split())
    for port in ("80/tcp", "81/tcp", "82/udp"):
        numbers = {binding["HostPort"] for binding in weft.ports("a")[port]}
        assert len(numbers) == 1 and low <= int(numbers.pop()) <= high
    assert weft.ports("a")["81/tcp"][0]["HostIp"] == "127.0.0.1"
    assert_consistent(weft)


def test_first_free_of_a_range(shared, run_a):
    weft, host, _ = shared
    with taken(host, "tcp", "0.0.0.0", 8080):
        run_a("-p", "8080-8082:80")
        assert weft.ports("a")["80/tcp"] == both(8081)
        weft.start("b", "--network", "web", "-p", "8080-8082:80")
        assert weft.ports("b")["80/tcp"] == both(8082)
        refused(weft, "8080-8082:80", "808")
    weft("rm", "-f", "b")


def test_expose_and_publish_all(shared, run_a):
    weft = shared[0]
    run_a("--expose", "90", "--expose", "91-92/udp", "-p", "8080:80")
    ports = weft.ports("a")
    assert ports["80/tcp"] == both(8080)
    assert ports["90/tcp"] is ports["91/udp"] is ports["92/udp"] is None
    assert set(weft.inspect("a")["Config"]["ExposedPorts"]) == {"80/tcp", "90/tcp", "91/udp", "92/udp"}
    weft("rm", "-f", "a")
    run_a("-P", "--expose", "90", "--expose", "91-92/udp")
    for port in ("90/tcp", "91/udp", "92/udp"):
        assert len(weft.ports("a")[port]) == 2
    assert_consistent(weft)


@pytest.mark.skipif(not DOCKER, reason="there is no docker command")
def test_docker_shows_them(shared, run_a):
    weft = shared[0]
    run_a("-p", "8080:80", "-p", "127.0.0.1:8081:81/udp", "--expose", "90")
    shown = "80/tcp -> 0.0.0.0:8080\n80/tcp -> [::]:8080\n81/udp -> 127.0.0.1:8081"
    assert sorted(weft.docker("port", "a").splitlines()) == shown.splitlines()
    assert weft.docker("port", "a", "81/udp") == "127.0.0.1:8081"
    assert sorted(weft("port", "a").splitlines()) == shown.splitlines()
    assert weft("port", "a", "81/udp") == "127.0.0.1:8081"
    column = weft.docker("ps", "--format", "{{.Ports}}")
    for part in ("0.0.0.0:8080->80/tcp", "[::]:8080->80/tcp", "127.0.0.1:8081->81/udp", "90/tcp"):
        assert part in column and part in weft("ps", "--format", "{{.Ports}}")
    template = '{{(index (index .NetworkSettings.Ports "80/tcp") 0).HostPort}}'
    assert weft.docker("inspect", "-f", template, "a") == "8080"
    bindings = weft.inspect("a")["HostConfig"]["PortBindings"]
    assert bindings["80/tcp"] == [{"HostIp": "", "HostPort": "8080"}]


def test_api(shared):
    """What the docker command sends, and what Docker's API answers."""
    weft = shared[0]
    daemon = weft.daemon
    body = {
        "Cmd": list(SLEEP),
        "ExposedPorts": {"80/tcp": {}, "90/udp": {}},
        "HostConfig": {
            "NetworkMode": "web",
            "PortBindings": {"80/tcp": [{"HostIp": "", "HostPort": "8080-8081"}, {"HostPort": "8090"}]},
        },
    }
    made = daemon.request("POST", "/containers/create?name=a", body)
    assert made.status == 201 and made.json["Warnings"] == []
    daemon.post("/containers/a/start", status=204)
    listed = daemon.get("/containers/json")[0]["Ports"]
    wanted = [
        {"IP": address, "PrivatePort": 80, "PublicPort": port, "Type": "tcp"}
        for port in (8080, 8090)
        for address in ("0.0.0.0", "::")
    ]
    wanted.append({"PrivatePort": 90, "Type": "udp"})
    assert sorted(listed, key=str) == sorted(wanted, key=str)
    more = {"Container": "a", "PortBindings": {"82/tcp": [{"HostPort": "8082"}]}}
    answer = daemon.post("/weft/publish", more).json
    assert answer["Warnings"] == [] and answer["Ports"]["82/tcp"] == both(8082)
    assert daemon.request("POST", "/weft/publish", more).status == 409
    daemon.request("POST", "/weft/unpublish", more)
    assert "82/tcp" not in {port for port, bindings in weft.ports("a").items() if bindings}
    assert daemon.request("POST", "/weft/unpublish", more).status == 404
    assert_consistent(weft)


BAD = {
    "70000:80": "70000",
    "0:80000": "80000",
    "8090-8080:80": "8090-8080",
    "8080-8082:80-81": "8080-8082",
    "8080:80/foo": "foo",
    "8080:": "8080:",
    "300.1.1.1:8080:80": "300.1.1.1",
    "[::1:8080:80": "[::1",
}


@pytest.mark.parametrize("spec", BAD)
def test_bad_forms(shared, spec):
    weft = shared[0]
    before = whole(weft.daemon)
    weft.fails("run", "--name", "a", "-p", spec, "--", "true", says=BAD[spec], status=125)
    assert_unchanged(weft.daemon, before)


BAD_BINDINGS = {
    "80000": {"80000/tcp": [{"HostPort": "80"}]},
    "foo": {"80/foo": [{"HostPort": "80"}]},
    "70000": {"80/tcp": [{"HostPort": "70000"}]},
    "90-80": {"80/tcp": [{"HostPort": "90-80"}]},
    '"x"': {"80/tcp": [{"HostPort": "x"}]},
    "nowhere": {"80/tcp": [{"HostIp": "nowhere", "HostPort": "80"}]},
    "array": {"80/tcp": {"HostPort": "80"}},
}


@pytest.mark.parametrize("says", BAD_BINDINGS)
def test_bad_bindings(shared, says):
    body = {"Cmd": ["true"], "HostConfig": {"PortBindings": BAD_BINDINGS[says]}}
    answer = shared[0].daemon.request("POST", "/containers/create?name=a", body)
    assert answer.status == 400 and says in answer.message


def test_sctp(shared):
    """Where the kernel has none it is refused, by name."""
    weft = shared[0]
    try:
        socket.socket(socket.AF_INET, socket.SOCK_STREAM, 132).close()
    except OSError:
        weft.fails(
            "run", "-d", "--name", "a", "--network", "web", "-p", "8080:80/sctp", "--", *SLEEP,
            says="sctp", status=125,
        )  # fmt: skip
    else:
        weft.start("a", "--network", "web", "-p", "8080:80/sctp")
        assert weft.ports("a")["80/sctp"] == both(8080)


# ---- conflicts ----


def refused(weft, spec: str, *says: str) -> str:
    """A container with this port cannot start; nothing of it is left but its name."""
    before = elements(weft.host), held(weft.host)
    sentence = weft.fails(
        "run", "-d", "--name", "refused", "--network", "web", "-p", spec, "--", *SLEEP,
        says=says, status=125,
    )  # fmt: skip
    assert (elements(weft.host), held(weft.host)) == before
    weft.attempt("rm", "-f", "refused")
    return sentence


@pytest.mark.parametrize("proto", ["tcp", "udp"])
@pytest.mark.parametrize("address", ["0.0.0.0", "::", "127.0.0.1", UPLINK_IPV4])
def test_a_process_has_the_port(shared, proto, address):
    weft, host, _ = shared
    with taken(host, proto, address, 8080) as pid:
        refused(weft, f"8080:80/{proto}", "8080", "python3", pid)


def test_a_container_has_the_port(shared):
    weft, _, _ = shared
    weft.start("first", "--network", "web", "-p", "8080:80")
    for spec in ("8080:80", "127.0.0.1:8080:80", f"{UPLINK_IPV4}:8080:80", f"[{UPLINK_IPV6}]:8080:80"):
        refused(weft, spec, "8080", "first")
    # Another protocol is another port.
    weft.start("second", "--network", "web", "-p", "8080:80/udp")
    weft("rm", "-f", "first", "second")
    weft.start("first", "--network", "web", "-p", f"{UPLINK_IPV4}:8080:80")
    refused(weft, "8080:80", "8080", "first")
    weft("rm", "-f", "first")


def test_an_address_not_on_the_host(shared):
    weft = shared[0]
    refused(weft, "198.51.100.9:8080:80", "198.51.100.9")
    refused(weft, "[2001:db8:9::9]:8080:80", "2001:db8:9::9")


def test_one_of_many_is_taken(shared):
    """None of the others is published."""
    weft, host, _ = shared
    with taken(host, "tcp", "0.0.0.0", 9222) as pid:
        refused(weft, "9000-9299:9000-9299", "9222", pid)
        weft.start("a", "--network", "web", "-p", "8080:80")
        before = elements(host), held(host)
        weft.fails("publish", "a", "9000-9299:9000-9299", says=("9222", pid))
        weft.fails("publish", "a", "9000-9010:9000-9010", "8080:81", says=("8080", "a"))
        assert (elements(host), held(host)) == before
        assert {port for port, bindings in weft.ports("a").items() if bindings} == {"80/tcp"}
    weft("publish", "a", "9000-9299:9000-9299")
    assert_consistent(weft)
    weft("unpublish", "a", "9000-9299:9000-9299")
    assert (elements(host), held(host)) == before
    weft("rm", "-f", "a")


def test_what_is_published_is_held(shared):
    weft, host, _ = shared
    for proto in ("tcp", "udp"):
        weft.start("a", "--network", "web", "-p", f"8080:80/{proto}")
        assert can_take(host, proto, 8080) == HELD
        weft("unpublish", "a", f"8080:80/{proto}")
        assert can_take(host, proto, 8080) == FREE
        weft("publish", "a", f"8080:80/{proto}")
        assert can_take(host, proto, 8080) == HELD
        weft("kill", "a")
        weft("wait", "a")
        eventually(lambda proto=proto: can_take(host, proto, 8080) == FREE, what="freed by the end")
        weft("start", "a")
        assert can_take(host, proto, 8080) == HELD
        weft("rm", "-f", "a")
        eventually(lambda proto=proto: can_take(host, proto, 8080) == FREE, what="freed by rm")


# ---- where nothing is published ----


@pytest.mark.parametrize("network", ["walled", "none", "host"])
def test_networks_that_do_not_publish(shared, network):
    """As docker: the container runs, nothing is published, and a warning says so."""
    weft, host, _ = shared
    if network == "walled":
        weft("network", "create", "--internal", "walled")
    result = weft.attempt("run", "-d", "--name", "a", "--network", network, "-p", "8080:80", "--", *SLEEP)
    assert result.status == 0, result.err
    assert "warning" in result.err.lower() and network in result.err
    assert elements(host) == [] and held(host) == []
    assert not any((weft.ports("a") or {}).values())
    if DOCKER and network != "walled":
        assert weft.docker("ps", "--format", "{{.Names}}") == "a"
    weft("rm", "-f", "a")
    if network == "walled":
        weft("network", "rm", "walled")


# ---- a running container ----


def test_publish_and_unpublish(weft, outside):
    weft(*DUAL)
    weft.echo("a", "--network", "web", ports=(80, 81))
    shown = weft("publish", "a", "8080:80", "8080:80/udp", "8081:81")
    assert "8081" in shown
    address, address6 = weft.address("a", "web"), weft.address6("a", "web")
    for proto in ("tcp", "udp"):
        assert outside.reaches(UPLINK_IPV4, 8080, proto) == f"a {OUTSIDE_IPV4} {address}"
        assert outside.reaches(UPLINK_IPV6, 8080, proto) == f"a {OUTSIDE_IPV6} {address6}"
    weft.fails("publish", "a", "8080:80", says="8080")
    weft.fails("unpublish", "a", "9999:80", says="a")
    udp = outside.talk("udp", UPLINK_IPV4, 8080)
    kept = outside.talk("tcp", UPLINK_IPV4, 8081)
    weft("unpublish", "a", "8080:80", "8080:80/udp")
    asked = [(proto, at, 8080, False) for proto in ("tcp", "udp") for at in (UPLINK_IPV4, UPLINK_IPV6)]
    assert outside.probe(*asked) == [""] * 4
    assert kept.again() == kept.first
    assert udp.first
    assert_consistent(weft)
    # By the container's port alone.
    weft("unpublish", "a", "81")
    assert told(weft) == [] and elements(weft.host) == []


def test_publish_of_a_stopped_container(weft, host):
    weft.start("a")
    weft("kill", "a")
    weft("wait", "a")
    weft("publish", "a", "8080:80")
    assert elements(host) == [] and held(host) == []
    weft("start", "a")
    assert_consistent(weft)
    assert told(weft) == ["tcp 8080"]


def test_a_dry_run_publishes_nothing(weft, host):
    weft.start("a")
    before = whole(weft.daemon)
    assert "publish4_any" in weft("publish", "--dry-run", "a", "8080:80")
    assert_unchanged(weft.daemon, before)
    assert held(host) == []


def test_udp_follows_at_once(weft, outside):
    """A flow that was there before the port was, or whose port moved on, is not stuck."""
    weft.echo("a")
    weft.echo("b")
    stream = ("udp", UPLINK_IPV4, 8080)
    assert outside.probe((*stream, False)) == [""]
    weft("publish", "a", "8080:80/udp")
    talk = outside.talk(*stream)
    assert talk.first.startswith("a ")
    weft("unpublish", "a", "8080:80/udp")
    weft("publish", "b", "8080:80/udp")
    assert talk.again().startswith("b ")


# ---- restarts ----


@pytest.mark.parametrize("signo", [signal.SIGKILL, signal.SIGTERM], ids=["crash", "stop"])
def test_ports_and_connections_survive_weftd(weft, host, outside, signo):
    weft(*DUAL)
    weft.echo("a", "--network", "web", "-p", "8080:80", "-p", "8080:80/udp", "-p", "80")
    seen, ports, before = whole(weft.daemon), weft.ports("a"), held(host)
    talks = [
        outside.talk(proto, address, 8080)
        for proto in ("tcp", "udp")
        for address in (UPLINK_IPV4, UPLINK_IPV6)
    ]
    weft.daemon.end(signo)
    for talk in talks:
        assert talk.again() == talk.first
    assert outside.reaches(UPLINK_IPV4, 8080).startswith(f"a {OUTSIDE_IPV4}")
    weft.daemon.start()
    assert_unchanged(weft.daemon, seen)
    assert (weft.ports("a"), held(host)) == (ports, before)
    for talk in talks:
        assert talk.again() == talk.first
    assert can_take(host, "tcp", 8080) == HELD
    # The relay is back, too.
    assert host.reaches("::1", 8080).startswith("a ")
    assert_consistent(weft)


def test_a_port_lost_while_weftd_was_away(weft, host):
    """A process took it: the container goes on, and weftd says who has it."""
    weft.echo("a", "-p", "127.0.0.1:8080:80", "-p", "8081:80")
    weft.daemon.kill9()
    with taken(host, "tcp", "127.0.0.1", 8080) as pid:
        weft.daemon.expected_errors.append("8080")
        weft.daemon.start()
        assert pid in weft.daemon.log()
        assert host.reaches(UPLINK_IPV4, 8081).startswith("a ")


def test_ports_survive_stop_and_start(weft, host, outside):
    weft.echo("a", "-p", "8080:80", "-p", "127.0.0.1::80")
    weft("kill", "a")
    weft("wait", "a")
    eventually(lambda: elements(host) == [] and held(host) == [], what="an ended one has no ports")
    weft("start", "a")
    assert outside.reaches(UPLINK_IPV4, 8080).startswith("a ")
    assert weft.ports("a")["80/tcp"][0]["HostPort"] == "8080"
    assert_consistent(weft)


def test_removed_with_the_container(weft, host):
    before = whole(weft.daemon)
    weft.start("a", "-p", "8080:80", "-p", "8081-8090:81-90/udp")
    weft("rm", "-f", "a")
    assert_unchanged(weft.daemon, before)
    assert held(host) == []


# ---- which network they lead to ----


def test_ports_move_with_the_default_route(weft, outside):
    for number, name in ((5, "one"), (6, "two")):
        weft("network", "create", "--subnet", f"10.{number}.0.0/24", name)
    weft.echo("a", "--network", "one", "-p", "8080:80", "-p", "8080:80/udp")
    for proto in ("tcp", "udp"):
        assert outside.reaches(UPLINK_IPV4, 8080, proto) == f"a {OUTSIDE_IPV4} 10.5.0.2"
    weft("network", "connect", "--gw-priority", "1", "two", "a")
    for proto in ("tcp", "udp"):
        assert outside.reaches(UPLINK_IPV4, 8080, proto) == f"a {OUTSIDE_IPV4} 10.6.0.2"
    weft("network", "disconnect", "two", "a")
    for proto in ("tcp", "udp"):
        assert outside.reaches(UPLINK_IPV4, 8080, proto) == f"a {OUTSIDE_IPV4} 10.5.0.2"
    weft("network", "disconnect", "one", "a")
    assert outside.probe(("tcp", UPLINK_IPV4, 8080, False)) == [""]
    assert elements(weft.host) == []
    weft("network", "connect", "two", "a")
    assert outside.reaches(UPLINK_IPV4, 8080).startswith(f"a {OUTSIDE_IPV4} 10.6.")
    assert_consistent(weft)


def test_attached_namespaces_publish(weft, host, outside):
    netns = weft.attach("guest", "--network", "bridge")
    host.echo("guest", 80, netns=netns)
    weft("publish", "guest", "8080:80", "8080:80/udp")
    for proto in ("tcp", "udp"):
        assert outside.reaches(UPLINK_IPV4, 8080, proto).startswith(f"guest {OUTSIDE_IPV4}")
    assert "8080" in weft("port", "guest")
    weft.daemon.restart()
    assert outside.reaches(UPLINK_IPV4, 8080).startswith(f"guest {OUTSIDE_IPV4}")
    assert held(host) == ["tcp 8080", "udp 8080"]
    weft("detach", "guest")
    assert elements(host) == [] and held(host) == []


def test_a_shared_stack_shares_its_ports(weft, outside):
    """Ports are the owner's; a guest in its stack serves them, too."""
    weft.start("owner", "-p", "8080:80")
    weft.echo("guest", "--network", "container:owner")
    assert outside.reaches(UPLINK_IPV4, 8080).startswith(f"guest {OUTSIDE_IPV4}")
    assert not any((weft.ports("guest") or {}).values())


# ---- faults ----

PUBLISHED_RUN = ("run", "-d", "--name", "a", "--network", "web", "-p", "8080-8081:80-81",
                 "-p", "127.0.0.1:8080:80/udp", "--", "sleep", "1000")  # fmt: skip
PLAIN_RUN = ("run", "-d", "--name", "a", "--network", "web", "--", "sleep", "1000")
PUBLISH = ("publish", "a", "8080-8081:80-81", "127.0.0.1:8080:80/udp")
UNPUBLISH = ("unpublish", *PUBLISH[1:])
PORTS = ["tcp 8080", "tcp 8081", "udp 8080"]

VERBS = {
    "run -p": Verb(PUBLISHED_RUN, undo=(("rm", "-f", "a"),)),
    "publish": Verb(PUBLISH, prepare=(PLAIN_RUN,), undo=(UNPUBLISH,)),
    "unpublish": Verb(UNPUBLISH, prepare=(PLAIN_RUN,), each=(PUBLISH,), undo=(UNPUBLISH,)),
}


@pytest.fixture(params=VERBS.values(), ids=VERBS.keys())
def verb(request, weft) -> Verb:
    weft(*DUAL)
    for command in request.param.prepare:
        weft(*command)
    return request.param


def assert_all_or_nothing(weft) -> None:
    assert_consistent(weft)
    assert told(weft) in ([], PORTS)


@pytest.mark.faults
def test_a_refusal_publishes_nothing(weft, verb):
    start = whole(weft.daemon)

    def refuse(operation: int) -> bool:
        before = told(weft)
        set_fault(weft, "fail", operation)
        result = weft.attempt(*verb.run)
        reached = weft.daemon.get("/weft/fault")["Counted"] >= operation
        set_fault(weft, "none", 0)
        assert_all_or_nothing(weft)
        if result.status != 0:
            assert told(weft) == before
        take_back(weft, verb)
        assert_unchanged(weft.daemon, start)
        assert held(weft.host) == []
        return not reached

    each_operation(weft, verb, refuse)


@pytest.mark.faults
def test_a_crash_publishes_all_or_nothing(weft, verb):
    start = whole(weft.daemon)

    def crash(operation: int) -> bool:
        survived = survives(weft, verb, operation)
        assert_all_or_nothing(weft)
        take_back(weft, verb)
        assert_unchanged(weft.daemon, start)
        assert held(weft.host) == []
        return survived

    each_operation(weft, verb, crash)
