//! Every invariant holds in a sound state, and is broken by the state that it is there to see.

use zab::{Entry, Zxid};

use super::{OF_BROADCAST, why};
use crate::catalogue::Bounds;
use crate::zab::ghost::Broadcast;
use crate::zab::world::World;
use crate::zab::{Prepared, Setup, Txn};

#[test]
fn a_sound_state_breaks_nothing() {
    for (name, broken) in OF_BROADCAST {
        assert_eq!(broken(&sound()), None, "{name}");
    }
}

#[test]
fn every_invariant_sees_what_it_is_there_for() {
    let seen: Vec<&str> = BROKEN.iter().map(|(name, _, _)| *name).collect();
    for (name, _) in OF_BROADCAST {
        assert!(seen.contains(name), "{name} has no broken state here");
    }
    for (name, harm, said) in BROKEN {
        let mut world = sound();
        harm(&mut world);
        assert_eq!(&why(name, &world), said, "{name}");
    }
}

/// An invariant, what breaks it, and what it says then.
type Broken = (&'static str, fn(&mut World), &'static str);

const BROKEN: &[Broken] = &[
    (
        "Assertions",
        |world| world.ghost_mut().failed = Some((1, "a != b".to_owned())),
        "n1 stops: a != b",
    ),
    (
        "Leadership",
        |world| world.ghost_mut().established(1, 1, &Vec::new()),
        "n3 and n1 were both established as leader of epoch 1",
    ),
    (
        "PrefixConsistency",
        |world| {
            world.server_mut(1).app.push(entry(1, 2, 2));
            world.server_mut(2).app.push(entry(1, 2, 3));
        },
        "n1 has delivered 1:1=a 1:2=b, n2 1:1=a 1:2=c",
    ),
    (
        "Integrity",
        |world| world.ghost_mut().delivered(&entry(1, 9, 9)),
        "1:9=i was delivered, and never proposed",
    ),
    (
        "TotalOrder",
        |world| {
            world.server_mut(1).app = vec![entry(1, 1, 1), entry(1, 2, 2)];
            world.server_mut(2).app = vec![entry(1, 2, 2), entry(1, 1, 1)];
        },
        "n1 has delivered 1:1=a before 1:2=b, n2 has not",
    ),
    (
        "LocalPrimaryOrder",
        |world| {
            let entry = entry(1, 2, 2);
            world.server_mut(2).app = vec![entry.clone()];
            world.ghost_mut().broadcasts.push(Broadcast { entry, after: Vec::new() });
        },
        "n2 has delivered 1:2=b without 1:1=a before it",
    ),
    (
        "GlobalPrimaryOrder",
        |world| world.server_mut(2).app = vec![entry(2, 1, 2), entry(1, 1, 1)],
        "n2 has delivered 2:1=b before 1:1=a of an earlier leader",
    ),
    (
        "PrimaryIntegrity",
        |world| {
            let broadcast = Broadcast { entry: entry(2, 1, 2), after: Vec::new() };
            world.ghost_mut().broadcasts.push(broadcast);
        },
        "2:1=b was proposed by a leader that had not delivered 1:1=a",
    ),
    (
        "CommittedLogMonotonicity",
        |world| world.ghost_mut().established(2, 2, &Vec::new()),
        "leader n3 of epoch 1 had committed 1:1=a, leader n2 of epoch 2 nothing",
    ),
    (
        "CommittedLogMonotonicity",
        |world| {
            world.ghost_mut().established(2, 2, &vec![entry(1, 1, 1)]);
            world.ghost_mut().reigning(2, 2, &Vec::new());
        },
        "leader n2 of epoch 2 had committed 1:1=a, and then nothing",
    ),
    (
        "CommittedLogDurability",
        |world| {
            world.server_mut(1).disk.durable.log.clear();
            world.server_mut(3).disk.durable.log.clear();
        },
        "1:1=a is committed, and on the disks of 1 of 3 servers only",
    ),
    (
        "ProcessConsistency",
        |world| world.server_mut(1).disk.durable.log.push(entry(1, 9, 9)),
        "n1 serves with 1:1=a 1:9=i, its leader n3 has 1:1=a",
    ),
    (
        "LeaderLogCompleteness",
        |world| world.ghost_mut().established(2, 2, &Vec::new()),
        "1:1=a was committed; leader n2 of epoch 2 began with nothing",
    ),
    (
        "SyncFreshness",
        |world| {
            world.ghost_mut().sync_asked(1);
            world.ghost_mut().sync_done(2, 1, &Vec::new());
        },
        "n2 answered a sync without 1:1, which was committed before it",
    ),
    (
        "ObserversFollow",
        |world| {
            world.observers = 1;
            world.server_mut(1).app = vec![entry(1, 1, 1), entry(1, 2, 2)];
        },
        "n1, an observer, has delivered 1:1=a 1:2=b, which no leader has",
    ),
    (
        "ObserversFollow",
        |world| world.observers = 1,
        "n1, an observer, is Following { leader: 3, epoch: 1, serving: true }",
    ),
    (
        "ElectedLeaderCompleteness",
        |world| {
            world.server_mut(1).disk.durable.log.push(entry(1, 2, 2));
            world.server_mut(2).disk.durable.log.push(entry(1, 2, 2));
        },
        "n1 takes n3 for elected, whose history is as new as that of 1 of 3 servers only",
    ),
];

/// n3 leads epoch 1, and all three have delivered 1:1=a.
fn sound() -> World {
    let bounds = Bounds { servers: 3, ..Bounds::default() };
    let setup =
        Setup { bounds, mutant: None, log_kept: 500, votes_only: false, ..Setup::default() };
    Prepared::Broadcast.world(&setup)
}

fn entry(epoch: u32, counter: u32, txn: Txn) -> Entry<Txn> {
    Entry { zxid: Zxid::new(epoch, counter), txn }
}
