//! The `state` file: both epochs, and which generation of log and snapshot is in force.

use std::fs;
use std::io;
use std::path::Path;

use super::StorageError;
use super::file::replace;

/// Contents of the `state` file, as lines of text with a checksum.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct State {
    pub(super) accepted_epoch: u32,
    pub(super) current_epoch: u32,
    pub(super) generation: u64,
}

impl State {
    /// Reads it; a new server has none.
    pub(super) fn read(path: &Path) -> Result<Option<State>, StorageError> {
        match fs::read_to_string(path) {
            Ok(text) => State::parse(&text).map(Some).ok_or_else(|| {
                StorageError::damaged(path, 0, "not a state file, or a wrong checksum")
            }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(StorageError::io(path, error)),
        }
    }

    pub(super) fn write(self, path: &Path) -> Result<(), StorageError> {
        replace(path, &[self.text().as_bytes()])
    }

    fn text(self) -> String {
        let State { accepted_epoch, current_epoch, generation } = self;
        let body = format!(
            "acceptedEpoch={accepted_epoch}\ncurrentEpoch={current_epoch}\ngeneration={generation}\n"
        );
        let crc = crc32fast::hash(body.as_bytes());
        format!("{body}crc={crc:08x}\n")
    }

    fn parse(text: &str) -> Option<State> {
        let number = |key: &str| {
            text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('=')?.parse().ok())
        };
        let state = State {
            accepted_epoch: u32::try_from(number("acceptedEpoch")?).ok()?,
            current_epoch: u32::try_from(number("currentEpoch")?).ok()?,
            generation: number("generation")?,
        };
        (state.text() == text).then_some(state)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_and_a_flipped_digit_is_noticed() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("state");
        assert_eq!(State::read(&path).unwrap(), None);
        let state = State { accepted_epoch: 7, current_epoch: 6, generation: 2 };
        state.write(&path).unwrap();
        assert_eq!(State::read(&path).unwrap(), Some(state));
        let text = fs::read_to_string(&path).unwrap().replace("Epoch=7", "Epoch=8");
        fs::write(&path, text).unwrap();
        assert!(State::read(&path).unwrap_err().to_string().contains("checksum"));
    }
}
