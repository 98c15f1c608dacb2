//! What each step of the shipped context takes: a copy of it that notes the time after each, in the dialplan itself.

use std::fmt::Write as _;
use std::iter::once;

/// Its context.
pub(crate) const CONTEXT: &str = "timed";
/// The extension of the shipped context that asks.
const ASKING: &str = "lookup=allowed0001";
/// What Asterisk logs of each call.
const MARK: &str = "steps of a call:";

/// A way through the context, step by step.
pub(crate) struct Steps {
    /// Applications as they stand in the dialplan, in the order in which a known caller meets them.
    steps: Vec<String>,
}

impl Steps {
    /// Of a known caller's lookup by ARI, in this context.
    pub(crate) fn of(context: &str) -> Self {
        let enter = steps_of(context, "exten => lookup,1,");
        let asking = format!("exten => {ASKING},1,");
        let ask = steps_of(context, &asking).take_while(|step| !step.starts_with("Goto("));
        let answer =
            steps_of(context, "exten => _=.,1(found),").take_while(|step| !step.starts_with("Goto("));
        let steps = enter.chain(ask).chain(answer).chain(once("Goto(done,1)")).map(str::to_owned).collect();
        Self { steps }
    }

    /// The context that notes the time, and behind `Gosub()` the step that has it logged.
    pub(crate) fn dialplan(&self) -> (String, String) {
        let note = |at: usize| format!("Set(TIMED_{at}=${{STRFTIME(,,%s.%6q)}})");
        // The second is what noting takes itself.
        let mut context = format!(
            "[{CONTEXT}]\nexten => _lookup=!,1,Goto({ASKING},1)\nexten => lookup,1,{}\n same => n,{}\n same => n,{}\n",
            note(0),
            note(1),
            note(2)
        );
        let asking = format!("exten => {ASKING},1");
        for (at, step) in (3..).zip(&self.steps) {
            let _ = writeln!(context, " same => n,{step}");
            let next = match step.split('(').next() {
                Some("Stasis") => "exten => _=.,1(found)",
                Some("Goto") if at == 3 => &asking,
                Some("Goto") => "exten => done,1",
                _ => " same => n",
            };
            let _ = writeln!(context, "{next},{}", note(at));
        }
        context.push_str(" same => n,Return()\n");
        let times: Vec<_> = (0..self.steps.len() + 3).map(|at| format!("${{TIMED_{at}}}")).collect();
        (context, format!("Log(NOTICE,{MARK} {})", times.join(" ")))
    }

    /// The median of each, in µs, without what noting takes.
    pub(crate) fn table(&self, log: &str) -> String {
        let mut took: Vec<Vec<f64>> = vec![Vec::new(); self.steps.len() + 2];
        for (_, times) in log.lines().filter_map(|line| line.split_once(MARK)) {
            let times: Vec<f64> =
                times.split_whitespace().map(|time| time.parse().expect("a time")).collect();
            for (took, times) in took.iter_mut().zip(times.windows(2)) {
                took.push((times[1] - times[0]) * 1e6);
            }
        }
        let median = |took: &mut Vec<f64>| {
            took.sort_unstable_by(f64::total_cmp);
            took.get(took.len() / 2).copied().unwrap_or_default()
        };
        let medians: Vec<_> = took.iter_mut().map(median).collect();
        let mut table = String::new();
        for (step, median) in self.steps.iter().zip(&medians[2..]) {
            let _ = writeln!(table, "{:>6.0} µs  {step}", median - medians[1]);
        }
        table
    }
}

/// The applications of an extension, from its first priority on.
fn steps_of<'a>(context: &'a str, extension: &str) -> impl Iterator<Item = &'a str> {
    let (_, rest) = context.split_once(extension).expect("the extension");
    let mut lines = rest.lines().filter(|line| !line.starts_with(';'));
    let first = lines.next();
    let others =
        lines.map_while(|line| line.strip_prefix(" same => n")?.split_once(',').map(|(_, step)| step));
    first.into_iter().chain(others)
}
