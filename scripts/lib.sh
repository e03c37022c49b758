# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# What scripts/test and scripts/demo share: installing what is missing (Debian 12), and building.

repo=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

packages_build=(gcc libc6-dev meson ninja-build pkg-config libjansson-dev libmnl-dev libnftnl-dev
    libnftables-dev libuv1-dev libmicrohttpd-dev libsqlite3-dev libseccomp-dev libcap-ng-dev
    libsmartcols-dev libcurl4-openssl-dev libcmocka-dev python3)
packages_run=(runc conmon iproute2 nftables util-linux procps hostname iputils-ping)
packages_test=(conntrack iptables clang clang-format clang-tidy libclang-rt-dev libasan8 libubsan1 python3-pytest
    bridge-utils busybox-static git ca-certificates bind9-dnsutils knot-dnsutils dnsmasq-base musl-tools
    netbase dnsperf qemu-system-x86)
# Unpacked for the tests to meet, never installed: see unpack_peers.
packages_peers=(docker.io firewalld ufw aardvark-dns containernetworking-plugins)
# Leads to the kernel of the day, which tests/vm boots.
package_kernel=linux-image-cloud-amd64

die() {
    echo "${0##*/}: $*" >&2
    exit 1
}

need_root() {
    [[ $EUID -eq 0 ]] ||
        die "needs root, because it makes network namespaces: run it as root or with sudo"
}

# retry COMMAND…: mirrors have moments of weakness.
retry() {
    local try
    for try in 1 2 3; do
        "$@" && return
        sleep $((try * 3))
    done
    return 1
}

apt() {
    DEBIAN_FRONTEND=noninteractive apt-get -qq -o Dpkg::Use-Pty=0 -o Acquire::Retries=3 "$@" </dev/null
}

# Once a run, and only if something is to be fetched.
apt_updated=
apt_update() {
    [[ $apt_updated ]] || retry apt update
    apt_updated=yes
}

# install PACKAGE…: those that are not there yet.
install() {
    local package missing=()
    for package in "$@"; do
        [[ $(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null) == installed ]] ||
            missing+=("$package")
    done
    [[ ${#missing[@]} -eq 0 ]] && return
    echo "installing ${missing[*]}"
    apt_update
    retry apt install --no-install-recommends "${missing[@]}" >/dev/null
}

# Other engines, firewalls and servers, for the tests to meet and the benchmarks to race. Unpacked beside the
# build with what they need; installed, they would start and take charge of this machine.
peers=$repo/build/peers
unpack_peers() {
    local archives deb kernel all="${packages_peers[*]} $package_kernel"
    [[ $(cat "$peers/complete" 2>/dev/null) == "$all" ]] && return
    echo "unpacking $all"
    apt_update
    archives=$(mktemp -d)
    mkdir -p "$archives/partial" "$peers"
    retry apt install --download-only --reinstall --no-install-recommends \
        -o Dir::Cache::archives="$archives" "${packages_peers[@]}" >/dev/null
    # Alone: with what it depends on, it could make itself an initramfs, which nobody here wants.
    kernel=$(apt-cache depends "$package_kernel" | awk '$1 == "Depends:" { print $2; exit }')
    (cd "$archives" && retry apt -o APT::Sandbox::User=root download "$kernel")
    for deb in "$archives"/*.deb; do
        dpkg-deb -x "$deb" "$peers"
    done
    # Their folders are links to those below /usr by now.
    for dir in bin sbin lib; do
        [[ ! -d $peers/$dir ]] || cp -a "$peers/$dir" "$peers/usr/" && rm -rf "${peers:?}/$dir"
    done
    # What firewalld's package does when it is set up.
    ln -sf org.fedoraproject.FirewallD1.server.policy.choice \
        "$peers/usr/share/polkit-1/actions/org.fedoraproject.FirewallD1.policy"
    rm -rf "$archives"
    echo "$all" >"$peers/complete"
}

# The docker command: the machine's own, or that of the peers.
use_docker_client() {
    command -v docker >/dev/null || PATH=$PATH:$peers/usr/bin
}

# build DIR [MESON OPTION…]: sets it up the first time.
build() {
    local dir=$1
    shift
    [[ -f $dir/build.ninja ]] || meson setup "$@" "$dir" "$repo" >"$dir.log" 2>&1 ||
        { cat "$dir.log" && return 1; }
    rm -f "$dir.log"
    ninja -C "$dir" --quiet
}
