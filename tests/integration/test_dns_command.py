# SPDX-License-Identifier: Apache-2.0
"""weft dns ls, lookup and log, and /weft/dns behind them."""

from __future__ import annotations

import json
from urllib.parse import quote

import pytest

from dns_client import client_in
from dns_hosts import DUAL, GATEWAY4, TRUE4, TRUE6, Upstream
from dns_wire import reverse
from hosts import eventually

NETWORK = "web"


@pytest.fixture
def upstream(outside) -> Upstream:
    return Upstream(outside)


@pytest.fixture
def pair_of_containers(weft, upstream) -> tuple[str, str]:
    """a, which is also www, and b: their addresses."""
    weft("network", "create", *DUAL, NETWORK)
    weft.start("a", "--network", NETWORK, "--network-alias", "www", "--expose", "80")
    weft.start("b", "--network", NETWORK)
    return weft.address("a", NETWORK), weft.address("b", NETWORK)


def lookup(weft, name: str, **options: str) -> dict:
    arguments = "&".join(f"{key.rstrip('_')}={quote(value)}" for key, value in options.items())
    return weft.daemon.get(f"/weft/dns/lookup?name={quote(name)}&{arguments}")


# ---- ls ----


def test_ls(weft, pair_of_containers):
    weft("network", "create", "other")
    weft("network", "connect", "--alias", "there", "other", "a")
    weft.start("bridged")
    container = weft.inspect("a")["Id"][:12]
    listed = weft.daemon.get("/weft/dns/names")
    names = {(entry["Network"], entry["Name"]): entry for entry in listed}
    for name in ("a", "www", container):
        entry = names[NETWORK, name]
        assert (entry["Container"], entry["IPv4"]) == ("a", pair_of_containers[0])
        assert entry["IPv6"] == weft.address6("a", NETWORK)
        assert entry["Alias"] == (name == "www")
    assert ("other", "there") in names and ("other", "www") not in names
    # The default bridge has no names.
    assert {network for network, _ in names} == {NETWORK, "other"}
    text = weft("dns", "ls")
    for word in ("a", "www", "there", NETWORK, pair_of_containers[0], weft.address6("a", NETWORK)):
        assert word in text.split() or word in text, text
    weft("rm", "-f", "a")
    assert {entry["Container"] for entry in weft.daemon.get("/weft/dns/names")} == {"b"}


def test_ls_of_one_network(weft, pair_of_containers):
    weft("network", "create", "other")
    weft("network", "connect", "--alias", "there", "other", "a")
    listed = weft.daemon.get("/weft/dns/names?network=other")
    assert {entry["Network"] for entry in listed} == {"other"}
    assert weft.daemon.request("GET", "/weft/dns/names?network=nowhere").status == 404


# ---- lookup ----


def test_lookup_as_a_container(weft, pair_of_containers):
    address, _ = pair_of_containers
    for who in ("b", weft.inspect("b")["Id"][:12]):
        found = lookup(weft, "www", from_=who)
        assert (found["Status"], found["Source"]) == ("NOERROR", "names")
        assert [answer["Data"] for answer in found["Answers"]] == [address]
    assert address in weft("dns", "lookup", "www", "--from", "b")
    assert weft.address6("a", NETWORK) in weft("dns", "lookup", "--type", "AAAA", "www", "--from", "b")
    assert "a.web" in weft("dns", "lookup", address, "--from", "b")
    assert "a.web" in weft("dns", "lookup", "--type", "ptr", reverse(address), "--from", "b")
    assert "80" in weft("dns", "lookup", "--type", "SRV", "_http._tcp.a", "--from", "b").split()


def test_lookup_as_the_host(weft, pair_of_containers):
    """Who is not said to ask sees all networks, and then the host's servers."""
    address, _ = pair_of_containers
    assert address in weft("dns", "lookup", "a.web.weft") and address in weft("dns", "lookup", "a")
    found = lookup(weft, "host.test")
    assert found["Source"] == "upstream" and [answer["Data"] for answer in found["Answers"]] == [TRUE4]
    assert found["Answers"][0]["TTL"] == 300 and found["Answers"][0]["Type"] == "A"
    assert lookup(weft, "host.test")["Source"] == "cache"
    assert TRUE6 in weft("dns", "lookup", "--type", "AAAA", "host.test")


def test_lookup_sees_what_the_container_sees(weft, pair_of_containers):
    weft("network", "create", "--internal", "quiet")
    weft.start("c", "--network", "quiet")
    for name in ("a.web.weft", "host.test", "a"):
        assert lookup(weft, name, from_="c")["Status"] == "NXDOMAIN"
        assert client_in(weft, "c").rcode(name) == "NXDOMAIN"


def test_lookup_of_what_is_not_there(weft, pair_of_containers):
    assert lookup(weft, "nobody.web.weft", from_="b")["Status"] == "NXDOMAIN"
    result = weft.attempt("dns", "lookup", "nobody.web.weft", "--from", "b")
    assert result.status == 1 and "nobody.web.weft" in result.err + result.out
    # The name is there, the type is not.
    found = lookup(weft, "a", from_="b", type="MX")
    assert (found["Status"], found["Answers"]) == ("NOERROR", [])


