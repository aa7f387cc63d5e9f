//! Where the processes of a server are, so that all of them can be found, whoever started them.

use std::io;
use std::os::unix::fs::MetadataExt;
use std::process::Command;

use nix::unistd::geteuid;

use crate::namespace::Namespace;

/// What holds the processes of one server together.
#[derive(Debug)]
pub(crate) enum Place {
    /// A network namespace of its own.
    Namespace(Namespace),
    /// Where there are none: a word in their environment, which every child inherits. A process that
    /// empties its environment escapes until the harness ends.
    Marked(String),
}

/// The variable whose value is the word.
const MARK: &str = "ZOOBREAK_PLACE";

impl Place {
    /// Runs `work` where processes that it starts are in this place, if they are [`Place::mark`]ed.
    pub(crate) fn run<T: Send>(&self, work: impl FnOnce() -> T + Send) -> io::Result<T> {
        match self {
            Place::Namespace(namespace) => namespace.run(work),
            Place::Marked(_) => Ok(work()),
        }
    }

    pub(crate) fn mark(&self, command: &mut Command) {
        if let Place::Marked(word) = self {
            command.env(MARK, word);
        }
    }

    /// Process ids of every living process in this place. Zombies are not in it.
    pub(crate) fn pids(&self) -> io::Result<Vec<i32>> {
        match self {
            Place::Namespace(namespace) => namespace.pids(),
            Place::Marked(word) => marked(&format!("{MARK}={word}")),
        }
    }
}

/// Processes of this user with such a line in their environment. The environment of others cannot be
/// read, and that of a zombie is empty.
fn marked(line: &str) -> io::Result<Vec<i32>> {
    let user = geteuid().as_raw();
    let mut pids = Vec::new();
    for entry in std::fs::read_dir("/proc")? {
        let entry = entry?;
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else {
            continue;
        };
        // A process that ends while we look is in no place.
        if entry.metadata().is_ok_and(|process| process.uid() == user)
            && std::fs::read(entry.path().join("environ"))
                .is_ok_and(|all| all.split(|byte| *byte == 0).any(|one| one == line.as_bytes()))
        {
            pids.push(pid);
        }
    }
    pids.sort_unstable();
    Ok(pids)
}
