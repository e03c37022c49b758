# SPDX-License-Identifier: Apache-2.0
"""What weft-dns asks others: whom, how, what it believes, what it keeps."""

from __future__ import annotations

import json
import time

import pytest

from dns_client import Client, client_in
from dns_hosts import (
    DUAL,
    FALSE4,
    GATEWAY4,
    SECOND,
    SERVER,
    SERVER6,
    THIRD,
    TRUE4,
    TRUE6,
    Upstream,
    dns_pid,
    sanitized,
    set_servers,
    start_dnsmasq,
    within,
)
from dns_wire import AD, CD, RA, RD, Edns, parse, query, reverse
from hosts import UPLINK_IPV4, UPLINK_IPV6, eventually

NETWORK = "web"


@pytest.fixture
def client(weft) -> Client:
    """In a container on a network of both families."""
    weft("network", "create", *DUAL, NETWORK)
    weft.start("a", "--network", NETWORK)
    return client_in(weft, "a")


@pytest.fixture
def upstream(outside) -> Upstream:
    return Upstream(outside)


def whoami(client: Client, mark: str = "") -> str:
    """Which server answers; mark: another name each time, which no cache knows."""
    return client.data(f"whoami.{mark}.test" if mark else "whoami.test", "TXT")[0]


def timed(action) -> tuple[float, object]:
    start = time.monotonic()
    value = action()
    return time.monotonic() - start, value


def told(client: Client, mark: str, **options) -> dict:
    """What the server saw of our query."""
    return json.loads(client.ask(f"tell.{mark}.test", "TXT", **options).data[0])


# ---- what comes through ----


def test_other_names_are_forwarded(client, upstream):
    for tcp in (False, True):
        assert client.data("host.test", tcp=tcp) == [TRUE4]
        assert client.data("host.test", "AAAA", tcp=tcp) == [TRUE6]
        chain = client.ask("cname.test", tcp=tcp)
        assert [record.type for record in chain.answers] == ["CNAME", "A"] and chain.flags & RA
        missing = client.ask("nx.test", tcp=tcp)
        assert missing.rcode == "NXDOMAIN" and [soa.type for soa in missing.authority] == ["SOA"]
        nodata = client.ask("empty.test", tcp=tcp)
        assert nodata.is_empty and [soa.type for soa in nodata.authority] == ["SOA"]
    for rcode in ("notimp", "formerr"):
        assert client.rcode(f"{rcode}.test") == rcode.upper()
    # Single labels, the root, types nobody has heard of, names with odd octets.
    assert client.data("single") == [TRUE4]
    assert client.ask("", "NS").rcode == "NOERROR"
    assert client.ask("host.test", 65000).is_empty
    assert client.data("sp ace.\xff\x01.test") == [TRUE4]
    assert client.data(f"{'x' * 63}.{'y' * 63}.{'z' * 63}.{'w' * 57}.tes") == [TRUE4]
    assert not upstream.malformed()
    # The host's address is all that the world sees.
    assert {entry["peer"] for entry in upstream.queries()} == {UPLINK_IPV4}


def test_the_question_comes_back_as_it_was_put(client, upstream):
    for form in ("HoSt.TeSt", "host.test", "HOST.TEST"):
        assert client.data(form) == [TRUE4]  # which looks at the case


def test_a_real_server(client, outside):
    start_dnsmasq(outside)
    assert client.data("server.lab.test") == ["198.51.100.5"]
    assert client.data("www.lab.test", "AAAA") == ["2001:db8:100::5", "server.lab.test"]
    assert client.data("_http._tcp.lab.test", "SRV") == ["0 0 8080 server.lab.test"]
    assert client.data("txt.lab.test", "TXT") == ["some text"]
    assert client.data(reverse("198.51.100.5"), "PTR") == ["server.lab.test"]
    assert client.rcode("nobody.lab.test") == "NXDOMAIN"
    assert client.data("x.many.lab.test", tcp=True, edns=Edns()) == ["198.51.100.7"]


def test_ids_and_ports_are_random(client, upstream):
    for number in range(60):
        client.ask(f"x{number}.test")
    seen = upstream.queries()
    for key in ("id", "port"):
        values = [entry[key] for entry in seen]
        assert len(set(values)) >= 55, f"{key}: {values}"
        steps = [abs(one - other) for one, other in zip(values, values[1:])]
        assert sum(step < 16 for step in steps) < 10, f"{key}: {values}"


