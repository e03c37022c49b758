# SPDX-License-Identifier: Apache-2.0
"""What nobody should send, more of it than anybody should, and clients that misbehave: whoever else asks
is answered."""

from __future__ import annotations

import contextlib
import random
import resource
import select
import socket
import struct
import time
from typing import Iterator

import pytest

from dns_client import Client, NoAnswer, Stream, client_in
from dns_hosts import DUAL, GATEWAY4, GATEWAY6, TRUE4, Upstream, dns_pid, sanitized, within
from dns_wire import QR, RD, Edns, header, pack_name, parse, query, question
from weftd import SANITIZER_ENV, WEFT

NETWORK = "web"
FOREVER = 15.0


@pytest.fixture
def clients(weft) -> dict[str, Client]:
    """One in a container, one that asks the gateway, and one whose answers are looked at."""
    weft("network", "create", *DUAL, NETWORK)
    weft.start("a", "--network", NETWORK)
    weft.attach("b", "--network", NETWORK)
    weft.start("c", "--network", NETWORK)
    return {
        "container": client_in(weft, "a"),
        "gateway": client_in(weft, "b", GATEWAY4),
        "gateway6": client_in(weft, "b", GATEWAY6),
        "other": client_in(weft, "c"),
    }


@contextlib.contextmanager
def same_process(host) -> Iterator[None]:
    """weft-dns survives the block."""
    pid = dns_pid(host)
    yield
    assert dns_pid(host) == pid


def memory(host) -> int:
    """weft-dns's, in KiB."""
    status = host.read(f"/proc/{dns_pid(host)}/status")
    return int(next(line.split()[1] for line in status.splitlines() if line.startswith("VmRSS")))


# ---- datagrams and messages ----


def head(number: int = 7, flags: int = RD, counts: tuple = (1, 0, 0, 0)) -> bytes:
    return header(number, flags, *counts)


A = question("a")
LONG = b"\x3f" + b"x" * 63
OPT = Edns().pack()

UNANSWERABLE = {
    **{f"{length} octets": query("a")[:length] for length in range(12)},
    "a response": query("a", flags=QR | RD),
    "an error": query("a", flags=QR | 5),
}
BAD = {
    "FORMERR": {
        "no question": head(counts=(0, 0, 0, 0)),
        "a missing question": head(),
        "two questions": head(counts=(2, 0, 0, 0)) + A + A,
        "65535 questions": head(counts=(65535, 0, 0, 0)) + A,
        "half a question": head() + A[:-1],
        "no type": head() + pack_name("a"),
        "no end of the name": head() + b"\x01a",
        "a label past the end": head() + b"\x3fa",
        "a pointer to itself": head() + b"\xc0\x0c" + A[-4:],
        "a pointer forwards": head() + b"\xc0\x20" + A[-4:] + bytes(40),
        "a pointer into the header": head() + b"\xc0\x00" + A[-4:],
        "pointers in a circle": head() + b"\x01a\xc0\x0e\xc0\x0c" + A[-4:],
        "half a pointer": head() + b"\xc0",
        "label type 01": head() + b"\x41a\x00" + A[-4:],
        "label type 10": head() + b"\x81a\x00" + A[-4:],
        "256 octets of name": head() + LONG * 3 + b"\x3e" + b"x" * 62 + b"\0" + A[-4:],
        "a name of 1,000 labels": head() + b"\x01a" * 1000 + b"\0" + A[-4:],
        "a name without end": head() + LONG * 8,
        "octets behind": query("a") + b"x",
        "a record that is not there": head(counts=(1, 0, 0, 1)) + A,
        "an OPT record cut off": (head(counts=(1, 0, 0, 1)) + A + OPT)[:-1],
        "options that run out": head(counts=(1, 0, 0, 1)) + A + Edns(options=b"\0\x08\0\xff").pack(),
        "two OPT records": head(counts=(1, 0, 0, 2)) + A + OPT + OPT,
        "an OPT record with a name": head(counts=(1, 0, 0, 1)) + A + b"\x01a" + OPT,
    },
    "NOTIMP": {
        f"opcode {opcode}": query("a", flags=opcode << 11 | RD) for opcode in (1, 2, 3, 4, 5, 6, 15)
    },
    "REFUSED": {
        **{f"class {klass}": head() + question("a", "A", klass) for klass in (0, 2, 3, 4, 254, 255, 65535)},
        "version.bind": head() + question("version.bind", "TXT", 3),
        "AXFR": query("web.weft", "AXFR"),
        "IXFR": query("web.weft", "IXFR"),
    },
    "BADVERS": {"EDNS version 1": query("a", edns=Edns(version=1))},
}  # fmt: skip


