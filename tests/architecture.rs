//! Keeps the house in order: who may depend on whom, and what the pure packages never touch.
//! `ARCHITECTURE.md` gives the reasons.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

/// Each of our packages, and those of ours that it may use. `tree` answers in the records of
/// `wire`, which is as pure as it is.
const MAY_USE: [(&str, &[&str]); 14] = [
    ("zoobreak", &["workloads", "nemesis", "checker", "model", "server", "history"]),
    ("server", &["wire", "zab", "tree", "journal", "breaker"]),
    ("model", &["zab", "journal", "breaker", "spec"]),
    ("checker", &["spec", "history"]),
    ("workloads", &["wire", "spec", "history"]),
    ("nemesis", &["history"]),
    ("wire", &[]),
    ("zab", &[]),
    ("journal", &["zab"]),
    ("breaker", &[]),
    ("tree", &["wire"]),
    ("spec", &[]),
    ("history", &[]),
    ("fuzz", &[]),
];

/// What one of our packages may use in its tests beyond that.
const MAY_USE_IN_TESTS: [(&str, &str); 7] = [
    ("model", "tree"),
    ("tree", "spec"),
    ("zoobreak", "wire"),
    ("wire", "fuzz"),
    ("server", "fuzz"),
    ("history", "fuzz"),
    ("zoobreak", "fuzz"),
];

/// Packages of others that some of ours must not use: these do no IO.
const MUST_NOT_USE: [(&[&str], &[&str]); 2] = [
    (
        &["wire", "zab", "tree", "journal", "breaker", "spec"],
        &["tokio", "nix", "rand", "rand_chacha", "tempfile"],
    ),
    (&["checker", "history"], &["tokio", "nix"]),
];

/// Packages whose results depend on their arguments alone.
const PURE: [&str; 6] =
    ["server/wire", "server/zab", "server/tree", "server/journal", "server/breaker", "model/spec"];

/// What has no place in a pure package. Hash maps iterate in another order in each process.
const IMPURE: [&str; 12] = [
    "std::net",
    "std::fs",
    "std::process",
    "std::thread",
    "std::env",
    "Instant::now",
    "SystemTime",
    "HashMap",
    "HashSet",
    "tokio::",
    "rand::",
    "println!",
];

/// What has no place in the checker: a verdict is a function of a run directory.
const NO_PART_OF_A_VERDICT: [&str; 4] = ["std::net", "process::Command", "tokio::", "std::env"];

#[test]
fn packages_use_only_what_they_may() {
    assert_eq!(forbidden(&edges()), Vec::<String>::new());
}

#[test]
fn forbidden_uses_are_seen() {
    let broken = [
        Edge::new("server", "checker", false),
        Edge::new("server", "workloads", true),
        Edge::new("wire", "tree", false),
        Edge::new("model", "tree", false),
        Edge::new("zab", "tokio", false),
        Edge::new("checker", "nix", false),
        Edge::new("newcomer", "wire", false),
    ];
    for edge in &broken {
        assert_eq!(forbidden(std::slice::from_ref(edge)).len(), 1, "{edge:?}");
    }
    let sound = [
        Edge::new("server", "zab", false),
        Edge::new("model", "tree", true),
        Edge::new("zab", "rand", true),
        Edge::new("nemesis", "tokio", false),
    ];
    assert_eq!(forbidden(&sound), Vec::<String>::new());
}

#[test]
fn pure_packages_touch_nothing_outside() {
    for package in PURE {
        assert_eq!(mentions(&root().join(package).join("src"), &IMPURE), Vec::<String>::new());
    }
    let checker = root().join("checker/src");
    assert_eq!(mentions(&checker, &NO_PART_OF_A_VERDICT), Vec::<String>::new());
}

