//! `docs/guarantees.md` is whole: every guarantee has a test where it breaks, one where it holds, and a
//! source, and the tests named are there.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use checker::Check;
use history::znode::{Ask, Told};

use crate::story::Story;

/// A row of the page's table.
struct Row {
    id: String,
    breaks: String,
    keeps: String,
    source: String,
    mutants: String,
}

fn root() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn rows() -> Vec<Row> {
    let row = |line: &str| {
        let cells: Vec<_> = line.trim_matches('|').split('|').map(str::trim).collect();
        let [name, breaks, keeps, source, _workload, mutants] = cells[..] else {
            panic!("six columns: {line}")
        };
        let id = name.split(' ').next().expect("a name has a word").to_owned();
        let [breaks, keeps, source, mutants] = [breaks, keeps, source, mutants].map(str::to_owned);
        Row { id, breaks, keeps, source, mutants }
    };
    let page = read("docs/guarantees.md");
    let table = page.lines().filter(|line| line.starts_with("| ")).skip(1);
    table.map(row).collect()
}

/// What a verdict of either workload says.
fn checks() -> Vec<Check> {
    let mut registers = Story::new();
    registers.digest("n1", 5, 7, None);
    let mut znodes = Story::new();
    znodes.does(1, &Ask::Close, 12, &Told::Done);
    [registers, znodes].into_iter().flat_map(|story| story.verdict().checks).collect()
}

/// The tests named in a cell, as `module::name`.
fn tests(cell: &str) -> Vec<(String, String)> {
    let named = cell.split('`').filter_map(|part| part.split_once("::"));
    named.map(|(module, name)| (module.to_owned(), name.to_owned())).collect()
}

#[test]
fn every_guarantee_is_a_row_and_the_other_way_round() {
    let rows: Vec<_> = rows().into_iter().map(|row| row.id).collect();
    let documented: BTreeSet<_> = rows.iter().cloned().collect();
    assert_eq!(documented.len(), rows.len(), "each once: {rows:?}");
    let checked: BTreeSet<_> = checks().into_iter().map(|check| check.id).collect();
    assert_eq!(documented, checked);
    let numbered: BTreeSet<_> = (1..=24).map(|n| format!("C{n}")).collect();
    assert!(numbered.is_subset(&checked), "C1 to C24 are all there");
}

#[test]
fn every_guarantee_names_tests_that_are_there() {
    let known = |module: &str, name: &str| {
        read(&format!("checker/tests/it/{module}.rs")).contains(&format!("#[test]\nfn {name}()"))
    };
    for row in rows() {
        let (breaks, keeps) = (tests(&row.breaks), tests(&row.keeps));
        assert!(!breaks.is_empty(), "{}: which test breaks it?", row.id);
        let otherwise = row.keeps.starts_with("the same") || row.keeps == "both correct histories";
        assert!(!keeps.is_empty() || otherwise, "{}: which test keeps it?", row.id);
        for (module, name) in breaks.iter().chain(&keeps) {
            assert!(known(module, name), "{}: {module}::{name} is no test", row.id);
        }
    }
    assert!(!known("tree", "no_such_test") && known("documented", "every_guarantee_has_a_source"));
}

#[test]
fn every_guarantee_has_a_source() {
    for row in rows() {
        assert!(row.source.len() > 10, "{}: where is it promised?", row.id);
    }
    for check in checks() {
        assert!(check.source.len() > 10, "{}: where is it promised?", check.id);
    }
}

#[test]
fn every_mutant_named_is_one_that_was_found() {
    let readme = read("README.md");
    for row in rows() {
        for mutant in row.mutants.split(", ").filter(|mutant| !mutant.is_empty()) {
            let found = readme.lines().any(|line| line.starts_with(&format!("| {mutant} | ")));
            assert!(found, "{}: README's table has no mutant {mutant}", row.id);
        }
    }
}
