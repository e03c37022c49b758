# SPDX-License-Identifier: Apache-2.0
"""The weft command against a stand-in daemon: what it asks for, what it prints, how it exits."""

import fcntl
import json
import os
import pty
import re
import select
import signal
import socket
import struct
import subprocess
import termios
import threading
import time
from pathlib import Path

import pytest

from fake_weftd import UPGRADED, FakeWeftd, chunked, frame, reply

ROOT = Path(__file__).parents[2]
WEFT = os.environ.get("WEFT") or str(Path(os.environ.get("WEFT_BUILD", ROOT / "build")) / "weft")

ID = "0123456789abcdef" * 4
SHORT = ID[:12]


@pytest.fixture
def daemon(tmp_path):
    fake = FakeWeftd(str(tmp_path / "weft.sock"))
    yield fake
    fake.close()


@pytest.fixture
def weft(daemon):
    def run(*args, status=0, stdin=None, env=None, **more):
        done = subprocess.run([WEFT, *args], input=stdin, capture_output=True, text=True,
                              timeout=20, stdin=None if stdin is not None else subprocess.DEVNULL,
                              env={**os.environ, "TZ": "UTC", "LC_ALL": "C.UTF-8",
                                   "WEFT_HOST": f"unix://{daemon.path}", **(env or {})}, **more)
        assert done.returncode == status, (done.returncode, done.stdout, done.stderr)
        return done

    return run


def table(text):
    return [re.split(r" {3,}", line.strip()) for line in text.splitlines()]


def fails(done):
    """The sentence of a failure: one line, from weft."""
    assert done.stderr.startswith("weft: ") and done.stderr.count("\n") == 1, done.stderr
    return done.stderr[len("weft: "):-1]


# Finding commands, options, the daemon


def test_no_command_shows_help(weft, daemon):
    out = weft().stdout
    assert out.startswith("Usage: weft [OPTIONS] COMMAND\n")
    assert weft("--help").stdout == out
    assert daemon.requests == []


def commands(weft):
    listing = weft().stdout.split("\nCommands:\n")[1].split("\nOptions:\n")[0]
    return re.findall(r"^  ([a-z]+(?: [a-z]+)?)  ", listing, re.M)


def test_every_command_has_help(weft):
    names = commands(weft)
    assert len(names) == 35
    for name in names:
        out = weft(*name.split(), "--help").stdout
        assert out.startswith(f"Usage: weft {name}")
        assert "\nExample:\n  weft " in out
        assert all(len(line) <= 80 for line in out.splitlines() if "weft " not in line), name


def test_manual_tells_of_every_command_and_option(weft):
    manual = (ROOT / "man" / "weft.1").read_text()
    for name in commands(weft):
        assert f"\n.It Cm {name}" in manual, name
        out = weft(*name.split(), "--help").stdout
        for option in re.findall(r"^ +(?:-., )?--([a-z0-9-]+)", out, re.M):
            assert re.search(rf"Fl -{option}\b", manual), (name, option)


def test_every_command_refuses_unknown_options(weft, daemon):
    for name in commands(weft):
        done = weft(*name.split(), "--frobnicate", status=125 if name == "run" else 1)
        assert fails(done) == f"unknown option --frobnicate. See 'weft {name} --help'."
    assert daemon.requests == []


def test_groups(weft):
    assert "network prune" in weft("network").stdout
    assert weft("network", "--help").stdout == weft("network").stdout
    assert "ps" not in weft("network").stdout
    assert fails(weft("network", "frob", status=1)) == \
        "unknown command \"network frob\". See 'weft network --help'."


def test_unknown_command(weft):
    assert fails(weft("frob", status=1)) == "unknown command \"frob\". See 'weft --help'."
    assert fails(weft("--frob", status=1)) == "unknown option --frob. See 'weft --help'."


@pytest.mark.parametrize("line, sentence", [
    ("rm", "missing CONTAINER. See 'weft rm --help'."),
    ("exec web", "missing COMMAND. See 'weft exec --help'."),
    ("network connect web", "missing CONTAINER. See 'weft network connect --help'."),
    ("network create a b", "unexpected operand \"b\". See 'weft network create --help'."),
    ("ps web", "unexpected operand \"web\". See 'weft ps --help'."),
    ("netns frob", "unexpected operand \"frob\". See 'weft netns ls --help'."),
    ("dns lookup", "missing NAME. See 'weft dns lookup --help'."),
    ("dns frob", "unknown command \"dns frob\". See 'weft dns --help'."),
    ("dns log a b", "unexpected operand \"b\". See 'weft dns log --help'."),
    ("publish web", "missing SPEC. See 'weft publish --help'."),
    ("unpublish web", "missing SPEC. See 'weft unpublish --help'."),
    ("port", "missing CONTAINER. See 'weft port --help'."),
    ("stop -t soon web", "--timeout takes a whole number, not \"soon\". See 'weft stop --help'."),
    ("logs --tail", "option --tail needs a value. See 'weft logs --help'."),
])
def test_usage_errors(weft, daemon, line, sentence):
    assert fails(weft(*line.split(), status=1)) == sentence
    assert daemon.requests == []


def test_empty_names(weft, daemon):
    assert fails(weft("explain", "", status=1)).startswith("empty NAME.")
    daemon.on("DELETE", "/containers/a", reply(204))
    done = weft("rm", "a", "", status=1)
    assert done.stdout == "a\n"
    assert fails(done) == "a name must not be empty"


def test_run_usage_exits_125(weft):
    assert fails(weft("run", status=125)) == "missing COMMAND. See 'weft run --help'."
    assert fails(weft("run", "--network", status=125)).startswith("option --network needs a value")


def test_version_option(weft):
    assert re.fullmatch(r"weft version \d+\.\d+\.\d+\n", weft("--version").stdout)


def test_no_daemon(weft, tmp_path):
    gone = f"unix://{tmp_path}/gone"
    sentence = f"cannot connect to weftd at {tmp_path}/gone: No such file or directory. " \
               "Is it running?"
    assert fails(weft("ps", status=1, env={"WEFT_HOST": gone})) == sentence
    assert fails(weft("--host", gone, "rm", "a", "b", status=1)) == sentence
    assert fails(weft("-H", gone, "run", "true", status=125)) == sentence


def test_bad_host(weft):
    assert fails(weft("-H", "tcp://1.2.3.4", "ps", status=1)) == \
        'host "tcp://1.2.3.4" is not of the form unix:///path'
    assert "too long" in fails(weft("-H", "unix:///" + "x" * 200, "ps", status=1))


def test_daemon_errors_are_shown(weft, daemon):
    daemon.on("GET", "/networks", reply(500, {"message": "the disk is full"}))
    assert fails(weft("network", "ls", status=1)) == "the disk is full"
    daemon.on("GET", "/networks", reply(502, "<html>"))
    assert fails(weft("network", "ls", status=1)) == "weftd answered with the HTTP status 502"


