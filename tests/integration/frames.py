# SPDX-License-Identifier: Apache-2.0
"""Ethernet frames, made by hand, sent, and seen.

As a program, in whatever network namespace it is started:

    frames.py send LINK    sends the frames of its input, one in hexadecimal a line
    frames.py watch LINK   prints each frame that arrives at LINK, until it is killed

As a module: Watch and send() do so in a test host; the rest makes frames. MAC addresses and IP
addresses are text, payloads bytes.
"""

from __future__ import annotations

import ipaddress
import socket
import struct
import subprocess
import sys
from typing import Iterable

ETH_P_ALL = 3
PACKET_OUTGOING = 4
BROADCAST = "ff:ff:ff:ff:ff:ff"
NOBODY = "00:00:00:00:00:00"


# ---- the program ----


def send_lines(link: str) -> None:
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as raw:
        raw.bind((link, 0))
        for line in sys.stdin:
            raw.send(bytes.fromhex(line))


def watch_link(link: str) -> None:
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL)) as raw:
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
        raw.bind((link, ETH_P_ALL))
        print("watching", flush=True)
        while True:
            frame, address = raw.recvfrom(65535)
            if address[2] != PACKET_OUTGOING:
                print(frame.hex(), flush=True)


# ---- in a test host ----


def send(host, link: str, frames: Iterable[bytes], netns: str | None = None) -> None:
    """Sends frames from a link of the host or of one of its namespaces."""
    lines = "".join(frame.hex() + "\n" for frame in frames)
    host.run(sys.executable, __file__, "send", link, netns=netns, stdin=lines)


class Watch:
    """What arrives at a link, from now on."""

    def __init__(self, host, link: str, netns: str | None = None):
        self._child = host.popen(
            sys.executable, __file__, "watch", link, netns=netns,
            stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert self._child.stdout and self._child.stdout.readline() == "watching\n"

    def until(self, mark: bytes) -> list[bytes]:
        """What has arrived, up to the first frame with mark in it, which must come."""
        seen: list[bytes] = []
        assert self._child.stdout
        for line in self._child.stdout:
            seen.append(bytes.fromhex(line))
            if mark in seen[-1]:
                return seen
        raise AssertionError("who watched the link has gone")


# ---- frames ----


def mac_bytes(mac: str) -> bytes:
    return bytes.fromhex(mac.replace(":", ""))


def packed(address: str) -> bytes:
    return ipaddress.ip_address(address).packed


def link_local(mac: str) -> str:
    """The address that an interface gives itself (RFC 4291, appendix A)."""
    raw = mac_bytes(mac)
    suffix = bytes([raw[0] ^ 2]) + raw[1:3] + b"\xff\xfe" + raw[3:]
    return str(ipaddress.IPv6Address(b"\xfe\x80" + bytes(6) + suffix))


def ether(dst: str, src: str, ethertype: int, payload: bytes) -> bytes:
    return mac_bytes(dst) + mac_bytes(src) + struct.pack("!H", ethertype) + payload


def tagged(frame: bytes, vlan: int, ethertype: int = 0x8100) -> bytes:
    """The frame with an 802.1Q header."""
    return frame[:12] + struct.pack("!HH", ethertype, vlan) + frame[12:]


def checksum(data: bytes) -> int:
    """RFC 1071."""
    data += bytes(len(data) % 2)
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return 0xFFFF - total


def pseudo(src: str, dst: str, proto: int, length: int) -> bytes:
    return packed(src) + packed(dst) + struct.pack("!IHBB", length, 0, 0, proto)


def ipv4(src: str, dst: str, proto: int, payload: bytes) -> bytes:
    head = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(payload), 1, 0, 64, proto, 0)
    head += packed(src) + packed(dst)
    return head[:10] + struct.pack("!H", checksum(head)) + head[12:] + payload


def ipv6(src: str, dst: str, proto: int, payload: bytes, hops: int = 255) -> bytes:
    head = struct.pack("!IHBB", 6 << 28, len(payload), proto, hops)
    return head + packed(src) + packed(dst) + payload


def ip(src: str, dst: str, proto: int, payload: bytes) -> bytes:
    return (ipv6 if ":" in src else ipv4)(src, dst, proto, payload)


def ip_frame(dst_mac: str, src_mac: str, packet: bytes) -> bytes:
    return ether(dst_mac, src_mac, 0x0800 if packet[0] >> 4 == 4 else 0x86DD, packet)


def udp(src: str, dst: str, sport: int, dport: int, payload: bytes) -> bytes:
    """A packet of UDP over the family of src."""
    head = struct.pack("!HHHH", sport, dport, 8 + len(payload), 0)
    body = head + payload
    total = checksum(pseudo(src, dst, 17, len(body)) + body)
    return ip(src, dst, 17, head[:6] + struct.pack("!H", total or 0xFFFF) + payload)


def tcp_syn(src: str, dst: str, sport: int, dport: int) -> bytes:
    """The packet that opens a connection."""
    head = struct.pack("!HHIIBBHHH", sport, dport, 1, 0, 5 << 4, 2, 65535, 0, 0)
    total = checksum(pseudo(src, dst, 6, len(head)) + head)
    return ip(src, dst, 6, head[:16] + struct.pack("!H", total) + head[18:])


def arp(dst: str, src: str, operation: int, sender: tuple, target: tuple) -> bytes:
    """RFC 826. sender and target: (MAC, IPv4 address)."""
    body = struct.pack("!HHBBH", 1, 0x0800, 6, 4, operation)
    for mac, address in (sender, target):
        body += mac_bytes(mac) + packed(address)
    return ether(dst, src, 0x0806, body)


def icmpv6(src: str, dst: str, kind: int, body: bytes, before: bytes = b"") -> bytes:
    """A message of RFC 4443: body is what follows the checksum. before: an extension header, whose
    first byte will be made to say what follows."""
    message = struct.pack("!BBH", kind, 0, 0) + body
    total = checksum(pseudo(src, dst, 58, len(message)) + message)
    message = message[:2] + struct.pack("!H", total) + message[4:]
    if before:
        return ipv6(src, dst, 60, bytes([58]) + before[1:] + message)
    return ipv6(src, dst, 58, message)


def advertisement(target: str, mac: str) -> bytes:
    """The body of a neighbour advertisement, override flag set, target link-layer address given."""
    return struct.pack("!I", 0x20000000) + packed(target) + b"\x02\x01" + mac_bytes(mac)


def solicitation(target: str, mac: str) -> bytes:
    return bytes(4) + packed(target) + b"\x01\x01" + mac_bytes(mac)


def router_advertisement(mac: str, prefix: str) -> bytes:
    """The body of one: a default router for half an hour, and a prefix to make addresses of."""
    head = struct.pack("!BBHII", 64, 0, 1800, 0, 0)
    option = struct.pack("!BBBBIII", 3, 4, 64, 0xC0, 86400, 86400, 0) + packed(prefix)
    return head + option + b"\x01\x01" + mac_bytes(mac)


def source_port(frame: bytes) -> int | None:
    """Of a frame of TCP or UDP without options and extension headers."""
    start = {b"\x08\x00": 34, b"\x86\xdd": 54}.get(frame[12:14])
    return int.from_bytes(frame[start : start + 2], "big") if start else None


# Destination options (RFC 8200, 4.6), padding alone: next header, length, PadN of four bytes.
DESTINATION_OPTIONS = bytes([0, 0, 1, 4, 0, 0, 0, 0])

if __name__ == "__main__":
    {"send": send_lines, "watch": watch_link}[sys.argv[1]](*sys.argv[2:])
