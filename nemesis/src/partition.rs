//! Partitions: iptables where it works, the switch where it does not, and the switch's memory for both.

use std::collections::BTreeMap;
use std::thread;

use serde::Serialize;

use crate::fault::{Cut, FaultId, Grudge};
use crate::host::Host;
use crate::iptables::{Action, Counted, Iptables, IptablesError, Rule};
use crate::lab::Lab;
use crate::switch::{Link, Policy};

/// What drops the packets.
#[derive(Debug)]
pub(crate) enum Backend {
    Iptables(Iptables),
    /// With the reason why it is not iptables.
    Switch(String),
    /// Nothing: the lab has no network of its own.
    Nothing,
}

/// A partition, as its rules need to know it.
#[derive(Clone, Debug)]
pub(crate) struct Rift {
    pub(crate) fault: FaultId,
    pub(crate) grudge: Grudge,
    pub(crate) cut: Cut,
}

/// A partition that ended: what each link lost, and what cannot be vouched for.
#[derive(Debug, Default)]
pub(crate) struct Mended {
    pub(crate) dropped: Vec<Dropped>,
    pub(crate) doubts: Vec<String>,
    /// TCP segments sent once more.
    pub(crate) n_replayed: usize,
}

#[derive(Debug, Serialize)]
pub(crate) struct Dropped {
    #[serde(flatten)]
    link: Link,
    action: Action,
    pub(crate) packets: u64,
}

/// Dropped packets per link when the partition began. The switch counts for all faults together.
pub(crate) type Baseline = BTreeMap<Link, u64>;

impl Backend {
    pub(crate) fn detect(lab: &Lab) -> Backend {
        if !lab.has_network() {
            return Backend::Nothing;
        }
        match Iptables::detect(lab.namespace(Host::Clients)) {
            Ok(iptables) => Backend::Iptables(iptables),
            Err(error) => Backend::Switch(error.to_string()),
        }
    }

    /// Puts the grudge in force. If that fails, as much as possible is undone and the sentence says what
    /// is left: `Err((reason, whether nothing is left))`.
    pub(crate) fn cut(
        &self,
        lab: &Lab,
        rift: &Rift,
        others: &Grudge,
    ) -> Result<Baseline, (String, bool)> {
        if matches!(self, Backend::Nothing) {
            return Err((NO_NETWORK.into(), true));
        }
        let links: Vec<_> = rift.grudge.iter().copied().collect();
        let baseline =
            links.iter().map(|&link| (link, lab.switch().traffic(link).dropped)).collect();
        let Backend::Iptables(iptables) = self else {
            if rift.cut != Cut::Everything {
                return Err((format!("{self} cuts whole links only; this needs iptables"), true));
            }
            let cut = lab.switch().set(&links, Policy::Cut);
            return cut.map(|_| baseline).map_err(|e| (e.to_string(), true));
        };
        if rift.cut != Cut::Reset {
            let hold = lab.switch().set(&links, Policy::Hold);
            hold.map_err(|e| (e.to_string(), true))?;
        }
        add_rules(iptables, lab, rift).map(|()| baseline).map_err(|reason| {
            match self.mend(lab, rift, others, &Baseline::new()) {
                Ok(_) => (reason, true),
                Err(left) => (format!("{reason}; and {left}"), false),
            }
        })
    }

    /// Ends it, except for the links that `others`, the partitions still in force, cut too.
    pub(crate) fn mend(
        &self,
        lab: &Lab,
        rift: &Rift,
        others: &Grudge,
        baseline: &Baseline,
    ) -> Result<Mended, String> {
        let mut mended = match self {
            Backend::Iptables(iptables) => remove_rules(iptables, lab, rift)?,
            Backend::Switch(_) => count_in_switch(lab, &rift.grudge, baseline),
            Backend::Nothing => return Ok(Mended::default()),
        };
        let free: Vec<_> = rift.grudge.difference(others).copied().collect();
        mended.n_replayed = lab.switch().set(&free, Policy::Forward).map_err(|e| e.to_string())?;
        Ok(mended)
    }

    /// Rules of ours, of whatever fault, that are in any namespace.
    pub(crate) fn leftovers(&self, lab: &Lab) -> Result<Vec<String>, String> {
        let Backend::Iptables(iptables) = self else { return Ok(Vec::new()) };
        let hosts = lab.nodes().into_iter().map(Host::from).chain([Host::Clients]);
        let mut left = Vec::new();
        for host in hosts {
            let rules = iptables.list(lab.namespace(host)).map_err(|e| e.to_string())?;
            left.extend(
                rules.iter().map(|rule| format!("{host} still has the rule {}", rule.spec)),
            );
        }
        Ok(left)
    }
}

