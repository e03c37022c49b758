# SPDX-License-Identifier: Apache-2.0
"""Other managers of firewalls on the same host: weft's traffic passes, and theirs is unharmed."""

import re
import sys

import pytest

from hosts import OUTSIDE_IPV4, OUTSIDE_IPV6, TCP_CLIENT, UPLINK_IPV4, UPLINK_IPV6, Host, eventually
from peers import Dockerd, Firewalld, install_peers
from weftd import WEFTD, Weft

DUAL = ("--ipv6", "--subnet", "10.9.0.0/24", "--subnet", "fd00:9::/64")
MARK = "weft"


@pytest.fixture
def crowded(host) -> Host:
    """A host on which docker, firewalld and ufw are installed."""
    install_peers(host)
    # As on a machine where nobody asked for it; dockerd does.
    for family in ("iptables", "ip6tables"):
        host.run("sysctl", "-qew", f"net.bridge.bridge-nf-call-{family}=0")
    return host


def start_weft_containers(weft: Weft) -> None:
    weft("network", "create", *DUAL, "web")
    weft.serve("server", "--network", "web", "-p", "8080:8000")
    weft.start("client", "--network", "web")


def weft_works(weft: Weft, outside: Host) -> bool:
    """Every way that a packet of weft's can go past others' chains."""
    neighbour, neighbour6 = weft.address("server", "web"), weft.address6("server", "web")
    for address in (neighbour, neighbour6):
        weft.ask("client", address)
    for address in (OUTSIDE_IPV4, OUTSIDE_IPV6):
        weft.ask("client", address, 80)
    assert outside.ask(UPLINK_IPV4, 8080) == OUTSIDE_IPV4
    assert outside.ask(UPLINK_IPV6, 8080) == OUTSIDE_IPV6
    assert weft.ask("client", UPLINK_IPV4, 8080)
    assert weft.host.ask("127.0.0.1", 8080)
    return True


def reaches(host: Host, address: str, port: int) -> bool:
    client = (sys.executable, "-c", TCP_CLIENT, address, str(port), "1")
    return host.try_run(*client).status == 0


def accept_rules(host: Host) -> list[str]:
    """weft's rules in chains of others."""
    rules = host.json("nft", "-j", "list", "ruleset")["nftables"]
    return [
        f"{rule['rule']['table']} {rule['rule']['chain']}"
        for rule in rules
        if "rule" in rule and rule["rule"].get("comment") == MARK
    ]


def all_accept_rules(host: Host) -> int:
    """Those in iptables' tables too, which nft shows only in part."""
    text = host.run("sh", "-c", "iptables-save; ip6tables-save; nft list ruleset 2>/dev/null")
    return len(re.findall(rf"comment \"?{MARK}\"?", text))


# ---- docker ----


def start_docker_containers(docker: Dockerd) -> None:
    docker.import_box()
    docker("run", "-d", "--name", "theirs", "-p", "9090:80", "box",
           "sh", "-c", "while :; do echo docker | nc -l -p 80; done")  # fmt: skip
    docker("run", "-d", "--name", "peer", "box", "sleep", "1000000")


def docker_works(docker: Dockerd, outside: Host) -> bool:
    address = docker("inspect", "-f", "{{.NetworkSettings.IPAddress}}", "theirs")
    docker("exec", "peer", "ping", "-c1", "-W2", address)
    docker("exec", "peer", "ping", "-c1", "-W2", OUTSIDE_IPV4)
    assert outside.ask(UPLINK_IPV4, 9090) == "docker"
    return True


@pytest.mark.parametrize("first", ["docker", "weft"])
def test_docker_on_the_same_host(first, crowded, outside, make_daemon):
    docker = Dockerd(crowded)
    outside.serve(80)
    if first == "docker":
        docker.start()
    weft = Weft(make_daemon(crowded))
    if first == "weft":
        docker.start()
    start_docker_containers(docker)
    start_weft_containers(weft)
    assert crowded.run("cat", "/proc/sys/net/bridge/bridge-nf-call-iptables") == "1"
    # Docker does so only where it turns forwarding on itself.
    policy = "DROP" if first == "docker" else "ACCEPT"
    assert f"-P FORWARD {policy}" in crowded.run("iptables", "-S", "FORWARD")

    assert weft_works(weft, outside)
    assert docker_works(docker, outside)

    docker.end()
    assert weft_works(weft, outside)
    docker.start()
    docker("start", "theirs", "peer")
    assert docker_works(docker, outside)
    assert weft_works(weft, outside)

    crowded.run("nft", "flush", "ruleset")
    eventually(lambda: "weft" in crowded.run("nft", "list", "tables"), what="weft's tables are back")
    assert weft_works(weft, outside)
    docker.end()


