#!/usr/bin/env bash
# A Debian of its own with a real systemd as its first process: tests install the package on it, and start its unit.
#
#   tests/lab/systemd.sh boot 12 [FOLDER]   boots Debian 12 (or 13); FOLDER is /shared inside. The line on stdout is the
#                                           process id of that systemd, as soon as it is up. The end of stdin ends it
#   tests/lab/systemd.sh run PID COMMAND …  runs a command on it
#
# It needs root or sudo. The root of setup.sh stays as it is: what is written goes into memory, and is gone at the end.
# Its network is the loopback device alone.
set -euo pipefail

say() { printf 'lab: %s\n' "$*" >&2; }
die() { say "$*"; exit 1; }

here=$(cd "$(dirname "$0")" && pwd)
PATH=$PATH:/usr/sbin:/sbin
sudo=()
[ "$(id -u)" = 0 ] || sudo=(sudo)

inside=(--mount --pid --cgroup --uts --ipc --net)
run() { # process id of systemd, command …
    local pid=$1
    shift
    "${sudo[@]}" nsenter --target "$pid" "${inside[@]}" --root --wd \
        env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8 TERM=dumb "$@"
}

# Root's part of `boot`: the root to start from, the folder to share.
up() {
    # Not `own` and `unshare`: the trap at the end reads them.
    local all leader state=none
    all=$(findmnt -rno TARGET -t cgroup2 | head -n 1)
    [ -n "$all" ] || die "no cgroup2 is mounted on this machine: systemd needs it"
    # What a killed run has left.
    for own in "$all"/nameplate-lab-*; do
        [ -d "/proc/${own##*-}" ] || forget "$own"
    done
    own=$all/nameplate-lab-$$
    mkdir "$own"
    trap 'forget "$own"' EXIT
    # Its groups of processes are below our own, so that two systemds do not meet. Whatever ends this script ends it.
    setpriv --pdeathsig KILL sh -c 'echo $$ >"$1/cgroup.procs" && shift && exec unshare "$@"' sh "$own" \
        "${inside[@]}" --fork --kill-child "$0" first "$1" "$2" </dev/null >&2 &
    unshare=$!
    trap 'kill -KILL "$unshare" 2>/dev/null || true; wait "$unshare" 2>/dev/null || true; forget "$own"' EXIT
    for _ in {1..600}; do
        [ -d "/proc/$unshare" ] || die "systemd has not started"
        leader=$(cat "/proc/$unshare/task/$unshare/children" 2>/dev/null || true)
        leader=${leader%% *}
        [ -z "$leader" ] || state=$(run "$leader" systemctl is-system-running 2>/dev/null || true)
        case $state in running | degraded) break ;; esac
        sleep 0.1
    done
    case $state in
        running) ;;
        degraded) run "$leader" systemctl --failed --no-legend >&2 ;;
        *) die "systemd is not up after a minute: $state" ;;
    esac
    echo "$leader"
    cat >/dev/null
}

forget() { # a group of processes that have ended
    [ -d "$1" ] || return 0
    for _ in {1..50}; do
        find "$1" -depth -type d -exec rmdir {} + 2>/dev/null && return
        sleep 0.1
    done
}

# The first process, in namespaces of its own, before it becomes systemd.
first() { # the root to start from, the folder to share
    local memory=$1/mnt
    mount -t tmpfs -o mode=755 lab "$memory"
    mkdir "$memory/upper" "$memory/work" "$memory/root"
    mount -t overlay -o "lowerdir=$1,upperdir=$memory/upper,workdir=$memory/work" lab "$memory/root"
    cd "$memory/root"
    mount -t proc proc proc
    # The kernel's settings are the machine's.
    mount --bind proc/sys proc/sys
    mount -o remount,bind,ro proc/sys
    mount -t sysfs -o ro sysfs sys
    mount -t cgroup2 cgroup2 sys/fs/cgroup
    mount -t tmpfs -o mode=755,nosuid dev dev
    mknod -m 666 dev/null c 1 3
    mknod -m 666 dev/zero c 1 5
    mknod -m 666 dev/full c 1 7
    mknod -m 666 dev/random c 1 8
    mknod -m 666 dev/urandom c 1 9
    mknod -m 666 dev/tty c 5 0
    mkdir dev/pts dev/shm
    mount -t devpts -o newinstance,ptmxmode=0666,mode=620 devpts dev/pts
    # The unit's PrivateDevices= wants it.
    ln -s pts/ptmx dev/ptmx
    ln -s /proc/self/fd dev/fd
    if [ -n "$2" ]; then
        mkdir shared
        mount --bind "$2" shared
    fi
    # The kernel, and its modules, are the machine's.
    ln -s /dev/null etc/systemd/system/systemd-modules-load.service
    # With one it is no first boot, at which systemd would switch on all that is installed.
    tr -dc 0-9a-f </dev/urandom | head -c 32 >etc/machine-id || true
    echo nameplate-lab >etc/hostname
    pivot_root . mnt
    cd /
    umount --lazy /mnt
    # In a container systemd leaves this to its caller. Without it a unit's credentials are missing.
    mount --make-rshared /
    exec env -i container=lab PATH=/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8 /lib/systemd/systemd
}

case ${1:-} in
    boot)
        root=$("$here/setup.sh" "debian-$2")
        exec "${sudo[@]}" "$0" up "$root" "${3:-}"
        ;;
    run) shift && run "$@" ;;
    up) up "$2" "$3" ;;
    first) first "$2" "$3" ;;
    *) die "boot 12 [FOLDER], or run PID COMMAND …" ;;
esac
