# SPDX-License-Identifier: Apache-2.0
"""A DHCP server for tests, of the manner that a file says.

    dhcp_server.py LINK ADDRESS STATE LOG

STATE is a JSON file that is read again for every message:

    manner   "serve", "silent", "nak" (offers, then refuses), "mute" (offers, then says nothing)
    pool     the addresses to give, in order
    seconds  how long a lease lasts
    options  [[CODE, HEX], …] more options
    careless it gives the first address to everybody

Every message that came is a line of JSON in LOG: type, mac, id, requested, server, own, hostname.
"""

from __future__ import annotations

import json
import socket
import struct
import sys
from typing import Any

TYPES = {1: "discover", 3: "request", 4: "decline", 7: "release"}
OFFER, ACK, NAK = 2, 5, 6
COOKIE = b"\x63\x82\x53\x63"


def parse_options(data: bytes) -> dict[int, bytes]:
    options: dict[int, bytes] = {}
    while data and data[0] != 255:
        if data[0] == 0:
            data = data[1:]
            continue
        length = data[1]
        options[data[0]] = options.get(data[0], b"") + data[2 : 2 + length]
        data = data[2 + length :]
    return options


def text(address: bytes | None) -> str:
    return socket.inet_ntoa(address) if address and any(address) else ""


class Server:
    def __init__(self, link: str, address: str, state: str, log: str):
        self.address, self.state, self.log = address, state, log
        self.leases: dict[str, str] = {}
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, link.encode())
        self.socket.bind(("", 67))

    def note(self, message: dict[str, Any]) -> None:
        with open(self.log, "a", encoding="utf-8") as log:
            log.write(json.dumps(message) + "\n")

    def choose(self, state: dict, client: str, wanted: str) -> str:
        if state.get("careless"):
            return state["pool"][0]
        free = [a for a in state["pool"] if a not in self.leases.values()]
        held = self.leases.get(client, "")
        if held in state["pool"]:
            return held
        if wanted in free:
            return wanted
        return free[0] if free else ""

    def send(self, data: bytes, kind: int, give: str, state: dict) -> None:
        reply = bytearray(data[:236])
        reply[0] = 2
        reply[12:16] = bytes(4)
        reply[16:20] = socket.inet_aton(give) if give else bytes(4)
        reply[44:236] = bytes(192)
        options = [(53, bytes([kind])), (54, socket.inet_aton(self.address))]
        if kind == NAK:
            options.append((56, b"go away"))
        else:
            options.append((51, struct.pack("!I", state["seconds"])))
            options.append((1, bytes([255, 255, 255, 0])))
        options += [(code, bytes.fromhex(value)) for code, value in state.get("options", [])]
        out = bytes(reply) + COOKIE
        for code, value in options:
            out += bytes([code, len(value)]) + value
        self.socket.sendto(out + b"\xff", ("255.255.255.255", 68))

    def answer(self, state: dict, data: bytes, message: dict) -> None:
        client, wanted = message["id"] or message["mac"], message["requested"]
        if message["type"] == "release":
            self.leases.pop(client, None)
        if state["manner"] == "silent":
            return
        if message["type"] == "discover":
            give = self.choose(state, client, wanted)
            if give:
                self.send(data, OFFER, give, state)
        elif message["type"] == "request":
            if state["manner"] == "mute" or message["server"] not in ("", self.address):
                return
            good = state["manner"] == "serve" and wanted == self.choose(state, client, wanted)
            if good:
                self.leases[client] = wanted
            self.send(data, ACK if good else NAK, wanted if good else "", state)

    def run(self) -> None:
        print("listening", flush=True)
        while True:
            data = self.socket.recv(2048)
            options = parse_options(data[240:])
            message = {
                "type": TYPES.get(options[53][0], "?"),
                "mac": data[28:34].hex(":"),
                "id": options.get(61, b"").hex(),
                "requested": text(options.get(50)),
                "server": text(options.get(54)),
                "own": text(data[12:16]),
                "hostname": options.get(12, b"").decode(),
            }
            self.note(message)
            with open(self.state, encoding="utf-8") as state:
                self.answer(json.load(state), data, message)


if __name__ == "__main__":
    Server(*sys.argv[1:]).run()
