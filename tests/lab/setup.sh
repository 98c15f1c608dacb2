#!/usr/bin/env bash
# What the tests need and a plain Debian 12 or 13 does not have: a C compiler for the crates, and roots
# of their own, below the user's cache, where they change nothing on the machine. One has a real Asterisk:
# Debian's own suite has no Asterisk package, so it is taken from another suite.
#
#   tests/lab/setup.sh            Asterisk 22 (Debian forky: the LTS of today)
#   tests/lab/setup.sh 16         Asterisk 16 (Debian bullseye: the oldest that is still met)
#   tests/lab/setup.sh debian-12  Debian 12 with systemd, to install the package in (tests/lab/systemd.sh); debian-13 likewise
#   tests/lab/setup.sh build      Debian 12 with a C compiler, to build the package in (packaging/build.sh)
#   tests/lab/setup.sh tools      the C compiler alone
#   tests/lab/setup.sh promtool   Prometheus' tool that checks metrics and alerts
#   tests/lab/setup.sh prometheus Prometheus itself
#   tests/lab/setup.sh pjsua2     a softphone's library for Python (PyPI), which shows the person called; the path is its folder
#   tests/lab/setup.sh browser    Chromium and its driver, installed on the machine itself; the path is the driver's
#   tests/lab/setup.sh axe        axe-core (PyPI), the script that finds barriers on a page
#   tests/lab/setup.sh faketime   a library that gives a program another clock
#   tests/lab/setup.sh redis      Redis, of which no service is started; the path is its program
#   tests/lab/setup.sh valkey     Valkey of Debian 13, with the libraries that it needs; likewise
#
# The last line on stdout is the root's path, or that of the one file; progress and errors go to stderr.
#   NAMEPLATE_ASTERISK    path of an installed asterisk binary: no root is made, the answer is "/"
#   NAMEPLATE_LAB_CACHE   where the roots live, else $XDG_CACHE_HOME or ~/.cache, nameplate-lab
set -euo pipefail

say() { printf 'lab: %s\n' "$*" >&2; }
die() { say "$*"; exit 1; }

# Debian leaves these out of an ordinary user's PATH.
PATH=$PATH:/usr/sbin:/sbin

as_root() {
    if [ "$(id -u)" = 0 ]; then
        "$@"
    elif command -v sudo >/dev/null; then
        sudo "$@"
    else
        die "root or sudo is needed here; or run it once as root with NAMEPLATE_LAB_CACHE=/some/shared/folder"
    fi
}

wanted=${1:-22}
case $wanted in
    # baresip is the softphone; it runs in the chroot too.
    22) name=asterisk-22 suite=forky packages=asterisk,ca-certificates,baresip-core ;;
    16) name=asterisk-16 suite=bullseye packages=asterisk,ca-certificates ;;
    debian-12) name=debian-12 suite=bookworm packages=systemd-sysv,ca-certificates ;;
    debian-13) name=debian-13 suite=trixie packages=systemd-sysv,ca-certificates,passwd ;;
    # On the oldest Debian that the package is for: a newer glibc runs what an older one was linked with.
    build) name=build-12 suite=bookworm packages=gcc,libc6-dev,lintian,make ;;
    # Only unpacked: it is run from outside, with its own libraries.
    valkey) name=valkey-8 suite=trixie packages=valkey-tools variant=extract ;;
    tools) ;;
    browser) ;;
    redis) ;;
    pjsua2) files='*' wheel=pjsua2-python==2.15.1.post1 ;;
    # A wheel that ships axe-core 4.12.1 as its authors have published it.
    axe) files=axe_playwright_python/axe.min.js wheel=axe-playwright-python==0.1.8
        sha256=fdd263c998388f1a8e67cad02677e612d946248bd44d163be5e8650ea31f95f8 ;;
    promtool | prometheus) package=prometheus file=usr/bin/$wanted ;;
    # Of this machine's own architecture; the one for programs with threads.
    faketime) package=libfaketime file='usr/lib/*/faketime/libfaketimeMT.so.1' ;;
    *) die "nothing named '$wanted' here: 22, 16, debian-12, debian-13, build, tools, pjsua2, promtool, prometheus, browser, axe, faketime, redis or valkey" ;;
esac
is_asterisk() { [[ $wanted == 22 || $wanted == 16 ]]; }

