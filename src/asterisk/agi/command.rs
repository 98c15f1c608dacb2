//! Commands, and what Asterisk answers.

/// A command that does nothing.
pub(super) const NOTHING: &str = "NOOP\n";

/// `SET VARIABLE`: the value is taken as it is, whatever it holds; nothing in it is substituted.
pub(super) fn set_variable(name: &str, value: &str) -> String {
    let mut command = format!("SET VARIABLE {name} \"");
    for c in value.chars() {
        match c {
            '"' | '\\' => command.extend(['\\', c]),
            // It would be the next command.
            '\r' | '\n' | '\0' => command.push(' '),
            c => command.push(c),
        }
    }
    command.push_str("\"\n");
    command
}

/// What a line from Asterisk says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// `200 …`: done.
    Done,
    /// `511 …`: the channel is dead.
    Dead,
    /// `HANGUP`: the caller has gone. It is no answer, and the answer may still come.
    Hangup,
    /// `520-…`: the first line of several.
    UsageFollows,
    /// Anything else: the command was not understood.
    Refused,
}

impl Answer {
    /// Reads a line.
    pub(super) fn of(line: &str) -> Self {
        if line == "HANGUP" {
            return Self::Hangup;
        }
        match line.get(..4) {
            Some("200 ") => Self::Done,
            Some("511 ") => Self::Dead,
            Some("520-") => Self::UsageFollows,
            _ => Self::Refused,
        }
    }
}
