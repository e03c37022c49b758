#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A plugin as Docker's plugin protocol has it: a network driver and an IPAM driver, for tests.

    remote.py NAME [--unix PATH | --tcp ADDRESS:PORT [--tls CERT KEY CA]] [--implements WHAT ...]

The network driver makes a bridge for each network and a veth pair for each endpoint, in the network
namespace that it runs in. The IPAM driver gives out addresses of pools of its own, one after the
other. What they know is kept in DIR/state, so that a plugin that is started again goes on; every
call is added to DIR/calls, a line each: {"method", "body"}. DIR is /run/plugin-NAME.

It misbehaves as DIR/faults says, an object of method to what is to be done when it is called:

    {"do": "garbage"}               answers what is no JSON
    {"do": "status", "code": 500}   answers with this status, and "body" if there is any
    {"do": "answer", "body": …}     answers this
    {"do": "err", "text": "…"}      reports this error
    {"do": "slow", "seconds": 60}   answers later
    {"do": "drop"}                  ends the connection
    {"do": "die"}                   ends
    {"do": "huge"}                  answers two million bytes

With "times": N it does so N times, and then behaves.
"""

from __future__ import annotations

import argparse
import http.server
import ipaddress
import json
import os
import pathlib
import socket
import socketserver
import ssl
import subprocess
import sys
import threading
import time

MIMETYPE = "application/vnd.docker.plugins.v1.2+json"


class Refusal(Exception):
    """What is reported to whoever called."""


def ip(*args: str) -> None:
    result = subprocess.run(["ip", *args], capture_output=True, text=True, check=False)
    if result.returncode != 0:
        raise Refusal(f"ip {' '.join(args)}: {result.stderr.strip()}")


class Memory:
    """What the plugin knows, in a file."""

    def __init__(self, directory: pathlib.Path):
        self._file = directory / "state"
        self.data = {"networks": {}, "endpoints": {}, "pools": {}, "next": 0}
        if self._file.exists():
            self.data = json.loads(self._file.read_text(encoding="utf-8"))

    def save(self) -> None:
        new = self._file.with_suffix(".new")
        new.write_text(json.dumps(self.data), encoding="utf-8")
        new.rename(self._file)


class NetworkDriver:
    """A bridge a network, a veth pair an endpoint."""

    def __init__(self, memory: Memory):
        self._memory = memory

    @property
    def _networks(self) -> dict:
        return self._memory.data["networks"]

    @property
    def _endpoints(self) -> dict:
        return self._memory.data["endpoints"]

    def _endpoint(self, body: dict) -> dict:
        if body["EndpointID"] not in self._endpoints:
            raise Refusal(f"no endpoint {body['EndpointID']}")
        return self._endpoints[body["EndpointID"]]

    def GetCapabilities(self, _body) -> dict:
        return {"Scope": "local", "ConnectivityScope": "local"}

    def CreateNetwork(self, body: dict) -> dict:
        if body["NetworkID"] in self._networks:
            raise Refusal(f"network {body['NetworkID']} is there already")
        bridge = f"pb-{body['NetworkID'][:10]}"
        gateways = [
            data["Gateway"]
            for data in body["IPv4Data"] + body["IPv6Data"]
            if "Gateway" in data
        ]
        ip("link", "add", bridge, "up", "type", "bridge")
        for gateway in gateways:
            ip("addr", "add", gateway, "dev", bridge, "nodad")
        self._networks[body["NetworkID"]] = {"bridge": bridge, "gateways": gateways}
        return {}

    def DeleteNetwork(self, body: dict) -> dict:
        network = self._networks.pop(body["NetworkID"], None)
        if not network:
            raise Refusal(f"no network {body['NetworkID']}")
        ip("link", "del", network["bridge"])
        return {}

    def CreateEndpoint(self, body: dict) -> dict:
        network = self._networks.get(body["NetworkID"])
        if not network:
            raise Refusal(f"no network {body['NetworkID']}")
        if body["EndpointID"] in self._endpoints:
            raise Refusal(f"endpoint {body['EndpointID']} is there already")
        outer, inner = f"ph{body['EndpointID'][:10]}", f"pc{body['EndpointID'][:10]}"
        mac = body["Interface"].get("MacAddress")
        given = mac or "02:aa:" + ":".join(body["EndpointID"][i : i + 2] for i in (0, 2, 4, 6))
        ip("link", "add", outer, "up", "master", network["bridge"], "type", "veth",
           "peer", "name", inner, "address", given)  # fmt: skip
        self._endpoints[body["EndpointID"]] = {
            "network": body["NetworkID"],
            "outer": outer,
            "inner": inner,
        }
        return {"Interface": {} if mac else {"MacAddress": given}}

    def EndpointOperInfo(self, body: dict) -> dict:
        return {"Value": {"outer": self._endpoint(body)["outer"]}}

    def Join(self, body: dict) -> dict:
        endpoint = self._endpoint(body)
        answer = {"InterfaceName": {"SrcName": endpoint["inner"], "DstPrefix": "plug"}}
        for gateway in self._networks[endpoint["network"]]["gateways"]:
            address = ipaddress.ip_interface(gateway).ip
            answer["Gateway" if address.version == 4 else "GatewayIPv6"] = str(address)
        answer["StaticRoutes"] = [
            {"Destination": "198.51.100.0/24", "RouteType": 1, "NextHop": ""}
        ]
        return answer

    def Leave(self, body: dict) -> dict:
        # The link has been given back by now.
        ip("link", "show", self._endpoint(body)["inner"])
        return {}

    def DeleteEndpoint(self, body: dict) -> dict:
        ip("link", "del", self._endpoint(body)["outer"])
        del self._endpoints[body["EndpointID"]]
        return {}

    def ProgramExternalConnectivity(self, body: dict) -> dict:
        self._endpoint(body)["external"] = True
        return {}

    def RevokeExternalConnectivity(self, body: dict) -> dict:
        self._endpoint(body)["external"] = False
        return {}


class IpamDriver:
    """Pools 10.200.N.0/24 and fd00:200:N::/64, or those that are asked for."""

    def __init__(self, memory: Memory):
        self._memory = memory

    @property
    def _pools(self) -> dict:
        return self._memory.data["pools"]

    def GetCapabilities(self, _body) -> dict:
        return {"RequiresMACAddress": False, "RequiresRequestReplay": False}

    def GetDefaultAddressSpaces(self, _body) -> dict:
        return {"LocalDefaultAddressSpace": "here", "GlobalDefaultAddressSpace": "everywhere"}

    def RequestPool(self, body: dict) -> dict:
        subnet = body["Pool"]
        if not subnet:
            number = self._memory.data["next"]
            self._memory.data["next"] = number + 1
            subnet = f"fd00:200:{number:x}::/64" if body["V6"] else f"10.200.{number}.0/24"
        identity = f"{body['AddressSpace']}/{subnet}"
        pool = self._pools.setdefault(
            identity, {"subnet": subnet, "area": body["SubPool"] or subnet, "users": 0, "taken": []}
        )
        pool["users"] += 1
        return {"PoolID": identity, "Pool": subnet, "Data": {}}

    def ReleasePool(self, body: dict) -> dict:
        pool = self._pools[body["PoolID"]]
        pool["users"] -= 1
        if pool["users"] == 0:
            if pool["taken"]:
                raise Refusal(f"pool {body['PoolID']} has addresses that are in use")
            del self._pools[body["PoolID"]]
        return {}

    def RequestAddress(self, body: dict) -> dict:
        pool = self._pools[body["PoolID"]]
        subnet = ipaddress.ip_network(pool["subnet"])
        if body["Address"]:
            address = ipaddress.ip_address(body["Address"])
            if str(address) in pool["taken"]:
                raise Refusal(f"address {address} is taken")
        else:
            address = next(
                host
                for host in ipaddress.ip_network(pool["area"]).hosts()
                if str(host) not in pool["taken"]
            )
        pool["taken"].append(str(address))
        return {"Address": f"{address}/{subnet.prefixlen}", "Data": {}}

    def ReleaseAddress(self, body: dict) -> dict:
        taken = self._pools[body["PoolID"]]["taken"]
        if body["Address"] not in taken:
            raise Refusal(f"address {body['Address']} is not taken")
        taken.remove(body["Address"])
        return {}


class Plugin:
    """The drivers, and what goes wrong with them."""

    def __init__(self, name: str, implements: list[str]):
        self.directory = pathlib.Path(f"/run/plugin-{name}")
        self.directory.mkdir(parents=True, exist_ok=True)
        self._implements = implements
        self._memory = Memory(self.directory)
        self._drivers = {
            "NetworkDriver": NetworkDriver(self._memory),
            "IpamDriver": IpamDriver(self._memory),
        }
        self._lock = threading.Lock()

    def _record(self, method: str, body) -> None:
        with open(self.directory / "calls", "a", encoding="utf-8") as calls:
            print(json.dumps({"method": method, "body": body}), file=calls)

    def fault(self, method: str) -> dict:
        """What is to go wrong with this call; {} for nothing."""
        path = self.directory / "faults"
        with self._lock:
            if not path.exists():
                return {}
            faults = json.loads(path.read_text(encoding="utf-8"))
            fault = faults.get(method, {})
            if "times" in fault:
                fault["times"] -= 1
                if fault["times"] <= 0:
                    del faults[method]
                new = path.with_suffix(".new")
                new.write_text(json.dumps(faults), encoding="utf-8")
                new.rename(path)
            return fault

    def call(self, method: str, body) -> tuple[int, dict]:
        """Status and answer."""
        subsystem, _, name = method.partition(".")
        with self._lock:
            self._record(method, body)
            if method == "Plugin.Activate":
                return 200, {"Implements": self._implements}
            function = getattr(self._drivers.get(subsystem), name, None)
            if not function:
                return 404, {}
            try:
                return 200, function(body)
            except (Refusal, KeyError, StopIteration) as error:
                return 200, {"Error" if subsystem == "IpamDriver" else "Err": str(error)}
            finally:
                self._memory.save()


class Handler(http.server.BaseHTTPRequestHandler):
    """HTTP of one connection."""

    protocol_version = "HTTP/1.1"
    plugin: Plugin

    def log_message(self, *_args) -> None:
        pass

    def address_string(self) -> str:
        return "local"

    def _answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", MIMETYPE)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self) -> None:
        raw = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        method = self.path.removeprefix("/")
        body = json.loads(raw) if raw else None
        if self.headers.get("Accept") != MIMETYPE:
            self._answer(406, b'{"Err": "not the mimetype of the protocol"}')
            return
        fault = self.plugin.fault(method)
        if fault.get("do") in (None, "slow"):
            time.sleep(fault.get("seconds", 0))
            status, answer = self.plugin.call(method, body)
            self._answer(status, json.dumps(answer).encode())
            return
        self._misbehave(fault, method, body)

    def _misbehave(self, fault: dict, method: str, body) -> None:
        self.plugin._record(method, body)
        what = fault["do"]
        if what == "garbage":
            self._answer(200, b"<html>\x00\xff this is no JSON")
        elif what == "status":
            self._answer(fault["code"], fault.get("body", "").encode())
        elif what == "answer":
            self._answer(200, json.dumps(fault["body"]).encode())
        elif what == "err":
            self._answer(200, json.dumps({"Err": fault["text"], "Error": fault["text"]}).encode())
        elif what == "huge":
            self._answer(200, b'{"Err": "' + b"x" * 2_000_000 + b'"}')
        elif what == "drop":
            self.close_connection = True
            self.connection.shutdown(socket.SHUT_RDWR)
        elif what == "die":
            os._exit(1)


class UnixServer(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    """HTTP over a Unix socket."""

    daemon_threads = True


class TcpServer(http.server.ThreadingHTTPServer):
    """HTTP, or with a context HTTPS, over TCP."""


def make_server(args) -> socketserver.BaseServer:
    if not args.tcp:
        path = args.unix or f"/run/docker/plugins/{args.name}.sock"
        pathlib.Path(path).parent.mkdir(parents=True, exist_ok=True)
        pathlib.Path(path).unlink(missing_ok=True)
        return UnixServer(path, Handler)
    address, _, port = args.tcp.rpartition(":")
    server = TcpServer((address, int(port)), Handler)
    if args.tls:
        certificate, key, authority = args.tls
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        context.load_verify_locations(authority)
        context.verify_mode = ssl.CERT_REQUIRED
        server.socket = context.wrap_socket(server.socket, server_side=True)
    return server


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name")
    parser.add_argument("--unix")
    parser.add_argument("--tcp")
    parser.add_argument("--tls", nargs=3, metavar=("CERT", "KEY", "CA"))
    parser.add_argument("--implements", nargs="*", default=["NetworkDriver", "IpamDriver"])
    args = parser.parse_args()
    Handler.plugin = Plugin(args.name, args.implements)
    server = make_server(args)
    print("listening", flush=True)
    server.serve_forever()


if __name__ == "__main__":
    sys.exit(main())
