# SPDX-License-Identifier: Apache-2.0
"""Names: which there are, for whom, and from when until when."""

from __future__ import annotations

import pathlib
import subprocess

import pytest

from dns_client import RESOLVER, NoAnswer, client_in, client_on
from dns_hosts import (
    DUAL,
    GATEWAY4,
    GATEWAY6,
    SECOND,
    SERVER,
    TRUE4,
    Resolvers,
    Upstream,
    resolv_conf,
    resolvers_of,
    set_servers,
)
from dns_wire import RA, Edns, reverse
from hosts import UPLINK_IPV4, eventually
from weftd import python

HERE = pathlib.Path(__file__).parent


@pytest.fixture
def web(weft) -> str:
    """A network of both families."""
    weft("network", "create", *DUAL, "web")
    return "web"


@pytest.fixture
def upstream(outside) -> Upstream:
    """The host's server: every name that reaches it exists."""
    return Upstream(outside)


def long_forms(name: str, network: str = "web") -> tuple[str, ...]:
    return (name, f"{name}.{network}", f"{name}.{network}.weft")


# ---- what a container is called ----


def test_every_name_of_a_container(weft, web):
    container = weft.start("a", "--network", web, "--network-alias", "www", "--hostname", "box")
    weft.start("b", "--network", web)
    wanted = {"A": [weft.address("a", web)], "AAAA": [weft.address6("a", web)]}
    assert all(wanted.values())
    for client in (client_in(weft, "b"), client_in(weft, "a")):
        for name in ("a", "www", container[:12], "box"):
            for form in long_forms(name):
                for kind, addresses in wanted.items():
                    for tcp in (False, True):
                        answer = client.ask(form, kind, tcp)
                        assert (answer.rcode, answer.data) == ("NOERROR", addresses), answer
                        assert answer.authoritative and answer.flags & RA
                        # Nobody keeps what may go at any time.
                        assert [record.ttl for record in answer.answers] == [0]
    # Names have no case (RFC 4343); the question comes back as it was put.
    for form in ("A", "WWW.Web", "bOX.wEB.WEFT"):
        assert client_in(weft, "b").data(form) == wanted["A"]
    # The final dot of the root is no part of the wire format, and no other suffix is weft's.
    assert not client_in(weft, "b").knows("a.weft") and not client_in(weft, "b").knows("a.other.weft")


def test_the_default_host_name_is_the_short_id(weft, web):
    container = weft.start("a", "--network", web)
    assert weft.exec("a", "hostname") == container[:12]
    assert client_in(weft, "a").data(container[:12]) == [weft.address("a", web)]
    # The short one alone: others are no names.
    for prefix in (container[:11], container[:13]):
        assert not client_in(weft, "a").knows(f"{prefix}.web.weft")


def test_several_under_one_alias(weft, web):
    names = [f"c{number}" for number in range(5)]
    for name in names:
        weft.attach(name, "--network", web, "--alias", "pool")
    weft.start("asker", "--network", web)
    client = client_in(weft, "asker")
    endpoints = [weft.sandbox(name)["Networks"][web] for name in names]
    for kind, key in (("A", "IPv4"), ("AAAA", "IPv6")):
        wanted = sorted(endpoint[key].split("/")[0] for endpoint in endpoints)
        answers = [client.ask("pool", kind).data for _ in range(40)]
        assert all(sorted(answer) == wanted for answer in answers)
        # Each of them leads about as often.
        leads = [answer[0] for answer in answers]
        assert min(leads.count(address) for address in wanted) >= 4, leads
    weft("detach", "c3")
    assert len(client.data("pool")) == 4
    # A container's own name and somebody's alias: all who are called so.
    weft.attach("d", "--network", web, "--alias", "c0")
    assert len(client.data("c0")) == 2


