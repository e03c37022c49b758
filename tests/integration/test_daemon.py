# SPDX-License-Identifier: Apache-2.0
"""weftd itself: crashes, mending, its configuration, its socket, and the service manager's words."""

import json
import os
import re
import signal
import socket
import stat

import pytest

from hosts import OUTSIDE_IPV4, UPLINK_IPV4, eventually
from snapshots import assert_unchanged, whole
from weftd import WEFTD, Weft, python

# ---- kill -9 ----


def test_containers_survive_a_crash(weft, host, outside):
    outside.serve(80)
    weft.serve("a")
    weft.start("b", command=("sh", "-c", "i=0; while :; do echo line $i; i=$((i+1)); sleep 0.1; done"))
    before = whole(weft.daemon)
    pids = [weft.pid(name) for name in ("a", "b")]
    address, netns = weft.address("a"), weft.netns("b")
    weft.wait_for_log("b", "line 1")

    weft.daemon.kill9()
    # Nobody is at home, and every packet still arrives.
    assert host.ask(address, 8000) == "172.17.0.1"
    host.ping(address, netns=netns)
    assert host.ask(OUTSIDE_IPV4, 80, netns=netns) == UPLINK_IPV4
    written = len(host.run("sh", "-c", "cat /var/lib/weft/containers/*/log").splitlines())

    weft.daemon.start()
    assert_unchanged(weft.daemon, before)
    assert [weft.pid(name) for name in ("a", "b")] == pids
    assert weft("ps", "--format", "{{.Names}}").split() == ["b", "a"]
    eventually(lambda: len(weft("logs", "b").splitlines()) > written, what="the log goes on")
    assert weft.exec("b", "echo", "still here") == "still here"
    assert weft.ask("b", address) == weft.address("b")
    weft("stop", "-t", "1", "b")
    assert weft.status("b") == "exited"


def test_an_exit_code_while_weftd_was_dead(weft):
    weft.start("a", command=("sh", "-c", "sleep 1; exit 7"))
    weft.start("gone", "--rm", command=("sh", "-c", "sleep 1"))
    weft.daemon.kill9()
    host = weft.host
    eventually(lambda: "sleep" not in host.run("ps", "-e", "-o", "comm="), what="both ended")
    weft.daemon.start()
    assert weft.inspect("a")["State"]["ExitCode"] == 7
    assert weft("wait", "a") == "7"
    assert weft("ps", "-a", "--format", "{{.Names}}") == "a"
    eventually(lambda: set(host.links()) == {"lo", "uplink", "weft0"}, what="their links are gone")


def test_a_clean_stop_leaves_containers_alone(weft, host):
    weft.serve("a")
    before = whole(weft.daemon)
    weft.daemon.restart(signal.SIGTERM)
    assert_unchanged(weft.daemon, before)
    assert host.ask(weft.address("a"), 8000) == "172.17.0.1"


BREAKAGES = {
    "bridge deleted": "ip link del weft0",
    "bridge down": "ip link set weft0 down",
    "bridge's address deleted": "ip addr flush dev weft0",
    "host's end deleted": "ip link del {link}",
    "host's end down": "ip link set {link} down",
    "host's end off the bridge": "ip link set {link} nomaster",
    "container's end down": "ip netns exec a ip link set eth0 down",
    "container's address gone": "ip netns exec a ip addr flush dev eth0",
    "container's address another": "ip netns exec a ip addr add 172.17.0.77/16 dev eth0 && "
    "ip netns exec a ip addr del 172.17.0.2/16 dev eth0",
    "container's default route gone": "ip netns exec a ip route del default",
    "loopback down": "ip netns exec a ip link set lo down",
    "ruleset flushed": "nft flush ruleset",
    "table deleted": "nft delete table inet weft",
    "rules flushed": "nft flush table inet weft",
    "forwarding off": "sysctl -q -w net.ipv4.ip_forward=0",
}


@pytest.mark.parametrize("command", BREAKAGES.values(), ids=BREAKAGES.keys())
def test_a_start_mends(weft, host, outside, command):
    outside.serve(80)
    weft.start("a")
    weft("netns", "link", "a")
    before = whole(weft.daemon)
    link = weft.host_link("a")
    weft.daemon.kill9()
    host.run("sh", "-c", command.format(link=link))
    weft.daemon.start()
    after = whole(weft.daemon)
    # An address that somebody added is not weft's to remove.
    inside = after["inside"]["a"]["addresses"]
    after["inside"]["a"]["addresses"] = [one for one in inside if "172.17.0.77" not in one]
    assert after == before
    assert weft.ask("a", OUTSIDE_IPV4, 80) == UPLINK_IPV4


def test_a_start_removes_what_is_not_in_the_model(weft, host):
    """Left behind by a weftd whose state was thrown away."""
    weft("network", "create", "net1")
    weft.start("a", "--network", "net1")
    weft("rm", "-f", "a")
    weft.daemon.stop()
    host.run("sh", "-c", "rm -rf /var/lib/weft/*")
    weft.daemon.start()
    assert set(host.links()) == {"lo", "uplink", "weft0"}