#[test]
fn impure_lines_are_seen() {
    let scratch = tempfile::tempdir().expect("a scratch directory");
    let deep = scratch.path().join("deep");
    fs::create_dir(&deep).expect("an empty scratch directory");
    let text = "//! Not std::net.\nuse std::collections::HashMap;\nlet x = 1; // no HashSet\n";
    fs::write(deep.join("lib.rs"), text).expect("an empty scratch directory");
    let found = mentions(scratch.path(), &IMPURE);
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].ends_with("deep/lib.rs:2: HashMap"), "{found:?}");
}

/// A package's dependency, for tests only or not.
#[derive(Debug)]
struct Edge {
    from: String,
    to: String,
    tests_only: bool,
}

impl Edge {
    fn new(from: &str, to: &str, tests_only: bool) -> Edge {
        Edge { from: from.to_owned(), to: to.to_owned(), tests_only }
    }
}

/// The edges that break a rule, in words.
fn forbidden(edges: &[Edge]) -> Vec<String> {
    let (ours, others): (Vec<&Edge>, Vec<&Edge>) = edges.iter().partition(|edge| is_ours(&edge.to));
    let ours = ours.into_iter().filter(|edge| !may_use(edge));
    let others = others.into_iter().filter(|edge| !edge.tests_only && must_not_use(edge));
    ours.chain(others).map(|edge| format!("{} uses {}", edge.from, edge.to)).collect()
}

fn is_ours(name: &str) -> bool {
    MAY_USE.iter().any(|(ours, _)| *ours == name)
}

fn may_use(edge: &Edge) -> bool {
    let (from, to) = (edge.from.as_str(), edge.to.as_str());
    let always = MAY_USE.iter().any(|(name, uses)| *name == from && uses.contains(&to));
    always || edge.tests_only && MAY_USE_IN_TESTS.contains(&(from, to))
}

fn must_not_use(edge: &Edge) -> bool {
    let (from, to) = (edge.from.as_str(), edge.to.as_str());
    MUST_NOT_USE.iter().any(|(names, uses)| names.contains(&from) && uses.contains(&to))
}

/// Every dependency of every package of the workspace, as cargo sees it.
fn edges() -> Vec<Edge> {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version=1", "--offline", "--no-deps"])
        .current_dir(root())
        .output()
        .expect("cargo runs this test");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).expect("cargo writes JSON");
    let packages = metadata["packages"].as_array().expect("cargo lists packages");
    let names: Vec<&str> = packages.iter().map(|package| text(&package["name"])).collect();
    assert_eq!(names.len(), MAY_USE.len(), "each package needs a rule: {names:?}");
    packages.iter().flat_map(edges_of).collect()
}

fn edges_of(package: &Value) -> Vec<Edge> {
    let dependencies = package["dependencies"].as_array().expect("cargo lists dependencies");
    let edge = |dependency: &Value| {
        Edge::new(text(&package["name"]), text(&dependency["name"]), dependency["kind"] == "dev")
    };
    dependencies.iter().map(edge).collect()
}

fn text(value: &Value) -> &str {
    value.as_str().expect("cargo writes names as text")
}

/// Where code (not comments) below `directory` mentions one of `words`: `file:line: word`.
fn mentions(directory: &Path, words: &[&str]) -> Vec<String> {
    let mut found = Vec::new();
    for file in source_files(directory) {
        let text = fs::read_to_string(&file).expect("sources are readable");
        for (idx, line) in text.lines().enumerate() {
            let code = line.split("//").next().unwrap_or_default();
            let words = words.iter().filter(|word| code.contains(**word));
            found.extend(words.map(|word| format!("{}:{}: {word}", file.display(), idx + 1)));
        }
    }
    found
}

fn source_files(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).expect("sources are readable");
    let paths: Vec<PathBuf> =
        entries.map(|entry| entry.expect("sources are readable").path()).collect();
    let (directories, files): (Vec<_>, Vec<_>) = paths.into_iter().partition(|path| path.is_dir());
    let below = directories.iter().flat_map(|directory| source_files(directory));
    let files = files.into_iter().filter(|file| file.extension().is_some_and(|ext| ext == "rs"));
    files.chain(below).collect()
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}
