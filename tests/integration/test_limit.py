# SPDX-License-Identifier: Apache-2.0
"""Limits: how much containers get and send, measured by what arrives."""

import json
import pathlib
import re
import sys

import pytest

from hosts import UPLINK_IPV4, Host, eventually
from snapshots import assert_unchanged, whole
from weftd import Weft, python

TRANSFER = pathlib.Path(__file__).with_name("transfer.py")
CLIENT = (sys.executable, str(TRANSFER))
PORT = 5001
MBIT = 1e6
BURST = 80 * 1024  # bytes, by default


def serve(weft: Weft, name: str, *flags: str) -> None:
    """A container that takes and gives as much as is asked for."""
    program = TRANSFER.read_text(encoding="utf-8")
    weft.start(name, *flags, command=python(program, "serve", str(PORT)))
    weft.wait_for_log(name, "listening")


def transfer(host: Host, verb: str, address: str, seconds: float, rate: float) -> float:
    """Bits per second between the host and a server, in a transfer that takes so long at rate."""
    count = str(int(seconds * rate / 8) + BURST)
    answer = host.run(*CLIENT, verb, address, str(PORT), count, str(BURST))
    return float(answer)


def gets(host: Host, address: str, rate: float, seconds: float = 1.5) -> float:
    return transfer(host, "put", address, seconds, rate)


def sends(host: Host, address: str, rate: float, seconds: float = 1.5) -> float:
    return transfer(host, "get", address, seconds, rate)


def assert_near(measured: float, rate: float) -> None:
    """Headers take 5 % or so; a busy machine makes it less still, never more."""
    assert 0.7 * rate < measured < 1.02 * rate, f"{measured / MBIT:.2f} Mbit/s"


def qdiscs(host: Host, link: str) -> str:
    return host.run("tc", "qdisc", "show", "dev", link)


def limits(weft: Weft, *args: str) -> list[list[str]]:
    """The rows of `weft limit`."""
    return [re.split(r" {2,}", line.strip()) for line in weft("limit", *args).splitlines()[1:]]


@pytest.mark.parametrize("ingress, egress", [(10, 5), (5, 20)])
def test_both_directions_are_limited(weft, host, ingress, egress):
    flags = ("--ingress-rate", f"{ingress}mbit", "--egress-rate", f"{egress}mbit")
    serve(weft, "a", *flags)
    address = weft.address("a")
    assert_near(gets(host, address, ingress * MBIT), ingress * MBIT)
    assert_near(sends(host, address, egress * MBIT), egress * MBIT)


def test_one_direction_leaves_the_other_alone(weft, host):
    serve(weft, "a", "--ingress-rate", "5mbit")
    serve(weft, "b", "--egress-rate", "5mbit")
    assert_near(gets(host, weft.address("a"), 5 * MBIT), 5 * MBIT)
    assert sends(host, weft.address("a"), 500 * MBIT, 0.2) > 100 * MBIT
    assert_near(sends(host, weft.address("b"), 5 * MBIT), 5 * MBIT)
    assert gets(host, weft.address("b"), 500 * MBIT, 0.2) > 100 * MBIT


def test_containers_and_the_outside_are_limited_alike(weft, host, outside):
    """What limits is the container's own link, whoever is at the other end; IPv6 too."""
    weft("network", "create", "--ipv6", "--subnet", "10.5.0.0/24", "--subnet", "fd00:5::/64", "web")
    serve(weft, "a", "--network", "web", "--egress-rate", "8mbit", "-p", f"{PORT}:{PORT}")
    serve(weft, "b", "--network", "web")
    netns = weft.netns("b")
    for address in (weft.address("a", "web"), weft.address6("a", "web")):
        count = str(BURST + 1_000_000)
        measured = host.run(*CLIENT, "get", address, str(PORT), count, str(BURST), netns=netns)
        assert_near(float(measured), 8 * MBIT)
    assert_near(sends(outside, UPLINK_IPV4, 8 * MBIT), 8 * MBIT)


