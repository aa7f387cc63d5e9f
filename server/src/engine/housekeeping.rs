//! What happens every half tick: sessions are reported to the leader, and expired by it; so are
//! containers and znodes with a time to live.

use tracing::info;

use super::Engine;
use super::requests::wall_clock_ms;
use crate::Mutant;
use crate::links::Frame;

impl Engine {
    pub(super) fn housekeeping(&mut self) {
        if matches!(self.role, zab::Role::Leading { serving: true, .. }) {
            self.compare();
        }
        if !self.serving() {
            return self.without_a_quorum();
        }
        let touched = std::mem::take(&mut self.touched);
        match self.upstream() {
            None => {
                self.expire(touched);
                self.reap();
            }
            Some(_) if self.mutant == Some(Mutant::UnreportedTouches) => {}
            Some(leader) if !touched.is_empty() => {
                self.send(leader, Frame::Touched(touched.into_iter().collect()));
            }
            Some(_) => {}
        }
    }

    /// Deletes are proposed, not done: every replica judges anew when it applies them.
    fn reap(&mut self) {
        let now = self.now();
        if now < self.reap_at {
            return;
        }
        self.reap_at = now + self.config.container_check_ms;
        let time_ms = wall_clock_ms();
        for path in self.tree.reapable(time_ms, self.config.container_max) {
            let origin = self.next_origin();
            self.submit(origin, tree::Txn::Reap { path, time_ms });
        }
    }

    fn expire(&mut self, touched: impl IntoIterator<Item = i64>) {
        let now = self.now();
        touched.into_iter().for_each(|id| self.sessions.touch(id, now));
        for id in self.sessions.expired(now) {
            info!(session = format!("{id:#x}"), "session expired");
            self.metrics.expired += 1;
            let origin = self.next_origin();
            self.submit(origin, tree::Txn::CloseSession { id });
        }
    }
}
