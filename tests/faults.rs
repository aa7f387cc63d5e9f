//! Keeps the table of `docs/faults.md` whole that says how each kind of fault is tested.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use nemesis::Kind;

#[test]
fn every_kind_has_a_test_that_feels_it_and_one_that_misses_it() {
    assert_eq!(troubles(&table(), &tests()), Vec::<String>::new());
}

#[test]
fn a_table_that_is_not_whole_is_seen() {
    let (whole, tests) = (table(), tests());
    let without_last = &whole[..whole.len() - 1];
    assert_eq!(troubles(without_last, &tests), ["scenario:random is not in the table"]);
    let unknown = Row { kinds: "`kill:nobody`".into(), ..whole[0].clone() };
    let nameless = Row { absent: "to be done".into(), ..whole[0].clone() };
    let mistyped = Row { bites: "`kill_and_restrat`".into(), ..whole[0].clone() };
    for (row, expected) in [
        (unknown, "kill:nobody is no kind of fault"),
        (nameless, "`to be done` names no test"),
        (mistyped, "no test is called kill_and_restrat"),
    ] {
        let rows = [&whole[..], &[row]].concat();
        assert_eq!(troubles(&rows, &tests), [expected]);
    }
}

/// A row: kinds, and what shows that they bite, and that they are absent.
#[derive(Clone, Debug)]
struct Row {
    kinds: String,
    bites: String,
    absent: String,
}

/// What is wrong with the table, in words.
fn troubles(rows: &[Row], tests: &BTreeSet<String>) -> Vec<String> {
    let listed: Vec<String> = rows.iter().flat_map(|row| kinds(&row.kinds)).collect();
    let known: Vec<&str> = Kind::all().map(|kind| kind.name()).collect();
    let missing = known.iter().filter(|kind| !listed.iter().any(|other| other == *kind));
    let unknown = listed.iter().filter(|kind| !known.contains(&kind.as_str()));
    let of_kinds = missing.map(|kind| format!("{kind} is not in the table"));
    let of_kinds = of_kinds.chain(unknown.map(|kind| format!("{kind} is no kind of fault")));
    let cells = rows.iter().flat_map(|row| [&row.bites, &row.absent]);
    of_kinds.chain(cells.flat_map(|cell| troubles_of(cell, tests))).collect()
}

fn troubles_of(cell: &str, tests: &BTreeSet<String>) -> Vec<String> {
    let names = words(cell);
    if names.is_empty() {
        return vec![format!("`{cell}` names no test")];
    }
    let unknown = names.iter().filter(|name| !tests.contains(*name));
    unknown.map(|name| format!("no test is called {name}")).collect()
}

/// `kill`, `kill:leader` and `kill:one` of "`kill` `:leader` `:one`".
fn kinds(cell: &str) -> Vec<String> {
    let (mut family, mut kinds) = (String::new(), Vec::new());
    for word in words(cell) {
        if !word.starts_with(':') {
            family = word.split(':').next().unwrap_or_default().to_owned();
        }
        let kind = if word.starts_with(':') { format!("{family}{word}") } else { word };
        kinds.push(kind);
    }
    kinds
}

/// Whatever stands between backticks.
fn words(cell: &str) -> Vec<String> {
    cell.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

fn table() -> Vec<Row> {
    let page = fs::read_to_string(root().join("docs/faults.md")).expect("the page is there");
    let (_, page) = page.split_once("## How each is tested").expect("the table has a title");
    let rows = page.lines().skip_while(|line| !line.starts_with("|--"));
    let rows = rows.skip(1).take_while(|line| line.starts_with('|'));
    let rows: Vec<Row> = rows.map(row).collect();
    assert!(rows.len() > 20, "the table was read: {rows:?}");
    rows
}

fn row(line: &str) -> Row {
    let cells: Vec<String> = line.trim_matches('|').split('|').map(|c| c.trim().into()).collect();
    let [kinds, bites, absent] = cells.try_into().expect("a row has three cells");
    Row { kinds, bites, absent }
}

/// The names of all tests of this package and of `nemesis`.
fn tests() -> BTreeSet<String> {
    let mut files = Vec::new();
    ["tests", "src", "nemesis/src"].iter().for_each(|dir| sources(&root().join(dir), &mut files));
    let functions = files.iter().flat_map(|text| functions(text));
    let lab = fs::read_to_string(root().join("nemesis/tests/lab/main.rs")).expect("it is there");
    let in_lab = lab.lines().filter_map(|line| line.trim().strip_prefix("(\"")?.split('"').next());
    functions.chain(in_lab.map(str::to_owned)).collect()
}

/// The names of the functions that follow `#[test]`.
fn functions(text: &str) -> Vec<String> {
    let after = text.split("#[test]\n").skip(1);
    let name = |text: &str| text.trim().strip_prefix("fn ")?.split('(').next().map(str::to_owned);
    after.filter_map(name).collect()
}

fn sources(directory: &Path, found: &mut Vec<String>) {
    for entry in fs::read_dir(directory).expect("sources are readable").flatten() {
        let path = entry.path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|ext| ext == "rs") {
            found.push(fs::read_to_string(&path).expect("sources are readable"));
        }
    }
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}