def test_edns_and_flags(client, upstream):
    plain = told(client, "plain")
    assert not (plain["edns"] or {}).get("do")
    with_do = told(client, "do", edns=Edns(4096, do=True))
    assert with_do["edns"]["do"]
    # A client's options are between it and the server; cookies are from hop to hop (RFC 7873).
    subnet, cookie = bytes.fromhex("00080007 00011800 c00002".replace(" ", "")), bytes.fromhex("000a0008") + bytes(8)
    options = told(client, "options", edns=Edns(1232, options=subnet + cookie))["edns"]["options"]
    assert subnet.hex() in options and (cookie.hex() not in options)
    for flag in (CD, AD):
        assert told(client, f"flag{flag}", flags=RD | flag)["flags"] & flag
    assert not told(client, "unflagged")["flags"] & CD
    assert not client.ask("flags.test").flags & AD
    answer = client.ask("edns.test", edns=Edns(4096, do=True))
    assert answer.edns and answer.edns.do and answer.edns.version == 0
    # An answer with and one without signatures are two.
    before = len(upstream.queries())
    client.ask("both.test"), client.ask("both.test", edns=Edns(do=True))
    assert [bool((e["edns"] or {}).get("do")) for e in upstream.queries()[before:]] == [False, True]


@pytest.mark.parametrize("count", [40, 100, 1500])
def test_answers_that_do_not_fit(client, upstream, count):
    name = f"big-{count}.test"
    whole = client.ask(name, tcp=True)
    assert len(set(whole.data)) == count and not whole.truncated
    # Asked afresh over UDP, and from the cache.
    for label in (f"big-{count}-x.test", f"big-{count}-x.test", name):
        short = client.ask(label)
        assert short.truncated and short.size <= 512, short
        for size in (512, 1232, 4096):
            answer = client.ask(label, edns=Edns(size))
            assert answer.size <= size and answer.truncated == (len(answer.answers) < count), answer
    # Less than 512 cannot be asked for (RFC 6891, 6.2.3).
    assert client.ask(name, edns=Edns(0)).size <= 512


def test_truncated_answers_are_asked_for_again_by_tcp(client, upstream):
    assert client.data("tc.test") == [TRUE4]
    assert [entry["proto"] for entry in upstream.asked("tc.test")] == ["udp", "tcp"]
    assert client.data("slowtcp.test") == [TRUE4]
    # A client that speaks TCP is answered likewise.
    assert client.data("tc-again.test", tcp=True) == [TRUE4]


# ---- what is believed ----

LIES = ("wrongid", "wrongname", "forged", "elsewhere", "query", "short", "garbage", "loop", "noquestion")


def test_lies_are_not_believed(client, outside, host):
    """The right answer follows 0.1 s later; whether that server is asked, or another, meanwhile."""
    for servers in ((SERVER,), (SERVER, SECOND)):
        upstreams = [Upstream(outside, address, address) for address in servers]
        set_servers(host, *servers)
        for number, word in enumerate(LIES):
            assert client.data(f"{word}.x{len(servers)}.test", tcp=number % 2 == 0) == [TRUE4], word
        # What a lie says about another name is not kept either.
        assert client.data("other.test") == [TRUE4]
        assert FALSE4 not in client.data("other.test")
        for upstream in upstreams:
            assert not upstream.malformed()
            upstream.end()


def test_late_answers(client, upstream):
    """Some come late, some never, some after everybody has given up; other queries go on."""
    words = {"late-400": True, "late-1500": True, "late-5600": False, "drop": False, "tcfail": None}
    waiting = {}
    for number, word in enumerate(words):
        waiting[word] = client.udp()
        waiting[word].send(query(f"{word}.test", number=number))
    for number in range(50):
        assert client.data(f"x{number}.test") == [TRUE4]
    began = time.monotonic()
    for word, answered in words.items():
        answer = waiting[word].recv(4096)
        # Where TCP fails, a client may be told no more than that it should try that itself.
        if answered is None:
            assert answer[3] & 15 == 2 or parse(answer).truncated
        else:
            assert (answer[3] & 15, answer[7]) == ((0, 1) if answered else (2, 0)), word
        waiting[word].close()
    # RFC 1035 leaves it open for how long a client waits: resolver libraries do for 5 s.
    assert time.monotonic() - began < 7
    time.sleep(0.5)
    assert client.data("x.test") == [TRUE4]


# ---- who is asked ----


