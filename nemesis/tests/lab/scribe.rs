//! A program that writes to its disk, and says what it was told is durable.

use std::fs::{self, File};
use std::io::Write;
use std::net::UdpSocket;
use std::path::Path;
use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Instant;

use crate::support::PORT;

/// Numbers between two fsyncs.
pub(crate) const BATCH: u64 = 8;
/// Bytes of one.
pub(crate) const NUMBER: usize = size_of::<u64>();
pub(crate) const SECTOR: usize = 512;
/// What a file has that was made by name.
pub(crate) const N_SECTORS: usize = 64;

/// Appends the numbers from 0 on to `log`, and syncs them in batches. It ends with 3 if it finds others there. Who sends
/// it a file's name by UDP has the file made, and filled without a sync.
pub(crate) fn scribe(place: &str) -> ExitCode {
    let path = Path::new(place).join("log");
    fs::create_dir_all(place).expect("a disk that is well");
    let bytes = fs::read(&path).unwrap_or_default();
    let numbers = bytes
        .chunks_exact(NUMBER)
        .map(|word| u64::from_le_bytes(word.try_into().expect("8 bytes")));
    if !numbers.eq(0..(bytes.len() / NUMBER) as u64) {
        return ExitCode::from(3);
    }
    let found = (bytes.len() / NUMBER) as u64;
    let (written, synced, errors) = (AtomicU64::new(found), AtomicU64::new(0), AtomicU64::new(0));
    let write = || -> std::io::Result<()> {
        let mut log = File::options().create(true).append(true).open(&path)?;
        log.set_len(found * NUMBER as u64)?;
        log.sync_all()?;
        File::open(place)?.sync_all()?;
        File::open(Path::new(place).join(".."))?.sync_all()?;
        File::create(Path::new(place).join("unsynced"))?.sync_all()?;
        loop {
            for _ in 0..BATCH {
                log.write_all(&written.load(Ordering::Relaxed).to_le_bytes())?;
                written.fetch_add(1, Ordering::Relaxed);
            }
            log.sync_data()?;
            synced.store(written.load(Ordering::Relaxed), Ordering::Relaxed);
        }
    };
    let udp = UdpSocket::bind(("0.0.0.0", PORT)).expect("the port is free");
    thread::scope(|scope| {
        scope.spawn(|| {
            let failed = write().expect_err("it writes for ever");
            eprintln!("{failed}");
            errors.fetch_add(1, Ordering::Relaxed);
        });
        let mut buffer = [0; 16];
        while let Ok((len, from)) = udp.recv_from(&mut buffer) {
            let read = |number: &AtomicU64| number.load(Ordering::Relaxed);
            let answer = match std::str::from_utf8(&buffer[..len]).expect("tests send text") {
                "?" => format!("{:?}", [found, read(&written), read(&synced), read(&errors)]),
                name => make_file(&Path::new(place).join("..").join(name)),
            };
            // An answer that cannot be sent is a lost packet, which the asker expects.
            let _ = udp.send_to(answer.as_bytes(), from);
        }
    });
    ExitCode::FAILURE
}

/// Makes a file whose name is durable and whose bytes are not, if it is not there. How many milliseconds its making took.
fn make_file(path: &Path) -> String {
    let start = Instant::now();
    let is_new = !path.exists();
    let mut file = File::options().create(true).append(true).open(path).expect("slow, not full");
    let took = start.elapsed().as_millis();
    if is_new {
        file.sync_all().expect("a disk that is well");
        let folder = File::open(path.parent().expect("a folder")).expect("it is there");
        folder.sync_all().expect("a disk that is well");
        file.write_all(&[7; N_SECTORS * SECTOR]).expect("there is room");
    }
    format!("[{took}]")
}
