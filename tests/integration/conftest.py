# SPDX-License-Identifier: Apache-2.0
"""Fixtures: a fresh pair of hosts for each test, and a weftd in the first."""

from __future__ import annotations

import contextlib
import os
import pathlib
import signal
from typing import Callable, Iterator

import pytest

import features
from hosts import Host, join, sweep_cgroups
from lan import Lan
from weftd import WEFTD, Weft, Weftd

SECONDS = 120


def pytest_configure(config):
    config.addinivalue_line("markers", "seconds(n): a test may take this long, not 120 s")
    config.addinivalue_line("markers", "config(**keys): weftd's configuration")
    config.addinivalue_line("markers", "faults: weftd runs with --enable-faults")
    config.addinivalue_line(
        "markers", "needs_kernel(features): the test is skipped where the kernel has them not"
    )
    if os.geteuid() != 0:
        pytest.exit("the integration tests make namespaces: run them as root", 2)
    if not pathlib.Path(WEFTD).exists():
        pytest.exit(f"{WEFTD} does not exist: build first, or set WEFT_BUILD", 2)
    sweep_cgroups()


def pytest_collection_modifyitems(config, items):
    """WEFT_SHARD=K/N: of every N tests in a row, the K-th (from 0). Files that take long are
    spread over all processes."""
    shard, _, count = os.environ.get("WEFT_SHARD", "0/1").partition("/")
    items[:] = items[int(shard) :: int(count)]


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item):
    """Skips what the kernel cannot do, before anything is made for it."""
    for marker in item.iter_markers("needs_kernel"):
        for feature in marker.args:
            if reason := features.lack(feature):
                (pytest.fail if features.IN_VM else pytest.skip)(reason)


@pytest.fixture(autouse=True)
def time_limit(request):
    """Fails a test that hangs."""
    marker = request.node.get_closest_marker("seconds")
    seconds = marker.args[0] if marker else SECONDS

    def expire(_signo, _frame):
        raise TimeoutError(f"the test took more than {seconds} s")

    previous = signal.signal(signal.SIGALRM, expire)
    signal.alarm(seconds * features.PATIENCE)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, previous)


@contextlib.contextmanager
def closing_hosts() -> Iterator[Callable[[str], Host]]:
    """A maker of hosts that go with the block."""
    with contextlib.ExitStack() as stack:

        def make(name: str = "host") -> Host:
            host = Host(name)
            stack.callback(host.close)
            return host

        yield make


@contextlib.contextmanager
def host_and_outside() -> Iterator[tuple[Host, Host]]:
    """The machine weft runs on, and the world, which knows nothing of the networks in it."""
    with closing_hosts() as make:
        host, outside = make("host"), make("outside")
        join(host, outside)
        yield host, outside


@pytest.fixture
def make_host():
    """Makes further hosts."""
    with closing_hosts() as make:
        yield make


@pytest.fixture
def lan(make_host) -> Lan:
    """A switch, to which a test plugs its hosts."""
    return Lan(make_host)


@pytest.fixture
def pair():
    with host_and_outside() as hosts:
        yield hosts


@pytest.fixture
def host(pair) -> Host:
    """The machine weft runs on."""
    return pair[0]


@pytest.fixture
def outside(pair) -> Host:
    """The world, which sees what leaves the host."""
    return pair[1]


@pytest.fixture
def make_daemon(request, make_host, pair):
    """Makes weftds, started, whose logs are looked through at the end. They end before the hosts."""
    daemons: list[Weftd] = []
    marker = request.node.get_closest_marker("config")
    config = marker.kwargs if marker else {}
    args = ("--enable-faults",) if request.node.get_closest_marker("faults") else ()

    def make(host: Host, **keys) -> Weftd:
        daemons.append(Weftd(host, {**config, **keys}, args))
        return daemons[-1].start()

    yield make
    for daemon in daemons:
        if daemon.running:
            daemon.stop()
        print(daemon.log())
        daemon.check_log()


@pytest.fixture
def daemon(host, make_daemon) -> Weftd:
    return make_daemon(host)


@pytest.fixture
def weft(daemon) -> Weft:
    return Weft(daemon)
