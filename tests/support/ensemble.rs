//! Servers on loopback: `zoobreak server zoo.cfg` processes, without a lab around them.

use std::fmt::Write;
use std::fs::{self, File, OpenOptions};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use nix::sys::signal::Signal;
use nix::unistd::Pid;
use tempfile::TempDir;

use super::client::{Client, srvr};
use super::disguise::Disguise;
use super::harness::Said;
use super::{end, scratch, seconds, text, until, wait};

/// Servers 1 to n, each with a directory and a process. Everything goes when it is dropped.
pub(crate) struct Ensemble {
    members: Vec<Member>,
    _directory: TempDir,
}

struct Member {
    home: PathBuf,
    addr: SocketAddr,
    peer_addrs: [SocketAddr; 2],
    process: Option<Child>,
}

impl Ensemble {
    /// Writes the files of `n` servers and starts none; `extra` lines go into every `zoo.cfg`.
    pub(crate) fn new(n: usize, extra: &str) -> Ensemble {
        Ensemble::with_observers(n, 0, extra)
    }

    /// The same; the last `observers` of them do not vote.
    pub(crate) fn with_observers(participants: usize, observers: usize, extra: &str) -> Ensemble {
        let n = participants + observers;
        let directory = scratch();
        let ports = free_ports(3 * n);
        let listed: String = (1..=n).fold(String::new(), |mut lines, id| {
            let at = 3 * (id - 1);
            let role = if id > participants { ":observer" } else { "" };
            writeln!(lines, "server.{id}=127.0.0.1:{}:{}{role}", ports[at], ports[at + 1])
                .expect("a string takes everything");
            lines
        });
        let member = |id: usize| {
            let home = directory.path().join(format!("n{id}"));
            let port = ports[3 * (id - 1) + 2];
            fs::create_dir(&home).expect("a scratch directory");
            fs::write(home.join("myid"), format!("{id}\n")).expect("a scratch directory");
            let config = format!(
                "tickTime=200\ninitLimit=20\nsyncLimit=4\ndataDir={}\n\
                 clientPortAddress=127.0.0.1\nclientPort={port}\nmaxSessionTimeout=60000\n\
                 {listed}{extra}",
                home.display()
            );
            fs::write(home.join("zoo.cfg"), config).expect("a scratch directory");
            let addr = |port: u16| SocketAddr::from((Ipv4Addr::LOCALHOST, port));
            let peer_addrs = [ports[3 * (id - 1)], ports[3 * (id - 1) + 1]].map(addr);
            Member { home, addr: addr(port), peer_addrs, process: None }
        };
        Ensemble { members: (1..=n).map(member).collect(), _directory: directory }
    }

    /// Writes the files of servers 1 to n, and of `later` more that know them and themselves, and
    /// are to be added by reconfigurations. The superuser is `super`, with the password `test`.
    pub(crate) fn growing(n: usize, later: usize) -> Ensemble {
        let ensemble = Ensemble::new(
            n + later,
            "reconfigEnabled=true\n\
             DigestAuthenticationProvider.superDigest=super:D/InIHSb7yEEbrWz8b9l71RjZJU=\n",
        );
        for id in 1..=n + later {
            let text = fs::read_to_string(ensemble.config(id)).expect("just written");
            let number = |line: &str| line.strip_prefix("server.")?.split_once('=')?.0.parse().ok();
            let known =
                |line: &&str| number(line).is_none_or(|other: usize| other <= n || other == id);
            let lines: Vec<&str> = text.lines().filter(known).collect();
            let own = format!("server.{id}=");
            let role =
                |line: &&str| if line.starts_with(&own) && id > n { ":observer" } else { "" };
            let lines = lines.iter().map(|line| format!("{line}{}\n", role(line)));
            fs::write(ensemble.config(id), lines.collect::<String>()).expect("a scratch directory");
        }
        ensemble
    }

    /// Its line in a configuration, as a participant.
    pub(crate) fn line(&self, id: usize) -> String {
        let [learners, votes] = self.peer_addrs(id).map(|addr| addr.port());
        format!("server.{id}=127.0.0.1:{learners}:{votes}:participant;{}", self.addr(id))
    }

    /// The same, with all servers started and agreed on a leader.
    pub(crate) fn started(n: usize, extra: &str) -> Ensemble {
        let mut ensemble = Ensemble::new(n, extra);
        (1..=n).for_each(|id| ensemble.start(id));
        ensemble.settle();
        ensemble
    }

    pub(crate) fn start(&mut self, id: usize) {
        let mut server = command(&self.config(id));
        self.spawn(id, &mut server);
    }

