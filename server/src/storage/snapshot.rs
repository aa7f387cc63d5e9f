//! Snapshot files: a header, the state, and a checksum of both.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use postcard::ser_flavors::Flavor;
use serde::Serialize;
use serde::de::DeserializeOwned;
use zab::Zxid;

use super::StorageError;
use super::file::{beside, sync_parent};
use crate::joiner::Joiner;

/// What every snapshot begins with, whatever its version.
const NAME: &[u8; 7] = b"ZBSNAP\0";
/// The last byte is the version of what follows.
const HEADER: &[u8; 8] = b"ZBSNAP\0\x04";
/// Bytes of the checksum.
const CHECKSUM: u64 = 4;
/// Written and read at once.
const PIECE: usize = 256 << 10;
/// Bytes after which the disk is waited for: the log, which shares it, must not wait for a large
/// snapshot as a whole.
const SYNC_EVERY: usize = 4 << 20;

/// Writes the state after `zxid`, piece by piece, and makes it durable. The file is there or not there,
/// never half.
pub(super) fn write<S: Serialize>(
    directory: &Path,
    zxid: Zxid,
    state: &S,
) -> Result<(), StorageError> {
    let path = path(directory, zxid);
    let beside = beside(&path);
    write_to(&beside, state).map_err(|error| StorageError::io(&beside, error))?;
    fs::rename(&beside, &path).map_err(|error| StorageError::io(&path, error))?;
    sync_parent(&path)
}

/// Reads the state, piece by piece; `None` if the file is damaged.
///
/// # Errors
/// When the file cannot be read, or is intact but of another version.
pub(super) fn read<S: DeserializeOwned>(path: &Path) -> Result<Option<S>, StorageError> {
    let mut content = Content::open(path).map_err(|error| StorageError::io(path, error))?;
    let (is_snapshot, state) = content.take_apart();
    // What was made of the bytes so far is thrown away if any of them is wrong.
    let is_intact = content.finish().map_err(|error| StorageError::io(path, error))?;
    match state {
        // Some files of nothing but zeros or ones have a right checksum.
        _ if !is_intact || !is_snapshot => Ok(None),
        Some(state) => Ok(Some(state)),
        None => Err(StorageError::Version { path: path.to_owned() }),
    }
}

pub(super) fn path(directory: &Path, zxid: Zxid) -> PathBuf {
    directory.join(format!("snapshot.{:016x}", zxid.0))
}

/// What is in a file before the checksum at its end.
struct Content {
    file: File,
    left: u64,
    crc: crc32fast::Hasher,
    /// The first refusal: nothing is read after it.
    failed: Option<io::Error>,
}

impl Content {
    fn open(path: &Path) -> io::Result<Content> {
        let file = File::open(path)?;
        let left = file.metadata()?.len().saturating_sub(CHECKSUM);
        Ok(Content { file, left, crc: crc32fast::Hasher::new(), failed: None })
    }

    /// Does it begin as a snapshot does, and if it is of this version: which state follows?
    fn take_apart<S: DeserializeOwned>(&mut self) -> (bool, Option<S>) {
        let mut joiner = Joiner::new(|piece| self.next(piece));
        match joiner.bytes(HEADER.len()) {
            Ok(header) if header == HEADER => {
                let state = joiner.value().ok().filter(|(_, is_all)| *is_all);
                (true, state.map(|(state, _)| state))
            }
            Ok(header) => (header.starts_with(NAME), None),
            Err(_) => (false, None),
        }
    }

    /// The next piece; no at the end, or when it cannot be read.
    fn next(&mut self, piece: &mut Vec<u8>) -> bool {
        piece.resize(usize::try_from(self.left).map_or(PIECE, |left| left.min(PIECE)), 0);
        if piece.is_empty() || self.failed.is_some() {
            return false;
        }
        self.failed = self.file.read_exact(piece).err();
        self.crc.update(piece);
        self.left -= piece.len() as u64;
        self.failed.is_none()
    }

    /// Reads the rest. Is the checksum right?
    fn finish(mut self) -> io::Result<bool> {
        let mut piece = Vec::new();
        while self.next(&mut piece) {}
        if let Some(error) = self.failed {
            return Err(error);
        }
        let mut crc = [0; CHECKSUM as usize];
        match self.file.read_exact(&mut crc) {
            Ok(()) => Ok(self.crc.finalize() == u32::from_le_bytes(crc)),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
            Err(error) => Err(error),
        }
    }
}

fn write_to<S: Serialize>(path: &Path, state: &S) -> io::Result<()> {
    let mut sink = Sink {
        file: File::create(path)?,
        piece: Vec::with_capacity(PIECE + 1024),
        crc: crc32fast::Hasher::new(),
        unsynced: 0,
        failed: None,
    };
    sink.piece.extend_from_slice(HEADER);
    postcard::serialize_with_flavor(state, sink).map_err(io::Error::other)?
}

