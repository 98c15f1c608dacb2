//! Many numbers: one a line in, one answer a line out, in the same order.

use std::io::{self, BufRead, BufWriter, Read, Write};

use super::Lookup;

/// The size of the buffers, in bytes.
const BUFFER: usize = 1 << 16;

/// The most bytes of a line that are read. No number is that long.
const LONGEST_LINE: usize = 1024;

/// Answers each line of `numbers`: with the number, a tab and the name, which may be empty; or with a JSON object.
///
/// Answers are written out before the next number is waited for, so a program that sends one number at a time gets each
/// answer.
pub(super) fn answer(lookup: &Lookup<'_>, json: bool, numbers: impl Read, out: impl Write) -> io::Result<()> {
    let mut numbers = io::BufReader::with_capacity(BUFFER, numbers);
    let mut out = BufWriter::with_capacity(BUFFER, out);
    let mut line = Vec::new();
    loop {
        line.clear();
        if !next_line(&mut numbers, &mut line, &mut out)? {
            return out.flush();
        }
        let number = String::from_utf8_lossy(&line);
        let number = number.trim();
        let resolution = lookup.answer(number).resolution;
        if json {
            serde_json::to_writer(&mut out, resolution.as_ref())?;
            out.write_all(b"\n")?;
        } else {
            let name = resolution.name.as_ref().map_or("", |name| name.as_str());
            writeln!(out, "{number}\t{name}")?;
        }
    }
}

/// Reads a line without its line break, at most [`LONGEST_LINE`] bytes of it. False at the end. Flushes `out` before it
/// waits.
fn next_line(
    numbers: &mut io::BufReader<impl Read>,
    line: &mut Vec<u8>,
    out: &mut impl Write,
) -> io::Result<bool> {
    let mut begun = false;
    loop {
        if numbers.buffer().is_empty() {
            out.flush()?;
        }
        let read = match numbers.fill_buf() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            read => read?,
        };
        if read.is_empty() {
            return Ok(begun);
        }
        begun = true;
        let end = read.iter().position(|byte| *byte == b'\n');
        let part = read.get(..end.unwrap_or(read.len())).unwrap_or_default();
        line.extend(part.iter().take(LONGEST_LINE - line.len()));
        let used = part.len() + usize::from(end.is_some());
        numbers.consume(used);
        if end.is_some() {
            return Ok(true);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lookup::{Pbx, Resolver};
    use crate::name::Style;
    use crate::number::Settings;

    fn answered(numbers: impl Read, json: bool, out: impl Write) -> io::Result<()> {
        let resolver = Resolver::new(Style::default());
        let country = "NO".parse().unwrap();
        let pbx = Pbx { id: 0, numbers: Settings::new(country) };
        let lookup = Lookup { resolver: &resolver, pbx: &pbx, country: None };
        answer(&lookup, json, numbers, out)
    }

    #[test]
    fn every_line_has_an_answer_whatever_stands_in_it() {
        let long = "1".repeat(100_000);
        let lines = format!("22334455\r\n\n\u{fffd}\n{long}\nlast");
        let mut out = Vec::new();
        answered(lines.as_bytes(), false, &mut out).unwrap();
        let out = String::from_utf8(out).unwrap();
        let numbers: Vec<_> = out.lines().map(|line| line.split_once('\t').unwrap()).collect();
        let cut = &long[..LONGEST_LINE];
        assert_eq!(numbers, [("22334455", ""), ("", ""), ("\u{fffd}", ""), (cut, ""), ("last", "")]);

        let mut out = Vec::new();
        answered(&b"22334455\nx"[..], true, &mut out).unwrap();
        let out = String::from_utf8(out).unwrap();
        let input = |line| serde_json::from_str::<serde_json::Value>(line).unwrap()["input"].clone();
        let inputs: Vec<_> = out.lines().map(input).collect();
        assert_eq!(inputs, ["22334455", "x"]);
    }

    #[test]
    fn an_answer_does_not_wait_for_the_next_question() {
        /// Two lines, with a check of the output between them.
        struct Hesitating<'a>(u8, &'a std::cell::RefCell<Vec<u8>>);

        impl Read for Hesitating<'_> {
            fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
                self.0 += 1;
                assert_eq!(self.1.borrow().len(), [0, 2, 4][usize::from(self.0) - 1]);
                let line: &[u8] = if self.0 < 3 { b"1\n" } else { b"" };
                into[..line.len()].copy_from_slice(line);
                Ok(line.len())
            }
        }

        /// Writes into the buffer that the reader checks.
        struct Shared<'a>(&'a std::cell::RefCell<Vec<u8>>);

        impl Write for Shared<'_> {
            fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
                // Without the line break.
                self.0.borrow_mut().extend(bytes.iter().filter(|byte| **byte != b'\n'));
                Ok(bytes.len())
            }

            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }

        let written = std::cell::RefCell::new(Vec::new());
        answered(Hesitating(0, &written), false, Shared(&written)).unwrap();
        assert_eq!(written.into_inner(), b"1\t1\t");
    }
}