def test_an_alias_of_200(weft, web, host):
    """More than a datagram of 512 octets holds: TC, the client's size, and TCP."""
    host.run("sh", "-c", "for i in $(seq 200); do ip netns add n$i; done")
    for number in range(1, 201):
        body = {"Netns": f"/run/netns/n{number}", "Name": f"n{number}", "Network": web}
        weft.daemon.post("/weft/attach", {**body, "EndpointConfig": {"Aliases": ["crowd"]}})
    client = client_in(weft, "n1", GATEWAY4)
    short = client.ask("crowd")
    assert short.truncated and short.size <= 512
    for size in (600, 1232, 4000):
        answer = client.ask("crowd", edns=Edns(size))
        assert answer.size <= size and answer.truncated == (len(answer.answers) < 200), answer
    whole = client.ask("crowd", tcp=True)
    assert len(set(whole.data)) == 200 and not whole.truncated


def test_another_type_of_a_known_name_is_empty_and_not_forwarded(weft, web, upstream):
    weft("network", "create", "--subnet", "10.8.0.0/24", "four")
    weft.start("c", "--network", web)
    weft.start("a", "--network", web, "-p", "8080:80", "--link", "c:linked")
    weft.start("b", "--network", "four")
    client = client_in(weft, "a")
    forms = (*long_forms("a"), "host.docker.internal", "linked", reverse(weft.address("a", web)))
    for form in forms:
        for kind in ("MX", "TXT", "NS", "SOA", "CNAME", "SRV", "NAPTR", "HTTPS", "HINFO", 65000):
            answer = client.ask(form, kind)
            assert answer.is_empty, answer
    # An address of the family that the name does not have.
    assert client_in(weft, "b").ask("b", "AAAA").is_empty
    # Both sides of what is there by other types.
    assert client.ask("_80._tcp.a", "A").is_empty
    assert client.ask(reverse(weft.address6("a", web)), "A").is_empty
    assert not [name for name in upstream.settled(client) if not name.endswith(".test")]


def test_below_weft_nothing_is_forwarded(weft, web, upstream):
    weft.start("a", "--network", web)
    client = client_in(weft, "a")
    for name in ("nobody.web.weft", "a.nowhere.weft", "x.a.web.weft", "weft", "web.weft", "a.weft"):
        for kind in ("A", "AAAA", "MX"):
            assert client.ask(name, kind).data == [], name
    assert client.rcode("nobody.web.weft") == "NXDOMAIN"
    assert client.rcode("a.nowhere.weft") == "NXDOMAIN"
    # Other names are for others to know: also one that only looks like a network's.
    assert client.data("nobody") == client.data("a.nowhere") == client.data("aweft") == [TRUE4]
    assert upstream.settled(client) == ["nobody", "a.nowhere", "aweft"]


def test_reverse_names(weft, web, upstream):
    weft.start("a", "--network", web, "--network-alias", "www", "--hostname", "box")
    client = client_in(weft, "a")
    for address in (weft.address("a", web), weft.address6("a", web)):
        answer = client.ask(reverse(address), "PTR")
        assert answer.data == ["a.web"] and answer.authoritative and answer.answers[0].ttl == 0
        assert client.ask(reverse(address).upper(), "PTR").data == ["a.web"]
    # Inside of the subnet, and nobody's; outside of it.
    for address in ("10.9.0.200", "fd00:9::200"):
        assert client.rcode(reverse(address), "PTR") == "NXDOMAIN"
    assert not upstream.settled(client)
    client.ask(reverse("198.51.100.1"), "PTR")
    client.ask("9.10.in-addr.arpa", "PTR")  # no address
    assert upstream.settled(client) == [reverse("198.51.100.1"), "9.10.in-addr.arpa"]
    weft.start("b", "--network", web, "--ip", "10.9.0.200")
    assert client.data(reverse("10.9.0.200"), "PTR") == ["b.web"]


