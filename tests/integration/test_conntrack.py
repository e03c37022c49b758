# SPDX-License-Identifier: Apache-2.0
"""What the kernel remembers of connections follows what is published and attached, and no further."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

from hosts import OUTSIDE_IPV4, UPLINK_IPV4, eventually

# Answers every datagram with its name.
UDP_SERVER = """
import socket, sys
server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
server.bind(("", int(sys.argv[2])))
while True:
    peer = server.recvfrom(2048)[1]
    server.sendto(sys.argv[1].encode(), peer)
"""

# One flow: sends to ADDRESS PORT from one socket, ever again, and prints each new answer: a name, or
# "-" when none comes.
UDP_CLIENT = """
import socket, sys
client = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
client.bind(("", int(sys.argv[3])))
client.settimeout(0.05)
last = None
while True:
    try:
        client.sendto(b"?", (sys.argv[1], int(sys.argv[2])))
        answer = client.recv(2048).decode()
    except OSError:
        answer = "-"
    if answer != last:
        print(answer, flush=True)
    last = answer
"""

# Holds one TCP connection: a line in, a line out.
TCP_HOLDER = """
import socket, sys
connection = socket.create_connection((sys.argv[1], int(sys.argv[2])), timeout=5)
stream = connection.makefile("rw")
print("connected", flush=True)
for line in sys.stdin:
    stream.write(line); stream.flush()
    print(stream.readline().strip(), flush=True)
"""
TCP_ECHO = """
import socket
server = socket.create_server(("", 7000))
while True:
    connection, _ = server.accept()
    for line in connection.makefile():
        connection.sendall(line.encode())
"""


def answers(weft, name: str, *flags: str) -> None:
    """A container that answers datagrams to port 7000."""
    weft.start(name, *flags, command=("/usr/bin/python3", "-c", UDP_SERVER, name, "7000"))


class Flow:
    """Datagrams from one port of a host to one other."""

    def __init__(self, host, address: str, port: int, source: int):
        argv = (sys.executable, "-c", UDP_CLIENT, address, str(port), str(source))
        self._child = host.popen(*argv, stdout=subprocess.PIPE, text=True)
        self._told: list[str] = []

    def now_comes_from(self, name: str) -> None:
        """The next answer that differs is this one."""
        assert self._child.stdout
        for _ in range(3):
            self._told.append(self._child.stdout.readline().strip())
            if self._told[-1] == name:
                return
            # Until the server listens, and between two publishes, there is silence.
            assert self._told[-1] == "-", self._told
        raise AssertionError(self._told)

    def is_silent(self) -> bool:
        return not self._told or self._told[-1] == "-"


def entries(host, *words: str) -> list[str]:
    """Entries of the host's connection tracking with all these words. The ids tell them apart."""
    lines = host.run("conntrack", "-L", "-o", "id").splitlines()
    return [line for line in lines if all(word in line for word in words)]


def ids(host, *words: str) -> list[str]:
    return sorted(re.findall(r"id=(\d+)", "\n".join(entries(host, *words))))


@pytest.fixture
def bystander(weft, host, outside):
    """A flow to another port, whose entry is to live."""
    answers(weft, "other", "-p", "7500:7000/udp")
    flow = Flow(outside, UPLINK_IPV4, 7500, 5500)
    flow.now_comes_from("other")
    before = ids(host, "dport=7500")
    assert len(before) == 1
    yield
    assert ids(host, "dport=7500") == before, "the entry of a flow that nobody touched"


@pytest.mark.usefixtures("bystander")
def test_a_flow_follows_the_port(weft, outside):
    answers(weft, "a", "-p", "7001:7000/udp")
    answers(weft, "b")
    flow = Flow(outside, UPLINK_IPV4, 7001, 5001)
    flow.now_comes_from("a")
    weft("unpublish", "a", "7001:7000/udp")
    flow.now_comes_from("-")
    weft("publish", "b", "7001:7000/udp")
    flow.now_comes_from("b")
    weft("unpublish", "b", "7001:7000/udp")
    weft("publish", "a", "7001:7000/udp")
    flow.now_comes_from("a")


@pytest.mark.usefixtures("bystander")
def test_a_flow_that_was_there_first(weft, outside):
    """Its first packets met no port: the kernel remembers that they were for the host."""
    flow = Flow(outside, UPLINK_IPV4, 7001, 5001)
    flow.now_comes_from("-")
    answers(weft, "a", "-p", "7001:7000/udp")
    flow.now_comes_from("a")


@pytest.mark.usefixtures("bystander")
def test_a_flow_follows_its_container(weft, outside):
    answers(weft, "a", "-p", "7001:7000/udp")
    flow = Flow(outside, UPLINK_IPV4, 7001, 5001)
    flow.now_comes_from("a")
    weft("rm", "-f", "a")
    flow.now_comes_from("-")
    answers(weft, "b", "-p", "7001:7000/udp")
    flow.now_comes_from("b")


def test_a_reattached_address(weft, host, outside, bystander):
    """What a former holder of an address talked about is not remembered of the next one."""
    weft("network", "create", "--subnet", "10.5.0.0/24", "web")
    weft.attach("first", "--network", "web", "--ip", "10.5.0.5")
    send = "import socket, sys; s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM);" \
        " s.bind(('', 6000)); s.sendto(b'?', (sys.argv[1], 6001))"
    host.run(sys.executable, "-c", send, OUTSIDE_IPV4, netns=weft.netns("first"))
    assert entries(host, "src=10.5.0.5", "sport=6000")
    weft("detach", "first")
    eventually(lambda: not entries(host, "10.5.0.5"), 1, "nothing is left of 10.5.0.5")
    weft.attach("second", "--network", "web", "--ip", "10.5.0.5")
    assert not entries(host, "10.5.0.5")


def test_connections_outlive_a_flushed_ruleset(weft, host, outside):
    weft.start("a", "-p", "7002:7000", command=("/usr/bin/python3", "-c", TCP_ECHO))
    holder = None

    def connect() -> bool:
        nonlocal holder
        holder = outside.popen(
            sys.executable, "-c", TCP_HOLDER, UPLINK_IPV4, "7002",
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        return holder.stdout.readline() == "connected\n"

    eventually(connect, what="the server listens")
    for number in range(5):
        holder.stdin.write(f"line {number}\n")
        holder.stdin.flush()
        assert holder.stdout.readline() == f"line {number}\n"
        host.run("nft", "flush", "ruleset")
        eventually(lambda: "publish4_any" in host.try_run("nft", "list", "ruleset").out)


def test_a_flow_that_began_without_a_ruleset(weft, host, outside):
    """Mending sees to it that it comes to its port all the same."""
    answers(weft, "a", "-p", "7001:7000/udp")
    flow = Flow(outside, UPLINK_IPV4, 7001, 5001)
    flow.now_comes_from("a")
    weft.daemon.kill9()
    host.run("nft", "flush", "ruleset")
    host.run("conntrack", "-D", "-p", "udp", "--dport", "7001")
    flow.now_comes_from("-")
    weft.daemon.start()
    flow.now_comes_from("a")
