#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# Runs the commands of golden files, each file in a fresh host: what is given, the step, the step
# back. Every command must succeed, and the step back must leave the host as it was before the step.
# Sysctls are not part of that: nobody knows who else has come to rely on them.
# Files with kinds of links that the kernel does not have are passed over.
#
# usage: scripts.sh BASE.nft FILE.txt...   (as root)
set -eu

if [ "${1:-}" != --inside ]; then
    base=$1
    shift
    failed=0
    for file; do
        if unshare --net --mount --propagation private "$0" --inside "$base" "$file"; then
            echo "ok $file"
        else
            echo "FAILED $file"
            failed=1
        fi
    done
    exit $failed
fi

base=$2
file=$3
mkdir -p /run/netns
mount -t tmpfs tmpfs /run/netns
work=$(mktemp -d /run/netns/XXXXXX)
trap 'umount -l /run/netns' EXIT

section() {
    awk -v "title=== $1" '/^== / { wanted = $0 == title; next } wanted' "$file"
}

run() {
    section "$1" > "$work/script"
    sh -eux "$work/script" > "$work/log" 2>&1 || {
        cat "$work/log"
        exit 1
    }
}

# What there is, without what comes and goes by itself: interface numbers, carriers, and the
# link-local addresses that the kernel makes when it pleases.
look() {
    for ip in ip "ip -n shop"; do
        $ip -o link 2>&1 || continue
        $ip -o addr
        $ip route
        $ip -6 route
    done | sed -E '/fe80::/d; s/^[0-9]+: //; s/@if[0-9]+//
                   s/<[^>]*>|state [A-Z]+|linkdown//g; s/ +/ /g; s/ $//'
    bridge -d link | grep -o 'isolated on' || true
    nft list table inet weft
    nft list table bridge weft
    ip netns exec shop nft list ruleset 2>&1 || true
}

# What networks may lie on: a physical link, and a bridge of somebody else's.
ip link add name eth0 type veth peer name wall
ip link set dev wall up
ip link set dev eth0 up
ip link add name br0 address 02:00:00:00:00:b0 type bridge
ip link set dev br0 up

lacks() {
    case $1 in
    "type vlan") ! ip link add link eth0 name probe type vlan id 99 2> /dev/null ;;
    "type ipvlan") ! ip link add link br0 name probe type ipvlan 2> /dev/null ;;
    vlan_filtering) ! ip link add name probe type bridge vlan_filtering 1 2> /dev/null ;;
    esac
}

for words in "type vlan" "type ipvlan" vlan_filtering; do
    grep -q "$words" "$file" || continue
    if lacks "$words"; then
        echo "passed over: this kernel has no ${words#type }"
        exit 0
    fi
    ip link del dev probe
done

nft -f "$base"
run given
look > "$work/before"
run do
look > "$work/after"
if cmp -s "$work/before" "$work/after"; then
    echo "the step did nothing"
    exit 1
fi
run undo
look > "$work/back"
diff "$work/before" "$work/back"
