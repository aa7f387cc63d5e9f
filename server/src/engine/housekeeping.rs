//! What happens every half tick: sessions are reported to the leader, and expired by it.

use tracing::info;

use super::Engine;
use crate::links::Frame;

impl Engine {
    pub(super) fn housekeeping(&mut self) {
        if !self.role.serving() {
            return;
        }
        let touched = std::mem::take(&mut self.touched);
        match self.role {
            zab::Role::Following { leader, .. } if !touched.is_empty() => {
                self.send(leader, Frame::Touched(touched.into_iter().collect()));
            }
            zab::Role::Leading { .. } => self.expire(touched),
            _ => {}
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
