//! Clamping: the cut of a name that is too long.

use std::borrow::Cow;

use unicode_segmentation::UnicodeSegmentation;

use super::clean::has_shape;

/// The least room, in bytes, for a cut with a mark. With less room the mark would take more than it tells.
pub(super) const LEAST_MARKED: usize = 8;

/// Between the names of companies that share a number.
const SEPARATOR: &str = " / ";

/// `text` in at most `room` bytes: whole, or cut between two graphemes, with `ellipsis` at the end. `text` is cleaned.
pub(super) fn cut<'t>(text: &'t str, room: usize, ellipsis: &str) -> Cow<'t, str> {
    if text.len() <= room {
        return Cow::Borrowed(text);
    }
    if room >= LEAST_MARKED {
        let kept = beginning(text, room - ellipsis.len());
        if has_shape(kept) {
            return Cow::Owned(format!("{kept}{ellipsis}"));
        }
    }
    Cow::Borrowed(beginning(text, room))
}

/// The longest beginning of `text` that has at most `max_bytes` and ends between two graphemes.
fn beginning(text: &str, max_bytes: usize) -> &str {
    let end = text
        .grapheme_indices(true)
        .map(|(start, grapheme)| start + grapheme.len())
        .take_while(|end| *end <= max_bytes)
        .last()
        .unwrap_or(0);
    text[..end].trim_end()
}

/// Names side by side, in at most `room` bytes. Long names are cut to a fair share. If there is no room for all names, an
/// ellipsis stands for the last ones. None if not even two names are visible: one name alone would look like the only one.
/// The names are cleaned.
pub(super) fn join(names: &[String], room: usize, ellipsis: &str) -> Option<String> {
    (2..=names.len()).rev().find_map(|count| {
        let (shown, left_out) = names.split_at(count);
        let rest = if left_out.is_empty() { 0 } else { SEPARATOR.len() + ellipsis.len() };
        let share = fair_share(shown, room.checked_sub((count - 1) * SEPARATOR.len() + rest)?);
        // Of more than two names, some are left out before all become unreadable.
        if count > 2 && share < LEAST_MARKED {
            return None;
        }
        let mut cut: Vec<_> = shown.iter().map(|name| cut(name, share, ellipsis)).collect();
        if !cut.iter().all(|name| has_shape(name)) {
            return None;
        }
        if !left_out.is_empty() {
            cut.push(Cow::Borrowed(ellipsis));
        }
        Some(cut.join(SEPARATOR))
    })
}

/// The most bytes of each name, so that all have room. Room that short names leave goes to longer names.
fn fair_share(names: &[String], room: usize) -> usize {
    let mut lengths: Vec<_> = names.iter().map(String::len).collect();
    lengths.sort_unstable();
    let mut left = room;
    for (place, length) in lengths.iter().enumerate() {
        let share = left / (lengths.len() - place);
        if *length > share {
            return share;
        }
        left -= length;
    }
    usize::MAX
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::clean::clean;
    use super::*;

    #[test]
    fn a_cut_ends_between_two_graphemes_and_is_marked() {
        // A family of four is one grapheme of 25 bytes.
        let family = "👨‍👩‍👧‍👦";
        assert_eq!(family.len(), 25);
        for (text, room, expected) in [
            ("Nordmann", 8, "Nordmann"),
            ("Nordmann AS", 10, "Nordman…"),
            ("Fjord Sjømat", 9, "Fjord…"),
            // Where little can be shown, all of it is the name.
            ("Nordmann", 7, "Nordman"),
            ("Жанна", 3, "Ж"),
            ("Жанна", 1, ""),
            (&format!("Zoë {family}{family}"), 40, &format!("Zoë {family}…")),
            (&format!("{family}{family}"), 26, family),
        ] {
            assert_eq!(cut(text, room, "…"), expected, "{text}, {room}");
        }
        assert_eq!(cut("Nordmann AS", 10, "..."), "Nordman...");
    }

    #[test]
    fn those_who_share_a_number_share_the_room() {
        let join = |names: &[&str], room| {
            let names: Vec<_> = names.iter().map(|name| (*name).to_owned()).collect();
            super::join(&names, room, "…")
        };
        let said = |text: &str| Some(text.to_owned());
        assert_eq!(join(&["Acme", "Globex"], 56), said("Acme / Globex"));
        assert_eq!(join(&["Acme", "Globex Corporation"], 20), said("Acme / Globex Cor…"));
        assert_eq!(join(&["Globex Corporation", "Acme Incorporated"], 25), said("Globex C… / Acme Inc…"));
        let many = ["Acme Incorporated", "Globex Corporation", "Initech", "Umbrella", "Hooli"];
        assert_eq!(join(&many, 30), said("Acme In… / Globex… / …"));
        assert_eq!(join(&["Acme", "Globex"], 5), said("A / G"));
        assert_eq!(join(&["Acme", "Globex"], 4), None, "one alone would be taken for the only one");
        assert_eq!(join(&["Acme"], 56), None);
    }

    proptest! {
        #[test]
        fn a_cut_is_a_beginning_in_its_room(text in any::<String>(), room in 0..60_usize) {
            let text = clean(&text);
            let cut = cut(&text, room, "…");
            prop_assert!(cut.len() <= room);
            prop_assert_eq!(clean(&cut), cut.as_ref());
            let kept = if cut == text { &cut } else { cut.strip_suffix('…').unwrap_or(&cut) };
            prop_assert!(text.starts_with(kept));
            let ends: Vec<_> = text.grapheme_indices(true).map(|(start, _)| start).collect();
            let whole = |end| end == text.len() || ends.contains(&end);
            // The blank behind it may have been cut off as well.
            prop_assert!(whole(kept.len()) || whole(kept.len() + 1), "{text:?} → {kept:?}");
            let first = text.graphemes(true).next().unwrap_or_default();
            prop_assert!(first.len() > room || !has_shape(first) || has_shape(&cut));
        }

        #[test]
        fn joined_names_fit_and_are_more_than_one(
            names in proptest::collection::vec("[a-zæøå ]{1,30}", 2..8),
            room in 0..60_usize,
        ) {
            let names: Vec<_> = names.iter().map(|name| clean(name)).filter(|name| has_shape(name)).collect();
            if let Some(joined) = join(&names, room, "…") {
                prop_assert!(joined.len() <= room, "{joined:?}");
                prop_assert!(joined.contains(SEPARATOR), "{joined:?}");
            } else {
                // Two letters of two bytes, the separator and an ellipsis.
                prop_assert!(names.len() < 2 || room < 13);
            }
        }
    }
}
