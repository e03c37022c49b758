# SPDX-License-Identifier: Apache-2.0
"""Somebody else removes or changes what is weft's: it is back in no time, and the log names it."""

from __future__ import annotations

import os
import re
import signal
import sys
import time
from typing import NamedTuple

import pytest

from hosts import UPLINK_IPV4, eventually
from snapshots import assert_unchanged, whole
from weftd import BUILD, WEFTD, Weft

pytestmark = pytest.mark.config(log_level="debug")

# What is promised of a machine that has nothing else to do: WEFT_STRICT=1 asserts it. In the suite,
# other tests run beside these; sanitizers make everything several times slower.
LIMIT_MS = 100 if os.environ.get("WEFT_STRICT") else 3000 if "asan" in BUILD.name else 400

# Breaks something with a shell command and prints how many milliseconds after the command's start
# everything looks as before. What is looked at: "nft", the whole ruleset; "links", with addresses;
# a word that begins with "/", a file; else a shell command's output.
STOPWATCH = """
import json, pathlib, subprocess, sys, time

def output(*argv):
    return subprocess.run(argv, capture_output=True, text=True).stdout

def links():
    found = {}
    for entry in json.loads(output("ip", "-j", "addr")):
        addresses = [a["local"] for a in entry["addr_info"] if a["scope"] == "global"]
        found[entry["ifname"]] = ("UP" in entry["flags"], entry.get("master"), addresses)
    return found

def look():
    if what == "nft":
        return output("nft", "-s", "list", "ruleset")
    if what == "links":
        return links()
    if what.startswith("/"):
        return pathlib.Path(what).read_text()
    return output("sh", "-c", what)

command, what = sys.argv[1:]
before = look()
start = time.monotonic()
subprocess.run(["sh", "-c", command], check=True)
while (now := look()) != before:
    if time.monotonic() > start + 5:
        sys.exit(f"before: {before}\\nafter: {now}")
print(round((time.monotonic() - start) * 1000, 1))
"""


def stopwatch(host, command: str, what: str) -> float:
    return float(host.run(sys.executable, "-c", STOPWATCH, command, what))


def heard(daemon, since: int = 0) -> list[str]:
    """What weftd said that it mended."""
    return re.findall(r"^info: mending: (.*)$", daemon.log()[since:], re.M)


def dumps(daemon, since: int = 0) -> int:
    """How often it looked, whether anything was to be mended or not."""
    return len(re.findall(r"mended the kernel's state|for drift in vain", daemon.log()[since:]))


def break_thrice(weft: Weft, command: str, what: str, says: str) -> None:
    """What the command breaks is put back, fast enough in the best of three tries, and the log names
    it each time."""
    before = whole(weft.daemon)
    times = []
    for _ in range(3):
        said = len(weft.daemon.log())
        times.append(stopwatch(weft.host, command, what))
        eventually(
            lambda: any(says in line for line in heard(weft.daemon, said)), what=f"the log says {says}"
        )
        time.sleep(0.2)
    print(f"{command}: back after {times} ms")
    assert_unchanged(weft.daemon, before)
    assert min(times) < LIMIT_MS


class Breakage(NamedTuple):
    command: str
    looked_at: str
    says: str  # in the log, of what was mended


