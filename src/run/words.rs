//! Faults in words.

use std::collections::{BTreeMap, BTreeSet};

use nemesis::fault::{Ailment, Damage, Grudge, Motion};
use nemesis::{Fault, FaultSpec, Host, Loss, NodeId};

/// The first word of the kind: `kill`, `partition`, `link`, ….
pub(super) fn family(spec: &FaultSpec) -> &'static str {
    match spec {
        FaultSpec::Kill { .. } => "kill",
        FaultSpec::Pause { .. } | FaultSpec::Rolling => "pause",
        FaultSpec::Partition { .. } => "partition",
        FaultSpec::Link { .. } => "link",
        FaultSpec::Restart { .. } => "restart",
        FaultSpec::Slow { .. } => "slow",
        FaultSpec::Memory { .. } => "memory",
        FaultSpec::CrashLoop => "crash-loop",
        FaultSpec::Wipe => "wipe",
        FaultSpec::Clock { .. } => "clock",
        FaultSpec::Scenario { .. } => "scenario",
        FaultSpec::PowerCut { .. } | FaultSpec::Disk { .. } | FaultSpec::Damage { .. } => "disk",
    }
}

/// The same of a fault whose targets are known.
pub(super) fn family_of(fault: &Fault) -> &'static str {
    match fault {
        Fault::Kill { .. } => "kill",
        Fault::Pause { .. } | Fault::Rolling { .. } => "pause",
        Fault::Partition { .. } => "partition",
        Fault::Link { .. } => "link",
        Fault::Restart { .. } => "restart",
        Fault::Slow { .. } => "slow",
        Fault::Memory { .. } => "memory",
        Fault::CrashLoop { .. } => "crash-loop",
        Fault::Wipe { .. } => "wipe",
        Fault::Clock { .. } => "clock",
        Fault::PowerCut { .. } | Fault::Disk { .. } | Fault::Damage { .. } => "disk",
    }
}

/// The servers that a fault is for; of a partition, those that drop packets.
pub(super) fn nodes(fault: &Fault) -> Vec<String> {
    match fault {
        Fault::Kill { nodes }
        | Fault::Pause { nodes }
        | Fault::Restart { nodes }
        | Fault::Rolling { order: nodes, .. }
        | Fault::Slow { nodes, .. }
        | Fault::Memory { nodes, .. }
        | Fault::CrashLoop { nodes, .. }
        | Fault::Clock { nodes, .. }
        | Fault::PowerCut { nodes, .. }
        | Fault::Disk { nodes, .. }
        | Fault::Damage { nodes, .. }
        | Fault::Wipe { nodes } => nodes.iter().map(ToString::to_string).collect(),
        Fault::Partition { grudge, .. } | Fault::Link { links: grudge, .. } => {
            let hosts: BTreeSet<Host> = grudge.iter().map(|link| link.dst).collect();
            hosts.iter().map(ToString::to_string).collect()
        }
    }
}

/// What is done, and to whom: `kill -9 n3 (leader)`, `n1 n2 | n3 n4 n5`.
pub(super) fn describe(fault: &Fault, leader: Option<NodeId>) -> String {
    let named = |nodes: &[NodeId]| {
        let name = |node: &NodeId| match Some(*node) == leader {
            true => format!("{node} (leader)"),
            false => node.to_string(),
        };
        nodes.iter().map(name).collect::<Vec<_>>().join(" ")
    };
    match fault {
        Fault::Kill { nodes } => format!("kill -9 {}", named(nodes)),
        Fault::Pause { nodes } => format!("SIGSTOP {}", named(nodes)),
        Fault::Partition { shape, grudge, .. } => format!("{shape}: {}", divide(grudge)),
        Fault::Restart { nodes } => format!("SIGTERM {}, then start", named(nodes)),
        Fault::Rolling { order, turn_ms } => {
            format!("SIGSTOP in turn, {turn_ms} ms each: {}", named(order))
        }
        Fault::Slow { nodes, stop_ms } => {
            format!(
                "little CPU (stopped for {stop_ms} of {} ms): {}",
                stop_ms * 5 / 4,
                named(nodes)
            )
        }
        Fault::Memory { nodes, spare } => {
            format!("no more memory but {} MiB: {}", spare >> 20, named(nodes))
        }
        Fault::CrashLoop { nodes, up_ms } => {
            format!("kill -9 and start, every {up_ms} ms: {}", named(nodes))
        }
        Fault::Clock { nodes, motion, offset_ms } => {
            let offset = *offset_ms as f64 / 1000.0;
            let how = match motion {
                Motion::Jump => "",
                Motion::Strobe => ", to and fro",
                Motion::Drift => " in each second",
            };
            format!("clock {offset:+} s{how}: {}", named(nodes))
        }
        Fault::Wipe { nodes } => format!("kill -9 and empty disk: {}", named(nodes)),
        Fault::PowerCut { nodes, loss, fsyncs_fail, .. } => {
            let what = match loss {
                Loss::Everything => "",
                Loss::Torn => ", torn writes",
                Loss::Scattered => ", scattered writes",
            };
            let before = if *fsyncs_fail { "failing fsyncs, then a " } else { "" };
            format!("{before}power cut{what}: {}", named(nodes))
        }
        Fault::Disk { nodes, ailment, size } => {
            let what = match ailment {
                Ailment::FsyncError => "every fsync fails".to_owned(),
                Ailment::Eio => "every read, write and fsync fails".to_owned(),
                Ailment::Full => format!("disk full but for {size} bytes"),
                Ailment::Slow => format!("every fsync takes {size} ms"),
                Ailment::SlowCreate => format!("every new file takes {size} ms"),
            };
            format!("{what}: {}", named(nodes))
        }
        Fault::Damage { nodes, damage, .. } => {
            let what = match damage {
                Damage::BitFlip => "a flipped bit",
                Damage::MisdirectedWrite => "a misdirected write",
                Damage::TruncatedTail => "a truncated tail",
            };
            format!("kill -9 and {what}: {}", named(nodes))
        }
        Fault::Link { weather, links, .. } => format!("{weather} links: {}", bad(links)),
    }
}

