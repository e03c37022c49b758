# SPDX-License-Identifier: Apache-2.0
"""The explained script, run in an empty host, makes what weft made: that is what "the plan" means."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from hosts import Host
from snapshots import plain, assert_same, policy, stack
from weftd import Weft

IFNAME = "com.docker.network.endpoint.ifname"
OPTION = "com.docker.network.bridge"

# Each: commands to run, networks to explain beside the default bridge, and sandboxes.
CASES = {
    "the default bridge alone": ([], [], []),
    "a container on it": (["run -d --name a -- sleep 1000"], [], ["a"]),
    "two containers": (
        ["run -d --name a -- sleep 1000", "run -d --name b -- sleep 1000"],
        [],
        ["a", "b"],
    ),
    "a network": (["network create --subnet 10.5.0.0/24 web"], ["web"], []),
    "a network with IPv6": (
        [
            "network create --ipv6 --subnet 10.5.0.0/24 --subnet fd00:5::/64 web",
            "run -d --name a --network web -- sleep 1000",
        ],
        ["web"],
        ["a"],
    ),
    "IPv6 alone": (
        [
            "network create --ipv6 --ipv4=false --subnet fd00:5::/64 web",
            "run -d --name a --network web -- sleep 1000",
        ],
        ["web"],
        ["a"],
    ),
    "an internal network": (
        [
            "network create --internal --subnet 10.5.0.0/24 web",
            "run -d --name a --network web -- sleep 1000",
        ],
        ["web"],
        ["a"],
    ),
    "bridge options": (
        [
            f"network create --subnet 10.5.0.0/24 -o {OPTION}.name=mine0"
            f" -o {OPTION}.enable_ip_masquerade=false -o com.docker.network.driver.mtu=1400 web",
            "run -d --name a --network web -- sleep 1000",
        ],
        ["web"],
        ["a"],
    ),
    "several networks and a priority": (
        [
            "network create --subnet 10.5.0.0/24 web",
            "network create --subnet 10.6.0.0/24 db",
            "run -d --name a --network web -- sleep 1000",
            "network connect --gw-priority 7 db a",
            "network connect bridge a",
        ],
        ["web", "db"],
        ["a"],
    ),
    "wishes": (
        [
            "network create --ipv6 --subnet 10.5.0.0/24 --subnet fd00:5::/64 web",
            "run -d --name a --network web --ip 10.5.0.9 --ip6 fd00:5::9"
            " --mac-address 02:00:00:00:00:09 --link-local-ip 169.254.9.9 -- sleep 1000",
            f"network connect --driver-opt {IFNAME}=front0 bridge a",
        ],
        ["web"],
        ["a"],
    ),
    "none": (["run -d --name a --network none -- sleep 1000"], [], ["a"]),
    "host": (["run -d --name a --network host -- sleep 1000"], [], ["a"]),
    "an attached namespace": (
        ["attach --netns /run/netns/theirs --name guest --network bridge"],
        [],
        ["guest"],
    ),
}


def namespaces(host: Host, directory: str) -> list[dict]:
    """The stacks of all namespaces mounted in a directory, whatever they are called there."""
    if not host.path(directory).exists():
        return []
    names = sorted(entry.name for entry in host.path(directory).iterdir())
    stacks = [stack(host, f"{directory}/{name}") for name in names if name != "theirs"]
    return sorted(stacks, key=json.dumps)


def kernel(host: Host, directory: str) -> dict[str, Any]:
    """What both must agree in. The names of veth ends come from ids drawn at random."""
    seen = {
        "host": stack(host),
        "namespaces": namespaces(host, directory),
        **policy(host),
    }
    seen = json.loads(re.sub(r"veth[0-9a-f]{7}", "veth", json.dumps(seen)))
    seen["host"]["links"].sort(key=json.dumps)
    seen["nft"] = [json.dumps(plain(json.loads(line))) for line in seen["nft"]]
    return seen


def run_script(host: Host, script: str) -> None:
    host.run("sh", "-eu", stdin=script)


@pytest.fixture
def pristine(make_host):
    """Makes hosts with no network at all, but a namespace that belongs to a user."""

    def make() -> Host:
        host = make_host()
        host.run("ip", "netns", "add", "theirs")
        return host

    return make


@pytest.mark.parametrize("commands, networks, sandboxes", CASES.values(), ids=CASES.keys())
def test_explain_replays(pristine, make_daemon, commands, networks, sandboxes):
    weft = Weft(make_daemon(pristine()))
    for command in commands:
        weft(*command.split())
    scripts = [weft("explain", ref) + "\n" for ref in ["bridge", *networks, *sandboxes]]

    replay = pristine()
    for script in scripts:
        run_script(replay, script)
    assert_same(kernel(weft.host, "/run/weft/netns"), kernel(replay, "/run/netns"))


@pytest.mark.parametrize(
    "prepare, command",
    [
        ([], "network create --subnet 10.5.0.0/24 -o com.docker.network.bridge.name=web0 web"),
        (["network create web"], "network rm web"),
        ([], "run -d --name a -- sleep 1000"),
        (
            ["network create --ipv6 --subnet 10.5.0.0/24 web", "run -d --name a -- sleep 1000"],
            "network connect --gw-priority 1 web a",
        ),
        (
            ["network create web", "run -d --name a --network web --network bridge -- sleep 1000"],
            "network disconnect bridge a",
        ),
        ([], "attach --netns /run/netns/theirs --name guest --network bridge"),
        (["attach --netns /run/netns/theirs --name guest --network bridge"], "detach guest"),
    ],
)
def test_dry_run_replays(pristine, make_daemon, prepare, command):
    """What --dry-run printed, run where the same things were explained, makes what the command
    then makes."""
    weft = Weft(make_daemon(pristine()))
    for words in prepare:
        weft(*words.split())
    refs = ["bridge"]
    refs += ["web"] if "network create" in str(prepare) else []
    refs += [name for name in ("a", "guest") if f"--name {name}" in str(prepare)]
    scripts = [weft("explain", ref) + "\n" for ref in refs]
    verb, *rest = command.split()
    if verb == "network":
        verb, rest = f"network {rest[0]}", rest[1:]
    scripts.append(weft(*verb.split(), "--dry-run", *rest) + "\n")

    replay = pristine()
    for script in scripts:
        run_script(replay, script)
    weft(*command.split())
    assert_same(kernel(weft.host, "/run/weft/netns"), kernel(replay, "/run/netns"))
