//! All texts of the pages. A language is one file beside this one, and a line in `language::LANGUAGES`.
//!
//! `{}` in a text is where a value goes: [`fill`].

pub(super) mod en;
pub(super) mod nb;

/// All texts, by page.
#[derive(Debug)]
pub(super) struct Texts {
    /// Around every page.
    pub(super) shell: Shell,
}

/// Around every page.
#[derive(Debug)]
pub(super) struct Shell {
    pub(super) calls: &'static str,
    pub(super) find: &'static str,
    pub(super) status: &'static str,
    /// The link over the navigation, for the keyboard.
    pub(super) skip: &'static str,
    /// What the navigation is called, for readers of the screen.
    pub(super) navigation: &'static str,
    pub(super) language: &'static str,
    pub(super) log_in: &'static str,
    pub(super) log_out: &'static str,
    /// What somebody with the token is called.
    pub(super) token_holder: &'static str,
    pub(super) operator: &'static str,
    pub(super) administrator: &'static str,
}

/// The text with the values in place of each `{}`, in order.
pub(super) fn fill(text: &str, values: &[&str]) -> String {
    let mut parts = text.split("{}");
    let mut filled = parts.next().unwrap_or_default().to_owned();
    for (place, part) in parts.enumerate() {
        filled.push_str(values.get(place).copied().unwrap_or_default());
        filled.push_str(part);
    }
    filled
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_value_has_its_place() {
        assert_eq!(fill("{} of {}", &["3", "7"]), "3 of 7");
        assert_eq!(fill("none", &["3"]), "none");
        assert_eq!(fill("{} {}", &["{}"]), "{} ");
    }
}
