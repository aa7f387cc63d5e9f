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

/// Bytes of traces that are judged after a run without being asked: they are held in memory meanwhile,
/// several times as large.
const WITHOUT_ASKING: u64 = 256 << 20;
/// Bytes that a compressed one is made of, about.
const COMPRESSED: u64 = 12;

/// What the traces of a run say; `None` if its servers write none.
pub(crate) fn steps(run: &Path) -> Option<Steps> {
    let unjudged = |sentence| Steps { sentence, ..Steps::unknown() };
    match size(run) {
        Ok(None) => None,
        Ok(Some(size)) if size > WITHOUT_ASKING => Some(unjudged(format!(
            "{} MiB of traces are not judged without being asked: zoobreak model trace",
            size >> 20
        ))),
        Ok(Some(_)) => Some(judged(run).unwrap_or_else(|error| unjudged(format!("{error:#}")))),
        Err(error) => Some(unjudged(format!("{error:#}"))),
    }
}

/// Bytes of all traces, about; `None` if there is none.
fn size(run: &Path) -> anyhow::Result<Option<u64>> {
    let mut size = None;
    for (_, home) in homes(run)? {
        for path in found(&home)? {
            let length = fs::metadata(&path).with_context(|| path.display().to_string())?.len();
            let times = if is_compressed(&path) { COMPRESSED } else { 1 };
            size = Some(size.unwrap_or(0) + times * length);
        }
    }
    Ok(size)
}

fn judged(run: &Path) -> anyhow::Result<Steps> {
    let begun = Instant::now();
    let (traces, _) = read(run)?;
    Ok(told(&traces, &trace::judge(&traces, wipes(run)?), begun))
}

/// The worse of what the core and what the protocol says.
pub(crate) fn outcome(judged: &Judgement) -> Outcome {
    match (&judged.replay, &judged.protocol) {
        (None, Verdict::Conforms) => Outcome::Valid,
        (None, Verdict::Unknown(_)) => Outcome::Unknown,
        (Some(_), _) | (None, Verdict::Rejected(_)) => Outcome::Invalid,
    }
}

fn told(traces: &Traces, judged: &Judgement, begun: Instant) -> Steps {
    let protocol = match &judged.protocol {
        Verdict::Conforms => None,
        Verdict::Rejected(rejection) => Some(said(traces, rejection)),
        Verdict::Unknown(rejection) => Some(unmodelled(traces, rejection)),
    };
    let core =
        judged.replay.as_ref().map(|it| format!("the core does otherwise: {}", said(traces, it)));
    let told: Vec<String> = protocol.into_iter().chain(core).collect();
    let sentence = match told.as_slice() {
        [] => "every step is one of ZAB, and every invariant holds after it".to_owned(),
        told => told.join("; "),
    };
    Steps {
        outcome: outcome(judged),
        sentence,
        examined: judged.steps as u64,
        millis: begun.elapsed().as_secs_f64() * 1e3,
        actions: judged.coverage.actions.iter().map(|(&name, &n)| (name.into(), n)).collect(),
        followed_by: followed_by(&judged.coverage),
        never: judged.coverage.missing().into_iter().map(Into::into).collect(),
    }
}

/// The actions that came right after each.
pub(crate) fn followed_by(coverage: &Coverage) -> BTreeMap<String, Vec<String>> {
    let mut followed: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for &(first, next) in &coverage.pairs {
        followed.entry(first.into()).or_default().push(next.into());
    }
    followed
}

/// From where on nothing is judged.
pub(crate) fn unmodelled(traces: &Traces, rejection: &Rejection) -> String {
    format!("not judged from here on, for it is not modelled: {}", said(traces, rejection))
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
    let (mut traces, mut cut) = (Traces::new(), 0);
    for (id, home) in homes(run)? {
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
        bail!("{}: no servers", run.join("nodes").display());
    }
    Ok((traces, cut))
}

/// The servers of a run, and their directories.
fn homes(run: &Path) -> anyhow::Result<Vec<(u64, PathBuf)>> {
    let nodes = run.join("nodes");
    let listed = fs::read_dir(&nodes).with_context(|| nodes.display().to_string())?;
    let mut homes = Vec::new();
    for entry in listed {
        let home = entry.with_context(|| nodes.display().to_string())?.path();
        homes.extend(id_of(&home).map(|id| (id, home)));
    }
    Ok(homes)
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
        all = match is_compressed(path) {
            true => Box::new(all.chain(GzDecoder::new(file))),
            false => Box::new(all.chain(file)),
        };
    }
    Ok(all)
}

fn is_compressed(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "gz")
}

/// The number of the server whose directory this is: `n3`.
fn id_of(home: &Path) -> Option<u64> {
    home.file_name()?.to_str()?.strip_prefix('n')?.parse().ok()
}
