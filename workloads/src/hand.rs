//! A client that is told each of its operations.

use std::sync::Arc;

use history::Recorder;

use crate::config::Config;
use crate::recorded::{RecordedClient, Shared};

/// One process of the history, which connects, writes and reads when it is told to, and never else.
#[derive(Debug)]
pub struct Hand(RecordedClient);

impl Hand {
    /// A process without a session.
    #[must_use]
    pub fn new(config: Arc<Config>, recorder: Recorder, process: u64) -> Hand {
        let shared = Shared { config, recorder, counter: Arc::default() };
        Hand(RecordedClient::new(shared, process, 0))
    }

    /// Opens a session on a server of the configuration, or goes on with its own there. Whether it
    /// is connected.
    pub async fn connect(&mut self, server_idx: usize) -> bool {
        self.0.connect(server_idx).await;
        self.0.is_connected()
    }

    /// `setData` whatever the version.
    pub async fn write(&mut self, key: &str, value: i64) {
        self.0.write(key, value).await;
    }

    /// `sync`, then `getData`.
    pub async fn read(&mut self, key: &str) {
        self.0.read(key).await;
    }
}
