//! The mark that says whose data these are: a server on another one's data would keep promises
//! that it never made, and break its own.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use zab::ServerId;

use super::StorageError;
use super::file::replace;

/// Makes `root` (`dataDir/zoobreak`) the data of server `id`, unless they are those of another. Data
/// without a mark, of a version that wrote none, become this server's.
///
/// # Errors
/// When they are another's, or the mark cannot be read or written.
pub(crate) fn claim(root: &Path, id: ServerId) -> Result<(), StorageError> {
    match owner(root)? {
        Some(owner) if owner == id => Ok(()),
        Some(owner) => {
            let (mark, root) = (path(root), root.to_owned());
            Err(StorageError::Foreign { root, owner, id, mark })
        }
        None => {
            fs::create_dir_all(root).map_err(|error| StorageError::io(root, error))?;
            replace(&path(root), &[format!("server={id}\n").as_bytes()])
        }
    }
}

/// The server whose data these are, if they have a mark.
pub(super) fn owner(root: &Path) -> Result<Option<ServerId>, StorageError> {
    let path = path(root);
    match fs::read_to_string(&path) {
        Ok(text) => parse(&text)
            .map(Some)
            .ok_or_else(|| StorageError::damaged(&path, 0, "expected server=N")),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(StorageError::io(&path, error)),
    }
}

fn parse(text: &str) -> Option<ServerId> {
    text.strip_prefix("server=")?.strip_suffix('\n')?.parse().ok()
}

fn path(root: &Path) -> PathBuf {
    root.join("owner")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn data_are_one_servers_for_good_and_unmarked_ones_are_adopted() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().join("zoobreak");
        claim(&root, 7).unwrap();
        claim(&root, 7).unwrap();
        let said = claim(&root, 8).unwrap_err().to_string();
        assert!(said.contains("the data of server 7, and this is server 8"), "{said}");
        assert_eq!(owner(&root).unwrap(), Some(7), "a refusal changes nothing");
        fs::remove_file(path(&root)).unwrap();
        claim(&root, 8).unwrap();
        assert_eq!(owner(&root).unwrap(), Some(8));
    }

    #[test]
    fn a_garbled_mark_is_no_mark_of_anybody() {
        let dir = tempfile::tempdir().unwrap();
        for text in ["", "server=", "server=x\n", "server=1", "server=1\nserver=2\n", "1\n"] {
            fs::write(path(dir.path()), text).unwrap();
            let said = claim(dir.path(), 1).unwrap_err().to_string();
            assert!(said.contains("owner: damaged"), "{text:?}: {said}");
        }
    }
}
