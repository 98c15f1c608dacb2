//! Any row of what replicas do, with a server that loses its last writes again and again, as a failover does. The scripts run in a real Redis; the
//! replicas are the program's own machines (`Lease`, `Slot`), without their sockets and clocks.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use super::*;
use world::World;

mod world;

const REPLICAS: usize = 3;

/// What happens. The number is the replica.
#[derive(Clone, Copy, Debug)]
enum Act {
    /// It asks for the lease, or renews it.
    Hold(usize),
    /// It gives the lease back.
    Release(usize),
    /// It reads what the server has, and takes it.
    Read(usize),
    /// As the holder it asks the CRM.
    Ask(usize),
    /// As the holder it does what it has to do with the list.
    Look(usize),
    /// The same, but the answer of the server never reaches it.
    LookUnheard(usize),
    /// The same, but the switch reaches the server with [`Act::Arrive`] only: the replica, or the line, is stopped.
    LookLate(usize),
    /// What is late arrives.
    Arrive(usize),
    /// It starts again, with what is on its disk.
    Restart(usize),
    /// The CRM has this list.
    Change(u64),
    /// The lease's time is over.
    Wait,
    /// A failover: the server has lost so many writes.
    Lose(usize),
}

fn act() -> impl Strategy<Value = Act> {
    let replica = 0..REPLICAS;
    prop_oneof![
        4 => replica.clone().prop_map(Act::Hold),
        1 => replica.clone().prop_map(Act::Release),
        4 => replica.clone().prop_map(Act::Read),
        4 => replica.clone().prop_map(Act::Ask),
        4 => replica.clone().prop_map(Act::Look),
        1 => replica.clone().prop_map(Act::LookUnheard),
        1 => replica.clone().prop_map(Act::LookLate),
        1 => replica.clone().prop_map(Act::Arrive),
        1 => replica.prop_map(Act::Restart),
        2 => (0..4_u64).prop_map(Act::Change),
        1 => Just(Act::Wait),
        2 => (1..8_usize).prop_map(Act::Lose),
    ]
}

#[test]
fn whatever_the_server_loses_versions_are_told_apart_and_go_forward() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let redis = Redis::start(SITE);
    let config = Config { failure_persistence: None, ..Config::default() };
    let cases = config.cases.min(if std::env::var_os("PROPTEST_CASES").is_some() { u32::MAX } else { 300 });
    let mut runner = TestRunner::new(Config { cases, max_shrink_iters: 2_000, ..config });
    let run = |acts: Vec<Act>| {
        runtime.block_on(async {
            let mut world = World::new(&redis).await;
            for act in acts {
                world.act(act).await?;
            }
            world.settles().await
        })
    };
    let tried = runner.run(&vec(act(), 1..60), run);
    assert!(tried.is_ok(), "{}", tried.unwrap_err());
}
