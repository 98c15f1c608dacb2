//! `[names]`, and the `prefix` of each `[[source]]`.

use std::collections::BTreeMap;

use toml::Spanned;

use super::{ConfigError, Reader, file};
use crate::name::Style;

impl Reader<'_> {
    pub(super) fn style(
        &self,
        names: file::Names,
        sources: &[Spanned<file::Source>],
    ) -> Result<Style, ConfigError> {
        // The one that is written, or both are.
        let at = if names.guess.span().is_empty() { names.company.span() } else { names.guess.span() };
        let mut style = Style {
            person: names.person.0,
            company: names.company.into_inner().0.0,
            shared: names.shared.0.0,
            guess: names.guess.into_inner().0.0,
            max_bytes: names.max_bytes.0,
            ascii: names.ascii,
            keep_existing: names.keep_existing,
            placeholders: names.placeholders.0,
            doubtful: names.doubtful,
            prefixes: BTreeMap::new(),
        };
        if !style.marks_guesses() {
            let what = format!(
                "`guess`: template `{}` shows the same as `company`, with or without a source (a range of `company` has none), so that a guess would be taken for certain; allowed is one that can be told from it, like ~{{company}}",
                style.guess
            );
            return Err(self.place.at(at.start, &what));
        }
        for table in sources {
            let at = table.span().start;
            let table = table.get_ref();
            let Some(prefix) = &table.prefix else { continue };
            let (prefix, name) = (prefix.0.0.clone(), table.name.0.0.clone());
            let (takes, longest) = (prefix.shown(style.ascii).len(), style.max_bytes);
            if takes * 2 > longest {
                let what = format!(
                    "[[source]] `{name}`: `prefix` takes {takes} of the {longest} bytes that a name may have; allowed is half of them"
                );
                return Err(self.place.at(at, &what));
            }
            style.prefixes.insert(name, prefix);
        }
        Ok(style)
    }
}
