# SPDX-License-Identifier: Apache-2.0
"""A stand-in for weftd that remembers what it was asked and answers what it was told to."""

import json
import socket
import struct
import threading
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, unquote, urlsplit


@dataclass
class Request:
    method: str
    path: str
    query: dict
    headers: dict
    body: object
    connection: int  # which of the client's connections it came on


def frame(stream, data):
    """One frame of docker's multiplexed stream."""
    return struct.pack(">BxxxI", stream, len(data)) + data


def reply(status, body=b"", content_type="application/json", headers=()):
    """A whole answer."""
    if not isinstance(body, bytes):
        body = (body if isinstance(body, str) else json.dumps(body)).encode()
    lines = [f"HTTP/1.1 {status} X", "Api-Version: 1.48", f"Content-Type: {content_type}", *headers]
    if status not in (204, 304):
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def chunked(pieces, content_type="application/json"):
    head = f"HTTP/1.1 200 OK\r\nContent-Type: {content_type}\r\nTransfer-Encoding: chunked\r\n\r\n"
    return head.encode() + b"".join(b"%x\r\n%s\r\n" % (len(p), p) for p in pieces) + b"0\r\n\r\n"


UPGRADED = (b"HTTP/1.1 101 UPGRADED\r\nContent-Type: application/vnd.docker.multiplexed-stream\r\n"
            b"Connection: Upgrade\r\nUpgrade: tcp\r\n\r\n")


@dataclass
class FakeWeftd:
    path: str
    requests: list = field(default_factory=list)
    answers: dict = field(default_factory=dict)
    connections: int = 0

    def __post_init__(self):
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(self.path)
        self.listener.listen()
        self.acceptor = threading.Thread(target=self._accept, daemon=True)
        self.acceptor.start()

    def on(self, method, path, answer):
        """Sets the answer: bytes for the whole of it, a function of (socket, request), or a value
        that goes out as JSON with status 200. A list of these is used up one by one."""
        self.answers[method, path] = answer

    def close(self):
        self.listener.shutdown(socket.SHUT_RDWR)  # wakes accept()
        self.acceptor.join()
        self.listener.close()

    def asked(self, method, path):
        return [r for r in self.requests if (r.method, r.path) == (method, path)]

    @property
    def lines(self):
        return [f"{r.method} {r.path}" for r in self.requests]

    def _accept(self):
        while True:
            try:
                conn, _ = self.listener.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self._serve, args=(conn, self.connections), daemon=True).start()

    def _serve(self, conn, number):
        with conn:
            try:
                while request := self._receive(conn, number):
                    self.requests.append(request)
                    self._answer(conn, request)
            except OSError:
                pass

    def _receive(self, conn, number):
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            byte = conn.recv(1)
            if not byte:
                return None
            head += byte
        first, *fields = head.decode().split("\r\n")[:-2]
        method, target, _ = first.split(" ")
        headers = {k.lower(): v.strip() for k, v in (f.split(":", 1) for f in fields)}
        length = int(headers.get("content-length", 0))
        body = b""
        while len(body) < length:
            body += conn.recv(length - len(body))
        url = urlsplit(target)
        query = dict(parse_qsl(url.query, keep_blank_values=True))
        return Request(method, unquote(url.path), query, headers,
                       json.loads(body) if body else None, number)

    def _answer(self, conn, request):
        answer = self.answers.get((request.method, request.path),
                                  reply(404, {"message": "page not found"}))
        if isinstance(answer, list) and answer and isinstance(answer[0], bytes):
            answer = answer.pop(0)
        if callable(answer):
            answer(conn, request)
        else:
            conn.sendall(answer if isinstance(answer, bytes) else reply(200, answer))
