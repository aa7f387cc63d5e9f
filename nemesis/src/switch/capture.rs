//! Packets as they reach the switch, in a file that tcpdump and Wireshark read.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use super::port::IP_OFFSET;

/// What stands before the Ethernet header.
const VNET_HEADER: usize = IP_OFFSET - 14;

/// Of the format `pcap` (draft-ietf-opsawg-pcap), with nanoseconds.
#[derive(Debug)]
pub(super) struct Capture {
    /// Absent after a write has failed.
    file: Option<BufWriter<File>>,
}

const MAGIC_NANOSECONDS: u32 = 0xa1b2_3c4d;
const VERSION: u32 = 4 << 16 | 2;
/// Longer than any packet.
const SNAP_LEN: u32 = 1 << 18;
const ETHERNET: u32 = 1;

impl Capture {
    pub(super) fn create(path: &Path) -> io::Result<Capture> {
        let mut file = BufWriter::new(File::create(path)?);
        for word in [MAGIC_NANOSECONDS, VERSION, 0, 0, SNAP_LEN, ETHERNET] {
            file.write_all(&word.to_ne_bytes())?;
        }
        file.flush()?;
        Ok(Capture { file: Some(file) })
    }

    /// Adds a frame. If that fails it says so and writes no more: packets must move.
    pub(super) fn note(&mut self, frame: &[u8], now: SystemTime) {
        let Some(file) = &mut self.file else { return };
        if let Err(error) = write(file, &frame[VNET_HEADER..], now) {
            eprintln!("the packet capture ends early: {error}");
            self.file = None;
        }
    }
}

fn write(file: &mut impl Write, frame: &[u8], now: SystemTime) -> io::Result<()> {
    let since = now.duration_since(UNIX_EPOCH).unwrap_or_default();
    let len = frame.len() as u32;
    for word in [since.as_secs() as u32, since.subsec_nanos(), len, len] {
        file.write_all(&word.to_ne_bytes())?;
    }
    file.write_all(frame)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_capture_is_a_header_and_records() {
        let home = tempfile::tempdir().expect("a scratch directory");
        let path = home.path().join("x.pcap");
        let mut capture = Capture::create(&path).expect("a scratch directory");
        let frame = [vec![0; VNET_HEADER], b"frame".to_vec()].concat();
        capture.note(&frame, UNIX_EPOCH + Duration::new(7, 9));
        drop(capture);
        let bytes = std::fs::read(&path).expect("it was written");
        let words: Vec<u32> = bytes[..40]
            .chunks(4)
            .map(|word| u32::from_ne_bytes(word.try_into().expect("4 bytes")))
            .collect();
        assert_eq!(words, [MAGIC_NANOSECONDS, VERSION, 0, 0, SNAP_LEN, 1, 7, 9, 5, 5]);
        assert_eq!(&bytes[40..], b"frame");
    }
}