def test_a_dead_first_server_costs_little_and_once(client, host, outside):
    for first, setup in ((SERVER, "drop"), (THIRD, "")):
        set_servers(host, first, SECOND)
        dead = Upstream(outside, "dead", first, setup) if setup else None
        live = Upstream(outside, "live", SECOND) if setup else None
        name = setup or "unreachable"
        took, answer = timed(lambda: eventually(lambda: client.ask(f"first.{name}.test")))
        assert answer.data == [TRUE4]
        # The race begins after 50 ms.
        assert took < within(0.08, 2), f"{name}: {took:.3f} s"
        took, _ = timed(lambda: [client.data(f"x{number}.{name}.test") for number in range(40)])
        assert took < within(0.4, 1.5), f"{name}: {took:.3f} s for 40"
        if dead:
            assert len(dead.queries()) < 20, "a server that is dead is asked now and then"
            dead.set_mode("")
            assert live
            # It is back: so it is found, and from then on can be relied on.
            for number in range(40):
                client.data(f"y{number}.{name}.test")
            live.set_mode("drop")
            for number in range(20):
                assert client.data(f"z{number}.{name}.test") == [TRUE4]
            live.set_mode("")


def test_a_server_whose_port_is_closed_costs_nothing(client, host, outside):
    """It says so itself, by ICMP."""
    outside.run("ip", "addr", "add", f"{SERVER}/32", "dev", "uplink")
    Upstream(outside, "live", SECOND)
    set_servers(host, SERVER, SECOND)
    eventually(lambda: client.ask("settle.test").data == [TRUE4])
    took, _ = timed(lambda: [client.data(f"x{number}.test") for number in range(20)])
    assert took < within(0.3, 1.5)


@pytest.mark.parametrize("mode", ["servfail", "refused"])
def test_a_server_that_fails_is_not_the_last_word(client, host, outside, mode):
    bad, good = Upstream(outside, "bad", SERVER, mode), Upstream(outside, "good", SECOND)
    set_servers(host, SERVER, SECOND)
    eventually(lambda: client.ask("first.test").data == [TRUE4])
    for number in range(10):
        assert client.data(f"x{number}.test") == [TRUE4]
    # Of all that say so it is the answer, and at once.
    good.set_mode(mode)
    took, answer = timed(lambda: client.ask("last.test"))
    assert answer.rcode in ("SERVFAIL", mode.upper()) and took < within(0.5, 3)
    assert bad.asked("last.test") and good.asked("last.test")


def test_nobody_to_ask(client, host):
    set_servers(host)
    eventually(lambda: client.rcode("a.test") == "SERVFAIL")
    took, answer = timed(lambda: client.ask("b.test"))
    assert answer.rcode == "SERVFAIL" and took < 2
    assert client.data("a.web.weft")


def test_resolv_conf_is_followed(client, host, outside, weft):
    """However it is changed: written, replaced, removed, led elsewhere."""
    for number, address in enumerate((SERVER, SECOND, THIRD)):
        Upstream(outside, f"up{number}", address)
    counter = iter(range(1000000))

    def asks(name: str) -> None:
        eventually(lambda: client.ask(f"whoami.x{next(counter)}.test", "TXT").data == [name], 5, f"{name} is asked")

    asks("up0")
    set_servers(host, SECOND)
    asks("up1")
    set_servers(host, THIRD, path="/etc/resolv.new")
    host.run("mv", "/etc/resolv.new", "/etc/resolv.conf")
    asks("up2")
    host.run("rm", "/etc/resolv.conf")
    eventually(lambda: client.rcode(f"x{next(counter)}.test") == "SERVFAIL")
    set_servers(host, SERVER)
    asks("up0")
    set_servers(host, SECOND, path="/run/elsewhere/resolv.conf")
    host.run("ln", "-sf", "/run/elsewhere/resolv.conf", "/etc/resolv.conf")
    asks("up1")
    set_servers(host, THIRD, path="/run/elsewhere/resolv.conf")
    asks("up2")
    # A comment more is no change: what is kept stays.
    assert client.data("kept.test") == [TRUE4]
    weft.daemon.restart()
    asks("up2")


def test_odd_lines_of_resolv_conf(client, host, outside):
    Upstream(outside, "up", SECOND)
    host.write(
        "/etc/resolv.conf",
        "# a comment\n;another\n\nnameserver\nnameserver nonsense\nnameserver 300.1.1.1\n"
        f"  nameserver\t{SECOND}   # why not\noptions edns0 trust-ad\nsortlist 10.0.0.0\n" + "x" * 5000 + "\n",
    )
    eventually(lambda: client.ask("whoami.a.test", "TXT").data == ["up"])


