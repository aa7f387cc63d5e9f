//! The end of a server that is told to stop. What it leaves undone, others would have to guess.

use std::time::Duration;

use tokio::time::Instant;
use tracing::info;

use super::Engine;

/// How long a leader waits for what it has proposed to be committed.
const COMMITMENT: Duration = Duration::from_millis(500);
/// How long the last words to the other servers may take.
const FAREWELL: Duration = Duration::from_millis(200);

impl Engine {
    /// From now on a leader takes no more writes.
    pub(super) fn stop(&mut self) {
        info!("stopping");
        self.stop_by.get_or_insert(Instant::now() + COMMITMENT);
    }

    pub(super) fn stopping(&self) -> bool {
        self.stop_by.is_some()
    }

    /// Told to stop, and nothing that others wait for is under way here.
    pub(super) fn may_end(&self) -> bool {
        let outstanding = self.leading() && self.peer.delivered() < self.peer.last_logged();
        self.stop_by.is_some_and(|stop_by| !outstanding || stop_by <= Instant::now())
    }

    /// The others hear all that was said, then that this server is gone: its learners look for
    /// another leader at once. Its clients get their last replies.
    pub(super) async fn farewell(mut self) {
        self.drop_clients();
        let channels = std::mem::take(&mut self.channels);
        let ends = channels.into_values().map(|channel| tokio::spawn(channel.finish(FAREWELL)));
        for end in ends.collect::<Vec<_>>() {
            let _aborted = end.await;
        }
    }
}