def test_services(weft, web):
    """SRV (RFC 2782) of exposed and published ports, by number and by name."""
    weft.start("a", "--network", web, "--expose", "80/tcp", "-p", "5353:53/udp", "--expose", "7/sctp")
    weft.start("b", "--network", web, "--network-alias", "both", "--expose", "80/tcp")
    weft.start("c", "--network", web, "--network-alias", "both", "--expose", "80/tcp")
    client = client_in(weft, "b")
    ports = {"_80._tcp": 80, "_http._tcp": 80, "_53._udp": 53, "_domain._udp": 53, "_7._sctp": 7}
    for prefix, port in ports.items():
        for form in long_forms("a"):
            answer = client.ask(f"{prefix}.{form}", "SRV")
            assert answer.data == [f"0 0 {port} a.web.weft"], answer
            assert [record.ttl for record in answer.answers] == [0]
            extra = {(record.name, record.type, record.data) for record in answer.additional}
            assert extra == {
                ("a.web.weft", "A", weft.address("a", web)),
                ("a.web.weft", "AAAA", weft.address6("a", web)),
            }
    assert client.data("_HTTP._TCP.A", "SRV") == ["0 0 80 a.web.weft"]
    assert client.data("_80._tcp.both", "SRV") == ["0 0 80 b.web.weft", "0 0 80 c.web.weft"]
    for prefix in ("_81._tcp", "_80._udp", "_53._tcp", "_http._udp", "_nothing._tcp", "_80._icmp", "_tcp"):
        assert client.ask(f"{prefix}.a.web.weft", "SRV").data == [], prefix


def test_the_hosts_own_names(weft, web, upstream):
    weft("network", "create", "--subnet", "10.8.0.0/24", "four")
    weft.start("a", "--network", web)
    weft.start("b", "--network", "four")
    for name in ("host.docker.internal", "gateway.docker.internal", "Host.Docker.Internal"):
        assert client_in(weft, "a").data(name) == [GATEWAY4]
        assert client_in(weft, "a").data(name, "AAAA") == [GATEWAY6]
        assert client_in(weft, "b").data(name) == ["10.8.0.1"]
        assert client_in(weft, "b").ask(name, "AAAA").is_empty
    assert not upstream.settled(client_in(weft, "a"))
    # They lead somewhere.
    weft.host.serve(8000)
    assert weft.ask("a", "host.docker.internal") in (weft.address("a", web), weft.address6("a", web))


# ---- for whom ----


def test_the_nearest_network_first(weft, web, upstream):
    """As the default route is chosen: by gateway priority, not internal, both families, name."""
    weft("network", "create", "--subnet", "10.8.0.0/24", "aaa")
    weft("network", "create", "--internal", "--subnet", "10.7.0.0/24", "inner")
    for network in ("aaa", "web", "inner"):
        weft.start(f"db-{network}", "--network", f"name={network},alias=db")
    weft.start("c", "--network", "inner")
    client = client_in(weft, "c")
    place = {network: weft.address(f"db-{network}", network) for network in ("aaa", "web", "inner")}
    assert client.data("db") == [place["inner"]]
    weft("network", "connect", "aaa", "c")
    assert client.data("db") == [place["aaa"]]
    assert client.data("host.docker.internal") == ["10.8.0.1"]
    weft("network", "connect", "web", "c")
    assert client.data("db") == [place["web"]]
    assert client.data("host.docker.internal") == [GATEWAY4]
    # The nearest answers alone, also for what it does not have; the others by their full names.
    assert client.data("db", "AAAA") == [weft.address6("db-web", "web")]
    for network, address in place.items():
        assert client.data(f"db.{network}") == client.data(f"db.{network}.weft") == [address]
        assert client.data(f"db-{network}") == [address]
        assert client.data(reverse(address), "PTR") == [f"db-{network}.{network}"]
    weft("network", "disconnect", "aaa", "c")
    weft("network", "connect", "--gw-priority", "10", "aaa", "c")
    assert client.data("db") == [place["aaa"]]
    assert not upstream.settled(client)


