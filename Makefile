# Two commands do everything on a Debian machine with Rust (root or sudo):
#
#   make demo     eight calls on a real Asterisk, with the names that a softphone shows
#   make test     all checks and tests
#
# What they need from Debian, Asterisk in a root of its own included, tests/lab/setup.sh installs at the first run.

.PHONY: demo test bench lab rust
.DEFAULT_GOAL := demo

# Debian leaves these out of an ordinary user's PATH; chroot is there.
export PATH := $(PATH):/usr/sbin:/sbin

rust:
	@command -v cargo >/dev/null || { echo "Rust 1.91 or later is needed: https://rustup.rs"; exit 1; }

demo: rust
	@tests/lab/setup.sh 22 >/dev/null
	@echo "building … (a few minutes at the first time)"
	@cargo test --release --locked --no-run --test demo
	@cargo test --release --locked --quiet --test demo

test: rust lab
	cargo fmt --check
	cargo clippy --locked --all-targets -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --locked --no-deps --document-private-items --quiet
	cargo test --locked --no-fail-fast

# Speed and size of what is on a call's way, each beside something to compare with.
bench:
	cargo bench --locked

# The Asterisks that the tests run on: 22, and 16 as the oldest that is still met.
lab:
	@tests/lab/setup.sh 22 >/dev/null
	@tests/lab/setup.sh 16 >/dev/null