# A rule of one of weft's chains, by its handle.
RULE = "handle $(nft -a list chain inet weft decide | grep drop | head -n1 | sed 's/.*handle //')"
BREAKAGES = {
    "ruleset flushed": Breakage("nft flush ruleset", "nft", "nft"),
    "table deleted": Breakage("nft delete table inet weft", "nft", "nft"),
    "bridge table deleted": Breakage("nft delete table bridge weft", "nft", "nft"),
    "table flushed": Breakage("nft flush table inet weft", "nft", "nft"),
    "rule deleted": Breakage(f"nft delete rule inet weft decide {RULE}", "nft", "nft"),
    "rule replaced": Breakage(f"nft replace rule inet weft decide {RULE} accept", "nft", "nft"),
    "rule added": Breakage("nft insert rule inet weft decide accept", "nft", "nft"),
    "chain flushed": Breakage("nft flush chain inet weft decide", "nft", "nft"),
    "policy changed": Breakage(
        "nft 'add chain inet weft forward { policy drop; }'", "nft", "nft"
    ),
    "set flushed": Breakage("nft flush set inet weft links", "nft", "element inet weft links"),
    "element deleted": Breakage(
        "nft 'delete element inet weft same_link { weft0 . weft0 }'", "nft", "add element inet weft same_link"
    ),
    "element added": Breakage(
        "nft 'add element inet weft links { uplink }'", "nft", "delete element inet weft links"
    ),
    "guard's element deleted": Breakage(
        "nft 'delete element bridge weft guarded { {link} }'", "nft", "element bridge weft guarded"
    ),
    "bridge deleted": Breakage("ip link del weft0", "links", "ip link add"),
    "bridge renamed": Breakage(
        "ip link set weft0 down; ip link set weft0 name stolen", "links", "ip link add"
    ),
    "bridge down": Breakage("ip link set weft0 down", "links", "weft0"),
    "bridge's MAC changed": Breakage(
        "ip link set weft0 address 02:00:00:00:00:99", "cat /sys/class/net/weft0/address", "weft0"
    ),
    "bridge's address deleted": Breakage("ip addr del 172.17.0.1/16 dev weft0", "links", "172.17.0.1"),
    "host's end deleted": Breakage("ip link del {link}", "links", "{link}"),
    "host's end renamed": Breakage(
        "ip link set {link} down; ip link set {link} name stolen", "links", "{link}"
    ),
    "host's end down": Breakage("ip link set {link} down", "links", "{link}"),
    "host's end off the bridge": Breakage("ip link set {link} nomaster", "links", "{link}"),
    "container's end deleted": Breakage("ip netns exec a ip link del eth0", "links", "{link}"),
    "forwarding off": Breakage(
        "echo 0 > /proc/sys/net/ipv4/ip_forward", "/proc/sys/net/ipv4/ip_forward", "ip_forward"
    ),
}  # fmt: skip


@pytest.mark.parametrize("breakage", BREAKAGES.values(), ids=BREAKAGES.keys())
def test_what_is_broken_is_mended(weft, outside, breakage):
    outside.serve(80)
    weft.start("a")
    weft.start("b")
    weft("netns", "link", "a")
    link = weft.host_link("a")
    command, looked_at, says = (part.replace("{link}", link) for part in breakage)
    break_thrice(weft, command, looked_at, says)
    weft.ping("b", weft.address("a"))
    assert weft.ask("a", "192.0.2.1", 80) == UPLINK_IPV4


PORTS = {
    "deleted": "nft 'delete element inet weft publish4_any { tcp . 8080 }'",
    "added": "nft 'add element inet weft publish4_any { tcp . 9999 : 172.17.0.2 . 8000 }'",
    "changed": "nft 'delete element inet weft publish4_any { tcp . 8080 };"
    " add element inet weft publish4_any { tcp . 8080 : 172.17.0.99 . 1 }'",
}


@pytest.mark.parametrize("command", PORTS.values(), ids=PORTS.keys())
def test_a_published_port_is_mended(weft, outside, command):
    weft.serve("a", "-p", "8080:8000")
    break_thrice(weft, command, "nft", "element inet weft publish4_any")
    assert outside.ask(UPLINK_IPV4, 8080)


def test_no_other_namespace_is_looked_into(weft, host):
    """A container's own end that is broken from inside is not noticed by a mend of the host, but by
    one that follows the loss of its pair."""
    weft.start("a")
    weft("netns", "link", "a")
    host.run("ip", "netns", "exec", "a", "ip", "route", "del", "default")
    stopwatch(host, "ip link set weft0 down", "links")
    assert not host.default_route(netns=weft.netns("a"))
    stopwatch(host, f"ip link del {weft.host_link('a')}", "links")
    eventually(lambda: host.default_route(netns=weft.netns("a")), what="all of it is back")


