//! A long history of zoobreak's own as a file, and what reading and judging it costs.

use std::fs::File;
use std::hint::black_box;
use std::io::{self, BufWriter, Read, Write};
use std::path::Path;
use std::time::Instant;

use anyhow::Context;
use checker::{Limits, Outcome};
use history::foreign::Options;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::measure::{processor_seconds, reset_peak, resident};

/// What the history looks like: registers with versions, as `zoobreak test` records them.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Stored {
    pub(super) clients: usize,
    pub(super) operations: usize,
    pub(super) keys: usize,
    /// Per thousand writes, those whose outcome nobody learns.
    pub(super) unknown: u32,
    pub(super) seed: u64,
}

/// Seconds on the wall, but for `cpu`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct StoredCost {
    /// Bytes of the file.
    pub(super) bytes: u64,
    /// Reading it and looking at nothing.
    pub(super) bare: f64,
    /// Taking its events apart, judging nothing.
    pub(super) events: f64,
    /// Reading and judging it.
    pub(super) check: f64,
    /// Of all threads, for that.
    pub(super) cpu: f64,
    /// The most memory at once, for that.
    pub(super) peak: u64,
    pub(super) verdict: Outcome,
}

/// Writes the history under `directory`, measures, and deletes it.
pub(super) fn measure(stored: Stored, directory: &Path) -> anyhow::Result<StoredCost> {
    let file = tempfile::Builder::new().suffix(".jsonl").tempfile_in(directory);
    let file = file.with_context(|| directory.display().to_string())?;
    let path = file.path();
    let written = BufWriter::new(file.reopen()?);
    write(stored, written).with_context(|| path.display().to_string())?;
    let (bytes, bare) = timed(|| bare(path))?;
    let (_, events) = timed(|| events(path))?;
    reset_peak()?;
    let before = processor_seconds()?;
    let (verdict, check) =
        timed(|| Ok(checker::check_own(path, Limits::default(), &mut |_, _| ())?))?;
    let (cpu, peak, verdict) =
        (processor_seconds()? - before, resident("VmHWM:")?, verdict.outcome);
    Ok(StoredCost { bytes, bare, events, check, cpu, peak, verdict })
}

fn timed<T>(work: impl FnOnce() -> anyhow::Result<T>) -> anyhow::Result<(T, f64)> {
    let start = Instant::now();
    let done = work()?;
    Ok((done, start.elapsed().as_secs_f64()))
}

fn bare(path: &Path) -> anyhow::Result<u64> {
    let (mut file, mut buffer, mut bytes) = (File::open(path)?, vec![0; 1 << 18], 0);
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(bytes),
            n => bytes += black_box(&buffer[..n]).len() as u64,
        }
    }
}

fn events(path: &Path) -> anyhow::Result<u64> {
    let mut events = 0;
    history::stream::stream(path, Options::default(), &mut |batch| {
        events += black_box(batch).steps.len() as u64;
        std::ops::ControlFlow::Continue(())
    })?;
    Ok(events)
}

struct Znode {
    value: Option<i64>,
    version: i32,
    zxid: u64,
}

/// A call under way.
#[derive(Clone, Copy)]
struct Flight {
    key: usize,
    ask: Ask,
    lost: bool,
    /// The znode's value, version and zxid when it took effect; the value only if it was read.
    told: Option<(Option<i64>, i32, u64, bool)>,
}

#[derive(Clone, Copy)]
enum Ask {
    Read,
    Write(i64),
    Cas(i32, i64),
}

struct Writer<W> {
    out: W,
    rng: ChaCha8Rng,
    index: u64,
    zxid: u64,
    value: i64,
    znodes: Vec<Znode>,
    open: Vec<Option<Flight>>,
}

