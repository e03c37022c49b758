# SPDX-License-Identifier: Apache-2.0
"""A physical network: a switch, and hosts cabled to it.

The switch is a bridge in a host of its own. It does not look into VLAN tags, so every port is a trunk,
and it knows no multicast groups: who listens to all frames on a port sees all that is flooded.
"""

from __future__ import annotations

import subprocess
from typing import Callable

from hosts import Host

# RFC 5737 and RFC 3849. Never those of the cable between host and outside.
LAN_IPV4 = "198.51.100.0/24"
LAN_IPV6 = "2001:db8:1::/64"


def cable(one: Host, link: str, other: Host, other_link: str) -> None:
    """A link of one host that ends in another's. Both ends are up."""
    add = f"ip link add name {link} type veth peer name {other_link} netns {other.pid}"
    subprocess.run(["nsenter", f"--net=/proc/{one.pid}/ns/net", *add.split()], check=True)
    one.run("ip", "link", "set", "dev", link, "up")
    other.run("ip", "link", "set", "dev", other_link, "up")


class Lan:
    """A switch. Its port for the first link of a host is called as the host, for others HOST-LINK."""

    def __init__(self, make_host: Callable[[str], Host]):
        self._make_host = make_host
        self._ports: dict[tuple[str, str], str] = {}
        self.switch = make_host("switch")
        self.switch.run(
            "ip", "-batch", "-",
            stdin="link add name lan type bridge forward_delay 0 mcast_snooping 0\n"
            "link set lan up\n",
        )  # fmt: skip

    def plug(self, host: Host, link: str = "eth0", *addresses: str) -> str:
        """A cable from the host, whose end there is called link, with ADDRESS/LENGTH… on it. Returns
        the port's name in the switch."""
        port = host.name
        if port in self._ports.values():
            port = f"{host.name}-{link}"
        assert len(port) < 16, f"{port} is too long for a link's name"
        self._ports[host.name, link] = port
        cable(host, link, self.switch, port)
        self.switch.run("ip", "link", "set", "dev", port, "master", "lan")
        for address in addresses:
            nodad = ["nodad"] if ":" in address else []
            host.run("ip", "addr", "add", address, "dev", link, *nodad)
        return port

    def host(self, name: str, *addresses: str) -> Host:
        """A machine on the network, by its eth0."""
        host = self._make_host(name)
        self.plug(host, "eth0", *addresses)
        return host

    def pull(self, host: Host, link: str = "eth0") -> None:
        """Takes the cable out: the host's end loses its carrier."""
        self.switch.run("ip", "link", "set", "dev", self._ports[host.name, link], "down")

    def put(self, host: Host, link: str = "eth0") -> None:
        """Puts it in again."""
        self.switch.run("ip", "link", "set", "dev", self._ports[host.name, link], "up")

    def forget(self, host: Host, link: str = "eth0") -> None:
        """The host's link has gone, and the cable with it."""
        del self._ports[host.name, link]

    def learnt(self, mac: str) -> set[str]:
        """The ports by which the switch has seen frames from a MAC address."""
        entries = self.switch.json("bridge", "-j", "fdb", "show", "br", "lan")
        return {
            entry["ifname"]
            for entry in entries
            if entry["mac"] == mac.lower() and entry.get("state") != "permanent"
        }
