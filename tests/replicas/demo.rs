//! Three replicas for a person to look at.

use std::time::{Duration, Instant};

use crate::lab::redis::Engine;
use crate::lab::site::Site;

/// The replicas.
const COUNT: usize = 3;
/// What is there once no trouble is left takes no longer than this.
const SOON: Duration = Duration::from_secs(30);

pub(crate) async fn run() -> bool {
    println!("\nOne SuperOffice ← the one that asks → three Redis servers, three sentinels → all replicas\n");
    let begun = Instant::now();
    let mut site = Site::start(Engine::Redis, COUNT, 0).await;
    println!(
        "  {COUNT} replicas, 3 Redis servers, 3 sentinels and a stand-in for SuperOffice, in {:.1} s.",
        begun.elapsed().as_secs_f64()
    );
    println!(
        "  Each row is a change in SuperOffice. Each cell says after how long the replica had it. ★ asks for all.\n"
    );
    let mut table = Table { begun: Instant::now() };
    table.line(
        "after",
        "what happened",
        &(1..=COUNT).map(|place| format!("replica {place}")).collect::<Vec<_>>(),
    );

    for _ in 0..2 {
        let changed = table.happens("a record is changed");
        let generation = site.change();
        site.all_know(generation).await;
        table.row(&site, changed, generation, None);
    }

    let holder = site.holder().await;
    let changed = table.happens(&format!("replica {} is killed, a record is changed", holder + 1));
    site.kill(holder);
    let generation = site.change();
    site.all_know(generation).await;
    site.holder().await;
    table.row(&site, changed, generation, Some((holder, "killed")));

    let changed = table.happens(&format!("replica {} is started again", holder + 1));
    site.start_again(holder).await;
    site.all_know(generation).await;
    let after = format!("{:.1} s", changed.elapsed().as_secs_f64());
    let others = (0..COUNT).map(|place| if place == holder { after.clone() } else { "had it".to_owned() });
    table.cells(&site, others.collect());

    let master = site.watched.master();
    let changed = table.happens("the master Redis is killed, a record is changed");
    site.watched.servers[master].kill();
    let generation = site.change();
    site.all_know(generation).await;
    table.row(&site, changed, generation, None);

    tokio::task::block_in_place(|| site.watched.until_another(master));
    let changed = table.happens("another Redis is the master, a record is changed");
    let generation = site.change();
    site.all_know(generation).await;
    let is_soon = changed.elapsed() < SOON;
    table.row(&site, changed, generation, None);

    let asked = site.crm.count();
    let (_, seen) = site.end().await;
    println!(
        "\n  SuperOffice was asked {asked} times in {:.0} s. {} lookups at the replicas meanwhile, each with the right name.",
        table.begun.elapsed().as_secs_f64(),
        seen.named
    );
    println!(
        "  {} versions were published. No version had two lists, and no replica went back.\n",
        seen.published.len()
    );
    for wrong in &seen.wrong {
        println!("  NOT SO: {wrong}");
    }
    seen.wrong.is_empty() && is_soon
}

/// What is printed, as it happens.
struct Table {
    begun: Instant,
}

impl Table {
    /// Begins a row.
    fn happens(&self, what: &str) -> Instant {
        use std::io::Write;
        print!("  {:>6}  {what:<50}", format!("{:.0} s", self.begun.elapsed().as_secs_f64()));
        let _ = std::io::stdout().flush();
        Instant::now()
    }

    /// When each replica knew this generation; for one of them a word instead.
    fn row(&self, site: &Site, changed: Instant, generation: u32, instead: Option<(usize, &str)>) {
        let cell = |place: usize| match (instead, site.knew(place, generation)) {
            (Some((gone, word)), _) if gone == place => word.to_owned(),
            (_, Some(at)) => format!("{:.1} s", at.saturating_duration_since(changed).as_secs_f64()),
            (_, None) => "–".to_owned(),
        };
        self.cells(site, (0..COUNT).map(cell).collect());
    }

    fn cells(&self, site: &Site, cells: Vec<String>) {
        let marked = cells.into_iter().enumerate().map(|(place, cell)| {
            let is_holder = cell != "killed" && site.members[place].is_holder();
            if is_holder { format!("{cell} ★") } else { cell }
        });
        println!("{}", marked.map(|cell| format!("{cell:<12}")).collect::<String>());
    }

    fn line(&mut self, after: &str, what: &str, cells: &[String]) {
        let cells: String = cells.iter().map(|cell| format!("{cell:<12}")).collect();
        println!("  {after:>6}  {what:<50}{cells}");
        println!("  {}", "─".repeat(58 + 12 * COUNT));
    }
}
