# SPDX-License-Identifier: Apache-2.0
"""DNS messages, as a client and a server of the tests' own write and read them (RFC 1035, 6891).

Reads strictly: what is not well formed, to the last octet, is a ValueError.
"""

from __future__ import annotations

import ipaddress
import struct
from typing import Iterator, NamedTuple

TYPES = {
    "A": 1, "NS": 2, "CNAME": 5, "SOA": 6, "PTR": 12, "HINFO": 13, "MX": 15, "TXT": 16, "AAAA": 28,
    "SRV": 33, "NAPTR": 35, "OPT": 41, "DS": 43, "SVCB": 64, "HTTPS": 65, "IXFR": 251, "AXFR": 252,
    "ANY": 255,
}  # fmt: skip
TYPE_NAMES = {number: name for name, number in TYPES.items()}
RCODES = {
    0: "NOERROR", 1: "FORMERR", 2: "SERVFAIL", 3: "NXDOMAIN", 4: "NOTIMP", 5: "REFUSED",
    16: "BADVERS",
}  # fmt: skip

QR, AA, TC, RD, RA, AD, CD = 0x8000, 0x0400, 0x0200, 0x0100, 0x0080, 0x0020, 0x0010
DO = 0x8000


class Record(NamedTuple):
    name: str
    type: str
    ttl: int
    data: str


class Edns(NamedTuple):
    """What an OPT record says."""

    size: int = 1232
    do: bool = False
    options: bytes = b""
    version: int = 0
    rcode: int = 0  # the upper eight bits

    def pack(self) -> bytes:
        head = struct.pack("!HBBH", self.size, self.rcode, self.version, DO if self.do else 0)
        return b"\0" + struct.pack("!H", TYPES["OPT"]) + head + struct.pack("!H", len(self.options)) + self.options


class Message(NamedTuple):
    """A message that was read."""

    id: int
    flags: int
    rcode: str
    name: str  # of the question, with its case
    type: str
    answers: list[Record]
    authority: list[Record]
    additional: list[Record]
    edns: Edns | None
    size: int

    @property
    def truncated(self) -> bool:
        return bool(self.flags & TC)

    @property
    def authoritative(self) -> bool:
        return bool(self.flags & AA)

    @property
    def data(self) -> list[str]:
        """Of the answers, in their order."""
        return [record.data for record in self.answers]

    @property
    def is_empty(self) -> bool:
        """It says that the name exists, without what was asked for (RFC 2308, 2.2)."""
        return self.rcode == "NOERROR" and not self.answers


# ---- writing ----


def pack_name(name: str) -> bytes:
    labels = [label.encode("latin-1") for label in name.rstrip(".").split(".") if label]
    return b"".join(bytes([len(label)]) + label for label in labels) + b"\0"


def header(number: int, flags: int, *counts: int) -> bytes:
    return struct.pack("!6H", number, flags, *(counts + (0, 0, 0, 0))[:4])


def question(name: str, kind: str | int = "A", klass: int = 1) -> bytes:
    return pack_name(name) + struct.pack("!HH", TYPES.get(kind, kind), klass)


def query(
    name: str, kind: str | int = "A", number: int = 1, edns: Edns | None = None, flags: int = RD
) -> bytes:
    tail = edns.pack() if edns else b""
    return header(number, flags, 1, 0, 0, bool(edns)) + question(name, kind) + tail


def record(name: bytes, kind: str, ttl: int, data: bytes) -> bytes:
    return name + struct.pack("!HHIH", TYPES[kind], 1, ttl, len(data)) + data


def reverse(address: str) -> str:
    """The name below in-addr.arpa or ip6.arpa."""
    return ipaddress.ip_address(address).reverse_pointer


# ---- reading ----


def read_name(msg: bytes, offset: int) -> tuple[str, int]:
    """A name and the offset behind it."""
    labels: list[str] = []
    end = 0
    lowest = offset
    while True:
        if offset >= len(msg):
            raise ValueError("a name runs out of the message")
        length = msg[offset]
        if length & 0xC0 == 0xC0:
            target = struct.unpack_from("!H", msg, offset)[0] & 0x3FFF
            if target >= lowest:
                raise ValueError("a pointer that does not lead back")
            end = end or offset + 2
            offset = lowest = target
        elif length > 63:
            raise ValueError("a label of an unknown kind")
        elif length == 0:
            break
        else:
            label = msg[offset + 1 : offset + 1 + length]
            if len(label) != length:
                raise ValueError("a label runs out of the message")
            labels.append(label.decode("latin-1"))
            offset += 1 + length
    name = ".".join(labels)
    if len(name) > 253:
        raise ValueError("a name of more than 255 octets")
    return name, end or offset + 1


def read_data(msg: bytes, kind: str, start: int, end: int) -> str:
    data = msg[start:end]
    if kind in ("A", "AAAA"):
        return str(ipaddress.ip_address(data))
    if kind in ("PTR", "CNAME", "NS"):
        name, after = read_name(msg, start)
    elif kind == "SRV":
        if b"\xc0" in data:
            raise ValueError("an SRV record's target is never compressed (RFC 2782)")
        target, after = read_name(msg, start + 6)
        name = " ".join(map(str, struct.unpack_from("!3H", msg, start))) + " " + target
    elif kind == "TXT":
        name, after = data[1:].decode("latin-1"), start + 1 + data[0]
    else:
        return data.hex()
    if after != end:
        raise ValueError(f"a {kind} record of another length than it says")
    return name


def read_records(msg: bytes, offset: int, count: int) -> Iterator[tuple[Record | Edns, int]]:
    for _ in range(count):
        name, offset = read_name(msg, offset)
        kind, klass, ttl, length = struct.unpack_from("!HHIH", msg, offset)
        offset += 10
        if offset + length > len(msg):
            raise ValueError("a record runs out of the message")
        if kind == TYPES["OPT"]:
            options = msg[offset : offset + length]
            yield Edns(klass, bool(ttl & DO), options, ttl >> 16 & 255, ttl >> 24), offset + length
        else:
            text = TYPE_NAMES.get(kind, f"TYPE{kind}")
            yield Record(name, text, ttl, read_data(msg, text, offset, offset + length)), offset + length
        offset += length


def parse(msg: bytes) -> Message:
    """Reads a message with one question, or with none."""
    try:
        number, flags, questions, *counts = struct.unpack_from("!6H", msg)
        name, kind, offset = "", 0, 12
        if questions > 1:
            raise ValueError(f"{questions} questions")
        if questions:
            name, offset = read_name(msg, offset)
            kind, _ = struct.unpack_from("!HH", msg, offset)
            offset += 4
        sections: list[list[Record]] = []
        edns = None
        for count in counts:
            sections.append([])
            for entry, offset in read_records(msg, offset, count):
                if isinstance(entry, Record):
                    sections[-1].append(entry)
                elif edns:
                    raise ValueError("two OPT records")
                else:
                    edns = entry
    except (struct.error, IndexError, UnicodeDecodeError) as error:
        raise ValueError(f"{error}: {msg.hex()}") from error
    if offset != len(msg):
        raise ValueError(f"{len(msg) - offset} octets behind the message")
    code = flags & 15 | (edns.rcode << 4 if edns else 0)
    kind_text = TYPE_NAMES.get(kind, f"TYPE{kind}")
    return Message(number, flags, RCODES.get(code, str(code)), name, kind_text, *sections, edns, len(msg))
