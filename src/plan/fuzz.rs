//! `plan.toml`, nearly right.

use std::path::Path;

use fuzz::{Counting, Target};

use super::Plan;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const PLAN: &str = "# a plan
nodes = 5
clients = 10
time = 30
rate = 300.0
faults = [\"kill\", \"pause:leader\", 'partition:halves']
seed = 7
tick-ms = 500
";

#[test]
fn plan_files() {
    let path = Path::new("plan.toml");
    Plan::from_text(path, PLAN).expect("a valid plan");
    let samples = vec![PLAN.as_bytes().to_vec(), b"nodes = 3\n".to_vec()];
    let target = Target { name: "plan.toml", samples, bytes_per_byte: 512, floor: 64 << 10 };
    target.survives(|bytes| {
        let plan = Plan::from_text(path, &String::from_utf8_lossy(bytes));
        match plan.map(|plan| plan.resolve(1)) {
            Ok(_settings_or_what_is_wrong) => {}
            Err(error) => assert!(error.to_string().starts_with("plan.toml:"), "{error}"),
        }
    });
}

/// TOML nests too.
#[test]
fn deep_nesting_is_refused() {
    for open in ["[", "{a=", "[{a="] {
        let text = format!("faults = {}", open.repeat(200_000));
        assert!(Plan::from_text(Path::new("plan.toml"), &text).is_err());
    }
    let keys = "a.".repeat(200_000);
    assert!(Plan::from_text(Path::new("plan.toml"), &format!("{keys}b = 1")).is_err());
}
