# SPDX-License-Identifier: Apache-2.0
"""Names by the stock docker command, and by what it says of them."""

from __future__ import annotations

import json

import pytest

from dns_client import RESOLVER, client_in
from dns_hosts import SECOND, TRUE4, Upstream, resolvers_of
from weftd import DOCKER

pytestmark = pytest.mark.skipif(not DOCKER, reason="there is no docker command")

# Whatever is called so: a container's root file system is the machine's own.
IMAGE = ("host", "sleep", "1000000")


def start(weft, name: str, *flags: str) -> str:
    return weft.docker("run", "-d", "--name", name, *flags, *IMAGE)


def test_names(weft):
    weft.docker("network", "create", "--ipv6", "--subnet", "10.9.0.0/24", "--subnet", "fd00:9::/64", "web")
    container = start(weft, "a", "--network", "web", "--network-alias", "www", "--hostname", "box",
                      "--domainname", "corp.test")  # fmt: skip
    start(weft, "b", "--network", "web", "--link", "a:linked")
    client = client_in(weft, "b")
    for name in ("a", "www", container[:12], "box", "box.corp.test", "linked"):
        for form in (name, f"{name}.web", f"{name}.web.weft"):
            assert client.data(form) == [weft.address("a", "web")], form
            assert client.data(form, "AAAA") == [weft.address6("a", "web")]
    assert weft.docker("exec", "b", "getent", "ahostsv4", "www").split()[0] == weft.address("a", "web")
    assert resolvers_of(weft, "b").servers == [RESOLVER]
    # All that a command leaves behind it holds at its return.
    weft.docker("rm", "-f", "a")
    for name in ("a", "www", container[:12], "box", "linked"):
        assert client.rcode(f"{name}.web.weft") == "NXDOMAIN"


def test_connect_and_disconnect(weft):
    weft.docker("network", "create", "web")
    start(weft, "a")
    start(weft, "b", "--network", "web")
    client = client_in(weft, "b")
    for alias in ("one", "two"):
        weft.docker("network", "connect", "--alias", alias, "web", "a")
        assert client.data(alias) == client.data("a") == [weft.address("a", "web")]
        assert client_in(weft, "a").data("b") == [weft.address("b", "web")]
        weft.docker("network", "disconnect", "web", "a")
        assert not client.knows(f"{alias}.web.weft") and not client.knows("a.web.weft")
    weft.docker("network", "connect", "--link", "b:friend", "web", "a")
    assert client_in(weft, "a").data("friend") == [weft.address("b", "web")]


def test_stop_and_start(weft):
    weft.docker("network", "create", "web")
    start(weft, "a", "--network", "web")
    start(weft, "b", "--network", "web")
    client = client_in(weft, "b")
    weft.docker("stop", "-t", "0", "a")
    assert not client.knows("a.web.weft")
    weft.docker("start", "a")
    assert client.data("a") == [weft.address("a", "web")]
    weft.docker("restart", "-t", "0", "a")
    assert client.data("a") == [weft.address("a", "web")]


def test_resolver_flags(weft, outside):
    Upstream(outside, "first"), Upstream(outside, "second", SECOND)
    weft.docker("network", "create", "web")
    flags = ("--dns", SECOND, "--dns-search", "corp.test", "--dns-option", "ndots:2")
    start(weft, "a", "--network", "web", *flags, "--add-host", "printer:10.1.2.3", "--add-host", "me:host-gateway")
    conf = resolvers_of(weft, "a")
    assert (conf.servers, conf.search, conf.options) == ([RESOLVER], ["corp.test"], {"ndots:2"})
    assert client_in(weft, "a").data("whoami", "TXT") == ["second"]
    assert weft.docker("exec", "a", "getent", "ahostsv4", "printer").split()[0] == "10.1.2.3"
    assert weft.docker("exec", "a", "getent", "ahostsv4", "me")
    start(weft, "b", *flags)
    assert resolvers_of(weft, "b").servers == [SECOND]


def test_what_inspect_says(weft):
    weft.docker("network", "create", "--opt", "weft.host_dns=true", "web")
    container = start(weft, "a", "--network", "web", "--network-alias", "www", "--hostname", "box", "--dns", SECOND)
    start(weft, "b", "--network", "web", "--link", "a:linked")
    endpoint = json.loads(weft.docker("inspect", "a"))[0]["NetworkSettings"]["Networks"]["web"]
    assert {"a", "www", container[:12], "box"} <= set(endpoint["DNSNames"])
    assert "www" in endpoint["Aliases"]
    assert json.loads(weft.docker("inspect", "a"))[0]["HostConfig"]["Dns"] == [SECOND]
    linked = json.loads(weft.docker("inspect", "b"))[0]
    links = linked["NetworkSettings"]["Networks"]["web"].get("Links") or linked["HostConfig"].get("Links") or []
    assert any(link.endswith("linked") for link in links), linked
    assert json.loads(weft.docker("network", "inspect", "web"))[0]["Options"]["weft.host_dns"] == "true"


def test_first_queries_of_short_runs(weft, outside):
    Upstream(outside)
    weft.docker("network", "create", "web")
    start(weft, "db", "--network", "web")
    for number in range(3):
        out = weft.docker("run", "--rm", "--network", "web", "host", "sh", "-c",
                          "dig +short db; dig +short host.test")  # fmt: skip
        assert out.split() == [weft.address("db", "web"), TRUE4]
