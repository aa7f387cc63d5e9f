//! Porcupine as a program, which is asked about a file.

use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use anyhow::{Context, bail};
use nix::sys::signal::Signal;

use super::measure::Answer;

/// What it may take: processor seconds, and MiB of addresses.
const SECONDS: u32 = 20;
const MIB: u32 = 4096;

/// A program made of `porcupine.go`, which says what it reads and prints.
pub(super) struct Porcupine {
    program: PathBuf,
}

/// What to say where there is none.
pub(super) fn absent() -> String {
    let go = match Command::new("go").arg("version").output() {
        Ok(output) if output.status.success() => "",
        _ => " There is no Go on this machine: apt-get install golang-go.",
    };
    format!(
        "Porcupine is not asked: build src/cli/bench/checker/porcupine.go with Go, and say \
         --porcupine PROGRAM.{go}"
    )
}

impl Porcupine {
    /// Shows it a history of one write, so that what does not work is said before anything is measured.
    pub(super) fn at(program: &Path) -> anyhow::Result<Porcupine> {
        let program = program.canonicalize().with_context(|| program.display().to_string())?;
        let porcupine = Porcupine { program };
        let file = tempfile::NamedTempFile::new()?;
        std::fs::write(file.path(), "0 1 2 1 7 0 2 0\n0 3 4 0 0 0 1 8\n")?;
        let answer = porcupine.ask(file.path())?;
        if answer.verdict != "invalid" {
            bail!("{} takes the read of a value never written for {answer:?}", porcupine.name());
        }
        Ok(porcupine)
    }

    /// Its answer, or which limit ended it.
    pub(super) fn ask(&self, history: &Path) -> anyhow::Result<Answer> {
        let mut command = Command::new(&self.program);
        command.arg(history).args([SECONDS.to_string(), MIB.to_string()]);
        let output = command.output().with_context(|| self.name())?;
        let found = limit(&output).map(Answer::gave_up).or_else(|| answer(&output));
        found.with_context(|| {
            let [said, error] =
                [&output.stdout, &output.stderr].map(|said| String::from_utf8_lossy(said));
            let first = error.lines().next().unwrap_or_default();
            format!("{} ended with {}: {said:?} {first}", self.name(), output.status)
        })
    }

    fn name(&self) -> String {
        self.program.display().to_string()
    }
}

/// The limit that ended it: the kernel kills what takes too long, Go ends itself without memory.
fn limit(output: &Output) -> Option<String> {
    let error = String::from_utf8_lossy(&output.stderr);
    let no_memory = ["out of memory", "cannot allocate memory"];
    if output.status.signal() == Some(Signal::SIGKILL as i32) {
        Some(format!("over {SECONDS} s"))
    } else if no_memory.iter().any(|words| error.contains(words)) {
        Some(format!("over {} GiB", MIB >> 10))
    } else {
        None
    }
}

/// Of "valid 0.044 29360128 10485760".
fn answer(output: &Output) -> Option<Answer> {
    let said = String::from_utf8_lossy(&output.stdout);
    let words: Vec<&str> = said.split_whitespace().collect();
    let &[verdict @ ("valid" | "invalid"), seconds, peak, before] = words.as_slice() else {
        return None;
    };
    Some(Answer {
        verdict: verdict.to_owned(),
        by: "Porcupine".to_owned(),
        seconds: seconds.parse().ok()?,
        peak: peak.parse().ok()?,
        explained: None,
        before: before.parse().ok()?,
    })
}