def test_other_networks_do_not_exist(weft, web):
    weft("network", "create", "--internal", "--subnet", "10.8.0.0/24", "quiet")
    weft.start("a", "--network", web)
    weft.start("b", "--network", "quiet")
    client = client_in(weft, "b")
    for form in (*long_forms("a"), reverse(weft.address("a", web))):
        answer = client.ask(form)
        assert answer.rcode == "NXDOMAIN", answer
    assert client.rcode(reverse(weft.address("a", web)), "PTR") == "NXDOMAIN"
    assert not client_in(weft, "a").knows("b.quiet.weft")
    # Nor do names of containers that have them there as an alias.
    weft("network", "connect", "--alias", "there", "quiet", "a")
    assert client.data("there") == [weft.address("a", "quiet")] == client.data("a")
    assert not client.knows("there.web.weft") and not client_in(weft, "a").knows("there.web.weft")


def test_two_networks_of_the_same_names(weft, web):
    """The same alias on both: each side sees its own."""
    weft("network", "create", "--subnet", "10.8.0.0/24", "other")
    for network in (web, "other"):
        weft.start(f"{network}-db", "--network", network, "--network-alias", "db")
        weft.start(f"{network}-client", "--network", network)
    for network in (web, "other"):
        assert client_in(weft, f"{network}-client").data("db") == [weft.address(f"{network}-db", network)]


# ---- in which way: resolv.conf, listeners ----


def test_resolv_conf_on_a_network_of_ones_own(weft, web):
    weft.start("a", "--network", web)
    conf = resolvers_of(weft, "a")
    assert conf.servers == [RESOLVER] and conf.search == ["example.test"]
    # Short names are asked for as they are, before the search domains are tried.
    assert "ndots:0" in conf.options
    weft.start("b", "--network", "container:a")
    assert resolvers_of(weft, "b") == conf


def test_the_default_bridge_has_the_hosts_servers(weft, host, upstream):
    set_servers(host, "127.0.0.53", SERVER, "::1", "2001:db8::53", more="search one.test two.test\noptions ndots:2\n")
    weft.start("a")
    weft.start("b")
    assert resolvers_of(weft, "a") == Resolvers([SERVER, "2001:db8::53"], ["one.test", "two.test"], {"ndots:2"})
    assert weft.exec("a", "dig", "+short", "host.test") == TRUE4
    # Nobody has a name there, nor is there anybody to ask.
    assert weft.exec("a", "dig", "+short", "b") == TRUE4
    for server in (RESOLVER, "172.17.0.1"):
        with pytest.raises(NoAnswer):
            client_in(weft, "a", server).ask("b", timeout=1)


def test_names_come_and_go_with_networks(weft, web, host):
    """Live: a container that is running is led to the resolver and away from it."""
    weft.start("a")
    weft.start("b", "--network", web)
    bridged = resolvers_of(weft, "a")
    assert bridged.servers == [SERVER]
    weft("network", "connect", "--alias", "later", web, "a")
    assert resolvers_of(weft, "a").servers == [RESOLVER]
    assert client_in(weft, "a").data("b") == [weft.address("b", web)]
    assert client_in(weft, "b").data("later") == [weft.address("a", web)]
    assert weft.exec("a", "getent", "ahostsv4", "b").split()[0] == weft.address("b", web)
    weft("network", "disconnect", web, "a")
    assert resolvers_of(weft, "a") == bridged
    assert not client_in(weft, "b").knows("later.web.weft")
    with pytest.raises(NoAnswer):
        client_in(weft, "a").ask("b", timeout=1)


def test_a_container_has_its_own_server_on_port_53(weft, web, host):
    """On all addresses, UDP and TCP, both families; weft's is asked beside it."""
    for number, address in enumerate(("0.0.0.0", "::")):
        name, program = f"dns{number}", (HERE / "reach.py").read_text(encoding="utf-8")
        if address == "::":
            command = python(program, "serve", name, "53")
            weft.start(name, "--network", web, command=command)
            weft.wait_for_log(name, "listening")
            with client_in(weft, name, "127.0.0.1").udp() as own:
                own.send(b"?")
                assert own.recv(100).decode().split()[0] == name
        else:
            weft.start(name, "--network", web)
            Upstream(host, name, address, netns=weft.netns(name))
            for server in ("127.0.0.1", weft.address(name, web)):
                for tcp in (False, True):
                    assert client_in(weft, name, server).data("whoami", "TXT", tcp=tcp) == [name]
            client = client_in(weft, "dns0", weft.address("dns0", web))
            assert client.data("whoami", "TXT") == ["dns0"]
        for tcp in (False, True):
            assert client_in(weft, name).data(name, tcp=tcp) == [weft.address(name, web)]
            assert client_in(weft, name).data("dns0", tcp=tcp) == [weft.address("dns0", web)]


