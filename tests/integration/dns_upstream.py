# SPDX-License-Identifier: Apache-2.0
"""A DNS server that does what it is asked to, by the first label of the name: also what it should not.

    dns_upstream.py NAME ADDRESS [MODE]

Answers UDP and TCP, port 53. A word of its input is its mode from then on: "" to serve, or one of the
words below, for all names. It prints "listening", then a line of JSON for every query.

The first label is WORD, WORD-ANYTHING or WORD-NUMBER-ANYTHING:
    nx nosoa empty        no such name (with and without a SOA record), no such type
    ttl-N                 an answer that lives N seconds; others live 300
    servfail refused notimp formerr
    drop late-MS          no answer, or one after so many milliseconds
    wrongid wrongname forged elsewhere
                          first an answer nobody must believe (with address 203.0.113.66): with another
                          id, to another question, from another port, from another address; then the right one
    query short garbage loop noquestion
                          first something that is no proper response; then one
    big-N                 N addresses; cut off with TC where they do not fit
    tc                    always TC over UDP
    tcfail slowtcp        the same, and over TCP nothing, or octet by octet
    cname                 an alias and its address
    tell                  TXT: what the query looked like, as JSON
    whoami                TXT: the server's NAME
Any other name has one address of each family.
"""

import heapq
import itertools
import json
import os
import selectors
import socket
import struct
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

# pylint: disable=wrong-import-position
from dns_wire import AA, QR, RA, RD, TC, Edns, pack_name, parse, record  # noqa: E402

TRUE4, FALSE4, TRUE6 = "198.51.100.1", "203.0.113.66", "2001:db8:100::1"
SOA = record(
    b"\xc0\x0c", "SOA", 3600, pack_name("ns.test") + pack_name("root.test") + struct.pack("!5I", 1, 1, 1, 1, 60)
)
POINTER = b"\xc0\x0c"  # to the question's name
CODES = {"formerr": 1, "servfail": 2, "nx": 3, "nosoa": 3, "notimp": 4, "refused": 5}
# Those that only UDP can make believe.
LIES = {"wrongid", "wrongname", "forged", "elsewhere", "query", "short", "garbage", "loop", "noquestion"}


def words(name):
    """("late", 200) of "late-200-x.test"."""
    parts = name.split(".")[0].lower().split("-")
    return parts[0], int(parts[1]) if len(parts) > 1 and parts[1].isdigit() else 0


class Query:
    """What came, read and as it was."""

    def __init__(self, server, msg, proto, peer):
        self.msg = msg
        self.read = parse(msg)
        self.server, self.proto, self.peer = server, proto, peer
        self.word, self.number = words(self.read.name)
        # Past the question.
        self.question = msg[12 : 12 + len(pack_name(self.read.name)) + 4]

    def told(self):
        edns = self.read.edns
        return {
            "server": self.server, "proto": self.proto, "peer": self.peer[0], "port": self.peer[1],
            "id": self.read.id, "flags": self.read.flags, "name": self.read.name, "type": self.read.type,
            "edns": edns and {"size": edns.size, "do": edns.do, "options": edns.options.hex()},
        }  # fmt: skip

    def limit(self):
        if self.proto == "tcp":
            return 65535
        return max(self.read.edns.size, 512) if self.read.edns else 512


def respond(query, records=(), authority=b"", rcode=0, flags=0, number=None, question=None):
    edns = Edns(4096, query.read.edns.do).pack() if query.read.edns else b""
    answers = b"".join(records)
    flags |= QR | AA | RA | query.read.flags & RD | rcode
    number = query.read.id if number is None else number
    head = struct.pack("!6H", number, flags, 1, len(records), bool(authority), bool(edns))
    return head + (question or query.question) + answers + authority + edns


def address(text, ttl, name=POINTER):
    kind, family = ("AAAA", socket.AF_INET6) if ":" in text else ("A", socket.AF_INET)
    return record(name, kind, ttl, socket.inet_pton(family, text))


def text(what):
    # A record has several strings if need be; a test reads the first, so it must fit.
    data = what.encode()[:255]
    return record(POINTER, "TXT", 0, bytes([len(data)]) + data)


def addresses(query, ttl):
    if query.word == "big":
        count = query.number
        return [address(f"198.51.{100 + i // 250}.{1 + i % 250}", ttl) for i in range(count)]
    if query.read.type == "A":
        return [address(TRUE4, ttl)]
    return [address(TRUE6, ttl)] if query.read.type == "AAAA" else []


def answer(query):
    """The right answer to a query."""
    word, kind = query.word, query.read.type
    ttl = query.number if word == "ttl" else 300
    if word in CODES:
        return respond(query, (), SOA if word == "nx" else b"", CODES[word])
    if word == "empty":
        return respond(query, (), SOA)
    if kind == "TXT":
        told = {key: value for key, value in query.told().items() if key not in ("name", "type")}
        return respond(query, [text(query.server if word == "whoami" else json.dumps(told, separators=(",", ":")))])
    if word == "cname":
        there = pack_name("there.test")
        return respond(query, [record(POINTER, "CNAME", ttl, there), address(TRUE4, 100, there)])
    records = addresses(query, ttl)
    full = respond(query, records, b"" if records else SOA)
    if len(full) > query.limit() or word in ("tc", "tcfail", "slowtcp") and query.proto == "udp":
        return respond(query, (), b"", 0, TC)
    return full


