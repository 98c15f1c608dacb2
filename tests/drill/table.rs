//! What is printed and kept.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::lab::fate::Tally;
use crate::lab::way::Way;
use crate::stage::Size;
use crate::trouble::Trouble;

const HEAD: [&str; 17] = [
    "trouble",
    "placed",
    "rung",
    "hung up",
    "**lost**",
    "named",
    "not up",
    "inside",
    "**unnamed**",
    "**wrong**",
    "**late**",
    "**left over**",
    "looked up",
    "median ms",
    "longest ms",
    "stall ms",
    "what was done",
];

/// One trouble and what became of its calls.
pub(crate) struct Row {
    pub trouble: Trouble,
    pub tally: Tally,
    /// Channels that stay in Asterisk.
    pub left_over: usize,
    /// Calls that the service has answered since it was last started.
    pub looked_up: usize,
    /// By how much the machine let a call leave too late: a measure of the noise on it.
    pub stall: Duration,
    /// What the trouble was.
    pub done: String,
    /// We may not do what it takes.
    pub is_skipped: bool,
}

impl Row {
    pub(crate) fn skipped(trouble: Trouble) -> Self {
        let (tally, done) = (Tally::default(), "not done: only root may mount a file system".to_owned());
        Self { trouble, tally, left_over: 0, looked_up: 0, stall: Duration::ZERO, done, is_skipped: true }
    }

    pub(crate) fn is_good(&self, size: &Size) -> bool {
        let tally = &self.tally;
        let spied = self.trouble == Trouble::Withheld && self.looked_up > 0;
        // How late calls are that are not looked up is nobody's fault here.
        let is_strict = size.is_strict && self.trouble.has_lookup();
        let slack = if is_strict { tally.late + tally.unnamed } else { 0 };
        let missing = !self.is_skipped && tally.placed != size.calls_in(self.trouble) as usize;
        tally.lost + self.left_over + tally.wrong + slack == 0 && !spied && !missing
    }

    fn cells(&self) -> [String; 17] {
        let ms = |time: Duration| format!("{:.1}", time.as_secs_f64() * 1000.0);
        let tally = &self.tally;
        let counts = [
            tally.placed,
            tally.rung,
            tally.given_up,
            tally.lost,
            tally.named,
            tally.down,
            tally.inside,
            tally.unnamed,
            tally.wrong,
            tally.late,
            self.left_over,
        ];
        let mut cells: [String; 17] = Default::default();
        self.trouble.as_str().clone_into(&mut cells[0]);
        for (cell, count) in cells[1..].iter_mut().zip(counts) {
            *cell = count.to_string();
        }
        if matches!(self.trouble, Trouble::Strangers | Trouble::Withheld) {
            cells[12] = self.looked_up.to_string();
        }
        cells[13] = ms(tally.median());
        cells[14] = ms(tally.longest());
        cells[15] = ms(self.stall);
        cells[16].clone_from(&self.done);
        cells
    }
}

/// All of them, printed while it grows.
pub(crate) struct Table {
    size: Size,
    text: String,
    bad: usize,
    /// The way of the latest row.
    way: Option<Way>,
}

impl Table {
    pub(crate) fn new(size: &Size) -> Self {
        let mut table = Self { size: *size, text: String::new(), bad: 0, way: None };
        table.say("# Fire drill\n");
        table.say(&format!(
            "{} calls at {} a second for each trouble. Bold columns have to be 0{}; tests/drill says what they mean.",
            size.calls,
            size.per_second,
            if size.is_strict { "" } else { ", `late` and `unnamed` in `make drill` only" },
        ));
        table
    }

    fn begin(&mut self, way: Way, version: &str) {
        let by = match way {
            Way::Websocket => "ARI",
            Way::Http | Way::HttpOn16 => "ARI over HTTP",
            Way::Agi | Way::AgiOn16 => "FastAGI",
        };
        self.say(&format!("\n## By {by} on Asterisk {version}\n"));
        self.say(&line(HEAD.map(str::to_owned)));
        let rule = HEAD.iter().map(|head| "-".repeat(head.len())).collect::<Vec<_>>();
        self.say(&format!("| {} |", rule.join(" | ")));
    }

    pub(crate) fn add(&mut self, way: Way, version: &str, row: &Row) {
        if self.way.replace(way) != Some(way) {
            self.begin(way, version);
        }
        self.bad += usize::from(!row.is_good(&self.size));
        self.say(&line(row.cells()));
    }

    pub(crate) fn end(&mut self, took: Duration) {
        let verdict = match self.bad {
            0 => "All is as it has to be.".to_owned(),
            bad => format!("{bad} rows are not as they have to be."),
        };
        self.say(&format!("\n{verdict} It took {:.0} s.", took.as_secs_f64()));
    }

    pub(crate) fn is_good(&self) -> bool {
        self.bad == 0
    }

    /// Writes it beside what was built; where.
    pub(crate) fn keep(&self, name: &str) -> PathBuf {
        let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().expect("the target's folder");
        let path = target.join(name).with_extension("md");
        std::fs::write(&path, &self.text).expect("a table");
        path
    }

    fn say(&mut self, line: &str) {
        println!("{line}");
        self.text += line;
        self.text.push('\n');
    }
}

/// As wide as its heads, so that it can be read as it is.
fn line(cells: [String; 17]) -> String {
    let mut text = "|".to_owned();
    for (cell, head) in cells.iter().zip(HEAD) {
        let width = if head == HEAD[0] { 18 } else { head.len() };
        let room = " ".repeat(width.saturating_sub(cell.chars().count()));
        text += &if head == HEAD[0] || head == HEAD[16] {
            format!(" {cell}{room} |")
        } else {
            format!(" {room}{cell} |")
        };
    }
    text
}
