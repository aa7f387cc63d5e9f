//! Every search of `docs/claims.md` ends as the page says.

use std::fs;
use std::path::Path;
use std::process::Command;

#[test]
fn every_claim_ends_as_the_page_says() {
    let claims = claims();
    assert!(claims.len() >= 18, "the table was read: {claims:?}");
    for (search, result) in claims {
        let (code, text) = run(&search);
        let invariant = result.strip_prefix("refuted: ");
        assert!(invariant.is_some() || result.starts_with("confirmed"), "{search}: {result}");
        let first = text.lines().next().unwrap_or_default();
        let (expected, said) = match invariant {
            Some(name) => (1, first.ends_with(&format!(": broken: {name}"))),
            None => (0, first.contains(": held: all ")),
        };
        assert_eq!(code, Some(expected), "{search}: {text}");
        assert!(said, "{search} should be {result}: {first}");
    }
}

/// The second and third column: what to search, and how it ends.
fn claims() -> Vec<(String, String)> {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/claims.md");
    let text = fs::read_to_string(page).expect("the page is there");
    let rows = text.lines().filter_map(|line| {
        let mut cells = line.strip_prefix("| ")?.strip_suffix(" |")?.rsplit(" | ");
        let (result, search) = (cells.next()?, cells.next()?);
        let search = search.strip_prefix('`')?.strip_suffix('`')?;
        Some((search.to_owned(), result.to_owned()))
    });
    rows.collect()
}

/// The exit code, and what was printed.
fn run(search: &str) -> (Option<i32>, String) {
    let scratch = tempfile::tempdir().expect("a scratch directory");
    let output = Command::new(env!("CARGO_BIN_EXE_zoobreak"))
        .args(["model", "check"])
        .args(search.split(' '))
        .current_dir(scratch.path())
        .output()
        .expect("the binary was built for this test");
    (output.status.code(), String::from_utf8(output.stdout).expect("text"))
}
