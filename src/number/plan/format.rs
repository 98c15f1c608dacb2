//! How people of a country write its numbers: `22 33 44 55` in Norway, `(650) 253-0000` in the United States. The rules are those
//! of libphonenumber's metadata. The formatter of the crate `phonenumber` is not used: it compiles patterns again and again
//! behind one lock, and takes a format without leading digits whether it fits or not.

use phonenumber::metadata::{Format as Rule, Metadata};

use super::pattern::{Groups, Prefix};
use super::region::checked;

/// The formats of one country, compiled.
pub(in crate::number) struct Formats {
    national: Vec<Format>,
    /// Empty where they are the same as `national`.
    international: Vec<Format>,
}

/// One format.
struct Format {
    /// The first digits of the numbers that are written so. None: of any.
    leading: Option<Prefix>,
    pattern: Groups,
    /// `$1 $2 $3`
    international: &'static str,
    /// The same, with the national prefix: `(0$1) $2`.
    national: String,
}

impl Formats {
    pub(in crate::number) fn of(metadata: &'static Metadata) -> Self {
        let prefix = metadata.national_prefix().unwrap_or_default();
        let all = |rules: &'static [Rule]| -> Vec<Format> {
            rules.iter().filter_map(|rule| Format::of(rule, prefix)).collect()
        };
        Self { national: all(metadata.formats()), international: all(metadata.international_formats()) }
    }

    /// A national number as it is written in the country itself. None if no format fits.
    pub(in crate::number) fn national(&self, digits: &[u8]) -> Option<String> {
        let (format, groups) = first(&self.national, digits)?;
        Some(filled(&format.national, &groups))
    }

    /// A national number as it is written behind `+` and the calling code. None if no format fits.
    pub(in crate::number) fn international(&self, digits: &[u8]) -> Option<String> {
        let formats = if self.international.is_empty() { &self.national } else { &self.international };
        let (format, groups) = first(formats, digits)?;
        Some(filled(format.international, &groups))
    }
}

fn first<'f, 'd>(formats: &'f [Format], digits: &'d [u8]) -> Option<(&'f Format, Vec<&'d str>)> {
    let fits = |format: &Format| format.leading.as_ref().is_none_or(|leading| leading.find(digits).is_some());
    formats.iter().filter(|format| fits(format)).find_map(|format| Some((format, format.pattern.of(digits)?)))
}

impl Format {
    fn of(rule: &'static Rule, prefix: &str) -> Option<Self> {
        let leading = rule.leading_digits().last().map(|pattern| checked(Prefix::new(pattern.as_str())));
        // A pattern that can't be compiled fits nothing.
        let leading = match leading {
            Some(None) => return None,
            Some(leading) => leading,
            None => None,
        };
        let international = rule.format();
        let national = match rule.national_prefix() {
            // `$FG` is the first group of the format, `$NP` the national prefix.
            Some(with_prefix) => {
                let group = first_group(international);
                let with_prefix = with_prefix.replace("$NP", prefix).replace("$FG", group);
                international.replacen(group, &with_prefix, 1)
            }
            None => international.to_owned(),
        };
        Some(Self {
            leading,
            pattern: checked(Groups::new(rule.pattern().as_str()))?,
            international,
            national,
        })
    }
}

/// `$1`, or another group that comes first.
fn first_group(format: &str) -> &str {
    format.find('$').and_then(|at| format.get(at..at + 2)).unwrap_or("$1")
}

/// The format with the groups in it.
fn filled(format: &str, groups: &[&str]) -> String {
    let mut parts = format.split('$');
    let mut filled = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let group = part.chars().next().and_then(|group| group.to_digit(10)).unwrap_or_default();
        let group = usize::try_from(group).unwrap_or_default().checked_sub(1);
        filled.push_str(group.and_then(|group| groups.get(group)).copied().unwrap_or_default());
        filled.push_str(part.get(1..).unwrap_or_default());
    }
    filled
}