def test_malformed_messages(weft, clients, host):
    with same_process(host):
        for where in ("container", "gateway", "gateway6"):
            client = clients[where]
            for rcode, messages in BAD.items():
                for what, msg in messages.items():
                    for tcp in (False, True):
                        answer = parse(client.exchange(msg, tcp))
                        assert answer.flags & QR and answer.rcode == rcode, f"{what}: {answer}"
                        assert answer.id == int.from_bytes(msg[:2], "big") and not answer.answers, what
            # The socket would hand an answer to the first of them to the last.
            with client.udp() as udp:
                for msg in UNANSWERABLE.values():
                    udp.send(msg)
                udp.send(query("a", number=4711))
                assert parse(udp.recv(4096)).id == 4711
        assert clients["other"].data("a")


def test_unusual_but_sound(weft, clients):
    client = clients["container"]
    address = weft.address("a", NETWORK)
    sound = {
        "an option nobody knows": query("a", edns=Edns(options=b"\xff\xf0\0\x03abc")),
        "a record in the additional section": head(counts=(1, 0, 0, 1)) + A + pack_name("x") + A[-4:] + bytes(6),
        "no recursion desired": query("a", flags=0),
        "reserved bits": query("a", flags=RD | 0x40),
        "edns size 0": query("a", edns=Edns(0)),
        "edns size 65535": query("a", edns=Edns(65535)),
    }
    for what, msg in sound.items():
        for tcp in (False, True):
            answer = parse(client.exchange(msg, tcp))
            assert answer.data == [address], f"{what}: {answer}"
    assert client.ask("a", "ANY").rcode in ("NOERROR", "NOTIMP", "REFUSED")
    # Odd octets in names are names (RFC 2181, 11); the longest names and labels are possible.
    for name in ("\0.web.weft", "\xff\xfe.weft", "a b.web.weft", "x" * 63 + ".weft", ".".join("y" * 121) + ".web.weft"):
        assert client.rcode(name) == "NXDOMAIN"


def mutations(count: int, seed: int) -> Iterator[bytes]:
    """Sound messages with a few octets changed, cut, doubled; and noise."""
    rng = random.Random(seed)
    sources = [query("a"), query("a.web.weft", "SRV", edns=Edns(options=b"\0\x0a\0\x08" + bytes(8)))]
    sources += [msg for messages in BAD.values() for msg in messages.values() if len(msg) < 400]
    for _ in range(count):
        msg = bytearray(rng.choice(sources))
        for _ in range(rng.randrange(1, 6)):
            where = rng.randrange(len(msg))
            msg[where : where + rng.randrange(0, 3)] = rng.randbytes(rng.randrange(0, 3))
            msg = msg or bytearray(b"\0")
        yield bytes(msg) if rng.random() < 0.9 else rng.randbytes(rng.randrange(600))


def test_random_octets(clients, host, outside):
    upstream = Upstream(outside)
    with same_process(host):
        for seed, where in enumerate(("container", "gateway")):
            client = clients[where]
            with client.udp() as udp:
                udp.setblocking(False)
                for number, msg in enumerate(mutations(3000, seed)):
                    with contextlib.suppress(BlockingIOError, ConnectionRefusedError):
                        udp.send(msg)
                    if number % 20 == 0:
                        drain(udp)
            for number, msg in enumerate(mutations(150, seed + 100)):
                with client.stream() as stream, contextlib.suppress(OSError):
                    stream.send(msg)
                    if number % 10 == 0:
                        stream.socket.sendall(random.Random(number).randbytes(500))
            assert clients["other"].data("a") and client.data("a")
    # Whatever passed for a question was passed on as one.
    assert not upstream.malformed()