@pytest.mark.parametrize("answer, words", [
    (b"SSH-2.0-OpenSSH\r\n\r\n", "does not speak HTTP"),
    (b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n[]", "before its answer ended"),
    (b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n[]", "Content-Length"),
    (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", "chunk without a size"),
    (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n[,", "weftd's answer: invalid JSON"),
    (b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 20000, "header that is too long"),
    (b"", "before its answer ended"),
], ids=["ssh", "short body", "no length", "no chunk size", "no JSON", "long header", "nothing"])
def test_broken_daemon(weft, daemon, answer, words):
    def break_off(conn, _):
        conn.sendall(answer)
        conn.shutdown(socket.SHUT_RDWR)

    daemon.on("GET", "/networks", break_off)
    assert words in fails(weft("network", "ls", status=1))


@pytest.mark.parametrize("size", [1, 2, 7, 1000])
def test_answers_may_arrive_in_pieces(weft, daemon, size):
    networks = [{"Id": ID, "Name": f"n{i}", "Driver": "bridge"} for i in range(20)]
    text = json.dumps(networks).encode()
    whole = chunked([text[i:i + 100] for i in range(0, len(text), 100)])

    def trickle(conn, _):
        conn.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1)
        for i in range(0, len(whole), size):
            conn.sendall(whole[i:i + size])

    daemon.on("GET", "/networks", trickle)
    assert weft("network", "ls", "--format", "{{.Name}}").stdout.split() == \
        [n["Name"] for n in networks]


def test_connection_is_kept_and_renewed(weft, daemon):
    for name in "abc":
        daemon.on("DELETE", f"/networks/{name}",
                  reply(204, headers=["Connection: close"] if name == "b" else []))
    weft("network", "rm", "a", "b", "c")
    assert [r.connection for r in daemon.requests] == [1, 1, 2]


def test_full_disk_is_noticed(weft, daemon):
    daemon.on("GET", "/networks", [])
    with open("/dev/full", "w") as full:
        done = subprocess.run([WEFT, "network", "ls"], stdout=full, stderr=subprocess.PIPE,
                              env={"WEFT_HOST": f"unix://{daemon.path}"}, text=True)
    assert done.returncode == 1
    assert "No space left" in done.stderr


# Networks


def test_network_create(weft, daemon):
    daemon.on("POST", "/networks/create", reply(201, {"Id": ID, "Warning": ""}))
    assert weft("network", "create", "web").stdout == f"{ID}\n"
    assert daemon.requests[0].body == {"Name": "web", "Driver": "bridge",
                                       "IPAM": {"Driver": "default"}}


def test_network_create_with_everything(weft, daemon):
    daemon.on("POST", "/networks/create", reply(201, {"Id": ID, "Warning": "slow"}))
    done = weft("network", "create", "-d", "macvlan", "--ipv6", "--ipv4=false", "--internal",
                "--attachable", "--label", "a=1", "--label", "b", "-o", "parent=eth0",
                "--opt=com.docker.network.driver.mtu=1400", "--ipam-driver", "x", "--ipam-opt",
                "k=v", "--subnet", "10.5.0.0/16,fd00::/64", "--subnet", "10.6.0.0/16",
                "--gateway", "fd00::1", "--gateway", "10.6.0.1", "--ip-range", "10.5.1.0/24",
                "--aux-address", "r1=10.5.0.9", "--aux-address", "r2=10.5.0.10", "web")
    assert done.stderr == "WARNING: slow\n"
    assert daemon.requests[0].body == {
        "Name": "web", "Driver": "macvlan", "EnableIPv4": False, "EnableIPv6": True,
        "Internal": True, "Attachable": True, "Labels": {"a": "1", "b": ""},
        "Options": {"parent": "eth0", "com.docker.network.driver.mtu": "1400"},
        "IPAM": {"Driver": "x", "Options": {"k": "v"}, "Config": [
            {"Subnet": "10.5.0.0/16", "IPRange": "10.5.1.0/24",
             "AuxiliaryAddresses": {"r1": "10.5.0.9", "r2": "10.5.0.10"}},
            {"Subnet": "fd00::/64", "Gateway": "fd00::1"},
            {"Subnet": "10.6.0.0/16", "Gateway": "10.6.0.1"}]}}


def test_network_create_host_dns(weft, daemon):
    daemon.on("POST", "/networks/create", reply(201, {"Id": ID, "Warning": ""}))
    weft("network", "create", "--host-dns", "-o", "a=b", "web")
    assert daemon.requests[0].body["Options"] == {"a": "b", "weft.host_dns": "true"}
    weft("network", "create", "--host-dns=false", "web")
    assert "Options" not in daemon.requests[1].body


@pytest.mark.parametrize("options, sentence", [
    ("--aux-address x", '--aux-address takes KEY=VALUE, not "x"'),
    ("--aux-address r=10.0.0.1", "no --subnet contains --aux-address r=10.0.0.1"),
    ("--aux-address r=x --subnet 10.0.0.0/8", '--aux-address r: "x" is not an IP address'),
    ("--gateway 10.0.0.1", "no --subnet contains --gateway 10.0.0.1"),
    ("--subnet 10.0.0.0/8 --gateway 10.0.0.1 --gateway 10.0.0.2",
     "--gateway 10.0.0.1 and 10.0.0.2 are of the same subnet"),
    ("--subnet 10.0.0.0/8 --ip-range 10.1.0.0/16 --ip-range 10.2.0.0/16",
     "--ip-range 10.1.0.0/16 and 10.2.0.0/16 are of the same subnet"),
    ("--subnet 10.0.0.0/8 --ip-range 11.1.0.0/16", "no --subnet contains --ip-range 11.1.0.0/16"),
    ("--subnet 10.0.0.0/8 --subnet 10.1.0.0/16", "subnets 10.0.0.0/8 and 10.1.0.0/16 overlap"),
    ("--opt =x", '--opt takes KEY=VALUE, not "=x"'),
])
def test_network_create_local_checks(weft, daemon, options, sentence):
    assert fails(weft("network", "create", *options.split(), "web", status=1)) == sentence
    assert daemon.requests == []


def test_network_create_says_which_option_is_wrong(weft):
    for option in "--subnet", "--ip-range", "--gateway":
        done = weft("network", "create", "--subnet", "10.0.0.0/8", option, "nonsense", "web",
                    status=1)
        assert fails(done).startswith(f"{option}: ")


NETWORKS = [
    {"Name": "web", "Id": ID, "Created": "2026-01-02T03:04:05.6Z", "Scope": "local",
     "Driver": "bridge", "EnableIPv4": True, "EnableIPv6": False, "Internal": False,
     "Labels": {"a": "1", "b": ""}},
    {"Name": "none", "Id": "f" * 64, "Created": "2026-01-02T03:04:05Z", "Scope": "local",
     "Driver": "null", "EnableIPv4": True, "EnableIPv6": True, "Internal": True, "Labels": {}},
]


def test_network_ls(weft, daemon):
    daemon.on("GET", "/networks", NETWORKS)
    assert weft("network", "ls").stdout == (
        "NETWORK ID     NAME   DRIVER   SCOPE\n"
        f"{SHORT}   web    bridge   local\n"
        "ffffffffffff   none   null     local\n")
    assert weft("network", "list", "-q").stdout == f"{SHORT}\nffffffffffff\n"
    assert weft("network", "ls", "-q", "--no-trunc").stdout == f"{ID}\n{'f' * 64}\n"
    assert weft("network", "ls", "--format", "table").stdout == weft("network", "ls").stdout
    assert weft("network", "ls", "--format", r"{{.Name}}\t{{.Labels}}").stdout == \
        "web\ta=1,b=\nnone\t\n"
    assert table(weft("network", "ls", "--format", r"table {{.ID}}\t{{.Internal}}").stdout) == \
        [["NETWORK ID", "INTERNAL"], [SHORT, "false"], ["ffffffffffff", "true"]]
    first = json.loads(weft("network", "ls", "--format", "json").stdout.splitlines()[0])
    assert first == {"ID": SHORT, "Name": "web", "Driver": "bridge", "Scope": "local",
                     "IPv4": "true", "IPv6": "false", "Internal": "false", "Labels": "a=1,b=",
                     "CreatedAt": "2026-01-02 03:04:05.6 +0000 UTC"}


def test_empty_list_has_headings(weft, daemon):
    daemon.on("GET", "/networks", [])
    assert weft("network", "ls").stdout == "NETWORK ID   NAME   DRIVER   SCOPE\n"
    assert weft("network", "ls", "-q").stdout == ""


def test_filters(weft, daemon):
    daemon.on("GET", "/networks", [])
    weft("network", "ls", "-f", "name=a", "--filter", "name=b", "-f", "label=k=v")
    assert json.loads(daemon.requests[0].query["filters"]) == \
        {"name": {"a": True, "b": True}, "label": {"k=v": True}}
    assert fails(weft("network", "ls", "-f", "x", status=1)) == \
        '--filter takes KEY=VALUE, not "x"'


def test_bad_format(weft, daemon):
    daemon.on("GET", "/networks", NETWORKS)
    assert fails(weft("network", "ls", "--format", "{{.Nope}}", status=1)) == \
        "format: there is no field .Nope"
    assert fails(weft("network", "ls", "--format", "{{if .Name}}{{end}}", status=1)) == \
        'format: "if" is not supported'


def test_network_inspect(weft, daemon):
    daemon.on("GET", "/networks/web", NETWORKS[0])
    daemon.on("GET", "/networks/gone", reply(404, {"message": "network gone not found"}))
    assert json.loads(weft("network", "inspect", "web").stdout) == NETWORKS[:1]
    assert weft("network", "inspect", "web").stdout.startswith('[\n    {\n        "Name": "web",')
    done = weft("network", "inspect", "gone", "web", status=1)
    assert json.loads(done.stdout) == NETWORKS[:1]
    assert fails(done) == "network gone not found"
    assert json.loads(weft("network", "inspect", "gone", status=1).stdout) == []
    assert weft("network", "inspect", "-f", "{{.ID}} {{index .Labels \"a\"}}", "web").stdout == \
        f"{ID} 1\n"
    assert json.loads(weft("network", "inspect", "-f", "json", "web").stdout) == NETWORKS[0]


def test_network_rm(weft, daemon):
    daemon.on("DELETE", "/networks/a", reply(204))
    daemon.on("DELETE", "/networks/used", reply(403, {"message": "network used is in use"}))
    daemon.on("DELETE", "/networks/gone", reply(404, {"message": "network gone not found"}))
    done = weft("network", "rm", "used", "a", status=1)
    assert done.stdout == "a\n"
    assert fails(done) == "network used is in use"
    assert fails(weft("network", "remove", "gone", status=1)) == "network gone not found"
    done = weft("network", "rm", "-f", "gone", "a")
    assert (done.stdout, done.stderr) == ("a\n", "")
    weft("network", "rm", "-f", "used", status=1)


def test_names_are_encoded(weft, daemon):
    daemon.on("DELETE", "/networks/a/b?c d%é", reply(204))
    weft("network", "rm", "a/b?c d%é")


def test_network_connect(weft, daemon):
    daemon.on("POST", "/networks/web/connect", reply(200))
    assert weft("network", "connect", "web", "db").stdout == ""
    assert daemon.requests[-1].body == {"Container": "db", "EndpointConfig": {}}
    weft("network", "connect", "--ip", "10.5.0.8", "--ip6", "fd00::8", "--alias", "a,b",
         "--alias", "c", "--link-local-ip", "169.254.1.1", "--driver-opt", "k=v",
         "--driver-opt", '"s=x=1,y=2"', "--gw-priority", "-3", "--link", "x:y",
         "--mac-address", "02:42:0a:05:00:08", "web", "db")
    assert daemon.requests[-1].body == {"Container": "db", "EndpointConfig": {
        "IPAMConfig": {"IPv4Address": "10.5.0.8", "IPv6Address": "fd00::8",
                       "LinkLocalIPs": ["169.254.1.1"]},
        "Aliases": ["a", "b", "c"], "Links": ["x:y"], "GwPriority": -3,
        "MacAddress": "02:42:0a:05:00:08", "DriverOpts": {"k": "v", "s": "x=1,y=2"}}}
    weft("network", "connect", "--ingress-rate", "10mbit", "--ingress-burst", "64k",
         "--egress-rate=1mbit", "--egress-burst=32k", "--driver-opt", "vlan=5", "web", "db")
    assert daemon.requests[-1].body == {"Container": "db", "EndpointConfig": {"DriverOpts": {
        "vlan": "5", "weft.ingress_rate": "10mbit", "weft.ingress_burst": "64k",
        "weft.egress_rate": "1mbit", "weft.egress_burst": "32k"}}}


def test_network_disconnect(weft, daemon):
    daemon.on("POST", "/networks/web/disconnect", reply(200))
    weft("network", "disconnect", "web", "db")
    assert daemon.requests[-1].body == {"Container": "db"}
    weft("network", "disconnect", "-f", "web", "db")
    assert daemon.requests[-1].body == {"Container": "db", "Force": True}


def test_network_prune(weft, daemon):
    daemon.on("POST", "/networks/prune", {"NetworksDeleted": ["a", "b"]})
    assert weft("network", "prune", "-f").stdout == "Deleted Networks:\na\nb\n\n"
    done = weft("network", "prune", "--filter", "until=24h", stdin="y\n")
    assert "Continue? [y/N]" in done.stderr
    assert daemon.requests[-1].query == {"filters": '{"until":{"24h":true}}'}
    before = len(daemon.requests)
    assert weft("network", "prune", stdin="n\n").stdout == ""
    assert weft("network", "prune", stdin="").stdout == ""
    assert len(daemon.requests) == before
    daemon.on("POST", "/networks/prune", {"NetworksDeleted": None})
    assert weft("network", "prune", "-f").stdout == ""


SCRIPT = "ip link add dev veth0\n"


@pytest.mark.parametrize("line, method, path", [
    ("network create --dry-run web", "POST", "/networks/create"),
    ("network rm --dry-run web", "DELETE", "/networks/web"),
    ("network connect --dry-run web db", "POST", "/networks/web/connect"),
    ("network disconnect --dry-run web db", "POST", "/networks/web/disconnect"),
    ("run --dry-run true", "POST", "/containers/create"),
    ("attach --dry-run --pid 1 --network web", "POST", "/weft/attach"),
    ("detach --dry-run lab", "POST", "/weft/detach"),
    ("publish --dry-run web 80", "POST", "/weft/publish"),
    ("unpublish --dry-run web 80", "POST", "/weft/unpublish"),
    ("limit --dry-run web --none", "POST", "/weft/limits"),
])
def test_dry_run(weft, daemon, line, method, path):
    daemon.on(method, path, reply(200, SCRIPT, "text/plain"))
    assert weft(*line.split()).stdout == SCRIPT
    assert daemon.lines == [f"{method} {path}"]
    assert daemon.requests[0].query == {"dry-run": "1"}


# Containers


@pytest.mark.parametrize("line, query", [
    ("start", {}), ("stop", {}), ("stop -t 3 -s INT", {"t": "3", "signal": "INT"}),
    ("stop --time=-1", {"t": "-1"}), ("restart --timeout 0", {"t": "0"}), ("kill", {}),
    ("kill -s HUP", {"signal": "HUP"}),
])
def test_verbs(weft, daemon, line, query):
    verb, *options = line.split()
    daemon.on("POST", f"/containers/a/{verb}", reply(204))
    daemon.on("POST", f"/containers/b/{verb}", reply(409, {"message": "b does not want to"}))
    daemon.on("POST", f"/containers/c/{verb}", reply(304))
    done = weft(verb, *options, "a", "b", "c", status=1)
    assert done.stdout == "a\nc\n"
    assert fails(done) == "b does not want to"
    assert all(r.query == query for r in daemon.requests)
    assert all(r.body is None for r in daemon.requests)


def test_rm(weft, daemon):
    daemon.on("DELETE", "/containers/a", reply(204))
    daemon.on("DELETE", "/containers/gone", reply(404, {"message": "No such container: gone"}))
    assert weft("rm", "a").stdout == "a\n"
    assert daemon.requests[-1].query == {}
    assert fails(weft("rm", "gone", status=1)) == "No such container: gone"
    done = weft("rm", "-fv", "gone", "a")
    assert (done.stdout, done.stderr) == ("a\n", "")
    assert daemon.requests[-1].query == {"force": "1", "v": "1"}


def test_wait(weft, daemon):
    daemon.on("POST", "/containers/a/wait", {"StatusCode": 0})
    daemon.on("POST", "/containers/b/wait", {"StatusCode": 137})
    assert weft("wait", "a", "b").stdout == "0\n137\n"


def container(**more):
    return {"Id": ID, "Names": ["/web"], "Image": "host", "Command": "sleep 100",
            "Created": int(time.time()) - 200, "State": "running", "Status": "Up 3 minutes",
            "Ports": [], "Labels": {}, "NetworkSettings": {"Networks": {"bridge": {}, "web": {}}},
            **more}


def test_ps(weft, daemon):
    daemon.on("GET", "/containers/json", [container()])
    assert table(weft("ps").stdout) == [
        ["CONTAINER ID", "IMAGE", "COMMAND", "CREATED", "STATUS", "PORTS", "NAMES"],
        [SHORT, "host", '"sleep 100"', "3 minutes ago", "Up 3 minutes", "web"]]
    assert daemon.requests[-1].query == {}
    assert weft("ps", "-aq").stdout == f"{SHORT}\n"
    assert daemon.requests[-1].query == {"all": "1"}
    weft("ps", "-n", "2", "-f", "status=exited")
    assert daemon.requests[-1].query == {"limit": "2", "filters": '{"status":{"exited":true}}'}
    weft("ps", "--latest")
    assert daemon.requests[-1].query == {"limit": "1"}


def test_ps_json(weft, daemon):
    daemon.on("GET", "/containers/json", [container(Created=1767323045, Ports=[
        {"IP": "0.0.0.0", "PrivatePort": 80, "PublicPort": 8080, "Type": "tcp"},
        {"IP": "::", "PrivatePort": 80, "PublicPort": 8080, "Type": "tcp"},
        {"PrivatePort": 53, "Type": "udp"}], Labels={"a": "1"})])
    row = json.loads(weft("ps", "--format", "json", "--no-trunc").stdout)
    assert row.pop("RunningFor").endswith(" ago")
    assert row == {
        "ID": ID, "Image": "host", "Command": '"sleep 100"', "State": "running",
        "CreatedAt": "2026-01-02 03:04:05 +0000 UTC", "Status": "Up 3 minutes", "Names": "web",
        "Ports": "53/udp, 0.0.0.0:8080->80/tcp, [::]:8080->80/tcp", "Networks": "bridge,web",
        "Labels": "a=1", "Mounts": "", "Size": "0B", "LocalVolumes": "0"}


@pytest.mark.parametrize("command, shown", [
    ("x" * 20, '"' + "x" * 20 + '"'),
    ("x" * 21, '"' + "x" * 19 + '…"'),
    ("ä" * 25, '"' + "ä" * 19 + '…"'),
])
def test_ps_cuts_commands(weft, daemon, command, shown):
    daemon.on("GET", "/containers/json", [container(Command=command)])
    assert weft("ps", "--format", "{{.Command}}").stdout == shown + "\n"
    assert shown in weft("ps").stdout
    assert weft("ps", "--no-trunc", "--format", "{{.Command}}").stdout == f'"{command}"\n'


@pytest.mark.parametrize("age, words", [
    (0, "Less than a second"), (1, "1 second"), (59, "59 seconds"), (60, "About a minute"),
    (120, "2 minutes"), (3599, "59 minutes"), (3600, "About an hour"), (5400, "2 hours"),
    (47 * 3600, "47 hours"), (48 * 3600, "2 days"), (14 * 86400, "2 weeks"),
    (60 * 86400, "2 months"), (800 * 86400, "2 years"),
])
def test_ages(weft, daemon, age, words):
    daemon.on("GET", "/containers/json",
              lambda conn, _: conn.sendall(reply(200, [container(Created=int(time.time()) - age)])))
    while time.time() % 1 > 0.7:  # not across the end of a second
        time.sleep(0.05)
    assert weft("ps", "--format", "{{.RunningFor}}").stdout == f"{words} ago\n"


def test_inspect(weft, daemon):
    daemon.on("GET", "/containers/web/json", {"Id": ID, "Name": "/web"})
    daemon.on("GET", "/containers/net/json", reply(404, {"message": "No such container: net"}))
    daemon.on("GET", "/networks/net", {"Id": ID, "Name": "net"})
    daemon.on("GET", "/networks/web", {"Id": ID, "Name": "a network called web"})
    daemon.on("GET", "/containers/bad/json", reply(500, {"message": "broken"}))
    out = json.loads(weft("inspect", "web", "net").stdout)
    assert [o["Name"] for o in out] == ["/web", "net"]
    assert weft("inspect", "-f", "{{.Name}}", "--type", "network", "web").stdout == \
        "a network called web\n"
    assert fails(weft("inspect", "--type", "container", "net", status=1)) == \
        "No such container: net"
    assert fails(weft("inspect", "nope", status=1)) == "no container or network is called nope"
    assert fails(weft("inspect", "bad", status=1)) == "broken"
    assert fails(weft("inspect", "--type", "image", "web", status=1)) == \
        '--type is container or network, not "image"'


def test_logs(weft, daemon):
    text = frame(1, b"out\n") + frame(2, b"err\n") + frame(1, b"more\n")
    daemon.on("GET", "/containers/web/logs",
              chunked([text[:5], text[5:]], "application/vnd.docker.multiplexed-stream"))
    done = weft("logs", "web")
    assert (done.stdout, done.stderr) == ("out\nmore\n", "err\n")
    assert daemon.requests[-1].query == {"stdout": "1", "stderr": "1"}
    weft("logs", "-ft", "-n", "5", "--since", "2026-01-02T03:04:05Z", "--until", "1.5", "web")
    assert daemon.requests[-1].query == {
        "stdout": "1", "stderr": "1", "follow": "1", "timestamps": "1", "tail": "5",
        "since": "1767323045.000000000", "until": "1.500000000"}


def test_logs_of_a_terminal(weft, daemon):
    daemon.on("GET", "/containers/web/logs",
              chunked([b"\x1b[1mraw"], "application/vnd.docker.raw-stream"))
    assert weft("logs", "web").stdout == "\x1b[1mraw"


@pytest.mark.parametrize("ago, seconds", [("10m", 600), ("1h30m", 5400), ("1.5s", 1.5),
                                          ("500ms", .5)])
def test_logs_since_a_while(weft, daemon, ago, seconds):
    daemon.on("GET", "/containers/web/logs", chunked([]))
    weft("logs", "--since", ago, "web")
    assert abs(time.time() - seconds - float(daemon.requests[-1].query["since"])) < 3


@pytest.mark.parametrize("text", ["soon", "10", "5x", "m", "", "-5m", "1h-3m", "0x10m"])
def test_logs_since_nonsense(weft, daemon, text):
    if text == "10":  # seconds since the epoch
        daemon.on("GET", "/containers/web/logs", chunked([]))
        weft("logs", "--since", text, "web")
    else:
        assert fails(weft("logs", "--since", text, "web", status=1)).startswith("--since takes")
        assert daemon.requests == []


# run


def serve_run(daemon, output=b"", status=0, start=reply(204)):
    """A daemon whose container writes output when it is started, and then ends."""
    started = threading.Event()

    def attach(conn, _):
        conn.sendall(UPGRADED)
        started.wait(10)
        conn.sendall(output)
        conn.shutdown(socket.SHUT_RDWR)

    def wait(conn, _):
        conn.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        started.wait(10)
        body = json.dumps({"StatusCode": status}).encode()
        conn.sendall(b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body))

    def start_it(conn, _):
        conn.sendall(start)
        started.set()

    daemon.on("POST", "/containers/create", reply(201, {"Id": ID, "Warnings": []}))
    daemon.on("POST", f"/containers/{ID}/attach", attach)
    daemon.on("POST", f"/containers/{ID}/wait", wait)
    daemon.on("POST", f"/containers/{ID}/start", start_it)
    return started


def test_run(weft, daemon):
    serve_run(daemon, frame(1, b"hello\n") + frame(2, b"oops\n"), status=42)
    done = weft("run", "echo", "-n", "hello", "--", "x", status=42)
    assert (done.stdout, done.stderr) == ("hello\n", "oops\n")
    assert daemon.lines == ["POST /containers/create", f"POST /containers/{ID}/attach",
                            f"POST /containers/{ID}/wait", f"POST /containers/{ID}/start"]
    create, attach, wait, start = daemon.requests
    assert create.body == {
        "Cmd": ["echo", "-n", "hello", "--", "x"], "AttachStdout": True, "AttachStderr": True,
        "HostConfig": {"NetworkMode": "default"}, "NetworkingConfig": {"EndpointsConfig": {}}}
    assert create.query == {}
    assert attach.query == {"stream": "1", "stdout": "1", "stderr": "1"}
    assert (attach.headers["connection"], attach.headers["upgrade"]) == ("Upgrade", "tcp")
    assert wait.query == {"condition": "next-exit"}
    assert create.connection == start.connection  # kept


def test_run_rm_waits_for_removal(weft, daemon):
    serve_run(daemon)
    weft("run", "--rm", "true")
    assert daemon.asked("POST", f"/containers/{ID}/wait")[0].query == {"condition": "removed"}
    assert daemon.requests[0].body["HostConfig"]["AutoRemove"] is True


def test_run_detached(weft, daemon):
    serve_run(daemon)
    assert weft("run", "-d", "--name", "web", "--", "sleep", "1").stdout == f"{ID}\n"
    assert daemon.lines == ["POST /containers/create", f"POST /containers/{ID}/start"]
    assert daemon.requests[0].query == {"name": "web"}
    assert daemon.requests[0].body["Cmd"] == ["sleep", "1"]
    assert "AttachStdout" not in daemon.requests[0].body
    assert daemon.connections == 1


def test_run_with_everything(weft, daemon, tmp_path):
    serve_run(daemon)
    (tmp_path / "env").write_text("# comment\n\nA=1\n  B=two words\nHOME\nUNSET_VARIABLE\n")
    weft("run", "-d", "-h", "host", "-e", "C=3", "-e", "HOME", "-e", "UNSET_VARIABLE",
         "--env-file", str(tmp_path / "env"), "-w", "/srv", "-u", "1000:1000", "-l", "a=1",
         "--label", "b", "--stop-signal", "INT", "--stop-timeout", "3", "--entrypoint", "/bin/sh",
         "--dns", "1.1.1.1", "--dns-search", "example", "--dns-option", "ndots:2",
         "--link", "db", "--link", "cache:redis",
         "--add-host", "x:10.0.0.1", "--add-host", "y=fd00::1", "--sysctl", "net.x=1",
         "--rootfs", str(tmp_path), "-v", "/a:/b:ro", "-v", "./c:/d", "--cap-add", "NET_ADMIN",
         "--cap-drop", "ALL", "--privileged", "--read-only", "--runtime", "crun", "cmd",
         env={"HOME": "/home/x"}, cwd=tmp_path)
    assert daemon.requests[0].body == {
        "Cmd": ["cmd"], "Entrypoint": ["/bin/sh"], "Hostname": "host", "WorkingDir": "/srv",
        "User": "1000:1000", "StopSignal": "INT", "StopTimeout": 3,
        "Env": ["A=1", "B=two words", "HOME=/home/x", "C=3", "HOME=/home/x"],
        "Labels": {"a": "1", "b": ""},
        "HostConfig": {
            "NetworkMode": "default", "Dns": ["1.1.1.1"], "DnsSearch": ["example"],
            "DnsOptions": ["ndots:2"], "Links": ["db", "cache:redis"], "ExtraHosts": ["x:10.0.0.1", "y:fd00::1"],
            "Sysctls": {"net.x": "1"}, "Annotations": {"weft.rootfs": str(tmp_path)},
            "Binds": ["/a:/b:ro", f"{tmp_path}/./c:/d"], "CapAdd": ["NET_ADMIN"],
            "CapDrop": ["ALL"], "Privileged": True, "ReadonlyRootfs": True, "Runtime": "crun"},
        "NetworkingConfig": {"EndpointsConfig": {}}}


def test_run_publishes(weft, daemon):
    serve_run(daemon)
    weft("run", "-d", "-p", "8080:80", "-p127.0.0.1::80", "--publish", "[::1]:5300-5301:53-54/udp",
         "-p", "9000-9010:443", "-P", "--expose", "90-91", "--expose=53/udp", "true")
    body = daemon.requests[0].body
    assert body["ExposedPorts"] == {"90/tcp": {}, "91/tcp": {}, "53/udp": {}}
    assert body["HostConfig"] == {
        "NetworkMode": "default", "PublishAllPorts": True, "PortBindings": {
            "80/tcp": [{"HostIp": "", "HostPort": "8080"}, {"HostIp": "127.0.0.1", "HostPort": ""}],
            "53/udp": [{"HostIp": "::1", "HostPort": "5300"}],
            "54/udp": [{"HostIp": "::1", "HostPort": "5301"}],
            "443/tcp": [{"HostIp": "", "HostPort": "9000-9010"}]}}


LONG = ("name=web,alias=a,alias=b,ip=10.5.0.8,ip6=fd00::8,mac-address=02:42:0a:05:00:08,"
        'link-local-ip=169.254.1.1,"driver-opt=k=1,2",gw-priority=5')
LONG_SETTINGS = {
    "IPAMConfig": {"IPv4Address": "10.5.0.8", "IPv6Address": "fd00::8",
                   "LinkLocalIPs": ["169.254.1.1"]},
    "Aliases": ["a", "b"], "MacAddress": "02:42:0a:05:00:08", "DriverOpts": {"k": "1,2"},
    "GwPriority": 5}


@pytest.mark.parametrize("options, mode, endpoints", [
    (["--network", "web"], "web", {}),
    (["--network", "host"], "host", {}),
    (["--network=container:db"], "container:db", {}),
    (["--network", "a", "--network", "b"], "a", {"a": {}, "b": {}}),
    (["--ip", "1.2.3.4"], "default", {"default": {"IPAMConfig": {"IPv4Address": "1.2.3.4"}}}),
    (["--network", LONG], "web", {"web": LONG_SETTINGS}),
    (["--net", "a", "--network", LONG], "a", {"a": {}, "web": LONG_SETTINGS}),
    (["--network", "web", "--network-alias", "x", "--net-alias", "y", "--ip6", "fd00::1",
      "--mac-address", "02:42:0a:05:00:08", "--link-local-ip", "fe80::1"], "web",
     {"web": {"IPAMConfig": {"IPv6Address": "fd00::1", "LinkLocalIPs": ["fe80::1"]},
              "Aliases": ["x", "y"], "MacAddress": "02:42:0a:05:00:08"}}),
    (["--network", "name=web", "--network", "b", "--ip", "10.5.0.8"], "web",
     {"web": {"IPAMConfig": {"IPv4Address": "10.5.0.8"}}, "b": {}}),
    (["--network", "web", "--network", "b", "--ingress-rate", "1mbit", "--driver-opt", "vlan=5"],
     "web", {"web": {"DriverOpts": {"vlan": "5", "weft.ingress_rate": "1mbit"}}, "b": {}}),
    (["--network", "name=web,driver-opt=vlan=5", "--ingress-burst", "1m", "--egress-rate", "2mbit",
      "--egress-burst", "3m"], "web",
     {"web": {"DriverOpts": {"vlan": "5", "weft.ingress_burst": "1m", "weft.egress_rate": "2mbit",
                             "weft.egress_burst": "3m"}}}),
])
def test_run_networks(weft, daemon, options, mode, endpoints):
    serve_run(daemon)
    weft("run", "-d", *options, "true")
    body = daemon.requests[0].body
    assert body["HostConfig"]["NetworkMode"] == mode
    assert body["NetworkingConfig"] == {"EndpointsConfig": endpoints}


@pytest.mark.parametrize("options, sentence", [
    (["--network", "a", "--network", "a"], "--network a is there twice"),
    (["--network", "name=a,ip=10.0.0.1", "--ip", "10.0.0.2"],
     "--ip says again what --network says"),
    (["--network", "name=a,alias=x", "--network-alias", "y"],
     "--network-alias says again what --network says"),
    (["--network", "name=a,driver-opt=x=1", "--driver-opt", "y=2"],
     "--driver-opt says again what --network says"),
    (["--network", "ip=10.0.0.1"], "--network ip=10.0.0.1 names no network"),
    (["--network", "name=a,color=red"], '--network does not know "color=red"'),
    (["--network", "a,ip=10.0.0.1"], '--network does not know "a"'),
    (["--network", "name=a,gw-priority=x"], '--gw-priority takes a whole number, not "x"'),
    (["--network", "name=a,driver-opt=x"], '--driver-opt takes KEY=VALUE, not "x"'),
    (["--sysctl", "net.x"], '--sysctl takes KEY=VALUE, not "net.x"'),
    (["--add-host", "x"], '--add-host takes NAME:ADDRESS, not "x"'),
    (["--add-host", ":1.1.1.1"], '--add-host takes NAME:ADDRESS, not ":1.1.1.1"'),
    (["-e", "=x"], '"=x" is no environment variable'),
    (["-p", "8080:"], '"8080:": there is no port of the container'),
    (["-p", "80", "--publish", "9-8:80"], '"9-8:80": range 9-8 is reversed'),
    (["--publish=::1:80:80"], '"::1:80:80": an IPv6 address needs brackets: [::1]'),
    (["--expose", "80:80"],
     '"80:80": this is for a port of the container alone: PORT[-END][/PROTOCOL]'),
    (["--expose", "70000"], '"70000": port 70000 is not between 1 and 65535'),
    (["--rootfs", "/nowhere"], "--rootfs /nowhere: No such file or directory"),
])
def test_run_local_checks(weft, daemon, options, sentence):
    assert fails(weft("run", *options, "true", status=125)) == sentence
    assert daemon.requests == []


def test_run_env_file_missing(weft, daemon):
    assert "/nowhere" in fails(weft("run", "--env-file", "/nowhere", "true", status=125))


def test_run_create_fails(weft, daemon):
    daemon.on("POST", "/containers/create", reply(409, {"message": "the name web is taken"}))
    assert fails(weft("run", "--name", "web", "true", status=125)) == "the name web is taken"


def test_run_warnings(weft, daemon):
    serve_run(daemon)
    daemon.on("POST", "/containers/create", reply(201, {"Id": ID, "Warnings": ["odd"]}))
    assert weft("run", "-d", "true").stderr == "WARNING: odd\n"


@pytest.mark.parametrize("message, status", [
    ('exec: "frob": executable file not found in $PATH', 127),
    ('exec: "/frob": stat /frob: no such file or directory', 127),
    ('exec: "/etc/passwd": permission denied', 126),
    ('exec: "/etc": is a directory', 126),
    ("network web has no free address", 125),
    ("network web not found", 125),
])
@pytest.mark.parametrize("detach", [[], ["-d"]])
def test_run_start_fails(weft, daemon, message, status, detach):
    serve_run(daemon, start=reply(400, {"message": message}))
    done = weft("run", *detach, "frob", status=status)
    assert fails(done) == message
    assert done.stdout == ""


def test_run_wait_reports_an_error(weft, daemon):
    serve_run(daemon)
    daemon.on("POST", f"/containers/{ID}/wait",
              {"StatusCode": 0, "Error": {"Message": "the monitor is gone"}})
    assert fails(weft("run", "true", status=125)) == "the monitor is gone"


def test_run_daemon_dies(weft, daemon):
    serve_run(daemon, frame(1, b"hel")[:9])
    assert "in the midst of output" in fails(weft("run", "true", status=125))


def test_run_large_output(weft, daemon):
    data = b"0123456789abcdef" * 4096
    serve_run(daemon, b"".join(frame(1, data) for _ in range(50)))
    assert len(weft("run", "yes").stdout) == 50 * len(data)


def start_weft(daemon, *args, **more):
    return subprocess.Popen([WEFT, *args], text=True, stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE, stdin=subprocess.DEVNULL,
                            env={**os.environ, "WEFT_HOST": f"unix://{daemon.path}"}, **more)


def until(condition):
    deadline = time.time() + 10
    while not condition():
        assert time.time() < deadline
        time.sleep(0.01)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_run_forwards_signals(daemon, number):
    """The container ends by the signal that weft gets."""
    killed = threading.Event()
    serve_run(daemon)

    def attach(conn, _):
        conn.sendall(UPGRADED)
        killed.wait(10)
        conn.shutdown(socket.SHUT_RDWR)

    def wait(conn, _):
        conn.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        killed.wait(10)
        conn.sendall(b'13\r\n{"StatusCode": 130}\r\n0\r\n\r\n')

    def kill(conn, _):
        conn.sendall(reply(204))
        killed.set()

    daemon.on("POST", f"/containers/{ID}/attach", attach)
    daemon.on("POST", f"/containers/{ID}/wait", wait)
    daemon.on("POST", f"/containers/{ID}/kill", kill)
    process = start_weft(daemon, "run", "sleep", "100")
    until(lambda: daemon.asked("POST", f"/containers/{ID}/start"))
    process.send_signal(number)
    assert process.communicate(timeout=10) == ("", "")
    assert process.returncode == 130
    assert daemon.asked("POST", f"/containers/{ID}/kill")[0].query == {"signal": number.name[3:]}


def test_run_gives_up_at_the_third_interrupt(daemon):
    serve_run(daemon)
    over = threading.Event()

    def attach(conn, _):
        conn.sendall(UPGRADED)
        over.wait(10)

    daemon.on("POST", f"/containers/{ID}/attach", attach)
    daemon.on("POST", f"/containers/{ID}/kill", reply(204))
    process = start_weft(daemon, "run", "sleep", "100")
    until(lambda: daemon.asked("POST", f"/containers/{ID}/start"))
    for n in 1, 2:
        process.send_signal(signal.SIGINT)
        until(lambda: len(daemon.asked("POST", f"/containers/{ID}/kill")) == n)
    process.send_signal(signal.SIGINT)
    assert f"interrupted 3 times: container {SHORT} is left to run" in process.communicate()[1]
    assert process.returncode == 125
    over.set()


# exec


def serve_exec(daemon, talk, code=0):
    """A daemon whose exec is what talk does with the hijacked connection."""
    def start(conn, _):
        conn.sendall(UPGRADED)
        talk(conn)
        conn.shutdown(socket.SHUT_RDWR)

    daemon.on("POST", "/containers/web/exec", reply(201, {"Id": "e1"}))
    daemon.on("POST", "/exec/e1/start", start)
    daemon.on("POST", "/exec/e1/resize", reply(200))
    daemon.on("GET", "/exec/e1/json", {"ExitCode": code, "Running": False})


def test_exec(weft, daemon):
    serve_exec(daemon, lambda conn: conn.sendall(frame(1, b"out") + frame(2, b"err")), code=3)
    done = weft("exec", "-e", "A=1", "-u", "me", "-w", "/srv", "--privileged", "web", "ls", "-d",
                status=3)
    assert (done.stdout, done.stderr) == ("out", "err")
    create, start, _ = daemon.requests
    assert create.body == {"Cmd": ["ls", "-d"], "Env": ["A=1"], "User": "me", "WorkingDir": "/srv",
                           "Privileged": True, "AttachStdout": True, "AttachStderr": True}
    assert start.body == {"Detach": False, "Tty": False}


def test_exec_detached(weft, daemon):
    serve_exec(daemon, None)
    daemon.on("POST", "/exec/e1/start", reply(200))
    assert weft("exec", "-d", "web", "true").stdout == ""
    assert daemon.requests[0].body == {"Cmd": ["true"], "Detach": True}
    assert daemon.requests[1].body == {"Detach": True, "Tty": False}
    assert daemon.lines[2:] == []


def test_exec_interactive_gets_our_input(weft, daemon):
    text = "line\n" * 100000  # more than fits into any buffer on the way

    def cat(conn):
        while data := conn.recv(65536):
            conn.sendall(frame(1, data))

    serve_exec(daemon, cat)
    assert weft("exec", "-i", "web", "cat", stdin=text).stdout == text
    assert daemon.requests[0].body["AttachStdin"] is True


def test_exec_process_that_does_not_read(weft, daemon):
    serve_exec(daemon, lambda conn: conn.sendall(frame(1, b"done")))
    assert weft("exec", "-i", "web", "true", stdin="x" * 1000000).stdout == "done"


def test_exec_fails(weft, daemon):
    daemon.on("POST", "/containers/web/exec", reply(409, {"message": "web does not run"}))
    assert fails(weft("exec", "web", "true", status=1)) == "web does not run"


def test_exec_without_a_terminal(weft, daemon):
    assert fails(weft("exec", "-it", "web", "sh", status=1)) == \
        "--tty: standard input is not a terminal"


def attributes(fd):
    return termios.tcgetattr(fd)[:4]


class Terminal:
    """weft on a terminal of its own."""

    def __init__(self, daemon, *args, size=(24, 80)):
        self.fd, self.child_fd = pty.openpty()
        self.resize(*size)
        self.before = attributes(self.child_fd)
        self.process = subprocess.Popen(
            [WEFT, *args], stdin=self.child_fd, stdout=self.child_fd, stderr=self.child_fd,
            start_new_session=True, env={"WEFT_HOST": f"unix://{daemon.path}"})

    def resize(self, rows, columns):
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def read(self, words):
        seen = b""
        while words not in seen:
            assert select.select([self.fd], [], [], 10)[0], seen
            seen += os.read(self.fd, 1000)
        return seen

    def end(self):
        """The exit status; the terminal is as it was."""
        status = self.process.wait(10)
        assert attributes(self.child_fd) == self.before
        os.close(self.fd)
        os.close(self.child_fd)
        return status


def shell(conn):
    conn.sendall(b"$ ")
    while (data := conn.recv(100)) not in (b"", b"\x04"):
        conn.sendall(b"<" + data + b">")
    conn.sendall(b"bye")


def test_exec_on_a_terminal(daemon):
    serve_exec(daemon, shell, code=7)
    terminal = Terminal(daemon, "exec", "-it", "web", "sh", size=(33, 101))
    terminal.read(b"$ ")
    assert attributes(terminal.child_fd) != terminal.before
    os.write(terminal.fd, b"\x03")  # raw: an interrupt is a byte, and there is no echo
    assert terminal.read(b">") == b"<\x03>"
    resizes = lambda: daemon.asked("POST", "/exec/e1/resize")
    assert resizes()[0].query == {"h": "33", "w": "101"}
    terminal.resize(50, 60)
    terminal.process.send_signal(signal.SIGWINCH)
    until(lambda: len(resizes()) == 2)
    assert resizes()[1].query == {"h": "50", "w": "60"}
    os.write(terminal.fd, b"\x04")
    terminal.read(b"bye")
    assert terminal.end() == 7
    assert daemon.requests[0].body["Tty"] is True


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_exec_leaves_the_terminal_right_when_killed(daemon, number):
    serve_exec(daemon, shell)
    terminal = Terminal(daemon, "exec", "-it", "web", "sh")
    terminal.read(b"$ ")
    terminal.process.send_signal(number)
    assert terminal.end() == 1


def test_exec_leaves_the_terminal_right_when_the_daemon_dies(daemon):
    serve_exec(daemon, shell)
    daemon.on("GET", "/exec/e1/json", lambda conn, _: conn.shutdown(socket.SHUT_RDWR))
    terminal = Terminal(daemon, "exec", "-it", "web", "sh")
    terminal.read(b"$ ")
    os.write(terminal.fd, b"\x04")
    assert terminal.end() == 1


# The daemon itself


def test_version(weft, daemon):
    daemon.on("GET", "/version", {"Version": "0.1.0", "ApiVersion": "1.48", "Os": "linux"})
    out = weft("version").stdout
    assert re.search(r"Client:\n Version: +0.1.0\n API version: +1.48\n", out)
    assert re.search(r"Server:\n Version: +0.1.0\n API version: +1.48\n OS: +linux\n", out)
    assert json.loads(weft("version", "--format", "json").stdout)["Server"]["Os"] == "linux"
    assert weft("version", "-f", "{{.Server.Version}}").stdout == "0.1.0\n"


def test_version_without_daemon(weft, tmp_path):
    done = weft("version", status=1, env={"WEFT_HOST": f"unix://{tmp_path}/gone"})
    assert "Client:" in done.stdout and "Server:" not in done.stdout
    assert "Is it running?" in fails(done)


def test_info(weft, daemon):
    daemon.on("GET", "/info", {
        "ServerVersion": "0.1.0", "Containers": 2, "Plugins": {"Network": ["bridge", "host"]},
        "Runtimes": {"runc": {}}, "DefaultAddressPools": [{"Base": "10.0.0.0/8", "Size": 24}],
        "Warnings": ["no IPv6 forwarding"]})
    done = weft("info")
    assert done.stdout == ("Server version: 0.1.0\nContainers: 2\nNetwork drivers: bridge host \n"
                           "Runtimes: runc \nAddress pools: 10.0.0.0/8/24 \n")
    assert done.stderr == "WARNING: no IPv6 forwarding\n"
    assert weft("info", "-f", "{{.Containers}}").stdout == "2\n"


def test_events(weft, daemon):
    event = {"Type": "network", "Action": "connect", "time": 1767323045,
             "timeNano": 1767323045600000000,
             "Actor": {"ID": ID, "Attributes": {"name": "web", "type": "bridge"}}}
    bare = {"Type": "x", "Action": "y", "timeNano": 1000000000, "Actor": {"ID": "z"}}
    text = (json.dumps(event) + "\n" + json.dumps(bare) + "\n").encode()
    daemon.on("GET", "/events", chunked([text[:30], text[30:]]))
    assert weft("events").stdout == (
        f"2026-01-02T03:04:05.6Z network connect {ID} (name=web, type=bridge)\n"
        "1970-01-01T00:00:01Z x y z\n")
    weft("events", "--since", "5", "--until", "6", "-f", "type=network")
    assert daemon.requests[-1].query == {"filters": '{"type":{"network":true}}',
                                         "since": "5.000000000", "until": "6.000000000"}
    assert weft("events", "--format", "{{.Action}}").stdout == "connect\ny\n"
    assert json.loads(weft("events", "--format", "json").stdout.splitlines()[0]) == event


# Names


NAMES = [
    {"Network": "front", "Name": "web", "Alias": False, "Container": "web", "Id": ID,
     "IPv4": "172.18.0.2", "IPv6": "fd00::2"},
    {"Network": "front", "Name": "www", "Alias": True, "Container": "web", "Id": ID,
     "IPv4": "172.18.0.2", "IPv6": ""},
]


def test_dns_ls(weft, daemon):
    daemon.on("GET", "/weft/dns/names", NAMES)
    assert table(weft("dns", "ls").stdout) == [
        ["NETWORK", "NAME", "ADDRESSES", "CONTAINER"],
        ["front", "web", "172.18.0.2, fd00::2", "web"],
        ["front", "www", "172.18.0.2", "web"]]
    assert daemon.requests[-1].query == {}
    assert weft("dns", "list", "-q", "--network", "front").stdout == "web\nwww\n"
    assert daemon.requests[-1].query == {"network": "front"}
    assert weft("dns", "ls", "--format", "{{.ID}} {{.Alias}} [{{.IPv6}}]").stdout == \
        f"{SHORT} false [fd00::2]\n{SHORT} true []\n"
    assert weft("dns", "ls", "--no-trunc", "--format", "{{.ID}}").stdout == f"{ID}\n{ID}\n"


def found(*answers, status="NOERROR", truncated=False):
    return reply(200, {"Name": "x", "Type": "A", "Status": status, "Source": "names",
                       "Truncated": truncated, "Answers": [
                           dict(zip(("Name", "Type", "TTL", "Data"), a)) for a in answers]})


def serve_lookup(daemon, **answers):
    """What is answered to each type, or without one."""
    daemon.on("GET", "/weft/dns/lookup",
              lambda conn, r: conn.sendall(answers[r.query.get("type", "none")]))


def test_dns_lookup(weft, daemon):
    alias = ("w", "CNAME", 60, "web.front")
    serve_lookup(daemon, A=found(alias, ("web.front", "A", 0, "172.18.0.2")),
                 AAAA=found(alias, ("web.front", "AAAA", 0, "fd00::2")),
                 srv=found(("_http._tcp.web", "SRV", 0, "0 0 80 web.front.weft")),
                 none=found(("2.0.18.172.in-addr.arpa", "PTR", 0, "web.front")))
    done = weft("dns", "lookup", "w")
    assert done.stderr == ""
    assert table(done.stdout) == [
        ["NAME", "TYPE", "TTL", "DATA"], ["w", "CNAME", "60", "web.front"],
        ["web.front", "A", "0", "172.18.0.2"], ["web.front", "AAAA", "0", "fd00::2"]]
    assert [r.query for r in daemon.requests] == [{"name": "w", "type": "A"},
                                                  {"name": "w", "type": "AAAA"}]
    assert weft("dns", "lookup", "-q", "--from", "shop", "w").stdout == \
        "web.front\n172.18.0.2\nfd00::2\n"
    assert daemon.requests[-1].query == {"name": "w", "type": "AAAA", "from": "shop"}
    assert weft("dns", "lookup", "--type", "srv", "_http._tcp.web", "--format",
                "{{.Type}} {{.Data}}").stdout == "SRV 0 0 80 web.front.weft\n"
    assert weft("dns", "lookup", "172.18.0.2", "-q").stdout == "web.front\n"
    assert daemon.requests[-1].query == {"name": "172.18.0.2"}


@pytest.mark.parametrize("options, a, aaaa, sentence", [
    ([], found(status="NXDOMAIN"), found(status="NXDOMAIN"), "no such name: w"),
    (["--from", "shop"], found(status="NXDOMAIN"), found(status="NXDOMAIN"),
     "no such name: w (asked as container shop)"),
    ([], found(), found(), "w has no address"),
    (["--type", "A"], found(), None, "w has no record of type A"),
    ([], found(), found(status="SERVFAIL"), "cannot look up w: SERVFAIL"),
    ([], reply(404, {"message": "No such container: shop"}), None, "No such container: shop"),
])
def test_dns_lookup_fails(weft, daemon, options, a, aaaa, sentence):
    serve_lookup(daemon, A=a, AAAA=aaaa)
    done = weft("dns", "lookup", *options, "w", status=1)
    assert fails(done) == sentence
    assert done.stdout == ""


def test_dns_lookup_is_content_with_one_family(weft, daemon):
    serve_lookup(daemon, A=found(status="SERVFAIL"), AAAA=found(("w", "AAAA", 5, "fd00::2")))
    assert weft("dns", "lookup", "-q", "w").stdout == "fd00::2\n"


def test_dns_lookup_says_what_is_cut_off(weft, daemon):
    serve_lookup(daemon, A=found(("w", "A", 5, "192.0.2.1"), truncated=True))
    done = weft("dns", "lookup", "-q", "-t", "A", "w")
    assert (done.stdout, done.stderr) == (
        "192.0.2.1\n", "WARNING: the answer was too long and has been cut off\n")


LOGGED = {"Time": "2026-01-02T03:04:05.6Z", "Container": "shop", "Protocol": "udp", "Type": "A",
          "Name": "web", "Status": "NOERROR", "Answers": 1, "Source": "names", "Server": "",
          "Micros": 12}
FORWARDED = {**LOGGED, "Container": "", "Protocol": "tcp", "Type": "AAAA", "Status": "NXDOMAIN",
             "Answers": 0, "Source": "upstream", "Server": "192.0.2.1", "Micros": 12345}


def lines(*objects):
    return [json.dumps(o).encode() + b"\n" for o in objects]


def test_dns_log(weft, daemon):
    daemon.on("GET", "/weft/dns/log", chunked(lines(LOGGED, FORWARDED)))
    assert [line.split() for line in weft("dns", "log").stdout.splitlines()] == [
        ["TIME", "CONTAINER", "PROTO", "TYPE", "NAME", "RCODE", "ANSWERS", "SOURCE", "TIME-TAKEN"],
        ["2026-01-02T03:04:05.6Z", "shop", "udp", "A", "web", "NOERROR", "1", "names", "0.012ms"],
        ["2026-01-02T03:04:05.6Z", "-", "tcp", "AAAA", "web", "NXDOMAIN", "0",
         "upstream@192.0.2.1", "12.345ms"]]
    assert daemon.requests[-1].query == {}
    weft("dns", "log", "-f", "shop")
    assert daemon.requests[-1].query == {"container": "shop", "follow": "1"}
    assert json.loads(weft("dns", "log", "--format", "json").stdout.splitlines()[1]) == FORWARDED
    assert weft("dns", "log", "--format", "{{.Name}} {{.Micros}}").stdout == "web 12\nweb 12345\n"
    daemon.on("GET", "/weft/dns/log", chunked([]))
    assert weft("dns", "log").stdout == ""
    daemon.on("GET", "/weft/dns/log", reply(404, {"message": "No such container: x"}))
    assert fails(weft("dns", "log", "x", status=1)) == "No such container: x"


@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGPIPE])
def test_dns_log_shows_each_query_at_once(daemon, end):
    more, heads = threading.Event(), chunked([])[:-len(b"0\r\n\r\n")]

    def answer(conn, _):
        first, second = (b"%x\r\n%s\r\n" % (len(x), x) for x in lines(LOGGED, FORWARDED))
        conn.sendall(heads + first)
        more.wait(20)
        conn.sendall(second)
        conn.recv(1)

    daemon.on("GET", "/weft/dns/log", answer)
    weft = subprocess.Popen([WEFT, "-H", f"unix://{daemon.path}", "dns", "log", "-f"],
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                            # A shell starts what runs in the background with it ignored.
                            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL))
    assert weft.stdout.readline().startswith(b"TIME ")
    assert b" shop " in weft.stdout.readline()
    if end == signal.SIGPIPE:
        weft.stdout.close()
        more.set()
    else:
        weft.send_signal(end)
    assert weft.wait(20) == -end
    assert weft.stderr.read() == b""
    more.set()
    weft.stderr.close()
    weft.stdout.close()


