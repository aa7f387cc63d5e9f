//! Where a benchmark takes place: contained, on loopback, in a directory that goes when it ends.

use std::fs::{self, File};
use std::io::Write;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf, absolute};
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use anyhow::{Context, Result, bail};
use nemesis::contain;
use nemesis::netlink::{Netlink, interface_index};
use nix::sys::statfs::{TMPFS_MAGIC, statfs};

/// The directory of all servers' data, and what removes it.
pub(super) struct Site {
    dir: PathBuf,
    _sweeper: Child,
}

impl Site {
    /// Contains the program, as [`contain::enter`] does: call it on the only thread. The processes
    /// end with it however it dies. So does the directory: a process outside waits for that.
    pub(super) fn enter(parent: &Path) -> Result<Site> {
        let parent = absolute(parent).with_context(|| parent.display().to_string())?;
        if parent.starts_with("/run") {
            bail!("{}: /run is private to the harness; choose another --dir", parent.display());
        }
        let dir = parent.join(format!("bench-{}", std::process::id()));
        fs::create_dir_all(&dir).with_context(|| dir.display().to_string())?;
        let sweeper = sweeper(&dir)?;
        contain::enter()?;
        let netlink = Netlink::open()?;
        netlink.set_up(interface_index("lo")?)?;
        Ok(Site { dir, _sweeper: sweeper })
    }

    /// A new directory in it.
    pub(super) fn directory(&self, name: &str) -> Result<PathBuf> {
        let path = self.dir.join(name);
        fs::create_dir_all(&path).with_context(|| path.display().to_string())?;
        Ok(path)
    }

    /// Milliseconds that writing 4 KiB and `fdatasync` take, the median of a hundred.
    ///
    /// # Errors
    /// Where nothing is durable, or the disk fails.
    pub(super) fn sync_ms(&self) -> Result<f64> {
        let context = || self.dir.display().to_string();
        if statfs(&self.dir).with_context(context)?.filesystem_type() == TMPFS_MAGIC {
            bail!("{} is in memory, where nothing waits for a disk: give --dir", context());
        }
        let path = self.dir.join("sync");
        let mut file = File::create(&path).with_context(context)?;
        let mut times = Vec::new();
        for _ in 0..100 {
            let start = Instant::now();
            file.write_all(&[0; 4096]).and_then(|()| file.sync_data()).with_context(context)?;
            times.push(start.elapsed().as_secs_f64() * 1e3);
        }
        times.sort_by(f64::total_cmp);
        fs::remove_file(path).with_context(context)?;
        Ok(times[times.len() / 2])
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        // What cannot be removed now, because a server still writes there, the sweeper removes.
        let _ = fs::remove_dir_all(&self.dir);
    }
}

/// Removes the directory when nobody holds the other end of its standard input, which are this
/// process and the contained one. Servers of a killed harness may write for another moment.
const SWEEP: &str = "read -r _
n=0
until rm -rf -- \"$1\" || [ $n -ge 50 ]; do n=$((n + 1)); sleep 0.1; done";

fn sweeper(dir: &Path) -> Result<Child> {
    Command::new("sh")
        .args(["-c", SWEEP, "sweeper"])
        .arg(dir)
        .process_group(0)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .context("sh")
}
