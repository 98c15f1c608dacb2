//! What the log has of the server: that it answers, and why it can't be used. A server that fails again soon after each new connection
//! does not fill the log. A machine without I/O.

/// How often the log has that the server answers, before a connection to it has lasted: at the start, and after the first failure.
const ANSWERS: u32 = 2;

/// What the log has of the server since a connection to it has lasted.
#[derive(Clone, Debug, Default)]
pub struct Said {
    /// Why it can't be used.
    failures: Vec<String>,
    /// How often it has that the server answers.
    answers: u32,
    /// Whether that is the last it has.
    is_up: bool,
}

impl Said {
    /// The server has answered. Whether the log says so now.
    pub fn answers(&mut self) -> bool {
        if self.is_up || self.answers >= ANSWERS {
            return false;
        }
        self.answers += 1;
        self.is_up = true;
        true
    }

    /// The server can't be used. Whether the log says so now: not again before a connection has lasted, unless it says the opposite.
    pub fn fails(&mut self, error: &str) -> bool {
        let is_new = !self.failures.iter().any(|known| known == error);
        if is_new {
            self.failures.push(error.to_owned());
        }
        is_new | std::mem::take(&mut self.is_up)
    }

    /// A connection has lasted: what was said is over. Whether the log says now that the server answers.
    pub fn lasts(&mut self) -> bool {
        *self = Self { is_up: self.is_up, ..Self::default() };
        self.answers()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_outage_and_its_end_are_said_once_each() {
        let mut said = Said::default();
        assert!(said.answers() && !said.answers());
        assert!(said.fails("silent") && !said.fails("silent"));
        assert!(said.fails("refused") && !said.fails("silent") && !said.fails("refused"));
        assert!(said.answers() && !said.answers());
        // The next one, after a while.
        assert!(!said.lasts() && said.fails("silent") && said.answers());
    }

    #[test]
    fn a_server_that_fails_soon_after_each_answer_is_said_to_fail_and_no_more() {
        let mut said = Said::default();
        let mut lines = Vec::new();
        for place in 0..1_000 {
            if said.answers() {
                lines.push("answers");
            }
            let error = ["full", "silent"][place % 2];
            if said.fails(error) {
                lines.push(error);
            }
        }
        assert_eq!(lines, ["answers", "full", "answers", "silent"]);
        // It has room again.
        assert!(!said.answers() && said.lasts() && !said.lasts());
        assert!(said.fails("full"));
    }
}