def test_a_burst_passes_at_once(weft, host):
    serve(weft, "a", "--egress-rate", "1mbit", "--egress-burst", "2m")
    address = weft.address("a")
    count = "1000000"
    fast = float(host.run(*CLIENT, "get", address, str(PORT), count))
    assert fast > 20 * MBIT  # 8 seconds' worth
    weft("limit", "a", "--egress-burst", "none")
    slow = float(host.run(*CLIENT, "get", address, str(PORT), "400000", str(BURST)))
    assert 0.3 * MBIT < slow < 1.02 * MBIT


def test_changing_a_rate_loses_no_packet(weft, host):
    serve(weft, "a", "--ingress-rate", "5mbit", "--egress-rate", "5mbit")
    address = weft.address("a")
    ping = host.popen("ping", "-q", "-n", "-i0.002", "-c600", address, stdout=-1, text=True)
    for rate in (6, 20, 7, 50, 10):
        weft("limit", "a", "--ingress-rate", f"{rate}mbit", "--egress-rate", f"{rate}mbit")
    summary, _ = ping.communicate(timeout=30)
    assert " 600 received, 0% packet loss" in summary
    assert_near(gets(host, address, 10 * MBIT), 10 * MBIT)
    assert_near(sends(host, address, 10 * MBIT), 10 * MBIT)


def test_a_running_container_is_limited_and_freed(weft, host):
    serve(weft, "a")
    address, link = weft.address("a"), weft.host_link("a")
    before = whole(weft.daemon)
    assert limits(weft, "a") == [["bridge", "eth0"]]
    weft("limit", "a", "--ingress-rate", "5mbit")
    weft("limit", "a", "bridge", "--egress-rate", "10mbit", "--egress-burst", "32k")
    assert limits(weft, "a", "bridge") == [
        ["bridge", "eth0", "5mbit", "80kb", "10mbit", "32kb"]
    ]
    assert weft.endpoint("a")["DriverOpts"] == {
        "weft.ingress_rate": "5mbit",
        "weft.egress_rate": "10mbit",
        "weft.egress_burst": "32k",
    }
    assert_near(gets(host, address, 5 * MBIT), 5 * MBIT)
    assert_near(sends(host, address, 10 * MBIT), 10 * MBIT)
    # A burst goes with its rate.
    weft("limit", "a", "--egress-rate", "none")
    assert limits(weft, "a") == [["bridge", "eth0", "5mbit", "80kb"]]
    assert "ingress" not in qdiscs(host, link)
    assert sends(host, address, 500 * MBIT, 0.2) > 100 * MBIT
    weft("limit", "a", "--none")
    assert gets(host, address, 500 * MBIT, 0.2) > 100 * MBIT
    assert weft.endpoint("a")["DriverOpts"] is None
    assert_unchanged(weft.daemon, before)


def test_a_stopped_container_is_limited_when_it_starts(weft, host):
    serve(weft, "a")
    weft("stop", "-t", "1", "a")
    weft("limit", "a", "--ingress-rate", "5mbit", "--egress-rate", "5mbit")
    assert limits(weft, "a") == [["bridge", "eth0", "5mbit", "80kb", "5mbit", "80kb"]]
    weft("start", "a")
    ask = (*CLIENT, "get", weft.address("a"), str(PORT), "1")
    eventually(lambda: host.try_run(*ask).status == 0)
    assert_near(sends(host, weft.address("a"), 5 * MBIT), 5 * MBIT)
    assert_near(gets(host, weft.address("a"), 5 * MBIT), 5 * MBIT)


def test_limits_outlive_restarts(weft, host):
    serve(weft, "a", "--ingress-rate", "5mbit", "--egress-rate", "5mbit")
    link = weft.host_link("a")
    before = qdiscs(host, link)
    weft.daemon.restart()
    assert limits(weft, "a") == [["bridge", "eth0", "5mbit", "80kb", "5mbit", "80kb"]]
    assert qdiscs(host, link) == before
    assert_near(sends(host, weft.address("a"), 5 * MBIT), 5 * MBIT)


