use super::super::Kind;
use super::*;
use crate::host::Host;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

fn view(n_nodes: u8, leader: Option<u8>, down: &[u8]) -> View {
    let down = down.iter().copied().map(NodeId).collect();
    let nodes = NodeId::first(n_nodes);
    // The higher the number, the newer.
    let zxids = nodes.iter().map(|node| (*node, u64::from(node.0))).collect();
    View { nodes, leader: leader.map(NodeId), down, zxids, ..View::default() }
}

fn resolved(kind: &str, view: &View, seed: u64) -> Result<Fault, Skip> {
    let spec = kind.parse::<Kind>().expect("the tests know the kinds").foremost();
    resolve(&spec, view, &mut ChaCha8Rng::seed_from_u64(seed))
}

#[test]
fn no_sequence_of_kills_and_pauses_takes_a_majority() {
    for n_nodes in 1..=7 {
        for seed in 0..200 {
            let mut view = view(n_nodes, Some(1), &[]);
            for (step, kind) in
                ["kill:minority", "pause:one", "kill:leader", "pause:minority"].iter().enumerate()
            {
                if let Ok(Fault::Kill { nodes } | Fault::Pause { nodes }) =
                    resolved(kind, &view, seed * 4 + step as u64)
                {
                    assert!(!nodes.is_empty());
                    assert!(nodes.iter().all(|node| view.down.insert(*node)), "twice down");
                }
            }
            assert!((view.nodes.len() - view.down.len()) * 2 > view.nodes.len());
        }
    }
}