def test_systemd_resolved_is_followed_to_its_servers(weft, host, outside):
    real = "/run/systemd/resolve/resolv.conf"
    Upstream(outside, "one"), Upstream(outside, "two", SECOND)
    set_servers(host, SERVER, path=real)
    set_servers(host, "127.0.0.53", path="/run/systemd/resolve/stub-resolv.conf")
    host.run("ln", "-sf", "../run/systemd/resolve/stub-resolv.conf", "/etc/resolv.conf")
    weft("network", "create", *DUAL, NETWORK)
    weft.start("a", "--network", NETWORK)
    client = client_in(weft, "a")
    assert whoami(client) == "one"
    set_servers(host, SECOND, path=real)
    eventually(lambda: whoami(client, f"b{time.monotonic()}") == "two")
    # Also on the default bridge, which has no resolver.
    weft.start("b")
    assert f"nameserver {SECOND}" in weft.exec("b", "cat", "/etc/resolv.conf")


def test_servers_of_the_other_family(client, host, outside):
    Upstream(outside, "six", SERVER6)
    set_servers(host, SERVER6)
    eventually(lambda: client.ask(f"whoami.a{time.monotonic()}.test", "TXT").data == ["six"])
    assert client.data("tc.test") == [TRUE4]
    # A link-local one, which is nothing without its link.
    outside.run("ip", "addr", "add", "fe80::53/64", "dev", "uplink", "nodad")
    near = Upstream(outside, "near", "fe80::53%uplink")
    set_servers(host, "fe80::53%uplink")
    eventually(lambda: client.ask(f"whoami.b{time.monotonic()}.test", "TXT").data == ["near"])
    assert near.queries()


# ---- servers of a container's own ----


def test_own_servers_are_asked_from_inside(weft, host, outside, upstream):
    """Nobody but the container reaches them, and they see its address."""
    weft("network", "create", *DUAL, NETWORK)
    for number, address in enumerate(("10.9.0.53", "10.9.0.54")):
        weft.attach(f"ns{number}", "--network", NETWORK, "--ip", address)
    first = Upstream(host, "first", "10.9.0.53", netns="/run/netns/ns0")
    weft.start("a", "--network", NETWORK, "--dns", "10.9.0.53", "--dns", "10.9.0.54")
    weft.start("b", "--network", NETWORK)
    client = client_in(weft, "a")
    assert whoami(client) == "first"
    assert client.data("tc.test") == [TRUE4] and client.data("host.test", tcp=True) == [TRUE4]
    assert {entry["peer"] for entry in first.queries()} == {weft.address("a", NETWORK)}
    assert {entry["proto"] for entry in first.queries()} == {"udp", "tcp"}
    for number in range(40):
        assert client.data(f"x{number}.test") == [TRUE4]
    ports = [entry["port"] for entry in first.queries() if entry["proto"] == "udp"]
    assert len(set(ports)) > len(ports) * 0.8, ports
    # What one has heard is not another's.
    assert whoami(client_in(weft, "b")) == "up" and whoami(client) == "first"
    assert not upstream.asked("host.test")
    # Names of weft's are still weft's to answer.
    assert client.data("b") == [weft.address("b", NETWORK)]
    # The second when the first is gone.
    Upstream(host, "second", "10.9.0.54", netns="/run/netns/ns1")
    first.set_mode("drop")
    for number in range(20):
        assert client.data(f"y{number}.test") == [TRUE4]
    # More at a time than it has sockets.
    sockets = [client.udp() for _ in range(60)]
    for number, socket in enumerate(sockets):
        socket.send(query(f"late-100-{number}.test", number=number))
    for socket in sockets:
        assert socket.recv(4096)[3] & 15 == 0
        socket.close()


def test_a_server_in_the_containers_own_namespace(weft, host):
    weft("network", "create", *DUAL, NETWORK)
    weft.start("a", "--network", NETWORK, "--dns", "127.0.0.1")
    Upstream(host, "mine", "127.0.0.1", netns=weft.netns("a"))
    assert whoami(client_in(weft, "a")) == "mine"
    assert client_in(weft, "a").data("a") == [weft.address("a", NETWORK)]
    weft.start("b", "--network", NETWORK, "--dns", "::1")
    Upstream(host, "six", "::1", netns=weft.netns("b"))
    assert whoami(client_in(weft, "b")) == "six"


def test_own_servers_survive_a_restart(weft, host):
    weft("network", "create", *DUAL, NETWORK)
    weft.start("a", "--network", NETWORK, "--dns", "127.0.0.1")
    weft.daemon.restart()
    Upstream(host, "mine", "127.0.0.1", netns=weft.netns("a"))
    assert whoami(client_in(weft, "a")) == "mine"
    weft("stop", "-t", "0", "a")
    weft("start", "a")
    Upstream(host, "again", "127.0.0.1", netns=weft.netns("a"))
    assert whoami(client_in(weft, "a")) == "again"