def ifb_of(link: str) -> str:
    return link.replace("veth", "ifb")


@pytest.mark.parametrize(
    "damage",
    [
        "tc qdisc del dev {veth} root",
        "tc qdisc del dev {veth} ingress",
        "tc qdisc del dev {ifb} root",
        "tc filter del dev {veth} ingress",
        "ip link del {ifb}",
        "ip link set {ifb} down",
    ],
)
def test_what_was_removed_is_back_with_the_next_start(weft, host, damage):
    serve(weft, "a", "--ingress-rate", "5mbit", "--egress-rate", "5mbit")
    link = weft.host_link("a")
    before = [qdiscs(host, link), qdiscs(host, ifb_of(link))]
    host.run("sh", "-c", damage.format(veth=link, ifb=ifb_of(link)))
    weft.daemon.restart()
    assert [qdiscs(host, link), qdiscs(host, ifb_of(link))] == before
    assert_near(sends(host, weft.address("a"), 5 * MBIT), 5 * MBIT)
    assert_near(gets(host, weft.address("a"), 5 * MBIT), 5 * MBIT)


def test_a_lost_ifb_is_back_at_once(weft, host):
    """Without it, all that the container sends is lost."""
    serve(weft, "a", "--egress-rate", "5mbit")
    host.run("ip", "link", "del", ifb_of(weft.host_link("a")))
    host.ping(weft.address("a"))
    assert_near(sends(host, weft.address("a"), 5 * MBIT), 5 * MBIT)


def test_nothing_is_left_of_a_limited_container(weft, host):
    before = whole(weft.daemon)
    serve(weft, "a", "--ingress-rate", "5mbit", "--egress-rate", "5mbit")
    assert any(name.startswith("ifb") for name in host.links())
    weft("rm", "-f", "a")
    assert_unchanged(weft.daemon, before)


def test_docker_s_long_form(weft, host):
    weft("network", "create", "web")
    option = "driver-opt=weft.egress_rate=5mbit,driver-opt=weft.ingress_rate=10mbit"
    serve(weft, "a", "--network", f"name=web,{option}")
    assert_near(sends(host, weft.address("a", "web"), 5 * MBIT), 5 * MBIT)
    assert_near(gets(host, weft.address("a", "web"), 10 * MBIT), 10 * MBIT)


def test_docker_itself(weft, host):
    serve(weft, "a")
    weft.docker("network", "create", "web")
    weft.docker(
        "network", "connect", "--driver-opt", "weft.egress_rate=5mbit",
        "--driver-opt", "weft.egress_burst=64k", "web", "a",
    )  # fmt: skip
    shown = json.loads(weft.docker("inspect", "a"))[0]["NetworkSettings"]["Networks"]["web"]
    assert shown["DriverOpts"]["weft.egress_rate"] == "5mbit"
    assert limits(weft, "a", "web") == [["web", "eth1", "5mbit", "64kb"]]
    assert_near(sends(host, weft.address("a", "web"), 5 * MBIT), 5 * MBIT)
    weft.docker("network", "disconnect", "web", "a")
    assert limits(weft, "a") == [["bridge", "eth0"]]


def test_an_attached_namespace_is_limited(weft, host):
    host.run("ip", "netns", "add", "lab")
    weft(
        "attach", "--netns", "/run/netns/lab", "--name", "lab", "--network", "bridge",
        "--ingress-rate", "10mbit",
    )  # fmt: skip
    weft("limit", "lab", "--egress-rate", "5mbit")
    server = host.popen(*CLIENT, "serve", str(PORT), netns="/run/netns/lab", stdout=-1)
    assert server.stdout.readline() == b"listening\n"
    address = host.addresses("eth0", "/run/netns/lab")[0].split("/")[0]
    assert_near(sends(host, address, 5 * MBIT), 5 * MBIT)
    assert_near(gets(host, address, 10 * MBIT), 10 * MBIT)
    server.kill()


