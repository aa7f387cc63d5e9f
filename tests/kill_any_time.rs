//! `kill -9` of the harness at random moments of runs that break everything, disks in memory
//! included: at once nothing of it stays but the run directory. As root and as an ordinary user.
//!
//! `ZOOBREAK_KILLS=50` for more moments, `ZOOBREAK_KILL_SEED=7` for those of one seed; with
//! `--nocapture`, a line for each of them.

mod support;

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, geteuid};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use tempfile::TempDir;

use support::disguise::Disguise;
use support::harness::{Running, history, latest, missing};
use support::leftovers::{
    Family, Surroundings, files_open_for_writing, mounts_of, parent, status_of,
};
use support::{alone, scratch, seconds, skip, until};

/// How many moments without `ZOOBREAK_KILLS`.
const KILLS: u64 = 3;
/// Seconds of load. Moments are drawn from a little longer, so that some are after it.
const TIME: u64 = 8;
const N_SERVERS: usize = 5;
/// How long the kernel may take on a machine that is busy with other things; each line says how long it took.
const LIMIT: Duration = seconds(10);
/// `nobody`: an ordinary user without a home, groups or rights.
const USER: u32 = 65534;

#[test]
fn killed_at_any_moment_nothing_stays() {
    let test = "killed_at_any_moment_nothing_stays";
    let zoobreak = || Ok(Command::new(env!("CARGO_BIN_EXE_zoobreak")));
    killed_at_random(test, missing().or_else(no_disks), |_| zoobreak());
}

#[test]
fn killed_at_any_moment_nothing_stays_as_an_ordinary_user() {
    let test = "killed_at_any_moment_nothing_stays_as_an_ordinary_user";
    let not_root = (!geteuid().is_root()).then(|| "only root can become another user".to_owned());
    killed_at_random(test, missing().or_else(no_disks).or(not_root), as_user);
}

fn no_disks() -> Option<String> {
    nemesis::disks_available().err().map(|error| error.to_string())
}

/// A copy of the program, started by [`USER`] where `/dev/fuse` may be opened by all.
fn as_user(place: &Path) -> Result<Command, String> {
    let copy = place.join("zoobreak");
    fs::copy(env!("CARGO_BIN_EXE_zoobreak"), &copy).map_err(|error| error.to_string())?;
    Ok(Disguise::with_fuse_for_all(place)?.as_user(USER, &copy))
}

fn killed_at_random(
    test: &str,
    missing: Option<String>,
    program: impl Fn(&Path) -> Result<Command, String>,
) {
    let _alone = alone();
    if let Some(why) = missing {
        return skip(test, &why);
    }
    let kills = number("ZOOBREAK_KILLS").unwrap_or(KILLS);
    let seed = number("ZOOBREAK_KILL_SEED").unwrap_or_else(any_seed);
    println!("ZOOBREAK_KILL_SEED={seed} ZOOBREAK_KILLS={kills} {test}");
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    for _ in 0..kills {
        let moment = Moment {
            seed: rng.random_range(1..1000),
            after: Duration::from_millis(rng.random_range(0..1000 * (TIME + 2))),
            inner: rng.random(),
        };
        match Run::start(&moment, &program) {
            Ok(run) => run.killed(&moment),
            Err(why) => return skip(test, &why),
        }
    }
}

fn number(variable: &str) -> Option<u64> {
    let text = std::env::var(variable).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{variable}={text} is not a number")))
}

/// Another one each time.
fn any_seed() -> u64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    now.map_or(0, |time| u64::from(time.subsec_nanos()))
}

struct Moment {
    seed: u64,
    /// How long all disks have been mounted.
    after: Duration,
    /// The contained process is killed, not the one that waits for it.
    inner: bool,
}

struct Run {
    harness: Running,
    /// Working directory, home and place for temporary files of the run, and its results.
    place: TempDir,
    before: Surroundings,
}

