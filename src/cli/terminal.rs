//! Questions on a terminal.

use std::io::{self, IsTerminal, Write};
use std::sync::Once;
use std::thread;

use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};
use secrecy::SecretString;
use tokio::signal::unix::{SignalKind, signal};

/// The exit status after Ctrl-C, as shells give it: 128 and the number of the signal.
const INTERRUPTED: i32 = 130;

/// Whether somebody can be asked.
pub(super) fn is_there() -> bool {
    io::stdin().is_terminal()
}

/// Asks until the answer is accepted. An empty one is `offered`.
pub(super) fn ask<T>(
    question: &str,
    offered: &str,
    accept: impl Fn(&str) -> Result<T, String>,
) -> io::Result<T> {
    loop {
        let default = if offered.is_empty() { String::new() } else { format!(" [{offered}]") };
        let answer = read(&mut io::stdout(), &format!("{question}{default}: "))?;
        let answer = answer.trim();
        let answer = if answer.is_empty() { offered } else { answer };
        match accept(answer) {
            Ok(accepted) => return Ok(accepted),
            Err(why) => writeln!(io::stdout(), "  {why}")?,
        }
    }
}

/// Asks for a secret, which the terminal does not show. The question goes to `out`.
pub(super) fn ask_secret(out: &mut impl Write, question: &str) -> io::Result<SecretString> {
    loop {
        let answer = unseen(|| read(out, &format!("{question} (not shown): ")))?;
        // The Enter is not shown either.
        writeln!(out)?;
        if !answer.trim().is_empty() {
            return Ok(answer.into());
        }
        writeln!(out, "  nothing was typed: try again")?;
    }
}

/// The line that is typed, without its end.
fn read(out: &mut impl Write, prompt: &str) -> io::Result<String> {
    write!(out, "{prompt}")?;
    out.flush()?;
    let mut line = String::new();
    if io::stdin().read_line(&mut line)? == 0 {
        return Err(io::Error::new(
            io::ErrorKind::UnexpectedEof,
            "the terminal has ended, nothing is written",
        ));
    }
    Ok(line.trim_end_matches(['\r', '\n']).to_owned())
}

/// Does this while the terminal shows nothing of what is typed.
fn unseen<T>(work: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
    let stdin = io::stdin();
    let before = tcgetattr(&stdin)?;
    restored_by_ctrl_c(before.clone())?;
    let mut hidden = before.clone();
    hidden.local_modes.remove(LocalModes::ECHO);
    tcsetattr(&stdin, OptionalActions::Now, &hidden)?;
    let done = work();
    tcsetattr(&stdin, OptionalActions::Now, &before)?;
    done
}

/// Lets Ctrl-C end the program with the terminal as it was: not every shell sets it back.
fn restored_by_ctrl_c(before: Termios) -> io::Result<()> {
    static ONCE: Once = Once::new();
    let mut result = Ok(());
    ONCE.call_once(|| result = restore_at_ctrl_c(before));
    result
}

fn restore_at_ctrl_c(before: Termios) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
    let mut interrupted = {
        let _inside = runtime.enter();
        signal(SignalKind::interrupt())?
    };
    thread::spawn(move || {
        runtime.block_on(interrupted.recv());
        let _ = tcsetattr(io::stdin(), OptionalActions::Now, &before);
        std::process::exit(INTERRUPTED);
    });
    Ok(())
}
