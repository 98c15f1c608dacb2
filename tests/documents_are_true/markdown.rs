//! Our Markdown, as far as it matters here: headings, links, blocks, spans and tables.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use crate::lab::nameplate::project;

/// A page of the project.
pub(super) struct Page {
    /// Its path, from the project's folder.
    pub path: PathBuf,
    pub text: String,
}

/// A fenced block.
pub(super) struct Block<'a> {
    pub language: &'a str,
    pub text: String,
}

/// Every page that comes with the project.
pub(super) fn pages() -> Vec<Page> {
    let mut found = Vec::new();
    for folder in ["", "docs", "asterisk-conf"] {
        for entry in fs::read_dir(project().join(folder)).unwrap() {
            let name = entry.unwrap().file_name();
            let path = Path::new(folder).join(name);
            if path.extension().is_some_and(|kind| kind == "md") {
                found.push(page(&path.to_string_lossy()));
            }
        }
    }
    found.sort_by(|a, b| a.path.cmp(&b.path));
    assert!(found.len() > 15, "{}", found.len());
    found
}

/// One of them.
pub(super) fn page(path: &str) -> Page {
    let text = fs::read_to_string(project().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"));
    Page { path: path.into(), text }
}

impl Page {
    pub(super) fn name(&self) -> String {
        self.path.display().to_string()
    }

    /// The lines outside of blocks.
    pub(super) fn prose(&self) -> String {
        let mut inside = false;
        let mut prose = String::new();
        for line in self.text.lines() {
            if line.trim_start().starts_with("```") && !line.trim_start()[3..].contains('`') {
                inside = !inside;
            } else if !inside {
                prose.push_str(line);
                prose.push('\n');
            }
        }
        prose
    }

    pub(super) fn blocks(&self) -> Vec<Block<'_>> {
        let mut blocks = Vec::new();
        let mut open: Option<Block<'_>> = None;
        for line in self.text.lines() {
            match (line.trim_start().strip_prefix("```"), &mut open) {
                (Some(_), Some(_)) => blocks.extend(open.take()),
                (Some(language), None) if !language.contains('`') => {
                    open = Some(Block { language, text: String::new() });
                }
                (_, Some(block)) => {
                    block.text.push_str(line);
                    block.text.push('\n');
                }
                (_, None) => {}
            }
        }
        assert!(open.is_none(), "{}: a block is not closed", self.name());
        blocks
    }

    /// The anchors of its headings, as GitHub makes them.
    pub(super) fn anchors(&self) -> BTreeSet<String> {
        let prose = self.prose();
        let headings = prose.lines().filter(|line| line.starts_with('#'));
        headings.map(|line| slug(line.trim_start_matches('#').trim())).collect()
    }

    /// Where its links lead to.
    pub(super) fn links(&self) -> Vec<String> {
        let prose = without_spans(&self.prose());
        let behind = prose.split("](").skip(1);
        behind.map(|rest| rest.split(')').next().unwrap_or_default().to_owned()).collect()
    }

    /// The code spans outside of blocks.
    pub(super) fn spans(&self) -> Vec<String> {
        spans(&self.prose()).into_iter().map(|(span, _)| span).collect()
    }

    /// What stands below the heading with this anchor, up to the next one of its level or a higher one.
    pub(super) fn section(&self, anchor: &str) -> String {
        let mut level = None;
        let mut section = String::new();
        for line in self.text.lines() {
            let depth = line.chars().take_while(|c| *c == '#').count();
            match level {
                None if depth > 0 && slug(line[depth..].trim()) == anchor => level = Some(depth),
                Some(level) if (1..=level).contains(&depth) => break,
                Some(_) => {
                    section.push_str(line);
                    section.push('\n');
                }
                None => {}
            }
        }
        assert!(level.is_some(), "{}: no heading #{anchor}", self.name());
        section
    }
}

/// The code spans of the first cells of all tables in a text.
pub(super) fn first_cells(text: &str) -> Vec<String> {
    let rows = text.lines().filter_map(|line| line.trim_start().strip_prefix("| "));
    let begins = rows.filter(|row| row.starts_with('`'));
    begins
        .flat_map(|row| {
            let mut first = Vec::new();
            let mut rest = row;
            // `a`, `b` | …
            while let Some((span, behind)) = spans(rest).into_iter().next() {
                first.push(span);
                rest = behind;
                match rest.strip_prefix(", `") {
                    Some(_) => rest = &rest[2..],
                    None => break,
                }
            }
            first
        })
        .collect()
}

/// The code spans of a text, each with what is behind it. A span ends at as many backticks as it begins with.
fn spans(text: &str) -> Vec<(String, &str)> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some(begin) = rest.find('`') {
        let ticks = rest[begin..].chars().take_while(|c| *c == '`').count();
        let body = &rest[begin + ticks..];
        let Some(end) = closing(body, ticks) else {
            rest = body;
            continue;
        };
        let mut span = body[..end].replace('\n', " ");
        if span.starts_with(' ') && span.ends_with(' ') && !span.trim().is_empty() {
            span = span[1..span.len() - 1].to_owned();
        }
        rest = &body[end + ticks..];
        found.push((span, rest));
    }
    found
}

/// Where exactly so many backticks stand.
fn closing(text: &str, ticks: usize) -> Option<usize> {
    let mut at = 0;
    while let Some(begin) = text[at..].find('`') {
        let count = text[at + begin..].chars().take_while(|c| *c == '`').count();
        if count == ticks {
            return Some(at + begin);
        }
        at += begin + count;
    }
    None
}

/// The text with nothing in its code spans: brackets in them are no links.
fn without_spans(text: &str) -> String {
    let mut bare = String::new();
    let mut rest = text;
    for (_, behind) in spans(text) {
        let begin = rest.find('`').unwrap_or(0);
        bare.push_str(&rest[..begin]);
        bare.push_str("``");
        rest = behind;
    }
    bare + rest
}

/// A heading's anchor: lower case, blanks are hyphens, other signs go.
fn slug(heading: &str) -> String {
    let kept = heading.to_lowercase();
    let kept = kept.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
    kept.map(|c| if c == ' ' { '-' } else { c }).collect()
}

#[test]
fn markdown_is_read() {
    let text = "# A\n\nIs `a | b` in [`x`](y.md#z), ``c `d` [no](n)``?\n\n## `[web]` and …: more\n\n| `k`, `l` | x |\n| `` `m` `` | y |\n\
                ```toml\na = 1\n```\nend";
    let page = Page { path: "a.md".into(), text: text.into() };
    assert_eq!(page.links(), ["y.md#z"]);
    assert_eq!(page.spans(), ["a | b", "x", "c `d` [no](n)", "[web]", "k", "l", "`m`"]);
    assert_eq!(page.anchors().into_iter().collect::<Vec<_>>(), ["a", "web-and--more"]);
    assert_eq!(first_cells(&page.section("web-and--more")), ["k", "l", "`m`"]);
    let blocks = page.blocks();
    assert_eq!((blocks.len(), blocks[0].language, blocks[0].text.as_str()), (1, "toml", "a = 1\n"));
}