# Published ports


PORTS = {"80/tcp": [{"HostIp": "0.0.0.0", "HostPort": "8080"}, {"HostIp": "::", "HostPort": "8080"}],
         "443/tcp": [{"HostIp": "127.0.0.1", "HostPort": "32768"}], "53/udp": None,
         "90/tcp": [{"HostIp": "::", "HostPort": ""}]}


def test_port(weft, daemon):
    daemon.on("GET", "/weft/ports/web", PORTS)
    assert weft("port", "web").stdout.splitlines() == [
        "80/tcp -> 0.0.0.0:8080", "80/tcp -> [::]:8080", "90/tcp -> [::]:",
        "443/tcp -> 127.0.0.1:32768"]
    assert weft("port", "web", "80").stdout == "0.0.0.0:8080\n[::]:8080\n"
    assert weft("port", "web", "443/tcp").stdout == "127.0.0.1:32768\n"
    daemon.on("GET", "/weft/ports/web", {})
    assert weft("port", "web").stdout == ""


@pytest.mark.parametrize("port, sentence", [
    ("53/udp", "port 53/udp of web is not published"),
    ("80/udp", "port 80/udp of web is not published"),
    ("81", "port 81/tcp of web is not published"),
    ("80-81", '"80-81" is more than one port'),
    ("http", '"http": "http" is not a port'),
    ("8080:80", '"8080:80": this is for a port of the container alone: PORT[-END][/PROTOCOL]'),
])
def test_port_fails(weft, daemon, port, sentence):
    daemon.on("GET", "/weft/ports/web", PORTS)
    assert fails(weft("port", "web", port, status=1)) == sentence


