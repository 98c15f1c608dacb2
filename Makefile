# These commands do everything on a Debian machine with Rust (root or sudo):
#
#   make demo     eight calls on a real Asterisk, with the names that a softphone shows
#   make test     all checks and tests
#   make drill    calls without end while everything goes wrong in turn; a table of what became of them
#   make package  the Debian package, for Debian 12 and later: target/debian/nameplate_….deb
#   make soak     a year of refreshes on a fast clock, and 200,000 calls
#   make demo-replicas  three replicas on real Redis servers, a kill, and a table of what each replica knew and when
#   make chaos    eight replicas with calls all the time, while replicas and servers are killed, stopped and cut off
#
# And while the code is changed:
#
#   make check                                                  everything that needs no Asterisk
#   make promise NAME=call_rings_with_name [WAY=websocket]      one file of tests/, by all ways or one of them
#
# What they need from Debian, Asterisk in a root of its own included, tests/lab/setup.sh installs at the first run.

.PHONY: demo demo-replicas chaos check promise test promises drill package reproducible soak bench fuzz lab rust tools deny deb sbom
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

demo-replicas: rust tools
	@tests/lab/setup.sh redis >/dev/null
	@echo "building … (a few minutes at the first time)"
	@cargo test --release --locked --no-run --test replicas
	@cargo test --release --locked --quiet --test replicas -- demo

# Formatting, lints, documentation, the crates' licences, unit tests, the tables of numbers, the metrics and alerts for Prometheus, and
# whether these documents are true.
check: rust tools deny
	cargo fmt --check
	cargo deny --locked check bans licenses sources
	cargo clippy --locked --all-targets -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --locked --no-deps --document-private-items --quiet
	cargo test --locked --no-fail-fast --lib --bins
	cargo test --locked --no-fail-fast --test promises -- numbers_are_read_as_google_does documents_are_true manual_pages_fit \
		prometheus_reads_the_metrics

# The ways are websocket, http, http_on_16, agi, agi_on_16.
promise: rust lab
	@[ -n "$(NAME)" ] || { echo "make promise NAME=call_rings_with_name [WAY=websocket]"; exit 1; }
	@cargo test --locked --no-run --quiet --test promises
	@names=$$(cargo test --locked --quiet --test promises -- --list | sed -n 's/: test$$//p' | \
		grep -E '^$(NAME)(::|$$)' | grep -E '$(if $(WAY),::$(WAY)$$)'); \
	[ -n "$$names" ] || { echo "no promise $(NAME) $(if $(WAY),by the way $(WAY) )in tests/"; exit 1; }; \
	cargo test --locked --test promises -- --exact $$names

test: check lab deb
	cargo test --locked --no-fail-fast --no-run
	$(MAKE) promises
	cargo test --locked --no-fail-fast --test demo --test drill

# Most of the time is spent waiting, so several promises run side by side. Those in a module `alone` place many calls a second, or
# measure what a rush of them needs.
promises:
	cargo test --locked --no-fail-fast --test promises -- --skip ::alone:: --test-threads $$(($$(nproc) * 4))
	cargo test --locked --no-fail-fast --test promises -- ::alone:: --test-threads 1

# 2,000 calls at 100 a second for each trouble, by ARI on the websocket and over HTTP, and by FastAGI; `make drill ON=16` on the
# old Asterisk.
ON ?= 22
drill: rust
	@tests/lab/setup.sh $(ON) >/dev/null
	@cargo test --release --locked --no-run --test drill
	@cargo test --release --locked --quiet --test drill -- long $(ON)

# Each trouble once, or as long as wanted: `make chaos MINUTES=60`.
MINUTES ?= 0
chaos: rust
	@tests/lab/setup.sh 22 >/dev/null
	@tests/lab/setup.sh redis >/dev/null
	@cargo test --release --locked --no-run --test replicas
	@cargo test --release --locked --quiet --test replicas -- chaos $(MINUTES)

# A release build in a Debian 12 of its own, its bill of materials, and what lintian says of the package.
package: rust tools deb sbom
	@packaging/build.sh

# Two clones of the last commit, in folders of different names, make the same package, byte by byte. Two release builds.
reproducible: rust tools deb sbom
	rm -rf target/reproducible
	for folder in one another-one; do \
		git clone --quiet . target/reproducible/$$folder && $(MAKE) -C target/reproducible/$$folder package || exit 1; \
	done
	sha256sum target/reproducible/*/target/debian/*.deb
	cmp target/reproducible/*/target/debian/*.deb

# What only shows after a long time. `make soak CALLS=20000` places fewer calls.
CALLS ?= 200000
soak: rust
	@tests/lab/setup.sh 22 >/dev/null
	@cargo test --release --locked --no-run --test soak
	@cargo test --release --locked --quiet --test soak -- year
	@cargo test --release --locked --quiet --test soak -- calls $(CALLS)

# Speed and size, each beside something to compare with: what is on a call's way, whole calls, large lists, replicas. About half an hour.
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

# Reads the licences of all crates (deny.toml). Once, where it is missing: two minutes of work for one core, five and a half
# on two busy ones.
deny: rust tools
	@command -v cargo-deny >/dev/null || CARGO_PROFILE_DEV_DEBUG=false cargo install --locked --debug cargo-deny

# Packs the Debian package, for `make package` and for the test of it. Once, where it is missing: a minute or two.
deb: rust tools
	@command -v cargo-deb >/dev/null || CARGO_PROFILE_DEV_DEBUG=false cargo install --locked --debug cargo-deb@3.8.0

# Writes the bill of materials.
sbom: rust tools
	@command -v cargo-cyclonedx >/dev/null || CARGO_PROFILE_DEV_DEBUG=false cargo install --locked --debug cargo-cyclonedx@0.5.9

# A C compiler for the crates.
tools:
	@tests/lab/setup.sh tools >/dev/null

# The Asterisks that the tests run on: 22, and 16 as the oldest that is still met.
lab:
	@tests/lab/setup.sh 22 >/dev/null
	@tests/lab/setup.sh 16 >/dev/null
