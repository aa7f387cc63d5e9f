//! `zoobreak server start|stop|restart|status`: a server without a terminal.

mod support;

use std::fs;
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Child, Command};

use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, getsid};

use support::client::Client;
use support::ensemble::Ensemble;
use support::harness::{Running, Said, zoobreak};
use support::{alone, end, seconds, text, until};

/// The files of one server, which is killed with the test if it still runs.
struct Background(Ensemble);

impl Background {
    fn new(n: usize) -> Background {
        Background(Ensemble::new(n, ""))
    }

    fn zoobreak(&self, argv: &[&str]) -> Said {
        let config = self.0.config(1);
        zoobreak(&[&["server"], argv, &[text(&config)]].concat(), seconds(60))
    }

    fn pid_file(&self) -> PathBuf {
        self.0.home(1).join("zookeeper_server.pid")
    }

    fn pid(&self) -> i32 {
        let text = fs::read_to_string(self.pid_file()).expect("it has run");
        text.trim().parse().expect("a number")
    }

    /// What `command` says and how it ends.
    #[track_caller]
    fn expect(&self, command: &[&str], code: i32, words: &str) {
        let said = self.zoobreak(command);
        assert_eq!(said.code, code, "{command:?}: {}", said.all());
        assert!(said.all().contains(words), "{command:?}: {words:?} in {}", said.all());
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        if let Ok(Some(pid)) = server::running(&self.0.home(1)) {
            kill(Pid::from_raw(pid.cast_signed()), Signal::SIGKILL).expect("ours");
        }
    }
}

#[test]
fn it_is_started_asked_restarted_and_stopped() {
    let _alone = alone();
    let background = Background::new(1);
    background.expect(&["status"], 1, "not running");
    background.expect(&["stop"], 0, "not running");

    background.expect(&["start"], 0, "leader; log: ");
    let first = background.pid();
    background.expect(
        &["status"],
        0,
        &format!("running: process {first}, leader; client port 127"),
    );
    assert_eq!(getsid(Some(Pid::from_raw(first))), Ok(Pid::from_raw(first)), "its own session");
    let mut client = background.0.client(1);
    client.create("/a", b"kept").expect("it serves");

    background.expect(&["start"], 3, &format!("it runs already, as process {first}"));
    background.expect(&[], 3, &format!("process {first} is a server with this dataDir already"));

    background.expect(&["restart"], 0, &format!("stopped: process {first}\nstarted: process"));
    let second = background.pid();
    assert_ne!(first, second);
    let mut client = background.0.client(1);
    assert_eq!(client.get("/a").expect("it is on disk"), b"kept");
    let log = fs::read_to_string(background.0.home(1).join("zoobreak-server.log"));
    assert!(log.expect("it is in dataDir").matches(" started ").count() >= 2);

    background.expect(&["stop"], 0, &format!("stopped: process {second}"));
    assert!(Client::connect(background.0.addr(1)).is_err(), "it is gone");
    background.expect(&["status"], 1, "not running");
}

#[test]
fn why_it_does_not_start_is_said() {
    let _alone = alone();
    let background = Background::new(1);
    let held = TcpListener::bind(background.0.addr(1)).expect("it was free a moment ago");
    background.expect(&["start"], 3, "it does not start: 127.0.0.1:");
    background.expect(&["status"], 1, "not running");
    drop(held);

    let config = background.0.config(1);
    let sound = fs::read_to_string(&config).expect("it is there");
    fs::write(&config, sound.replace("dataDir", "dataDri")).expect("a scratch directory");
    for command in ["start", "stop", "restart", "status"] {
        background.expect(&[command], 64, "zoo.cfg: dataDir is missing");
    }
    fs::remove_file(&config).expect("it is there");
    background.expect(&["status"], 64, "zoo.cfg: No such file");
    fs::write(
        &config,
        sound + "secureClientPort=1\nssl.keyStore.location=/nowhere\nssl.clientAuth=none\n",
    )
    .expect("a scratch directory");
    background.expect(&["start"], 64, "it does not start: ssl.keyStore.location=/nowhere: No such");
}

#[test]
fn a_pid_that_is_not_its_own_is_never_believed() {
    let _alone = alone();
    let background = Background::new(1);
    let mut bystander = Bystander(Command::new("sleep").arg("600").spawn().expect("coreutils"));
    for stale in [bystander.0.id().to_string(), "4000000\n".to_owned(), "nonsense".to_owned()] {
        fs::write(background.pid_file(), stale).expect("a scratch directory");
        background.expect(&["status"], 1, "not running");
        background.expect(&["stop"], 0, "not running");
        background.expect(&["start"], 0, "started: process");
        let pid = background.pid();
        // Even with a wrong number inside, the lock says who it is.
        fs::write(background.pid_file(), bystander.0.id().to_string()).expect("ours");
        background.expect(&["stop"], 0, &format!("stopped: process {pid}"));
    }
    assert!(bystander.0.try_wait().expect("our child").is_none(), "it was left alone");
}

struct Bystander(Child);

impl Drop for Bystander {
    fn drop(&mut self) {
        end(&mut self.0);
    }
}

#[test]
fn of_two_starts_at_once_one_wins() {
    let _alone = alone();
    let background = Background::new(1);
    let config = background.0.config(1);
    let start = |_| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_zoobreak"));
        Running::start(command.args(["server", "start", text(&config)]))
    };
    let ends: Vec<Said> =
        [0, 1].map(start).into_iter().map(|running| running.finish(seconds(60))).collect();
    let mut codes: Vec<i32> = ends.iter().map(|said| said.code).collect();
    codes.sort_unstable();
    assert_eq!(codes, [0, 3], "{} {}", ends[0].all(), ends[1].all());
    let loser = ends.iter().find(|said| said.code == 3).expect("just seen");
    assert!(loser.stderr.contains("already"), "{}", loser.all());
    background.expect(&["status"], 0, "running");
}

#[test]
fn without_a_quorum_it_runs_but_does_not_serve() {
    let _alone = alone();
    let background = Background::new(3);
    background.expect(&["start", "--wait", "1"], 2, "needs more than half of the servers");
    background.expect(&["status"], 2, "not serving");
    kill(Pid::from_raw(background.pid()), Signal::SIGSTOP).expect("ours");
    background.expect(&["stop", "--wait", "0"], 3, "is still running 0 s after SIGTERM");
    background.expect(&["status"], 2, "it does not answer");
    kill(Pid::from_raw(background.pid()), Signal::SIGCONT).expect("ours");
    until("it ends", seconds(20), || {
        server::running(&background.0.home(1)).ok()?.is_none().then_some(())
    });
}

#[test]
fn its_log_goes_where_the_environment_says() {
    let _alone = alone();
    let background = Background::new(1);
    let logs = support::scratch();
    let mut command = Command::new(env!("CARGO_BIN_EXE_zoobreak"));
    command.args(["server", "start", text(&background.0.config(1))]);
    let said = Running::start(command.env("ZOO_LOG_DIR", logs.path())).finish(seconds(60));
    assert_eq!(said.code, 0, "{}", said.all());
    assert!(logs.path().join("zoobreak-server.log").exists());
}