def drain(udp: socket.socket) -> int:
    """Reads what is there; all of it is well formed."""
    count = 0
    with contextlib.suppress(BlockingIOError, ConnectionRefusedError):
        while True:
            assert parse(udp.recv(65536)).flags & QR
            count += 1
    return count


# ---- connections ----


def test_connections_of_many_queries(clients):
    """RFC 7766: pipelined, answered as the answers come; and half-closed."""
    for client in (clients["container"], clients["gateway6"]):
        with client.stream() as stream:
            stream.send(*(query(f"n{number}.web.weft", number=number) for number in range(500)))
            stream.send(query("c", number=500))
            seen = [parse(stream.receive()) for _ in range(501)]
            assert {answer.id for answer in seen} == set(range(501))
            stream.send(query("c"))
            stream.socket.shutdown(socket.SHUT_WR)
            assert parse(stream.receive()).data and stream.receive() is None
        with client.stream() as stream:
            stream.socket.shutdown(socket.SHUT_WR)
            assert stream.closed(within(1, 5))


def test_slow_answers_do_not_hold_up_fast_ones(clients, outside):
    Upstream(outside)
    with clients["container"].stream() as stream:
        stream.send(query("late-700.test", number=1), query("c", number=2), query("host.test", number=3))
        assert {parse(stream.receive()).id for _ in range(2)} == {2, 3}
        assert parse(stream.receive()).id == 1
    # The client goes while its query is on its way.
    for _ in range(20):
        with clients["container"].stream() as stream:
            stream.send(query("late-200.test"), query("drop.test"))
    assert clients["container"].data("host.test") == [TRUE4]


def test_dribbling_clients(clients, host):
    """Octet by octet is slow, and is answered; too slow is not waited for."""
    client = clients["container"]
    with same_process(host), contextlib.ExitStack() as stack:
        msg = query("c")
        framed = struct.pack("!H", len(msg)) + msg
        with client.stream() as stream:
            for octet in framed:
                stream.socket.sendall(bytes([octet]))
                time.sleep(0.01)
            assert parse(stream.receive()).data
        idle, half, dribbler = (stack.enter_context(client.stream()) for _ in range(3))
        half.socket.sendall(framed[:5])
        dribbler.socket.sendall(b"\xff\xff")
        began = time.monotonic()
        closed: dict[Stream, float] = {}
        while len(closed) < 3 and time.monotonic() - began < 20:
            for stream in {idle, half, dribbler} - set(closed):
                with contextlib.suppress(NoAnswer):
                    if stream.receive(0.05) is None:
                        closed[stream] = time.monotonic() - began
            with contextlib.suppress(OSError):
                dribbler.socket.sendall(b"x")
            assert client.data("c") and clients["other"].data("a", tcp=True)
            time.sleep(0.2)
        # 10 s without a whole message; not much earlier, for there may be another question.
        assert len(closed) == 3 and min(closed.values()) > 2, closed.values()


def test_a_client_that_never_reads(clients, host, weft):
    """It is not read from either, once its answers pile up; and costs no memory to speak of."""
    for number in range(30):
        weft.attach(f"n{number}", "--network", NETWORK, "--alias", "crowd")
    before = memory(host)
    client = clients["container"]
    msg = query("crowd")
    with same_process(host), contextlib.ExitStack() as stack:
        for _ in range(4):
            stream = stack.enter_context(client.stream())
            stream.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            stream.socket.settimeout(0.2)
            with contextlib.suppress(OSError):
                for _ in range(200):
                    stream.send(*([msg] * 1000))
        assert sanitized() or memory(host) - before < 8192, "KiB more"
        assert clients["other"].data("crowd", tcp=True) and client.data("crowd")


def test_lengths_that_lie(clients, host):
    with same_process(host):
        for octets in (b"\0\0", b"\0\x01x", b"\0\0" * 5000, b"\xff\xff" + bytes(65535), b"\0\x0c" + bytes(12) * 3):
            with clients["container"].stream() as stream:
                with contextlib.suppress(OSError):
                    stream.socket.sendall(octets)
                    stream.socket.shutdown(socket.SHUT_WR)
                assert stream.closed(5)
        # A reset instead of a farewell.
        for _ in range(50):
            with clients["container"].stream() as stream:
                stream.send(query("a"))
                stream.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        assert clients["container"].data("a", tcp=True)