def test_internal_networks_do_not_forward(weft, upstream):
    weft("network", "create", "--internal", "--subnet", "10.7.0.0/24", "inner")
    weft.start("a", "--network", "inner")
    weft.attach("guest", "--network", "inner")
    gateway = weft("network", "inspect", "-f", "{{(index .IPAM.Config 0).Gateway}}", "inner")
    for client in (client_in(weft, "a"), client_in(weft, "guest", gateway)):
        assert client.data("a") == [weft.address("a", "inner")]
        for name, kind in (("host.test", "A"), ("single", "AAAA"), (reverse("198.51.100.1"), "PTR"), ("x.test", "TXT")):
            for tcp in (False, True):
                assert client.rcode(name, kind, tcp=tcp) == "NXDOMAIN"
    assert not upstream.queries()
    # On another network too, it may ask; off that, no more. Nothing of what it heard is kept for it.
    weft("network", "create", *DUAL, NETWORK)
    weft("network", "connect", NETWORK, "a")
    client = client_in(weft, "a")
    assert client.data("host.test") == [TRUE4]
    weft("network", "disconnect", NETWORK, "a")
    assert client.rcode("host.test") == "NXDOMAIN"
    assert len(upstream.queries()) == 1


def test_attached_namespaces_are_answered_by_the_hosts_servers(weft, upstream):
    weft("network", "create", *DUAL, NETWORK)
    weft.attach("guest", "--network", NETWORK)
    assert whoami(client_in(weft, "guest", GATEWAY4)) == "up"
    assert {entry["peer"] for entry in upstream.queries()} <= {UPLINK_IPV4, UPLINK_IPV6}


# ---- what is kept ----


def test_the_cache(client, upstream):
    def asks(name: str, times: int, kind: str = "A") -> None:
        before = len(upstream.asked(name))
        for _ in range(5):
            client.ask(name, kind)
        assert len(upstream.asked(name)) - before == times, name

    asks("host.test", 1)
    asks("host.test", 1, "AAAA")
    asks("HOST.test", 0)
    # Negative answers are kept if they say for how long (RFC 2308, 5).
    asks("nx.test", 1)
    asks("empty.test", 1)
    asks("nosoa.test", 5)
    asks("ttl-0.test", 5)
    asks("servfail.test", 5)
    # Over TCP, from another container, and by pieces: the same answers.
    assert client.data("host.test", tcp=True) == [TRUE4] and len(upstream.asked("host.test")) == 2
    client.ask("big-100.test", tcp=True)
    assert client.ask("big-100.test").truncated and len(upstream.asked("big-100.test")) <= 2


def test_ttls_run_down(client, upstream):
    assert client.ask("ttl-100.test").answers[0].ttl == 100
    client.ask("ttl-1.test"), client.ask("nx.test"), client.ask("ttl-86400000.test")
    time.sleep(2.1)
    assert client.ask("ttl-100.test").answers[0].ttl in (97, 98)
    assert client.ask("nx.test").authority[0].ttl <= 3598
    assert len(upstream.asked("ttl-100.test")) == len(upstream.asked("nx.test")) == 1
    client.ask("ttl-1.test")
    assert len(upstream.asked("ttl-1.test")) == 2


def test_the_cache_is_bounded(client, upstream, host):
    """32 MB of answers go past; what is asked for all the time stays."""
    def memory() -> int:
        status = host.read(f"/proc/{dns_pid(host)}/status")
        return int(next(line.split()[1] for line in status.splitlines() if line.startswith("VmRSS")))

    client.ask("host.test")
    before = memory()
    with client.stream() as stream:
        for number in range(1000):
            stream.send(query(f"big-2000-{number}.test", number=number))
            assert stream.receive()
            if number % 10 == 0:
                client.ask("host.test")
    assert sanitized() or memory() - before < 4096
    assert len(upstream.asked("host.test")) == 1


def test_many_ask_the_same_at_once(client, upstream):
    sockets = [client.udp() for _ in range(30)]
    for number, socket in enumerate(sockets):
        socket.send(query("late-300.test", number=number))
    for number, socket in enumerate(sockets):
        answer = socket.recv(4096)
        assert answer[:2] == number.to_bytes(2, "big") and answer[3] & 15 == 0
        socket.close()
