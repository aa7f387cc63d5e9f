//! Whole files that are there or not there, never half.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};

use super::StorageError;

/// Replaces `path` atomically and durably: written beside, fsync, rename, fsync of the directory.
pub(super) fn replace(path: &Path, parts: &[&[u8]]) -> Result<(), StorageError> {
    let beside = beside(path);
    write_durably(&beside, parts).map_err(|error| StorageError::io(&beside, error))?;
    fs::rename(&beside, path).map_err(|error| StorageError::io(path, error))?;
    sync_parent(path)
}

/// Makes the names in the directory of `path` durable.
pub(super) fn sync_parent(path: &Path) -> Result<(), StorageError> {
    sync_names(path.parent().unwrap_or(Path::new(".")))
}

/// Makes the names in a directory durable.
pub(super) fn sync_names(directory: &Path) -> Result<(), StorageError> {
    File::open(directory)
        .and_then(|directory| directory.sync_all())
        .map_err(|error| StorageError::io(directory, error))
}

fn write_durably(path: &Path, parts: &[&[u8]]) -> std::io::Result<()> {
    let mut file = File::create(path)?;
    for part in parts {
        file.write_all(part)?;
    }
    file.sync_all()
}

pub(super) fn beside(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".tmp");
    PathBuf::from(name)
}
