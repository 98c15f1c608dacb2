#!/usr/bin/env bash
# `make package`: the Debian package, built on a Debian 12 of its own (tests/lab/setup.sh), so that it runs on 12 and later.
#
# There everything has a fixed place: Rust in /rust, its crates in /cargo, this folder in /source, what is built in /target.
# So the bytes do not depend on where this folder is (`make reproducible` shows it), and no path of this machine is in them.
set -euo pipefail
cd "$(dirname "$0")/.."
PATH=$PATH:/usr/sbin:/sbin

die() { printf 'package: %s\n' "$*" >&2; exit 1; }

root=$(tests/lab/setup.sh build)
rust=$(rustc --print sysroot)
[ -x "$rust/bin/cargo" ] || die "Rust from https://rustup.rs is needed: a distribution's can't be taken into the root"
cargo=${CARGO_HOME:-${HOME:?}/.cargo}
target=$PWD/target/debian-12
mkdir -p "$target" target/package target/debian
# Times in the package are those of the commit.
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct)}
export SOURCE_DATE_EPOCH

# Root in namespaces of its own, or an ordinary user who is root there only.
mapped=()
[ "$(id -u)" = 0 ] || mapped=(--map-root-user)
inside() {
    unshare "${mapped[@]}" --mount sh -ec '
        root=$1 rust=$2 cargo=$3 target=$4
        shift 4
        mount --bind "$rust" "$root/rust"
        mount --bind "$cargo" "$root/cargo"
        mount --bind "$target" "$root/target"
        mount --bind . "$root/source"
        mount --rbind /dev "$root/dev"
        mount --rbind /proc "$root/proc"
        exec chroot "$root" env -i --chdir=/source PATH=/rust/bin:/usr/bin:/bin HOME=/tmp LANG=C.UTF-8 \
            CARGO_HOME=/cargo CARGO_TARGET_DIR=/target SOURCE_DATE_EPOCH="$SOURCE_DATE_EPOCH" "$@"
    ' sh "$root" "$rust" "$cargo" "$target" "$@"
}

cargo fetch --locked
inside env CARGO_PROFILE_RELEASE_STRIP=symbols cargo build --release --locked --offline --bin nameplate
inside /target/release/nameplate --version
size=$(stat -c %s "$target/release/nameplate")
[ "$size" -le $((16 << 20)) ] || die "the program has $size bytes, more than 16 MB"

# The bill of materials: each crate that is linked, its version and its licence. cargo-cyclonedx writes beside Cargo.toml.
cargo cyclonedx --quiet --format json --no-build-deps --target "$(rustc -vV | sed -n 's/^host: //p')" \
    --override-filename nameplate.cdx
mv nameplate.cdx.json target/package/

CARGO_TARGET_DIR=$target cargo deb --variant published --no-build --no-strip --locked --output "$PWD/target/debian/"
version=$(cargo pkgid --locked | sed 's/.*[#@]//')
package=target/debian/nameplate_${version}_$(dpkg --print-architecture).deb
inside lintian --fail-on error,warning --no-tag-display-limit "/source/$package"
ls -l "$package"
