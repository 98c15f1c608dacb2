//! The texts that the program says, as its source has them: string literals, with `…` where a value goes in.

use std::fs;
use std::path::{Path, PathBuf};

/// A piece of Rust, as far as it matters here.
#[derive(Debug, PartialEq, Eq)]
enum Token {
    Text(String),
    /// Anything else but blanks and comments.
    Other(char),
}

/// The files below `src/` without their tests.
fn sources(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    let mut entries: Vec<PathBuf> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    entries.sort();
    for path in entries {
        if path.is_dir() {
            if !path.ends_with("tests") {
                found.extend(sources(&path));
            }
        } else if path.extension().is_some_and(|kind| kind == "rs") && !path.ends_with("tests.rs") {
            let text = fs::read_to_string(&path).unwrap();
            found.push(text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default().to_owned());
        }
    }
    found
}

/// Every text of the program.
pub(super) fn texts(src: &Path) -> Vec<String> {
    let tokens = sources(src).into_iter().flat_map(|text| tokens(&text));
    tokens.filter_map(|token| if let Token::Text(text) = token { Some(shown(&text)) } else { None }).collect()
}

/// The message of every `warn!` and `error!`.
pub(super) fn warnings(src: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for tokens in sources(src).iter().map(|text| tokens(text)) {
        for (at, token) in tokens.iter().enumerate() {
            let is_macro = |name: &str| {
                at >= name.len()
                    && name
                        .chars()
                        .zip(&tokens[at - name.len()..])
                        .all(|(letter, token)| *token == Token::Other(letter))
            };
            if *token == Token::Other('(') && (is_macro("warn!") || is_macro("error!")) {
                let message = tokens[at..].windows(2).find_map(|pair| match pair {
                    // A field's value is none.
                    [Token::Other('='), Token::Text(_)] => None,
                    [_, Token::Text(text)] => Some(shown(text)),
                    _ => None,
                });
                found.push(message.unwrap());
            }
        }
    }
    found
}

fn tokens(text: &str) -> Vec<Token> {
    let mut tokens = Vec::new();
    let mut rest = text;
    while let Some(next) = rest.chars().next() {
        if rest.starts_with("//") {
            rest = rest.find('\n').map_or("", |end| &rest[end..]);
        } else if let Some(raw) = rest.strip_prefix("r#\"") {
            let end = raw.find("\"#").unwrap();
            tokens.push(Token::Text(raw[..end].to_owned()));
            rest = &raw[end + 2..];
        } else if let Some(body) = rest.strip_prefix('"') {
            let (text, behind) = literal(body);
            tokens.push(Token::Text(text));
            rest = behind;
        } else if let Some(length) = character(rest) {
            rest = &rest[length..];
        } else {
            if !next.is_whitespace() {
                tokens.push(Token::Other(next));
            }
            rest = &rest[next.len_utf8()..];
        }
    }
    tokens
}

/// How long the character literal is that `text` begins with; none where it is a lifetime, or no quote at all.
fn character(text: &str) -> Option<usize> {
    let body = text.strip_prefix('\'')?;
    let mut chars = body.char_indices();
    let (_, first) = chars.next()?;
    if first == '\\' {
        return body[2..].find('\'').map(|end| end + 4);
    }
    let (place, second) = chars.next()?;
    (second == '\'').then_some(place + 2)
}

/// The literal that ends at the next bare quote, and what is behind it.
fn literal(body: &str) -> (String, &str) {
    let mut text = String::new();
    let mut rest = body;
    loop {
        let special = rest.find(['"', '\\']).unwrap();
        text.push_str(&rest[..special]);
        rest = &rest[special..];
        if let Some(behind) = rest.strip_prefix('"') {
            return (text, behind);
        }
        // A line that goes on in the next one.
        if let Some(next) = rest.strip_prefix("\\\n") {
            rest = next.trim_start();
            continue;
        }
        let escaped = rest[1..].chars().next().unwrap();
        text.push(if escaped == 'n' { '\n' } else { escaped });
        rest = &rest[1 + escaped.len_utf8()..];
    }
}

/// A format string as it is read: `{error}` is `…`.
fn shown(format: &str) -> String {
    let mut shown = String::new();
    let mut rest = format;
    while let Some(brace) = rest.find(['{', '}']) {
        shown.push_str(&rest[..brace]);
        rest = &rest[brace..];
        if rest.starts_with("{{") || rest.starts_with("}}") {
            shown.push_str(&rest[..1]);
            rest = &rest[2..];
        } else {
            // Two values in a row are read as one.
            if !shown.ends_with('…') {
                shown.push('…');
            }
            rest = rest.split_once('}').map_or("", |(_, behind)| behind);
        }
    }
    shown + rest
}

#[test]
fn texts_and_warnings_are_found() {
    let source = "fn f<'a>(c: &'a str) { // warn!(\"no\")\n let q = '\"'; let e = '\\''; let b = b'\\\\';\n\
                  warn!(%pbx, of = \"it\", \"can't \\\"{c}\\\" \\\n      {{so}} {:?}\", c); }";
    let tokens = tokens(source);
    let texts: Vec<_> = tokens
        .iter()
        .filter_map(|t| if let Token::Text(text) = t { Some(shown(text)) } else { None })
        .collect();
    assert_eq!(texts, ["it", "can't \"…\" {so} …"]);
}
