//! The note that a server leaves when it stops because its state is not that of the others.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use zab::Zxid;

use super::StorageError;
use super::file::{replace, sync_parent};

/// `dataDir/zoobreak/diverged`: where a quorum had another [lineage](tree::Tree::lineage).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Diverged {
    /// The zxid at which the states were compared.
    pub zxid: Zxid,
    /// This server's lineage there.
    pub own: u64,
    /// That of a quorum.
    pub right: u64,
}

impl Diverged {
    /// Reads it in `root`, that is `dataDir/zoobreak`; a server that never differed has none.
    ///
    /// # Errors
    /// When the file cannot be read, or says something else.
    pub fn read(root: &Path) -> Result<Option<Diverged>, StorageError> {
        let path = path(root);
        match fs::read_to_string(&path) {
            Ok(text) => Diverged::parse(&text)
                .map(Some)
                .ok_or_else(|| StorageError::damaged(&path, 0, "not a note of a differing state")),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(StorageError::io(&path, error)),
        }
    }

    /// Writes it, durably.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn write(self, root: &Path) -> Result<(), StorageError> {
        replace(&path(root), &[self.text().as_bytes()])
    }

    /// Removes it, durably.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn remove(root: &Path) -> Result<(), StorageError> {
        let path = path(root);
        fs::remove_file(&path).map_err(|error| StorageError::io(&path, error))?;
        sync_parent(&path)
    }

    fn text(self) -> String {
        let Diverged { zxid, own, right } = self;
        format!("zxid={zxid}\ndigest={own:#018x}\nquorum={right:#018x}\n")
    }

    fn parse(text: &str) -> Option<Diverged> {
        let number = |key: &str| {
            let value =
                text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix("=0x"))?;
            u64::from_str_radix(value, 16).ok()
        };
        let (zxid, own, right) = (Zxid(number("zxid")?), number("digest")?, number("quorum")?);
        Some(Diverged { zxid, own, right })
    }
}

fn path(root: &Path) -> PathBuf {
    root.join("diverged")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_note_is_read_as_written_until_it_is_removed() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(Diverged::read(dir.path()).unwrap(), None);
        let note = Diverged { zxid: Zxid::new(3, 7), own: 1, right: u64::MAX };
        note.write(dir.path()).unwrap();
        assert_eq!(Diverged::read(dir.path()).unwrap(), Some(note));
        Diverged::remove(dir.path()).unwrap();
        assert_eq!(Diverged::read(dir.path()).unwrap(), None);
        fs::write(path(dir.path()), "zxid=0x7\n").unwrap();
        assert!(Diverged::read(dir.path()).unwrap_err().to_string().contains("diverged: damaged"));
    }
}
