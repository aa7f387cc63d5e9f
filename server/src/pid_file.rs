//! One server to a `dataDir`.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, fcntl};
use nix::libc;

use crate::ServerError;

/// How long a server that was killed a moment ago may take to be gone.
const PATIENCE: Duration = Duration::from_secs(1);

/// `dataDir/zookeeper_server.pid`, locked for as long as this process lives. The lock is what
/// counts: it names its holder, and cannot be stale. The number inside is for people.
#[derive(Debug)]
pub(crate) struct PidFile {
    _locked: File,
}

impl PidFile {
    /// # Errors
    /// When another server has the directory, or the file cannot be used.
    pub(crate) fn take(data_dir: &Path) -> Result<PidFile, ServerError> {
        let path = path(data_dir);
        let unusable = |error| ServerError::PidFile { path: path.clone(), error };
        fs::create_dir_all(data_dir).map_err(unusable)?;
        let mut file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .read(true)
            .open(&path)
            .map_err(unusable)?;
        let deadline = Instant::now() + PATIENCE;
        while !lock(&file).map_err(unusable)? {
            if Instant::now() > deadline {
                let pid = holder(&file).map_err(unusable)?.unwrap_or_default();
                return Err(ServerError::Running { data_dir: data_dir.to_owned(), pid });
            }
            sleep(Duration::from_millis(20));
        }
        file.set_len(0).map_err(unusable)?;
        writeln!(file, "{}", std::process::id()).map_err(unusable)?;
        Ok(PidFile { _locked: file })
    }
}

/// The process that serves from this `dataDir`, if one does. It is 0 if that process cannot be
/// seen from here: it is in another container.
///
/// # Errors
/// When the pid file is there and cannot be looked at.
pub fn running(data_dir: &Path) -> io::Result<Option<u32>> {
    match File::open(path(data_dir)) {
        Ok(file) => holder(&file),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

fn path(data_dir: &Path) -> PathBuf {
    data_dir.join("zookeeper_server.pid")
}

fn lock(file: &File) -> io::Result<bool> {
    match fcntl(file, FcntlArg::F_SETLK(&whole_file())) {
        Ok(_) => Ok(true),
        Err(Errno::EAGAIN | Errno::EACCES) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

fn holder(file: &File) -> io::Result<Option<u32>> {
    let mut found = whole_file();
    fcntl(file, FcntlArg::F_GETLK(&mut found))?;
    let locked = found.l_type != libc::F_UNLCK as libc::c_short;
    Ok(locked.then(|| u32::try_from(found.l_pid).unwrap_or(0)))
}

/// A lock of a process, which ends with it; no other process can hold one meanwhile.
fn whole_file() -> libc::flock {
    libc::flock {
        l_type: libc::F_WRLCK as libc::c_short,
        l_whence: libc::SEEK_SET as libc::c_short,
        l_start: 0,
        l_len: 0,
        l_pid: 0,
    }
}
