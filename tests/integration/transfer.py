# SPDX-License-Identifier: Apache-2.0
"""TCP transfers of known size, and how fast they were.

serve PORT                          answers any number of clients
get|put ADDRESS PORT BYTES [FREE]   bits per second, as whoever received them saw it

The client says "get N" or "put N" on one line. Who receives measures, from the moment at which it was
agreed on; of what was put, the server tells the seconds at the end. FREE bytes are taken off: what a
full bucket lets pass at once. So a machine that is busy measures less than there was, never more."""

import socket
import sys
import threading
import time

CHUNK = 65536


def send(peer, count):
    data = bytes(CHUNK)
    while count > 0:
        count -= peer.send(data[: min(count, CHUNK)])


def receive(peer, count):
    """How many seconds it took."""
    start = time.monotonic()
    while count > 0:
        got = len(peer.recv(CHUNK))
        if not got:
            raise EOFError(f"{count} bytes did not come")
        count -= got
    return time.monotonic() - start


def answer(peer):
    with peer, peer.makefile("rb", buffering=0) as lines:
        verb, count = lines.readline().decode().split()
        if verb == "get":
            send(peer, int(count))
        else:
            peer.sendall(f"{receive(peer, int(count))}\n".encode())


def serve(port):
    server = socket.create_server(("::", port), family=socket.AF_INET6, dualstack_ipv6=True)
    print("listening", flush=True)
    while True:
        threading.Thread(target=answer, args=(server.accept()[0],), daemon=True).start()


def ask(verb, address, port, count):
    with socket.create_connection((address, port), timeout=60) as peer:
        peer.sendall(f"{verb} {count}\n".encode())
        if verb == "get":
            return receive(peer, count)
        send(peer, count)
        return float(peer.makefile().readline())


def main(verb, *args):
    if verb == "serve":
        serve(int(args[0]))
    address, port, count, *free = args
    seconds = ask(verb, address, int(port), int(count))
    print((int(count) - int(free[0] if free else 0)) * 8 / seconds)


if __name__ == "__main__":
    main(*sys.argv[1:])
