//! The world's disks: when writes become durable, and what they must not undo.

use rand::Rng;
use zab::{Input, ServerId, Store};

use super::oracle::{App, Kind};
use super::world::{Event, World};

impl World {
    pub(crate) fn schedule_flush(&mut self, id: ServerId) {
        if !self.node(id).flushing {
            self.node(id).flushing = true;
            let incarnation = self.node(id).incarnation;
            let slowness = self.node(id).slowness;
            let delay = self.rng.random_range(1..=self.habits.flush_us * slowness);
            self.after(delay, Event::Flush { id, incarnation });
        }
    }

    pub(crate) fn flush(&mut self, id: ServerId, incarnation: u32) {
        let node = self.nodes.get_mut(&id).expect("flushes are of voters");
        if node.peer.is_none() || node.incarnation != incarnation {
            return;
        }
        let ops = self.rng.random_range(1..=node.disk.pending());
        for _ in 0..ops {
            self.flush_one(id);
        }
        let node = self.node(id);
        node.flushing = false;
        if node.disk.pending() > 0 {
            self.schedule_flush(id);
        }
        self.step(id, Input::Stored { ops });
    }

    /// No cut and no replacement of the log may drop what is committed.
    pub(crate) fn flush_one(&mut self, id: ServerId) {
        let (disk, oracle) = (&mut self.nodes.get_mut(&id).expect("a voter").disk, &self.oracle);
        if matches!(
            disk.next(),
            Some(Store::Append(_) | Store::Epochs { .. } | Store::Settled { .. })
        ) {
            return disk.flush(1);
        }
        let before = oracle.committed_on(|zxid| disk.holds(zxid));
        disk.flush(1);
        let after = oracle.committed_on(|zxid| disk.holds(zxid));
        if after < before {
            let what = format!("the disk of {id} dropped {} committed entries", before - after);
            self.oracle.violated(Kind::Undurable, what);
        }
    }

    pub(crate) fn snapshot(&mut self, id: ServerId, incarnation: u32, app: App) {
        let node = self.node(id);
        if node.peer.is_some() && node.incarnation == incarnation {
            if node.disk.snapshot.zxid < app.zxid {
                node.disk.snapshot = app;
            }
            self.step(id, Input::Compact { upto: app.zxid });
        }
    }
}
