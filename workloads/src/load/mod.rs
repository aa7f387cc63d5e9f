//! A load: many sessions, each with several requests in flight, as fast as the servers answer.
//!
//! This is for measuring, not for judging: nothing is recorded but how long each request took. But
//! no reply counts before it is decoded and is the one expected, and the first that is not ends the
//! load with an error; a benchmark that counts failures as operations measures nothing.

mod bare;
mod connection;
mod share;
mod work;

use std::net::SocketAddr;
use std::num::NonZero;
use std::thread::available_parallelism;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::Instant;
use wire::Request;

use crate::client::{Client, ConnectError};
use crate::setup;
use connection::{Sample, Window};
use share::Samples;

pub use bare::Bare;
pub use work::Work;

/// What to do, how much of it, and where.
#[derive(Clone, Debug)]
pub struct Load {
    /// The servers; session i is on server i modulo their number.
    pub servers: Vec<SocketAddr>,
    /// Sessions.
    pub clients: usize,
    /// Requests that each has in flight.
    pub depth: usize,
    /// What they do.
    pub work: Work,
    /// The znode below which they do it; it is created if it does not exist.
    pub root: String,
    /// Bytes of data in each znode below it.
    pub data_len: usize,
    /// How much they do.
    pub amount: Amount,
    /// A session that hears nothing for so long, with requests open, fails the load.
    pub patience: Duration,
}

/// How much.
#[derive(Clone, Debug)]
pub enum Amount {
    /// As much as possible for a while. What is answered in the lead-in is not counted: pipelines
    /// fill in it.
    Time {
        /// Before what is measured.
        lead_in: Duration,
        /// What is measured.
        measured: Duration,
    },
    /// So many requests, session by session.
    Requests(Vec<u64>),
}

/// What came of it.
#[derive(Clone, Debug)]
pub struct Measured {
    /// Requests answered as expected while it was measured.
    pub requests: u64,
    /// How long it was measured.
    pub elapsed: Duration,
    /// How long each of the requests took, in microseconds, ascending.
    pub latencies_us: Vec<u32>,
    /// Requests answered in all, lead-in and tail included, session by session.
    pub by_client: Vec<u64>,
}

impl Measured {
    /// Requests answered per second.
    #[must_use]
    pub fn per_second(&self) -> f64 {
        self.requests as f64 / self.elapsed.as_secs_f64()
    }

    /// The latency, in microseconds, that a fraction `q` of the requests does not exceed; 0 if there
    /// are none.
    #[must_use]
    pub fn quantile_us(&self, q: f64) -> u32 {
        let rank = (self.latencies_us.len() as f64 * q).ceil() as usize;
        self.latencies_us.get(rank.saturating_sub(1)).copied().unwrap_or(0)
    }
}

/// Why a load measured nothing.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// No session.
    #[error("{0}: {1}")]
    Connect(SocketAddr, #[source] ConnectError),
    /// The znode below which it was to work could not be created.
    #[error("{0}: {1} cannot be created: {2}")]
    Root(SocketAddr, String, String),
    /// The connection broke, or its stream makes no sense.
    #[error("{0}: {1}")]
    Lost(SocketAddr, String),
    /// A reply that is not the one expected.
    #[error("{server} answered a {what} wrongly: {why}")]
    Wrong {
        /// Which server.
        server: SocketAddr,
        /// The request: "create of /bench/3-17".
        what: String,
        /// What is wrong.
        why: String,
    },
    /// Requests open and no answer for so long.
    #[error("{0}: no answer within {1:?}")]
    Silent(SocketAddr, Duration),
    /// One of its threads did not start, or panicked.
    #[error("a thread of the load: {0}")]
    Thread(String),
}

/// Opens the sessions, lets them all go at once, and closes them. There is a thread for each
/// processor, and each has its share of the sessions of every server.
///
/// # Errors
/// On the first request that is not answered as expected.
pub async fn load(load: &Load) -> Result<Measured, LoadError> {
    create_root(load).await?;
    let (go, start) = watch::channel(None);
    let shares = open(load, &start).await?;
    let start = Instant::now();
    go.send_replace(Some(start));
    let samples = ended(shares).await?;
    Ok(measured(samples, start, Window::new(start, &load.amount)))
}

async fn create_root(load: &Load) -> Result<(), LoadError> {
    let server = load.servers[0];
    let connected = Client::connect(&connection::endpoint(server, load), None).await;
    let mut client = connected.map_err(|error| LoadError::Connect(server, error))?;
    let failed = |why| LoadError::Root(server, load.root.clone(), why);
    setup::create(&mut client, &load.root).await.map_err(failed)?;
    let closed = client.call(&Request::CloseSession).await;
    closed.map(drop).map_err(|error| LoadError::Lost(server, error.to_string()))
}

/// Starts the threads; returns when all sessions are open.
async fn open(load: &Load, start: &share::Start) -> Result<Vec<Samples>, LoadError> {
    let n_threads = available_parallelism().map_or(1, NonZero::get).min(load.clients);
    let (opened, mut openings) = mpsc::unbounded_channel();
    let mut shares = Vec::new();
    for n in 0..n_threads {
        let clients = (n..load.clients).step_by(n_threads).collect();
        shares.push(share::spawn(clients, load, opened.clone(), start.clone())?);
    }
    drop(opened);
    for _ in 0..n_threads {
        let before = || LoadError::Thread("it ended before the start".to_owned());
        openings.recv().await.ok_or_else(before)??;
    }
    Ok(shares)
}

/// What all of them measured; the first error at once.
async fn ended(shares: Vec<Samples>) -> Result<Vec<Sample>, LoadError> {
    let mut ending: JoinSet<_> = shares.into_iter().collect();
    let mut samples = Vec::new();
    while let Some(share) = ending.join_next().await {
        let vanished = || LoadError::Thread("it vanished".to_owned());
        samples.extend(share.ok().and_then(Result::ok).ok_or_else(vanished)??);
    }
    Ok(samples)
}

fn measured(mut samples: Vec<Sample>, start: Instant, window: Window) -> Measured {
    samples.sort_by_key(|sample| sample.client);
    let ended = samples.iter().map(|sample| sample.ended).max().unwrap_or(start);
    let mut latencies_us: Vec<u32> =
        samples.iter_mut().flat_map(|sample| std::mem::take(&mut sample.latencies_us)).collect();
    latencies_us.sort_unstable();
    Measured {
        requests: latencies_us.len() as u64,
        elapsed: window.length().unwrap_or(ended - start),
        latencies_us,
        by_client: samples.iter().map(|sample| sample.answered).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn measured(latencies_us: Vec<u32>) -> Measured {
        let requests = latencies_us.len() as u64;
        let elapsed = Duration::from_millis(500);
        Measured { requests, elapsed, latencies_us, by_client: Vec::new() }
    }

    #[test]
    fn quantiles_are_latencies_that_occurred() {
        let hundred = measured((1..=100).collect());
        assert_eq!([0.0, 0.5, 0.99, 1.0].map(|q| hundred.quantile_us(q)), [1, 50, 99, 100]);
        assert_eq!(measured(vec![7]).quantile_us(0.99), 7);
        assert_eq!(measured(Vec::new()).quantile_us(0.5), 0);
    }

    #[test]
    fn rates_are_per_second() {
        assert!((measured(vec![1; 50]).per_second() - 100.0).abs() < 1e-9);
    }
}
