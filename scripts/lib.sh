# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# What scripts/test and scripts/demo share: installing what is missing (Debian 12), and building.

repo=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

packages_build=(gcc libc6-dev meson ninja-build pkg-config libjansson-dev libmnl-dev libnftnl-dev
    libnftables-dev libuv1-dev libmicrohttpd-dev libsqlite3-dev libseccomp-dev libcap-ng-dev
    libsmartcols-dev libcmocka-dev python3)
packages_run=(runc conmon iproute2 nftables util-linux procps hostname iputils-ping)
packages_test=(clang clang-format clang-tidy libclang-rt-dev libasan8 libubsan1 python3-pytest
    bridge-utils busybox-static git ca-certificates)

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

# The docker command without its daemon: unpacked beside the build, nothing is set up or started.
install_docker_client() {
    local dir=$repo/build/docker-client
    if ! command -v docker >/dev/null && [[ ! -x $dir/usr/bin/docker ]]; then
        echo "unpacking the docker command"
        apt_update
        mkdir -p "$dir"
        (cd "$dir" && retry apt download docker.io && dpkg-deb -x docker.io_*.deb .)
    fi
    PATH=$PATH:$dir/usr/bin
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
