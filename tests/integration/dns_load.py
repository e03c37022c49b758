# SPDX-License-Identifier: Apache-2.0
"""Asks for one name at an even rate, and accounts for every query.

    dns_load.py SERVER NAME RATE

Prints "asking" when the first answer has come, and at the end of its input what it saw, as JSON:
sent, lost, wrong (other than the first answer), the milliseconds that the slowest took, and the longest time
without an answer. An answer may take 5 s. No query is sent twice.
"""

import json
import os
import select
import socket
import struct
import sys
import time

PATIENCE = 5.0


def main(server, name, rate):
    labels = b"".join(bytes([len(label)]) + label.encode() for label in name.split("."))
    tail = struct.pack("!5H", 0x100, 1, 0, 0, 0) + labels + b"\0" + struct.pack("!HH", 1, 1)
    asker = socket.socket(socket.AF_INET6 if ":" in server else socket.AF_INET, socket.SOCK_DGRAM)
    asker.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
    asker.connect((server, 53))
    waiting, sent, wrong, slowest, gap, first = {}, 0, 0, 0.0, 0.0, None
    begin = heard = time.monotonic()
    end = None
    while end is None or waiting and time.monotonic() < end:
        now = time.monotonic()
        while end is None and sent <= (now - begin) * int(rate):
            waiting[sent & 0xFFFF] = time.monotonic()
            try:
                asker.send(struct.pack("!H", sent & 0xFFFF) + tail)
            except OSError:
                pass  # word that an earlier one was refused: that one is lost
            sent += 1
        ready, _, _ = select.select([asker] + [sys.stdin] * (end is None), [], [], 0.5 / int(rate))
        if asker in ready:
            try:
                answer = asker.recv(4096)
            except OSError:
                continue
            now = time.monotonic()
            asked = waiting.pop(struct.unpack_from("!H", answer)[0], None)
            if asked is not None:
                slowest, gap, heard = max(slowest, now - asked), max(gap, now - heard), now
            if first is None:
                first = answer[2:]
                print("asking", flush=True)
            wrong += answer[2:] != first
        if sys.stdin in ready and not os.read(0, 100):
            end = time.monotonic() + PATIENCE
    print(json.dumps({"sent": sent, "lost": len(waiting), "wrong": wrong,
                      "slowest": 1000 * slowest, "gap": 1000 * gap}))  # fmt: skip


main(*sys.argv[1:])
