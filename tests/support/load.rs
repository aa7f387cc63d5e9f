//! Clients that write all the time, whatever happens to the servers, and remember what was
//! acknowledged.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{JoinHandle, sleep};
use std::time::{Duration, Instant};

use wire::ErrorCode;

use super::client::{Client, Session};

/// Between two attempts to reach a server.
const RETRY: Duration = Duration::from_millis(5);

/// Clients at work.
pub(crate) struct Load {
    stop: Arc<AtomicBool>,
    writers: Vec<JoinHandle<Written>>,
}

/// What one of them did.
pub(crate) struct Written {
    /// Znodes that it was told exist, by path.
    pub(crate) acknowledged: Vec<String>,
    /// The longest time that one write took, with all attempts.
    pub(crate) longest: Duration,
    /// How often it had to connect again.
    pub(crate) reconnects: usize,
}

impl Load {
    /// Starts `n` clients, each of which begins with another of the servers.
    pub(crate) fn start(n: usize, addrs: &[SocketAddr]) -> Load {
        let stop = Arc::new(AtomicBool::new(false));
        let writer = |id: usize| {
            let (stop, addrs) = (stop.clone(), addrs.to_vec());
            std::thread::spawn(move || Writer::new(id, addrs).work(&stop))
        };
        let writers = (0..n).map(writer).collect();
        Load { stop, writers }
    }

    /// Ends it; what each client did.
    pub(crate) fn finish(self) -> Vec<Written> {
        self.stop.store(true, Ordering::Relaxed);
        self.writers.into_iter().map(|writer| writer.join().expect("its session lives")).collect()
    }
}

struct Writer {
    id: usize,
    addrs: Vec<SocketAddr>,
    /// Where it is connected, or tries to be.
    at: usize,
    client: Option<Client>,
    session: Session,
    written: Written,
}

impl Writer {
    fn new(id: usize, addrs: Vec<SocketAddr>) -> Writer {
        let longest = Duration::ZERO;
        let written = Written { acknowledged: Vec::new(), longest, reconnects: 0 };
        Writer { id, addrs, at: id, client: None, session: Session::default(), written }
    }

    fn work(mut self, stop: &AtomicBool) -> Written {
        for n in 0.. {
            if stop.load(Ordering::Relaxed) {
                break;
            }
            let path = format!("/w{}-{n}", self.id);
            let begin = Instant::now();
            self.write(&path);
            // The first has to wait for the session.
            if n > 0 {
                self.written.longest = self.written.longest.max(begin.elapsed());
            }
            self.written.acknowledged.push(path);
        }
        self.written
    }

    /// Until it is acknowledged. An attempt that broke off may have succeeded: then the znode is
    /// there.
    fn write(&mut self, path: &str) {
        let deadline = Instant::now() + Duration::from_secs(30);
        loop {
            assert!(Instant::now() < deadline, "client {}: no answer for {path}", self.id);
            let client = match self.client.take() {
                Some(client) => Some(client),
                None => self.connect(),
            };
            let Some(mut client) = client else { continue };
            if let Ok(answer) = client.create(path, b"x") {
                self.session = client.session();
                self.client = Some(client);
                match answer.result {
                    Ok(_) | Err(ErrorCode::NodeExists) => return,
                    Err(code) => panic!("client {}: {path}: {code:?}", self.id),
                }
            }
        }
    }

    /// One attempt, on the next server. It is never told that its session is over.
    fn connect(&mut self) -> Option<Client> {
        self.at = (self.at + 1) % self.addrs.len();
        let resumed = Client::resume(self.addrs[self.at], self.session.clone());
        match resumed {
            Ok(Some(client)) => {
                self.written.reconnects += 1;
                self.session = client.session();
                Some(client)
            }
            Ok(None) => panic!("client {}: its session was lost", self.id),
            Err(_) => {
                sleep(RETRY);
                None
            }
        }
    }
}
