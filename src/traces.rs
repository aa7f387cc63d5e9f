//! The traces of a run's servers, found and read; and what they say of the run, as data.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, BufReader, Read};
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, bail};
use checker::{Outcome, Steps};
use flate2::read::GzDecoder;
use history::RunDir;
use model::trace::{self, Coverage, Judgement, Rejection, Traces, Verdict};

/// Bytes of traces, as they lie on the disk, that are judged after a run without being asked: they are
/// held in memory meanwhile, several times as large.
const WITHOUT_ASKING: u64 = 256 << 20;

/// What the traces of a run say; `None` if its servers write none.
pub(crate) fn steps(run: &Path) -> Option<Steps> {
    let size = size(run)?;
    if size > WITHOUT_ASKING {
        let sentence = format!(
            "{} MiB of traces are not judged without being asked: zoobreak model trace",
            size >> 20
        );
        return Some(Steps { sentence, ..Steps::unknown() });
    }
    let begun = Instant::now();
    let read = read(run).and_then(|(traces, _)| Ok((traces, wipes(run)?)));
    Some(match read {
        Ok((traces, wipes)) => told(&traces, &trace::judge(&traces, wipes), begun),
        Err(error) => Steps { sentence: format!("{error:#}"), ..Steps::unknown() },
    })
}

/// Bytes of all traces; `None` if there is none.
fn size(run: &Path) -> Option<u64> {
    let homes = fs::read_dir(run.join("nodes")).ok()?.flatten().map(|home| home.path());
    let files = homes.flat_map(|home| found(&home).unwrap_or_default());
    let sizes = files.map(|path| fs::metadata(path).map_or(0, |meta| meta.len()));
    sizes.reduce(|a, b| a + b)
}

fn told(traces: &Traces, judged: &Judgement, begun: Instant) -> Steps {
    let core =
        judged.replay.as_ref().map(|it| format!("the core does otherwise: {}", said(traces, it)));
    let (outcome, protocol) = match &judged.protocol {
        Verdict::Conforms => (Outcome::Valid, None),
        Verdict::Rejected(rejection) => (Outcome::Invalid, Some(said(traces, rejection))),
        Verdict::Unknown(rejection) => {
            let said = said(traces, rejection);
            (
                Outcome::Unknown,
                Some(format!("not judged from here on, for it is not modelled: {said}")),
            )
        }
    };
    let outcome = if core.is_some() { Outcome::Invalid } else { outcome };
    let told: Vec<String> = protocol.into_iter().chain(core).collect();
    let sentence = match told.as_slice() {
        [] => "every step is one of ZAB, and every invariant holds after it".to_owned(),
        told => told.join("; "),
    };
    Steps {
        outcome,
        sentence,
        examined: judged.steps as u64,
        millis: begun.elapsed().as_secs_f64() * 1e3,
        actions: judged.coverage.actions.iter().map(|(&name, &n)| (name.into(), n)).collect(),
        followed_by: followed_by(&judged.coverage),
        never: judged.coverage.missing().into_iter().map(Into::into).collect(),
    }
}

fn followed_by(coverage: &Coverage) -> BTreeMap<String, Vec<String>> {
    let mut followed: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for &(first, next) in &coverage.pairs {
        followed.entry(first.into()).or_default().push(next.into());
    }
    followed
}

/// What a server did, when, and where it says so.
pub(crate) fn said(traces: &Traces, rejection: &Rejection) -> String {
    let Rejection { server, line, at, what } = rejection;
    let begun = traces.values().filter_map(|trace| Some(trace.first()?.at())).min();
    let seconds = at.saturating_sub(begun.unwrap_or(0)) as f64 / 1e6;
    format!("{what}, at {seconds:.3} s: line {line} of the trace of n{server}")
}

/// Did the run empty disks? Directories of servers alone, without a run's manifest, were not.
pub(crate) fn wipes(run: &Path) -> anyhow::Result<bool> {
    if !run.join("manifest.json").exists() {
        return Ok(false);
    }
    let manifest = RunDir::open(run).and_then(|dir| dir.manifest())?;
    Ok(manifest.settings.faults.iter().any(|kind| kind.starts_with("wipe")))
}

/// The traces, and how many of their lines a kill cut short.
pub(crate) fn read(run: &Path) -> anyhow::Result<(Traces, usize)> {
    let nodes = run.join("nodes");
    let listed = fs::read_dir(&nodes).with_context(|| nodes.display().to_string())?;
    let (mut traces, mut cut) = (Traces::new(), 0);
    for entry in listed {
        let home = entry.with_context(|| nodes.display().to_string())?.path();
        let Some(id) = id_of(&home) else { continue };
        let files = found(&home)?;
        if files.is_empty() {
            bail!("{}: there is no trace of n{id}; only our own servers write one", home.display());
        }
        let read = trace::read(BufReader::new(chained(&files)?));
        let read = read.with_context(|| format!("{}: trace*.jsonl*", home.display()))?;
        traces.insert(id, read.records);
        cut += read.cut;
    }
    if traces.is_empty() {
        bail!("{}: no servers", nodes.display());
    }
    Ok((traces, cut))
}

/// Beside a server's data, as of a run, or in it.
fn found(home: &Path) -> anyhow::Result<Vec<PathBuf>> {
    for directory in [home.to_owned(), home.join("data")] {
        let files = files(&directory).with_context(|| directory.display().to_string())?;
        if !files.is_empty() {
            return Ok(files);
        }
    }
    Ok(Vec::new())
}

/// The files of a trace in order: those that are closed by number, compressed or not yet, then the one that grew.
fn files(data: &Path) -> io::Result<Vec<PathBuf>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(data)? {
        let path = entry?.path();
        let name = path.file_name().and_then(OsStr::to_str).unwrap_or_default();
        let Some((number, compressed)) = place(name) else { continue };
        // While both are there, the compressed one is a copy.
        if !(compressed && found.contains_key(&number)) {
            found.insert(number, path);
        }
    }
    Ok(found.into_values().collect())
}

/// `trace.3.jsonl.gz` is the third, and compressed.
fn place(name: &str) -> Option<(u64, bool)> {
    let rest = name.strip_prefix("trace.")?;
    let (rest, compressed) = rest.strip_suffix(".gz").map_or((rest, false), |rest| (rest, true));
    match rest.strip_suffix("jsonl")? {
        "" => Some((u64::MAX, compressed)),
        number => Some((number.strip_suffix('.')?.parse().ok()?, compressed)),
    }
}

fn chained(files: &[PathBuf]) -> anyhow::Result<Box<dyn Read>> {
    let mut all: Box<dyn Read> = Box::new(io::empty());
    for path in files {
        let file = File::open(path).with_context(|| path.display().to_string())?;
        let compressed = path.extension().is_some_and(|extension| extension == "gz");
        all = match compressed {
            true => Box::new(all.chain(GzDecoder::new(file))),
            false => Box::new(all.chain(file)),
        };
    }
    Ok(all)
}

/// The number of the server whose directory this is: `n3`.
fn id_of(home: &Path) -> Option<u64> {
    home.file_name()?.to_str()?.strip_prefix('n')?.parse().ok()
}