def test_an_attached_namespace_asks_the_gateway(weft, web, host, upstream):
    weft.start("a", "--network", web)
    weft.attach("guest", "--network", web, "--alias", "visitor")
    for server in (GATEWAY4, GATEWAY6):
        client = client_in(weft, "guest", server)
        for tcp in (False, True):
            assert client.data("a", tcp=tcp) == [weft.address("a", web)]
            assert client.data("a.web.weft", "AAAA", tcp=tcp) == [weft.address6("a", web)]
            assert client.data("host.test", tcp=tcp) == [TRUE4]
            assert client.rcode("nobody.web.weft", tcp=tcp) == "NXDOMAIN"
    guest = weft.sandbox("guest")["Networks"][web]["IPv4"].split("/")[0]
    for name in ("guest", "visitor"):
        assert client_in(weft, "a").data(name) == [guest]
    # A container, which has its own, may ask there as well.
    assert client_in(weft, "a", GATEWAY4).data("guest") == [guest]
    weft("detach", "guest")
    assert not client_in(weft, "a").knows("guest.web.weft")


def test_the_gateways_listener_is_for_its_network(weft, web, host, outside):
    weft("network", "create", "--subnet", "10.8.0.0/24", "other")
    weft.start("a", "--network", web)
    weft.start("stranger", "--network", "other")
    outside.run("ip", "route", "add", "10.9.0.0/24", "via", UPLINK_IPV4)
    strangers = (
        client_in(weft, "stranger", GATEWAY4),
        client_on(outside, GATEWAY4),
        client_on(host, GATEWAY4),
        client_on(host, RESOLVER),
        client_on(outside, UPLINK_IPV4),
    )
    for client in strangers:
        for tcp in (False, True):
            try:
                answer = client.ask("a", tcp=tcp, timeout=1)
            except NoAnswer:
                continue
            assert answer.rcode == "REFUSED" and not answer.answers, f"{client}: {answer}"


def test_the_host_asks_where_it_is_allowed_to(weft, host, outside, upstream):
    weft("network", "create", *DUAL, "--host-dns", "web")
    weft("network", "create", "--subnet", "10.8.0.0/24", "other")
    weft.start("a", "--network", "web")
    weft.start("b", "--network", "other")
    weft.start("c", "--network", "web")
    for server in (GATEWAY4, GATEWAY6):
        client = client_on(host, server)
        for tcp in (False, True):
            for form in long_forms("a"):
                assert client.data(form, tcp=tcp) == [weft.address("a", "web")]
                assert client.data(form, "AAAA", tcp=tcp) == [weft.address6("a", "web")]
            assert client.data(reverse(weft.address("a", "web")), "PTR", tcp=tcp) == ["a.web"]
            # The names of this network alone.
            for other in ("b.other", "b.other.weft", "b", "host.test", "."):
                answer = client.ask(other.rstrip("."), tcp=tcp)
                assert answer.rcode in ("REFUSED", "NXDOMAIN") and not answer.answers, answer
            assert client.rcode("host.test", tcp=tcp) == "REFUSED"
    assert not upstream.queries()
    # Containers ask beside it, and the world does not.
    assert client_in(weft, "c", GATEWAY4).data("a") == [weft.address("a", "web")]
    outside.run("ip", "route", "add", "10.9.0.0/24", "via", UPLINK_IPV4)
    with pytest.raises(NoAnswer):
        client_on(outside, GATEWAY4).ask("a", timeout=1)
    shown = weft.daemon.get("/networks/web")
    assert shown["Options"].get("weft.host_dns") == "true"