def test_publish(weft, daemon):
    daemon.on("POST", "/weft/publish", {"Warnings": ["network db is internal"], "Ports": PORTS})
    done = weft("publish", "web", "8080:80", "53/udp", "1-2")
    assert done.stdout == "80/tcp -> 0.0.0.0:8080\n80/tcp -> [::]:8080\n"
    assert done.stderr == "WARNING: network db is internal\n"
    assert daemon.requests[-1].body == {"Container": "web", "PortBindings": {
        "80/tcp": [{"HostIp": "", "HostPort": "8080"}], "53/udp": [{"HostIp": "", "HostPort": ""}],
        "1/tcp": [{"HostIp": "", "HostPort": ""}], "2/tcp": [{"HostIp": "", "HostPort": ""}]}}


def test_unpublish(weft, daemon):
    daemon.on("POST", "/weft/unpublish", reply(204))
    done = weft("unpublish", "web", "80/tcp", "[::1]:8443:443")
    assert (done.stdout, done.stderr) == ("", "")
    assert daemon.requests[-1].body == {"Container": "web", "PortBindings": {
        "80/tcp": [{"HostIp": "", "HostPort": ""}],
        "443/tcp": [{"HostIp": "::1", "HostPort": "8443"}]}}


@pytest.mark.parametrize("verb", ["publish", "unpublish"])
def test_publish_fails(weft, daemon, verb):
    assert fails(weft(verb, "web", "80", "90/x", status=1)) == \
        '"90/x": protocol "x" is none of tcp, udp and sctp'
    assert daemon.requests == []
    daemon.on("POST", f"/weft/{verb}", reply(409, {"message": "port 80/tcp is taken by nginx"}))
    assert fails(weft(verb, "web", "80", status=1)) == "port 80/tcp is taken by nginx"


