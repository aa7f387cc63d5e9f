//! When servers were held still, so that they could keep no time.

use std::collections::BTreeMap;

use history::{FaultEvent, FaultStep, History};

/// From when to when, nanoseconds since the start.
type Interval = (u64, u64);

/// The faults that stop a process and let it go on: while it is stopped it cannot notice that time
/// passes, and no promise of time can bind it.
const STOPPING: [&str; 3] = ["pause", "slow", "scenario"];

/// When each server was stopped.
#[derive(Debug, Default)]
pub(crate) struct Stops {
    /// In order, each joined with those that it overlaps.
    by_node: BTreeMap<String, Vec<Interval>>,
}

impl Stops {
    pub(crate) fn of(history: &History) -> Stops {
        let mut by_node: BTreeMap<String, Vec<Interval>> = BTreeMap::new();
        let mut begun: BTreeMap<u32, u64> = BTreeMap::new();
        for at in &history.faults {
            let FaultEvent { fault, step, nodes, .. } = &at.what;
            if !stops(&at.what.kind) {
                continue;
            }
            let from = *begun.entry(*fault).or_insert(at.time);
            if *step == FaultStep::Injected || *step == FaultStep::Healed {
                // Until it is known to be healed, it may last.
                let to = if *step == FaultStep::Healed { at.time } else { history.end };
                for node in nodes {
                    by_node.entry(node.clone()).or_default().push((from, to));
                }
                if *step == FaultStep::Healed {
                    by_node.values_mut().for_each(|known| close(known, from, to));
                }
            }
        }
        by_node.values_mut().for_each(join);
        Stops { by_node }
    }

    /// The point before `time` from which on `node` has run for `length`; 0 if it never has.
    pub(crate) fn ran_since(&self, node: Option<&str>, time: u64, length: u64) -> u64 {
        let mut from = time.saturating_sub(length);
        let stops = node.and_then(|node| self.by_node.get(node)).map_or(&[][..], |all| all);
        for (begin, end) in stops.iter().rev().filter(|(begin, _)| *begin < time) {
            if *end > from {
                from = from.saturating_sub(end.min(&time) - begin);
            }
        }
        from
    }

    /// Was `node` stopped at some time between these?
    pub(crate) fn stopped(&self, node: Option<&str>, from: u64, to: u64) -> bool {
        let stops = node.and_then(|node| self.by_node.get(node)).map_or(&[][..], |all| all);
        stops.iter().any(|(begin, end)| *begin <= to && from <= *end)
    }

    /// How long servers were stopped between these, all together.
    pub(crate) fn total(&self, from: u64, to: u64) -> u64 {
        let all = self.by_node.values().flatten();
        all.map(|(begin, end)| end.min(&to).saturating_sub(*begin.max(&from))).sum()
    }
}

fn stops(kind: &str) -> bool {
    STOPPING.contains(&kind.split(':').next().unwrap_or(kind))
}

/// What was open from `from` on has ended.
fn close(known: &mut [Interval], from: u64, to: u64) {
    known.iter_mut().filter(|stop| stop.0 == from).for_each(|stop| stop.1 = to);
}

fn join(stops: &mut Vec<Interval>) {
    stops.sort_unstable();
    let mut joined: Vec<Interval> = Vec::new();
    for &(begin, end) in stops.iter() {
        match joined.last_mut() {
            Some(last) if begin <= last.1 => last.1 = last.1.max(end),
            _ => joined.push((begin, end)),
        }
    }
    *stops = joined;
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stops() -> Stops {
        let mut of_n1 = vec![(50, 70), (10, 30), (20, 40)];
        join(&mut of_n1);
        Stops { by_node: BTreeMap::from([("n1".to_owned(), of_n1)]) }
    }

    #[test]
    fn time_stands_still_for_who_is_stopped() {
        let since = |time, length| stops().ran_since(Some("n1"), time, length);
        assert_eq!(since(100, 30), 70, "it has run since its last stop");
        assert_eq!(since(100, 35), 45, "20 of it was a stop");
        assert_eq!(since(100, 45), 5, "both stops");
        assert_eq!(since(60, 5), 45, "stopped at that time");
        assert_eq!(since(100, 99), 0);
        assert_eq!(stops().ran_since(Some("n2"), 100, 35), 65);
    }

    #[test]
    fn overlaps_are_seen_and_added_up() {
        assert!(stops().stopped(Some("n1"), 40, 45) && !stops().stopped(Some("n1"), 41, 49));
        assert!(!stops().stopped(None, 0, 100));
        assert_eq!(stops().total(35, 60), 15);
    }
}