fn write(stored: Stored, out: impl Write) -> io::Result<()> {
    let Stored { clients, operations, keys, unknown, seed } = stored;
    let znode = || Znode { value: None, version: 0, zxid: 1 };
    let mut writer = Writer {
        out,
        rng: ChaCha8Rng::seed_from_u64(seed),
        index: 0,
        zxid: 1,
        value: 0,
        znodes: std::iter::repeat_with(znode).take(keys).collect(),
        open: std::iter::repeat_with(|| None).take(clients).collect(),
    };
    let mut invoked = 0;
    while invoked < operations || writer.open.iter().any(Option::is_some) {
        let client = writer.rng.random_range(0..clients);
        match writer.open[client].take() {
            None if invoked == operations || writer.rng.random_bool(0.5) => {}
            None => {
                writer.invoke(client, unknown)?;
                invoked += 1;
            }
            Some(flight) if flight.told.is_none() => writer.take_effect(client, flight),
            Some(flight) => writer.answer(client, &flight)?,
        }
    }
    writer.out.flush()
}

impl<W: Write> Writer<W> {
    fn invoke(&mut self, client: usize, unknown: u32) -> io::Result<()> {
        let key = self.rng.random_range(0..self.znodes.len());
        self.value += 1;
        let ask = match self.rng.random_range(0..4) {
            0 | 1 => Ask::Read,
            2 => Ask::Write(self.value),
            _ => Ask::Cas(self.znodes[key].version, self.value),
        };
        let lost = !matches!(ask, Ask::Read) && self.rng.random_ratio(unknown, 1000);
        self.event(client, key, "invoke", ask, None)?;
        self.open[client] = Some(Flight { key, ask, lost, told: None });
        Ok(())
    }

    fn take_effect(&mut self, client: usize, flight: Flight) {
        let znode = &mut self.znodes[flight.key];
        let done = match flight.ask {
            Ask::Read => true,
            Ask::Cas(expected, _) if expected != znode.version => false,
            Ask::Write(value) | Ask::Cas(_, value) => {
                self.zxid += 1;
                *znode = Znode { value: Some(value), version: znode.version + 1, zxid: self.zxid };
                true
            }
        };
        let told = Some((znode.value, znode.version, znode.zxid, done));
        self.open[client] = Some(Flight { told, ..flight });
    }

    fn answer(&mut self, client: usize, flight: &Flight) -> io::Result<()> {
        let kind = match flight.told {
            _ if flight.lost => "info",
            Some((.., true)) => "ok",
            _ => "fail",
        };
        self.event(client, flight.key, kind, flight.ask, flight.told.filter(|_| !flight.lost))
    }

    fn event(
        &mut self,
        client: usize,
        key: usize,
        kind: &str,
        ask: Ask,
        told: Option<(Option<i64>, i32, u64, bool)>,
    ) -> io::Result<()> {
        let (index, time) = (self.index, self.index * 41_731);
        self.index += 1;
        let (f, value) = match (ask, told) {
            (Ask::Read, Some((Some(value), ..))) => ("read", value.to_string()),
            (Ask::Read, _) => ("read", "null".to_owned()),
            (Ask::Write(value), _) => ("write", value.to_string()),
            (Ask::Cas(expected, value), _) => ("cas", format!("[{expected},{value}]")),
        };
        write!(
            self.out,
            r#"{{"index":{index},"time":{time},"process":{client},"type":"{kind}","f":"{f}","key":"/r{key}","value":{value}"#
        )?;
        if kind == "fail" {
            write!(self.out, r#","error":"BadVersion""#)?;
        }
        write!(self.out, r#","node":"n{}","session":"0x300022a898f{client:04x}""#, client % 5 + 1)?;
        if let Some((_, version, zxid, done)) = told {
            write!(self.out, r#","zxid":"{:#x}""#, (3_u64 << 32) + self.zxid)?;
            if done {
                let mzxid = (3_u64 << 32) + zxid;
                write!(
                    self.out,
                    r#","stat":{{"czxid":"0x10000000a","mzxid":"{mzxid:#x}","version":{version}}}"#
                )?;
            }
        }
        writeln!(self.out, "}}")
    }
}