def test_the_administrators_chains_survive(weft, host):
    rule = 'ip saddr 203.0.113.0/24 drop comment "mine"'
    host.run("nft", f"add rule inet weft before {rule}; add rule inet weft after counter")
    before = whole(weft.daemon)
    said = len(weft.daemon.log())
    time.sleep(0.2)
    assert dumps(weft.daemon, said) == 0, "the administrator's rules are no drift"
    stopwatch(host, f"nft delete rule inet weft decide {RULE}", "nft")
    stopwatch(host, "nft flush chain inet weft allowed", "nft")
    assert_unchanged(weft.daemon, before)
    assert '"mine"' in host.run("nft", "list", "chain", "inet", "weft", "before")


def test_own_doings_cause_no_mend(weft, host):
    host.run("ip", "netns", "add", "theirs")
    weft("network", "create", "warm-up", "--ipv6")
    time.sleep(0.5)
    said = len(weft.daemon.log())
    weft("network", "create", "web", "--ipv6")
    weft.start("a", "-p", "8080:80")
    weft("publish", "a", "8081:81", "9000:90/udp")
    weft("unpublish", "a", "8081:81")
    weft("network", "connect", "web", "a")
    weft("attach", "--netns", "/run/netns/theirs", "--network", "web")
    for _ in range(3):
        weft("restart", "-t", "0", "a")
    weft("network", "disconnect", "bridge", "a")
    weft("detach", "theirs")
    weft("rm", "-f", "a")
    weft("network", "rm", "web")
    time.sleep(0.5)
    assert dumps(weft.daemon, said) == 0, weft.daemon.log()[said:]


def test_others_doings_cause_no_mend(weft, host):
    weft.start("a")
    said = len(weft.daemon.log())
    host.run(
        "sh", "-ec",
        "for i in 1 2 3; do ip link add br9 type bridge; ip link add v9 type veth peer name v8;"
        " ip link set v9 master br9 up; ip addr add 10.9.9.1/24 dev br9; ip link set br9 up;"
        " ip link del br9; ip link del v9; done;"
        " nft 'add table ip mine; add chain ip mine c; add rule ip mine c accept; delete table ip mine';"
        " ip addr add 10.8.8.8/32 dev weft0; ip addr del 10.8.8.8/32 dev weft0",
    )  # fmt: skip
    time.sleep(0.5)
    assert dumps(weft.daemon, said) == 0, weft.daemon.log()[said:]


def test_nothing_is_logged_when_nothing_was_to_do(weft):
    weft.daemon.restart()
    said = len(weft.daemon.log())
    weft.daemon.restart()
    assert not heard(weft.daemon, said)
    assert "mended" not in weft.daemon.log()[said:]


def test_a_fight_is_not_fought_at_any_price(weft, host):
    """Somebody takes a link down again and again."""
    weft.start("a")
    weft.daemon.expected_errors.append(".*")
    fighter = "while :; do ip link set weft0 down; sleep 0.005; done"
    fight = host.popen("sh", "-c", fighter)
    stat = host.path(f"/proc/{host.run('pgrep', '-x', 'weftd')}/stat")

    def ticks() -> int:
        return sum(map(int, stat.read_text(encoding="utf-8").rpartition(")")[2].split()[11:13]))

    time.sleep(1)
    before, said = ticks(), len(weft.daemon.log())
    time.sleep(3)
    spent, mended = ticks() - before, dumps(weft.daemon, said)
    os.kill(host.child_of(fight.pid), signal.SIGKILL)
    assert "undoing" in weft.daemon.log()
    assert 0 < mended <= 45
    assert spent < 100, f"{spent} ticks in three seconds"
    eventually(lambda: "UP" in host.links()["weft0"]["flags"], what="the bridge is up again")


def test_what_cannot_be_mended_is_tried_ever_more_seldom(weft, host):
    """A stranger's link has the name of weft's bridge."""
    weft.daemon.expected_errors.append(".*")
    said = len(weft.daemon.log())
    steal = "link set weft0 down\nlink set weft0 name stolen\nlink add weft0 type veth peer name other\n"
    host.run("ip", "-batch", "-", stdin=steal)
    eventually(lambda: "next try in 10 s" in weft.daemon.log()[said:], what="it is patient")
    log = weft.daemon.log()[said:]
    assert log.count("next try") <= 4, log
    host.run("ip", "link", "del", "weft0")
    eventually(
        lambda: host.links().get("weft0", {}).get("linkinfo", {}).get("info_kind") == "bridge",
        timeout=15,
        what="weft's bridge is back",
    )