def test_a_dry_run_says_and_does_nothing(weft, host):
    weft.start("a", "--ingress-rate", "5mbit")
    link = weft.host_link("a")
    before = whole(weft.daemon)
    script = weft("limit", "--dry-run", "a", "--ingress-rate", "8mbit", "--egress-rate", "1mbit")
    assert f"tc qdisc replace dev {link} root handle 7766: tbf rate 8000000bit" in script
    assert f"tc qdisc replace dev {ifb_of(link)} root" in script
    assert f"egress redirect dev {ifb_of(link)}" in script
    assert f"tc qdisc del dev {link} root" in weft("limit", "--dry-run", "a", "--none")
    assert_unchanged(weft.daemon, before)
    assert limits(weft, "a") == [["bridge", "eth0", "5mbit", "80kb"]]


def test_explained_limits_are_the_same_limits(weft, host):
    weft.start("a", "--ingress-rate", "5mbit", "--egress-rate", "2gbit", "--egress-burst", "3m")
    link = weft.host_link("a")
    commands = [line for line in weft("explain", "a").splitlines() if line.startswith("tc ")]
    assert len(commands) == 4
    shown = [qdiscs(host, link), qdiscs(host, ifb_of(link))]
    host.run("tc", "qdisc", "del", "dev", link, "root")
    host.run("tc", "qdisc", "del", "dev", link, "ingress")
    host.run("tc", "qdisc", "del", "dev", ifb_of(link), "root")
    host.run("sh", "-ec", "\n".join(commands))
    assert [qdiscs(host, link), qdiscs(host, ifb_of(link))] == shown
    weft.daemon.restart()
    assert not re.search("mending: tc", weft.daemon.log())


BAD = [
    (("a", "--ingress-rate", "0"), ("weft.ingress_rate", "0")),
    (("a", "--ingress-rate", "-5mbit"), ("weft.ingress_rate", "-5mbit")),
    (("a", "--egress-rate", "fast"), ("weft.egress_rate", "fast")),
    (("a", "--egress-rate", "10mb"), ("weft.egress_rate", "10mb")),
    (("a", "--egress-rate", "1bit"), ("weft.egress_rate", "8kbit")),
    (("a", "--egress-rate", "5mbit", "--egress-burst", "0"), ("weft.egress_burst",)),
    (("a", "--egress-rate", "5mbit", "--egress-burst", "1000"), ("one packet", "bridge")),
    (("a", "--egress-rate", "8kbit", "--egress-burst", "1m"), ("longer than",)),
    (("a", "--egress-burst", "64k"), ("weft.egress_burst", "without weft.egress_rate")),
    (("a", "--ingress-rate", "none", "--ingress-burst", "64k"), ("without weft.ingress_rate",)),
    (("nobody", "--ingress-rate", "5mbit"), ("nobody",)),
    (("a", "nowhere", "--ingress-rate", "5mbit"), ("nowhere",)),
    (("a", "other", "--ingress-rate", "5mbit"), ("a", "not on network other")),
    (("two", "--ingress-rate", "5mbit"), ("2 networks",)),
    (("lonely", "--ingress-rate", "5mbit"), ("none",)),
    (("hosted", "--ingress-rate", "5mbit"), ("host",)),
    (("sharing", "--ingress-rate", "5mbit"), ("shares the network of",)),
    (("a", "--none", "--ingress-rate", "5mbit"), ("--none",)),
]


