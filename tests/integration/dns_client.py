# SPDX-License-Identifier: Apache-2.0
"""A DNS client: it asks from any network namespace, says exactly what it is told to, and never again.

Its sockets are the test process's own, made in the namespace, so that a question can follow a command
at once. What goes unanswered is a failure: nothing is sent twice.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import pathlib
import random
import socket
import struct
import time
from typing import Iterator

from dns_wire import QR, RD, Edns, Message, parse, query
from hosts import Host, libc
from weftd import Weft

RESOLVER = "127.0.0.11"
CLONE_NEWNET = 0x40000000
# For an answer that has to come, however busy the machine is.
PATIENCE = 10.0


class NoAnswer(AssertionError):
    """The server said nothing, or did not even take the connection."""


@contextlib.contextmanager
def inside(netns: pathlib.Path | str) -> Iterator[None]:
    """Sockets made in the block belong to the namespace. Holds it only while in the block."""
    home, there = (os.open(path, os.O_RDONLY) for path in ("/proc/self/ns/net", netns))
    try:
        if libc.setns(there, CLONE_NEWNET) != 0:
            raise OSError(f"cannot enter {netns}")
        try:
            yield
        finally:
            if libc.setns(home, CLONE_NEWNET) != 0:
                os._exit(1)  # nothing may happen in the wrong network
    finally:
        os.close(home)
        os.close(there)


class Stream:
    """A TCP connection that messages go over, each behind its length (RFC 1035, 4.2.2)."""

    def __init__(self, connection: socket.socket):
        self.socket = connection
        self._buffer = b""

    def __enter__(self) -> "Stream":
        return self

    def __exit__(self, *_) -> None:
        self.socket.close()

    def send(self, *messages: bytes) -> None:
        self.socket.sendall(b"".join(struct.pack("!H", len(msg)) + msg for msg in messages))

    def _read(self, length: int) -> bytes | None:
        while len(self._buffer) < length:
            chunk = self.socket.recv(65536)
            if not chunk:
                return None
            self._buffer += chunk
        taken, self._buffer = self._buffer[:length], self._buffer[length:]
        return taken

    def receive(self, timeout: float = PATIENCE) -> bytes | None:
        """The next message; None when the server has closed the connection."""
        self.socket.settimeout(timeout)
        try:
            head = self._read(2)
            return None if head is None else self._read(struct.unpack("!H", head)[0])
        except ConnectionError:
            return None
        except TimeoutError:
            raise NoAnswer(f"nothing over the connection in {timeout} s") from None

    def closed(self, timeout: float = 15) -> bool:
        """Waits until the server closes, whatever it says before."""
        end = time.monotonic() + timeout
        with contextlib.suppress(NoAnswer):
            while time.monotonic() < end:
                if self.receive(max(0.01, end - time.monotonic())) is None:
                    return True
        return False


class Client:
    """Asks a server from a namespace."""

    _numbers = itertools.count(random.randrange(1 << 16))

    def __init__(self, netns: pathlib.Path | str, server: str = RESOLVER, port: int = 53):
        self.netns = netns
        self.server = server
        self.port = port

    def __repr__(self) -> str:
        return f"{self.server} of {self.netns}"

    def at(self, server: str) -> "Client":
        """The same place, another server."""
        return Client(self.netns, server, self.port)

    # ---- sockets ----

    def socket(self, kind: socket.SocketKind, source: str | None = None) -> socket.socket:
        """One of the namespace's, connected."""
        family = socket.AF_INET6 if ":" in self.server else socket.AF_INET
        with inside(self.netns):
            made = socket.socket(family, kind)
        made.settimeout(PATIENCE)
        try:
            if source:
                made.bind((source, 0))
            made.connect((self.server, self.port))
        except OSError as error:
            made.close()
            raise NoAnswer(f"{self}: {error}") from error
        return made

    def udp(self) -> socket.socket:
        return self.socket(socket.SOCK_DGRAM)

    def stream(self) -> Stream:
        return Stream(self.socket(socket.SOCK_STREAM))

    # ---- raw messages ----

    def exchange(self, msg: bytes, tcp: bool = False, timeout: float = PATIENCE, source: str | None = None) -> bytes:
        """Sends octets and returns the first that come back."""
        kind = socket.SOCK_STREAM if tcp else socket.SOCK_DGRAM
        with self.socket(kind, source) as made:
            made.settimeout(timeout)
            try:
                if tcp:
                    stream = Stream(made)
                    stream.send(msg)
                    answer = stream.receive(timeout)
                    if answer is None:
                        raise NoAnswer(f"{self} closed the connection")
                    return answer
                made.send(msg)
                return made.recv(65536)
            except OSError as error:
                raise NoAnswer(f"{self}: {error or 'silence'}") from error

    def is_silent(self, msg: bytes, timeout: float = 0.3) -> bool:
        """Whether nothing comes back."""
        try:
            self.exchange(msg, timeout=timeout)
        except NoAnswer:
            return True
        return False

    # ---- questions ----

    def ask(
        self,
        name: str,
        kind: str | int = "A",
        tcp: bool = False,
        edns: Edns | None = None,
        flags: int = RD,
        timeout: float = PATIENCE,
        source: str | None = None,
    ) -> Message:
        """Asks once, and once only. The answer is one to this question."""
        number = next(self._numbers) & 0xFFFF
        msg = query(name, kind, number, edns, flags)
        try:
            answer = parse(self.exchange(msg, tcp, timeout, source))
        except NoAnswer as error:
            raise NoAnswer(f"{name} {kind}: {error}") from None
        assert answer.flags & QR and answer.id == number and answer.name == name, answer
        assert bool(answer.edns) == bool(edns) or answer.rcode == "FORMERR", answer
        return answer

    def data(self, name: str, kind: str = "A", **options) -> list[str]:
        """What the records of an answer say, sorted. The name must exist."""
        answer = self.ask(name, kind, **options)
        assert answer.rcode == "NOERROR", f"{name} {kind}: {answer}"
        return sorted(answer.data)

    def rcode(self, name: str, kind: str = "A", **options) -> str:
        return self.ask(name, kind, **options).rcode

    def knows(self, name: str, kind: str = "A") -> bool:
        """Whether there is such a name. It is one of weft's, or lies below "weft."."""
        return self.ask(name, kind).rcode != "NXDOMAIN"


def client_in(weft: Weft, sandbox: str, server: str = RESOLVER) -> Client:
    """A client in a container or an attached namespace."""
    return Client(weft.host.path(weft.netns(sandbox)), server)


def client_on(host: Host, server: str) -> Client:
    """A client of a test host itself."""
    return Client(f"/proc/{host.pid}/ns/net", server)
