//! The server of the replicas, as the page Status shows it.

use super::Texts;
use crate::lists::status::ListStatus;
use crate::share::replica::{ServerStatus, ShareStatus};
use crate::web::pages::texts::fill;

/// The server of the replicas.
pub(super) struct ReplicasCard {
    pub(super) site: String,
    pub(super) lamp: &'static str,
    pub(super) state: &'static str,
    /// Why it can't be used; "" otherwise.
    pub(super) why: String,
    /// The machine that asks the CRM.
    pub(super) holder: String,
    /// Each shared list, and its version here and there.
    pub(super) lists: Vec<(String, String)>,
}

impl ReplicasCard {
    pub(super) fn of(server: ServerStatus, lists: &[ListStatus], texts: &Texts) -> Self {
        let (lamp, state) = match (server.is_up, &server.trouble) {
            (true, _) => ("good", texts.share_up),
            (false, None) => ("warn", texts.connecting),
            (false, Some(_)) => ("bad", texts.share_down),
        };
        let holder = match server.holder {
            Some(holder) if server.is_holder => fill(texts.share_this, &[&holder]),
            Some(holder) => holder,
            None => texts.share_nobody.to_owned(),
        };
        let shared = lists.iter().filter_map(|list| {
            let share = list.share.as_ref()?;
            Some((list.list.clone(), versions(share, texts)))
        });
        Self {
            site: server.site,
            lamp,
            state,
            why: server.trouble.unwrap_or_default(),
            holder,
            lists: shared.collect(),
        }
    }
}

/// `1.2 here, 1.3 there`
fn versions(share: &ShareStatus, texts: &Texts) -> String {
    let version = |version: &Option<String>| version.clone().unwrap_or_else(|| "–".to_owned());
    let here = version(&share.here);
    let here = if share.is_own { fill(texts.share_newer, &[&here]) } else { here };
    fill(texts.share_versions, &[&here, &version(&share.there)])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::web::pages::texts::{en, nb};

    fn server(is_up: bool, trouble: Option<&str>) -> ServerStatus {
        let holder = is_up.then(|| "pbx1".to_owned());
        let trouble = trouble.map(str::to_owned);
        ServerStatus { site: "oslo".into(), is_up, trouble, holder, is_holder: is_up }
    }

    #[test]
    fn the_holder_the_versions_and_what_is_wrong_are_shown() {
        let (english, norwegian) = (&en::ENGLISH.texts.status, &nb::NORWEGIAN.texts.status);
        let share = ShareStatus { here: Some("1.2".into()), is_own: true, ..ShareStatus::default() };
        let lists = [
            ListStatus { list: "crm".into(), share: Some(share), ..ListStatus::default() },
            ListStatus { list: "vip".into(), ..ListStatus::default() },
        ];
        let card = ReplicasCard::of(server(true, None), &lists, english);
        assert_eq!((card.lamp, card.holder.as_str()), ("good", "pbx1, this machine"));
        assert_eq!(card.lists, [("crm".to_owned(), "newer than 1.2 here, – there".to_owned())]);
        let card = ReplicasCard::of(server(false, None), &lists, english);
        assert_eq!((card.lamp, card.holder.as_str()), ("warn", "nobody at the moment"));
        let card = ReplicasCard::of(server(false, Some("it hangs")), &lists, norwegian);
        assert_eq!((card.lamp, card.why.as_str()), ("bad", "it hangs"));
        assert_eq!(card.lists[0].1, "nyere enn 1.2 her, – der");
    }
}