def test_bad_input_changes_nothing(weft, host):
    weft("network", "create", "other")
    weft.start("a", "--ingress-rate", "5mbit")
    weft.start("two", "--network", "bridge", "--network", "other")
    weft.start("lonely", "--network", "none")
    weft.start("hosted", "--network", "host")
    weft.start("sharing", "--network", "container:a")
    before = whole(weft.daemon)
    for args, says in BAD:
        weft.fails("limit", *args, says=says)
    weft.fails("limit", "nobody", says="nobody")
    weft.fails("limit", "a", "other", says="not on network other")
    assert_unchanged(weft.daemon, before)
    assert limits(weft, "a") == [["bridge", "eth0", "5mbit", "80kb"]]


def test_a_network_without_a_link_on_the_host_refuses(weft):
    weft("network", "create", "-d", "macvlan", "--subnet", "10.5.0.0/24", "island")
    weft.start("a", "--network", "island")
    before = whole(weft.daemon)
    says = ("island", "cannot be limited", "macvlan")
    flags = ("--network", "island", "--ingress-rate", "5mbit")
    weft.fails("run", "-d", *flags, "--", "true", says=says, status=125)
    weft.fails("limit", "a", "--egress-rate", "5mbit", says=says)
    assert limits(weft, "a") == [["island", "eth0"]]
    weft("limit", "a", "--none")
    assert_unchanged(weft.daemon, before)


@pytest.mark.parametrize(
    "flags, says",
    [
        (("--ingress-rate", "0"), "weft.ingress_rate"),
        (("--ingress-burst", "64k"), "without weft.ingress_rate"),
        (("--network", "none", "--ingress-rate", "5mbit"), "none"),
        (("--network", "host", "--egress-rate", "5mbit"), "host"),
        (("--network", "name=bridge,driver-opt=weft.egress_rate=much"), "much"),
        (("--driver-opt", "weft.ingres_rate=5mbit"), "unknown"),
    ],
)
def test_run_refuses_bad_limits(weft, flags, says):
    before = whole(weft.daemon)
    weft.fails("run", "-d", *flags, "--", "true", says=says, status=125)
    assert_unchanged(weft.daemon, before)


def test_the_api_refuses_nonsense(weft):
    weft.start("a")
    for body, status in (
        ({}, 400),
        ({"Container": "a"}, 400),
        ({"Container": "a", "Limits": {}}, 400),
        ({"Container": "a", "Limits": []}, 400),
        ({"Container": "a", "Limits": {"IngressRate": 5}}, 400),
        ({"Container": "a", "Limits": {"Rate": "5mbit"}}, 400),
        ({"Container": "a", "Limits": {"IngressRate": "5mbit"}, "More": 1}, 400),
        ({"Container": "nobody", "Limits": {"IngressRate": "5mbit"}}, 404),
        ({"Container": "a", "Network": "nowhere", "Limits": {"IngressRate": "5mbit"}}, 404),
    ):
        assert weft.daemon.request("POST", "/weft/limits", body).status == status, body
    assert weft.daemon.request("GET", "/weft/limits/nobody").status == 404
    weft.daemon.post("/weft/limits", {"Container": "a", "Limits": {"IngressRate": "5mbit"}}, 204)


@pytest.mark.faults
def test_a_change_that_fails_is_taken_back(weft, host):
    serve(weft, "a", "--ingress-rate", "5mbit")
    before = whole(weft.daemon)
    for nth in range(1, 5):
        weft.daemon.post("/weft/fault", {"Fault": "fail", "Operation": nth})
        weft.fails("limit", "a", "--ingress-rate", "8mbit", "--egress-rate", "5mbit")
        weft.daemon.post("/weft/fault", {"Fault": "none"})
        assert limits(weft, "a") == [["bridge", "eth0", "5mbit", "80kb"]]
        assert_unchanged(weft.daemon, before)
    weft("limit", "a", "--ingress-rate", "8mbit", "--egress-rate", "5mbit")
    assert_near(sends(host, weft.address("a"), 5 * MBIT), 5 * MBIT)
    assert_near(gets(host, weft.address("a"), 8 * MBIT), 8 * MBIT)
