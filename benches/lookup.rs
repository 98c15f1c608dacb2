//! What is on a call's way, each beside something to compare with, in one run:
//!
//! - `directory`: finding a number among 100,000, beside a binary search and the standard `HashMap`
//! - `readings`: reading a caller's digits, beside the `phonenumber` crate's own parser, on the same rows
//! - `resolve`: from digits to a name, for callers who are new and for one who calls again

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used)]

use std::collections::HashMap;
use std::hint::black_box;
use std::iter::repeat_with;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use nameplate::directory::Directory;
use nameplate::directory::list::List;
use nameplate::directory::merge::{Listed, merge};
use nameplate::entry::Entry;
use nameplate::name::Style;
use nameplate::number::{Country, Number, Settings, load_all, readings};
use nameplate::resolver::{Pbx, Resolver};

const NUMBERS: usize = 100_000;
/// Questions of one round: more than the kept answers of a resolver.
const QUESTIONS: usize = 16_384;

fn main_country() -> Country {
    "NO".parse().expect("Norway")
}

/// Distinct Norwegian numbers, the same in each run.
fn numbers(seed: u64) -> Vec<Number> {
    let mut random = fastrand::Rng::with_seed(seed);
    let mut numbers: Vec<_> = repeat_with(|| Number::new(47, random.u64(20_000_000..80_000_000)).unwrap())
        .take(NUMBERS + NUMBERS / 100)
        .collect();
    numbers.sort_unstable();
    numbers.dedup();
    random.shuffle(&mut numbers);
    numbers.truncate(NUMBERS);
    numbers
}

fn directory(numbers: &[Number]) -> Directory {
    let entry = |(place, number): (u32, &Number)| Entry {
        number: *number,
        person_id: place + 1,
        person: format!("Person Number {place}"),
        mrmrs: String::new(),
        company_id: place / 5 + 1,
        company: format!("Company {} AS", place / 5),
    };
    let list: List = (0..).zip(numbers).map(entry).collect();
    merge(&["crm".into()], vec![Listed { source: 0, group: 0, entries: Box::new(list.entries()) }]).unwrap()
}

fn bench_directory(criterion: &mut Criterion) {
    let known = numbers(1);
    let directory = directory(&known);
    let mut sorted: Vec<_> = (0_u32..).zip(&known).map(|(place, number)| (number.packed(), place)).collect();
    sorted.sort_unstable();
    let map: HashMap<u64, u32> = sorted.iter().copied().collect();
    let strangers: Vec<_> =
        numbers(2).into_iter().filter(|number| !map.contains_key(&number.packed())).take(QUESTIONS).collect();

    for (what, questions) in [("hit", &known[..QUESTIONS]), ("miss", &strangers[..QUESTIONS])] {
        let mut group = criterion.benchmark_group(format!("directory of 100,000, {what}"));
        group.throughput(Throughput::Elements(questions.len() as u64));
        group.bench_function("nameplate", |bencher| {
            bencher.iter(|| {
                questions.iter().filter(|number| black_box(directory.find(**number)).is_some()).count()
            });
        });
        group.bench_function("HashMap", |bencher| {
            bencher.iter(|| {
                questions.iter().filter(|number| black_box(map.get(&number.packed())).is_some()).count()
            });
        });
        group.bench_function("binary search", |bencher| {
            bencher.iter(|| {
                let find = |number: &&Number| sorted.binary_search_by_key(&number.packed(), |pair| pair.0);
                questions.iter().filter(|number| black_box(find(number)).is_ok()).count()
            });
        });
        group.finish();
    }
}

fn bench_readings(criterion: &mut Criterion) {
    let corpus = include_str!("../tests/data/caller-numbers.tsv");
    let rows: Vec<(Country, phonenumber::country::Id, &str)> = corpus
        .lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| {
            let mut cells = line.split('\t');
            let (country, digits) = (cells.next()?, cells.next()?);
            Some((country.parse().ok()?, country.parse().ok()?, digits))
        })
        .collect();
    load_all();
    let mut group = criterion.benchmark_group("readings of the corpus");
    group.sample_size(20).throughput(Throughput::Elements(rows.len() as u64));
    group.bench_function("nameplate", |bencher| {
        bencher.iter(|| rows.iter().filter(|row| !black_box(readings(row.2, row.0, &[])).is_empty()).count());
    });
    group.bench_function("phonenumber::parse", |bencher| {
        bencher.iter(|| {
            rows.iter().filter(|row| black_box(phonenumber::parse(Some(row.1), row.2)).is_ok()).count()
        });
    });
    group.finish();
}

fn bench_resolve(criterion: &mut Criterion) {
    let known = numbers(1);
    let pbx = Pbx { id: 0, numbers: Settings { country: main_country(), strip_prefixes: Vec::new() } };
    let callers: Vec<_> = known[..QUESTIONS].iter().map(|number| number.national().to_string()).collect();
    let resolver = Resolver::new(Style::default());
    resolver.swap(directory(&known));
    let resolve = |caller: &String| black_box(resolver.resolve(&pbx, None, caller)).name.is_some();

    let mut group = criterion.benchmark_group("resolve");
    group.throughput(Throughput::Elements(callers.len() as u64));
    // In turn through more callers than are kept: each has been forgotten when it comes again.
    group.bench_function("a new caller", |bencher| {
        bencher.iter_batched(
            || (),
            |()| callers.iter().filter(|caller| resolve(caller)).count(),
            BatchSize::PerIteration,
        );
    });
    let again = &callers[0];
    group.bench_function("the same caller again", |bencher| {
        bencher.iter(|| callers.iter().filter(|_| resolve(again)).count());
    });
    group.finish();
}

criterion_group!(benches, bench_directory, bench_readings, bench_resolve);
criterion_main!(benches);
