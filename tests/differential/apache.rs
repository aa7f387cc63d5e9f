//! One Apache ZooKeeper server, as Debian's package has it.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

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
    process: Child,
    pub(crate) addr: SocketAddr,
    _directory: TempDir,
}

impl Apache {
    /// `options` are lines of `zoo.cfg`, `properties` are Java's.
    pub(crate) fn start(options: &str, properties: &[&str]) -> Apache {
        let directory = scratch();
        let addr = free_address();
        let home = directory.path();
        let config = format!(
            "dataDir={}\nclientPortAddress={}\nclientPort={}\nadmin.enableServer=false\n{options}",
            home.join("data").display(),
            addr.ip(),
            addr.port(),
        );
        fs::write(home.join("zoo.cfg"), config).expect("a scratch directory");
        let process = Command::new("java")
            .args(["-Xmx256m", "-XX:+UseSerialGC"])
            .args(properties)
            .args(["-cp", JAR])
            .arg("org.apache.zookeeper.server.quorum.QuorumPeerMain")
            .arg(home.join("zoo.cfg"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("java has just run");
        Apache { process, addr, _directory: directory }
    }
}

impl Drop for Apache {
    fn drop(&mut self) {
        end(&mut self.process);
    }
}

fn free_address() -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("there are free ports");
    listener.local_addr().expect("it is bound")
}