def test_links(weft, web, upstream):
    weft.start("db", "--network", web)
    weft.start("app", "--network", web, "--link", "db:database", "--link", "db")
    weft.start("other", "--network", web)
    for form in long_forms("database"):
        assert client_in(weft, "app").data(form) == [weft.address("db", web)]
    assert client_in(weft, "app").data("database", "AAAA") == [weft.address6("db", web)]
    assert weft.exec("app", "getent", "ahostsv4", "database").split()[0] == weft.address("db", web)
    # It is the container's own word.
    assert not client_in(weft, "other").knows("database.web.weft")
    assert not client_in(weft, "db").knows("database.web.weft")
    # It follows what it leads to.
    weft("stop", "-t", "0", "db")
    assert not client_in(weft, "app").knows("database.web.weft")
    weft.start("filler", "--network", web)
    weft("start", "db")
    assert client_in(weft, "app").data("database") == [weft.address("db", web)]


def test_links_on_the_default_bridge(weft):
    weft.start("db")
    weft.start("app", "--link", "db:database")
    for name in ("database", "db"):
        assert weft.exec("app", "getent", "ahostsv4", name).split()[0] == weft.address("db")


def test_wrong_links(weft, web):
    weft.start("db", "--network", web)
    weft.fails("run", "-d", "--network", web, "--link", "nobody:x", "--", "true", says="nobody", status=125)
    for link in ("db:", ":x", "db:a b", "db:x:y", ""):
        weft.fails("run", "-d", "--network", web, "--link", link, "--", "true", says="link", status=125)


def test_hosts_of_ones_own(weft, web):
    weft.start("a", "--network", web, "--add-host", "printer:10.1.2.3", "--add-host", "machine:host-gateway")
    assert weft.exec("a", "getent", "ahostsv4", "printer").split()[0] == "10.1.2.3"
    gateway = weft.exec("a", "getent", "ahostsv4", "machine").split()[0]
    weft.host.serve(8000)
    assert weft.ask("a", gateway) == weft.address("a", web)


def test_resolver_flags(weft, web, outside):
    Upstream(outside, "first")
    Upstream(outside, "second", SECOND)
    flags = ("--dns", SECOND, "--dns-search", "corp.test", "--dns-search", "lab.test", "--dns-option", "ndots:3")
    weft.start("a", "--network", web, *flags, "--dns-option", "timeout:9")
    # The resolver stays weft's; it asks the container's servers.
    assert resolvers_of(weft, "a") == Resolvers([RESOLVER], ["corp.test", "lab.test"], {"ndots:3", "timeout:9"})
    assert client_in(weft, "a").data("whoami", "TXT") == ["second"]
    weft.start("b", *flags)
    assert resolvers_of(weft, "b") == Resolvers([SECOND], ["corp.test", "lab.test"], {"ndots:3"})
    # Names of fewer dots than that are looked for in the domains first.
    weft.start("web.corp.test", "--network", web)
    weft.start("plain", "--network", web, "--dns-search", "web.weft", "--dns-option", "ndots:2")
    assert weft.exec("plain", "getent", "ahostsv4", "plain").split()[0] == weft.address("plain", web)
    weft.start("none", "--network", web, "--dns-search", ".")
    assert resolvers_of(weft, "none").search in ([], ["."])


def test_names_with_dots(weft, web):
    """A name may have the form of a longer one."""
    weft.start("a.b", "--network", web, "--network-alias", "www.site.test", "--hostname", "h.corp.test")
    client = client_in(weft, "a.b")
    for name in ("a.b", "www.site.test", "h.corp.test"):
        for form in long_forms(name):
            assert client.data(form) == [weft.address("a.b", web)], form
    assert client.data(reverse(weft.address("a.b", web)), "PTR") == ["a.b.web"]


# ---- from when until when ----


