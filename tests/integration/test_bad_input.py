# SPDX-License-Identifier: Apache-2.0
"""Bad input: one sentence that names the thing, docker's status, and no trace left.

All rows share one host: each proves that it left everything as it was.
"""

import contextlib
import json
import os
import resource
import socket

import pytest

from conftest import host_and_outside
from snapshots import assert_unchanged, whole
from weftd import WEFT, Weft, Weftd

BRIDGE_NAME = "com.docker.network.bridge.name"
IFNAME = "com.docker.network.endpoint.ifname"
LONG_NAME = "an-interface-name-too-long"


@pytest.fixture(scope="module")
def world():
    """web (10.5.0.0/24) with c1 running on it at .5, c2 on the default bridge, c3 not started."""
    with host_and_outside() as (host, _):
        daemon = Weftd(host).start()
        weft = Weft(daemon)
        weft("network", "create", "--subnet", "10.5.0.0/24", "--aux-address", "nas=10.5.0.9", "web")
        weft("network", "create", "--ipv6", "--subnet", "fd00:6::/64", "six")
        weft.start("c1", "--network", "web", "--ip", "10.5.0.5")
        weft.start("c2")
        daemon.post("/containers/create?name=c3", {"Cmd": ["true"]}, 201)
        host.run("ip", "netns", "add", "theirs")
        yield weft
        daemon.stop()
        daemon.check_log()


@pytest.fixture(scope="module")
def seen(world):
    return whole(world.daemon)


@pytest.fixture(autouse=True)
def leaves_no_trace(world, seen):
    yield
    try:
        assert_unchanged(world.daemon, seen)
    except AssertionError:
        # One offence is one failure, not one for each test that follows.
        seen.update(whole(world.daemon))
        raise


def row(*argv: str, says=(), status: int = 1):
    return pytest.param(argv, (says,) if isinstance(says, str) else says, status, id=" ".join(argv))


CREATE = ("network", "create")
CONNECT = ("network", "connect")
RUN = ("run", "--rm", "--name", "new")


