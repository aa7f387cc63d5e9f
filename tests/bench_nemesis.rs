//! `zoobreak bench nemesis` measures each thing it names, and leaves nothing.

mod support;

use std::fs;

use support::harness::{missing, zoobreak};
use support::{alone, scratch, seconds, skip, text};

#[test]
fn everything_named_is_measured_and_nothing_is_left() {
    let _alone = alone();
    if let Some(why) = missing() {
        return skip("everything_named_is_measured_and_nothing_is_left", &why);
    }
    let dir = scratch();
    let argv = ["bench", "nemesis", "--rounds", "2", "--dir", text(dir.path())];
    let said = zoobreak(&argv, seconds(60));
    assert_eq!(said.code, 0, "{}", said.all());
    for what in ["stands", "is gone", "apart, by switch", "is killed", "on this disk", "in memory"]
    {
        let line = said.stdout.lines().find(|line| line.contains(what));
        let line = line.unwrap_or_else(|| panic!("{what} is missing: {}", said.all()));
        assert!(line.contains(" ms (median of ") || line.contains("skipped: "), "{line}");
    }
    assert_eq!(fs::read_dir(dir.path()).expect("it is there").count(), 0);
}