impl std::fmt::Display for Backend {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Backend::Iptables(iptables) => f.write_str(iptables.version()),
            Backend::Switch(reason) => write!(f, "switch ({reason})"),
            Backend::Nothing => write!(f, "nothing ({NO_NETWORK})"),
        }
    }
}

/// Why no link can be broken.
pub(crate) const NO_NETWORK: &str = "the servers share this machine's loopback";

fn count_in_switch(lab: &Lab, grudge: &Grudge, baseline: &Baseline) -> Mended {
    let since = |link| {
        lab.switch().traffic(link).dropped - baseline.get(&link).copied().unwrap_or_default()
    };
    let dropped = grudge
        .iter()
        .map(|&link| Dropped { link, action: Action::Drop, packets: since(link) })
        .collect();
    Mended { dropped, ..Mended::default() }
}

/// The namespaces are changed at the same time, to keep the moment short in which only some are.
fn add_rules(iptables: &Iptables, lab: &Lab, rift: &Rift) -> Result<(), String> {
    let added = in_each_namespace(rift, |host, rules| {
        let ns = lab.namespace(host);
        iptables.add(ns, rules).map_err(|e| e.to_string())?;
        let listed = iptables.list(ns).map_err(|e| e.to_string())?;
        let missing = rules.iter().find(|rule| !present(rule, &listed));
        missing.map_or(Ok(()), |rule| Err(format!("{host} did not keep the rule {rule}")))
    });
    added.into_iter().collect()
}

fn remove_rules(iptables: &Iptables, lab: &Lab, rift: &Rift) -> Result<Mended, String> {
    let removed = in_each_namespace(rift, |host, rules| {
        remove_from(iptables, lab, host, rules).map_err(|e| format!("{host}: {e}"))
    });
    let mut all = Mended::default();
    for one in removed {
        let one = one?;
        all.dropped.extend(one.dropped);
        all.doubts.extend(one.doubts);
    }
    Ok(all)
}

/// Rules that somebody else took away are told; those that are there are removed, and looked for again.
fn remove_from(
    iptables: &Iptables,
    lab: &Lab,
    host: Host,
    rules: &[Rule],
) -> Result<Mended, IptablesError> {
    let ns = lab.namespace(host);
    let listed = iptables.list(ns)?;
    let (there, gone): (Vec<Rule>, Vec<Rule>) = rules.iter().partition(|r| present(r, &listed));
    if !there.is_empty() {
        iptables.remove(ns, &there)?;
    }
    let left = iptables.list(ns)?;
    if let Some(rule) = there.iter().find(|rule| present(rule, &left)) {
        return Err(IptablesError::Unfaithful(format!(
            "{host} still has {rule} after its removal"
        )));
    }
    let dropped = there.iter().map(|rule| dropped(rule, &listed)).collect();
    let doubts = gone.iter().map(|rule| format!("{host} had lost the rule {rule} before the heal"));
    Ok(Mended { dropped, doubts: doubts.collect(), n_replayed: 0 })
}

/// A port is one end of a connection, and its packets go both ways.
fn actions(cut: Cut) -> Vec<Action> {
    match cut {
        Cut::Everything => vec![Action::Drop],
        Cut::Port(port) => vec![Action::DropTo(port), Action::DropFrom(port)],
        Cut::Reset => vec![Action::Reset],
    }
}

fn present(rule: &Rule, listed: &[Counted]) -> bool {
    listed.iter().any(|counted| rule.is(counted))
}

fn dropped(rule: &Rule, listed: &[Counted]) -> Dropped {
    let counters = listed.iter().filter(|counted| rule.is(counted)).map(|c| c.packets);
    Dropped { link: rule.link, action: rule.action, packets: counters.sum() }
}

/// Rules live where the packets arrive. One result per receiving host.
fn in_each_namespace<T: Send>(rift: &Rift, work: impl Fn(Host, &[Rule]) -> T + Sync) -> Vec<T> {
    let mut by_receiver = BTreeMap::<Host, Vec<Rule>>::new();
    for &link in &rift.grudge {
        let rules =
            actions(rift.cut).into_iter().map(|action| Rule { fault: rift.fault, link, action });
        by_receiver.entry(link.dst).or_default().extend(rules);
    }
    let work = &work;
    thread::scope(|scope| {
        let started: Vec<_> = by_receiver
            .iter()
            .map(|(&host, rules)| scope.spawn(move || work(host, rules)))
            .collect();
        let join = |thread: thread::ScopedJoinHandle<'_, T>| {
            thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        };
        started.into_iter().map(join).collect()
    })
}
