# SPDX-License-Identifier: Apache-2.0
"""Two ends of a path, each bound to a CPU, and what passes between them: bench-traffic, in turn."""

from __future__ import annotations

import os
import subprocess
from typing import NamedTuple

PORT = "5000"

# Whether both ends share a CPU decides more than any filter.
CLIENT_CPU = ["taskset", "-c", "0"]
SERVER_CPU = ["taskset", "-c", str((os.cpu_count() or 1) - 1)]


class Path(NamedTuple):
    """Where the client runs, and what it connects to."""

    name: str
    shape: str  # paths of one shape are compared
    client: list[str]  # a command that enters its namespaces
    address: str
    port: str


class Figures(NamedTuple):
    """What one round gave."""

    stream: float  # bits/s
    echo: float  # µs, median
    tail: float  # µs, 99th percentile
    connects: float  # per second


def measure(path: Path, traffic: str, scale: float) -> Figures:
    def run(mode: str, amount: float) -> list[float]:
        argv = [*CLIENT_CPU, *path.client, traffic, mode, path.address, path.port, str(round(amount))]
        out = subprocess.run(argv, check=True, capture_output=True, text=True, timeout=60).stdout
        return [float(word) for word in out.split()]

    (stream,) = run("stream", 1000 * scale)
    echo, tail = run("echo", 10000 * scale)
    (connects,) = run("connect", 4000 * scale)
    return Figures(stream, echo / 1000, tail / 1000, connects)


def serve(host, traffic: str, netns: str | None = None) -> None:
    server = host.popen(*SERVER_CPU, traffic, "serve", PORT, netns=netns, stdout=subprocess.PIPE, text=True)
    assert server.stdout and server.stdout.readline() == "ready\n"