impl Run {
    /// `Err`: why it cannot be done here.
    fn start(
        moment: &Moment,
        program: impl Fn(&Path) -> Result<Command, String>,
    ) -> Result<Run, String> {
        let (before, place) = (Surroundings::now(), scratch());
        open_to_all(place.path());
        let own = place.path().join("own");
        for directory in [&own, &place.path().join("results")] {
            fs::create_dir(directory).expect("a scratch directory");
            open_to_all(directory);
        }
        let mut command = program(place.path())?;
        command.args(["test", "--faults", "all", "--time", &TIME.to_string()]);
        command.args(["--seed", &moment.seed.to_string(), "--results"]);
        command.arg(place.path().join("results"));
        command.current_dir(&own).env("TMPDIR", &own).env("HOME", &own);
        Ok(Run { harness: Running::start(&mut command), place, before })
    }

    fn results(&self) -> PathBuf {
        self.place.path().join("results")
    }

    fn killed(self, moment: &Moment) {
        let outer = self.harness.child.id();
        let inner = until("every server has its disk in memory", seconds(60), || {
            let mut members = Family::of(outer, &self.results()).members.into_iter();
            members.find(|pid| parent(*pid) == Some(outer) && n_disks(*pid) == N_SERVERS)
        });
        std::thread::sleep(moment.after);
        let family = Family::of(outer, &self.results());
        let strays = family.members.iter().flat_map(|pid| files_open_for_writing(*pid));
        let known = [self.results(), self.harness.output().to_owned()];
        let is_known = |file: &PathBuf| known.iter().any(|place| file.starts_with(place));
        let strays: BTreeSet<PathBuf> = strays.filter(|file| !is_known(file)).collect();
        let (n_disks, victim) = (n_disks(inner), if moment.inner { inner } else { outer });
        // It may have ended already: then there is nothing to kill, and nothing may be left either.
        let ended = kill(Pid::from_raw(victim as i32), Signal::SIGKILL).is_err();
        let killed = Instant::now();
        while !family.alive().is_empty() && killed.elapsed() < LIMIT {
            std::thread::sleep(Duration::from_millis(1));
        }
        let took = killed.elapsed();
        let phase = phase(&self.results());
        println!(
            "seed {:>3}, {:>5} ms after the disks, {}, in phase {phase}{}: {} processes, {} namespaces, \
             {n_disks} disks gone within {took:.2?}",
            moment.seed,
            moment.after.as_millis(),
            if moment.inner { "inner" } else { "outer" },
            if ended { " (it had ended)" } else { "" },
            family.members.len(),
            family.namespaces.len(),
        );
        let alive: Vec<_> = family.alive().into_iter().map(|pid| (pid, status_of(pid))).collect();
        assert_eq!(alive, [], "alive after {took:?}");
        assert_eq!(Surroundings::now(), self.before);
        assert_eq!(strays, BTreeSet::new(), "files outside the run directory");
        self.assert_files();
    }

    /// Nothing but a run directory, and a link to it, was made.
    fn assert_files(&self) {
        assert_eq!(names(&self.place.path().join("own")), [""; 0]);
        let run = latest(&self.results());
        let groups = names(&self.results());
        let is_ours = |name: &String| {
            name.starts_with("latest") || run.starts_with(self.results().join(name))
        };
        assert!(groups.iter().all(is_ours), "{groups:?}");
    }
}

/// Files systems in memory that a process sees mounted.
fn n_disks(pid: u32) -> usize {
    mounts_of(pid).lines().filter(|mount| mount.contains(" - fuse zoobreak ")).count()
}

fn phase(results: &Path) -> String {
    let events = history(&latest(results));
    let phase = events.iter().rfind(|event| event["f"] == "phase");
    phase.map_or("none".into(), |event| event["value"].to_string())
}

fn names(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).expect("a scratch directory").flatten();
    entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
}

fn open_to_all(directory: &Path) {
    fs::set_permissions(directory, fs::Permissions::from_mode(0o777)).expect("it is ours");
}
