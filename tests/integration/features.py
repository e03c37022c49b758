# SPDX-License-Identifier: Apache-2.0
"""What a kernel may lack: each feature is tried, in a network namespace that goes at once.

A test says `@pytest.mark.needs_kernel("8021q")`. It is skipped, with the kernel's words, where the
feature is not there; in the machine of tests/vm, which is there to have them all, it fails.
"""

from __future__ import annotations

import functools
import os
import subprocess

PAIR = "ip link add name one type veth peer name two"
# Feature: the commands that need it.
FEATURES = {
    "8021q": f"{PAIR} && ip link add link one name vlan type vlan id 10",
    "ipvlan": f"{PAIR} && ip link add link one name child type ipvlan mode l2",
    "macvlan": f"{PAIR} && ip link add link one name child type macvlan mode bridge",
    "vlan_filtering": f"{PAIR} && ip link add name bridge type bridge vlan_filtering 1 && "
    "ip link set one master bridge && bridge vlan add dev one vid 10 pvid untagged",
    "bond": "ip link add name bond type bond",
    "dummy": "ip link add name dummy type dummy",
    "ifb": "ip link add name ifb type ifb",
    "vrf": "ip link add name vrf type vrf table 10",
}

IN_VM = os.environ.get("WEFT_VM") == "1"
# Its processor is emulated: what waits for something waits longer.
PATIENCE = 3 if IN_VM else 1


@functools.cache
def lack(feature: str) -> str:
    """Why the kernel does not have the feature, "" if it has."""
    script = ["unshare", "--net", "--", "sh", "-c", FEATURES[feature]]
    result = subprocess.run(script, capture_output=True, text=True, check=False, timeout=60)
    words = " ".join(result.stderr.split()) or f"exit status {result.returncode}"
    return f"this kernel has no {feature}: {words}" if result.returncode else ""
