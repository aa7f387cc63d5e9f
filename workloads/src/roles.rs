//! Watches the servers' roles while a run goes on.

use std::net::IpAddr;
use std::time::Duration;

use history::{Draft, Kind, Process, Recorder, RoleEvent, f};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval};

use crate::config::Server;
use crate::probe::{Observation, Role, probe};

/// The servers' roles as last observed, by position in the list of servers.
///
/// Cheap to clone, and readable outside the async runtime. Roles are what servers claim: a leader
/// that was paused or cut off goes on claiming until it notices.
#[derive(Clone, Debug)]
pub struct RoleView(watch::Receiver<Vec<Observation>>);

impl RoleView {
    /// What was last observed of each server.
    #[must_use]
    pub fn observations(&self) -> Vec<Observation> {
        self.0.borrow().clone()
    }

    /// The current leader: of the servers that claim to lead, the one of the newest epoch.
    #[must_use]
    pub fn leader(&self) -> Option<usize> {
        leader(&self.0.borrow())
    }

    /// Whether one server leads and all the others follow it.
    #[must_use]
    pub fn settled(&self) -> bool {
        settled(&self.0.borrow())
    }

    /// Waits until [`settled`](RoleView::settled). Never returns when the watcher was dropped
    /// before: bound it with a timeout.
    pub async fn until_settled(&mut self) {
        if self.0.wait_for(|seen| settled(seen)).await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

/// Probes every server each `period` and records each change of role or epoch. Runs until the
/// returned guard is dropped.
///
/// # Panics
/// Outside a tokio runtime.
#[must_use = "the watcher stops when this is dropped"]
pub fn watch_roles(
    servers: &[Server],
    source: Option<IpAddr>,
    period: Duration,
    recorder: &Recorder,
) -> RoleWatcher {
    let (sender, receiver) = watch::channel(vec![Observation::UNREACHABLE; servers.len()]);
    let mut tasks = JoinSet::new();
    for (idx, server) in servers.iter().cloned().enumerate() {
        let watcher = Watcher { idx, server, source, period, recorder: recorder.clone() };
        tasks.spawn(watcher.run(sender.clone()));
    }
    RoleWatcher { view: RoleView(receiver), _tasks: tasks }
}

/// Owns the probing tasks.
#[derive(Debug)]
pub struct RoleWatcher {
    view: RoleView,
    _tasks: JoinSet<()>,
}

impl RoleWatcher {
    /// What the probes see.
    #[must_use]
    pub fn view(&self) -> RoleView {
        self.view.clone()
    }
}

/// A server answers `srvr` in well under a millisecond, unless something is wrong with it.
const PROBE_TIMEOUT: Duration = Duration::from_millis(200);

/// Watches one server; servers are independent, so that a silent one delays no other.
struct Watcher {
    idx: usize,
    server: Server,
    source: Option<IpAddr>,
    period: Duration,
    recorder: Recorder,
}

impl Watcher {
    async fn run(self, seen: watch::Sender<Vec<Observation>>) {
        let mut recorded = None;
        let mut ticks = interval(self.period);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            let now = probe(self.server.addr, self.source, PROBE_TIMEOUT).await;
            let event = event(&now);
            if recorded.as_ref() != Some(&event) {
                self.record(&event);
                recorded = Some(event);
            }
            seen.send_modify(|all| all[self.idx] = now);
        }
    }

    fn record(&self, event: &RoleEvent) {
        let draft = Draft::new(Process::probe(), Kind::Info, f::ROLE);
        self.recorder.record(draft.node(&self.server.name).value(event));
    }
}

fn event(seen: &Observation) -> RoleEvent {
    RoleEvent { role: seen.role.name().into(), epoch: seen.epoch() }
}

fn leader(seen: &[Observation]) -> Option<usize> {
    let leading = seen.iter().enumerate().filter(|(_, o)| o.role == Role::Leader);
    leading.max_by_key(|(_, o)| o.epoch()).map(|(idx, _)| idx)
}

fn settled(seen: &[Observation]) -> bool {
    let count = |role| seen.iter().filter(|o| o.role == role).count();
    count(Role::Leader) == 1 && count(Role::Follower) == seen.len() - 1
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(role: Role, epoch: u64) -> Observation {
        Observation { role, zxid: Some(epoch << 32 | 5) }
    }

    #[test]
    fn the_newest_epoch_leads() {
        let old = at(Role::Leader, 2);
        let new = at(Role::Leader, 3);
        let follower = at(Role::Follower, 4);
        assert_eq!(leader(&[old, follower, new]), Some(2));
        assert_eq!(leader(&[new, follower, old]), Some(0));
        assert_eq!(leader(&[follower, Observation::UNREACHABLE]), None);
    }

    #[test]
    fn settled_means_one_leader_and_only_followers() {
        let (l, f) = (at(Role::Leader, 1), at(Role::Follower, 1));
        assert!(settled(&[f, l, f]));
        assert!(settled(&[l]));
        assert!(!settled(&[l, l, f]));
        assert!(!settled(&[f, f, f]));
        assert!(!settled(&[l, f, Observation::UNREACHABLE]));
    }
}
