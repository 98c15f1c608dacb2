//! The page `Find`: persons and companies by name, company or digits, and why a number has its name.
//!
//! - `explained`: what `nameplate lookup` explains, in words

mod explained;

use std::sync::Arc;
use std::time::Duration;

use askama::Template;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;

use super::html;
use super::language::Language;
use super::links::{Links, Named};
use super::shell::Shell;
use super::texts;
use crate::find::{Hit, Index, MAX_QUERY};
use crate::number::Number;
use crate::observe::panics;
use crate::web::{Backend, State as Web};
use explained::Explained;

/// The most hits that are shown.
const MOST: usize = 50;
/// The most time for the first question after a start, which has the index built.
const PATIENCE: Duration = Duration::from_secs(3);

#[derive(Template)]
#[template(path = "find.html")]
struct Page {
    shell: Shell,
    question: String,
    results: Results,
}

/// The part that changes while somebody types.
#[derive(Template)]
#[template(path = "hits.html")]
struct Part {
    shell: Shell,
    results: Results,
}

/// What is found.
#[derive(Debug, Default)]
struct Results {
    /// What is said of the hits: how many there are, or why there are none.
    said: String,
    /// Why a number has its name, where the question is a number.
    explained: Option<Explained>,
    hits: Vec<Row>,
}

/// A person or a company.
#[derive(Debug)]
struct Row {
    name: Named,
    company: Named,
    numbers: Vec<Written>,
    source: String,
}

/// A number.
#[derive(Debug)]
struct Written {
    /// As people write it.
    text: String,
    /// `+4722334455`
    plain: String,
}

#[derive(Deserialize)]
pub(super) struct Asked {
    /// The question.
    #[serde(default)]
    q: String,
    /// Anything: only the part that changes is wanted.
    part: Option<String>,
}

/// `GET /find?q=…[&part=hits]`
pub(super) async fn page(
    State(web): State<Arc<Web>>,
    asked: Result<Query<Asked>, QueryRejection>,
    shell: Shell,
) -> Response {
    let Ok(Query(Asked { mut q, part })) = asked else { return StatusCode::BAD_REQUEST.into_response() };
    q.truncate(q.floor_char_boundary(MAX_QUERY));
    let results = results(&web, &q, shell.language).await;
    match part {
        Some(_) => html(StatusCode::OK, &Part { shell, results }),
        None => html(StatusCode::OK, &Page { shell, question: q, results }),
    }
}

async fn results(web: &Web, question: &str, language: &'static Language) -> Results {
    let texts = &language.texts.find;
    let said = |said: &str| Results { said: said.to_owned(), ..Results::default() };
    let live = web.live();
    if question.trim().is_empty() {
        return said("");
    }
    if !live.backend.resolver.is_filled() {
        return said(texts.no_list);
    }
    let Some(index) = live.backend.find.index(PATIENCE).await else { return said(texts.building) };
    let question = question.to_owned();
    // It may take some milliseconds, in which a call may come.
    let found = panics::blocking(move || of_index(&index, &live.backend, &question, language));
    found.await.unwrap_or_else(|_| said(texts.building))
}

fn of_index(index: &Index, backend: &Backend, question: &str, language: &'static Language) -> Results {
    let texts = &language.texts.find;
    let country = backend.pbx.numbers.country;
    let answer = index.find(question, country, &backend.resolver.suppressed(), MOST);
    let links = Links(&backend.crms);
    let row = |hit: &Hit<'_>| {
        let source = hit.party.source;
        let person = hit.party.person.map(|person| links.person(source, &person));
        let company = hit.party.company.map(|company| links.company(source, &company)).unwrap_or_default();
        let (name, company) = match person {
            Some(person) => (person, company),
            None => (company, Named::default()),
        };
        let numbers = hit.numbers.iter().map(|number| written(*number, country)).collect();
        Row { name, company, numbers, source: source.to_owned() }
    };
    let hits: Vec<Row> = answer.hits.iter().map(row).collect();
    let said = match (answer.all, hits.len()) {
        (_, 0) => texts.nobody.to_owned(),
        (1, _) => texts.one.to_owned(),
        (all, shown) if all > shown => texts::fill(texts.some, &[&shown.to_string(), &all.to_string()]),
        (all, _) => texts::fill(texts.all, &[&all.to_string()]),
    };
    Results { said, explained: Explained::of(backend, question, language), hits }
}

fn written(number: Number, country: crate::number::Country) -> Written {
    Written { text: number.written(country), plain: number.to_string() }
}