@pytest.mark.parametrize(
    "argv, says, status",
    [
        # Unknown things.
        row("network", "inspect", "nothing", says=("nothing", "not found")),
        row("network", "rm", "nothing", says=("nothing", "not found")),
        row(*CONNECT, "nothing", "c1", says=("nothing", "not found")),
        row(*CONNECT, "web", "nobody", says="nobody"),
        row("network", "disconnect", "web", "nobody", says="nobody"),
        # A port that answers for names.
        row("publish", "c1", "10.5.0.1:53:53/udp", says=("53/udp", "10.5.0.1", "names of network web")),
        # Names that nobody could ask for.
        row(*CONNECT, "--alias", "bad..name", "web", "c2", says=("bad..name", "not a DNS name")),
        row(*RUN, "--network", "web", "--network-alias", 64 * "x", "--", "true", says="not a DNS name", status=125),
        row(*RUN, "--network", "web", "--link", "c1:a..b", "--", "true", says=("a..b", "not a DNS"), status=125),
        row("network", "disconnect", "web", "c2", says=("c2", "web")),
        row("inspect", "nobody", says="nobody"),
        row("start", "nobody", says="nobody"),
        row("stop", "nobody", says="nobody"),
        row("kill", "nobody", says="nobody"),
        row("rm", "nobody", says="nobody"),
        row("logs", "nobody", says="nobody"),
        row("wait", "nobody", says="nobody"),
        row("exec", "nobody", "true", says="nobody"),
        row("explain", "nobody", says="nobody"),
        row("netns", "link", "nobody", says="nobody"),
        row("netns", "unlink", "nobody", says="nobody"),
        row("detach", "nobody", says="nobody"),
        row(*RUN, "--network", "nothing", "--", "true", says="nothing", status=125),
        # Names.
        row(*CREATE, "web", says=("web", "already exists")),
        row(*CREATE, "--", "-leading", says="-leading"),
        row(*CREATE, "_x", says="_x"),
        row(*CREATE, "a b", says="a b"),
        row(*CREATE, "sl/ash", says="sl/ash"),
        row(*CREATE, "host", says="host"),
        row(*CREATE, "default", says="default"),
        row("run", "--name", "c1", "--", "true", says=("c1", "in use"), status=125),
        row("run", "--name", "a/b", "--", "true", says="a/b", status=125),
        row("network", "rm", "bridge", says="bridge"),
        # Subnets.
        row(*CREATE, "--subnet", "10.5.0.128/25", "new", says=("10.5.0.128/25", "web")),
        row(*CREATE, "--subnet", "172.17.9.0/24", "new", says=("172.17.9.0/24", "bridge")),
        row(*CREATE, "--subnet", "10.9.0.1/24", "new", says=("10.9.0.1/24", "10.9.0.0/24")),
        row(*CREATE, "--subnet", "10.9.0.0/33", "new", says="10.9.0.0/33"),
        row(*CREATE, "--subnet", "rubbish", "new", says="rubbish"),
        row(*CREATE, "--subnet", "224.0.0.0/24", "new", says="224.0.0.0/24"),
        row(*CREATE, "--subnet", "127.1.0.0/24", "new", says="127.1.0.0/24"),
        row(*CREATE, "--subnet", "fd00:7::/64", "--ipv6=false", "new", says="fd00:7::/64"),
        row(
            *CREATE, "--subnet", "10.9.0.0/24", "--gateway", "10.8.0.1", "new",
            says="10.8.0.1",
        ),  # fmt: skip
        row(
            *CREATE, "--subnet", "10.9.0.0/24", "--ip-range", "10.8.0.0/25", "new",
            says="10.8.0.0/25",
        ),  # fmt: skip
        row(
            *CREATE, "--subnet", "10.9.0.0/24", "--aux-address", "x=10.8.0.1", "new",
            says="10.8.0.1",
        ),  # fmt: skip
        row(*CREATE, "--subnet", "10.9.0.0/32", "new", says="10.9.0.0/32"),
        # Drivers and options.
        row(*CREATE, "-d", "warp", "new", says="warp"),
        row(*CREATE, "-d", "host", "new", says="host"),
        row(*CREATE, "-o", f"{BRIDGE_NAME}={LONG_NAME}", "new", says=LONG_NAME),
        row(*CREATE, "-o", f"{BRIDGE_NAME}=uplink", "new", says="uplink"),
        row(*CREATE, "-o", "com.docker.network.driver.mtu=12", "new", says="mtu"),
        row(*CREATE, "-o", "com.docker.network.driver.mtu=many", "new", says="many"),
        row(*CREATE, "-o", "com.docker.network.nonsense=1", "new", says="nonsense"),
        # Endpoints.
        row("network", "rm", "web", says=("web", "c1")),
        row(*CONNECT, "web", "c1", says=("web", "c1")),
        row(*CONNECT, "--ip", "10.5.0.5", "web", "c2", says=("10.5.0.5", "c1")),
        row(*CONNECT, "--ip", "10.5.0.9", "web", "c2", says=("10.5.0.9", "nas")),
        row(*CONNECT, "--ip", "10.5.0.1", "web", "c2", says=("10.5.0.1", "gateway")),
        row(*CONNECT, "--ip", "10.6.0.5", "web", "c2", says=("10.6.0.5", "10.5.0.0/24")),
        row(*CONNECT, "--ip", "10.5.0.255", "web", "c2", says="10.5.0.255"),
        row(*CONNECT, "--ip", "rubbish", "web", "c2", says="rubbish"),
        row(*CONNECT, "--ip6", "fd00:6::9", "web", "c2", says=("fd00:6::9", "web")),
        row(*CONNECT, "--ip6", "fd00:7::9", "six", "c2", says="fd00:7::9"),
        row(*CONNECT, "--driver-opt", f"{IFNAME}={LONG_NAME}", "web", "c2", says=LONG_NAME),
        row(*CONNECT, "--driver-opt", f"{IFNAME}=eth0", "web", "c2", says="eth0"),
        row(*CONNECT, "host", "c2", says="host"),
        row(*CONNECT, "none", "c2", says="none"),
        row(*RUN, "--mac-address", "01:00:5e:00:00:01", "--", "true",
            says=("01:00:5e:00:00:01", "multicast"), status=125),  # fmt: skip
        row(*RUN, "--mac-address", "rubbish", "--", "true", says="rubbish", status=125),
        row(*RUN, "--ip", "172.18.0.5", "--", "true", says="172.18.0.5", status=125),
        # Containers.
        row(*RUN, "--rootfs", "/does/not/exist", "--", "true", says="/does/not/exist", status=125),
        row(*RUN, "--rootfs", "/etc/passwd", "--", "true", says="/etc/passwd", status=125),
        row(*RUN, "--rootfs", "relative", "--", "true", says="relative", status=125),
        row(*RUN, "--runtime", "no-such-runtime", "--", "true",
            says="no-such-runtime", status=125),  # fmt: skip
        row(*RUN, "--sysctl", "kernel.panic=1", "--", "true", says="kernel.panic", status=125),
        row(*RUN, "--sysctl", "net.ipv4.no_such=1", "--", "true", says="no_such", status=127),
        row(*RUN, "--add-host", "nocolon", "--", "true", says="nocolon", status=125),
        row(*RUN, "--dns", "rubbish", "--", "true", says="rubbish", status=125),
        row(*RUN, "-v", "relative:/x", "--", "true", says="relative", status=125),
        row(*RUN, "-u", "nobody-knows", "--", "true", says="nobody-knows", status=125),
        row(*RUN, "--cap-add", "FLY", "--", "true", says="FLY", status=125),
        row("rm", "c1", says=("c1", "running")),
        row("kill", "c3", says=("c3", "not running")),
        row("kill", "-s", "NOTASIGNAL", "c1", says="NOTASIGNAL"),
        row("exec", "c3", "true", says=("c3", "not running")),
        # Foreign namespaces.
        row("attach", "--netns", "/does/not/exist", "--network", "web", says="/does/not/exist"),
        row("attach", "--netns", "/etc/passwd", "--network", "web", says="/etc/passwd"),
        row("attach", "--netns", "/proc/1/ns/mnt", "--network", "web", says="/proc/1/ns/mnt"),
        row("attach", "--netns", "/proc/1/ns/net", "--network", "web", says="host"),
        row("attach", "--pid", "999999", "--network", "web", says="999999"),
        row("attach", "--netns", "/run/netns/theirs", "--network", "nothing", says="nothing"),
        row("attach", "--netns", "/run/netns/theirs", "--name", "c1", "--network", "web", says="c1"),
        row("attach", "--netns", "/run/netns/theirs", "--name", "a/b", "--network", "web", says="a/b"),
        row("detach", "c1", says="c1"),
    ],
)
def test_command(world, argv, says, status):
    world.fails(*argv, says=says, status=status)


