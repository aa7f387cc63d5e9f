//! One session that gets its request through: on whichever server, at once when one fails.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::time::{Instant, sleep};
use wire::{Acl, CreateMode, ErrorCode, Request, Response};

use crate::client::{Client, ConnectError, Endpoint, Resume};
use crate::outcome::{Refusal, Reply};

/// A session for measuring how long nobody answers. It goes to the next server whenever a request
/// fails, without waiting, and asks again; so it is no client for a history, where each attempt counts.
#[derive(Debug)]
pub struct Retrying {
    servers: Vec<SocketAddr>,
    at: usize,
    client: Option<Client>,
    resume: Option<Resume>,
}

/// Nobody answered well for so long.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no server did it within {within:?}; last, {last}")]
pub struct GaveUp {
    /// How long it was tried.
    pub within: Duration,
    /// What the last attempt failed with, and where.
    pub last: String,
}

const SESSION_TIMEOUT: Duration = Duration::from_secs(20);
/// A server that takes the connection and says nothing is given up.
const ANSWER_WITHIN: Duration = Duration::from_secs(2);
/// Between attempts, so that they do not take the processor from the servers.
const BREATH: Duration = Duration::from_millis(1);

impl Retrying {
    /// Has no session yet, and begins with `servers[first]`.
    #[must_use]
    pub fn new(servers: Vec<SocketAddr>, first: usize) -> Retrying {
        Retrying { servers, at: first, client: None, resume: None }
    }

    /// Creates a znode, empty; it may exist.
    ///
    /// # Errors
    /// When no server has acknowledged it in time.
    pub async fn create(&mut self, path: &str, within: Duration) -> Result<(), GaveUp> {
        let flags = CreateMode::Persistent.flags();
        let data = Some([].into());
        let request = Request::Create { path: path.to_owned(), data, acl: Acl::open(), flags };
        let exists = Refusal(ErrorCode::NodeExists as i32);
        self.until(&request, within, |result| result.is_ok() || *result == Err(exists)).await
    }

    /// Sets a znode's data.
    ///
    /// # Errors
    /// When no server has acknowledged it in time.
    pub async fn set(&mut self, path: &str, within: Duration) -> Result<(), GaveUp> {
        let data = Some((*b"written").into());
        let request = Request::SetData { path: path.to_owned(), data, version: -1 };
        self.until(&request, within, Result::is_ok).await
    }

    /// Reads a znode, of which the data must have this length.
    ///
    /// # Errors
    /// When no server has answered so in time.
    pub async fn read(
        &mut self,
        path: &str,
        data_len: usize,
        within: Duration,
    ) -> Result<(), GaveUp> {
        let request = Request::GetData { path: path.to_owned(), watch: false };
        let good = |result: &Result<Option<Response>, Refusal>| matches!(result, Ok(Some(Response::GetData { data: Some(data), .. })) if data.len() == data_len);
        self.until(&request, within, good).await
    }

    async fn until(
        &mut self,
        request: &Request,
        within: Duration,
        good: impl Fn(&Result<Option<Response>, Refusal>) -> bool,
    ) -> Result<(), GaveUp> {
        let deadline = Instant::now() + within;
        loop {
            let server = self.servers[self.at];
            let last = match self.attempt(request).await {
                Ok(reply) if good(&reply.result) => return Ok(()),
                Ok(reply) => format!("{server}: {:?}", reply.result),
                Err(error) => format!("{server}: {error}"),
            };
            if Instant::now() >= deadline {
                return Err(GaveUp { within, last });
            }
            self.go_on_to_the_next();
            sleep(BREATH).await;
        }
    }

    async fn attempt(&mut self, request: &Request) -> Result<Reply, String> {
        if self.client.is_none() {
            self.client = Some(self.connect().await.map_err(|error| error.to_string())?);
        }
        let client = self.client.as_mut().expect("connected above");
        client.call(request).await.map_err(|error| error.to_string())
    }

    async fn connect(&mut self) -> Result<Client, ConnectError> {
        let to = Endpoint {
            addr: self.servers[self.at],
            source: None,
            session_timeout: SESSION_TIMEOUT,
            op_timeout: ANSWER_WITHIN,
        };
        let connected = Client::connect(&to, self.resume.as_ref()).await;
        if matches!(connected, Err(ConnectError::Expired)) {
            self.resume = None;
        }
        connected
    }

    fn go_on_to_the_next(&mut self) {
        if let Some(client) = self.client.take() {
            self.resume = Some(client.leave());
        }
        self.at = (self.at + 1) % self.servers.len();
    }
}
