//! `zoobreak bench nemesis`: how quickly the lab stands and faults are in force.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf, absolute};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use checker::Exit;
use clap::Args;
use nemesis::fault::{Cut, Shape, grudge};
use nemesis::scenario::Sign;
use nemesis::{Fault, FaultId, Lab, Launch, Nemesis, NodeId, Outcome, contain};

use crate::cli::Failure;
use crate::cli::output::to_stdout;

/// How quickly the lab stands and faults are in force, and what the disk in memory costs
#[derive(Debug, Args)]
pub(super) struct NemesisBench {
    /// How often each is measured
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u64).range(1..=1000))]
    rounds: u64,
    /// A directory on the disk to compare with
    #[arg(long, value_name = "DIR", default_value = "results")]
    dir: PathBuf,
}

const N_NODES: usize = 5;
/// Between two looks at a file, as while a scenario waits for one.
const LOOK_EVERY: Duration = Duration::from_millis(1);
const F1: FaultId = FaultId(1);
const N_APPENDS: u32 = 200;

impl NemesisBench {
    pub(super) fn run(&self) -> Result<Exit, Failure> {
        let dir = absolute(&self.dir).with_context(|| self.dir.display().to_string())?;
        let home = dir.join(format!("bench-{}", std::process::id()));
        contain::enter().context("containment")?;
        fs::create_dir_all(&home).with_context(|| home.display().to_string())?;
        let measured = self.measure(&home);
        fs::remove_dir_all(&home).with_context(|| home.display().to_string())?;
        let lines = measured?;
        to_stdout(|out| lines.iter().try_for_each(|line| writeln!(out, "{line}")))?;
        Ok(Exit::Valid)
    }

    fn measure(&self, home: &Path) -> Result<Vec<String>> {
        let (mut ups, mut downs) = (Vec::new(), Vec::new());
        for _ in 0..self.rounds {
            let start = Instant::now();
            let lab = Lab::new(N_NODES)?;
            ups.push(start.elapsed());
            let start = Instant::now();
            drop(lab);
            downs.push(start.elapsed());
        }
        let mut lines = vec![line("a lab of 5 nodes stands", ups), line("and is gone", downs)];

        let lab = Arc::new(Lab::new(N_NODES)?);
        for mut nemesis in [Nemesis::new(lab.clone()), Nemesis::without_iptables(lab.clone())] {
            let by = nemesis.partition_backend();
            let cut = self.rounds(|| partition(&mut nemesis))?;
            lines.push(line(&format!("halves are apart, by {by}"), cut));
        }
        let mut nemesis = Nemesis::new(lab);
        let killed = self.rounds(|| kill_on_sign(&mut nemesis, home))?;
        lines.push(line("a file changes, and its server is killed", killed));
        lines.push(line("append of 4 KiB and fdatasync, on this disk", appends(home)?));
        lines.push(in_memory(&mut nemesis, home)?);
        nemesis.stop()?;
        Ok(lines)
    }

    fn rounds(&self, mut one: impl FnMut() -> Result<Duration>) -> Result<Vec<Duration>> {
        (0..self.rounds).map(|_| one()).collect()
    }
}

/// `halves are apart, by switch: 0.21 ms (median of 20, worst 0.9)`.
fn line(what: &str, mut times: Vec<Duration>) -> String {
    times.sort_unstable();
    let ms = |time: Duration| time.as_secs_f64() * 1e3;
    let (n, median) = (times.len(), ms(times[times.len() / 2]));
    format!("{what}: {median:.3} ms (median of {n}, worst {:.3})", ms(times[n - 1]))
}

fn partition(nemesis: &mut Nemesis) -> Result<Duration> {
    let grudge = grudge::halves(&NodeId::first(N_NODES as u8));
    let fault = Fault::Partition { shape: Shape::Halves, grudge, cut: Cut::Everything };
    let start = Instant::now();
    installed(nemesis, &fault)?;
    let took = start.elapsed();
    nemesis.heal(F1)?;
    Ok(took)
}

/// From the change of the file to the death of the process, as in a scenario.
fn kill_on_sign(nemesis: &mut Nemesis, home: &Path) -> Result<Duration> {
    let node = NodeId(1);
    nemesis.start(node, sleeper(home))?;
    let mut signs = nemesis.watch(&[node], Sign::Changes(vec!["state".to_owned()]));
    let (state, kill) = (home.join("state"), Fault::Kill { nodes: vec![node] });
    let written = std::thread::spawn(move || -> std::io::Result<Instant> {
        // Long enough for the look-out to have begun.
        std::thread::sleep(LOOK_EVERY * 5);
        let start = Instant::now();
        File::options().create(true).append(true).open(&state)?.write_all(b"x")?;
        Ok(start)
    });
    while signs.seen().is_none() {
        std::thread::sleep(LOOK_EVERY);
    }
    installed(nemesis, &kill)?;
    let dead = Instant::now();
    let Ok(written) = written.join() else { bail!("the thread that writes panicked") };
    nemesis.heal(F1)?;
    Ok(dead.saturating_duration_since(written?))
}

fn installed(nemesis: &mut Nemesis, fault: &Fault) -> Result<()> {
    match nemesis.inject(F1, fault).outcome {
        Outcome::Installed => Ok(()),
        other => bail!("a fault was not in force: {other:?}"),
    }
}

fn in_memory(nemesis: &mut Nemesis, home: &Path) -> Result<String> {
    let what = "append of 4 KiB and fdatasync, on a disk in memory";
    if let Err(why) = nemesis::disks_available() {
        return Ok(format!("{what}: skipped: {why}"));
    }
    let place = home.join("disk");
    fs::create_dir_all(&place).with_context(|| place.display().to_string())?;
    nemesis.mount_disk(NodeId(2), &place)?;
    Ok(line(what, appends(&place)?))
}

fn appends(place: &Path) -> Result<Vec<Duration>> {
    let path = place.join("appends");
    let append = |file: &mut File| {
        let start = Instant::now();
        file.write_all(&[7; 4096])?;
        file.sync_data()?;
        Ok(start.elapsed())
    };
    let times = File::create(&path)
        .and_then(|mut file| (0..N_APPENDS).map(|_| append(&mut file)).collect());
    times.with_context(|| path.display().to_string())
}

fn sleeper(home: &Path) -> Launch {
    Launch {
        program: "sleep".into(),
        args: vec!["3600".into()],
        env: [].into(),
        cwd: "/".into(),
        stdout: "/dev/null".into(),
        stderr: "/dev/null".into(),
        disks: vec![home.to_owned()],
    }
}
