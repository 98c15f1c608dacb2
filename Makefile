# These commands do everything on a Debian machine with Rust (root or sudo):
#
#   make demo     eight calls on a real Asterisk, with the names that a softphone shows
#   make test     all checks and tests
#   make drill    calls without end while everything goes wrong in turn; a table of what became of them
#
# What they need from Debian, Asterisk in a root of its own included, tests/lab/setup.sh installs at the first run.

.PHONY: demo test drill bench fuzz lab rust
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

# 2,000 calls at 100 a second for each trouble, by ARI on the websocket and over HTTP, and by FastAGI; `make drill ON=16` on the
# old Asterisk.
ON ?= 22
drill: rust
	@tests/lab/setup.sh $(ON) >/dev/null
	@cargo test --release --locked --no-run --test drill
	@cargo test --release --locked --quiet --test drill -- long $(ON)

# Speed and size, each beside something to compare with: what is on a call's way, whole calls, large lists. About 15 minutes.
bench: rust lab
	cargo bench --locked

# Any bytes as calls over FastAGI and ARI, callers, records, names and templates, a minute each: tests/fuzz/oracles.rs says what has to hold. What is
# found is left in tests/fuzz/artifacts; `make test` tries what is kept in tests/data/fuzz again.
fuzz: rust
	@rustup toolchain list | grep -q '^nightly' || rustup toolchain install nightly --profile minimal
	@command -v cargo-fuzz >/dev/null || cargo install --locked cargo-fuzz
	for target in agi_block ari_event caller crm_number name template; do \
		mkdir -p tests/fuzz/corpus/$$target && \
		cargo +nightly fuzz run --fuzz-dir tests/fuzz $$target tests/fuzz/corpus/$$target tests/data/fuzz/$$target \
			-- -max_total_time=60 -max_len=$$([ $$target = agi_block ] && echo 70000 || echo 256) -print_final_stats=1 || exit 1; \
	done

# The Asterisks that the tests run on: 22, and 16 as the oldest that is still met.
lab:
	@tests/lab/setup.sh 22 >/dev/null
	@tests/lab/setup.sh 16 >/dev/null