LIMITS = [
    {"Network": "bridge", "Interface": "eth0", "IngressRate": "10mbit", "IngressBurst": "80kb",
     "EgressRate": "", "EgressBurst": ""},
    {"Network": "web", "Interface": "eth1", "IngressRate": "", "IngressBurst": "",
     "EgressRate": "1gbit", "EgressBurst": "3mb"}]


def test_limit_shows(weft, daemon):
    daemon.on("GET", "/weft/limits/db", LIMITS)
    lines = weft("limit", "db").stdout.splitlines()
    assert table(lines[0]) == [["NETWORK", "INTERFACE", "INGRESS RATE", "INGRESS BURST",
                                "EGRESS RATE", "EGRESS BURST"]]
    assert lines[1].split() == ["bridge", "eth0", "10mbit", "80kb"]
    assert lines[2].split() == ["web", "eth1", "1gbit", "3mb"]
    assert weft("limit", "db", "web", "--format", "{{.EgressRate}}").stdout == "1gbit\n"
    assert json.loads(weft("limit", "--format", "json", "db", "web").stdout) == LIMITS[1]
    assert fails(weft("limit", "db", "lan", status=1)) == "db is not on network lan"
    assert {line for line in daemon.lines} == {"GET /weft/limits/db"}


@pytest.mark.parametrize("options, network, limits", [
    (["--ingress-rate", "10mbit"], None, {"IngressRate": "10mbit"}),
    (["web", "--egress-rate", "1mbit", "--egress-burst", "64k", "--ingress-burst=1m"], "web",
     {"EgressRate": "1mbit", "EgressBurst": "64k", "IngressBurst": "1m"}),
    (["--egress-rate", "none"], None, {"EgressRate": ""}),
    (["--none", "web"], "web",
     {"IngressRate": "", "IngressBurst": "", "EgressRate": "", "EgressBurst": ""}),
])
def test_limit_changes(weft, daemon, options, network, limits):
    daemon.on("POST", "/weft/limits", reply(204))
    done = weft("limit", "db", *options)
    assert (done.stdout, done.stderr) == ("", "")
    assert daemon.requests[-1].body == {"Container": "db", "Limits": limits,
                                        **({"Network": network} if network else {})}


