//! What is on a call's way, each beside something to compare with, in one run:
//!
//! - `directory`: finding a number among 100,000, beside a binary search and the standard `HashMap`
//! - `readings`: reading a caller's digits by a PBX's settings, once the plans of all countries are loaded, beside the
//!   `phonenumber` crate's own parser, on the same rows
//! - `range`: finding in whose range a number lies that nobody has, among 10,000
//! - `resolve`: from digits to a name, for callers who are new and who call again

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used)]

use std::collections::HashMap;
use std::hint::black_box;
use std::iter::repeat_with;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use nameplate::directory::Directory;
use nameplate::directory::list::List;
use nameplate::directory::merge::{MergeInput, Rules, merge, merge_by};
use nameplate::directory::ranges::{Holder, KnownRange, KnownRanges, Settings as RangeSettings};
use nameplate::entry::Entry;
use nameplate::lookup::{Pbx, Resolver};
use nameplate::name::Style;
use nameplate::number::{Country, Number, Settings, load_all};

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
        likely: true,
    };
    let list: List = (0..).zip(numbers).map(entry).collect();
    merge(&["crm".into()], vec![MergeInput { origin: 0, group: 0, records: Box::new(list.records()) }])
        .unwrap()
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
    let rows: Vec<(Settings, phonenumber::country::Id, &str)> = corpus
        .lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| {
            let mut cells = line.split('\t');
            let (country, digits) = (cells.next()?, cells.next()?);
            Some((Settings::new(country.parse().ok()?), country.parse().ok()?, digits))
        })
        .collect();
    load_all();
    let mut group = criterion.benchmark_group("readings of the corpus");
    group.sample_size(20).throughput(Throughput::Elements(rows.len() as u64));
    group.bench_function("nameplate", |bencher| {
        bencher
            .iter(|| rows.iter().filter(|row| black_box(row.0.read(row.2, row.0.country)).is_ok()).count());
    });
    group.bench_function("phonenumber::parse", |bencher| {
        bencher.iter(|| {
            rows.iter().filter(|row| black_box(phonenumber::parse(Some(row.1), row.2)).is_ok()).count()
        });
    });
    group.finish();
}

/// 10,000 ranges of the configuration, and as many switchboards with the numbers behind them.
fn bench_ranges(criterion: &mut Criterion) {
    const RANGES: u64 = 10_000;
    let known = |place: u64| {
        let text = format!("+47 2{place:05}00-{place:05}89");
        KnownRange::new(&text, Holder::CompanyName(format!("Company {place} AS")), main_country()).unwrap()
    };
    let known = KnownRanges::try_new((0..RANGES).map(known).collect()).unwrap();
    let switchboard = |place: u64| Entry {
        number: Number::new(49, 300_000_000 + place * 10).unwrap(),
        person_id: 0,
        person: String::new(),
        mrmrs: String::new(),
        company_id: u32::try_from(place).unwrap() + 1,
        company: format!("Company {place} GmbH"),
        likely: true,
    };
    let list: List = (0..RANGES).map(switchboard).collect();
    let listed = MergeInput { origin: 0, group: 0, records: Box::new(list.records()) };
    let rules = Rules { ranges: RangeSettings { guess: true, known }, ..Rules::default() };
    let directory = merge_by(&rules, &["crm".into()], vec![listed]).unwrap();

    let mut random = fastrand::Rng::with_seed(3);
    let mut asked = |code, first: u64, last: u64| -> Vec<Number> {
        repeat_with(|| Number::new(code, random.u64(first..last)).unwrap()).take(QUESTIONS).collect()
    };
    let inside = asked(47, 20_000_000, 21_000_000);
    let behind = asked(49, 30_000_000_000, 30_010_000_000);
    let outside = asked(47, 40_000_000, 80_000_000);
    let mut group = criterion.benchmark_group("range of 10,000");
    group.throughput(Throughput::Elements(QUESTIONS as u64));
    for (what, questions) in [("known", inside), ("guessed", behind), ("none", outside)] {
        group.bench_function(what, |bencher| {
            let found = |number: &&Number| {
                directory.find(**number).is_some() || black_box(directory.range_of(**number)).is_some()
            };
            bencher.iter(|| questions.iter().filter(found).count());
        });
    }
    group.finish();
}

/// From digits to a name: callers who are new, and callers who call again.
fn bench_resolve(criterion: &mut Criterion) {
    let known = numbers(1);
    let pbx = Pbx { id: 0, numbers: Settings::new(main_country()) };
    // In turn through more callers than are kept: each has been forgotten when it comes again.
    let strange: Vec<_> = known[..QUESTIONS].iter().map(|number| number.national().to_string()).collect();
    // Nine of ten calls from one of 1,000 callers, as in an office.
    let mut random = fastrand::Rng::with_seed(3);
    let regulars = &strange[..1_000];
    let mixed: Vec<_> = strange
        .iter()
        .map(|caller| if random.u8(0..10) == 0 { caller } else { &regulars[random.usize(0..regulars.len())] })
        .cloned()
        .collect();

    let same = vec![strange[0].clone(); QUESTIONS];

    let mixes = [("nobody twice", &strange), ("nine of ten call again", &mixed), ("always the same", &same)];
    for (what, callers) in mixes {
        let mut group = criterion.benchmark_group(format!("resolve, {what}"));
        group.throughput(Throughput::Elements(callers.len() as u64));
        let resolver = Resolver::new(Style::default());
        resolver.swap(directory(&known));
        let resolve = |caller: &String| black_box(resolver.resolve(&pbx, None, caller)).name.is_some();
        group.bench_function("answers kept", |bencher| {
            bencher.iter(|| callers.iter().filter(|caller| resolve(caller)).count());
        });
        group.finish();
    }
}

criterion_group!(benches, bench_directory, bench_readings, bench_ranges, bench_resolve);
criterion_main!(benches);
