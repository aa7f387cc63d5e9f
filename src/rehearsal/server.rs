//! A server that takes a step when it is told to.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde::Serialize;

/// How long an order may take: a channel that cannot be made is given up after two seconds.
const PATIENCE: Duration = Duration::from_secs(10);
/// Between two looks at a trace.
const LOOK_EVERY: Duration = Duration::from_millis(1);

/// One of `n` servers on loopback, which is the rehearsal's own.
pub(super) struct Server {
    number: u64,
    home: PathBuf,
    trace: Option<BufReader<File>>,
    line: String,
    process: Option<Process>,
}

struct Process {
    child: Child,
    orders: ChildStdin,
    done: Receiver<String>,
}

/// Why the next step was not taken.
pub(super) enum Missing {
    /// It did not come about.
    Step(String),
    /// The machine failed.
    Machine(anyhow::Error),
}

impl From<anyhow::Error> for Missing {
    fn from(error: anyhow::Error) -> Missing {
        Missing::Machine(error)
    }
}

impl Server {
    pub(super) fn new(number: u64, home: PathBuf) -> Result<Server> {
        let server = Server { number, home, trace: None, line: String::new(), process: None };
        fs::create_dir_all(server.data()).with_context(|| server.data().display().to_string())?;
        server.write("data/myid", &format!("{number}\n"))?;
        Ok(server)
    }

    /// Where clients reach it.
    pub(super) fn client_port(&self) -> u16 {
        port(2181, self.number)
    }

    fn data(&self) -> PathBuf {
        self.home.join("data")
    }

    /// Log and snapshots.
    pub(super) fn files(&self) -> PathBuf {
        self.data().join("zoobreak")
    }

    pub(super) fn is_up(&self) -> bool {
        self.process.is_some()
    }

    /// Starts it alone, without a gate: what it is asked, it does.
    pub(super) fn start_alone(&mut self) -> Result<()> {
        self.start(&self.common(), None)
    }

    /// Starts it as one of `n`, behind its gate.
    pub(super) fn start_gated(&mut self, n: u64, mutant: Option<&str>) -> Result<()> {
        let members = (1..=n)
            .map(|id| format!("server.{id}=127.0.0.1:{}:{}\n", port(2888, id), port(3888, id)));
        let planted = mutant.map_or(String::new(), |mutant| format!("mutant={mutant}\n"));
        let members: String = members.collect();
        self.start(&format!("{}gate=true\n{members}{planted}", self.common()), mutant)
    }

    fn common(&self) -> String {
        format!(
            "tickTime=2000\ninitLimit=5\nsyncLimit=5\ndataDir={}\nclientPort={}\n\
             clientPortAddress=127.0.0.1\nadmin.enableServer=false\n\
             4lw.commands.whitelist=hash\ntrace=true\n",
            self.data().display(),
            self.client_port()
        )
    }

    fn start(&mut self, config: &str, mutant: Option<&str>) -> Result<()> {
        self.write("zoo.cfg", config)?;
        let log = File::options().create(true).append(true).open(self.home.join("stderr.log"))?;
        let mut command = Command::new(std::env::current_exe().context("the program's own path")?);
        command.arg("server").arg(self.home.join("zoo.cfg"));
        command.args(mutant.into_iter().flat_map(|mutant| ["--mutant", mutant]));
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(log);
        let mut child = command.current_dir(&self.home).spawn().context("start a server")?;
        let orders = child.stdin.take().context("its standard input")?;
        let stdout = child.stdout.take().context("its standard output")?;
        let (said, done) = channel();
        thread::spawn(move || {
            let lines = BufReader::new(stdout).lines().map_while(Result::ok);
            lines.take_while(|line| said.send(line.clone()).is_ok()).for_each(drop);
        });
        self.process = Some(Process { child, orders, done });
        Ok(())
    }

    /// `kill -9`, and waits for the end.
    pub(super) fn kill(&mut self) -> Result<()> {
        let Some(mut process) = self.process.take() else { return Ok(()) };
        process.child.kill().and_then(|()| process.child.wait()).context("end a server")?;
        Ok(())
    }

    /// Orders, and waits until it is carried out.
    pub(super) fn order(&mut self, command: &impl Serialize) -> Result<(), Missing> {
        let line = serde_json::to_string(command).expect("orders are plain values");
        let number = self.number;
        let gone = || Missing::Step(format!("n{number} has ended: see its stderr.log"));
        let process = self.process.as_mut().ok_or_else(gone)?;
        writeln!(process.orders, "{line}").map_err(|_| gone())?;
        match process.done.recv_timeout(PATIENCE) {
            Ok(_) => Ok(()),
            Err(_) if process.child.try_wait().context("a server")?.is_some() => Err(gone()),
            Err(_) => Err(Missing::Step(format!("n{number} waits in vain for {line}"))),
        }
    }

    /// The next line of its trace.
    pub(super) fn step(&mut self) -> Result<&str, Missing> {
        let deadline = Instant::now() + PATIENCE;
        self.line.clear();
        while !self.read_line()? {
            if Instant::now() > deadline {
                return Err(Missing::Step(format!("n{} does nothing", self.number)));
            }
            thread::sleep(LOOK_EVERY);
        }
        Ok(&self.line)
    }

    /// Whether the line is whole.
    fn read_line(&mut self) -> Result<bool> {
        let path = self.data().join("trace.jsonl");
        if self.trace.is_none() && path.exists() {
            self.trace = Some(BufReader::new(File::open(path)?));
        }
        if let Some(trace) = &mut self.trace {
            trace.read_line(&mut self.line)?;
        }
        Ok(self.line.ends_with('\n'))
    }

    /// Forgets what was recorded.
    pub(super) fn drop_trace(&mut self) -> Result<()> {
        self.trace = None;
        fs::remove_file(self.data().join("trace.jsonl")).context("a trace")
    }

    fn write(&self, name: &str, text: &str) -> Result<()> {
        let path = self.home.join(name);
        fs::write(&path, text).with_context(|| path.display().to_string())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // An error says that it has ended.
        let _ = self.kill();
    }
}

fn port(base: u16, number: u64) -> u16 {
    base + u16::try_from(number).expect("few servers")
}

/// Copies a directory with all that is in it.
pub(super) fn copy(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to).with_context(|| to.display().to_string())?;
    for entry in fs::read_dir(from).with_context(|| from.display().to_string())? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy(&entry.path(), &target)?;
        } else if entry.file_type()?.is_file() {
            fs::copy(entry.path(), &target).with_context(|| target.display().to_string())?;
        } else {
            bail!("{}: neither a file nor a directory", entry.path().display());
        }
    }
    Ok(())
}