def lie(query):
    """What is sent before the right answer."""
    false = [address(FALSE4, 300)]
    word = query.word
    if word == "wrongid":
        return respond(query, false, number=query.read.id ^ 0x0101)
    if word == "wrongname":
        return respond(query, false, question=pack_name("other.test") + query.question[-4:])
    if word in ("forged", "elsewhere"):
        return respond(query, false)
    if word == "query":
        full = respond(query, false)
        return full[:2] + struct.pack("!H", RD) + full[4:]
    if word == "short":
        return query.msg[:7]
    if word == "garbage":
        return query.msg[:2] + os.urandom(60)
    if word == "loop":
        head = struct.pack("!6H", query.read.id, QR | RA, 1, 1, 0, 0)
        here = 12 + len(query.question)
        return head + query.question + struct.pack("!H", 0xC000 | here) + struct.pack("!HHIH", 1, 1, 300, 4) + bytes(4)
    return struct.pack("!6H", query.read.id, QR | RA, 0, 1, 0, 0) + address(FALSE4, 300, b"\0")


class Server:
    def __init__(self, name, where, mode=""):
        self.name, self.mode = name, mode
        self.loop = selectors.DefaultSelector()
        self.later = []
        self.order = itertools.count()
        family = socket.AF_INET6 if ":" in where else socket.AF_INET
        self.udp = socket.socket(family, socket.SOCK_DGRAM)
        self.udp.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
        # With the link of a link-local one.
        place = socket.getaddrinfo(where, 53)[0][4]
        self.udp.bind(place)
        self.tcp = socket.socket(family, socket.SOCK_STREAM)
        self.tcp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.tcp.bind(place)
        self.tcp.listen(512)
        # Other ports, and another address where there is one: that of the link.
        self.forger = socket.socket(family, socket.SOCK_DGRAM)
        self.forger.bind((where, 0) if "%" not in where else ("::", 0))
        self.elsewhere = self.other_address(family, where) or self.forger
        for source, handler in ((self.udp, self.take_datagram), (self.tcp, self.take_connection)):
            self.loop.register(source, selectors.EVENT_READ, handler)
        self.loop.register(sys.stdin, selectors.EVENT_READ, self.take_mode)
        print("listening", flush=True)

    @staticmethod
    def other_address(family, where):
        """A socket at port 53 of the link's own address, if there is one."""
        other = "2001:db8::1" if family == socket.AF_INET6 else "192.0.2.1"
        made = socket.socket(family, socket.SOCK_DGRAM)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            made.bind((other, 53 if other != where else 0))
        except OSError:
            return None
        return made

    def take_mode(self, source):
        line = source.readline()
        if not line:
            sys.exit(0)
        self.mode = line.strip()
        print(json.dumps({"mode": self.mode}), flush=True)

    def after(self, seconds, action):
        heapq.heappush(self.later, (time.monotonic() + seconds, next(self.order), action))

    def read(self, msg, proto, peer):
        """None: it is no query."""
        try:
            query = Query(self.name, msg, proto, peer)
        except ValueError:
            print(json.dumps({"malformed": msg.hex()}), flush=True)
            return None
        print(json.dumps(query.told()), flush=True)
        if self.mode:
            query.word, query.number = words(self.mode)
        return query

    def take_datagram(self, source):
        msg, peer = source.recvfrom(65536)
        query = self.read(msg, "udp", peer)
        if not query or query.word == "drop":
            return
        if query.word in LIES:
            liar = {"forged": self.forger, "elsewhere": self.elsewhere}.get(query.word, source)
            liar.sendto(lie(query), peer)
            self.after(0.1, lambda: source.sendto(answer(query), peer))
        elif query.word == "late":
            self.after(query.number / 1000, lambda: source.sendto(answer(query), peer))
        else:
            source.sendto(answer(query), peer)

    def take_connection(self, source):
        connection, peer = source.accept()
        buffer = bytearray()
        self.loop.register(connection, selectors.EVENT_READ, lambda it: self.take_stream(it, peer, buffer))

    def take_stream(self, connection, peer, buffer):
        try:
            chunk = connection.recv(65536)
        except OSError:
            chunk = b""
        buffer += chunk
        if not chunk:
            self.loop.unregister(connection)
            connection.close()
        while len(buffer) >= 2 and len(buffer) >= 2 + struct.unpack_from("!H", buffer)[0]:
            length = 2 + struct.unpack_from("!H", buffer)[0]
            query = self.read(bytes(buffer[2:length]), "tcp", peer)
            del buffer[:length]
            if query and query.word not in ("drop", "tcfail"):
                self.send_stream(connection, query)

    def send_stream(self, connection, query):
        msg = answer(query)
        msg = struct.pack("!H", len(msg)) + msg
        if query.word != "slowtcp":
            self.after(query.number / 1000 if query.word == "late" else 0, lambda: self.push(connection, msg))
            return
        for index, octet in enumerate(msg):
            self.after(0.005 * index, lambda octet=octet: self.push(connection, bytes([octet])))

    @staticmethod
    def push(connection, octets):
        try:
            connection.sendall(octets)
        except OSError:
            pass  # nobody waits any more

    def run(self):
        while True:
            due = self.later[0][0] - time.monotonic() if self.later else None
            for key, _ in self.loop.select(None if due is None else max(0, due)):
                key.data(key.fileobj)
            while self.later and self.later[0][0] <= time.monotonic():
                heapq.heappop(self.later)[2]()


if __name__ == "__main__":
    Server(*sys.argv[1:]).run()
