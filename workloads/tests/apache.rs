//! The register workload against Apache ZooKeeper, three servers as Debian's package has them.
//! Skipped without Java or `/usr/share/java/zookeeper.jar`.

mod common;

use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use common::history::{Recording, completions, pair};
use history::{Event, Kind, f};
use tempfile::TempDir;
use workloads::{Clients, Config, RoleView, Server, Workload, final_reads, setup, watch_roles};

const LIMIT: Duration = Duration::from_secs(60);

#[tokio::test(flavor = "multi_thread")]
async fn a_load_survives_the_death_of_the_leader() {
    if let Some(why) = missing() {
        let line = format!("skipped: a_load_survives_the_death_of_the_leader: {why}");
        assert!(std::env::var_os("ZOOBREAK_NO_SKIP").is_none_or(|value| value != "1"), "{line}");
        // Not `eprintln!`, which the test runner keeps to itself.
        return writeln!(std::io::stderr(), "{line}").expect("standard error is open");
    }
    let mut ensemble = Ensemble::start(3);
    let config = Arc::new(config(ensemble.servers.clone()));
    let recording = Recording::start();
    let period = Duration::from_millis(100);
    let watcher = watch_roles(&config.servers, None, period, &recording.recorder);
    settled(&watcher.view()).await;
    setup(&config, LIMIT).await.unwrap();
    let recorder = || recording.recorder.clone();
    let clients = Clients::open(Arc::clone(&config), recorder(), LIMIT).await.unwrap();
    clients.go();

    until_ok(&clients, 1000).await;
    let leader = watcher.view().leader().expect("a leader");
    ensemble.kill(leader);
    let before = clients.tally().ok;
    until_ok(&clients, before + 1000).await;
    ensemble.spawn(leader);
    settled(&watcher.view()).await;
    let tally = clients.stop().await.unwrap();
    assert_eq!(final_reads(Arc::clone(&config), recorder(), LIMIT).await, []);

    println!("{tally:?}");
    check(&recording.events());
}

fn missing() -> Option<&'static str> {
    if !Path::new("/usr/share/java/zookeeper.jar").exists() {
        return Some("no Apache ZooKeeper: apt-get install zookeeper");
    }
    let java = Command::new("java").arg("-version").stderr(Stdio::null()).status();
    java.is_err().then_some("no Java: apt-get install default-jre-headless")
}

fn check(events: &[Event]) {
    let clients: Vec<Event> = events.iter().filter(|event| event.f != f::ROLE).cloned().collect();
    let operations = pair(&clients);
    for name in [f::READ, f::LOCAL_READ, f::WRITE, f::CAS] {
        let count = |kind| completions(&operations, name, kind).len();
        println!(
            "{name}: {} ok, {} fail, {} info",
            count(Kind::Ok),
            count(Kind::Fail),
            count(Kind::Info)
        );
        assert!(count(Kind::Ok) > 100);
    }
    let errors: BTreeSet<_> =
        operations.iter().filter_map(|(_, done)| done.error.clone()).collect();
    println!("errors: {errors:#?}");
    let leaders = events.iter().filter(|event| event.value["role"] == "leader");
    let epochs: BTreeSet<_> = leaders.map(|event| event.value["epoch"].as_u64()).collect();
    println!("epochs led: {epochs:?}");
    assert!(epochs.len() >= 2, "a new leader: {epochs:?}");
}

async fn until_ok(clients: &Clients, n: u64) {
    until("enough operations", || clients.tally().ok >= n).await;
}

async fn settled(view: &RoleView) {
    until("a settled ensemble", || view.settled()).await;
}

async fn until(what: &str, condition: impl Fn() -> bool) {
    let polled = async {
        while !condition() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(LIMIT, polled).await.unwrap_or_else(|_| panic!("never: {what}"));
}

fn config(servers: Vec<Server>) -> Config {
    Config {
        workload: Workload::Register,
        seed: 1,
        clients: 5,
        servers,
        source: Some(Ipv4Addr::new(127, 0, 0, 200).into()),
        session_timeout: Duration::from_secs(6),
        op_timeout: Duration::from_secs(1),
        rate: 300.0,
        keys: (0..5).map(|i| format!("/r{i}")).collect(),
    }
}

/// Java processes, killed when this is dropped.
struct Ensemble {
    servers: Vec<Server>,
    processes: Vec<Option<Child>>,
    dir: TempDir,
}

impl Ensemble {
    fn start(n_servers: usize) -> Ensemble {
        let dir = TempDir::new().unwrap();
        let ports = free_ports(3 * n_servers);
        let mut servers = Vec::new();
        for (idx, port) in ports[..n_servers].iter().enumerate() {
            let addr = SocketAddr::from((Ipv4Addr::LOCALHOST, *port));
            servers.push(Server { name: format!("n{}", idx + 1), addr });
            configure(dir.path(), idx, *port, &ports[n_servers..]);
        }
        let mut ensemble = Ensemble { servers, processes: Vec::new(), dir };
        ensemble.processes.resize_with(n_servers, || None);
        (0..n_servers).for_each(|idx| ensemble.spawn(idx));
        ensemble
    }

    fn spawn(&mut self, idx: usize) {
        let child = Command::new("java")
            .args(["-Xmx128m", "-cp", "/usr/share/java/*"])
            .arg("org.apache.zookeeper.server.quorum.QuorumPeerMain")
            .arg(self.dir.path().join(format!("{idx}.cfg")))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("java starts");
        self.processes[idx] = Some(child);
    }

    fn kill(&mut self, idx: usize) {
        if let Some(mut child) = self.processes[idx].take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }
}

impl Drop for Ensemble {
    fn drop(&mut self) {
        (0..self.processes.len()).for_each(|idx| self.kill(idx));
    }
}

fn free_ports(n: usize) -> Vec<u16> {
    let bind = |_| TcpListener::bind("127.0.0.1:0").unwrap();
    let held: Vec<TcpListener> = (0..n).map(bind).collect();
    held.iter().map(|listener| listener.local_addr().unwrap().port()).collect()
}

fn configure(dir: &Path, idx: usize, client_port: u16, peer_ports: &[u16]) {
    let data = dir.join(format!("data{idx}"));
    fs::create_dir(&data).unwrap();
    fs::write(data.join("myid"), (idx + 1).to_string()).unwrap();
    let data = data.display();
    let mut text = format!(
        "tickTime=500\ninitLimit=10\nsyncLimit=5\nadmin.enableServer=false\n\
         dataDir={data}\nclientPort={client_port}\n"
    );
    for (idx, ports) in peer_ports.chunks(2).enumerate() {
        text += &format!("server.{}=127.0.0.1:{}:{}\n", idx + 1, ports[0], ports[1]);
    }
    fs::write(dir.join(format!("{idx}.cfg")), text).unwrap();
}