cache=${NAMEPLATE_LAB_CACHE:-${XDG_CACHE_HOME:-${HOME:?}/.cache}/nameplate-lab}
apt_options=(-qq -o DPkg::Lock::Timeout=300)

# Tests begin side by side. One of them uses apt at a time: an update takes the lists from under a download.
lock_apt() {
    mkdir -p "$cache"
    exec 8>"$cache/apt.lock"
    flock -w 900 8
}
unlock_apt() { exec 8>&-; }

# --- one file of a package ----------------------------------------------------------------------

# The package is not installed: Prometheus' would start a service, and brings 15 others. apt checks its signature.
if [ -n "${package:-}" ]; then
    folder=$cache/$wanted
    found() { compgen -G "$folder/$file" || true; }
    if [ -z "$(found)" ]; then
        mkdir -p "$cache"
        new=$(mktemp -d "$cache/$wanted.XXXXXX")
        trap 'rm -rf "$new"' EXIT
        cd "$new"
        say "$wanted, from Debian's package $package …"
        lock_apt
        if ! apt-get -qq download "$package" 2>/dev/null; then
            as_root apt-get "${apt_options[@]}" update
            apt-get -qq download "$package" 2>/dev/null || die "no package $package"
        fi
        unlock_apt
        dpkg-deb --fsys-tarfile ./*.deb | tar -x --wildcards "./$file"
        rm ./*.deb
        chmod 755 "$new"
        mv -T "$new" "$folder" 2>/dev/null || [ -n "$(found)" ] || die "$folder can't be made"
    fi
    found
    exit
fi

# --- a package of PyPI --------------------------------------------------------------------------

# Debian has none of it. A wheel is an archive: it is unpacked, not installed.
if [ -n "${wheel:-}" ]; then
    folder=$cache/$wanted
    if [ ! -e "$folder" ]; then
        lock_apt
        if ! python3 -m pip --version >/dev/null 2>&1; then
            as_root apt-get "${apt_options[@]}" update
            as_root env DEBIAN_FRONTEND=noninteractive apt-get "${apt_options[@]}" install --no-install-recommends python3-pip >/dev/null
        fi
        unlock_apt
        mkdir -p "$cache"
        new=$(mktemp -d "$cache/$wanted.XXXXXX")
        trap 'rm -rf "$new"' EXIT
        say "$wanted, from PyPI …"
        python3 -m pip -q download --no-deps --dest "$new" "$wheel" >&2
        [ -z "${sha256:-}" ] || sha256sum --quiet --check <<<"$sha256  $(echo "$new"/*.whl)" >&2 || die "$wheel is not what it was"
        python3 -m zipfile -e "$new"/*.whl "$new"
        rm "$new"/*.whl
        chmod 755 "$new"
        mv -T "$new" "$folder" 2>/dev/null || [ -e "$folder" ] || die "$folder can't be made"
    fi
    if [ "$files" = '*' ]; then echo "$folder"; else echo "$folder/$files"; fi
    exit
fi

# --- packages of the machine itself -------------------------------------------------------------

missing=()
need() { # command or file, package
    if [[ $1 == /* ]]; then [ -e "$1" ]; else command -v "$1" >/dev/null; fi || missing+=("$2")
}
if [ "$wanted" = browser ]; then
    lock_apt
    need chromium chromium
    need chromedriver chromium-driver
    need /usr/share/fonts/truetype/dejavu/DejaVuSans.ttf fonts-dejavu-core
else
    need cc gcc
    need make make
    need /usr/include/stdlib.h libc6-dev
fi
if [ "$wanted" = redis ]; then
    # Debian's redis-server is a link to this file, and a service that is started at once.
    need /usr/bin/redis-check-rdb redis-tools
elif [ "$wanted" != tools ] && [ "$wanted" != browser ]; then
    need unshare util-linux
    need ip iproute2
    need openssl openssl
    if ! is_asterisk || [ -z "${NAMEPLATE_ASTERISK:-}" ]; then
        need mmdebstrap mmdebstrap
        need /usr/share/keyrings/debian-archive-keyring.gpg debian-archive-keyring
    fi
fi
if [ ${#missing[@]} -gt 0 ]; then
    say "installing ${missing[*]} …"
    lock_apt
    apt=(env DEBIAN_FRONTEND=noninteractive apt-get "${apt_options[@]}")
    as_root "${apt[@]}" update
    as_root "${apt[@]}" install --no-install-recommends "${missing[@]}" >/dev/null
    unlock_apt
fi

[ "$wanted" != tools ] || exit 0
if [ "$wanted" = browser ]; then
    command -v chromedriver
    exit
fi

if [ "$wanted" = redis ]; then
    mkdir -p "$cache/redis"
    # By its name the file knows which program it is.
    ln -sfn /usr/bin/redis-check-rdb "$cache/redis/redis-server"
    echo "$cache/redis/redis-server"
    exit
fi

if is_asterisk && [ -n "${NAMEPLATE_ASTERISK:-}" ]; then
    [ -x "$NAMEPLATE_ASTERISK" ] || die "NAMEPLATE_ASTERISK=$NAMEPLATE_ASTERISK is not a program"
    echo /
    exit
fi

# --- the root ----------------------------------------------------------------------------------

root=$cache/$name
# A root of another recipe (packages added, say) is replaced.
recipe="$suite $packages 1"

present() { [ "$(cat "$root/.recipe" 2>/dev/null)" = "$recipe" ]; }

if ! present; then
    mkdir -p "$cache"
    exec 9>"$root.lock"
    flock -n 9 || { say "another run is making $name, waiting …"; flock -w 900 9; }
fi
if ! present; then
    # The machine's own mirror; its security archive and third parties' archives have other names.
    mirror=$(apt-get indextargets --format '$(ORIGIN)|$(LABEL)|$(REPO_URI)' |
        sed -n 's/^Debian|Debian|//p' | head -n 1)
    [ -n "$mirror" ] || mirror=$(apt-get indextargets --format '$(REPO_URI)' |
        grep -E '/debian/?$' | head -n 1) || true
    [ -n "$mirror" ] || die "no Debian mirror in this machine's apt sources"

    # A mirror may lag behind, hence no Check-Valid-Until. Signatures are checked against Debian's
    # own keys only: forky is signed with the keys of bookworm and trixie, which Debian 12 and 13 have.
    options=("--variant=${variant:-apt}" --quiet --include="$packages"
        --keyring=/usr/share/keyrings/debian-archive-keyring.gpg
        --aptopt='APT::Install-Recommends "false"'
        --aptopt='Acquire::Check-Valid-Until "false"')
    # The package's own documents are looked at in the others.
    ! is_asterisk || options+=(--dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/man/*')
    for scheme in http https; do
        proxy=$(apt-config shell proxy "Acquire::$scheme::Proxy" | sed "s/^proxy='\(.*\)'$/\1/")
        [ -z "$proxy" ] || options+=(--aptopt="Acquire::$scheme::Proxy \"$proxy\"")
    done

    say "$name from Debian $suite … one to two minutes, once"
    new=$root.new
    trap 'as_root rm -rf --one-file-system "$new" "$new.log"' EXIT
    as_root rm -rf --one-file-system "$new" # of a run that was killed: we have the lock
    if ! as_root mmdebstrap "${options[@]}" "$suite" "$new" "$mirror" >"$new.log" 2>&1; then
        tail -n 20 "$new.log" >&2
        die "mmdebstrap failed"
    fi
    if is_asterisk; then
        as_root chroot "$new" asterisk -V >&2
    elif [ "$wanted" = build ]; then
        # Where build.sh mounts what the build reads and writes.
        as_root mkdir "$new/rust" "$new/cargo" "$new/source" "$new/target"
    elif [ "$wanted" = valkey ]; then
        # Its C library may be newer than this machine's. By its name the file knows which program it is.
        libraries=$(dirname "$(echo "$new"/usr/lib/*/libc.so.6)")
        loader=$(basename "$(echo "$libraries"/ld-linux*)")
        libraries=$root${libraries#"$new"}
        printf '#!/bin/sh\nexec %q --argv0 valkey-server --library-path %q %q "$@"\n' \
            "$libraries/$loader" "$libraries" "$root/usr/bin/valkey-check-rdb" | as_root tee "$new/valkey-server" >/dev/null
        as_root chmod 755 "$new" "$new/valkey-server"
    fi
    echo "$recipe" | as_root tee "$new/.recipe" >/dev/null
    if [ -e "$root" ]; then
        as_root mv "$root" "$new.old"
        as_root mv "$new" "$root"
        as_root rm -rf --one-file-system "$new.old"
    else
        as_root mv "$new" "$root"
    fi
fi

if [ "$wanted" = valkey ]; then echo "$root/valkey-server"; else echo "$root"; fi
