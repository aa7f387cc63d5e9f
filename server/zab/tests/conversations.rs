//! The protocol as conversations: scripts in `testdata/` of what happens to peers and what they
//! do. `ZAB_REWRITE=1 cargo test -p zab --test conversations` writes down what they do now; read
//! the difference before committing it.
//!
//! A line that begins with `>` is an event, the lines below it are what follows from it:
//!
//! ```text
//! > start 2 of 3 accepted=1 current=1 snapshot=1:2 log=1:3 mutant=X1 observers=4,5
//! > timer 2 settle       a timer goes off
//! > deliver 1 2          the next message from 1 arrives at 2 (`deliver 1 2 all`: all of them)
//! > drop 1 2             what is under way from 1 to 2 is lost
//! > connect 2 1          the connection that 2 asked for stands
//! > unreachable 2 1      votes of 2 do not reach 1
//! > cut 1 2              it breaks; both notice
//! > stored 2 1           one write is durable (`stored 2`: all of them)
//! > submit 2 7           a client's transaction
//! > sync 2 9             a client's sync
//! > compact 2 1:4        a snapshot is durable
//! > forget 2 1:4         entries take too much memory
//! > crash 2              loses what is not durable
//! > restart 2
//! > run                  everything under way happens, until nothing is left but timers
//! ```
//!
//! What follows from an event that ends in `quietly` is not shown.

mod script;

use std::path::{Path, PathBuf};

use script::Stage;

#[test]
fn peers_speak_as_written() {
    let files = scripts();
    assert!(!files.is_empty(), "there are scripts to follow");
    let wrong: Vec<_> = files.iter().filter_map(|path| differs(path)).collect();
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

fn scripts() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata");
    let entries = std::fs::read_dir(folder).expect("the scripts are part of the package");
    let mut files: Vec<_> =
        entries.map(|entry| entry.expect("a folder is readable").path()).collect();
    files.sort();
    files
}

/// The first difference between what the script says and what the peers do.
fn differs(path: &Path) -> Option<String> {
    let expected = std::fs::read_to_string(path).expect("a script is text");
    let actual = play(&expected);
    if std::env::var_os("ZAB_REWRITE").is_some() {
        std::fs::write(path, &actual).expect("a script can be rewritten");
        return None;
    }
    let pairs = expected.lines().zip(actual.lines()).enumerate();
    let first = pairs.into_iter().find(|(_, (expected, actual))| expected != actual);
    if let Some((line, (expected, actual))) = first {
        let place = format!("{}:{}", path.display(), line + 1);
        return Some(format!("{place}\n  expected: {expected}\n  but got:  {actual}"));
    }
    (expected != actual).then(|| format!("{}: one is longer than the other", path.display()))
}

/// The script with what really follows from its events.
fn play(script: &str) -> String {
    let mut stage = Stage::default();
    let mut text = String::new();
    for line in script.lines() {
        if let Some(event) = line.strip_prefix("> ") {
            text += &format!("{line}\n");
            for done in stage.event(event) {
                text += &format!("  {done}\n");
            }
        } else if line.is_empty() || line.starts_with('#') {
            text += &format!("{line}\n");
        }
    }
    text
}