def saved_rules(host: Host, command: str) -> dict[str, list[str]]:
    """What iptables-save prints, by table and chain: these come in any order. Without counters."""
    found: dict[str, list[str]] = {}
    table = ""
    for line in re.sub(r" *\[\d+:\d+\]", "", host.run(command)).splitlines():
        if line.startswith("*"):
            table = line
        elif line.startswith((":", "-A ")):
            chain = line.removeprefix("-A ").removeprefix(":").split()[0]
            found.setdefault(f"{table} {chain}", []).append(line)
    return found


def test_docker_keeps_its_rules(crowded, make_daemon):
    """What weft adds is marked, readable for iptables, and goes with weft."""
    docker = Dockerd(crowded).start()
    commands = ("iptables-save", "ip6tables-save")
    before = [saved_rules(crowded, command) for command in commands]
    daemon = make_daemon(crowded)
    added = crowded.run("iptables", "-S", "FORWARD").splitlines()
    marked = [rule for rule in added if f"--comment {MARK}" in rule]
    assert len(marked) == 2 and all(rule.endswith("-j ACCEPT") for rule in marked)
    assert "-P FORWARD DROP" in added
    daemon.stop()
    assert len(marked) == 2, "a weftd that stops leaves the network as it is"
    crowded.run(WEFTD, "--cleanup")
    assert before == [saved_rules(crowded, command) for command in commands]
    assert "weft" not in crowded.run("nft", "list", "tables")
    docker.end()


# ---- firewalld ----


@pytest.mark.parametrize("first", ["firewalld", "weft"])
def test_firewalld_on_the_same_host(first, crowded, outside, make_daemon):
    firewalld = Firewalld(crowded)
    outside.serve(80)
    if first == "firewalld":
        firewalld.start()
    weft = Weft(make_daemon(crowded))
    if first == "weft":
        firewalld.start()
    start_weft_containers(weft)
    eventually(lambda: accept_rules(crowded), what="accept rules in firewalld's chain")
    assert weft_works(weft, outside)

    crowded.run("firewall-cmd", "--reload")
    eventually(lambda: accept_rules(crowded), what="accept rules after a reload")
    assert weft_works(weft, outside)
    # firewalld still guards the host itself.
    crowded.serve(7777)
    assert crowded.ask(UPLINK_IPV4, 7777)
    assert not reaches(outside, UPLINK_IPV4, 7777)

    crowded.run("nft", "flush", "ruleset")
    eventually(lambda: "weft" in crowded.run("nft", "list", "tables"), what="weft's tables are back")
    assert weft_works(weft, outside)
    firewalld.end()
    assert weft_works(weft, outside)


# ---- ufw ----


def test_ufw_on_the_same_host(crowded, outside, make_daemon):
    outside.serve(80)
    weft = Weft(make_daemon(crowded))
    start_weft_containers(weft)
    crowded.run("ufw", "--force", "enable")
    assert "-P FORWARD DROP" in crowded.run("iptables", "-S", "FORWARD")
    eventually(lambda: all_accept_rules(crowded) >= 4, what="accept rules in ufw's chains")
    assert weft_works(weft, outside)
    crowded.run("ufw", "reload")
    assert eventually(lambda: all_accept_rules(crowded) >= 4)
    assert weft_works(weft, outside)
    # The host itself stays as closed as ufw makes it.
    crowded.serve(7777)
    assert crowded.ask(UPLINK_IPV4, 7777)
    assert not reaches(outside, UPLINK_IPV4, 7777)
    crowded.run("ufw", "--force", "disable")
    assert weft_works(weft, outside)


# ---- a ruleset of the administrator's own ----

OWN_RULESET = """
table inet filter {
    chain forward {
        type filter hook forward priority filter; policy drop;
        %s
    }
}
"""


@pytest.mark.parametrize("last", ["", "ct state invalid drop", "counter drop"])
def test_own_ruleset_with_drop(last, host, outside, make_daemon):
    outside.serve(80)
    weft = Weft(make_daemon(host))
    start_weft_containers(weft)
    host.run("nft", "-f", "-", stdin=OWN_RULESET % last)
    eventually(lambda: accept_rules(host) == 2 * ["filter forward"], what="accept rules")
    assert weft_works(weft, outside)
    # What is not weft's is still dropped there.
    host.run("nft", "add", "chain", "inet", "filter", "forward", "{ policy accept ; }")
    host.run("nft", "flush", "chain", "inet", "filter", "forward")
    eventually(lambda: not accept_rules(host), what="no accept rules where nothing drops")


def test_explicit_drop_of_the_administrator_holds(host, outside, make_daemon):
    """weft's rules stand behind those of a chain whose policy drops."""
    weft = Weft(make_daemon(host))
    start_weft_containers(weft)
    eventually(lambda: reaches(outside, UPLINK_IPV4, 8080), what="the port is open at first")
    host.run("nft", "-f", "-", stdin=OWN_RULESET % "tcp dport 8000 drop")
    eventually(lambda: accept_rules(host), what="accept rules")
    assert not reaches(outside, UPLINK_IPV4, 8080)
