# SPDX-License-Identifier: Apache-2.0
"""The kernel's part of a container's joining: its netlink requests and nothing else.

As floor.c, for the links that bench/drivers compares: what is in the namespace comes with one batch on a socket
that is opened there each time, as weft's do. In python, whose own part of a round is some 0.1 ms.
"""

from __future__ import annotations

import ctypes
import os
import socket
import struct

GROUP = 0x666C6F72  # not weft's, or weftd would take the links away
CLONE_NEWNET = 0x40000000
libc = ctypes.CDLL(None, use_errno=True)

# linux/netlink.h, rtnetlink.h, if_link.h, net_namespace.h
REQUEST, ACK, EXCL, CREATE = 1, 4, 0x200, 0x400
NEWLINK, DELLINK, SETLINK, NEWADDR, NEWROUTE, NEWNSID, GETNSID = 16, 17, 19, 20, 24, 88, 90
IFLA_ADDRESS, IFLA_IFNAME, IFLA_LINK, IFLA_MASTER, IFLA_LINKINFO = 1, 3, 5, 10, 18
IFLA_GROUP, IFLA_NET_NS_FD, IFLA_LINK_NETNSID = 27, 28, 37
IFLA_INFO_KIND, IFLA_INFO_DATA, VETH_INFO_PEER = 1, 2, 1
IFLA_MACVLAN_MODE, IFLA_IPVLAN_MODE = 1, 1
MACVLAN_MODE_BRIDGE, IPVLAN_MODE_L2 = 4, 0
NETNSA_NSID, NETNSA_FD = 1, 3
IFF_UP = 1


def attr(kind: int, data: bytes) -> bytes:
    padding = b"\0" * (-len(data) % 4)
    return struct.pack("=HH", len(data) + 4, kind) + data + padding


def u32(value: int) -> bytes:
    return struct.pack("=I", value & 0xFFFFFFFF)


def text(value: str) -> bytes:
    return value.encode() + b"\0"


def link_header(index: int = 0, up: bool = False) -> bytes:
    return struct.pack("=BxHiII", 0, 0, index, IFF_UP * up, IFF_UP * up)


class Spot:
    """An rtnetlink socket in a network namespace."""

    def __init__(self, netns: str):
        """Enters the namespace for the moment of opening it."""
        here = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        there = os.open(netns, os.O_RDONLY | os.O_CLOEXEC)
        try:
            self._enter(there)
            self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE)
        finally:
            self._enter(here)
            os.close(here)
            os.close(there)

    @staticmethod
    def _enter(fd: int) -> None:
        if libc.setns(fd, CLONE_NEWNET) != 0:
            raise OSError(ctypes.get_errno(), "setns")

    def close(self) -> None:
        self._socket.close()

    def batch(self, *requests: tuple[int, int, bytes]) -> bytes:
        """Sends (TYPE, FLAGS, PAYLOAD)…, of which the last is acknowledged: the answer to it."""
        out = b""
        for number, (kind, flags, payload) in enumerate(requests, 1):
            flags |= REQUEST | (ACK if number == len(requests) else 0)
            out += struct.pack("=IHHII", len(payload) + 16, kind, flags, number, 0) + payload
        self._socket.send(out)
        answer = b""
        while True:
            data = self._socket.recv(65536)
            while data:
                length, kind, _, number, _ = struct.unpack_from("=IHHII", data)
                if kind != 2:
                    answer = data[16:length]
                elif error := struct.unpack_from("=i", data, 16)[0]:
                    raise OSError(-error, os.strerror(-error))
                if kind == 2 and number == len(requests):
                    return answer
                data = data[(length + 3) & ~3 :]

    def index(self, name: str) -> int:
        """0 where no link is called so."""
        try:
            answer = self.batch((18, 0, link_header() + attr(IFLA_IFNAME, text(name))))
        except OSError:
            return 0
        return struct.unpack_from("=i", answer, 4)[0]

    def number_of(self, netns_fd: int) -> int:
        """By which this namespace knows another."""
        header = b"\0\0\0\0"
        asked = header + attr(NETNSA_FD, u32(netns_fd))
        number = self._find_nsid(self.batch((GETNSID, 0, asked)))
        if number >= 0:
            return number
        self.batch((NEWNSID, 0, asked + attr(NETNSA_NSID, u32(-1))))
        return self._find_nsid(self.batch((GETNSID, 0, asked)))

    @staticmethod
    def _find_nsid(answer: bytes) -> int:
        at = 4
        while at + 4 <= len(answer):
            length, kind = struct.unpack_from("=HH", answer, at)
            if kind == NETNSA_NSID:
                return struct.unpack_from("=i", answer, at + 4)[0]
            at += (length + 3) & ~3
        return -1

    def remove(self, name: str) -> None:
        """Waits until the kernel has let go of the link, which is long after it is gone."""
        self.batch((DELLINK, 0, link_header() + attr(IFLA_IFNAME, text(name))))


def wire_up(inside: Spot, name: str, address: str, length: int, gateway: str) -> None:
    """The link there up, with its address and the default route."""
    index = inside.index(name)
    local = socket.inet_aton(address)
    addr = struct.pack("=BBBBi", socket.AF_INET, length, 0, 0, index) + attr(2, local) + attr(1, local)
    route = struct.pack("=BBBBBBBBI", socket.AF_INET, 0, 0, 0, 254, 119, 0, 1, 0)
    route += attr(5, socket.inet_aton(gateway)) + attr(4, u32(index))
    inside.batch(
        (SETLINK, 0, link_header(index, up=True)),
        (NEWADDR, CREATE | EXCL, addr),
        (NEWROUTE, CREATE | EXCL, route),
    )


def veth(host: Spot, netns: str, bridge: int, outer: str, inner: str) -> None:
    """A pair: one end on the bridge and up, the other in the namespace."""
    there = os.open(netns, os.O_RDONLY | os.O_CLOEXEC)
    try:
        peer = link_header() + attr(IFLA_IFNAME, text(inner)) + attr(IFLA_NET_NS_FD, u32(there))
        info = attr(IFLA_INFO_KIND, text("veth")) + attr(IFLA_INFO_DATA, attr(VETH_INFO_PEER, peer))
        link = link_header() + attr(IFLA_IFNAME, text(outer)) + attr(IFLA_GROUP, u32(GROUP))
        link += attr(IFLA_MASTER, u32(bridge)) + attr(IFLA_LINKINFO, info)
        up = link_header(up=True) + attr(IFLA_IFNAME, text(outer))
        host.batch((NEWLINK, CREATE | EXCL, link), (SETLINK, 0, up))
    finally:
        os.close(there)


def child(inside: Spot, host_netns: str, parent: int, kind: str, name: str) -> None:
    """A macvlan or ipvlan in a namespace, of a parent in another."""
    mode = u32(MACVLAN_MODE_BRIDGE) if kind == "macvlan" else struct.pack("=H", IPVLAN_MODE_L2)
    there = os.open(host_netns, os.O_RDONLY | os.O_CLOEXEC)
    try:
        number = inside.number_of(there)
    finally:
        os.close(there)
    info = attr(IFLA_INFO_KIND, text(kind)) + attr(IFLA_INFO_DATA, attr(IFLA_MACVLAN_MODE, mode))
    link = link_header() + attr(IFLA_IFNAME, text(name)) + attr(IFLA_LINK, u32(parent))
    link += attr(IFLA_LINK_NETNSID, u32(number)) + attr(IFLA_GROUP, u32(GROUP))
    inside.batch((NEWLINK, CREATE | EXCL, link + attr(IFLA_LINKINFO, info)))