@pytest.mark.parametrize("options, sentence", [
    (["--none", "--egress-rate", "1mbit"], "--none takes all limits away: it goes with no other"),
    (["--none", "--format", "json"], "--format is for showing limits, not for setting them"),
    (["--dry-run"], "--dry-run has nothing to change"),
])
def test_limit_local_checks(weft, daemon, options, sentence):
    assert fails(weft("limit", "db", *options, status=1)) == sentence
    assert daemon.requests == []


def test_limit_fails(weft, daemon):
    daemon.on("POST", "/weft/limits", reply(400, {"message": "db is on 2 networks"}))
    daemon.on("GET", "/weft/limits/gone", reply(404, {"message": "no such container: gone"}))
    assert fails(weft("limit", "db", "--none", status=1)) == "db is on 2 networks"
    assert fails(weft("limit", "gone", status=1)) == "no such container: gone"


def test_ps_joins_ports(weft, daemon):
    daemon.on("GET", "/containers/json", [container(Ports=[
        {"IP": ip, "PrivatePort": port, "PublicPort": port, "Type": "tcp"}
        for port in range(8010, 7999, -1) for ip in ("::", "0.0.0.0")])])
    assert weft("ps", "--format", "{{.Ports}}").stdout == \
        "0.0.0.0:8000-8010->8000-8010/tcp, [::]:8000-8010->8000-8010/tcp\n"


