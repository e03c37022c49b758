# SPDX-License-Identifier: Apache-2.0
"""The stock docker command against weftd's socket."""

import json

import pytest

from hosts import eventually
from weftd import DOCKER

pytestmark = pytest.mark.skipif(not DOCKER, reason="there is no docker command")


def rows(text: str) -> list[dict]:
    return [json.loads(line) for line in text.splitlines()]


def test_version_and_info(weft):
    assert "Server" in weft.docker("version")
    assert json.loads(weft.docker("version", "--format", "{{json .}}"))["Server"]["ApiVersion"] == "1.48"
    assert json.loads(weft.docker("info", "--format", "{{json .}}"))["OSType"] == "linux"


def test_network_life(weft):
    created = weft.docker(
        "network", "create", "--subnet", "10.5.0.0/24", "--gateway", "10.5.0.254",
        "--ip-range", "10.5.0.64/26", "--aux-address", "nas=10.5.0.70", "--label", "tier=front",
        "--opt", "com.docker.network.driver.mtu=1400", "web",
    )  # fmt: skip
    assert len(created) == 64
    seen = json.loads(weft.docker("network", "inspect", "web"))[0]
    assert seen["Id"] == created
    assert seen["IPAM"]["Config"] == [
        {
            "Subnet": "10.5.0.0/24",
            "IPRange": "10.5.0.64/26",
            "Gateway": "10.5.0.254",
            "AuxiliaryAddresses": {"nas": "10.5.0.70"},
        }
    ]
    assert weft.docker("network", "inspect", "-f", "{{.Driver}} {{.Scope}}", "web") == "bridge local"
    listed = rows(weft.docker("network", "ls", "--format", "{{json .}}", "--no-trunc"))
    assert {row["Name"] for row in listed} == {"bridge", "host", "none", "web"}
    assert weft.docker("network", "ls", "-q", "--filter", "label=tier=front") == created[:12]
    assert weft.docker("network", "rm", created[:6]) == created[:6]
    assert weft.docker("network", "ls", "-q", "--filter", "name=web") == ""


def test_network_prune(weft):
    weft.docker("network", "create", "one")
    weft.docker("network", "create", "two")
    weft.start("a", "--network", "two")
    assert "one" in weft.docker("network", "prune", "-f")
    listed = rows(weft.docker("network", "ls", "--format", "{{json .}}"))
    assert {row["Name"] for row in listed} == {"bridge", "host", "none", "two"}


def test_connect_and_disconnect(weft, host):
    weft.docker("network", "create", "--ipv6", "--subnet", "10.5.0.0/24", "--subnet", "fd00:5::/64", "web")
    container = weft.start("a")
    weft.docker(
        "network", "connect", "--ip", "10.5.0.9", "--ip6", "fd00:5::9", "--alias", "www",
        "--driver-opt", "com.docker.network.endpoint.ifname=front0", "web", "a",
    )  # fmt: skip
    assert set(host.addresses("front0", weft.netns("a"))) == {"10.5.0.9/24", "fd00:5::9/64"}
    inside = json.loads(weft.docker("network", "inspect", "web"))[0]["Containers"][container]
    assert (inside["Name"], inside["IPv4Address"]) == ("a", "10.5.0.9/24")
    assert inside["IPv6Address"] == "fd00:5::9/64"
    weft.docker("network", "disconnect", "web", "a")
    assert "front0" not in host.links(weft.netns("a"))


