//! Servers of one target on loopback, with both targets' own defaults.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::Child;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use history::Target;
use nemesis::{Launch, Namespace};
use tokio::time::{Instant, sleep};
use workloads::{Role, probe};

use crate::run::ensemble::{LOG4J, java_args};

const SETTLE_WITHIN: Duration = Duration::from_secs(30);
const PROBE_TIMEOUT: Duration = Duration::from_secs(1);
/// Lines of a server's log in an error.
const LOG_LINES: usize = 5;

/// What upstream's `zkEnv.sh` gives a server that is told nothing else.
const JAVA_OPTIONS: [&str; 1] = ["-Xmx1000m"];

/// Server 1 to n; they end when it is dropped.
pub(super) struct Ensemble {
    target: Target,
    members: Vec<Member>,
}

struct Member {
    addr: SocketAddr,
    launch: Launch,
    process: Option<Child>,
    /// Killed, and not yet waited for.
    killed: Option<Child>,
}

impl Ensemble {
    /// Three servers below `dir`, which have a leader.
    pub(super) async fn of_three(target: Target, dir: &Path) -> Result<Ensemble> {
        let mut ensemble = Ensemble::new(target, dir, 3)?;
        (0..3).try_for_each(|idx| ensemble.start(idx))?;
        ensemble.settle().await?;
        Ok(ensemble)
    }

    /// The files of `n` servers below `dir`; a single one is standalone. None is started.
    pub(super) fn new(target: Target, dir: &Path, n: usize) -> Result<Ensemble> {
        let members = (0..n).map(|idx| Member::new(target, dir, idx, n)).collect::<Result<_>>()?;
        Ok(Ensemble { target, members })
    }

    /// Starts a server that does not run.
    pub(super) fn start(&mut self, idx: usize) -> Result<()> {
        let member = &mut self.members[idx];
        member.bury()?;
        member.process = Some(member.launch.spawn(&Namespace::current()?)?);
        Ok(())
    }

    /// `kill -9`, without waiting for the end: a large process takes a while to be taken apart.
    pub(super) fn kill(&mut self, idx: usize) -> Result<()> {
        self.members[idx].kill()
    }

    /// `kill -9`, and waits for the end.
    pub(super) fn end(&mut self, idx: usize) -> Result<()> {
        let member = &mut self.members[idx];
        member.kill()?;
        member.bury()
    }

    /// Waits until one server leads and all others follow; its index.
    pub(super) async fn settle(&mut self) -> Result<usize> {
        let deadline = Instant::now() + SETTLE_WITHIN;
        loop {
            let mut roles = Vec::new();
            for addr in self.servers() {
                roles.push(probe(addr, None, PROBE_TIMEOUT).await.role);
            }
            if let Some(leader) = agreed(&roles) {
                return Ok(leader);
            }
            self.look_for_exits()?;
            if Instant::now() > deadline {
                let seen: Vec<_> =
                    (1..).zip(&roles).map(|(n, role)| format!("{n} {}", role.name())).collect();
                bail!(
                    "{}: no leader with followers within {} s: {}; {}",
                    name(self.target),
                    SETTLE_WITHIN.as_secs(),
                    seen.join(", "),
                    self.members[0].last_words()
                );
            }
            sleep(Duration::from_millis(20)).await;
        }
    }

    /// # Errors
    /// If a server that should run has ended; with what it said.
    pub(super) fn look_for_exits(&mut self) -> Result<()> {
        for (n, member) in (1..).zip(&mut self.members) {
            let Some(process) = &mut member.process else { continue };
            if let Some(status) = process.try_wait().context("a server")? {
                let (target, said) = (name(self.target), member.last_words());
                bail!("{target}: server {n} ended by itself, {status}; {said}");
            }
        }
        Ok(())
    }

    /// Where clients reach them.
    pub(super) fn servers(&self) -> Vec<SocketAddr> {
        self.members.iter().map(|member| member.addr).collect()
    }

    /// Where a server keeps its data.
    pub(super) fn data(&self, idx: usize) -> PathBuf {
        self.members[idx].launch.cwd.join("data")
    }

    /// The processes that run.
    pub(super) fn pids(&self) -> Vec<u32> {
        self.members.iter().filter_map(|member| Some(member.process.as_ref()?.id())).collect()
    }
}

/// The name of a target on the command line.
pub(super) fn name(target: Target) -> &'static str {
    match target {
        Target::Zoobreak => "zoobreak",
        Target::Zookeeper => "zookeeper",
    }
}

fn agreed(roles: &[Role]) -> Option<usize> {
    let all = roles.iter().all(|role| matches!(role, Role::Leader | Role::Follower));
    roles.iter().position(|role| *role == Role::Leader).filter(|_| all)
}

