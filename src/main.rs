//! The binary: the command line of [`nameplate`].

use std::process::ExitCode;

fn main() -> ExitCode {
    nameplate::cli::run(std::env::args_os())
}
