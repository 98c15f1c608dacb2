//! Templates: the parts of a record in one text, `{person} ({company})`.

use std::fmt;
use std::str::FromStr;

/// The parts of a template.
#[derive(Clone, Copy, Debug, Default)]
pub struct Parts<'a> {
    /// `{person}`: the person's full name.
    pub person: &'a str,
    /// `{company}`: the company's name.
    pub company: &'a str,
    /// `{mrmrs}`: the form of address.
    pub mrmrs: &'a str,
    /// `{source}`: the name of the source.
    pub source: &'a str,
}

/// A template of `[names]`, checked when it is read.
///
/// `{person}`, `{company}`, `{mrmrs}` and `{source}` are parts. Brackets are left out if all parts inside are empty. Round
/// brackets are shown, square brackets are not. Everything else is text. The source does not count beside other parts in
/// brackets. Brackets with only the source are left out without a source: the range of a company that only the configuration
/// has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    nodes: Vec<Node>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Node {
    Text(String),
    Part(Part),
    /// `(…)` or `[…]`
    Brackets(Brackets, Vec<Self>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Brackets {
    /// `(…)`, shown.
    Round,
    /// `[…]`, not shown.
    Square,
}

/// A part of a record, or its source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    Person,
    Company,
    Mrmrs,
    Source,
}

/// The error of a template, with its place.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("template `{template}`, character {}: {what}", at + 1)]
pub struct TemplateError {
    template: String,
    /// The place, in characters from 0.
    at: usize,
    what: &'static str,
}

const UNKNOWN_PART: &str = "allowed in braces are {person}, {company}, {mrmrs} and {source}";
const NOT_OF_A_COMPANY: &str =
    "it is for companies, not for persons: allowed in braces are {company} and {source}";
const BRACE_NOT_CLOSED: &str = "the brace is not closed";
const NOT_CLOSED: &str = "the bracket is not closed";
const NOT_OPENED: &str = "a bracket is closed that was not opened";
const NO_PART: &str = "it needs {person} or {company}: without them there is no name";
const NO_COMPANY: &str = "it needs {company}: without it there is no name";
const FORBIDDEN: &str =
    "a name can't hold this character: other people's dialplans would act on it (\" : $ } \\ ; | ` < >)";

impl Template {
    /// `{person} ({company})`
    #[must_use]
    pub fn default_person() -> Self {
        let company = Node::Brackets(Brackets::Round, vec![Node::Part(Part::Company)]);
        Self { nodes: vec![Node::Part(Part::Person), Node::Text(" ".into()), company] }
    }

    /// `{company}`
    #[must_use]
    pub fn default_company() -> Self {
        Self { nodes: vec![Node::Part(Part::Company)] }
    }

    /// `~{company}`
    #[must_use]
    pub fn default_guess() -> Self {
        Self { nodes: vec![Node::Text("~".into()), Node::Part(Part::Company)] }
    }

    /// Reads a template for companies: it needs the company, and may not have parts of persons.
    pub fn of_company(template: &str) -> Result<Self, TemplateError> {
        let read = read(template, |part| match part {
            Part::Person | Part::Mrmrs => Err(NOT_OF_A_COMPANY),
            Part::Company | Part::Source => Ok(()),
        })?;
        if read.count(Part::Company) == 0 {
            return Err(TemplateError { template: template.to_owned(), at: 0, what: NO_COMPANY });
        }
        Ok(read)
    }

    /// The text for these parts, not yet cleaned or clamped.
    #[must_use]
    pub fn render(&self, parts: &Parts<'_>) -> String {
        let mut text = String::new();
        render(&self.nodes, parts, &mut text);
        text
    }

    /// How often the template has a part.
    pub(super) fn count(&self, part: Part) -> usize {
        count(&self.nodes, &|found| found == part)
    }
}

fn render(nodes: &[Node], parts: &Parts<'_>, text: &mut String) {
    for node in nodes {
        match node {
            Node::Text(literal) => text.push_str(literal),
            Node::Part(part) => text.push_str(part.of(parts)),
            Node::Brackets(_, inside) if is_empty(inside, parts) => {}
            Node::Brackets(Brackets::Square, inside) => render(inside, parts, text),
            Node::Brackets(Brackets::Round, inside) => {
                text.push('(');
                render(inside, parts, text);
                text.push(')');
            }
        }
    }
}