# What docker has no word for


def test_attach(weft, daemon):
    daemon.on("POST", "/weft/attach", {"Id": ID, "Name": "lab", "Netns": "/run/weft/netns/x"})
    assert weft("attach", "--netns", "/run/netns/lab", "--name", "lab", "--network", "web",
                "--ip", "10.5.0.9", "--alias", "a").stdout == "lab\n"
    assert daemon.requests[-1].body == {
        "Netns": "/run/netns/lab", "Name": "lab", "Network": "web",
        "EndpointConfig": {"IPAMConfig": {"IPv4Address": "10.5.0.9"}, "Aliases": ["a"]}}
    weft("attach", "--pid", "123", "--network", "web")
    assert daemon.requests[-1].body == {"Pid": 123, "Network": "web", "EndpointConfig": {}}


def test_attach_relative_path(weft, daemon, tmp_path):
    daemon.on("POST", "/weft/attach", {"Name": "x"})
    weft("attach", "--netns", "ns/x", "--network", "web", cwd=tmp_path)
    assert daemon.requests[-1].body["Netns"] == f"{tmp_path}/ns/x"


@pytest.mark.parametrize("options, sentence", [
    ("--pid 1", "attach needs a --network"),
    ("--network web", "attach needs either --netns or --pid"),
    ("--network web --pid 1 --netns /x", "attach needs either --netns or --pid"),
])
def test_attach_needs(weft, daemon, options, sentence):
    assert fails(weft("attach", *options.split(), status=1)) == sentence
    assert daemon.requests == []


