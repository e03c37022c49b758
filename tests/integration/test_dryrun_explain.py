# SPDX-License-Identifier: Apache-2.0
"""--dry-run says what would happen and changes nothing; explain says what there is."""

import pytest

from snapshots import assert_unchanged, whole


@pytest.fixture
def before(weft, host):
    weft("network", "create", "--subnet", "10.5.0.0/24", "web")
    weft("network", "create", "--subnet", "10.6.0.0/24", "unused")
    weft.start("a", "--network", "web")
    host.run("ip", "netns", "add", "theirs")
    return whole(weft.daemon)


@pytest.mark.parametrize(
    "argv, says",
    [
        (
            ["network", "create", "--dry-run", "--subnet", "10.7.0.0/24", "new"],
            ["ip link add", "type bridge", "10.7.0.1/24", "nft"],
        ),
        (["network", "rm", "--dry-run", "unused"], ["ip link del", "nft"]),
        (
            ["network", "connect", "--dry-run", "--ip", "10.6.0.9", "unused", "a"],
            ["ip link add", "type veth", "10.6.0.9/24", "eth1"],
        ),
        (["network", "disconnect", "--dry-run", "web", "a"], ["ip link del", "veth"]),
        (
            ["run", "--dry-run", "--network", "web", "--", "true"],
            ["ip netns add", "type veth", "10.5.0.", "route add default"],
        ),
        (
            ["attach", "--dry-run", "--netns", "/run/netns/theirs", "--network", "web"],
            ["type veth", "10.5.0."],
        ),
    ],
    ids=lambda value: " ".join(value[:2]) if isinstance(value, list) else None,
)
def test_dry_run_changes_nothing(weft, before, argv, says):
    script = weft(*argv)
    for part in says:
        assert part in script
    assert_unchanged(weft.daemon, before)


@pytest.mark.parametrize(
    "argv, status, says",
    [
        (["network", "create", "--dry-run", "web"], 1, "web"),
        (["network", "create", "--dry-run", "--subnet", "10.5.0.0/16", "new"], 1, "web"),
        (["network", "rm", "--dry-run", "web"], 1, "a"),
        (["network", "connect", "--dry-run", "web", "a"], 1, "a"),
        (["run", "--dry-run", "--ip", "10.5.0.2", "--network", "web", "--", "true"], 125, "a"),
        (["attach", "--dry-run", "--netns", "/nowhere", "--network", "web"], 1, "/nowhere"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_dry_run_meets_the_same_errors(weft, before, argv, status, says):
    weft.fails(*argv, says=says, status=status)
    assert_unchanged(weft.daemon, before)


def test_a_dry_run_takes_no_address(weft, before):
    for _ in range(3):
        weft("run", "--dry-run", "--network", "web", "--", "true")
    weft.start("next", "--network", "web")
    assert weft.address("next", "web") == "10.5.0.3"


def test_explain_names_what_exists(weft, before):
    network, container = weft("explain", "web"), weft("explain", "a")
    assert "10.5.0.1/24" in network and "type bridge" in network
    assert weft.host_link("a", "web") in container and "10.5.0.2/24" in container
    # Both are for a shell.
    for script in (network, container):
        weft.host.run("sh", "-n", stdin=script)
    assert_unchanged(weft.daemon, before)


def test_explain_takes_ids_and_prefixes(weft, before):
    container = weft.inspect("a")["Id"]
    assert weft("explain", container) == weft("explain", container[:9]) == weft("explain", "a")