/// Whether `nodes` have parts, and all of them are blank. The source counts only if it is the only part.
fn is_empty(nodes: &[Node], parts: &Parts<'_>) -> bool {
    if !has_part(nodes) {
        return count(nodes, &|_| true) > 0 && parts.source.trim().is_empty();
    }
    nodes.iter().all(|node| match node {
        Node::Text(_) | Node::Part(Part::Source) => true,
        Node::Part(part) => part.of(parts).trim().is_empty(),
        Node::Brackets(_, inside) => is_empty(inside, parts) || !has_part(inside),
    })
}

/// Whether `nodes` have parts of the record, which the source is not.
fn has_part(nodes: &[Node]) -> bool {
    count(nodes, &|part| part != Part::Source) > 0
}

fn count(nodes: &[Node], wanted: &impl Fn(Part) -> bool) -> usize {
    let of = |node: &Node| match node {
        Node::Text(_) => 0,
        Node::Part(part) => usize::from(wanted(*part)),
        Node::Brackets(_, inside) => count(inside, wanted),
    };
    nodes.iter().map(of).sum()
}

impl Part {
    fn of<'a>(self, parts: &Parts<'a>) -> &'a str {
        match self {
            Self::Person => parts.person,
            Self::Company => parts.company,
            Self::Mrmrs => parts.mrmrs,
            Self::Source => parts.source,
        }
    }

    fn named(name: &str) -> Option<Self> {
        match name {
            "person" => Some(Self::Person),
            "company" => Some(Self::Company),
            "mrmrs" => Some(Self::Mrmrs),
            "source" => Some(Self::Source),
            _ => None,
        }
    }
}

/// Reads a template. `allow` returns the error of a part.
fn read(template: &str, allow: impl Fn(Part) -> Result<(), &'static str>) -> Result<Template, TemplateError> {
    let error = |at, what| TemplateError { template: template.to_owned(), at, what };
    // The nodes of the current brackets. `around` has the places and the nodes of the brackets around them.
    let mut nodes = Vec::new();
    let mut around: Vec<(usize, Brackets, Vec<Node>)> = Vec::new();
    let mut chars = template.chars().enumerate();
    while let Some((at, c)) = chars.next() {
        match c {
            '{' => {
                let name = braced(&mut chars).ok_or_else(|| error(at, BRACE_NOT_CLOSED))?;
                let part = Part::named(&name).ok_or_else(|| error(at, UNKNOWN_PART))?;
                allow(part).map_err(|what| error(at, what))?;
                nodes.push(Node::Part(part));
            }
            '(' => around.push((at, Brackets::Round, std::mem::take(&mut nodes))),
            '[' => around.push((at, Brackets::Square, std::mem::take(&mut nodes))),
            ')' | ']' => {
                let closed = if c == ')' { Brackets::Round } else { Brackets::Square };
                let opened = around.pop().filter(|(_, opened, _)| *opened == closed);
                let (_, _, outside) = opened.ok_or_else(|| error(at, NOT_OPENED))?;
                let inside = std::mem::replace(&mut nodes, outside);
                nodes.push(Node::Brackets(closed, inside));
            }
            '"' | ':' | '$' | '}' | '\\' | ';' | '|' | '`' | '<' | '>' => {
                return Err(error(at, FORBIDDEN));
            }
            c => match nodes.last_mut() {
                Some(Node::Text(text)) => text.push(c),
                _ => nodes.push(Node::Text(c.into())),
            },
        }
    }
    match around.pop() {
        Some((at, ..)) => Err(error(at, NOT_CLOSED)),
        None => Ok(Template { nodes }),
    }
}

impl FromStr for Template {
    type Err = TemplateError;

    fn from_str(template: &str) -> Result<Self, TemplateError> {
        let read = read(template, |_| Ok(()))?;
        if read.count(Part::Person) + read.count(Part::Company) == 0 {
            return Err(TemplateError { template: template.to_owned(), at: 0, what: NO_PART });
        }
        Ok(read)
    }
}

/// The text up to the closing brace. None without a closing brace.
fn braced(chars: &mut impl Iterator<Item = (usize, char)>) -> Option<String> {
    let mut name = String::new();
    loop {
        match chars.next()?.1 {
            '}' => return Some(name),
            c => name.push(c),
        }
    }
}

