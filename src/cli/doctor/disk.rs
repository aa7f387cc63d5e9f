//! The disk that runs are stored on.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use nix::sys::statvfs::statvfs;

use super::Finding;

/// Appends measured.
const N_APPENDS: usize = 32;

/// Space and speed of the disk under `results`, which need not exist yet.
pub(super) fn findings(results: &Path) -> Vec<Finding> {
    match existing(results) {
        Some(place) => vec![space(&place), speed(&place)],
        None => vec![Finding::missing(
            format!("disk: {} and everything above it is absent", results.display()),
            "runs are stored there: give another --results",
        )],
    }
}

/// `results`, or the nearest directory above it that exists.
fn existing(results: &Path) -> Option<PathBuf> {
    let full = std::path::absolute(results).ok()?;
    full.ancestors().find(|place| place.is_dir()).map(Path::to_owned)
}

fn space(place: &Path) -> Finding {
    match statvfs(place) {
        Ok(stat) => {
            let mib = stat.blocks_available() * stat.fragment_size() / (1 << 20);
            Finding::unless(
                mib >= 1_024,
                format!("disk: {mib} MiB free in {}", place.display()),
                "servers' logs and histories want 1024 MiB: make room, or give another --results",
            )
        }
        Err(errno) => Finding::limited(
            format!("disk: {}: {}", place.display(), errno.desc()),
            "free space is unknown: give another --results",
        ),
    }
}

fn speed(place: &Path) -> Finding {
    match append_times(place) {
        Ok(times) => {
            let median = times[times.len() / 2];
            Finding::unless(
                median <= Duration::from_millis(20),
                format!(
                    "disk: append and fdatasync of 4 KiB in {median:.1?} (median of {N_APPENDS})"
                ),
                "every write waits for it: use a lower --rate, or --results on a faster disk",
            )
        }
        Err(error) => Finding::missing(
            format!("disk: cannot write in {}: {error}", place.display()),
            "runs are stored there: mend the permissions, or give another --results",
        ),
    }
}

/// How long appends to a scratch file took, shortest first.
fn append_times(place: &Path) -> io::Result<Vec<Duration>> {
    let path = place.join(format!(".zoobreak-doctor-{}", std::process::id()));
    let times = File::create_new(&path).and_then(|mut file| {
        (0..N_APPENDS).map(|_| append(&mut file)).collect::<io::Result<Vec<_>>>()
    });
    if path.exists() {
        std::fs::remove_file(&path)?;
    }
    let mut times = times?;
    times.sort_unstable();
    Ok(times)
}

fn append(file: &mut File) -> io::Result<Duration> {
    let start = Instant::now();
    file.write_all(&[0; 4_096])?;
    file.sync_data()?;
    Ok(start.elapsed())
}

#[cfg(test)]
mod tests {
    use super::super::State;
    use super::*;

    #[test]
    fn a_directory_yet_to_be_made_is_judged_by_its_parent_and_left_alone() {
        let scratch = tempfile::tempdir().expect("a scratch directory");
        let findings = findings(&scratch.path().join("results/deep"));
        assert_eq!(findings.len(), 2);
        assert!(findings.iter().all(|finding| finding.state != State::Missing));
        assert_eq!(std::fs::read_dir(scratch.path()).expect("it exists").count(), 0);
    }

    #[test]
    fn a_place_that_takes_no_file_is_missing() {
        assert_eq!(speed(Path::new("/proc")).state, State::Missing);
    }
}