def test_a_start_leaves_others_things_alone(weft, host):
    host.run("ip", "link", "add", "br-mine", "type", "bridge")
    host.run("nft", "add table ip mine; add chain ip mine c { type filter hook input priority 0; }")
    host.run("ip", "route", "add", "10.77.0.0/16", "via", OUTSIDE_IPV4)
    before = whole(weft.daemon)
    weft.daemon.restart()
    assert_unchanged(weft.daemon, before)
    assert "br-mine" in host.links()
    host.run("nft", "list", "chain", "ip", "mine", "c")


# ---- two of them ----


def test_a_second_weftd_on_the_same_state_is_refused(weft, host):
    """Even in a network of its own. The error says who has it."""
    pid = host.run("pgrep", "-x", "weftd")
    result = host.try_run(
        "unshare", "--net", WEFTD, "--socket", "/run/other.sock", timeout=10
    )
    assert result.status == 1 and result.err.count("\n") == 1
    assert "/var/lib/weft" in result.err and pid in result.err
    assert weft("network", "ls", "-q")


def test_a_second_weftd_on_the_same_network_is_refused(weft, host):
    config = host.write(
        "/etc/weft/other.json",
        json.dumps({"socket": "/run/o/s", "run_dir": "/run/o", "state_dir": "/var/lib/o"}),
    )
    before = whole(weft.daemon)
    result = host.try_run(WEFTD, "--config", config, timeout=10)
    assert result.status == 1 and result.err.count("\n") == 1
    assert "another weftd" in result.err
    assert_unchanged(weft.daemon, before)


def test_two_side_by_side(weft, make_host, make_daemon):
    other = Weft(make_daemon(make_host("other")))
    for one in (weft, other):
        one("network", "create", "--subnet", "10.5.0.0/24", "web")
        one.serve("a", "--network", "web")
        assert one.host.ask(one.address("a", "web"), 8000) == "10.5.0.1"
    other("rm", "-f", "a")
    other.daemon.kill9()
    assert weft.host.ask(weft.address("a", "web"), 8000) == "10.5.0.1"


def test_directories_of_its_own(host, make_daemon):
    weft = Weft(
        make_daemon(
            host,
            socket="/run/mine/s.sock",
            run_dir="/run/mine/run",
            state_dir="/var/lib/mine",
            default_bridge={"name": "mine0", "subnet": "10.44.0.0/16"},
        )
    )
    weft.start("a")
    assert host.addresses("mine0") == ["10.44.0.1/16"]
    assert weft.address("a") == "10.44.0.2"
    assert weft.netns("a").startswith("/run/mine/run/netns/")
    assert not host.path("/run/weft").exists() and not host.path("/var/lib/weft").exists()


def test_state_on_the_machines_own_file_system(host, make_daemon, tmp_path):
    """The writable layer of a container lies below its own lower layer, the root."""
    weft = Weft(make_daemon(host, state_dir=str(tmp_path / "state")))
    assert weft("run", "--rm", "--", "sh", "-c", "echo new > /written && cat /written") == "new"
    assert not os.path.exists("/written")


# ---- configuration ----


@pytest.mark.parametrize(
    "text, says",
    [
        ('{"socket": 7}', ("socket",)),
        ('{\n "mtu": 1400,\n "colour": "red"\n}', ("colour",)),
        ('{\n "mtu": 1400,\n}', ("line 3",)),
        ("", ("line",)),
        ("[]", ("object",)),
        ('{"mtu": 12}', ("mtu", "12")),
        ('{"log_level": "loud"}', ("log_level", "loud")),
        ('{"group": "no-such-group"}', ("group", "no-such-group")),
        ('{"runtime": "no-such-runtime"}', ("no-such-runtime",)),
        ('{"socket": "relative"}', ("socket", "relative")),
        ('{"state_dir": "relative"}', ("state_dir", "relative")),
        ('{"default_bridge": {"subnet": "10.0.0.0/33"}}', ("default_bridge", "10.0.0.0/33")),
        ('{"default_bridge": {"name": "a-name-that-is-too-long"}}', ("a-name-that-is-too-long",)),
        ('{"address_pools": [{"base": "10.0.0.1/8", "size": 24}]}', ("10.0.0.1/8",)),
        ('{"address_pools": [{"base": "10.0.0.0/24", "size": 16}]}', ("size",)),
        ('{"address_pools": {}}', ("address_pools",)),
    ],
)
@pytest.mark.parametrize("check", [True, False], ids=["check", "start"])
def test_a_bad_configuration(host, text, says, check):
    path = host.write("/etc/weft/bad.json", text)
    result = host.try_run(WEFTD, "--config", path, *(["--check"] if check else []), timeout=10)
    assert result.status == 1, result
    sentence = result.err.strip()
    assert "\n" not in sentence and path in sentence
    for part in says:
        assert part in sentence
    assert set(host.links()) == {"lo", "uplink"}
    assert not host.path("/run/weft").exists() and not host.path("/var/lib/weft").exists()


