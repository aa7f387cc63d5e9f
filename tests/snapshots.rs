//! A learner that is too far behind is sent the whole state, over a connection that breaks.

mod support;

use std::fs;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use support::ensemble::Ensemble;
use support::{alone, seconds, until};

/// Far more together than a connection is let through, and than the log's window in memory holds.
const ZNODES: usize = 150;
const BYTES: usize = 50_000;
/// A connection through the door ends after so many bytes to the learner.
const LET_THROUGH: usize = 1 << 20;

#[test]
fn a_snapshot_that_breaks_off_leaves_nothing_and_is_sent_anew() {
    let _alone = alone();
    let mut ensemble = Ensemble::new(3, "commitLogCount=10\n");
    [1, 2].into_iter().for_each(|id| ensemble.start(id));
    let leader = ensemble.settle();
    let mut client = ensemble.client(leader);
    let data = |n: usize| vec![n as u8; BYTES];
    for n in 0..ZNODES {
        client.create(&format!("/{n}"), &data(n)).expect("it serves").result.expect("it is new");
    }

    let door = Arc::new(Door::default());
    let mut config = fs::read_to_string(ensemble.config(3)).expect("written at first");
    for id in [1, 2] {
        let behind = ensemble.peer_addrs(id)[0];
        let port = door.clone().to(behind);
        let line = |port| format!("server.{id}=127.0.0.1:{port}:");
        config = config.replace(&line(behind.port()), &line(port));
    }
    fs::write(ensemble.config(3), config).expect("a scratch directory");
    ensemble.start(3);
    until("two snapshots were cut off", seconds(60), || {
        (door.cuts.load(Ordering::SeqCst) >= 2).then_some(())
    });
    let store = ensemble.home(3).join("zoobreak");
    assert_eq!(names(&store, "g"), ["g0"], "a part of a snapshot was installed");
    assert_eq!(names(&store.join("g0"), "snapshot"), [] as [&str; 0]);
    assert_eq!(ensemble.zxid(3), None, "it serves a part of the state");

    door.open.store(true, Ordering::SeqCst);
    until("the learner is brought up", seconds(60), || ensemble.zxid(3));
    assert_eq!(names(&store, "g"), ["g1"]);
    let mut client = ensemble.client(3);
    for n in 0..ZNODES {
        assert_eq!(client.get(&format!("/{n}")).expect("it is there"), data(n));
    }
}

/// The files of a directory whose names begin so.
fn names(directory: &Path, prefix: &str) -> Vec<String> {
    let entries = fs::read_dir(directory).expect("it has run").flatten();
    let names = entries.map(|entry| entry.file_name().to_string_lossy().into_owned());
    names.filter(|name| name.starts_with(prefix)).collect()
}

/// Between a learner and its leaders. It cuts off long conversations until it is opened.
#[derive(Default)]
struct Door {
    open: AtomicBool,
    cuts: AtomicUsize,
}

impl Door {
    /// The port on which `behind` is reached through it.
    fn to(self: Arc<Door>, behind: SocketAddr) -> u16 {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("there are free ports");
        let port = listener.local_addr().expect("it is bound").port();
        thread::spawn(move || {
            for learner in listener.incoming().flatten() {
                // A leader that does not listen (yet) is a connection that ends at once.
                let Ok(leader) = TcpStream::connect(behind) else { continue };
                let (up, down) = (pair(&learner, &leader), (leader, learner));
                thread::spawn(move || carry(up, |_| true));
                let door = self.clone();
                thread::spawn(move || carry(down, |so_far| door.lets(so_far)));
            }
        });
        port
    }

    fn lets(&self, so_far: usize) -> bool {
        let lets = so_far <= LET_THROUGH || self.open.load(Ordering::SeqCst);
        if !lets {
            self.cuts.fetch_add(1, Ordering::SeqCst);
        }
        lets
    }
}

fn pair(from: &TcpStream, to: &TcpStream) -> (TcpStream, TcpStream) {
    let twin = |stream: &TcpStream| stream.try_clone().expect("a file is left");
    (twin(from), twin(to))
}

/// Carries bytes until an end closes, or so many may not pass; then both ends are closed.
fn carry((mut from, mut to): (TcpStream, TcpStream), lets: impl Fn(usize) -> bool) {
    let mut carried = 0;
    let mut buffer = vec![0; 64 << 10];
    let mut step = || -> io::Result<bool> {
        let n = from.read(&mut buffer)?;
        carried += n;
        if n == 0 || !lets(carried) {
            return Ok(false);
        }
        to.write_all(&buffer[..n]).map(|()| true)
    };
    while step().is_ok_and(|more| more) {}
    for stream in [&from, &to] {
        // Closed already is as good.
        let _ = stream.shutdown(Shutdown::Both);
    }
}
