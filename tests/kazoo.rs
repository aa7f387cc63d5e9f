//! Python's kazoo, unchanged, against an ensemble that loses its leader.

mod support;

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};

use support::ensemble::Ensemble;
use support::{alone, end, seconds, skip, wait};

#[test]
fn kazoo_works_before_and_after_the_leader_is_killed() {
    let _alone = alone();
    if let Some(why) = no_kazoo() {
        return skip("kazoo_works_before_and_after_the_leader_is_killed", &why);
    }
    let mut ensemble = Ensemble::started(3, "");
    let mut script = Script::start(&ensemble.addrs());
    script.expect("before");
    let leader = ensemble.settle();
    ensemble.kill(leader);
    script.go_on();
    script.expect("after");

    ensemble.start(leader);
    ensemble.wait_until_level();
    let mut client = ensemble.client(leader);
    for node in ["/app/before/kept", "/app/after/kept"] {
        assert_eq!(client.get(node).expect("it is there"), b"two", "{node}");
    }
    script.go_on();
    script.expect("done");
    assert!(wait(&mut script.child, seconds(20)).success());
}

fn no_kazoo() -> Option<String> {
    match Command::new("python3").args(["-c", "import kazoo"]).output() {
        Ok(output) if output.status.success() => None,
        Ok(_) => Some("python3 has no kazoo; pip install kazoo".to_owned()),
        Err(error) => Some(format!("python3: {error}")),
    }
}

/// `with_kazoo.py`, which says what it has done and waits to be told to go on.
struct Script {
    child: Child,
    stdin: ChildStdin,
    lines: Receiver<String>,
}

impl Script {
    fn start(hosts: &str) -> Script {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/with_kazoo.py");
        let mut child = Command::new("python3")
            .arg(path)
            .arg(hosts)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("tried before");
        let stdin = child.stdin.take().expect("piped");
        let stdout = BufReader::new(child.stdout.take().expect("piped"));
        let (sender, lines) = channel();
        std::thread::spawn(move || {
            stdout.lines().map_while(Result::ok).try_for_each(|line| sender.send(line))
        });
        Script { child, stdin, lines }
    }

    fn expect(&mut self, said: &str) {
        assert_eq!(self.lines.recv_timeout(seconds(60)).as_deref(), Ok(said), "its error is above");
    }

    fn go_on(&mut self) {
        self.stdin.write_all(b"\n").expect("it is waiting");
    }
}

impl Drop for Script {
    fn drop(&mut self) {
        end(&mut self.child);
    }
}
