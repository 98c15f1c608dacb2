//! The binary: the command line of [`nameplate`].

use std::process::ExitCode;

/// Gives the memory of a large list back to the system after a refresh, which glibc's allocator keeps. How it is
/// set stands in `.cargo/config.toml`.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    nameplate::cli::run(std::env::args_os())
}