#[test]
fn a_minority_of_five_is_sometimes_one_and_sometimes_two() {
    let sizes: BTreeSet<_> = (0..50)
        .map(|seed| match resolved("kill:minority", &view(5, None, &[]), seed) {
            Ok(Fault::Kill { nodes }) => nodes.len(),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(sizes, BTreeSet::from([1, 2]));
}

#[test]
fn the_leader_is_hit_or_the_reason_is_given() {
    let leader = |leader, down: &[u8]| resolved("kill:leader", &view(5, leader, down), 1);
    assert_eq!(leader(Some(4), &[]), Ok(Fault::Kill { nodes: vec![NodeId(4)] }));
    assert_eq!(leader(None, &[]), Err(Skip::NoLeader));
    assert_eq!(leader(Some(4), &[4]), Err(Skip::Down(NodeId(4))));
    assert_eq!(leader(Some(4), &[1, 2]), Err(Skip::Majority { n_down: 2, n_nodes: 5 }));
    assert_eq!(resolved("partition:leader", &view(5, None, &[]), 1), Err(Skip::NoLeader));
}

#[test]
fn roles_are_those_of_the_moment_and_may_be_nobodys() {
    let killed = |role: &str, view: &View| match resolved(&format!("kill:{role}"), view, 1) {
        Ok(Fault::Kill { nodes }) => Ok(nodes),
        Ok(other) => panic!("{other:?}"),
        Err(skip) => Err(skip.to_string()),
    };
    let healthy = view(5, Some(1), &[]);
    assert_eq!(killed("newest", &healthy), Ok(vec![NodeId(5)]));
    assert_eq!(killed("most-behind", &healthy), Ok(vec![NodeId(2)]), "n1 leads");
    assert_eq!(killed("quorum-critical", &healthy), Err("nobody is quorum-critical".into()));
    let barely = view(5, Some(1), &[4, 5]);
    let critical = killed("quorum-critical", &barely).expect("there is no spare");
    assert!(critical == [NodeId(2)] || critical == [NodeId(3)], "{critical:?}");
    assert!(killed("newest", &barely).is_err(), "that would take the majority");
    let silent = View { zxids: BTreeMap::new(), ..healthy.clone() };
    assert_eq!(killed("most-behind", &silent), Err("nobody is most-behind".into()));

    let cut = resolved("partition:most-behind", &healthy, 1).expect("n2 is behind");
    let expected = grudge::isolate(NodeId(2), &healthy.nodes);
    assert!(matches!(cut, Fault::Partition { grudge, .. } if grudge == expected));
    assert_eq!(
        resolved("partition:quorum-critical", &healthy, 1),
        Err(Skip::Nobody(Target::QuorumCritical))
    );
}

#[test]
fn that_is_where_it_happened_and_nobody_if_it_is_gone() {
    let happened = View { that: Some(NodeId(3)), ..view(5, Some(1), &[]) };
    let kill = |view: &View| resolved("kill:that@epoch-change", view, 1);
    assert_eq!(kill(&happened), Ok(Fault::Kill { nodes: vec![NodeId(3)] }));
    let gone = View { down: [NodeId(3)].into(), ..happened.clone() };
    assert_eq!(kill(&gone), Err(Skip::Nobody(Target::That)));
    let cut = resolved("partition:that@role-change", &happened, 1).expect("n3 is up");
    let expected = grudge::isolate(NodeId(3), &happened.nodes);
    assert!(matches!(cut, Fault::Partition { grudge, .. } if grudge == expected));
}

#[test]
fn shapes_that_need_more_servers_say_how_many() {
    let few = Err(Skip::TooFew { shape: Shape::Ring, needs: 5, has: 4 });
    assert_eq!(resolved("partition:ring", &view(4, None, &[]), 1), few);
    assert!(resolved("partition:bridge", &view(2, None, &[]), 1).is_err());
    assert!(resolved("partition:halves", &view(1, None, &[]), 1).is_err());
}

#[test]
fn every_partition_cuts_something_and_never_the_observer() {
    let needs_nobody_down =
        |kind: &Kind| !["partition:quorum-critical", "partition:that"].contains(&kind.name());
    let partitions = Kind::all().filter(|kind| kind.name().starts_with("partition:"));
    for kind in partitions.filter(needs_nobody_down) {
        for seed in 0..50 {
            let Ok(Fault::Partition { grudge, .. }) =
                resolved(kind.name(), &view(5, Some(2), &[]), seed)
            else {
                panic!("{kind} was not resolved")
            };
            assert!(!grudge.is_empty(), "{kind}");
            assert!(grudge.iter().all(|link| link.src != link.dst));
            assert!(grudge.iter().all(|l| ![l.src, l.dst].contains(&Host::Observer)));
        }
    }
}

#[test]
fn faults_of_all_servers_wait_until_all_are_up() {
    for kind in
        ["kill:all", "restart:all", "pause:rolling", "wipe", "disk:bit-flip", "disk:truncated-tail"]
    {
        assert!(resolved(kind, &view(5, Some(2), &[]), 1).is_ok(), "{kind}");
        assert_eq!(resolved(kind, &view(5, Some(2), &[4]), 1), Err(Skip::Down(NodeId(4))));
    }
    assert_eq!(resolved("wipe", &view(5, None, &[]), 1), Err(Skip::NoLeader));
    let Ok(Fault::Rolling { order, .. }) = resolved("pause:rolling", &view(5, Some(4), &[]), 1)
    else {
        panic!("all are up")
    };
    assert_eq!((order[0], order.len()), (NodeId(4), 5));
}

#[test]
fn a_server_with_a_wrong_clock_is_left_alone_and_counts_as_up() {
    let held = View { held: [NodeId(2)].into(), ..view(3, Some(2), &[]) };
    assert_eq!(resolved("kill:leader", &held, 1), Err(Skip::Held(NodeId(2))));
    assert_eq!(resolved("kill:all", &held, 1), Err(Skip::Held(NodeId(2))));
    for seed in 0..50 {
        let Ok(Fault::Kill { nodes }) = resolved("kill:one", &held, seed) else {
            panic!("two are free")
        };
        assert!(!nodes.contains(&NodeId(2)));
        let Ok(Fault::Clock { nodes, offset_ms, .. }) = resolved("clock:jump", &held, seed) else {
            panic!("two are free")
        };
        assert!(!nodes.is_empty() && !nodes.contains(&NodeId(2)));
        assert!((10_000..=3_600_000).contains(&offset_ms.abs()));
    }
    let all = View { held: NodeId::first(3).into_iter().collect(), ..view(3, None, &[]) };
    assert_eq!(resolved("kill:one", &all, 1), Err(Skip::Held(NodeId(1))));
    assert_eq!(resolved("clock:strobe", &all, 1), Err(Skip::Held(NodeId(1))));
}

#[test]
fn a_port_partition_cuts_its_port_and_no_other() {
    let cut_of = |kind| match resolved(kind, &view(5, Some(2), &[]), 3) {
        Ok(Fault::Partition { cut, .. }) => cut,
        other => panic!("{other:?}"),
    };
    assert_eq!(cut_of("partition:quorum-port"), Cut::Port(2888));
    assert_eq!(cut_of("partition:election-port"), Cut::Port(3888));
    assert_eq!(cut_of("partition:reset"), Cut::Reset);
    assert_eq!(cut_of("partition:halves"), Cut::Everything);
}

#[test]
fn the_power_fails_for_a_majority_with_the_leader_or_for_all() {
    let cut = |view: &View, seed| match resolved("disk:power-cut", view, seed) {
        Ok(Fault::PowerCut { nodes, .. }) => nodes,
        other => panic!("{other:?}"),
    };
    let sizes: BTreeSet<_> = (0..50)
        .map(|seed| {
            let nodes = cut(&view(5, Some(4), &[]), seed);
            assert!(nodes.contains(&NodeId(4)) && nodes.is_sorted());
            nodes.len()
        })
        .collect();
    assert_eq!(sizes, BTreeSet::from([3, 5]));
    assert_eq!(cut(&view(5, Some(4), &[1, 2]), 1), [NodeId(3), NodeId(4), NodeId(5)]);
    assert_eq!(resolved("disk:power-cut", &view(5, None, &[]), 1), Err(Skip::NoLeader));
}

#[test]
fn an_ill_disk_that_may_end_a_server_spares_a_majority() {
    for seed in 0..50 {
        for kind in ["disk:fsync-error", "disk:eio", "disk:full"] {
            let Ok(Fault::Disk { nodes, .. }) = resolved(kind, &view(5, Some(2), &[]), seed) else {
                panic!("all are up")
            };
            assert!((1..=2).contains(&nodes.len()), "{nodes:?}");
        }
    }
    let down = Err(Skip::Majority { n_down: 2, n_nodes: 5 });
    assert_eq!(resolved("disk:eio", &view(5, Some(3), &[1, 2]), 1), down);
    let sizes: BTreeSet<_> = (0..50)
        .map(|seed| match resolved("disk:slow", &view(5, Some(2), &[]), seed) {
            Ok(Fault::Disk { nodes, size: 10..=200, .. }) => nodes.len(),
            other => panic!("{other:?}"),
        })
        .collect();
    assert!(sizes.contains(&1) && sizes.contains(&5), "{sizes:?}");
}

#[test]
fn bad_links_are_those_of_all_servers_or_of_one_with_its_clients() {
    for seed in 0..50 {
        let Ok(Fault::Link { links, quality, .. }) =
            resolved("link:lossy", &view(5, Some(2), &[]), seed)
        else {
            panic!("link was not resolved")
        };
        let clients = links.iter().any(|link| [link.src, link.dst].contains(&Host::Clients));
        assert_eq!(links.len(), if clients { 10 } else { 20 });
        assert!(links.iter().all(|l| ![l.src, l.dst].contains(&Host::Observer)));
        assert!(quality.loss > 0);
    }
    assert!(
        matches!(resolved("link", &view(1, None, &[]), 1), Ok(Fault::Link { links, .. }) if links.len() == 2)
    );
}

#[test]
fn one_way_has_no_way_back() {
    for seed in 0..50 {
        let Ok(Fault::Partition { grudge, .. }) =
            resolved("partition:one-way", &view(5, None, &[]), seed)
        else {
            panic!("one-way was not resolved")
        };
        let back =
            |link: &crate::switch::Link| crate::switch::Link { src: link.dst, dst: link.src };
        assert!(grudge.iter().all(|link| !grudge.contains(&back(link))));
    }
}
