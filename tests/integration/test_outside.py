# SPDX-License-Identifier: Apache-2.0
"""Verbs that wait for somebody outside weft: what is there meanwhile, what is refused, and what
becomes of it when one of them refuses, or weftd dies half-way. Here those asked are CNI plugins that
do what the test says."""

from __future__ import annotations

import http.client
import json
import signal
import subprocess
import time
from typing import Callable

import pytest

from hosts import Host, eventually
from snapshots import assert_unchanged, whole
from weftd import Weft

FAKES = "/run/fake"
# A plugin writes down its calls, waits while there is a file WAIT.COMMAND, and refuses where there
# is a file FAIL.COMMAND. The address it gives is in the file address, or else one after the other.
PLUGIN = f"""#!/bin/sh
cd {FAKES}
name=$(basename "$0")
cat >/dev/null
there=gone; [ -e "$CNI_NETNS" ] && there=there
echo "$name $CNI_COMMAND $CNI_IFNAME $there" >>calls
while [ -e "$name.WAIT.$CNI_COMMAND" ]; do sleep 0.02; done
if [ -e "$name.FAIL.$CNI_COMMAND" ]; then
    echo '{{"cniVersion":"1.1.0","code":100,"msg":"no, says '$name'"}}'
    exit 1
fi
case $CNI_COMMAND in
VERSION) echo '{{"cniVersion":"1.1.0","supportedVersions":["1.0.0","1.1.0"]}}' ;;
ADD)
    if [ -e address ]; then
        address=$(cat address)
    else
        address=10.99.0.$(flock count sh -c 'echo x >>count; wc -l <count')
    fi
    echo '{{"cniVersion":"1.1.0","interfaces":[{{"name":"'$CNI_IFNAME'","sandbox":"'$CNI_NETNS'",
        "mac":"02:00:00:00:00:07"}}],"ips":[{{"address":"'$address'/24","interface":0}}]}}' ;;
esac
"""


class Outside:
    """Plugins, each with a network of its name."""

    def __init__(self, host: Host, weft: Weft, *names: str):
        self.host = host
        self.weft = weft
        for name in names:
            host.write(f"{FAKES}/{name}", PLUGIN, 0o755)

    def flags(self, name: str) -> tuple:
        config = {"cniVersion": "1.1.0", "name": name, "type": name}
        file = self.host.write(f"/etc/cni/{name}.conf", json.dumps(config))
        return ("-d", "cni", "-o", f"config={file}", "-o", f"path={FAKES}", name)

    def create(self, *names: str) -> None:
        for name in names:
            self.weft("network", "create", *self.flags(name))
        self.forget()

    def hold(self, name: str, command: str) -> None:
        """From now on the plugin does not answer."""
        self.host.write(f"{FAKES}/{name}.WAIT.{command}", "")

    def release(self, name: str, command: str) -> None:
        self.host.path(f"{FAKES}/{name}.WAIT.{command}").unlink()

    def refuse(self, name: str, command: str) -> None:
        self.host.write(f"{FAKES}/{name}.FAIL.{command}", "")

    def agree(self, name: str, command: str) -> None:
        self.host.path(f"{FAKES}/{name}.FAIL.{command}").unlink()

    def give(self, address: str) -> None:
        self.host.write(f"{FAKES}/address", address)

    def calls(self) -> list[str]:
        path = self.host.path(f"{FAKES}/calls")
        return path.read_text(encoding="utf-8").splitlines() if path.exists() else []

    def forget(self) -> None:
        self.host.path(f"{FAKES}/calls").unlink(missing_ok=True)

    def wait_for(self, call: str) -> None:
        eventually(lambda: call in self.calls(), 10, f"{call} in {self.calls()}")


@pytest.fixture
def plugins(host, weft) -> Outside:
    return Outside(host, weft, "lan", "wan")


def ends(child: subprocess.Popen, timeout: float = 20) -> int:
    child.communicate(timeout=timeout)
    return child.returncode