impl Member {
    fn new(target: Target, dir: &Path, idx: usize, n: usize) -> Result<Member> {
        let home = dir.join(format!("n{}", idx + 1));
        let write = |name: &str, text: String| {
            let path = home.join(name);
            fs::write(&path, text).with_context(|| path.display().to_string())
        };
        fs::create_dir_all(home.join("data")).with_context(|| home.display().to_string())?;
        write("data/myid", format!("{}\n", idx + 1))?;
        write("zoo.cfg", zoo_cfg(target, &home.join("data"), idx, n))?;
        if target == Target::Zookeeper {
            write("log4j.properties", LOG4J.to_owned())?;
        }
        let config = home.join("zoo.cfg");
        let (program, args) = match target {
            Target::Zoobreak => {
                let own = std::env::current_exe().context("the program's own path")?;
                (own, vec!["server".into(), config.into()])
            }
            Target::Zookeeper => ("java".into(), java_args(&home, &JAVA_OPTIONS)),
        };
        let launch = Launch {
            program,
            args,
            env: BTreeMap::new(),
            stdout: home.join("log"),
            stderr: home.join("log"),
            disks: Vec::new(),
            cwd: home,
        };
        let addr = (Ipv4Addr::LOCALHOST, port(target, Port::Client, idx)).into();
        Ok(Member { addr, launch, process: None, killed: None })
    }

    fn kill(&mut self) -> Result<()> {
        let Some(mut process) = self.process.take() else { return Ok(()) };
        process.kill().context("kill a server")?;
        self.killed = Some(process);
        Ok(())
    }

    fn bury(&mut self) -> Result<()> {
        self.killed
            .take()
            .map_or(Ok(()), |mut process| process.wait().map(drop))
            .context("a server")
    }

    fn last_words(&self) -> String {
        let log = fs::read(&self.launch.stderr).unwrap_or_default();
        let log = String::from_utf8_lossy(&log);
        let lines: Vec<&str> = log.lines().collect();
        match &lines[lines.len().saturating_sub(LOG_LINES)..] {
            [] => "it said nothing".to_owned(),
            last => format!("it said:\n  {}", last.join("\n  ")),
        }
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        // An error says that it has ended.
        let _ = self.kill().and_then(|()| self.bury());
    }
}

/// Beyond addresses, what upstream's `zoo_sample.cfg` says, and as many clients as the load has.
fn zoo_cfg(target: Target, data: &Path, idx: usize, n: usize) -> String {
    let mut text = format!(
        "tickTime=2000\ninitLimit=10\nsyncLimit=5\ndataDir={}\nclientPortAddress=127.0.0.1\n\
         clientPort={}\nmaxClientCnxns=0\nadmin.enableServer=false\n",
        data.display(),
        port(target, Port::Client, idx)
    );
    for other in (0..n).filter(|_| n > 1) {
        let [quorum, election] = [Port::Quorum, Port::Election].map(|of| port(target, of, other));
        writeln!(text, "server.{}=127.0.0.1:{quorum}:{election}", other + 1)
            .expect("a string takes everything");
    }
    text
}

#[derive(Clone, Copy)]
enum Port {
    Client,
    Quorum,
    Election,
}

/// Loopback is the benchmark's own, so all ports are free; both targets run at once.
fn port(target: Target, of: Port, idx: usize) -> u16 {
    let base = match of {
        Port::Client => 2181,
        Port::Quorum => 2888,
        Port::Election => 3888,
    };
    let side = if target == Target::Zoobreak { 0 } else { 100 };
    base + side + u16::try_from(idx).expect("few servers")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_targets_get_the_same_file_but_for_ports_and_paths() {
        let ours = zoo_cfg(Target::Zoobreak, Path::new("/d"), 0, 3);
        let theirs = zoo_cfg(Target::Zookeeper, Path::new("/d"), 0, 3);
        let moved = theirs.replace("2281", "2181");
        let moved = (0..3).fold(moved, |text, idx| {
            let server = |at: u16| format!(":{}:{}", 2888 + at + idx, 3888 + at + idx);
            text.replace(&server(100), &server(0))
        });
        assert_eq!(ours, moved);
        assert!(ours.contains("server.3=127.0.0.1:2890:3890\n"), "{ours}");
        assert!(!zoo_cfg(Target::Zoobreak, Path::new("/d"), 0, 1).contains("server."));
    }

    #[test]
    fn servers_agree_when_one_leads_and_all_others_follow() {
        use Role::{Follower, Leader, Looking, Unreachable};
        assert_eq!(agreed(&[Follower, Leader, Follower]), Some(1));
        assert_eq!(agreed(&[Leader]), Some(0));
        for not_yet in [[Follower, Follower, Follower], [Leader, Looking, Follower]] {
            assert_eq!(agreed(&not_yet), None);
        }
        assert_eq!(agreed(&[Leader, Unreachable, Follower]), None);
    }
}