def test_lookup_of_nonsense(weft, pair_of_containers):
    weft.fails("dns", "lookup", "a", "--from", "nobody", says="nobody")
    for name in ("a..b", ".".join(["x" * 60] * 5), "y" * 64 + ".test"):
        weft.fails("dns", "lookup", name, says="name")
    weft.fails("dns", "lookup", "--type", "NONSENSE", "a", says="NONSENSE")
    assert weft.attempt("dns", "lookup").status != 0
    for query in ("", "?name=", "?name=a&type=x", "?name=a..b"):
        assert weft.daemon.request("GET", f"/weft/dns/lookup{query}").status == 400
    assert weft.daemon.request("GET", "/weft/dns/lookup?name=a&from=nobody").status == 404


def test_many_lookups_at_once(weft, pair_of_containers):
    """Also slow ones, which nobody waits for any more."""
    children = [weft.popen("dns", "lookup", "late-800.test", stdout=-1) for _ in range(10)]
    gone = [weft.popen("dns", "lookup", f"drop-{number}.test", stdout=-3, stderr=-3) for number in range(5)]
    assert pair_of_containers[0] in weft("dns", "lookup", "a")
    for child in gone:
        child.kill()
    for child in children:
        assert TRUE4 in child.communicate()[0] and child.returncode == 0


# ---- log ----


def entries(weft, who: str = "") -> list[dict]:
    text = weft.daemon.request("GET", f"/weft/dns/log?container={who}").text
    return [json.loads(line) for line in text.splitlines()]


def test_log(weft, pair_of_containers):
    a, b = (client_in(weft, name) for name in "ab")
    a.ask("b"), b.ask("host.test", tcp=True), b.ask("host.test"), b.ask("nobody.web.weft", "AAAA")
    seen = entries(weft)
    told = [[entry[key] for key in ("Container", "Name", "Type", "Protocol", "Status", "Source")] for entry in seen]
    assert told == [
        ["a", "b", "A", "udp", "NOERROR", "names"],
        ["b", "host.test", "A", "tcp", "NOERROR", "upstream"],
        ["b", "host.test", "A", "udp", "NOERROR", "cache"],
        ["b", "nobody.web.weft", "AAAA", "udp", "NXDOMAIN", "names"],
    ]
    assert seen[1]["Server"] == "192.0.2.53" and seen[0]["Answers"] == 1
    assert all(0 <= entry["Micros"] < 10_000_000 for entry in seen)
    assert [entry["Name"] for entry in entries(weft, "a")] == ["b"]
    lines = weft("dns", "log", "b").splitlines()
    assert len([line for line in lines if "host.test" in line]) == 2 and "NXDOMAIN" in lines[-1]
    assert len([line for line in weft("dns", "log").splitlines() if "test" in line or "b" in line]) >= 4


def test_log_follows(weft, pair_of_containers):
    child = weft.popen("dns", "log", "-f", "b", stdout=-1)
    a, b = (client_in(weft, name) for name in "ab")

    def followed() -> bool:
        b.ask("a")
        return len(entries(weft, "b")) > 0

    eventually(followed)
    a.ask("only-a.test"), b.ask("first.test"), b.ask("second.test")
    lines = []
    while not lines or "second.test" not in lines[-1]:
        lines.append(child.stdout.readline())
        assert lines[-1], lines
    assert "first.test" in lines[-2] and not any("only-a.test" in line for line in lines)
    # Attached namespaces are clients like any other.
    weft.attach("guest", "--network", NETWORK)
    follower = weft.popen("dns", "log", "-f", stdout=-1)
    client_in(weft, "guest", GATEWAY4).ask("a")
    while "guest" not in follower.stdout.readline():
        pass


def test_the_log_is_bounded(weft, pair_of_containers):
    """It holds what was last; nobody who follows it holds up queries."""
    follower = weft.popen("dns", "log", "-f", stdout=-1)  # which is never read
    client = client_in(weft, "b")
    for number in range(3000):
        client.ask(f"x{number}.web.weft")
    kept = [entry["Name"] for entry in entries(weft)]
    assert 100 <= len(kept) <= 1000 and kept[-1] == "x2999.web.weft"
    assert kept == [f"x{number}.web.weft" for number in range(3000 - len(kept), 3000)]
    follower.kill()


def test_odd_names_in_the_log(weft, pair_of_containers):
    """What a client asks for cannot write to anybody's terminal."""
    client = client_in(weft, "b")
    client.ask("\x1b[2Jevil\n\".web.weft")
    assert entries(weft)[-1]["Name"].count("evil") == 1
    text = weft("dns", "log")
    assert "evil" in text and "\x1b" not in text
    assert "\x1b" not in weft("dns", "ls")


def test_log_of_nobody(weft, pair_of_containers):
    weft.fails("dns", "log", "nobody", says="nobody")
    assert weft.daemon.request("GET", "/weft/dns/log?container=nobody").status == 404