    /// Starts a server that stays with its leader, or its followers, for twenty seconds of silence.
    pub(crate) fn start_patient(&mut self, id: usize) {
        let text = fs::read_to_string(self.config(id)).expect("written at first");
        let patient = text.replace("syncLimit=4", "syncLimit=100");
        fs::write(self.config(id), patient).expect("a scratch directory");
        self.start(id);
    }

    fn spawn(&mut self, id: usize, server: &mut Command) {
        let log = OpenOptions::new().create(true).append(true).open(self.home(id).join("log"));
        let process =
            server.stderr(log.expect("a scratch directory")).spawn().expect("cargo built it");
        self.member(id).process = Some(process);
    }

    /// Starts it with a planted defect; [`Ensemble::start`] starts it without one again.
    pub(crate) fn start_mutant(&mut self, id: usize, mutant: &str) {
        let sound = fs::read_to_string(self.config(id)).expect("written at first");
        fs::write(self.config(id), format!("{sound}mutant={mutant}\n"))
            .expect("a scratch directory");
        self.spawn(id, command(&self.config(id)).args(["--mutant", mutant]));
        until("it has read its configuration", seconds(10), || {
            self.log(id).contains(&format!("planted defect {mutant}")).then_some(())
        });
        fs::write(self.config(id), sound).expect("a scratch directory");
    }

    /// Waits until a server has ended on its own; its exit code.
    pub(crate) fn ended(&mut self, id: usize) -> i32 {
        let mut process = self.member(id).process.take().expect("it was started");
        wait(&mut process, seconds(20)).code().expect("no signal ended it")
    }

    /// SIGTERM; waits until it has ended as it should.
    pub(crate) fn stop(&mut self, id: usize) {
        self.signal(id, Signal::SIGTERM);
        let code = self.ended(id);
        assert_eq!(code, 0, "{}", self.log(id));
    }

    /// Starts a server in a poorer machine.
    pub(crate) fn start_in(&mut self, id: usize, machine: &Disguise) {
        let mut server = machine.zoobreak(&["server", text(&self.config(id))]);
        self.spawn(id, server.stdin(Stdio::null()).stdout(Stdio::null()));
    }

    /// Starts a server that may have so many files and connections open.
    pub(crate) fn start_with_files(&mut self, id: usize, n_files: u32) {
        let server = command(&self.config(id));
        let mut limited = Command::new("sh");
        limited.args(["-c", &format!("ulimit -n {n_files} && exec \"$@\""), "sh"]);
        limited.arg(server.get_program()).args(server.get_args());
        self.spawn(id, limited.stdin(Stdio::null()).stdout(Stdio::null()));
    }

    /// `kill -9`.
    pub(crate) fn kill(&mut self, id: usize) {
        let mut process = self.member(id).process.take().expect("it was started");
        assert!(process.try_wait().expect("it is our child").is_none(), "{}", self.log(id));
        end(&mut process);
    }

    /// Sends a signal to its process: to stop it for a while, and to let it go on.
    pub(crate) fn signal(&self, id: usize, signal: Signal) {
        let process = self.members[id - 1].process.as_ref().expect("it was started");
        let pid = Pid::from_raw(process.id().cast_signed());
        nix::sys::signal::kill(pid, signal).expect("it is our child");
    }

    /// Starts a server that is to end on its own.
    pub(crate) fn refused(&self, id: usize) -> Said {
        run_to_end(&self.config(id))
    }

    /// Where clients reach a server.
    pub(crate) fn addr(&self, id: usize) -> SocketAddr {
        self.members[id - 1].addr
    }

    /// Where other servers reach it: for learners, and for votes.
    pub(crate) fn peer_addrs(&self, id: usize) -> [SocketAddr; 2] {
        self.members[id - 1].peer_addrs
    }

    /// `host:port` of all servers, with commas, as clients take it.
    pub(crate) fn addrs(&self) -> String {
        self.members.iter().map(|m| m.addr.to_string()).collect::<Vec<_>>().join(",")
    }

    /// Its directory, which is its `dataDir`.
    pub(crate) fn home(&self, id: usize) -> PathBuf {
        self.members[id - 1].home.clone()
    }

    pub(crate) fn config(&self, id: usize) -> PathBuf {
        self.home(id).join("zoo.cfg")
    }

    /// What it has said on standard error, in all of its lives.
    pub(crate) fn log(&self, id: usize) -> String {
        fs::read_to_string(self.home(id).join("log")).unwrap_or_default()
    }

