//! Ours and Porcupine, in turn, on the same history.

use std::env;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, bail};
use serde::de::DeserializeOwned;

use super::measure::{Answer, Subject};
use super::porcupine::Porcupine;

pub(super) struct Sides<'a> {
    pub(super) porcupine: Option<Porcupine>,
    pub(super) scratch: &'a Path,
    pub(super) search_only: bool,
}

/// What came of one history.
pub(super) struct Both {
    pub(super) ours: Answer,
    /// None if it was not asked.
    pub(super) theirs: Option<Answer>,
}

impl Sides<'_> {
    /// Has a history checked; by Porcupine too, if it is there and `theirs` is wanted.
    pub(super) fn check(&self, subject: &Subject, theirs: bool) -> anyhow::Result<Both> {
        let ours = self.apart(subject, self.search_only.then_some("--search-only").as_slice())?;
        let theirs = match self.porcupine.as_ref().filter(|_| theirs) {
            None => None,
            Some(porcupine) => {
                let file = tempfile::NamedTempFile::new_in(self.scratch);
                let file = file.with_context(|| self.scratch.display().to_string())?;
                subject.write(file.path())?;
                Some(porcupine.ask(file.path())?)
            }
        };
        let both = Both { ours, theirs };
        if both.differ() {
            bail!("{subject:?}: we say {:?}, Porcupine says {:?}", both.ours, both.theirs);
        }
        Ok(both)
    }

    /// Measures in a process of its own, so that no measurement pays for another's memory.
    pub(super) fn apart<T: DeserializeOwned>(
        &self,
        subject: &Subject,
        flags: &[&str],
    ) -> anyhow::Result<T> {
        let mut command = Command::new(env::current_exe().context("our own program")?);
        command.args(["bench", "checker", "--measure", &serde_json::to_string(subject)?]);
        command.args(flags).arg("--scratch").arg(self.scratch);
        let output = command.output().context("our own program")?;
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr);
            bail!("measuring {subject:?} ended with {}: {}", output.status, said.trim());
        }
        serde_json::from_slice(&output.stdout).context("the measurement's answer")
    }
}

impl Both {
    /// Has one decided otherwise than the other?
    fn differ(&self) -> bool {
        let decided = self.theirs.as_ref().filter(|theirs| theirs.decided());
        decided.is_some_and(|theirs| self.ours.decided() && self.ours.verdict != theirs.verdict)
    }
}
