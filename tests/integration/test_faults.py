# SPDX-License-Identifier: Apache-2.0
"""The kernel refuses, or weftd dies, at the k-th operation of a verb, for every k.

A refusal leaves everything as it was. A death leaves the verb done or not done once weftd runs again:
either way the opposite verb leads back to where the test began, and to nothing else.
"""

from __future__ import annotations

import http.client
import os
import signal
import time
from typing import Callable, NamedTuple

import pytest

from hosts import eventually
from snapshots import assert_unchanged, whole

pytestmark = pytest.mark.faults


class Verb(NamedTuple):
    """A command, what it needs, and what takes it back."""

    run: tuple
    # Commands that make what the verb needs, once; and again before each try.
    prepare: tuple = ()
    each: tuple = ()
    undo: tuple = ()


NETWORK = ("network", "create", "--ipv6", "--subnet", "10.5.0.0/24", "--subnet", "fd00:5::/64", "web")
SECOND = ("network", "create", "--subnet", "10.6.0.0/24", "second")
CONTAINER = ("run", "-d", "--name", "a", "--network", "web", "--", "sleep", "1000")
ATTACH = ("attach", "--netns", "/run/netns/theirs", "--name", "guest", "--network", "web")
REMOVE = ("rm", "-f", "a")

VERBS = {
    "network create": Verb(NETWORK, undo=(("network", "rm", "web"),)),
    "network rm": Verb(("network", "rm", "web"), each=(NETWORK,), undo=(("network", "rm", "web"),)),
    "run": Verb(CONTAINER, prepare=(NETWORK,), undo=(REMOVE,)),
    "run on two networks": Verb(
        ("run", "-d", "--name", "a", "--network", "web", "--network", "second", "--", "sleep", "1000"),
        prepare=(NETWORK, SECOND),
        undo=(REMOVE,),
    ),
    "start": Verb(
        ("start", "a"),
        prepare=(NETWORK, CONTAINER, ("kill", "a"), ("wait", "a")),
        undo=(("kill", "a"), ("wait", "a")),
    ),
    "rm": Verb(REMOVE, prepare=(NETWORK,), each=(CONTAINER,), undo=(REMOVE,)),
    "connect": Verb(
        ("network", "connect", "--gw-priority", "1", "second", "a"),
        prepare=(NETWORK, SECOND, CONTAINER),
        undo=(("network", "disconnect", "second", "a"),),
    ),
    "disconnect": Verb(
        ("network", "disconnect", "second", "a"),
        prepare=(NETWORK, SECOND, CONTAINER),
        each=(("network", "connect", "--gw-priority", "1", "second", "a"),),
        undo=(("network", "disconnect", "second", "a"),),
    ),
    "attach": Verb(ATTACH, prepare=(NETWORK,), undo=(("detach", "guest"),)),
    "detach": Verb(
        ("detach", "guest"), prepare=(NETWORK,), each=(ATTACH,), undo=(("detach", "guest"),)
    ),
}

# Far above what any verb needs: a verb that never gets past its faults must not run for ever.
MOST_OPERATIONS = 200


@pytest.fixture(params=VERBS.values(), ids=VERBS.keys())
def verb(request, weft, host) -> Verb:
    host.run("ip", "netns", "add", "theirs")
    # Forwarding, once on, stays on: others may have come to rely on it.
    weft(*NETWORK)
    weft("network", "rm", "web")
    for command in request.param.prepare:
        weft(*command)
    if "wait" in str(request.param.prepare):
        eventually(lambda: not weft.sandbox("a")["Active"], what="a has left its namespace")
    return request.param


def set_fault(weft, fault: str, operation: int) -> None:
    weft.daemon.post("/weft/fault", {"Fault": fault, "Operation": operation})


def each_operation(weft, verb: Verb, attempt: Callable[[int], bool]) -> None:
    """Calls attempt(k) for k = 1, 2 … until it says that the verb has fewer operations."""
    weft.daemon.expected_errors.append(".*")
    for operation in range(1, MOST_OPERATIONS):
        for command in verb.each:
            weft(*command)
        if attempt(operation):
            assert operation > 1, "the verb did nothing to the kernel"
            return
    raise AssertionError(f"{verb.run} is not done after {MOST_OPERATIONS} operations")


def take_back(weft, verb: Verb) -> None:
    """Undoes the verb, if there is anything to undo."""
    for command in verb.undo:
        weft.attempt(*command)


def survives(weft, verb, operation: int) -> bool:
    """Runs the verb with weftd to be killed at an operation: whether it was not, having fewer. It
    runs again."""
    set_fault(weft, "crash", operation)
    weft.attempt(*verb.run)
    try:
        set_fault(weft, "none", 0)
        return True
    except (OSError, http.client.HTTPException):
        weft.daemon.wait()
        weft.daemon.start()
        return False


@pytest.mark.seconds(600)
def test_a_refusal_changes_nothing(weft, verb):
    start = whole(weft.daemon)

    def refuse(operation: int) -> bool:
        before = whole(weft.daemon)
        set_fault(weft, "fail", operation)
        result = weft.attempt(*verb.run)
        reached = weft.daemon.get("/weft/fault")["Counted"] >= operation
        set_fault(weft, "none", 0)
        if result.status != 0:
            assert result.err.startswith("weft: ") and result.err.count("\n") == 1, result.err
            if verb.run[0] == "run":
                # As with docker, the container was created; it could not be started.
                weft("rm", "a")
            assert_unchanged(weft.daemon, before)
        # Or weft got there all the same: whatever it was to remove is gone.
        take_back(weft, verb)
        assert_unchanged(weft.daemon, start)
        return not reached

    each_operation(weft, verb, refuse)


@pytest.mark.seconds(600)
def test_a_crash_is_mended(weft, verb):
    start = whole(weft.daemon)

    def crash(operation: int) -> bool:
        survived = survives(weft, verb, operation)
        take_back(weft, verb)
        assert_unchanged(weft.daemon, start)
        return survived

    each_operation(weft, verb, crash)


@pytest.mark.parametrize("milliseconds", [0, 5, 10, 20, 40, 80])
def test_a_crash_while_mending(weft, host, milliseconds):
    """The next start goes on from there."""
    weft(*NETWORK)
    weft(*CONTAINER)
    before = whole(weft.daemon)
    weft.daemon.kill9()
    host.run("ip", "link", "del", "weft0")
    host.run("ip", "link", "del", next(name for name in host.links() if name.startswith("br-")))
    host.run("nft", "delete", "table", "inet", "weft")
    child = weft.daemon.spawn()
    pid = host.child_of(child.pid)
    time.sleep(milliseconds / 1000)
    os.kill(pid, signal.SIGKILL)
    child.wait()
    weft.daemon.start()
    assert_unchanged(weft.daemon, before)
