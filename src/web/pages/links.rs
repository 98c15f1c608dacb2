//! Links to the pages of a CRM: a person or a company in SuperOffice's own client.

use std::collections::BTreeMap;

use crate::directory::{Company, Person};

/// The address of each CRM's client, by the source's name.
#[derive(Clone, Copy, Debug)]
pub(super) struct Links<'a>(pub(super) &'a BTreeMap<String, String>);

/// A name, and where more about it is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Named {
    /// The name; "" for none.
    pub(super) name: String,
    /// The page in the CRM.
    pub(super) link: Option<String>,
}

impl Links<'_> {
    /// A person of this source.
    pub(super) fn person<T: AsRef<str>>(self, source: &str, person: &Person<T>) -> Named {
        self.named(source, person.name.as_ref(), "person.main?person_id", person.id)
    }

    /// A company of this source.
    pub(super) fn company<T: AsRef<str>>(self, source: &str, company: &Company<T>) -> Named {
        self.named(source, company.name.as_ref(), "contact.main?contact_id", company.id)
    }

    fn named(self, source: &str, name: &str, page: &str, id: u32) -> Named {
        // The page's own parameters follow behind a second question mark.
        let link = self.0.get(source).filter(|_| id != 0);
        let link = link.map(|client| format!("{client}/default.aspx?{page}={id}"));
        Named { name: name.trim().to_owned(), link }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_leads_to_its_page_where_the_crm_has_one() {
        let clients = [("crm".to_owned(), "https://crm.example.com/SuperOffice".to_owned())].into();
        let links = Links(&clients);
        let person = |id| Person { id, name: " Kari ", mrmrs: "" };
        let company = Company { id: 243, name: "Fjord" };
        assert_eq!(
            links.person("crm", &person(654)),
            Named {
                name: "Kari".into(),
                link: Some(
                    "https://crm.example.com/SuperOffice/default.aspx?person.main?person_id=654".into()
                )
            }
        );
        assert_eq!(
            links.company("crm", &company).link.as_deref(),
            Some("https://crm.example.com/SuperOffice/default.aspx?contact.main?contact_id=243")
        );
        assert_eq!(links.person("crm", &person(0)).link, None);
        assert_eq!(links.person("vip", &person(654)).link, None);
    }
}
