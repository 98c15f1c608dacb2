//! Cases that people reported of other programs that do this job: the table names each report.

use std::sync::Arc;
use std::{fs, path::Path};

use nameplate::directory::Directory;
use nameplate::directory::merge::{MergeInput, merge};
use nameplate::lookup::{Pbx, Resolver};
use nameplate::name::Style;
use nameplate::number::{Country, CrmValue, Settings, of_crm};
use nameplate::source::{Delivery, Fetched, Progress, csv};
use nameplate::{directory::list::Collector, entry::Subscriber};

/// Who is called by a record: `Kari Nordmann @ Fjord AS`.
fn named(who: &str) -> Subscriber {
    let (person, company) = who.split_once('@').unwrap_or((who, ""));
    Subscriber { person: person.trim().into(), company: company.trim().into(), ..Subscriber::default() }
}

/// The directory of a list, through a CSV file, or as SuperOffice's records.
async fn directory(folder: &Path, country: Country, records: &str) -> Directory {
    let path = folder.join("list.csv");
    let mut file = "number,person,company\n".to_owned();
    let mut crm = Delivery::default();
    for record in records.split(" || ") {
        let (number, who) = record.split_once(" = ").unwrap();
        let named = named(who);
        match number.split_once(':').map(|(prefix, number)| (prefix.parse(), CrmValue::from_text(number))) {
            Some((Ok(prefix), number)) => {
                let numbers = of_crm(Some(prefix), number, country).unwrap();
                crm.add(named, &numbers, String::new);
            }
            _ => file += &format!("\"{number}\",\"{}\",\"{}\"\n", named.person, named.company),
        }
    }
    fs::write(&path, file).unwrap();
    let file = csv::File { path, delimiter: None, country };
    let Ok(Fetched::Entries(read)) = file.fetch("", &Progress::default()).await else { panic!("{records}") };
    let lists = [read.entries, crm.entries].map(Collector::finish);
    let listed = (0..).zip(&lists).map(|(origin, list)| MergeInput {
        origin,
        group: 0,
        records: Box::new(list.records()),
    });
    merge(&["csv".into(), "crm".into()], listed.collect()).unwrap()
}

#[tokio::test]
async fn as_they_should_have_been() {
    let table = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/public-reports.tsv");
    let table = fs::read_to_string(table).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let mut wrong = Vec::new();
    let mut rows = 0;
    for row in table.lines().filter(|line| !line.starts_with('#')) {
        let [country, list, caller, name, report] = row.split('\t').collect::<Vec<_>>()[..] else {
            panic!("a row has five columns: {row}");
        };
        assert!(report.starts_with("https://github.com/"), "{row}");
        rows += 1;
        let country: Country = country.parse().unwrap();
        let resolver = Resolver::new(Style::default());
        resolver.swap(directory(folder.path(), country, list).await);
        let pbx = Pbx { id: 0, numbers: Settings::new(country) };
        let resolution = Arc::unwrap_or_clone(resolver.resolve(&pbx, None, caller));
        let shown = resolution.name.as_ref().map_or("", |name| name.as_str());
        if shown != name {
            let readings: Vec<_> = resolution.readings.iter().map(|read| &read.number).collect();
            wrong.push(format!("{row}: {shown:?}, {:?} {readings:?}", resolution.reason));
        }
    }
    assert!(rows >= 60, "{rows}");
    assert!(wrong.is_empty(), "{} of {rows}:\n{}", wrong.len(), wrong.join("\n"));
}