@pytest.mark.parametrize(
    "argv",
    [
        ("nonsense",),
        ("network", "nonsense"),
        ("network", "create"),
        ("network", "create", "--nonsense", "new"),
        ("network", "connect", "web"),
        ("attach", "--network", "web"),
        ("attach", "--netns", "/x", "--pid", "1", "--network", "web"),
        ("network", "create", "--aux-address", "noequals", "new"),
        ("ps", "--format", "{{.Name | upper}}"),
        ("network", "ls", "--filter", "nonsense=1"),
    ],
    ids=" ".join,
)
def test_usage(world, argv):
    """A usage error may take a second line: where to read on."""
    result = world.attempt(*argv)
    assert result.status == 1 and result.err.startswith("weft: "), result


@pytest.mark.parametrize("argv", [("run",), ("run", "--nonsense", "--", "true")], ids=" ".join)
def test_usage_of_run(world, argv):
    result = world.attempt(*argv)
    assert result.status == 125 and result.err.startswith("weft: "), result


def test_no_daemon(world):
    result = world.host.try_run(WEFT, "--host", "unix:///nowhere.sock", "ps")
    assert result.status == 1
    assert result.err.startswith("weft: cannot connect to weftd at /nowhere.sock: ")


def ask(method: str, path: str, body=None, status: int = 400, says=()):
    says = (says,) if isinstance(says, str) else says
    shown = body if isinstance(body, bytes) else json.dumps(body)
    return pytest.param(method, path, body, status, says, id=f"{method} {path} {shown[:60]!r}")