def test_check_accepts_every_key(host):
    config = {
        "socket": "/run/x.sock",
        "group": "root",
        "state_dir": "/var/lib/x",
        "run_dir": "/run/x",
        "default_bridge": {"name": "x0", "subnet": "10.1.0.0/16"},
        "address_pools": [{"base": "10.128.0.0/9", "size": 24}],
        "mtu": 1400,
        "runtime": "runc",
        "log_level": "debug",
    }
    path = host.write("/etc/weft/good.json", json.dumps(config))
    host.run(WEFTD, "--config", path, "--check")
    assert not host.path("/run/x").exists()


def test_no_configuration_is_fine_unless_it_was_asked_for(host):
    host.run(WEFTD, "--check")
    result = host.try_run(WEFTD, "--check", "--config", "/does/not/exist")
    assert result.status == 1 and "/does/not/exist" in result.err


def test_mtu_follows_the_configuration_and_the_uplink(host, make_daemon):
    host.run("ip", "link", "set", "uplink", "mtu", "1420")
    daemon = make_daemon(host)
    assert host.links()["weft0"]["mtu"] == 1420
    daemon.stop()
    host.run("sh", "-c", "ip link del weft0; rm -rf /var/lib/weft")
    make_daemon(host, mtu=1380)
    assert host.links()["weft0"]["mtu"] == 1380


def test_version_and_help(host):
    assert re.fullmatch(r"weftd \d+\.\d+\.\d+.*", host.run(WEFTD, "--version"))
    assert "--config" in host.run(WEFTD, "--help")


# ---- the socket ----


def test_the_socket_belongs_to_the_group(host, make_daemon):
    host.write("/etc/group", host.read("/etc/group") + "weavers:x:4242:\n")
    make_daemon(host, group="weavers")
    mode = host.path("/run/weft/weft.sock").stat()
    assert (mode.st_uid, mode.st_gid, stat.S_IMODE(mode.st_mode)) == (0, 4242, 0o660)


def test_the_socket_is_roots_without_a_group(daemon, host):
    mode = host.path("/run/weft/weft.sock").stat()
    assert stat.S_IMODE(mode.st_mode) & 0o007 == 0


def test_a_stale_socket_is_no_obstacle(daemon, host):
    daemon.kill9()
    assert host.path("/run/weft/weft.sock").exists()
    daemon.start()


# What a service manager does: listen, then hand the socket over as descriptor 3.
ACTIVATE = """
import os, socket, sys
listener = socket.socket(socket.AF_UNIX)
listener.bind(sys.argv[1])
listener.listen(64)
os.dup2(listener.fileno(), 3)
os.set_inheritable(3, True)
os.environ.update(LISTEN_FDS="1", LISTEN_PID=str(os.getpid()))
os.execv(sys.argv[2], sys.argv[2:])
"""


def test_socket_activation(host):
    child = host.popen(
        *python(ACTIVATE), "/run/activated.sock", WEFTD, "--socket", "/run/not-this.sock"
    )
    weftd_socket = str(host.path("/run")) + "/activated.sock"

    def answers() -> bool:
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(5)
            try:
                client.connect(weftd_socket)
                client.sendall(b"GET /_ping HTTP/1.0\r\n\r\n")
                return client.recv(4096).startswith(b"HTTP/1.")
            except OSError:
                return False

    eventually(answers)
    assert not host.path("/run/not-this.sock").exists()
    os.kill(host.child_of(child.pid), signal.SIGTERM)
    assert child.wait(10) == 0
    # The socket is the service manager's: it stays for the next time.
    assert host.path("/run/activated.sock").exists()


def test_sd_notify(host):
    """READY=1 comes when weftd answers, STOPPING=1 when it leaves."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(host.path("/run")) + "/notify")
        manager.settimeout(20)
        child = host.popen(WEFTD, env={"NOTIFY_SOCKET": "/run/notify"})
        assert "READY=1" in manager.recv(4096).decode().splitlines()
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(host.path("/run/weft")) + "/weft.sock")
            client.settimeout(5)
            client.sendall(b"GET /_ping HTTP/1.0\r\n\r\n")
            assert b"200" in client.recv(4096)
        os.kill(host.child_of(child.pid), signal.SIGTERM)
        assert "STOPPING=1" in manager.recv(4096).decode().splitlines()
        assert child.wait(10) == 0


def test_without_root_rights(host):
    result = host.try_run("setpriv", "--reuid=65534", "--clear-groups", WEFTD, timeout=10)
    assert result.status == 1
    assert result.err.count("\n") == 1
