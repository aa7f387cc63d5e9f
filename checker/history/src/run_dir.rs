//! The directory of a run: where everything about it is kept.

use std::fs;
use std::io;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::{FORMAT, Manifest};

/// A run directory: `results/<workload>+<faults>/<UTC>-<seed>/`.
///
/// | file | what |
/// |--|--|
/// | `manifest.json` | [`Manifest`]: what was resolved before anything started |
/// | `history.jsonl` | the history, an [`Event`](crate::Event) a line |
/// | `nodes/nK/` | `zoo.cfg`, `stdout.log`, `stderr.log`, `data/` of each server |
/// | `evidence/` | what proves the faults: packet counters, process states |
/// | `verdict.json` | what the checker decided |
/// | `report.html` | the same for people |
#[derive(Clone, Debug)]
pub struct RunDir {
    path: PathBuf,
}

/// Why a run directory cannot be used. Each message names the file.
#[derive(Debug, thiserror::Error)]
pub enum RunDirError {
    /// The operating system refused.
    #[error("{path}: {error}")]
    Io {
        /// The file.
        path: PathBuf,
        /// What it said.
        error: io::Error,
    },
    /// Not what is expected there.
    #[error("{path}: {error}")]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong, with line and column.
        error: serde_json::Error,
    },
    /// Written by a newer zoobreak.
    #[error(
        "{path}: run format {found} is newer than this zoobreak reads ({FORMAT}); update zoobreak"
    )]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: u64,
    },
}

impl RunDir {
    /// Makes a new run directory under `results` and writes its manifest.
    ///
    /// # Errors
    /// When it exists already or cannot be made.
    pub fn create(results: &Path, manifest: &Manifest) -> Result<RunDir, RunDirError> {
        let settings = &manifest.settings;
        let group = format!("{}+{}", settings.workload, name_of_faults(&settings.faults));
        let stamp = manifest.started.replace(['-', ':'], "");
        let parent = results.join(group);
        fs::create_dir_all(&parent).map_err(|error| io_error(&parent, error))?;
        let run = RunDir { path: new_directory(&parent, &format!("{stamp}-{}", settings.seed))? };
        for node in 1..=settings.nodes {
            let path = run.node(node);
            fs::create_dir_all(&path).map_err(|error| io_error(&path, error))?;
        }
        let evidence = run.evidence();
        fs::create_dir_all(&evidence).map_err(|error| io_error(&evidence, error))?;
        run.write_json("manifest.json", manifest)?;
        Ok(run)
    }

    /// Opens a stored run.
    ///
    /// # Errors
    /// When there is no readable manifest, or a newer format.
    pub fn open(path: &Path) -> Result<RunDir, RunDirError> {
        let run = RunDir { path: path.to_owned() };
        run.manifest()?;
        Ok(run)
    }

    /// The directory.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The manifest, after checking its format version.
    ///
    /// # Errors
    /// When it is missing, malformed or newer.
    pub fn manifest(&self) -> Result<Manifest, RunDirError> {
        let path = self.path.join("manifest.json");
        let text = fs::read_to_string(&path).map_err(|error| io_error(&path, error))?;
        let malformed = |error| RunDirError::Malformed { path: path.clone(), error };
        let value: serde_json::Value = serde_json::from_str(&text).map_err(malformed)?;
        let found = value["format"].as_u64().unwrap_or(0);
        if found > u64::from(FORMAT) {
            return Err(RunDirError::Newer { path, found });
        }
        serde_json::from_str(&text).map_err(malformed)
    }

    /// `history.jsonl`.
    #[must_use]
    pub fn history(&self) -> PathBuf {
        self.path.join("history.jsonl")
    }

    /// `nodes/nK/`, K from 1.
    #[must_use]
    pub fn node(&self, node: usize) -> PathBuf {
        self.path.join("nodes").join(format!("n{node}"))
    }

    /// `evidence/`.
    #[must_use]
    pub fn evidence(&self) -> PathBuf {
        self.path.join("evidence")
    }

    /// Writes a JSON file: beside first, then renamed, so that it is never seen half-done.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write_json(&self, name: &str, value: &impl Serialize) -> Result<(), RunDirError> {
        let path = self.path.join(name);
        let mut text = serde_json::to_vec_pretty(value)
            .map_err(|error| RunDirError::Malformed { path: path.clone(), error })?;
        text.push(b'\n');
        let beside = self.path.join(format!("{name}.tmp"));
        fs::write(&beside, text)
            .and_then(|()| fs::rename(&beside, &path))
            .map_err(|error| io_error(&path, error))
    }

    /// Reads a JSON file.
    ///
    /// # Errors
    /// When it is missing or malformed.
    pub fn read_json<T: DeserializeOwned>(&self, name: &str) -> Result<T, RunDirError> {
        let path = self.path.join(name);
        let text = fs::read(&path).map_err(|error| io_error(&path, error))?;
        serde_json::from_slice(&text).map_err(|error| RunDirError::Malformed { path, error })
    }

    /// Points `results/<link>` (`latest`, `latest-invalid`) at this run.
    ///
    /// # Errors
    /// When the link cannot be made.
    pub fn link_as(&self, results: &Path, link: &str) -> Result<(), RunDirError> {
        let target = self.path.strip_prefix(results).unwrap_or(&self.path);
        let path = results.join(link);
        let beside = results.join(format!(".{link}.{}", std::process::id()));
        symlink(target, &beside)
            .and_then(|()| fs::rename(&beside, &path))
            .map_err(|error| io_error(&path, error))
    }
}

/// `kill+pause+partition`; `none` without faults.
fn name_of_faults(faults: &[String]) -> String {
    match faults {
        [] => "none".to_owned(),
        some => some.join("+").replace(':', "-"),
    }
}

/// Two runs may start in one second with one seed: the second gets a suffix.
fn new_directory(parent: &Path, name: &str) -> Result<PathBuf, RunDirError> {
    for n in 1.. {
        let path = match n {
            1 => parent.join(name),
            _ => parent.join(format!("{name}-{n}")),
        };
        match fs::create_dir(&path) {
            Ok(()) => return Ok(path),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(io_error(&path, error)),
        }
    }
    unreachable!("the loop has no end")
}

fn io_error(path: &Path, error: io::Error) -> RunDirError {
    RunDirError::Io { path: path.to_owned(), error }
}