/// `n1 | n2 n3` where neither side hears the other; `n1 does not hear n2` where only one is deaf.
fn divide(grudge: &Grudge) -> String {
    let mut silent: BTreeMap<Host, BTreeSet<Host>> = BTreeMap::new();
    for link in grudge {
        silent.entry(link.dst).or_default().insert(link.src);
    }
    let mut deaf: BTreeMap<BTreeSet<Host>, BTreeSet<Host>> = BTreeMap::new();
    for (listener, speakers) in silent {
        deaf.entry(speakers).or_default().insert(listener);
    }
    let mut parts = Vec::new();
    while let Some((speakers, listeners)) = deaf.pop_first() {
        let mutual = deaf.get(&listeners) == Some(&speakers);
        if mutual {
            deaf.remove(&listeners);
        }
        let between = if mutual { "|" } else { "hear nothing from" };
        let (left, right) = match mutual && speakers < listeners {
            true => (&speakers, &listeners),
            false => (&listeners, &speakers),
        };
        parts.push(format!("{} {between} {}", list(left), list(right)));
    }
    parts.join("; ")
}

/// `every link of n3` where one server is at the end of all, else `all links between n1 n2 n3`.
fn bad(links: &Grudge) -> String {
    let hosts: BTreeSet<Host> = links.iter().flat_map(|link| [link.src, link.dst]).collect();
    let is_end = |host: &&Host| links.iter().all(|link| [link.src, link.dst].contains(*host));
    match hosts.iter().find(is_end) {
        Some(one) => format!("every link of {one}"),
        None => format!("all links between {}", list(&hosts)),
    }
}

fn list(hosts: &BTreeSet<Host>) -> String {
    hosts.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use nemesis::fault::{Cut, Shape, Weather, grudge};

    use super::*;

    fn partition(shape: Shape, grudge: Grudge) -> String {
        describe(&Fault::Partition { shape, grudge, cut: Cut::default() }, None)
    }

    #[test]
    fn partitions_read_like_a_drawing() {
        let nodes = NodeId::first(5);
        assert_eq!(partition(Shape::Halves, grudge::halves(&nodes)), "halves: n1 n2 | n3 n4 n5");
        assert_eq!(
            partition(Shape::Leader, grudge::isolate(NodeId(3), &nodes)),
            "leader: n1 n2 n4 n5 | n3"
        );
        assert_eq!(
            partition(Shape::OneWay, grudge::deaf(&nodes[..1], &nodes[1..3])),
            "one-way: n1 hear nothing from n2 n3"
        );
    }

    #[test]
    fn bad_links_are_named_by_what_they_have_in_common() {
        let nodes = NodeId::first(3);
        let told = |links| {
            let (weather, seed) = (Weather::Slow, 1);
            describe(&Fault::Link { weather, quality: weather.quality(), links, seed }, None)
        };
        let of_one = grudge::isolate(NodeId(3), &nodes);
        let with_clients = of_one.into_iter().chain(grudge::client_cut(&[NodeId(3)])).collect();
        assert_eq!(told(with_clients), "slow links: every link of n3");
        let all = grudge::deaf(&nodes, &nodes);
        assert_eq!(told(all), "slow links: all links between n1 n2 n3");
    }

    #[test]
    fn what_is_wrong_with_a_disk_is_said() {
        let told = |ailment, size| {
            describe(&Fault::Disk { nodes: vec![NodeId(2)], ailment, size }, Some(NodeId(2)))
        };
        assert_eq!(told(Ailment::Slow, 30), "every fsync takes 30 ms: n2 (leader)");
        assert_eq!(told(Ailment::Full, 0), "disk full but for 0 bytes: n2 (leader)");
    }

    #[test]
    fn the_leader_is_pointed_out() {
        let fault = Fault::Kill { nodes: vec![NodeId(2), NodeId(3)] };
        assert_eq!(describe(&fault, Some(NodeId(3))), "kill -9 n2 n3 (leader)");
        assert_eq!(nodes(&fault), ["n2", "n3"]);
    }
}
