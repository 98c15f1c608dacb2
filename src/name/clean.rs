//! Cleaning: characters that a name must not have.

/// Cleans a name for phones, SIP headers and other people's dialplans.
///
/// - Line breaks, control characters and all kinds of blanks become one blank: Asterisk passes a CR/LF in a name through to
///   the SIP message.
/// - Bidirectional controls and invisible characters are removed: with them, a name looks like another name.
/// - Characters that act on a dialplan that reads `${CALLERID(name)}` again are replaced or removed: `"` becomes `'`; the
///   separators `: ; | \` become a blank; `$ { } [ ]` and the backtick are removed. Measured on Asterisk 22.10.1 and
///   16.28.0: `ExecIf(…?Set(CALLERID(name)=VIP ${CALLERID(name)}))` executed the name `A):Set(PWNED=yes`.
/// - `<` and `>` become parentheses, because `CALLERID(all)` reads `name <number>`.
pub(super) fn clean(text: &str) -> String {
    let mut cleaned = String::with_capacity(text.len());
    for c in text.chars() {
        let kept = match c {
            '"' => '\'',
            '<' => '(',
            '>' => ')',
            ':' | ';' | '|' | '\\' => ' ',
            '$' | '{' | '}' | '[' | ']' | '`' => continue,
            c if c.is_control() || c.is_whitespace() => ' ',
            c if is_invisible(c) => continue,
            c => c,
        };
        if kept != ' ' || !(cleaned.is_empty() || cleaned.ends_with(' ')) {
            cleaned.push(kept);
        }
    }
    cleaned.truncate(cleaned.trim_end().len());
    cleaned
}

/// Characters without a shape that can hide or reorder others (Unicode Standard Annex #9 and chapter 23). The joiners U+200C
/// and U+200D stay: Persian words and emoji families need them.
fn is_invisible(c: char) -> bool {
    matches!(c,
        '\u{ad}' | '\u{61c}' | '\u{180e}'
        | '\u{200b}' | '\u{200e}' | '\u{200f}'
        | '\u{202a}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}'
        | '\u{feff}' | '\u{fff9}'..='\u{fffb}'
        // Fillers, blanks that Unicode does not count as white space, and tags.
        | '\u{34f}' | '\u{115f}' | '\u{1160}' | '\u{2800}' | '\u{3164}' | '\u{ffa0}'
        | '\u{e0000}'..='\u{e007f}')
}

/// Whether a cleaned text is visible. Joiners and variation selectors only change their neighbours.
pub(super) fn has_shape(cleaned: &str) -> bool {
    !cleaned.chars().all(is_shapeless)
}

/// Blanks, joiners and variation selectors.
pub(super) fn is_shapeless(c: char) -> bool {
    matches!(c, ' ' | '\u{200c}' | '\u{200d}' | '\u{fe00}'..='\u{fe0f}' | '\u{e0100}'..='\u{e01ef}')
}

#[cfg(test)]
mod tests {
    use super::clean;

    #[test]
    fn what_a_dialplan_would_act_on_is_gone() {
        for (dirty, expected) in [
            ("A):Set(PWNED=yes", "A) Set(PWNED=yes"),
            ("${SHELL(id)}", "SHELL(id)"),
            ("$[1+1]", "1+1"),
            (r#"Zoë "Zo" O'Brien"#, "Zoë 'Zo' O'Brien"),
            (r"C:\temp; rm | `x`", "C temp rm x"),
            ("Berg;Ola", "Berg Ola"),
            ("Acme|Oslo", "Acme Oslo"),
            ("Nord:Sør\\Vest", "Nord Sør Vest"),
            ("Fjord, Berg & Co. - (Nord)", "Fjord, Berg & Co. - (Nord)"),
            ("Kari <+4722334455>", "Kari (+4722334455)"),
        ] {
            assert_eq!(clean(dirty), expected, "{dirty:?}");
        }
    }

    #[test]
    fn one_line_and_nothing_hidden() {
        for (dirty, expected) in [
            ("Kari\r\nX-Evil: 1\r\n\r\nbody", "Kari X-Evil 1 body"),
            ("  Kari \t\u{a0} Nordmann\u{2028}", "Kari Nordmann"),
            ("a\u{202e}gpj.exe\u{202c}", "agpj.exe"),
            ("\0Ka\u{1b}[31mri", "Ka 31mri"),
            ("zero\u{200b}width", "zerowidth"),
            ("👨‍👩‍👧", "👨‍👩‍👧"),
            ("---", "---"),
        ] {
            assert_eq!(clean(dirty), expected, "{dirty:?}");
        }
    }
}