@contextlib.contextmanager
def many_files(count: int) -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, count), max(hard, count)))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_hundreds_of_connections(clients, host):
    """From one container. Others have theirs; and so has that one when it has let go."""
    with many_files(2048), same_process(host), contextlib.ExitStack() as stack:
        held = []
        for number in range(600):
            with contextlib.suppress(NoAnswer):
                held.append(stack.enter_context(clients["container"].stream()))
                if number % 3 == 0:
                    held[-1].socket.sendall(b"\0\x1d1234")
        for _ in range(20):
            assert clients["other"].data("a", tcp=True) and clients["gateway"].data("a", tcp=True)
            assert clients["container"].data("a")
        for stream in held:
            stream.socket.close()
        assert clients["container"].data("a", tcp=True)


# ---- floods ----


def answers_of(sockets: list[socket.socket], seconds: float, wanted: int) -> list[int]:
    """The rcodes of what arrives in that time; not more than wanted."""
    codes: list[int] = []
    poll = select.poll()
    by_number = {one.fileno(): one for one in sockets}
    for number in by_number:
        poll.register(number, select.POLLIN)
    end = time.monotonic() + seconds
    while len(codes) < wanted and (left := end - time.monotonic()) > 0:
        for number, _ in poll.poll(left * 1000):
            codes.append(by_number[number].recv(4096)[3] & 15)
    return codes


@pytest.mark.parametrize("where", ["container", "gateway"])
def test_a_flood_of_one_starves_nobody_else(clients, host, outside, where):
    """1,000 clients in one sandbox, whose questions nobody out there answers."""
    upstream = Upstream(outside)
    flooder, other = clients[where], clients["other"]
    with many_files(2048), same_process(host), contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(flooder.udp()) for _ in range(1000)]
        for number, one in enumerate(sockets):
            one.send(query(f"drop-{number}.test", number=number))
            if number % 50 == 0:
                assert other.data("a")
                assert flooder.data("c")  # whose turn it is behind those before it: no more than a socket holds
        began = time.monotonic()
        for number in range(50):
            assert other.data("a") and other.data(f"x{number}.test") == [TRUE4]
            assert flooder.data("c")  # it knows its own names at least
        assert time.monotonic() - began < within(0.5, 4)
        # 64 of a sandbox may be on their way; whoever is above that learns it at once.
        early = answers_of(sockets, 1.0, 1000)
        assert 900 <= len(early) < 1000 and set(early) == {2}, len(early)
        late = answers_of(sockets, FOREVER, 1000 - len(early))
        assert len(early) + len(late) == 1000 and set(late) == {2}
        assert len(upstream.asked("drop-0.test")) >= 1
        assert flooder.data("y.test") == [TRUE4]


def test_a_torrent(clients, host):
    """As many as one client can send, answers unread: others do not wait for their turn."""
    flooder, other = clients["container"], clients["other"]
    msg = query("c")
    took = []
    with same_process(host), flooder.udp() as udp:
        udp.setblocking(False)
        for _ in range(200):
            with contextlib.suppress(BlockingIOError):
                for _ in range(200):
                    udp.send(msg)
            began = time.monotonic()
            assert other.data("a")
            took.append(time.monotonic() - began)
    assert sorted(took)[100] < within(0.01, 0.2) and max(took) < within(0.1, 3)


def test_floods_of_the_command(weft, clients, host):
    """Its lookups and logs are bounded likewise: those who go in the middle leave nothing behind."""
    with same_process(host):
        children = [
            weft.host.popen(WEFT, "dns", *args, env=SANITIZER_ENV, stdout=-3, stderr=-3)
            for args in [("lookup", "a", "--from", "c")] * 15 + [("log", "-f")] * 15
        ]
        assert clients["other"].data("a")
        for child in children:
            child.kill()
        assert weft("dns", "lookup", "a", "--from", "c")
