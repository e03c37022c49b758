# SPDX-License-Identifier: Apache-2.0
"""What is there, as plain data: to say "nothing has changed" and "both are the same".

Left out is what differs from one making of the same thing to the next: indexes, handles, counters,
the moment's carrier, addresses the kernel gives by itself.
"""

from __future__ import annotations

import difflib
import json
import os
import pathlib
import re
from typing import Any

from hosts import Host, eventually
from weftd import Weftd

LINK_FLAGS = {"UP", "LOOPBACK", "POINTOPOINT", "NOARP", "ALLMULTI", "PROMISC"}
LINK_KEYS = ("ifname", "mtu", "link_type", "address", "master", "group", "inet6_addr_gen_mode")
BRIDGE_KEYS = ("stp_state", "vlan_filtering", "mcast_snooping", "forward_delay", "nf_call_iptables")
ROUTE_KEYS = ("type", "dst", "gateway", "dev", "protocol", "scope", "metric", "prefsrc")


def pick(source: dict, keys) -> dict:
    return {key: source[key] for key in keys if key in source}


def link(entry: dict) -> dict:
    info = entry.get("linkinfo", {})
    fact = pick(entry, LINK_KEYS)
    fact["flags"] = sorted(LINK_FLAGS.intersection(entry["flags"]))
    fact["kind"] = info.get("info_kind", "")
    if fact["kind"] == "veth" and re.fullmatch(r"veth[0-9a-f]{7}", fact["ifname"]):
        # The host's end of weft's pairs: whatever the kernel drew.
        del fact["address"]
    if fact["kind"] == "ifb":
        del fact["address"]
    if fact["kind"] == "bridge":
        fact["bridge"] = pick(info["info_data"], BRIDGE_KEYS)
    return fact


def stack(host: Host, netns: str | None = None) -> dict[str, Any]:
    """Links, addresses and routes of the host or of one of its network namespaces."""
    links, addresses, *routes = (
        json.loads(text or "[]")
        for text in host.ask_all(
            "ip -j -d link",
            "ip -j addr",
            "ip -4 -j route show table main",
            "ip -6 -j route show table main",
            netns=netns,
        )
    )
    # What the kernel gives by itself, and takes: link-local addresses, routes along with addresses.
    given = [
        f"{entry['ifname']} {info['family']} {info['local']}/{info['prefixlen']}"
        for entry in addresses
        for info in entry.get("addr_info", [])
        if not info["local"].startswith("fe80:")
    ]
    ways = [pick(route, ROUTE_KEYS) for route in sum(routes, []) if route.get("protocol") != "kernel"]
    return {
        "links": sorted((link(entry) for entry in links), key=lambda fact: fact["ifname"]),
        "addresses": sorted(given),
        "routes": sorted(ways, key=json.dumps),
    }


def plain(value: Any) -> Any:
    """What nft says of an object, without handles and counters. Elements of sets come sorted."""
    if isinstance(value, dict):
        return {
            key: sorted(map(plain, inner), key=json.dumps) if key == "elem" else plain(inner)
            for key, inner in value.items()
            if key not in ("handle", "packets", "bytes")
        }
    return [plain(inner) for inner in value] if isinstance(value, list) else value


def plain_rules(text: str) -> list[str]:
    """`nft -j list ruleset`, a line for each object."""
    objects = json.loads(text)["nftables"]
    return [json.dumps(plain(entry)) for entry in objects if "metainfo" not in entry]


SYSCTLS = ("net.ipv4.ip_forward", "net.ipv6.conf.all.forwarding", "net.ipv6.conf.default.forwarding")


def policy(host: Host) -> dict[str, Any]:
    """The host's packet filter, routing rules and switches."""
    ruleset, rules, sysctls = host.ask_all(
        "nft -j list ruleset", "ip -j rule", f"sysctl {' '.join(SYSCTLS)}"
    )
    return {
        "nft": plain_rules(ruleset),
        "rules": json.loads(rules),
        "sysctls": sysctls.splitlines(),
    }