def test_detach(weft, daemon):
    daemon.on("POST", "/weft/detach", reply(204))
    assert weft("detach", "lab").stdout == "lab\n"
    assert daemon.requests[-1].body == {"Sandbox": "lab", "Network": ""}
    weft("detach", "lab", "--network", "web")
    assert daemon.requests[-1].body == {"Sandbox": "lab", "Network": "web"}


def test_explain(weft, daemon):
    daemon.on("GET", "/weft/explain/web", reply(200, SCRIPT, "text/plain"))
    assert weft("explain", "web").stdout == SCRIPT


SANDBOX = {"Id": ID, "Name": "web", "Kind": "container", "Active": True,
           "Netns": "/run/weft/netns/x", "Origin": "", "Pid": 0,
           "Networks": {"bridge": {"Interface": "eth0"}, "web": {"Interface": "eth1"}}}


def test_netns(weft, daemon):
    daemon.on("GET", "/weft/sandboxes", [SANDBOX])
    assert table(weft("netns").stdout) == [
        ["NAME", "ID", "KIND", "NETNS", "NETWORKS"],
        ["web", SHORT, "container", "/run/weft/netns/x", "bridge,web"]]
    assert weft("netns", "ls").stdout == weft("netns").stdout
    assert weft("netns", "-q").stdout == "web\n"
    assert json.loads(weft("netns", "--format", "json").stdout)["Active"] == "true"


def test_netns_link(weft, daemon):
    daemon.on("POST", "/weft/sandboxes/web/link",
              lambda conn, r: conn.sendall(reply(200, {"Path": f"/run/netns/{r.body['Name']}"})))
    assert weft("netns", "link", "web").stdout == "/run/netns/web\n"
    assert weft("netns", "link", "web", "other").stdout == "/run/netns/other\n"
    daemon.on("DELETE", "/weft/links/other", reply(204))
    assert weft("netns", "unlink", "other").stdout == "other\n"


VETH = {"Link": "veth0a1b2c3", "Index": 7, "Sandbox": "web", "SandboxId": ID, "Interface": "eth0",
        "InterfaceIndex": 2, "Network": "net", "MacAddress": "02:42:ac:12:00:02",
        "IPv4": "172.18.0.2/24", "IPv6": ""}


def test_veth(weft, daemon):
    daemon.on("GET", "/weft/veths", [VETH, {**VETH, "Link": "veth9", "IPv6": "fd00::2/64"}])
    assert weft("veth", "veth0a1b2c3").stdout == \
        "veth0a1b2c3 (index 7) is web's eth0 (index 2) on network net, 172.18.0.2/24\n"
    assert weft("veth", "veth9").stdout.endswith("on network net, 172.18.0.2/24, fd00::2/64\n")
    assert fails(weft("veth", "eth0", status=1)) == \
        "eth0 is neither a link of weft's nor has any"
    assert len(weft("veth", "web").stdout.splitlines()) == 2
    rows = table(weft("veth").stdout)
    assert rows[0] == ["LINK", "INDEX", "NAME", "INTERFACE", "NETWORK", "IPV4", "IPV6"]
    assert rows[1] == ["veth0a1b2c3", "7", "web", "eth0", "net", "172.18.0.2/24"]
    assert json.loads(weft("veth", "veth0a1b2c3", "--format", "json").stdout) == VETH
    assert len(weft("veth", "--format", "json").stdout.splitlines()) == 2