NEW = {"Name": "new"}


@pytest.mark.parametrize(
    "method, path, body, status, says",
    [
        ask("GET", "/nonsense", status=404, says="page not found"),
        ask("GET", "/v1.40/version", says="too old"),
        ask("GET", "/v1.99/version", says="too new"),
        ask("POST", "/swarm/init", {}, 501),
        ask("POST", "/build", {}, 501),
        # Malformed.
        ask("POST", "/networks/create", b"", says=""),
        ask("POST", "/networks/create", b"{"),
        ask("POST", "/networks/create", b"[]"),
        ask("POST", "/networks/create", b"null"),
        ask("POST", "/networks/create", b'{"Name":"new"} trailing'),
        ask("POST", "/networks/create", b'{"Name":"new\\u0000"}'),
        ask("POST", "/networks/create", b"\xff\xfe"),
        ask("POST", "/networks/create", b"[" * 100_000),
        ask("POST", "/networks/create", {}, says="name"),
        ask("POST", "/networks/create", {"Name": 7}, says="Name"),
        ask("POST", "/networks/create", {**NEW, "Internal": "yes"}, says="Internal"),
        ask("POST", "/networks/create", {**NEW, "IPAM": []}, says="IPAM"),
        ask("POST", "/networks/create", {**NEW, "IPAM": {"Config": {}}}, says="Config"),
        ask("POST", "/networks/create", {**NEW, "Options": {"a": 1}}, says="a"),
        ask("POST", "/networks/create", {"Name": "x" * 300}),
        ask("POST", "/networks/create", {**NEW, "Driver": "warp"}, 404, "warp"),
        ask("POST", "/networks/create", {"Name": "web"}, 409, "web"),
        ask("POST", "/networks/create", {"Name": "host"}, 403, "host"),
        ask(
            "POST", "/networks/create", {**NEW, "IPAM": {"Config": [{"Subnet": "10.5.0.0/16"}]}},
            403, ("10.5.0.0/16", "web"),
        ),  # fmt: skip
        ask("GET", "/networks/nothing", status=404, says="network nothing not found"),
        ask("DELETE", "/networks/nothing", status=404, says="network nothing not found"),
        ask("DELETE", "/networks/web", status=403, says=("web", "c1")),
        ask("DELETE", "/networks/bridge", status=403, says="bridge"),
        ask("GET", "/networks?filters=rubbish"),
        ask("POST", "/networks/web/connect", {}, says="Container"),
        ask("POST", "/networks/web/connect", {"Container": "nobody"}, 404, "nobody"),
        ask("POST", "/networks/nothing/connect", {"Container": "c1"}, 404, "nothing"),
        ask("POST", "/networks/web/connect", {"Container": "c1"}, 403, ("c1", "web")),
        ask(
            "POST", "/networks/web/connect",
            {"Container": "c2", "EndpointConfig": {"IPAMConfig": {"IPv4Address": "10.5.0.5"}}},
            403, ("10.5.0.5", "c1"),
        ),  # fmt: skip
        ask(
            "POST", "/networks/web/connect",
            {"Container": "c2", "EndpointConfig": {"MacAddress": "ff:ff:ff:ff:ff:ff"}},
            400, "ff:ff:ff:ff:ff:ff",
        ),  # fmt: skip
        ask("POST", "/networks/web/disconnect", {"Container": "nobody"}, 404, "nobody"),
        ask("GET", "/containers/nobody/json", status=404, says="No such container: nobody"),
        ask("POST", "/containers/nobody/start", status=404, says="nobody"),
        ask("POST", "/containers/c3/kill", status=409, says="not running"),
        ask("POST", "/containers/c1/kill?signal=FOO", status=400, says="FOO"),
        ask("POST", "/containers/c1/stop?t=soon", status=400, says="soon"),
        ask("DELETE", "/containers/c1", status=409, says="c1"),
        ask("POST", "/containers/create?name=c1", {"Cmd": ["true"]}, 409, "c1"),
        ask("POST", "/containers/create?name=a%2Fb", {"Cmd": ["true"]}, 400, "a/b"),
        ask("POST", "/containers/create?name=new", {}, 400, "command"),
        ask("POST", "/containers/create?name=new", {"Cmd": 7}, 400, "Cmd"),
        ask(
            "POST", "/containers/create?name=new",
            {"Cmd": ["true"], "HostConfig": {"NetworkMode": "nothing"}}, 404, "nothing",
        ),  # fmt: skip
        ask("POST", "/containers/c3/exec", {"Cmd": ["true"]}, 409, "not running"),
        ask("POST", "/containers/c1/exec", {"Cmd": []}, 400),
        ask("POST", "/exec/nothing/start", {}, 404, "nothing"),
        ask("GET", "/exec/nothing/json", status=404, says="nothing"),
        ask("POST", "/weft/attach", {"Network": "web"}, 400),
        ask("POST", "/weft/attach", {"Netns": "relative", "Network": "web"}, 400, "relative"),
        ask("POST", "/weft/detach", {"Sandbox": "nobody"}, 404, "nobody"),
        ask("GET", "/weft/explain/nobody", status=404, says="nobody"),
        ask("DELETE", "/weft/links/nobody", status=404, says="nobody"),
        ask("POST", "/weft/fault", {"Fault": "fail", "Operation": 1}, 403),
    ],
)
def test_request(world, method, path, body, status, says):
    answer = world.daemon.request(method, path, body)
    assert answer.status == status, answer.text
    assert list(answer.json) == ["message"]
    for part in says:
        assert part.lower() in answer.message.lower()
    assert answer.headers["api-version"] == "1.48"


