//! `zoobreak doctor`: what this machine can and cannot do, and what to install.

mod disk;
mod machine;
mod tools;

pub(super) use machine::available as memory_free;

use std::fmt;
use std::path::PathBuf;

use checker::Exit;
use clap::Args;

use super::Failure;
use super::output::to_stdout;

/// Say what this machine can and cannot do, and what to install
#[derive(Debug, Args)]
#[command(after_help = "\
Exit codes:
   0  `zoobreak test` can run here
   3  it cannot: see the lines that say `missing`")]
pub(super) struct Doctor {
    /// Where runs are to be stored
    #[arg(long, value_name = "DIR", default_value = "results")]
    results: PathBuf,
}

impl Doctor {
    /// 0 if the main job can run, 3 if not.
    pub(super) fn run(&self) -> Result<Exit, Failure> {
        // Namespaces first: they are tried in a fork, which wants a process without threads.
        let mut findings = vec![machine::namespaces(), machine::user()];
        findings.extend([machine::kernel(), machine::cores(), machine::memory()]);
        findings.extend([machine::open_files(), machine::tcp(), machine::disks()]);
        findings.extend(disk::findings(&self.results));
        findings.extend([tools::iptables(), tools::java(), tools::zookeeper()]);
        let ready = !findings.iter().any(|finding| finding.state == State::Missing);
        to_stdout(|out| {
            findings.iter().try_for_each(|finding| writeln!(out, "{finding}"))?;
            writeln!(out, "\n{}", conclusion(ready))
        })?;
        Ok(if ready { Exit::Valid } else { Exit::Unsound })
    }
}

fn conclusion(ready: bool) -> &'static str {
    match ready {
        true => "ready: `zoobreak test` can run here",
        false => "not ready: `zoobreak test` cannot run here until what is missing is there",
    }
}

/// How well one need is met.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Nothing to do.
    Ok,
    /// The main job runs, something else does not.
    Limited,
    /// The main job does not run.
    Missing,
}

/// One line of the doctor's findings.
#[derive(Debug)]
struct Finding {
    state: State,
    what: String,
    advice: String,
}

impl Finding {
    fn ok(what: impl Into<String>) -> Finding {
        Finding { state: State::Ok, what: what.into(), advice: String::new() }
    }

    /// `advice`: why it matters, and what to do.
    fn limited(what: impl Into<String>, advice: impl Into<String>) -> Finding {
        Finding { state: State::Limited, what: what.into(), advice: advice.into() }
    }

    /// `advice`: why it matters, and what to do.
    fn missing(what: impl Into<String>, advice: impl Into<String>) -> Finding {
        Finding { state: State::Missing, what: what.into(), advice: advice.into() }
    }

    /// Limited with this advice unless `good`.
    fn unless(good: bool, what: String, advice: &str) -> Finding {
        if good { Finding::ok(what) } else { Finding::limited(what, advice) }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = match self.state {
            State::Ok => "ok",
            State::Limited => "limited",
            State::Missing => "missing",
        };
        write!(f, "{state:8} {}", self.what)?;
        match self.advice.as_str() {
            "" => Ok(()),
            advice => write!(f, " — {advice}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_state_finding_and_advice() {
        let missing = Finding::missing("namespaces: refused", "servers need them; run as root");
        assert_eq!(
            missing.to_string(),
            "missing  namespaces: refused — servers need them; run as root"
        );
        assert_eq!(Finding::ok("2 cores").to_string(), "ok       2 cores");
    }
}
