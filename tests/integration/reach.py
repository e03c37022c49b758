# SPDX-License-Identifier: Apache-2.0
"""Who reaches whom: a server that says whom it sees, and its clients. Runs in hosts and containers.

    reach.py serve NAME PORT…        answers on every port, TCP and UDP, IPv4 and IPv6
    reach.py probe                   asks many servers side by side; JSON in and out
    reach.py talk PROTO ADDRESS PORT asks once a line of its input, all over one connection

An answer is "NAME PEER LOCAL": the server, the client's address as it sees it, and the address that
it was itself reached at.
"""

import ipaddress
import json
import os
import socket
import struct
import sys
import threading
import time

# How long a probe that nobody shall answer waits, and one that somebody shall.
PATIENCE = {False: 0.7, True: 10.0}
# After which a question is asked again.
AGAIN = 0.5


def plain(address):
    return address.removeprefix("::ffff:")


# ---- the server ----


def answer_connection(name, connection, peer):
    answer = f"{name} {plain(peer[0])} {plain(connection.getsockname()[0])}\n".encode()
    with connection:
        try:
            connection.sendall(answer)
            while connection.recv(4096):
                connection.sendall(answer)
        except OSError:
            pass


def serve_tcp(name, server):
    while True:
        connection, peer = server.accept()
        threading.Thread(target=answer_connection, args=(name, connection, peer), daemon=True).start()


def serve_udp(name, server):
    while True:
        try:
            _, extra, _, peer = server.recvmsg(4096, socket.CMSG_SPACE(20))
            # From the address that was asked, by whatever link.
            local = extra[0][2][:16]
            answer = f"{name} {plain(peer[0])} {plain(socket.inet_ntop(socket.AF_INET6, local))}\n"
            source = [(socket.IPPROTO_IPV6, socket.IPV6_PKTINFO, local + bytes(4))]
            server.sendmsg([answer.encode()], source, 0, peer)
        except OSError:
            pass  # an answer that cannot be delivered, or word of one


def udp_server(port):
    server = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
    server.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
    server.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVPKTINFO, 1)
    server.bind(("::", port))
    return server


def serve(name, *ports):
    for port in map(int, ports):
        tcp = socket.create_server(("::", port), family=socket.AF_INET6, dualstack_ipv6=True)
        for target, server in ((serve_tcp, tcp), (serve_udp, udp_server(port))):
            threading.Thread(target=target, args=(name, server), daemon=True).start()
    print("listening", os.getpid(), flush=True)
    threading.Event().wait()


# ---- its clients ----


def connected(proto, address, port, timeout):
    kind = socket.SOCK_STREAM if proto == "tcp" else socket.SOCK_DGRAM
    family, _, _, _, target = socket.getaddrinfo(address, port, type=kind)[0]
    client = socket.socket(family, kind)
    client.settimeout(timeout)
    try:
        client.connect(target)
    except OSError:
        client.close()
        raise
    return client


def ask(proto, address, port):
    """What the server says to one attempt. OSError when nobody answers."""
    if proto == "icmp":
        return ping(address)
    with connected(proto, address, port, AGAIN) as client:
        if proto == "udp":
            client.send(b"?")
        text = client.recv(4096).decode().strip()
        if not text:
            raise OSError("closed without an answer")
        return text


def ping(address):
    """An echo request: "pong". ICMPv6's checksum is the kernel's to fill in."""
    version = ipaddress.ip_address(address).version
    family = socket.AF_INET if version == 4 else socket.AF_INET6
    number = os.getpid() ^ threading.get_native_id()
    proto, kind, reply = ("icmp", 8, 0) if version == 4 else ("ipv6-icmp", 128, 129)
    body = struct.pack("!HH", number & 0xFFFF, 1)
    checksum = 0xFFFF - sum(struct.unpack("!3H", bytes([kind, 0]) + body)) % 0xFFFF
    end = time.monotonic() + AGAIN
    with socket.socket(family, socket.SOCK_RAW, socket.getprotobyname(proto)) as client:
        client.connect((address, 0))
        client.send(struct.pack("!BBH", kind, 0, checksum) + body)
        while True:
            client.settimeout(max(end - time.monotonic(), 0.001))
            packet = client.recv(4096)
            if version == 4:
                packet = packet[(packet[0] & 15) * 4 :]
            if packet[0] == reply and packet[4:8] == body:
                return "pong"


def probe(answers, index, question):
    proto, address, port, wanted = question
    end = time.monotonic() + PATIENCE[wanted]
    while not answers[index]:
        try:
            answers[index] = ask(proto, address, port)
        except OSError:
            if time.monotonic() > end:
                return
            time.sleep(0.05)


def probe_all(questions, answers, wanted):
    threads = [
        threading.Thread(target=probe, args=(answers, index, question))
        for index, question in enumerate(questions)
        if question[3] == wanted
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def probes():
    """[[PROTO, ADDRESS, PORT, WHETHER AN ANSWER IS EXPECTED]…] in, a list of answers out; "" where
    there was none. What shall not work is tried after what shall."""
    questions = json.load(sys.stdin)
    answers = [""] * len(questions)
    for wanted in (True, False):
        probe_all(questions, answers, wanted)
    json.dump(answers, sys.stdout)


def talk(proto, address, port):
    with connected(proto, address, int(port), 10) as client:
        if proto == "udp":
            client.send(b"?")
        print(client.recv(4096).decode().strip(), flush=True)
        for line in sys.stdin:
            client.send(line.encode())
            print(client.recv(4096).decode().strip(), flush=True)


if __name__ == "__main__":
    {"serve": serve, "probe": probes, "talk": talk}[sys.argv[1]](*sys.argv[2:])
