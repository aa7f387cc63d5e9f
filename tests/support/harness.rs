//! `zoobreak` as its users start it, and what it leaves in a run directory.

use std::fs::{self, File};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::time::Duration;

use serde_json::Value;

use super::{end, scratch, text, wait};

/// What a command said and how it ended.
pub(crate) struct Said {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Said {
    /// Both streams, for messages of failed assertions.
    pub(crate) fn all(&self) -> String {
        format!("exit code {}\n{}\n{}", self.code, self.stdout, self.stderr)
    }
}

/// Runs `zoobreak` to its end.
pub(crate) fn zoobreak(argv: &[&str], within: Duration) -> Said {
    Running::start(Command::new(env!("CARGO_BIN_EXE_zoobreak")).args(argv)).finish(within)
}

/// A command in a process group of its own, as from a terminal. It is killed when dropped.
pub(crate) struct Running {
    pub(crate) child: Child,
    output: tempfile::TempDir,
}

impl Running {
    pub(crate) fn start(command: &mut Command) -> Running {
        let output = scratch();
        let file = |name| File::create(output.path().join(name)).expect("a scratch directory");
        let child = command
            .process_group(0)
            .stdin(std::process::Stdio::null())
            .stdout(file("stdout"))
            .stderr(file("stderr"))
            .spawn()
            .unwrap_or_else(|error| panic!("{command:?}: {error}"));
        Running { child, output }
    }

    /// Waits for its end.
    pub(crate) fn finish(mut self, within: Duration) -> Said {
        let status = wait(&mut self.child, within);
        let code = status.code().unwrap_or_else(|| panic!("{status}: {}", self.stderr()));
        Said { code, stdout: self.read("stdout"), stderr: self.stderr() }
    }

    /// What it said on standard error up to now.
    pub(crate) fn stderr(&self) -> String {
        self.read("stderr")
    }

    /// Where its standard output and error go.
    pub(crate) fn output(&self) -> &Path {
        self.output.path()
    }

    fn read(&self, name: &str) -> String {
        let bytes = fs::read(self.output.path().join(name)).expect("made at the start");
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        end(&mut self.child);
    }
}

/// Why this machine cannot run `zoobreak test` with all it has, if it cannot: what `zoobreak doctor` misses.
pub(crate) fn missing() -> Option<String> {
    let results = scratch();
    let doctor = zoobreak(&["doctor", "--results", text(results.path())], Duration::from_secs(30));
    doctor
        .stdout
        .lines()
        .find_map(|line| {
            let limited =
                || line.strip_prefix("limited").filter(|what| what.contains("namespaces:"));
            line.strip_prefix("missing").or_else(limited)
        })
        .map(|line| line.trim().into())
}

/// The directory of the only run, or of the newest one.
pub(crate) fn latest(results: &Path) -> PathBuf {
    let link = results.join("latest");
    fs::canonicalize(&link).unwrap_or_else(|error| panic!("{}: {error}", link.display()))
}

/// A JSON file of a run.
pub(crate) fn json(run: &Path, name: &str) -> Value {
    let path = run.join(name);
    let bytes = fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_slice(&bytes).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The whole lines of a run's history.
pub(crate) fn history(run: &Path) -> Vec<Value> {
    let text = fs::read_to_string(run.join("history.jsonl")).unwrap_or_default();
    let whole = text.split_inclusive('\n').filter(|line| line.ends_with('\n'));
    whole.map(|line| serde_json::from_str(line).expect("JSON lines")).collect()
}

/// The count of the fact that a verdict's soundness has under this name.
pub(crate) fn fact(verdict: &Value, what: &str) -> u64 {
    let facts = verdict["soundness"]["facts"].as_array().expect("a list of facts");
    let fact = facts.iter().find(|fact| fact["what"] == what);
    let fact = fact.unwrap_or_else(|| panic!("no fact {what:?} in {facts:?}"));
    fact["count"].as_u64().expect("a count")
}
