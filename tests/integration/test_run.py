# SPDX-License-Identifier: Apache-2.0
"""weft run and what follows: flags, exit statuses, logs, exec, stop, kill, wait, rm."""

import json
import signal
import time

import pytest

from hosts import eventually
from snapshots import assert_unchanged, whole
from weftd import python

# ---- exit statuses ----


@pytest.mark.parametrize(
    "command, status",
    [
        (("true",), 0),
        (("sh", "-c", "exit 3"), 3),
        (("/etc/passwd",), 126),
        (("no-such-command",), 127),
        (("/no/such/file",), 127),
        (("sh", "-c", "kill -KILL $$"), 137),
        (("sh", "-c", "kill -TERM $$; sleep 1"), 143),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else None,
)
def test_exit_status(weft, command, status):
    if command[-1].startswith("kill"):
        # Signals without a handler do not reach the first process of a namespace: let a child die.
        command = ("sh", "-c", f"sh -c '{command[-1]}'; exit $?")
    before = whole(weft.daemon)
    result = weft.attempt("run", "--rm", "--", *command)
    assert result.status == status, result
    if status in (126, 127):
        assert result.err.startswith("weft: ") and command[0] in result.err
    assert_unchanged(weft.daemon, before)


def test_output_goes_where_it_belongs(weft):
    result = weft.attempt("run", "--rm", "--", "sh", "-c", "echo out; echo err >&2")
    assert (result.out, result.err) == ("out\n", "err\n")


def test_a_lot_of_output_arrives_whole(weft):
    out = weft("run", "--rm", "--", "seq", "200000")
    assert out.split() == [str(number) for number in range(1, 200001)]


def test_short_runs_lose_nothing(weft):
    for number in range(10):
        assert weft("run", "--rm", "--", "echo", str(number)) == str(number)


def test_dashes_are_optional(weft):
    assert weft("run", "--rm", "echo", "-n", "x") == "x"


def test_signals_are_passed_on(weft):
    script = "trap 'exit 42' INT; echo ready; while :; do sleep 0.05; done"
    child = weft.popen("run", "--rm", "--name", "a", "--", "sh", "-c", script, stdout=-1)
    assert child.stdout.readline() == "ready\n"
    weft.host.run("sh", "-c", "kill -INT $(pgrep -x weft)")
    assert child.wait(10) == 42


# ---- flags ----


def test_detached_prints_the_id(weft):
    container = weft("run", "-d", "--", "sleep", "1000")
    assert len(container) == 64
    assert weft("ps", "-q") == container[:12]
    assert weft("ps", "-q", "--no-trunc") == container


def test_a_name_is_made_up(weft):
    container = weft("run", "-d", "--", "sleep", "1000")
    name = weft.inspect(container)["Name"].lstrip("/")
    assert name and weft.inspect(name)["Id"] == container


def test_environment(weft):
    out = weft("run", "--rm", "-e", "A=1", "-e", "B", "--", "env", env={"B": "from outside"})
    assert {"A=1"} <= set(out.splitlines())
    assert any(line.startswith("PATH=") for line in out.splitlines())
    assert any(line.startswith("HOSTNAME=") for line in out.splitlines())


def test_workdir_and_user(weft):
    assert weft("run", "--rm", "-w", "/usr/bin", "--", "pwd") == "/usr/bin"
    assert weft("run", "--rm", "-u", "65534:65534", "--", "id", "-u") == "65534"
    assert weft("run", "--rm", "-u", "nobody", "--", "id", "-un") == "nobody"


def test_volume(weft, host):
    host.run("sh", "-c", "mkdir /run/shared && echo from the host > /run/shared/file")
    mount = "/run/shared:/mnt"
    assert weft("run", "--rm", "-v", mount, "--", "cat", "/mnt/file") == "from the host"
    weft("run", "--rm", "-v", mount, "--", "sh", "-c", "echo new > /mnt/new")
    assert host.read("/run/shared/new") == "new\n"
    result = weft.attempt("run", "--rm", "-v", f"{mount}:ro", "--", "touch", "/mnt/x")
    assert result.status == 1 and "Read-only" in result.err


def test_a_volumes_missing_source_is_made(weft, host):
    """As docker does."""
    weft("run", "--rm", "-v", "/run/fresh/dir:/mnt", "--", "touch", "/mnt/file")
    assert host.path("/run/fresh/dir/file").exists()


def test_sysctl(weft):
    out = weft(
        "run", "--rm", "--sysctl", "net.ipv4.ip_unprivileged_port_start=99", "--",
        "cat", "/proc/sys/net/ipv4/ip_unprivileged_port_start",
    )  # fmt: skip
    assert out == "99"


def test_hosts_and_dns(weft):
    weft.start(
        "a", "--add-host", "printer:10.1.2.3", "--add-host", "six:fd00::1", "--dns", "192.0.2.99",
        "--dns-search", "corp.test", "--dns-option", "ndots:3",
    )  # fmt: skip
    hosts = [line.split() for line in weft.exec("a", "cat", "/etc/hosts").splitlines()]
    assert ["10.1.2.3", "printer"] in hosts and ["fd00::1", "six"] in hosts
    resolv = weft.exec("a", "cat", "/etc/resolv.conf").splitlines()
    assert "nameserver 192.0.2.99" in resolv and "nameserver 192.0.2.53" not in resolv
    assert "search corp.test" in resolv and "options ndots:3" in resolv


def test_host_gateway(weft):
    weft.start("a", "--add-host", "machine:host-gateway")
    assert ["172.17.0.1", "machine"] in [
        line.split() for line in weft.exec("a", "cat", "/etc/hosts").splitlines()
    ]


def test_etc_hosts_follows_the_networks(weft):
    weft("network", "create", "--subnet", "10.5.0.0/24", "web")
    weft.start("a")
    weft("network", "connect", "web", "a")
    hosts = weft.exec("a", "cat", "/etc/hosts")
    assert weft.address("a") in hosts and weft.address("a", "web") in hosts
    weft("network", "disconnect", "web", "a")
    assert "10.5.0." not in weft.exec("a", "cat", "/etc/hosts")


def test_a_root_file_system_of_its_own(weft, host):
    root = "/run/rootfs"
    host.run(
        "sh", "-c",
        f"mkdir -p {root}/bin {root}/proc {root}/sys {root}/dev {root}/etc"
        f" && cp /bin/busybox {root}/bin/ && ln -s busybox {root}/bin/sh",
    )  # fmt: skip
    weft.start("a", "--rootfs", root, command=("/bin/busybox", "sleep", "1000"))
    assert weft.exec("a", "/bin/busybox", "ls", "/bin").split() == ["busybox", "sh"]
    assert "172.17.0.2" in weft.exec("a", "/bin/busybox", "ip", "addr")
    assert "localhost" in weft.exec("a", "/bin/busybox", "cat", "/etc/hosts")


def test_the_default_root_is_private(weft, host):
    weft.start("a", command=("sh", "-c", "echo mine > /etc/mine; sleep 1000"))
    eventually(lambda: weft.attempt("exec", "a", "test", "-e", "/etc/mine").status == 0)
    weft.start("b")
    assert weft.attempt("exec", "b", "test", "-e", "/etc/mine").status == 1
    assert not host.path("/etc/mine").exists()
    # It is the container's until that is removed.
    weft("kill", "a")
    weft("wait", "a")
    weft("start", "a")
    assert weft.exec("a", "cat", "/etc/mine") == "mine"


def test_read_only(weft):
    result = weft.attempt("run", "--rm", "--read-only", "--", "touch", "/x")
    assert result.status == 1 and "Read-only" in result.err


def test_capabilities(weft):
    def effective(*flags: str) -> int:
        status = weft("run", "--rm", *flags, "--", "grep", "CapEff", "/proc/self/status")
        return int(status.split()[1], 16)

    net_admin, net_raw = 1 << 12, 1 << 13
    assert not effective() & net_admin and effective() & net_raw
    assert effective("--cap-add", "NET_ADMIN") & net_admin
    assert not effective("--cap-drop", "NET_RAW") & net_raw
    assert effective("--cap-drop", "ALL") == 0
    assert effective("--privileged") & net_admin


def test_entrypoint_and_labels(weft):
    assert weft("run", "--rm", "--entrypoint", "echo", "--", "x", "y") == "x y"
    weft.start("a", "--label", "k=v", "-l", "solo")
    assert weft.inspect("a")["Config"]["Labels"] == {"k": "v", "solo": ""}


def test_networks_long_form(weft):
    weft("network", "create", "--subnet", "10.5.0.0/24", "web")
    weft.start("a", "--network", "name=web,ip=10.5.0.44,alias=x,mac-address=02:00:00:00:00:44")
    endpoint = weft.endpoint("a", "web")
    assert endpoint["IPAddress"] == "10.5.0.44"
    assert endpoint["MacAddress"] == "02:00:00:00:00:44"
    assert "x" in endpoint["Aliases"]


# ---- ps, inspect ----


def test_ps(weft):
    weft.start("a")
    weft.start("b", command=("sh", "-c", "exit 4"))
    weft("wait", "b")
    assert weft("ps", "--format", "{{.Names}}") == "a"
    listed = [json.loads(row) for row in weft("ps", "-a", "--format", "json").splitlines()]
    assert {row["Names"]: row["State"] for row in listed} == {"a": "running", "b": "exited"}
    assert "Exited (4)" in weft("ps", "-a")
    assert weft("ps", "-a", "-f", "exited=4", "--format", "{{.Names}}") == "b"
    assert weft("ps", "-a", "-f", "network=bridge", "-f", "status=running", "-q") == (
        weft.inspect("a")["Id"][:12]
    )


def test_ids_names_and_prefixes(weft):
    container = weft.start("a")
    for ref in ("a", container, container[:12], container[:3]):
        assert weft.inspect(ref)["Id"] == container
    assert weft("inspect", "-f", "{{.State.Status}}", container[:5]) == "running"


def test_an_ambiguous_prefix_is_no_reference(weft):
    first: dict[str, str] = {}
    for number in range(17):
        created = weft.daemon.post(f"/containers/create?name=c{number}", {"Cmd": ["true"]}, 201)
        digit = created.json["Id"][0]
        if digit in first:
            weft.fails("inspect", "--type", "container", digit, says=digit)
            return
        first[digit] = created.json["Id"]
    raise AssertionError("seventeen ids with sixteen first digits")


# ---- logs, wait, stop, kill ----


def test_logs(weft):
    weft.start("a", command=("sh", "-c", "echo one; echo two >&2; sleep 0.2; printf three"))
    weft("wait", "a")
    result = weft.attempt("logs", "a")
    assert (result.out, result.err) == ("one\nthree", "two\n")
    assert weft("logs", "-n", "1", "a") == "three"


def test_logs_follow(weft):
    weft.start("a", command=("sh", "-c", "while [ ! -e /go ]; do sleep 0.05; done; echo went"))
    child = weft.popen("logs", "-f", "a", stdout=-1)
    weft.exec("a", "touch", "/go")
    assert child.stdout.readline() == "went\n"
    assert child.wait(10) == 0


def test_wait(weft):
    weft.start("a", command=("sh", "-c", "sleep 0.5; exit 6"))
    weft.start("b", command=("false",))
    assert weft("wait", "a", "b").split() == ["6", "1"]


def test_stop_asks_first(weft):
    weft.start("polite", command=("sh", "-c", "trap 'exit 5' TERM; while :; do sleep 0.05; done"))
    weft.exec("polite", "true")
    started = time.monotonic()
    assert weft("stop", "polite") == "polite"
    assert time.monotonic() - started < 5
    assert weft.inspect("polite")["State"]["ExitCode"] == 5


def test_stop_insists(weft):
    weft.start("deaf", command=("sh", "-c", "trap '' TERM; while :; do sleep 0.05; done"))
    weft.exec("deaf", "true")
    started = time.monotonic()
    weft("stop", "-t", "1", "deaf")
    assert 0.9 < time.monotonic() - started < 5
    assert weft.inspect("deaf")["State"]["ExitCode"] == 137


def test_stop_signal(weft):
    script = "trap 'exit 8' USR1; while :; do sleep 0.05; done"
    weft.start("a", "--stop-signal", "USR1", command=("sh", "-c", script))
    weft.exec("a", "true")
    weft("stop", "a")
    assert weft.inspect("a")["State"]["ExitCode"] == 8


def test_kill_with_a_signal(weft):
    script = "trap 'echo caught' HUP; while :; do sleep 0.05; done"
    weft.start("a", command=("sh", "-c", script))
    weft.exec("a", "true")
    weft("kill", "-s", "HUP", "a")
    weft.wait_for_log("a", "caught")
    weft("kill", "a")
    assert weft("wait", "a") == str(128 + signal.SIGKILL)


def test_start_and_stop_are_idempotent(weft):
    weft.start("a")
    assert weft("start", "a") == "a"
    weft("kill", "a")
    weft("wait", "a")
    assert weft("stop", "a") == "a"


def test_restart(weft):
    weft.start("a", command=("sh", "-c", "trap 'exit 0' TERM; while :; do sleep 0.05; done"))
    before = weft.pid("a")
    weft("restart", "a")
    assert weft.pid("a") not in (0, before)
    weft.ping("a", "172.17.0.1")


def test_rm(weft):
    before = whole(weft.daemon)
    weft.start("site")
    weft("kill", "site")
    weft("wait", "site")
    assert weft("rm", "site") == "site"
    weft.fails("inspect", "site", says="site")
    assert_unchanged(weft.daemon, before)


# ---- exec ----


def test_exec(weft):
    weft.start("a", "-e", "FROM=run")
    assert weft.exec("a", "sh", "-c", "echo $FROM") == "run"
    assert weft("exec", "-e", "X=1", "-w", "/usr", "a", "sh", "-c", "echo $X $PWD") == "1 /usr"
    assert weft("exec", "-u", "65534", "a", "id", "-u") == "65534"
    assert weft("exec", "-i", "a", "cat", stdin="through\n") == "through"
    result = weft.attempt("exec", "a", "sh", "-c", "echo no >&2; exit 5")
    assert (result.status, result.err) == (5, "no\n")
    assert weft.attempt("exec", "a", "no-such-command").status == 127
    assert weft.attempt("exec", "a", "/etc/passwd").status == 126


def test_exec_detached(weft):
    weft.start("a")
    weft("exec", "-d", "a", "touch", "/made")
    eventually(lambda: weft.attempt("exec", "a", "test", "-e", "/made").status == 0)


def test_exec_is_in_the_containers_namespaces(weft):
    weft.start("a")
    assert weft.exec("a", "hostname") == weft.inspect("a")["Config"]["Hostname"]
    assert weft.address("a") in weft.exec("a", "ip", "addr")


def test_a_servers_story(weft, host):
    """The README's first minute."""
    weft("network", "create", "web")
    weft.start("site", "--network", "web", command=("/usr/bin/python3", "-m", "http.server", "80"))
    fetch = "import sys, urllib.request as u; print(u.urlopen(sys.argv[1], timeout=5).status)"
    url = f"http://{weft.address('site', 'web')}/etc/"

    def answers() -> bool:
        result = weft.attempt("run", "--rm", "--network", "web", "--", *python(fetch, url))
        return result.out == "200\n"

    eventually(answers)
