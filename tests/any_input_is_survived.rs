//! Whatever a trunk sends, a CRM holds or an administrator writes: what has to hold of numbers, names and templates
//! holds. `make fuzz` looks for inputs for which it does not; here those that it has tried are tried again.

use std::fs;

use crate::lab::nameplate::project;

#[path = "fuzz/oracles.rs"]
mod oracles;

#[test]
fn inputs_kept_from_fuzzing_hold() {
    for (target, oracle) in oracles::ALL {
        let folder = project().join("tests/data/fuzz").join(target);
        let inputs: Vec<_> =
            fs::read_dir(&folder).expect("a corpus").map(|file| file.unwrap().path()).collect();
        assert!(inputs.len() >= 10, "{}: {} inputs", folder.display(), inputs.len());
        for input in inputs {
            let bytes = fs::read(&input).expect("an input");
            let held = std::panic::catch_unwind(|| oracle(&bytes));
            assert!(held.is_ok(), "{}: {:?}", input.display(), String::from_utf8_lossy(&bytes));
        }
    }
}
