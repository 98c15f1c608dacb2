//! `docs/configuration.md` as a manual page, as far as its Markdown goes.

use clap_mangen::roff::{Inline, Roff, bold, italic, roman};
use pulldown_cmark::{Event, HeadingLevel, Options, Parser, Tag, TagEnd};

/// The page nameplate.toml(5).
pub(super) fn page(markdown: &str) -> String {
    let mut page = Page::default();
    page.roff.control("TH", ["nameplate.toml", "5", "", super::VERSION, "Nameplate"]);
    page.roff.control("SH", ["NAME"]);
    page.roff.text([roman("nameplate.toml - the configuration of nameplate(1)")]);
    page.roff.control("SH", ["DESCRIPTION"]);
    for event in Parser::new_ext(markdown, Options::ENABLE_TABLES) {
        page.take(event);
    }
    page.roff.control("SH", ["SEE ALSO"]);
    page.roff.text([
        bold("nameplate"),
        roman("(1), "),
        italic("/usr/share/nameplate/nameplate.toml"),
        roman(" (an example with all settings), "),
        italic("/usr/share/doc/nameplate/docs"),
    ]);
    page.roff.render()
}

/// What has been read so far.
#[derive(Default)]
struct Page {
    roff: Roff,
    /// The paragraph, heading or cell that is being read.
    inlines: Vec<Inline>,
    /// The pages that its links lead to, outermost first.
    links: Vec<String>,
    /// The table's first row, and the cells of the row that is being read.
    head: Vec<Vec<Inline>>,
    cells: Vec<Vec<Inline>>,
    in_block: bool,
    in_item: bool,
    sections: usize,
}

impl Page {
    fn take(&mut self, event: Event<'_>) {
        match event {
            Event::Text(text) if self.in_block => drop(self.roff.text([roman(text.trim_end())])),
            Event::Text(text) => self.inlines.push(roman(text.into_string())),
            Event::Code(code) => self.inlines.push(bold(code.into_string())),
            Event::SoftBreak => self.inlines.push(roman(" ")),
            Event::Start(tag) => self.start(tag),
            Event::End(tag) => self.end(tag),
            other => panic!("docs/configuration.md: {other:?} has no form in a manual page yet"),
        }
    }

    fn start(&mut self, tag: Tag<'_>) {
        match tag {
            Tag::Link { dest_url, .. } => self.links.push(dest_url.into_string()),
            Tag::CodeBlock(_) => {
                self.in_block = true;
                self.roff.control("PP", []).control("EX", []);
            }
            Tag::Item => self.in_item = true,
            Tag::Table(_) => self.head.clear(),
            _ => {}
        }
    }

    fn end(&mut self, tag: TagEnd) {
        match tag {
            // The title and the question below it are what NAME says.
            TagEnd::Heading(HeadingLevel::H1) => self.inlines.clear(),
            TagEnd::Paragraph if self.sections == 0 => {
                self.inlines.clear();
                self.sections = 1;
            }
            TagEnd::Heading(level) => {
                let words: String = std::mem::take(&mut self.inlines).into_iter().map(plain).collect();
                self.roff.control(if level == HeadingLevel::H2 { "SH" } else { "SS" }, [words.as_str()]);
            }
            TagEnd::Paragraph => self.paragraph(),
            TagEnd::Item => {
                self.in_item = true;
                if !self.inlines.is_empty() {
                    self.paragraph();
                }
                self.in_item = false;
            }
            TagEnd::CodeBlock => {
                self.in_block = false;
                self.roff.control("EE", []);
            }
            TagEnd::Link => {
                let to = self.links.pop().unwrap_or_default();
                let page = to.split('#').next().unwrap_or_default();
                // Where the page is not beside this one, the words of the link have to do.
                if page.ends_with(".md") && !page.contains('/') {
                    self.inlines.extend([roman(": "), italic(page)]);
                }
            }
            TagEnd::TableCell => self.cells.push(std::mem::take(&mut self.inlines)),
            TagEnd::TableHead => self.head = std::mem::take(&mut self.cells),
            TagEnd::TableRow => self.row(),
            _ => {}
        }
    }

    fn paragraph(&mut self) {
        if self.in_item {
            self.roff.control("IP", ["\\(bu", "2"]);
        } else {
            self.roff.control("PP", []);
        }
        self.roff.text(std::mem::take(&mut self.inlines));
    }

    /// A row is an entry: its first cell, and below it the others, from the third on with the word above them.
    fn row(&mut self) {
        let mut cells = std::mem::take(&mut self.cells).into_iter();
        self.roff.control("TP", []);
        self.roff.text(cells.next().unwrap_or_default());
        let mut text = cells.next().unwrap_or_default();
        for (cell, head) in cells.zip(self.head.iter().skip(2)) {
            text.push(roman("; "));
            text.extend(head.iter().cloned());
            text.push(roman(": "));
            text.extend(cell);
        }
        self.roff.text(text);
    }
}

fn plain(inline: Inline) -> String {
    match inline {
        Inline::Roman(text) | Inline::Italic(text) | Inline::Bold(text) => text,
        Inline::LineBreak => " ".into(),
    }
}

#[test]
fn markdown_becomes_a_manual_page() {
    let page = page(
        "# Configuration\n\nWhich settings are there?\n\nOne\nfile ([more](other.md#here), [far](../far.md)).\n\n- a\n- b\n\n\
         ## `[log]`\n\n| key | meaning | default |\n|---|---|---|\n| `mask` | hides | `true` |\n\n```toml\n[log]\nmask = true\n```\n",
    );
    let (_, body) = page.split_once(".SH DESCRIPTION\n").unwrap();
    let (body, _) = body.split_once(".SH \"SEE ALSO\"\n").unwrap();
    assert_eq!(
        body,
        ".PP\nOne file (more: \\fIother.md\\fR, far).\n.IP \\(bu 2\na\n.IP \\(bu 2\nb\n.SH [log]\n.TP\n\\fBmask\\fR\nhides; \
         default: \\fBtrue\\fR\n.PP\n.EX\n[log]\nmask = true\n.EE\n"
    );
}
