//! The binary: the command line of [`nameplate`].

use std::process::ExitCode;

/// Returns the memory of a large list to the system after a refresh; glibc's allocator keeps it. Its options are in
/// `.cargo/config.toml`.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    nameplate::cli::run(std::env::args_os())
}