def begin(weft: Weft, *args: str) -> subprocess.Popen:
    return weft.popen(*args, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def at_rest(weft: Weft, name: str, *flags: str) -> None:
    weft("run", "-d", "--name", name, *flags, "--", "sleep", "1000")
    weft("kill", name)
    weft("wait", name)


def containers(weft: Weft) -> set[str]:
    return {entry["Names"][0] for entry in weft.daemon.get("/containers/json?all=1")}


def containers_on(weft: Weft, network: str) -> set[str]:
    listed = weft.daemon.get(f"/networks/{network}")["Containers"]
    return {entry["Name"] for entry in listed.values()}


# ---- the order of things ----


def test_they_are_asked_in_order_and_told_in_reverse(weft, plugins):
    plugins.create("lan", "wan")
    weft.start("a", "--network", "lan", "--network", "wan")
    assert plugins.calls() == ["lan ADD eth0 there", "wan ADD eth1 there"]
    assert weft.address("a", "lan") == "10.99.0.1"
    assert containers_on(weft, "lan") == {"a"}
    plugins.forget()
    weft("kill", "a")
    weft("wait", "a")
    assert plugins.calls() == ["wan DEL eth1 there", "lan DEL eth0 there"]
    assert not weft.sandbox("a")["Active"]
    plugins.forget()
    weft("start", "a")
    weft("network", "disconnect", "lan", "a")
    weft("network", "connect", "lan", "a")
    weft("rm", "-f", "a")
    assert plugins.calls() == [
        "lan ADD eth0 there", "wan ADD eth1 there", "lan DEL eth0 there", "lan ADD eth0 there",
        "lan DEL eth0 there", "wan DEL eth1 there",
    ]  # fmt: skip
    weft("network", "rm", "lan")
    weft("network", "rm", "wan")


def test_a_namespace_joins_and_leaves(weft, plugins, host):
    plugins.create("lan", "wan")
    weft("network", "create", "--subnet", "10.5.0.0/24", "web")
    weft.attach("guest", "--network", "lan")
    for network in ("wan", "web"):
        weft("attach", "--netns", "/run/netns/guest", "--network", network)
    assert host.addresses("eth2", netns="/run/netns/guest") == ["10.5.0.2/24"]
    weft("detach", "--network", "lan", "guest")
    assert plugins.calls()[-1] == "lan DEL eth0 there"
    weft("detach", "guest")
    assert plugins.calls()[-1] == "wan DEL eth1 there"
    assert weft.daemon.get("/weft/sandboxes") == []
    assert "eth2" not in host.links(netns="/run/netns/guest")


def test_at_rest_nobody_is_asked(weft, plugins):
    plugins.create("lan")
    at_rest(weft, "a")
    weft("network", "connect", "lan", "a")
    weft("network", "disconnect", "lan", "a")
    weft("network", "connect", "lan", "a")
    weft("rm", "a")
    assert plugins.calls() == []


# ---- while they think ----


def test_what_waits_is_not_there_yet(weft, plugins, host):
    plugins.create("lan")
    plugins.hold("lan", "ADD")
    weft("network", "create", "--subnet", "10.5.0.0/24", "web")
    weft.start("a", "--network", "web")
    child = begin(weft, "network", "connect", "lan", "a")
    plugins.wait_for("lan ADD eth1 there")
    assert containers_on(weft, "lan") == set()
    assert weft.endpoint("a", "lan")["IPAddress"] == ""
    names = weft.daemon.get("/weft/dns/names")
    assert "lan" not in json.dumps(names)
    # All else goes on.
    weft.start("b", "--network", "web")
    weft.ping("b", "a")
    for refused in (
        ("network", "disconnect", "lan", "a"),
        ("network", "disconnect", "web", "a"),
        ("network", "connect", "bridge", "a"),
        ("publish", "a", "8080:80"),
    ):
        weft.fails(*refused, says=("container a", "is joining a network"))
    weft.fails("network", "rm", "lan", says="active endpoints: a")
    plugins.release("lan", "ADD")
    assert ends(child) == 0
    assert containers_on(weft, "lan") == {"a"}
    assert weft.address("a", "lan") == "10.99.0.1"
    assert "10.99.0.1" in host.read(f"/proc/{weft.pid('a')}/root/etc/hosts")


def test_a_network_that_waits(weft, plugins):
    plugins.hold("lan", "VERSION")
    child = begin(weft, "network", "create", *plugins.flags("lan"))
    plugins.wait_for("lan VERSION  gone")
    weft.fails("network", "create", *plugins.flags("lan"), says="already exists")
    weft.fails("network", "rm", "lan", says="network lan is being created")
    weft.fails("run", "-d", "--name", "a", "--network", "lan", "--", "true", says="being created",
               status=125)  # fmt: skip
    assert containers(weft) == set()
    plugins.release("lan", "VERSION")
    assert ends(child) == 0
    plugins.hold("lan", "GC")
    child = begin(weft, "network", "rm", "lan")
    plugins.wait_for("lan GC  gone")
    weft.fails("network", "rm", "lan", says="network lan is being removed")
    weft.fails("run", "-d", "--name", "a", "--network", "lan", "--", "true", says="being removed",
               status=125)  # fmt: skip
    plugins.release("lan", "GC")
    assert ends(child) == 0
    plugins.create("lan")


def test_many_at_a_time(weft, plugins):
    plugins.create("lan")
    plugins.hold("lan", "ADD")
    names = [f"c{i}" for i in range(8)]
    children = [begin(weft, "run", "-d", "--name", name, "--network", "lan", "--", "sleep", "1000")
                for name in names]  # fmt: skip
    eventually(lambda: len(plugins.calls()) == 8, what="all ask at once")
    plugins.release("lan", "ADD")
    assert [ends(child) for child in children] == [0] * 8
    assert containers_on(weft, "lan") == set(names)
    plugins.hold("lan", "DEL")
    removals = [begin(weft, "rm", "-f", name) for name in names]
    eventually(lambda: len(plugins.calls()) == 16, what="all leave at once")
    plugins.release("lan", "DEL")
    assert [ends(child) for child in removals] == [0] * 8


def test_a_client_that_does_not_wait(weft, plugins):
    """The verb goes on without it."""
    plugins.create("lan")
    plugins.hold("lan", "ADD")
    weft.start("a")
    connection = weft.daemon.connection()
    connection.request("POST", "/networks/lan/connect", json.dumps({"Container": "a"}))
    plugins.wait_for("lan ADD eth1 there")
    connection.close()
    time.sleep(0.1)
    plugins.release("lan", "ADD")
    eventually(lambda: containers_on(weft, "lan") == {"a"}, what="a is on the network")


def test_the_end_waits_its_turn(weft, plugins):
    """A container ends while it is joining a network."""
    plugins.create("lan")
    plugins.hold("lan", "ADD")
    weft("run", "-d", "--rm", "--name", "a", "--", "sleep", "1000")
    child = begin(weft, "network", "connect", "lan", "a")
    plugins.wait_for("lan ADD eth1 there")
    kill = begin(weft, "kill", "a")
    time.sleep(0.3)
    assert weft.sandbox("a")["Active"]
    plugins.release("lan", "ADD")
    assert ends(child) == 0
    assert ends(kill) == 0
    plugins.wait_for("lan DEL eth1 there")
    eventually(lambda: weft.daemon.get("/weft/sandboxes") == [], what="a is gone")
    weft("network", "rm", "lan")


def test_a_process_that_ends_while_its_namespace_joins(weft, plugins, host):
    plugins.create("lan")
    plugins.hold("lan", "ADD")
    process = host.popen("unshare", "-n", "sleep", "2000")
    inside = eventually(lambda: host.try_run("pgrep", "-fx", "sleep 2000").out.split(), what="it runs")[0]
    child = begin(weft, "attach", "--pid", inside, "--name", "guest", "--network", "lan")
    plugins.wait_for("lan ADD eth0 there")
    host.run("kill", "-9", inside)
    process.wait()
    plugins.release("lan", "ADD")
    assert ends(child) == 0
    eventually(lambda: weft.daemon.get("/weft/sandboxes") == [], what="it is gone")
    assert plugins.calls() == ["lan ADD eth0 there", "lan DEL eth0 there"]


def test_the_last_of_two_that_share_a_stack_tells(weft, plugins):
    plugins.create("lan")
    weft.start("a", "--network", "lan")
    weft.start("b", "--network", "container:a")
    weft("kill", "a")
    weft("wait", "a")
    assert plugins.calls() == ["lan ADD eth0 there"]
    plugins.hold("lan", "DEL")
    kill = begin(weft, "kill", "b")
    plugins.wait_for("lan DEL eth0 there")
    weft.fails("start", "a", says=("container a", "leaving a network"))
    weft.fails("rm", "a", says="container a is")
    plugins.release("lan", "DEL")
    assert ends(kill) == 0
    weft("start", "a")
    weft("rm", "-f", "a")
    weft("rm", "b")


# ---- when one refuses ----


def test_a_refusal_undoes_all(weft, plugins, host):
    plugins.create("lan", "wan")
    plugins.refuse("wan", "ADD")
    host.run("ip", "netns", "add", "guest")
    before = whole(weft.daemon)
    attach = ("attach", "--netns", "/run/netns/guest", "--network", "wan")
    weft.fails(*attach, says="no, says wan")
    assert plugins.calls() == ["wan ADD eth0 there", "wan DEL eth0 there"]
    assert_unchanged(weft.daemon, before)
    plugins.forget()
    weft.fails("run", "-d", "--rm", "--name", "a", "--network", "lan", "--network", "wan", "--", "true",
               says="no, says wan", status=125)  # fmt: skip
    assert plugins.calls() == [
        "lan ADD eth0 there", "wan ADD eth1 there", "wan DEL eth1 there", "lan DEL eth0 there",
    ]  # fmt: skip
    assert_unchanged(weft.daemon, before)
    weft.start("a")
    before = whole(weft.daemon)
    weft.fails("network", "connect", "wan", "a", says="no, says wan")
    assert_unchanged(weft.daemon, before)
    plugins.agree("wan", "ADD")
    weft("network", "connect", "wan", "a")


def test_a_container_that_cannot_join_stays_at_rest(weft, plugins):
    plugins.create("lan")
    at_rest(weft, "a", "--network", "lan")
    plugins.refuse("lan", "ADD")
    weft.fails("start", "a", says="no, says lan")
    assert "no, says lan" in weft.inspect("a")["State"]["Error"]
    assert not weft.sandbox("a")["Active"]
    plugins.agree("lan", "ADD")
    weft("start", "a")
    assert weft.inspect("a")["State"]["Error"] == ""


def test_a_network_that_is_refused_is_not_made(weft, plugins):
    before = whole(weft.daemon)
    plugins.refuse("lan", "VERSION")
    weft.fails("network", "create", *plugins.flags("lan"), says="lan")
    assert_unchanged(weft.daemon, before)


def test_who_cannot_be_told_is_not_waited_for(weft, plugins):
    plugins.create("lan")
    weft.start("a", "--network", "lan")
    plugins.refuse("lan", "DEL")
    plugins.refuse("lan", "GC")
    weft("rm", "-f", "a")
    weft("network", "rm", "lan")
    assert "container a leaves network lan, but cni could not be told" in weft.daemon.log()
    assert "network lan goes, but cni could not be told" in weft.daemon.log()


def test_an_address_is_one_endpoints(weft, plugins):
    plugins.create("lan", "wan")
    plugins.give("10.99.0.7")
    weft.start("a", "--network", "lan")
    weft.fails("run", "-d", "--name", "b", "--network", "lan", "--", "sleep", "1000",
               says=("address 10.99.0.7", "container b", "in use by container a"), status=125)  # fmt: skip
    assert plugins.calls()[-1] == "lan DEL eth0 there"
    # Another network's addresses are another matter.
    weft.start("c", "--network", "wan")
    weft("rm", "b")
    weft.daemon.restart()
    weft("rm", "-f", "a")
    weft.start("b", "--network", "lan")
    assert weft.address("b", "lan") == "10.99.0.7"


# ---- nobody is asked ----


def test_a_dry_run_asks_nobody(weft, plugins):
    plugins.create("lan")
    weft.start("a")
    weft.start("b", "--network", "lan")
    plugins.forget()
    before = whole(weft.daemon)
    for verb, end in (
        (("run", "--dry-run", "--network", "lan", "--", "true"), "asked first"),
        (("network", "connect", "--dry-run", "lan", "a"), "asked first"),
        (("network", "disconnect", "--dry-run", "lan", "b"), "told afterwards"),
    ):
        assert f"# the CNI plugin of network lan is {end}" in weft(*verb)
    assert "# the CNI plugin of network wan is asked first" in weft(
        "network", "create", "--dry-run", *plugins.flags("wan")
    )
    assert plugins.calls() == []
    assert_unchanged(weft.daemon, before)


# ---- weftd dies half-way ----

RUN = ("run", "-d", "--rm", "--name", "a", "--network", "lan", "--", "sleep", "1000")
ATTACH = ("attach", "--netns", "/run/netns/guest", "--name", "guest", "--network", "lan")
HALVES = {
    # What is done first, the verb, where it stops, and what takes back what was done first.
    "run": ((), RUN, "ADD", ()),
    "rm": ((RUN,), ("rm", "-f", "a"), "DEL", ()),
    "attach": ((), ATTACH, "ADD", ()),
    "detach": ((ATTACH,), ("detach", "guest"), "DEL", ()),
    "connect": (
        (("run", "-d", "--name", "a", "--", "sleep", "1000"),),
        ("network", "connect", "lan", "a"),
        "ADD",
        (("rm", "-f", "a"),),
    ),
    "disconnect": (
        (("run", "-d", "--name", "a", "--network", "lan", "--", "sleep", "1000"),),
        ("network", "disconnect", "lan", "a"),
        "DEL",
        (("rm", "-f", "a"),),
    ),
}


@pytest.mark.parametrize("signo", [signal.SIGKILL, signal.SIGTERM], ids=["killed", "ended"])
@pytest.mark.parametrize("half", HALVES.values(), ids=HALVES.keys())
def test_the_next_weftd_lets_go(weft, plugins, host, half, signo):
    prepare, verb, command, undo = half
    host.run("ip", "netns", "add", "guest")
    plugins.create("lan")
    before = whole(weft.daemon)
    for step in prepare:
        weft(*step)
    plugins.forget()
    plugins.hold("lan", command)
    child = begin(weft, *verb)
    eventually(lambda: any(command in call for call in plugins.calls()), what="it waits")
    weft.daemon.end(signo)
    ends(child)
    # Was it told, and is it told (again)?
    plugins.forget()
    plugins.release("lan", command)
    weft.daemon.start()
    eventually(lambda: [call for call in plugins.calls() if "DEL" in call], 10, "DEL")
    if undo:
        eventually(lambda: containers_on(weft, "lan") == set(), what="a has left")
        assert weft.status("a") == "running"
        eventually(lambda: "lan" not in weft.networks("a"), what="a has left")
        weft("network", "connect", "lan", "a")
    for step in undo:
        weft(*step)
    assert_unchanged(weft.daemon, before)


@pytest.mark.parametrize("signo", [signal.SIGKILL, signal.SIGTERM], ids=["killed", "ended"])
@pytest.mark.parametrize("command", ["VERSION", "GC"])
def test_the_next_weftd_lets_go_of_a_network(weft, plugins, command, signo):
    before = whole(weft.daemon)
    create = ("network", "create", *plugins.flags("lan"))
    if command == "GC":
        weft(*create)
    plugins.hold("lan", command)
    child = begin(weft, *(create if command == "VERSION" else ("network", "rm", "lan")))
    plugins.wait_for(f"lan {command}  gone")
    weft.daemon.end(signo)
    ends(child)
    plugins.release("lan", command)
    weft.daemon.start()
    eventually(lambda: len(weft.daemon.get("/networks")) == 3, what="lan is gone")
    assert_unchanged(weft.daemon, before)
    weft(*create)


def test_what_is_wired_stays_so_over_a_restart(weft, plugins):
    plugins.create("lan")
    weft.start("a", "--network", "lan")
    before = whole(weft.daemon)
    plugins.forget()
    weft.daemon.restart()
    assert_unchanged(weft.daemon, before)
    assert not [call for call in plugins.calls() if "CHECK" not in call]
    weft("rm", "-f", "a")
    assert plugins.calls()[-1] == "lan DEL eth0 there"


def test_who_ended_while_weftd_was_away_leaves(weft, plugins, host):
    plugins.create("lan")
    before = whole(weft.daemon)
    weft("run", "-d", "--rm", "--name", "a", "--network", "lan", "--", "sleep", "1000")
    weft("run", "-d", "--rm", "--name", "b", "--network", "lan", "--", "sleep", "1000")
    process = host.popen("unshare", "-n", "sleep", "2000")
    inside = eventually(lambda: host.try_run("pgrep", "-fx", "sleep 2000").out.split(), what="it runs")[0]
    weft("attach", "--pid", inside, "--name", "guest", "--network", "lan")
    pid = weft.pid("a")
    plugins.forget()
    weft.daemon.kill9()
    host.run("kill", "-9", str(pid), inside)
    process.wait()
    weft.daemon.start()
    eventually(lambda: plugins.calls().count("lan DEL eth0 there") == 2, what="both have left")
    eventually(lambda: containers(weft) == {"/b"}, what="a is gone")
    weft("rm", "-f", "b")
    assert_unchanged(weft.daemon, before)


# ---- the kernel refuses, or weftd dies, at each step ----


BOTH = ("run", "-d", "--rm", "--name", "a", "--network", "lan", "--network", "wan",
        "--", "sleep", "1000")  # fmt: skip


def each_operation(attempt: Callable[[int], bool]) -> None:
    """Calls attempt with 1, 2 … until it says that there are fewer operations."""
    for operation in range(1, 100):
        if attempt(operation):
            assert operation > 1
            return
    raise AssertionError("it does not come to an end")


def set_fault(weft: Weft, fault: str, operation: int) -> None:
    weft.daemon.post("/weft/fault", {"Fault": fault, "Operation": operation})


@pytest.mark.faults
@pytest.mark.seconds(300)
def test_the_kernel_refuses(weft, plugins):
    """Whoever has agreed is told that nothing comes of it."""
    plugins.create("lan", "wan")
    before = whole(weft.daemon)
    weft.daemon.expected_errors.append(".*")

    def attempt(operation: int) -> bool:
        plugins.forget()
        set_fault(weft, "fail", operation)
        result = weft.attempt(*BOTH)
        reached = weft.daemon.get("/weft/fault")["Counted"] >= operation
        set_fault(weft, "none", 0)
        if result.status == 0:
            weft("rm", "-f", "a")
        calls = plugins.calls()
        for name in ("lan ADD eth0 there", "wan ADD eth1 there"):
            assert calls.count(name) == calls.count(name.replace("ADD", "DEL")), calls
        assert_unchanged(weft.daemon, before)
        return not reached

    each_operation(attempt)


@pytest.mark.faults
@pytest.mark.seconds(300)
@pytest.mark.parametrize("verb", [BOTH, ("rm", "-f", "a")], ids=["run", "rm"])
def test_weftd_dies(weft, plugins, verb):
    plugins.create("lan", "wan")
    before = whole(weft.daemon)
    weft.daemon.expected_errors.append(".*")

    def attempt(operation: int) -> bool:
        if verb != BOTH:
            weft(*BOTH)
        set_fault(weft, "crash", operation)
        weft.attempt(*verb)
        survived = True
        try:
            set_fault(weft, "none", 0)
        except (OSError, http.client.HTTPException):
            weft.daemon.wait()
            weft.daemon.start()
            survived = False
        eventually(lambda: weft.attempt("rm", "-f", "a").status in (0, 1), what="a is at rest")
        eventually(lambda: weft.daemon.get("/weft/sandboxes") == [], what="a is gone")
        assert_unchanged(weft.daemon, before)
        return survived

    each_operation(attempt)