def test_names_are_there_in_time(weft, web):
    """At the first query after a command has returned. Nothing here waits."""
    weft.start("watcher", "--network", web)
    watcher = client_in(weft, "watcher")

    def there(*names: str) -> None:
        for name in names:
            assert watcher.data(f"{name}.web.weft") == [weft.address("a", web)], name

    def gone(*names: str) -> None:
        for name in names:
            assert watcher.rcode(f"{name}.web.weft") == "NXDOMAIN", name

    weft.start("a", "--network", web, "--network-alias", "www", "--stop-timeout", "0")
    there("a", "www")
    weft("stop", "a")
    gone("a", "www")
    weft("start", "a")
    there("a", "www")
    weft("restart", "a")
    there("a", "www")
    weft("network", "disconnect", web, "a")
    gone("a", "www")
    weft("network", "connect", "--alias", "other", web, "a")
    there("a", "other")
    gone("www")
    weft("rm", "-f", "a")
    gone("a", "other")
    # The same name, another container.
    weft.start("a", "--network", web, "--ip", "10.9.0.77")
    assert watcher.data("a") == ["10.9.0.77"]


def test_names_are_there_in_time_for_the_container_itself(weft, web):
    """Its first process may ask before anything else."""
    weft.start("db", "--network", web)
    for number in range(5):
        out = weft("run", "--rm", "--network", web, "--name", f"c{number}", "--", "dig", "+short", "db", f"c{number}")
        assert len(out.split()) == 2 and weft.address("db", web) in out


def test_names_of_what_is_gone_by_itself(weft, web):
    weft.start("watcher", "--network", web)
    weft.start("a", "--network", web, "--rm", command=("sleep", "0.5"))
    weft.start("b", "--network", web, command=("sh", "-c", "exit 3"))
    weft("wait", "b")
    client = client_in(weft, "watcher")
    for name in ("a", "b"):
        eventually(lambda: not client.knows(f"{name}.web.weft"), what=f"{name} is gone")


def test_a_network_goes_and_comes_back(weft, web):
    weft.start("watcher", "--network", web)
    weft("network", "create", "--subnet", "10.8.0.0/24", "brief")
    weft("network", "connect", "brief", "watcher")
    client = client_in(weft, "watcher")
    assert client.data("watcher.brief.weft") == ["10.8.0.2"]
    weft("network", "disconnect", "brief", "watcher")
    weft("network", "rm", "brief")
    assert not client.knows("watcher.brief.weft")
    weft("network", "create", "--subnet", "10.6.0.0/24", "brief")
    weft.attach("guest", "--network", "brief")
    assert client_in(weft, "guest", "10.6.0.1").data("guest") == ["10.6.0.2"]
    weft("network", "connect", "brief", "watcher")
    assert client.data("guest") == ["10.6.0.2"]


def test_a_namespace_is_gone_with_its_container(weft, web, host):
    """No socket of weft's holds it: something that lives in it dies with it."""
    for name, flags in (("plain", ()), ("asking", ("--dns", "10.9.0.53"))):
        weft.start(name, "--network", web, *flags)
        client_in(weft, name).ask(name)
        # A connection that its program left open.
        weft("exec", "-d", name, *python(
            "import socket, time; s = socket.create_connection(('127.0.0.11', 53)); time.sleep(1000)"))  # fmt: skip
        host.run("ip", "link", "add", "probe0", "type", "veth", "peer", "name", "probe1")
        host.run("sh", "-c", f"nsenter --net={weft.netns(name)} sleep 1000 & p=$!; "
                 "until [ $(readlink /proc/$p/ns/net) != $(readlink /proc/1/ns/net) ]; do sleep 0.01; done; "
                 "ip link set probe1 netns $p; kill $p")  # fmt: skip
        assert "probe0" in host.links()
        weft("rm", "-f", name)
        eventually(lambda: "probe0" not in host.links(), what=f"the namespace of {name} is gone")


# ---- to whom: every resolver there is ----

TOOLS = "/tools"


@pytest.fixture(scope="module")
def resolve(tmp_path_factory) -> pathlib.Path:
    """A folder with resolve.c, built with glibc and with musl."""
    out = tmp_path_factory.mktemp("resolve")
    source = str(HERE / "resolve.c")
    subprocess.run(["gcc", source, "-o", str(out / "glibc")], check=True)
    subprocess.run(["musl-gcc", "-static", source, "-o", str(out / "musl")], check=True)
    out.chmod(0o755)
    return out


