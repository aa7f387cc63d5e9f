//! `zoobreak model` from outside: what it says, stores, replays, and with which exit code.

use std::path::Path;
use std::process::{Command, Output};

#[test]
fn the_models_are_listed() {
    let (code, text) = model(&["list"], Path::new("."));
    assert_eq!(code, Some(0));
    for name in ["boot", "broadcast", "recovery", "stale-leader", "votes", "paxos", "zab-join"] {
        assert!(text.lines().any(|line| line.starts_with(name)), "{name}: {text}");
    }
}

#[test]
fn a_model_that_holds_says_what_was_searched() {
    let (code, text) = model(&["check", "recovery", "--crashes", "0"], Path::new("."));
    assert_eq!(code, Some(0), "{text}");
    assert!(text.starts_with("recovery: held: all 14 invariants"), "{text}");
    assert!(text.contains("within     servers 3, elections 2\n"), "{text}");
    assert!(text.contains("searched   1200 states"), "{text}");
}

#[test]
fn random_walks_find_a_defect_and_never_claim_to_have_seen_all() {
    let scratch = tempfile::tempdir().expect("a scratch directory");
    let walk = ["check", "zab-recovery", "--random", "7", "--states", "20000"];
    let (code, text) = model(&walk, scratch.path());
    assert_eq!(code, Some(2), "{text}");
    assert!(text.starts_with("zab-recovery: stopped"), "{text}");
    let flawed = [&walk[..], &["--mutant", "half-quorum"]].concat();
    let (code, text) = model(&flawed, scratch.path());
    assert_eq!(code, Some(1), "{text}");
    assert!(text.starts_with("zab-recovery: broken: "), "{text}");
}

#[test]
fn a_broken_model_is_told_stored_and_replayed() {
    let scratch = tempfile::tempdir().expect("a scratch directory");
    let (code, told) = model(&["check", "stale-leader", "--mutant", "X17"], scratch.path());
    assert_eq!(code, Some(1), "{told}");
    assert!(told.starts_with("stale-leader: broken: SyncFreshness\n"), "{told}");
    assert!(told.contains("1. a client of n2 submits c\n"), "{told}");
    let file = "counterexample-stale-leader-X17.json";
    assert!(told.ends_with(&format!("stored in {file}; zoobreak model replay {file}\n")), "{told}");

    let (code, again) = model(&["replay", file], scratch.path());
    assert_eq!(code, Some(1), "{again}");
    assert!(told.starts_with(&again), "{again}");

    let path = scratch.path().join(file);
    let text = std::fs::read_to_string(&path).expect("it was stored");
    let sound = text.replace("\"mutant\": \"X17\"", "\"mutant\": null");
    assert_ne!(sound, text);
    std::fs::write(&path, sound).expect("a scratch directory");
    let (code, held) = model(&["replay", file], scratch.path());
    assert_eq!(code, Some(0), "{held}");
    assert_eq!(held, "stale-leader: SyncFreshness holds after the last step\n");
}

#[test]
fn a_spent_budget_and_wrong_words_have_their_own_exit_codes() {
    let here = Path::new(".");
    let (code, text) = model(&["check", "broadcast", "--states", "100"], here);
    assert_eq!(code, Some(2), "{text}");
    assert!(text.starts_with("broadcast: stopped"), "{text}");
    for wrong in [
        &["check", "nothing"][..],
        &["check", "boot", "--mutant", "X99"],
        &["check", "boot", "--servers", "2"],
        &["replay", "no-such-file.json"],
        &["replay", "Cargo.toml"],
    ] {
        assert_eq!(model(wrong, here).0, Some(64), "{wrong:?}");
    }
}

/// The exit code, and what was printed on standard output.
fn model(args: &[&str], directory: &Path) -> (Option<i32>, String) {
    let command = Command::new(env!("CARGO_BIN_EXE_zoobreak"))
        .arg("model")
        .args(args)
        .current_dir(directory)
        .output();
    let Output { status, stdout, .. } = command.expect("the binary was built for this test");
    (status.code(), String::from_utf8(stdout).expect("text"))
}