/// A file written in large pieces, with its checksum.
struct Sink {
    file: File,
    piece: Vec<u8>,
    crc: crc32fast::Hasher,
    unsynced: usize,
    /// The first refusal: nothing is written after it.
    failed: Option<io::Error>,
}

impl Flavor for Sink {
    type Output = io::Result<()>;

    fn try_push(&mut self, byte: u8) -> postcard::Result<()> {
        self.piece.push(byte);
        self.flush_if_full();
        Ok(())
    }

    fn try_extend(&mut self, bytes: &[u8]) -> postcard::Result<()> {
        self.piece.extend_from_slice(bytes);
        self.flush_if_full();
        Ok(())
    }

    fn finalize(self) -> postcard::Result<io::Result<()>> {
        Ok(self.finish())
    }
}

impl Sink {
    fn flush_if_full(&mut self) {
        if self.piece.len() >= PIECE {
            if self.failed.is_none() {
                self.failed = self.flush().err();
            }
            self.piece.clear();
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.crc.update(&self.piece);
        self.file.write_all(&self.piece)?;
        self.unsynced += self.piece.len();
        if self.unsynced >= SYNC_EVERY {
            self.unsynced = 0;
            self.file.sync_data()?;
        }
        Ok(())
    }

    fn finish(mut self) -> io::Result<()> {
        if let Some(error) = self.failed {
            return Err(error);
        }
        self.flush()?;
        self.file.write_all(&self.crc.finalize().to_le_bytes())?;
        self.file.sync_all()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(state: &Vec<u64>) -> (tempfile::TempDir, PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        write(dir.path(), Zxid::new(1, 2), state).unwrap();
        let path = path(dir.path(), Zxid::new(1, 2));
        (dir, path)
    }

    #[test]
    fn what_is_written_in_pieces_is_read() {
        for length in [0, 1, 10 * PIECE as u64] {
            let state: Vec<u64> = (0..length).collect();
            let (dir, path) = written(&state);
            assert_eq!(read::<Vec<u64>>(&path).unwrap(), Some(state));
            assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1, "nothing is left beside");
        }
    }

    #[test]
    fn a_state_larger_than_a_piece_is_thrown_away_where_a_late_byte_is_wrong() {
        let (_dir, path) = written(&(0..4 * PIECE as u64).collect());
        let mut bytes = fs::read(&path).unwrap();
        *bytes.iter_mut().nth_back(9).unwrap() ^= 1;
        fs::write(&path, bytes).unwrap();
        assert_eq!(read::<Vec<u64>>(&path).unwrap(), None);
    }

    #[test]
    fn bytes_behind_a_state_are_another_versions() {
        let (_dir, path) = written(&vec![7; 5]);
        let whole = fs::read(&path).unwrap();
        let mut longer = [&whole[..whole.len() - 4], &[7]].concat();
        let crc = crc32fast::hash(&longer).to_le_bytes();
        longer.extend(crc);
        fs::write(&path, longer).unwrap();
        assert!(matches!(read::<Vec<u64>>(&path), Err(StorageError::Version { .. })));
    }

    #[test]
    fn every_flipped_bit_and_every_cut_is_damage() {
        let (_dir, path) = written(&vec![7; 5]);
        let whole = fs::read(&path).unwrap();
        for at in 0..whole.len() {
            let mut bytes = whole.clone();
            bytes[at] ^= 4;
            fs::write(&path, bytes).unwrap();
            assert_eq!(read::<Vec<u64>>(&path).unwrap(), None, "bit in byte {at}");
            fs::write(&path, &whole[..at]).unwrap();
            assert_eq!(read::<Vec<u64>>(&path).unwrap(), None, "cut at {at}");
            for byte in [0, 0xff] {
                fs::write(&path, vec![byte; at]).unwrap();
                assert_eq!(read::<Vec<u64>>(&path).unwrap(), None, "{at} times {byte}");
            }
        }
    }

    #[test]
    fn an_intact_snapshot_of_another_version_is_refused_and_not_passed_over() {
        let (_dir, path) = written(&vec![7; 5]);
        let whole = fs::read(&path).unwrap();
        let mut other = whole[..whole.len() - 4].to_vec();
        other[7] += 1;
        let crc = crc32fast::hash(&other).to_le_bytes();
        other.extend(crc);
        fs::write(&path, other).unwrap();
        let error = read::<Vec<u64>>(&path).unwrap_err().to_string();
        assert!(error.contains("another version"), "{error}");
    }
}
