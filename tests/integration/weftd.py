# SPDX-License-Identifier: Apache-2.0
"""weftd in a test host, and its clients: `weft`, `docker`, and plain HTTP."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import tempfile
from typing import Any

from hosts import REACH, TCP_CLIENT, TCP_SERVER, CommandFailed, Host, Result, eventually

REPO = pathlib.Path(__file__).parents[2]
BUILD = pathlib.Path(os.environ.get("WEFT_BUILD", REPO / "build")).resolve()
WEFT = str(BUILD / "weft")
WEFTD = str(BUILD / "weftd")
DOCKER = shutil.which("docker")

SOCKET = "/run/weft/weft.sock"
SLEEP = ("sleep", "1000000")

# A sanitizer's finding must not pass for an answer of the program.
SANITIZER_ENV = {
    "ASAN_OPTIONS": "exitcode=99:detect_stack_use_after_return=1",
    "UBSAN_OPTIONS": "halt_on_error=1:print_stacktrace=1:exitcode=99",
}
FINDINGS = re.compile(r"AddressSanitizer|LeakSanitizer|runtime error:|SUMMARY: ")


class Answer:
    """What an HTTP request brought."""

    def __init__(self, status: int, headers: dict[str, str], body: bytes):
        self.status = status
        self.headers = headers
        self.body = body

    @property
    def text(self) -> str:
        return self.body.decode()

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def message(self) -> str:
        """The sentence of an error."""
        return self.json["message"]


class UnixConnection(http.client.HTTPConnection):
    """HTTP over the socket at path."""

    def __init__(self, path: str, timeout: float):
        super().__init__("weft", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


class Weftd:
    """A weftd of a host. Its log is checked when the test ends: see check_log."""

    def __init__(self, host: Host, config: dict | None = None, args: tuple = ()):
        self.host = host
        self.config = config or {}
        self.args = args
        self.socket = self.config.get("socket", SOCKET)
        self.expected_errors: list[str] = []
        self._log = tempfile.TemporaryFile("w+", prefix="weftd-log-")
        self._process: subprocess.Popen | None = None
        self.pid = 0  # as the test process knows it

    # ---- life ----

    def spawn(self, *args: str, env: dict | None = None) -> subprocess.Popen:
        """Starts weftd and does not wait."""
        path = self.host.write("/etc/weft/weft.json", json.dumps(self.config))
        return self.host.popen(
            WEFTD, "--config", path, *self.args, *args,
            env={**SANITIZER_ENV, **(env or {})}, stdout=self._log, stderr=subprocess.STDOUT,
        )  # fmt: skip

    def start(self) -> Weftd:
        """Starts weftd and waits until it answers."""
        self._process = self.spawn()
        eventually(self._answers, 20, "weftd answers")
        self.pid = self.host.child_of(self._process.pid)
        return self

    def _answers(self) -> bool:
        assert self._process
        if self._process.poll() is not None:
            raise CommandFailed(f"weftd ended at its start\n{self.log()}")
        with contextlib.suppress(OSError, http.client.HTTPException):
            return self.request("GET", "/_ping").status == 200
        return False

    def end(self, signo: int) -> int:
        """Ends weftd by a signal: its exit status."""
        assert self._process
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, signo)
        return self.wait()

    def wait(self, timeout: float = 20) -> int:
        """Waits for the end of weftd: its exit status."""
        assert self._process
        status = self._process.wait(timeout)
        self._process = None
        return status

    def stop(self) -> None:
        """Ends weftd as a service manager does."""
        status = self.end(signal.SIGTERM)
        assert status == 0, f"weftd ended with status {status}\n{self.log()}"

    def kill9(self) -> None:
        self.end(signal.SIGKILL)

    def restart(self, signo: int = signal.SIGKILL) -> None:
        """Ends weftd, by default as a crash does, and starts it again."""
        self.end(signo)
        self.start()

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    # ---- log ----

    def log(self) -> str:
        self._log.flush()
        with open(f"/proc/self/fd/{self._log.fileno()}", encoding="utf-8", errors="replace") as log:
            return log.read()

    def check_log(self) -> None:
        """Fails when a sanitizer found something, or weftd logged an error nobody expected."""
        log = self.log()
        assert not FINDINGS.search(log), log
        for line in log.splitlines():
            if line.startswith("error: ") and not any(
                re.search(expected, line) for expected in self.expected_errors
            ):
                raise AssertionError(f"weftd logged an error: {line}\n{log}")

    # ---- HTTP ----

    def connection(self, timeout: float = 30) -> UnixConnection:
        return UnixConnection(str(self.host.path(self.socket)), timeout)

    def request(self, method: str, path: str, body: Any = None, timeout: float = 30) -> Answer:
        """One request. body: bytes as they are, anything else as JSON."""
        raw = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        with contextlib.closing(self.connection(timeout)) as connection:
            connection.request(method, path, raw, {"Content-Type": "application/json"})
            response = connection.getresponse()
            headers = {name.lower(): value for name, value in response.getheaders()}
            return Answer(response.status, headers, response.read())

    def get(self, path: str) -> Any:
        """The JSON at path."""
        answer = self.request("GET", path)
        assert answer.status == 200, f"GET {path}: {answer.status} {answer.text}"
        return answer.json

    def post(self, path: str, body: Any = None, status: int = 200) -> Answer:
        answer = self.request("POST", path, body if body is not None else {})
        assert answer.status == status, f"POST {path}: {answer.status} {answer.text}"
        return answer


class Weft:
    """The `weft` command in a weftd's host, and what tests say most often with it."""

    def __init__(self, daemon: Weftd):
        self.daemon = daemon
        self.host = daemon.host

    def _env(self, more: dict | None) -> dict:
        return {**SANITIZER_ENV, "WEFT_HOST": f"unix://{self.daemon.socket}", **(more or {})}

    def attempt(self, *args: str, env: dict | None = None, **options) -> Result:
        """Runs `weft args…`, which may fail."""
        result = self.host.try_run(WEFT, *args, env=self._env(env), **options)
        assert not FINDINGS.search(result.err), result.err
        return result

    def __call__(self, *args: str, **options) -> str:
        """Runs `weft args…`, which must work: its output."""
        result = self.attempt(*args, **options)
        if result.status != 0:
            raise CommandFailed(
                f"weft {' '.join(args)}: exit status {result.status}\n{result.out}{result.err}"
            )
        return result.out.rstrip("\n")

    def fails(self, *args: str, says: tuple | str = (), status: int = 1, **options) -> str:
        """Runs `weft args…`, which must fail with this status and one sentence that says all
        of these. Returns the sentence."""
        result = self.attempt(*args, **options)
        told = f"weft {' '.join(args)}: exit status {result.status}\n{result.out}{result.err}"
        assert result.status == status, told
        sentence = result.err.rstrip("\n")
        assert sentence.startswith("weft: ") and "\n" not in sentence, told
        for part in [says] if isinstance(says, str) else says:
            assert part.lower() in sentence.lower(), f"{part!r} is not in: {sentence}"
        return sentence

    def popen(self, *args: str, **options) -> subprocess.Popen:
        return self.host.popen(WEFT, *args, env=self._env(None), text=True, **options)

    # ---- containers ----

    def start(self, name: str, *flags: str, command: tuple = SLEEP) -> str:
        """A container in the background. Returns its id."""
        return self("run", "-d", "--name", name, *flags, "--", *command)

    def serve(self, name: str, *flags: str, port: int = 8000) -> str:
        """A container that tells every TCP client its address."""
        return self.start(name, *flags, command=("/usr/bin/python3", "-c", TCP_SERVER, str(port)))

    def echo(self, name: str, *flags: str, ports: tuple = (80,)) -> str:
        """A container that answers on these ports, both protocols and families: see reach.py."""
        program = pathlib.Path(REACH).read_text(encoding="utf-8")
        container = self.start(name, *flags, command=python(program, "serve", name, *map(str, ports)))
        self.wait_for_log(name, "listening")
        return container

    def exec(self, name: str, *command: str) -> str:
        return self("exec", name, *command)

    def ask(self, name: str, address: str, port: int = 8000, seconds: float = 5) -> str:
        """The container's address as the TCP server at address sees it."""
        return self.exec(
            name, "/usr/bin/python3", "-c", TCP_CLIENT, address, str(port), str(seconds)
        )

    def inspect(self, ref: str) -> dict:
        return json.loads(self("inspect", ref))[0]

    def endpoint(self, container: str, network: str = "bridge") -> dict:
        """Docker's EndpointSettings of a container on a network."""
        return self.inspect(container)["NetworkSettings"]["Networks"][network]

    def address(self, container: str, network: str = "bridge") -> str:
        return self.endpoint(container, network)["IPAddress"]

    def address6(self, container: str, network: str = "bridge") -> str:
        return self.endpoint(container, network)["GlobalIPv6Address"]

    def networks(self, container: str) -> set[str]:
        return set(self.inspect(container)["NetworkSettings"]["Networks"])

    def pid(self, container: str) -> int:
        """Of the first process, in the host."""
        return self.inspect(container)["State"]["Pid"]

    def status(self, container: str) -> str:
        return self.inspect(container)["State"]["Status"]

    def netns(self, sandbox: str) -> str:
        """Path of a sandbox's namespace."""
        return self.sandbox(sandbox)["Netns"]

    def sandbox(self, name: str) -> dict:
        for sandbox in self.daemon.get("/weft/sandboxes"):
            if name in (sandbox["Name"], sandbox["Id"]):
                return sandbox
        raise AssertionError(f"there is no sandbox {name}")

    def host_link(self, sandbox: str, network: str = "bridge") -> str:
        """The host's end of a sandbox's veth pair."""
        return self.sandbox(sandbox)["Networks"][network]["HostLink"]

    # ---- ports ----

    def ports(self, ref: str) -> dict:
        """NetworkSettings.Ports of a container."""
        return self.inspect(ref)["NetworkSettings"]["Ports"]

    def host_port(self, ref: str, port: str = "80/tcp") -> int:
        """The port of the host that leads to a container's."""
        return int(self.ports(ref)[port][0]["HostPort"])

    def attach(self, name: str, *flags: str) -> str:
        """A namespace of somebody else on a network. Returns its path."""
        self.host.run("ip", "netns", "add", name)
        path = f"/run/netns/{name}"
        self("attach", "--netns", path, "--name", name, *flags)
        return path

    def pings(self, container: str, address: str) -> bool:
        return self.attempt("exec", container, "ping", "-n", "-c1", "-W1", address).status == 0

    def ping(self, container: str, address: str, timeout: float = 5) -> None:
        eventually(
            lambda: self.pings(container, address), timeout, f"{container} reaches {address}"
        )

    def wait_for_log(self, container: str, text: str, timeout: float = 10) -> None:
        eventually(
            lambda: text in self("logs", container), timeout, f"{text!r} in {container}'s log"
        )

    # ---- the other client ----

    def docker_attempt(self, *args: str, **options) -> Result:
        env = {"DOCKER_HOST": f"unix://{self.daemon.socket}"}
        return self.host.try_run(DOCKER, *args, env=env, **options)

    def docker(self, *args: str, **options) -> str:
        """The stock docker command against weftd's socket."""
        result = self.docker_attempt(*args, **options)
        if result.status != 0:
            raise CommandFailed(
                f"docker {' '.join(args)}: exit status {result.status}\n{result.out}{result.err}"
            )
        return result.out.rstrip("\n")


def python(*argv: str) -> tuple:
    """A python program for a container, which has the machine's own python3."""
    return ("/usr/bin/python3", "-c", *argv)


