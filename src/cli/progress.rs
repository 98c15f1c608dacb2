//! The progress of a refresh on a terminal: one line, rewritten.

use std::io::{self, IsTerminal, Write};

use crate::lists::status::grouped;
use crate::source::Step;

/// The most lists with their names in the line; more are shown as a sum.
const NAMED: usize = 3;

/// The line, with the lists in progress.
#[derive(Default)]
pub(super) struct Line {
    lists: Vec<(String, Step)>,
    /// Whether the line has text.
    drawn: bool,
}

impl Line {
    /// Whether stdout is a terminal. A file or a pipe gets the results only.
    pub(super) fn is_wanted() -> bool {
        io::stdout().is_terminal() && std::env::var_os("TERM").is_none_or(|term| term != "dumb")
    }

    /// Shows the step of a list.
    pub(super) fn show(&mut self, list: String, step: Step, out: &mut impl Write) -> io::Result<()> {
        match self.lists.iter_mut().find(|(name, _)| *name == list) {
            Some((_, known)) => *known = step,
            None => self.lists.push((list, step)),
        }
        self.draw(out)
    }

    /// Removes a list that is done.
    pub(super) fn end(&mut self, list: &str) {
        self.lists.retain(|(name, _)| name != list);
    }

    /// Shows the lists in progress, if there are any.
    pub(super) fn draw(&mut self, out: &mut impl Write) -> io::Result<()> {
        if self.lists.is_empty() {
            return Ok(());
        }
        self.drawn = true;
        // Wrapping off (DECAWM): the terminal cuts a long text at its width.
        write!(out, "\r\x1b[?7l{} …\x1b[K\x1b[?7h", self.text())?;
        out.flush()
    }

    /// Clears the line for other output.
    pub(super) fn clear(&mut self, out: &mut impl Write) -> io::Result<()> {
        if std::mem::take(&mut self.drawn) {
            write!(out, "\r\x1b[K")?;
            out.flush()?;
        }
        Ok(())
    }

    fn text(&self) -> String {
        if self.lists.len() <= NAMED {
            let one = |(list, step): &(String, Step)| format!("{list}: {}", in_words(*step));
            return self.lists.iter().map(one).collect::<Vec<_>>().join(" · ");
        }
        let read = self.lists.iter().map(|(_, step)| match step {
            Step::Idle | Step::Waiting => 0,
            Step::Reading { records } => *records,
            Step::Writing { entries } => *entries,
        });
        let waiting = self.lists.iter().filter(|(_, step)| matches!(step, Step::Waiting)).count();
        format!(
            "{} lists: {} records read, {waiting} wait for an answer",
            self.lists.len(),
            grouped(read.sum())
        )
    }
}

fn in_words(step: Step) -> String {
    match step {
        Step::Idle | Step::Waiting => "waiting for the answer".into(),
        Step::Reading { records } => format!("{} records read", grouped(records)),
        Step::Writing { entries } => format!("sorting and writing {} entries", grouped(entries)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn several_lists_share_the_one_line() {
        let mut line = Line::default();
        let mut shown = |list: &str, step| {
            let mut out = Vec::new();
            line.show(list.into(), step, &mut out).unwrap();
            String::from_utf8(out).unwrap()
        };
        let drawn = shown("a", Step::Reading { records: 1_412_000 });
        assert_eq!(drawn, "\r\x1b[?7la: 1,412,000 records read …\x1b[K\x1b[?7h");
        let drawn = shown("b", Step::Waiting);
        assert!(drawn.contains("a: 1,412,000 records read · b: waiting for the answer …"), "{drawn}");
        shown("c", Step::Waiting);
        let drawn = shown("d", Step::Writing { entries: 30 });
        assert!(drawn.contains("4 lists: 1,412,030 records read, 2 wait for an answer …"), "{drawn}");
        assert!(!drawn.contains('\n'));
    }

    #[test]
    fn the_line_makes_room_for_what_came() {
        let (mut line, mut out) = (Line::default(), Vec::new());
        line.clear(&mut out).unwrap();
        line.draw(&mut out).unwrap();
        assert!(out.is_empty(), "nothing stands there yet");
        for list in ["a", "b"] {
            line.show(list.into(), Step::Waiting, &mut out).unwrap();
        }
        out.clear();
        line.clear(&mut out).unwrap();
        line.end("a");
        assert_eq!(out, b"\r\x1b[K");
        // The others are still at it.
        line.draw(&mut out).unwrap();
        assert!(String::from_utf8_lossy(&out).contains("b: waiting for the answer …"));
    }

    #[test]
    fn digits_are_grouped_by_three() {
        let numbers = [0, 999, 1000, 412_000, 1_000_000].map(grouped);
        assert_eq!(numbers, ["0", "999", "1,000", "412,000", "1,000,000"]);
    }
}