# ---- many ----

ENDPOINTS = 500
MAKE_NAMESPACES = """
import ctypes, os
libc = ctypes.CDLL(None, use_errno=True)
os.makedirs("/run/spaces", exist_ok=True)
for number in range({count}):
    path = f"/run/spaces/{{number}}".encode()
    open(path, "w").close()
    assert libc.unshare(0x40000000) == 0
    assert libc.mount(b"/proc/thread-self/ns/net", path, None, 4096, None) == 0
"""


def attach_many(weft: Weft, count: int) -> None:
    """Namespaces on network "many", each with two published ports."""
    weft("network", "create", "--subnet", "10.98.0.0/16", "many")
    weft.host.run(sys.executable, "-c", MAKE_NAMESPACES.format(count=count))
    for number in range(count):
        body = {"Netns": f"/run/spaces/{number}", "Name": f"n{number}", "Network": "many"}
        weft.daemon.post("/weft/attach", body)
        ports = {f"{port}/tcp": [{"HostPort": str(port + 2 * number)}] for port in (20000, 20001)}
        weft.daemon.post("/weft/publish", {"Container": f"n{number}", "PortBindings": ports})


@pytest.mark.seconds(600)
@pytest.mark.config(log_level="info")
def test_five_hundred_endpoints(weft, host):
    attach_many(weft, ENDPOINTS)
    before = len(host.run("nft", "list", "ruleset"))
    guard = "nft list set bridge weft source4 | wc -c; nft list map inet weft publish4_any | wc -c"
    times = {}
    for name, command, look in (
        ("ruleset flushed", "nft flush ruleset", guard),
        ("table deleted", "nft delete table inet weft", guard),
        ("rules flushed", "nft flush table inet weft", guard),
        ("ports flushed", "nft flush map inet weft publish4_any", guard),
        ("a bridge down", f"ip link set weft0 down", "ip -o link show weft0 | grep -o [,]UP"),
        ("one pair", f"ip link del {weft.host_link('n7', 'many')}",
         f"ip -o link show {weft.host_link('n7', 'many')} | grep -o 'master [^ ]*'"),
    ):  # fmt: skip
        times[name] = [stopwatch(host, command, look) for _ in range(3)]
        time.sleep(1)
        assert len(host.run("nft", "list", "ruleset")) == before
    print(times)
    for name, tries in times.items():
        assert min(tries) < LIMIT_MS, f"{name}: {tries} ms"


# ---- weftd --cleanup ----


def test_cleanup(weft, host):
    empty = set(host.links()) - {"weft0"}
    weft("network", "create", "--ipv6", "web")
    host.run("ip", "netns", "add", "theirs")
    weft("attach", "--netns", "/run/netns/theirs", "--name", "theirs", "--network", "web")
    before = whole(weft.daemon)
    host.run("nft", "add table ip mine")
    weft.daemon.stop()
    said = host.try_run(WEFTD, "--cleanup")
    assert said.status == 0, said.err
    assert set(host.links()) == empty
    assert host.run("nft", "list", "tables").splitlines() == ["table ip mine"]
    assert "/run/weft/netns/" not in host.run("cat", "/proc/self/mounts")
    assert host.links("/run/netns/theirs").keys() == {"lo"}
    host.run("nft", "delete table ip mine")
    weft.daemon.start()
    assert_unchanged(weft.daemon, before)


def test_cleanup_is_refused_while_something_runs(weft, host):
    weft.start("a")
    before = whole(weft.daemon)
    result = host.try_run(WEFTD, "--cleanup")
    assert result.status == 1 and "another weftd" in result.err
    assert_unchanged(weft.daemon, before)
    weft.daemon.stop()
    result = host.try_run(WEFTD, "--cleanup")
    assert result.status == 1 and "container a is running" in result.err
    weft.daemon.start()
    assert_unchanged(weft.daemon, before)