def tree(root: pathlib.Path) -> list[str]:
    """Files and directories below root, two levels and more deep; files directly in it. Other file
    systems mounted there are not looked into."""
    found = []
    for below, directories, files in os.walk(root):
        if os.stat(below).st_dev != root.stat().st_dev:
            directories.clear()
            continue
        inside = os.path.relpath(below, root)
        names = files if inside == "." else files + directories
        found += [os.path.normpath(f"{inside}/{name}") for name in names]
    # SQLite's own, made and removed as it likes.
    return sorted(name for name in found if not name.endswith(("-wal", "-shm", "-journal")))


def mounts(host: Host) -> list[str]:
    found = []
    for line in host.path("/proc/1/mountinfo").read_text(encoding="utf-8").splitlines():
        before, _, after = line.partition(" - ")
        point, fstype = before.split()[4], after.split()[0]
        # Made with the first namespace and the first container, to stay.
        if not point.endswith(("/netns", "/layers")):
            found.append(f"{point} {fstype}")
    return sorted(found)


def processes(host: Host) -> list[str]:
    """Names of what runs in the host, without its first process, weftd and those who ask."""
    names = host.run("ps", "-e", "-o", "stat=,comm=").splitlines()
    found = [name.split()[1] for name in names if not name.lstrip().startswith("Z")]
    return sorted(name for name in found if name not in ("ps", "weftd", "weft", "nsenter"))


def cgroups(host: Host) -> list[str]:
    """Those of containers. The one that they are all in is made with the first, to stay."""
    found = (os.path.relpath(below, host.cgroup) for below, _, _ in os.walk(host.cgroup))
    return sorted(name for name in found if name not in (".", "weft"))


VOLATILE = {"Created", "SandboxID", "StartedAt", "FinishedAt", "Status", "EndpointID", "Index"}


def model(daemon: Weftd) -> dict[str, Any]:
    """What weftd says there is."""

    def plain(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: plain(inner) for key, inner in value.items() if key not in VOLATILE}
        return [plain(inner) for inner in value] if isinstance(value, list) else value

    networks = sorted(network["Id"] for network in daemon.get("/networks"))
    return {
        "networks": [plain(daemon.get(f"/networks/{network}")) for network in networks],
        "containers": plain(daemon.get("/containers/json?all=1")),
        "sandboxes": plain(daemon.get("/weft/sandboxes")),
    }


def whole(daemon: Weftd) -> dict[str, Any]:
    """Everything: the model, the host's network and every sandbox's, files, mounts, processes."""
    host = daemon.host
    seen = model(daemon)
    run_dir = daemon.config.get("run_dir", "/run/weft")
    state_dir = daemon.config.get("state_dir", "/var/lib/weft")
    return {
        **seen,
        "host": stack(host),
        "inside": {
            sandbox["Name"]: stack(host, sandbox["Netns"])
            for sandbox in seen["sandboxes"]
            if sandbox["Active"] and sandbox["Kind"] != "host"
        },
        **policy(host),
        "mounts": mounts(host),
        "run": tree(host.path(run_dir)),
        "state": tree(host.path(state_dir)),
        "processes": processes(host),
        "cgroups": cgroups(host),
    }


def difference(before: Any, after: Any) -> str:
    """A unified diff of two snapshots; empty when they are equal."""
    texts = [json.dumps(side, indent=1, sort_keys=True).splitlines() for side in (before, after)]
    return "\n".join(difflib.unified_diff(*texts, "before", "after", lineterm="", n=3))


def assert_same(before: Any, after: Any) -> None:
    if before != after:
        raise AssertionError(f"they differ:\n{difference(before, after)}")


def assert_unchanged(daemon: Weftd, before: dict, timeout: float = 5) -> None:
    """The whole is as it was, at the latest after the time that processes take to end."""
    seen: dict = {}

    def same() -> bool:
        seen.clear()
        seen.update(whole(daemon))
        return seen == before

    try:
        eventually(same, timeout)
    except AssertionError:
        assert_same(before, seen)