    /// Waits until every running server leads or follows; the leader.
    pub(crate) fn settle(&mut self) -> usize {
        let running: Vec<usize> =
            (1..=self.members.len()).filter(|id| self.members[id - 1].process.is_some()).collect();
        let leader = || {
            let modes: Option<Vec<String>> =
                running.iter().map(|id| srvr(self.addr(*id), "Mode")).collect();
            let modes = modes?;
            let leads = |mode: &String| mode == "leader" || mode == "standalone";
            modes.iter().position(leads).map(|at| running[at])
        };
        until("every server leads or follows", seconds(20), leader)
    }

    /// A session on one server; waits until it serves.
    pub(crate) fn client(&self, id: usize) -> Client {
        until("the server gives a session", seconds(20), || Client::connect(self.addr(id)).ok())
    }

    /// The last transaction that a server has applied, as it prints it.
    pub(crate) fn zxid(&self, id: usize) -> Option<String> {
        srvr(self.addr(id), "Zxid")
    }

    /// One of three servers that is not the leader.
    pub(crate) fn a_follower(&mut self) -> usize {
        self.settle() % 3 + 1
    }

    /// Creates `/<prefix>0` and so on, each with its name as data, and has each acknowledged.
    pub(crate) fn write_znodes(&self, prefix: &str, n: usize) {
        let ids = 1..=self.members.len();
        let serving = || ids.clone().find(|id| self.zxid(*id).is_some());
        let mut client = self.client(until("a server serves", seconds(20), serving));
        for i in 0..n {
            let name = format!("{prefix}{i}");
            let answer = client.create(&format!("/{name}"), name.as_bytes()).expect("it serves");
            assert!(answer.result.is_ok(), "{name}: {:?}", answer.result);
        }
    }

    /// Asked directly, without `sync`, the server has them all.
    pub(crate) fn assert_serves_znodes(&self, id: usize, prefix: &str, n: usize) {
        let mut client = self.client(id);
        for i in 0..n {
            let name = format!("{prefix}{i}");
            assert_eq!(client.get(&format!("/{name}")).expect("it is there"), name.as_bytes());
        }
    }

    /// Waits until all servers have applied the same last transaction.
    pub(crate) fn wait_until_level(&self) {
        until("all servers are level", seconds(20), || {
            let zxids = (1..=self.members.len()).map(|id| self.zxid(id));
            let zxids: Vec<String> = zxids.collect::<Option<_>>()?;
            zxids.iter().all(|zxid| *zxid == zxids[0]).then_some(())
        });
    }

    /// The newest file of a server's transaction log.
    pub(crate) fn newest_log_file(&self, id: usize) -> PathBuf {
        let store = self.home(id).join("zoobreak");
        let generations = fs::read_dir(store).expect("it has run").flatten();
        let files = generations.filter_map(|entry| fs::read_dir(entry.path()).ok()).flatten();
        let paths = files.flatten().map(|entry| entry.path());
        let is_log =
            |path: &PathBuf| path.file_name().is_some_and(|n| text(n.as_ref()).starts_with("log."));
        paths.filter(is_log).max().expect("it has written a transaction")
    }

    fn member(&mut self, id: usize) -> &mut Member {
        &mut self.members[id - 1]
    }
}

/// Ends the servers. A panic in any of them fails the test, whatever else it looked at.
impl Drop for Ensemble {
    fn drop(&mut self) {
        self.members.iter_mut().filter_map(|member| member.process.as_mut()).for_each(end);
        for id in 1..=self.members.len() {
            let log = self.log(id);
            assert!(std::thread::panicking() || !log.contains("panicked"), "server {id}: {log}");
        }
    }
}

/// Runs `zoobreak server` with a configuration that it is to refuse.
pub(crate) fn run_to_end(config: &std::path::Path) -> Said {
    let output = scratch();
    let log = output.path().join("log");
    let file = File::create(&log).expect("a scratch directory");
    let mut child = command(config).stderr(file).spawn().expect("cargo built it");
    let status = wait(&mut child, seconds(10));
    let stderr = fs::read_to_string(log).expect("made above");
    Said { code: status.code().expect("no signal ends it"), stdout: String::new(), stderr }
}

fn command(config: &std::path::Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_zoobreak"));
    command.arg("server").arg(config).stdin(Stdio::null()).stdout(Stdio::null());
    command
}

/// Ports on which nobody listens. They are all held until the last is found, so they differ.
pub(crate) fn free_ports(n: usize) -> Vec<u16> {
    let bind = |_| TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("there are free ports");
    let held: Vec<TcpListener> = (0..n).map(bind).collect();
    held.iter().map(|listener| listener.local_addr().expect("it is bound").port()).collect()
}
