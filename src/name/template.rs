//! Templates: how the parts of a record are put together, `{person} ({company})`.

use std::fmt;
use std::str::FromStr;

/// The parts that a template can name.
#[derive(Clone, Copy, Debug, Default)]
pub struct Parts<'a> {
    /// `{person}`: the person's full name.
    pub person: &'a str,
    /// `{company}`: the company's name.
    pub company: &'a str,
    /// `{mrmrs}`: the form of address.
    pub mrmrs: &'a str,
}

/// A template of `[names]`, checked when it is read.
///
/// `{person}`, `{company}` and `{mrmrs}` stand for the parts. What is in parentheses vanishes with them where
/// all the parts inside are empty. Everything else is text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    nodes: Vec<Node>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Node {
    Text(String),
    Part(Part),
    /// `(…)`
    Parenthesis(Vec<Node>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    Person,
    Company,
    Mrmrs,
}

/// What is wrong with a template, and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("template `{template}`, character {}: {what}", at + 1)]
pub struct TemplateError {
    template: String,
    /// The place, counted in characters from 0.
    at: usize,
    what: &'static str,
}

const UNKNOWN_PART: &str = "allowed in braces are {person}, {company} and {mrmrs}";
const BRACE_NOT_CLOSED: &str = "the brace is not closed";
const NOT_CLOSED: &str = "the parenthesis is not closed";
const NOT_OPENED: &str = "a parenthesis is closed that was not opened";
const NO_PART: &str = "it needs at least one of {person}, {company} and {mrmrs}";
const FORBIDDEN: &str =
    "a name can't hold this character: other people's dialplans would act on it (\" : $ } [ ] \\ ; | ` < >)";

impl Template {
    /// `{person} ({company})`
    #[must_use]
    pub fn default_person() -> Self {
        let company = Node::Parenthesis(vec![Node::Part(Part::Company)]);
        Self { nodes: vec![Node::Part(Part::Person), Node::Text(" ".into()), company] }
    }

    /// `{company}`
    #[must_use]
    pub fn default_company() -> Self {
        Self { nodes: vec![Node::Part(Part::Company)] }
    }

    /// The text for these parts, as the template has it: not yet cleaned or clamped.
    #[must_use]
    pub fn render(&self, parts: &Parts<'_>) -> String {
        let mut text = String::new();
        render(&self.nodes, parts, &mut text);
        text
    }
}

fn render(nodes: &[Node], parts: &Parts<'_>, text: &mut String) {
    for node in nodes {
        match node {
            Node::Text(literal) => text.push_str(literal),
            Node::Part(part) => text.push_str(part.of(parts)),
            Node::Parenthesis(inside) if is_empty(inside, parts) => {}
            Node::Parenthesis(inside) => {
                text.push('(');
                render(inside, parts, text);
                text.push(')');
            }
        }
    }
}

/// Whether `nodes` have parts, and all of them are blank.
fn is_empty(nodes: &[Node], parts: &Parts<'_>) -> bool {
    has_part(nodes)
        && nodes.iter().all(|node| match node {
            Node::Text(_) => true,
            Node::Part(part) => part.of(parts).trim().is_empty(),
            Node::Parenthesis(inside) => is_empty(inside, parts) || !has_part(inside),
        })
}

fn has_part(nodes: &[Node]) -> bool {
    nodes.iter().any(|node| match node {
        Node::Text(_) => false,
        Node::Part(_) => true,
        Node::Parenthesis(inside) => has_part(inside),
    })
}

impl Part {
    fn of<'a>(self, parts: &Parts<'a>) -> &'a str {
        match self {
            Self::Person => parts.person,
            Self::Company => parts.company,
            Self::Mrmrs => parts.mrmrs,
        }
    }

    fn named(name: &str) -> Option<Self> {
        match name {
            "person" => Some(Self::Person),
            "company" => Some(Self::Company),
            "mrmrs" => Some(Self::Mrmrs),
            _ => None,
        }
    }
}

impl FromStr for Template {
    type Err = TemplateError;

    fn from_str(template: &str) -> Result<Self, TemplateError> {
        let error = |at, what| TemplateError { template: template.to_owned(), at, what };
        // The list that is being filled, below it those of the parentheses around it and their places.
        let mut nodes = Vec::new();
        let mut around: Vec<(usize, Vec<Node>)> = Vec::new();
        let mut chars = template.chars().enumerate();
        while let Some((at, c)) = chars.next() {
            match c {
                '{' => {
                    let name = braced(&mut chars).ok_or_else(|| error(at, BRACE_NOT_CLOSED))?;
                    nodes.push(Node::Part(Part::named(&name).ok_or_else(|| error(at, UNKNOWN_PART))?));
                }
                '(' => around.push((at, std::mem::take(&mut nodes))),
                ')' => {
                    let (_, outside) = around.pop().ok_or_else(|| error(at, NOT_OPENED))?;
                    let inside = std::mem::replace(&mut nodes, outside);
                    nodes.push(Node::Parenthesis(inside));
                }
                '"' | ':' | '$' | '}' | '[' | ']' | '\\' | ';' | '|' | '`' | '<' | '>' => {
                    return Err(error(at, FORBIDDEN));
                }
                c => match nodes.last_mut() {
                    Some(Node::Text(text)) => text.push(c),
                    _ => nodes.push(Node::Text(c.into())),
                },
            }
        }
        match around.pop() {
            Some((at, _)) => Err(error(at, NOT_CLOSED)),
            None if !has_part(&nodes) => Err(error(0, NO_PART)),
            None => Ok(Self { nodes }),
        }
    }
}

/// What is left of `chars` up to the closing brace; none where there is no such brace.
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
        let parts = Parts { person: "{person}", company: "{company}", mrmrs: "{mrmrs}" };
        f.write_str(&self.render(&parts))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rendered(template: &str, person: &str, mrmrs: &str, company: &str) -> String {
        template.parse::<Template>().unwrap().render(&Parts { person, company, mrmrs })
    }

    #[test]
    fn an_empty_part_takes_its_parenthesis_with_it() {
        let template = "{mrmrs} {person} (at {company} (VIP))";
        assert_eq!(rendered(template, "Kari", "Mrs", "Fjord"), "Mrs Kari (at Fjord (VIP))");
        assert_eq!(rendered(template, "Kari", "", ""), " Kari ");
        assert_eq!(rendered("{company} (call) {person}", "", "", "Fjord"), "Fjord (call) ");
    }

    #[test]
    fn the_defaults_are_what_the_configuration_page_says() {
        assert_eq!(Template::default_person(), "{person} ({company})".parse().unwrap());
        assert_eq!(Template::default_company(), "{company}".parse().unwrap());
    }

    #[test]
    fn an_error_names_the_place_and_what_is_allowed() {
        for (template, place, what) in [
            ("{persn}", "character 1", UNKNOWN_PART),
            ("{person} ({company}", "character 10", NOT_CLOSED),
            ("{person})", "character 9", NOT_OPENED),
            ("{person}: {company}", "character 9", FORBIDDEN),
            ("Caller", "character 1", NO_PART),
            ("", "character 1", NO_PART),
            ("{person", "character 1", BRACE_NOT_CLOSED),
        ] {
            let error = template.parse::<Template>().unwrap_err().to_string();
            assert!(error.contains(place) && error.contains(what), "{error}");
        }
    }
}
