//! `zoobreak server start|stop|restart|status`, as `zkServer.sh` does it.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, anyhow};
use checker::Exit;
use clap::Args;
use nix::errno::Errno;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use server::Config;

use super::probe::{Serving, client_address, probe};
use super::read;
use crate::cli::Failure;

/// Between two looks.
const POLL: Duration = Duration::from_millis(20);

/// Start it in the background, and wait until it serves
#[derive(Debug, Args)]
#[command(after_help = AFTER_START_HELP)]
pub(super) struct Start {
    /// A ZooKeeper configuration file
    #[arg(value_name = "ZOO_CFG")]
    config: PathBuf,
    /// How long to wait until it serves, seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 30)]
    wait: u64,
}

/// Stop it, and wait until it is gone
#[derive(Debug, Args)]
#[command(after_help = AFTER_STOP_HELP)]
pub(super) struct Stop {
    /// Its configuration file
    #[arg(value_name = "ZOO_CFG")]
    config: PathBuf,
    /// How long to wait until it is gone, seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 30)]
    wait: u64,
}

/// Say whether it runs, and what it does
#[derive(Debug, Args)]
#[command(after_help = AFTER_STATUS_HELP)]
pub(super) struct Status {
    /// Its configuration file
    #[arg(value_name = "ZOO_CFG")]
    config: PathBuf,
}

const AFTER_START_HELP: &str = "\
It belongs to no terminal. Its log is ZOO_LOG_DIR/zoobreak-server.log, or the same in its dataDir;
dataDir/zookeeper_server.pid keeps a second server away from these files.

Exit codes:
   0  it serves
   2  it runs, but does not serve yet: it needs more than half of the servers
   3  it does not start, or runs already
  64  wrong usage: a flag, the configuration";

const AFTER_STOP_HELP: &str = "\
Sends SIGTERM. It is not killed if it does not end in time.

Exit codes:
   0  it does not run (any more)
   3  it is still running
  64  wrong usage: a flag, the configuration";

const AFTER_STATUS_HELP: &str = "\
Exit codes:
   0  it serves
   1  it does not run
   2  it runs, but does not serve
   3  that cannot be found out
  64  wrong usage: a flag, the configuration";

impl Start {
    pub(super) fn run(&self) -> Result<Exit, Failure> {
        let config = read(&self.config)?;
        if let Some(pid) = running(&config)? {
            return Err(Failure::Harness(anyhow!("it runs already, as process {pid}")));
        }
        let log = log_path(&config);
        let (mut child, earlier) = self.spawn(&log)?;
        self.watch(&config, &log, &mut child, earlier)
    }

    pub(super) fn restart(&self) -> Result<Exit, Failure> {
        stop(&read(&self.config)?, self.wait)?;
        self.run()
    }

    /// Starts the process; also the length of its log before.
    fn spawn(&self, log: &Path) -> Result<(Child, u64), Failure> {
        let open = || -> io::Result<(File, u64)> {
            fs::create_dir_all(log.parent().unwrap_or(Path::new(".")))?;
            let file = OpenOptions::new().create(true).append(true).open(log)?;
            let length = file.metadata()?.len();
            Ok((file, length))
        };
        let (file, earlier) = open().with_context(|| log.display().to_string())?;
        let child = std::process::Command::new(std::env::current_exe()?)
            .args(["server", "--detached"])
            .arg(&self.config)
            .stdin(Stdio::null())
            .stdout(file.try_clone()?)
            .stderr(file)
            .spawn()?;
        Ok((child, earlier))
    }

    fn watch(
        &self,
        config: &Config,
        log: &Path,
        child: &mut Child,
        earlier: u64,
    ) -> Result<Exit, Failure> {
        let deadline = Instant::now() + Duration::from_secs(self.wait);
        let pid = child.id();
        loop {
            if let Some(status) = child.try_wait()? {
                return Err(ended(status.code(), log, earlier));
            }
            // Whoever else may listen on that port has another pid.
            if let Ok(Some(Serving { pid: answering, mode })) = probe(config)
                && answering == pid
            {
                println!("started: process {pid}, {mode}; log: {}", log.display());
                return Ok(Exit::Valid);
            }
            if Instant::now() > deadline {
                println!(
                    "process {pid} runs, but does not serve within {} s: it needs more than half \
                     of the servers; log: {}",
                    self.wait,
                    log.display()
                );
                return Ok(Exit::Unknown);
            }
            sleep(POLL);
        }
    }
}

impl Stop {
    pub(super) fn run(&self) -> Result<Exit, Failure> {
        stop(&read(&self.config)?, self.wait)
    }
}

impl Status {
    pub(super) fn run(&self) -> Result<Exit, Failure> {
        let config = read(&self.config)?;
        let Some(pid) = running(&config)? else {
            println!("not running");
            return Ok(Exit::Invalid);
        };
        let (host, port) = client_address(&config);
        let (words, exit) = match probe(&config) {
            Ok(Some(serving)) if serving.pid == pid => (serving.mode, Exit::Valid),
            Ok(Some(other)) => {
                (format!("but process {} answers on its client port", other.pid), Exit::Unknown)
            }
            Ok(None) => {
                ("not serving: it needs more than half of the servers".into(), Exit::Unknown)
            }
            Err(error) => (format!("it does not answer: {error}"), Exit::Unknown),
        };
        println!("running: process {pid}, {words}; client port {host}:{port}");
        Ok(exit)
    }
}

fn stop(config: &Config, wait_s: u64) -> Result<Exit, Failure> {
    let Some(pid) = running(config)? else {
        println!("not running");
        return Ok(Exit::Valid);
    };
    match kill(Pid::from_raw(pid.cast_signed()), Signal::SIGTERM) {
        Ok(()) | Err(Errno::ESRCH) => {}
        Err(error) => return Err(Failure::Harness(anyhow!("process {pid}: {error}"))),
    }
    let deadline = Instant::now() + Duration::from_secs(wait_s);
    while running(config)? == Some(pid) {
        if Instant::now() > deadline {
            let what = anyhow!("process {pid} is still running {wait_s} s after SIGTERM");
            return Err(Failure::Harness(what));
        }
        sleep(POLL);
    }
    println!("stopped: process {pid}");
    Ok(Exit::Valid)
}

/// The process that has the `dataDir`.
fn running(config: &Config) -> Result<Option<u32>, Failure> {
    let found = server::running(&config.data_dir);
    match found.with_context(|| config.data_dir.display().to_string())? {
        Some(0) => Err(Failure::Harness(anyhow!(
            "{}: a server in another container has this dataDir",
            config.data_dir.display()
        ))),
        found => Ok(found),
    }
}

fn log_path(config: &Config) -> PathBuf {
    let directory = std::env::var_os("ZOO_LOG_DIR").map(PathBuf::from);
    directory.unwrap_or_else(|| config.data_dir.clone()).join("zoobreak-server.log")
}

/// The server's own last words, from what it has added to the log.
fn ended(code: Option<i32>, log: &Path, earlier: u64) -> Failure {
    let said = tail(log, earlier).unwrap_or_default();
    let why = said.lines().rev().find_map(|line| line.strip_prefix("zoobreak: "));
    let why = why.or(said.lines().last()).unwrap_or("it said nothing");
    let what = format!("it does not start: {why}; log: {}", log.display());
    match code == Some(Exit::Usage as i32) {
        true => Failure::Usage(what),
        false => Failure::Harness(anyhow!(what)),
    }
}

fn tail(log: &Path, from: u64) -> io::Result<String> {
    let mut file = File::open(log)?;
    file.seek(SeekFrom::Start(from))?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