def test_ps_and_inspect(weft):
    running = weft.start("a", "--label", "role=web")
    weft.start("b", command=("false",))
    weft("wait", "b")
    listed = rows(weft.docker("ps", "--no-trunc", "--format", "{{json .}}"))
    assert [(row["ID"], row["Names"], row["State"]) for row in listed] == [(running, "a", "running")]
    assert listed[0]["Status"].startswith("Up ")
    assert listed[0]["Networks"] == "bridge"
    everything = rows(weft.docker("ps", "-a", "--format", "{{json .}}"))
    assert [row["Names"] for row in everything] == ["b", "a"]
    assert everything[0]["Status"].startswith("Exited (1) ")
    assert weft.docker("ps", "-aq", "--filter", "label=role=web") == running[:12]
    assert weft.docker("ps", "-aq", "--filter", "status=exited") != ""
    assert "a" in weft.docker("ps")
    template = "{{.State.Running}} {{.NetworkSettings.Networks.bridge.IPAddress}}"
    assert weft.docker("inspect", "-f", template, "a") == f"true {weft.address('a')}"
    assert json.loads(weft.docker("inspect", "bridge"))[0]["Name"] == "bridge"


def test_start_stop_kill_wait_rm(weft):
    stops = ("sh", "-c", "trap 'exit 9' TERM; while :; do sleep 0.05; done")
    weft.start("a", command=stops)
    eventually(lambda: weft.status("a") == "running")
    assert weft.docker("stop", "a") == "a"
    assert weft.docker("wait", "a") == "9"
    assert weft.docker("start", "a") == "a"
    assert weft.status("a") == "running"
    assert weft.docker("restart", "-t", "5", "a") == "a"
    assert weft.docker("kill", "a") == "a"
    assert weft.docker("wait", "a") == "137"
    assert weft.docker("rm", "a") == "a"
    weft.start("b")
    assert weft.docker_attempt("rm", "b").status == 1
    assert weft.docker("rm", "-f", "b") == "b"
    assert weft.docker("ps", "-aq") == ""


def test_wait_waits(weft):
    weft.start("a", command=("sh", "-c", "sleep 1; exit 3"))
    assert weft.docker("wait", "a") == "3"


def test_logs(weft):
    weft.start("a", command=("sh", "-c", "echo out; echo err >&2; sleep 0.2; echo last"))
    weft("wait", "a")
    result = weft.docker_attempt("logs", "a")
    assert (result.out, result.err) == ("out\nlast\n", "err\n")
    assert weft.docker("logs", "-n", "1", "a") == "last"
    first = weft.docker("logs", "-t", "a").splitlines()[0]
    assert first.endswith("Z out")
    weft.start("b", command=("sh", "-c", "for i in 1 2 3; do echo $i; sleep 0.2; done"))
    assert weft.docker("logs", "-f", "b") == "1\n2\n3"


def test_exec(weft):
    weft.start("a")
    assert weft.docker("exec", "a", "echo", "hello") == "hello"
    assert weft.docker("exec", "-e", "X=1", "-w", "/usr", "a", "sh", "-c", "echo $X $PWD") == "1 /usr"
    assert weft.docker("exec", "-u", "65534", "a", "id", "-u") == "65534"
    assert weft.docker("exec", "-i", "a", "cat", stdin="through") == "through"
    assert weft.docker_attempt("exec", "a", "sh", "-c", "exit 5").status == 5


def test_errors_are_dockers(weft):
    for argv, says in (
        (["network", "rm", "nothing"], "network nothing not found"),
        (["inspect", "nobody"], "no such object: nobody"),
        (["start", "nobody"], "No such container: nobody"),
        (["network", "create", "bridge"], "bridge"),
    ):
        result = weft.docker_attempt(*argv)
        assert result.status == 1
        assert says.lower() in result.err.lower()


def test_images_and_volumes_are_empty_lists(weft):
    assert weft.docker("images", "-q") == ""
    assert weft.docker("volume", "ls", "-q") == ""


def test_events(weft):
    weft.docker("network", "create", "web")
    weft.start("a", "--network", "web")
    weft.docker("rm", "-f", "a")
    weft.docker("network", "rm", "web")
    until = weft.host.run("date", "+%s.%N")
    seen = weft.docker(
        "events", "--since", "0", "--until", until, "--format", "{{.Type}} {{.Action}}"
    ).splitlines()
    wanted = ["network create", "container create", "network connect", "container start"]
    wanted += ["container die", "network disconnect", "container destroy", "network destroy"]
    assert [event for event in seen if event in wanted] == wanted
