//! The `state` file: the format of all files, both epochs, the newest configuration known to be
//! committed, and which generation of log and snapshot is in force.

use std::fs;
use std::io;
use std::path::Path;

use super::StorageError;
use super::file::replace;

/// The format of all files of a data directory. They are never without a state file.
const FORMAT: u64 = 4;

/// Contents of the `state` file, as lines of text with a checksum.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct State {
    pub(super) accepted_epoch: u32,
    pub(super) current_epoch: u32,
    /// The newest configuration known to be committed; zero if none is.
    pub(super) settled: u64,
    pub(super) generation: u64,
}

impl State {
    /// Reads it; a new server has none.
    pub(super) fn read(path: &Path) -> Result<Option<State>, StorageError> {
        match fs::read_to_string(path) {
            Ok(text) => State::parse(&text).map(Some).ok_or_else(|| match format(&text) {
                Some(FORMAT) => StorageError::damaged(path, 0, "a wrong checksum"),
                None if !text.contains("crc=") => {
                    StorageError::damaged(path, 0, "not a state file")
                }
                other => {
                    let format = other.map_or("1".to_owned(), |format| format.to_string());
                    StorageError::Format { path: path.to_owned(), format, readable: FORMAT }
                }
            }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(StorageError::io(path, error)),
        }
    }

    pub(super) fn write(self, path: &Path) -> Result<(), StorageError> {
        replace(path, &[self.text().as_bytes()])
    }

    fn text(self) -> String {
        let State { accepted_epoch, current_epoch, settled, generation } = self;
        let body = format!(
            "format={FORMAT}\nacceptedEpoch={accepted_epoch}\ncurrentEpoch={current_epoch}\n\
             settled={settled}\ngeneration={generation}\n"
        );
        let crc = crc32fast::hash(body.as_bytes());
        format!("{body}crc={crc:08x}\n")
    }

    fn parse(text: &str) -> Option<State> {
        let state = State {
            accepted_epoch: u32::try_from(number(text, "acceptedEpoch")?).ok()?,
            current_epoch: u32::try_from(number(text, "currentEpoch")?).ok()?,
            settled: number(text, "settled")?,
            generation: number(text, "generation")?,
        };
        (state.text() == text).then_some(state)
    }
}

fn format(text: &str) -> Option<u64> {
    number(text, "format")
}

fn number(text: &str, key: &str) -> Option<u64> {
    text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('=')?.parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_and_a_flipped_digit_is_noticed() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("state");
        assert_eq!(State::read(&path).unwrap(), None);
        let state = State { accepted_epoch: 7, current_epoch: 6, settled: 5, generation: 2 };
        state.write(&path).unwrap();
        assert_eq!(State::read(&path).unwrap(), Some(state));
        let text = fs::read_to_string(&path).unwrap().replace("Epoch=7", "Epoch=8");
        fs::write(&path, text).unwrap();
        assert!(State::read(&path).unwrap_err().to_string().contains("checksum"));
    }

    #[test]
    fn files_of_another_format_are_refused_in_words() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("state");
        for (text, format) in [("acceptedEpoch=1\ncrc=0\n", "1"), ("format=9\nx=1\n", "9")] {
            fs::write(&path, text).unwrap();
            let said = State::read(&path).unwrap_err().to_string();
            assert!(said.contains(&format!("format {format}, this one reads {FORMAT}")), "{said}");
        }
    }
}