impl fmt::Display for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_nodes(&self.nodes, f)
    }
}

fn write_nodes(nodes: &[Node], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    nodes.iter().try_for_each(|node| match node {
        Node::Text(literal) => f.write_str(literal),
        Node::Part(Part::Person) => f.write_str("{person}"),
        Node::Part(Part::Company) => f.write_str("{company}"),
        Node::Part(Part::Mrmrs) => f.write_str("{mrmrs}"),
        Node::Part(Part::Source) => f.write_str("{source}"),
        Node::Brackets(brackets, inside) => {
            let (open, close) = match brackets {
                Brackets::Round => ("(", ")"),
                Brackets::Square => ("[", "]"),
            };
            f.write_str(open)?;
            write_nodes(inside, f)?;
            f.write_str(close)
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rendered(template: &str, person: &str, mrmrs: &str, company: &str) -> String {
        template.parse::<Template>().unwrap().render(&Parts { person, company, mrmrs, source: "crm" })
    }

    #[test]
    fn an_empty_part_takes_its_brackets_with_it() {
        let template = "{mrmrs} {person} (at {company} (VIP))";
        assert_eq!(rendered(template, "Kari", "Mrs", "Fjord"), "Mrs Kari (at Fjord (VIP))");
        assert_eq!(rendered(template, "Kari", "", ""), " Kari ");
        assert_eq!(rendered("{company} (call) {person}", "", "", "Fjord"), "Fjord (call) ");
        // Square ones are not shown.
        let template = "[{mrmrs} ]{person}[, {company}] ({source})";
        assert_eq!(rendered(template, "Kari", "Mrs", "Fjord"), "Mrs Kari, Fjord (crm)");
        assert_eq!(rendered(template, "Kari", "", ""), "Kari (crm)");
        assert_eq!(rendered("{person} ({company} by {source})", "Kari", "", ""), "Kari ");
        // So does an empty source, alone in them.
        let of_nowhere = |template: &str| {
            let template: Template = template.parse().unwrap();
            template.render(&Parts { company: "Fjord", ..Parts::default() })
        };
        assert_eq!(of_nowhere("{company} ({source})"), "Fjord ");
        assert_eq!(of_nowhere("{company}[ [by {source}]]!"), "Fjord!");
        assert_eq!(of_nowhere("{company} (maybe)"), "Fjord (maybe)");
        assert_eq!(of_nowhere("({company} by {source})"), "(Fjord by )");
    }

    #[test]
    fn the_defaults_are_what_the_configuration_page_says() {
        for (default, written) in [
            (Template::default_person(), "{person} ({company})"),
            (Template::default_company(), "{company}"),
            (Template::default_guess(), "~{company}"),
        ] {
            assert_eq!(default, written.parse().unwrap());
            assert_eq!(default.to_string(), written);
        }
        let template = "[{mrmrs} ]{person} (at {company} by {source})";
        assert_eq!(template.parse::<Template>().unwrap().to_string(), template);
    }

    #[test]
    fn an_error_names_the_place_and_what_is_allowed() {
        for (template, place, what) in [
            ("{persn}", "character 1", UNKNOWN_PART),
            ("{person} ({company}", "character 10", NOT_CLOSED),
            ("{person} [{company}", "character 10", NOT_CLOSED),
            ("{person})", "character 9", NOT_OPENED),
            ("{person} ({company}]", "character 20", NOT_OPENED),
            ("{person}: {company}", "character 9", FORBIDDEN),
            ("Ærlig {person}$", "character 15", FORBIDDEN),
            ("Caller", "character 1", NO_PART),
            ("{source}", "character 1", NO_PART),
            ("{mrmrs}", "character 1", NO_PART),
            ("", "character 1", NO_PART),
            ("{person", "character 1", BRACE_NOT_CLOSED),
        ] {
            let error = template.parse::<Template>().unwrap_err().to_string();
            assert!(error.contains(place) && error.contains(what), "{error}");
        }
        for (template, place, what) in [
            ("~{company} {person}", "character 12", NOT_OF_A_COMPANY),
            ("{mrmrs}", "character 1", NOT_OF_A_COMPANY),
            ("({source})", "character 1", NO_COMPANY),
        ] {
            let error = Template::of_company(template).unwrap_err().to_string();
            assert!(error.contains(place) && error.contains(what), "{error}");
        }
    }
}
