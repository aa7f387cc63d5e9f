//! Apache ZooKeeper, as Debian's package has it: one server, or three.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

use crate::support::ensemble::free_ports;
use crate::support::{end, scratch};

const JAR: &str = "/usr/share/java/zookeeper.jar";
/// Why there can be none here.
pub(crate) fn missing() -> Option<String> {
    if !Path::new(JAR).exists() {
        return Some(format!("{JAR} is missing; apt-get install zookeeper"));
    }
    match Command::new("java").arg("-version").output() {
        Ok(output) if output.status.success() => None,
        _ => Some("java does not run; apt-get install default-jre-headless".to_owned()),
    }
}

/// Ends with this value, and leaves nothing.
pub(crate) struct Apache {
    processes: Vec<Child>,
    pub(crate) addrs: Vec<SocketAddr>,
    /// `server.N=…`, of an ensemble.
    pub(crate) lines: Vec<String>,
    _directory: TempDir,
}

impl Apache {
    /// One server alone. `options` are lines of `zoo.cfg`, `properties` are Java's.
    pub(crate) fn alone(options: &str, properties: &[&str]) -> Apache {
        let addr = SocketAddr::from((Ipv4Addr::LOCALHOST, free_ports(1)[0]));
        let own = format!("clientPortAddress={}\nclientPort={}\n", addr.ip(), addr.port());
        Apache::start(vec![addr], Vec::new(), &format!("{own}{options}"), properties)
    }

    /// Three servers.
    pub(crate) fn ensemble(options: &str, properties: &[&str]) -> Apache {
        let ports = free_ports(9);
        let addr = |port: &[u16]| SocketAddr::from((Ipv4Addr::LOCALHOST, port[0]));
        let addrs: Vec<SocketAddr> = ports.chunks(3).map(addr).collect();
        let line = |(n, port): (usize, &[u16])| {
            let (votes, learners) = (port[1], port[2]);
            format!("server.{n}=127.0.0.1:{votes}:{learners}:participant;{}", addr(port))
        };
        let lines: Vec<String> = (1..).zip(ports.chunks(3)).map(line).collect();
        let options = format!("initLimit=50\nsyncLimit=50\n{}\n{options}", lines.join("\n"));
        Apache::start(addrs, lines, &options, properties)
    }

    fn start(
        addrs: Vec<SocketAddr>,
        lines: Vec<String>,
        options: &str,
        properties: &[&str],
    ) -> Apache {
        let directory = scratch();
        let spawn = |id| server(id, &directory.path().join(format!("n{id}")), options, properties);
        let processes = (1..=addrs.len()).map(spawn).collect();
        Apache { processes, addrs, lines, _directory: directory }
    }
}

fn server(id: usize, home: &Path, options: &str, properties: &[&str]) -> Child {
    fs::create_dir(home).expect("a scratch directory");
    fs::write(home.join("myid"), id.to_string()).expect("a scratch directory");
    let config = format!("dataDir={}\nadmin.enableServer=false\n{options}", home.display());
    fs::write(home.join("zoo.cfg"), config).expect("a scratch directory");
    Command::new("java")
        .args(["-Xmx256m", "-XX:+UseSerialGC"])
        .args(properties)
        .args(["-cp", JAR])
        .arg("org.apache.zookeeper.server.quorum.QuorumPeerMain")
        .arg(home.join("zoo.cfg"))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("java has just run")
}

impl Drop for Apache {
    fn drop(&mut self) {
        self.processes.iter_mut().for_each(end);
    }
}