def memory_peak(weft) -> int:
    """Of weftd, in kilobytes."""
    with open(f"/proc/{weft.daemon.pid}/status", encoding="ascii") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmHWM"))


def test_a_body_of_100_megabytes(world):
    peak = memory_peak(world)
    try:
        answer = world.daemon.request("POST", "/networks/create", b" " * 100_000_000)
        assert answer.status == 413
    except (BrokenPipeError, ConnectionResetError):
        pass  # refused before all of it was sent
    assert memory_peak(world) - peak < 32_000
    assert world("network", "ls", "-q")


def test_a_body_that_never_ends(world):
    """Chunked, without a length to refuse at once."""
    peak = memory_peak(world)
    with contextlib.closing(world.daemon.connection()) as connection:
        connection.putrequest("POST", "/networks/create")
        connection.putheader("Transfer-Encoding", "chunked")
        connection.endheaders()
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            for _ in range(1000):
                connection.send(b"%x\r\n%s\r\n" % (100_000, b" " * 100_000))
    assert memory_peak(world) - peak < 32_000
    assert world("network", "ls", "-q")


@contextlib.contextmanager
def connections(weft, count: int):
    """Connections that say nothing."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(hard, 4096)), hard))
    with contextlib.ExitStack() as stack:
        for _ in range(count):
            idle = stack.enter_context(socket.socket(socket.AF_UNIX))
            idle.settimeout(10)
            idle.connect(str(weft.host.path(weft.daemon.socket)))
        yield


def test_a_thousand_idle_connections(world):
    """They keep nobody else from working."""
    with connections(world, 1000):
        world("network", "create", "beside", timeout=10)
        world("run", "--rm", "--network", "beside", "--", "true", timeout=20)
        world("network", "rm", "beside", timeout=10)


def test_half_a_request_keeps_nobody_waiting(world):
    with socket.socket(socket.AF_UNIX) as slow:
        slow.connect(str(world.host.path(world.daemon.socket)))
        slow.sendall(b"POST /networks/create HTTP/1.1\r\nHost: weft\r\nContent-Length: 100\r\n\r\n{")
        assert world("network", "ls", "-q", timeout=10)


def test_rubbish_instead_of_http(world):
    for rubbish in (b"\0" * 4096, b"\r\n" * 100, os.urandom(65536), b"GET / HTTP/9.9\r\n\r\n"):
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(10)
            client.connect(str(world.host.path(world.daemon.socket)))
            with contextlib.suppress(BrokenPipeError, ConnectionResetError, TimeoutError):
                client.sendall(rubbish)
                client.shutdown(socket.SHUT_WR)
                client.recv(4096)
    assert world("network", "ls", "-q", timeout=10)