PYTHON_CLIENT = (
    "import socket, sys\\n"
    "for name in sys.argv[1:]:\\n"
    "    try: print(*sorted({a[4][0] for a in socket.getaddrinfo(name, 80)}))\\n"
    "    except socket.gaierror: print(chr(45))\\n"
)


def ask_with_everything(names: tuple[str, ...], addresses: tuple[str, ...]) -> dict[str, str]:
    """Commands, by the name of the tool."""
    words = " ".join(names)
    commands = {
        "getent": f"for n in {words}; do getent ahosts $n | cut -d' ' -f1 | sort -u | xargs; done",
        "getent hosts": f"for a in {' '.join(addresses)}; do getent hosts $a; done",
        "python": f"printf '{PYTHON_CLIENT}' | /usr/bin/python3 - {words}",
    }
    for libc in ("glibc", "musl"):
        commands[libc] = f"{TOOLS}/{libc} {words}"
        commands[f"{libc} reverse"] = f"{TOOLS}/{libc} {' '.join(addresses)}"
    for tool in ("dig", "kdig"):
        commands[tool] = f"for n in {words}; do for t in A AAAA; do {tool} +short +time=9 $n $t; done | xargs; done"
        commands[f"{tool} tcp"] = commands[tool].replace("+short", "+short +tcp")
        commands[f"{tool} reverse"] = f"for a in {' '.join(addresses)}; do {tool} +short -x $a; done"
    for tool in ("nslookup", "busybox nslookup"):
        commands[tool] = (
            f"for n in {words}; do {tool} $n >/tmp/o && sed -n '/^Name/,$s/^Address[ 0-9]*: *//p' /tmp/o"
            " | sort -u | xargs || echo; done"
        )
    return commands


def test_all_resolvers_in_a_container(weft, web, resolve, upstream):
    # Names that are not there are looked for in the search domain, where nothing is either.
    upstream.set_mode("nx")
    weft.start("db", "--network", web, "--network-alias", "store")
    weft.start("a", "--network", web, "-v", f"{resolve}:{TOOLS}:ro")
    addresses = (weft.address("db", web), weft.address6("db", web))
    known = ("db", "store", "db.web", "db.web.weft", "DB.Web")
    commands = ask_with_everything((*known, "nobody.web.weft", "nx-1.test"), addresses)
    # busybox' nslookup appends the search domain to every name without a dot, whatever ndots says.
    weft.start("plain", "--network", web, "--dns-search", ".")
    simple = commands.pop("busybox nslookup")
    script = "\nprintf '\\000'\n".join(commands.values())
    outputs = dict(zip(commands, weft("exec", "a", "sh", "-c", script, timeout=60).split("\0")))
    outputs["busybox nslookup"] = weft.exec("plain", "sh", "-c", simple)
    for tool, output in outputs.items():
        lines = [line.strip() for line in output.strip("\n").splitlines()]
        if tool == "getent hosts":
            assert [line.split() for line in lines] == [[address, "db.web"] for address in addresses]
        elif tool.endswith("reverse"):
            assert [line.rstrip(".") for line in lines] == ["db.web"] * 2, f"{tool}: {output}"
        else:
            lines += [""] * (len(known) + 2 - len(lines))
            found = [set(line.split()) for line in lines]
            assert found[: len(known)] == [set(addresses)] * len(known), f"{tool}: {output}"
            assert all(line in ("", "-") for line in lines[len(known) :]), f"{tool}: {output}"
    # Names that are there were never tried in the search domain, nor by anybody else.
    assert {query["name"] for query in upstream.queries()} <= {
        "nx-1.test", "nx-1.test.example.test", "nobody.web.weft.example.test",
    }  # fmt: skip


def test_resolv_conf_of_the_host_namespace(weft, host):
    weft.start("h", "--network", "host")
    assert resolvers_of(weft, "h") == resolv_conf(host.read("/etc/resolv.conf"))
