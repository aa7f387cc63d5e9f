//! Every invariant holds of a sound event, and is broken by what it is there to see.

use zab::Zxid;

use super::{INVARIANTS, broken};
use crate::catalogue::Bounds;
use crate::protocol::ghost::{Event, Proposal, Reign};
use crate::protocol::state::{Leader, Phase, Role, State};
use crate::protocol::{Entry, Prepared, Txn};

#[test]
fn sound_events_break_nothing() {
    for event in [
        Event::Delivered { server: 1, place: 0 },
        Event::Prospective { leader: 2, epoch: 2 },
        Event::Established { leader: 2, epoch: 2 },
        Event::Proposed { leader: 3, entry: entry(1, 2, 2) },
        Event::Adopted { follower: 1, leader: 3 },
        Event::Dropped { server: 1, kept: 1 },
        Event::Answered { server: 1, token: 7 },
    ] {
        assert_eq!(broken(&with_epoch(2), &event), [], "{event:?}");
    }
}

#[test]
fn every_invariant_sees_what_it_is_there_for() {
    let seen: Vec<&str> = BROKEN.iter().map(|(name, _, _)| *name).collect();
    for (name, _) in INVARIANTS {
        assert!(seen.contains(&name), "{name} has no broken event here");
    }
    for (name, harm, said) in BROKEN {
        let mut state = sound();
        let event = harm(&mut state);
        let all = broken(&state, &event);
        let words = all.iter().find(|(broken, _)| broken == name).map(|(_, words)| words.as_str());
        assert_eq!(words, Some(*said), "{name}: {all:?}");
    }
}

/// An invariant, what breaks it, and what it says then.
type Broken = (&'static str, fn(&mut State) -> Event, &'static str);

const BROKEN: &[Broken] = &[
    (
        "Leadership1",
        |state| {
            leads(state, 1, 1);
            Event::Prospective { leader: 1, epoch: 1 }
        },
        "n3 and n1 lead epoch 1 at the same time",
    ),
    (
        "Leadership2",
        |_| Event::Prospective { leader: 1, epoch: 1 },
        "n3 and n1 both had a quorum's promises for epoch 1",
    ),
    (
        "PrefixConsistency",
        |state| delivers(state, &[entry(1, 1, 2)]),
        "n1 delivers 1:1=b where another has delivered 1:1=a",
    ),
    (
        "Integrity",
        |state| delivers(state, &[entry(1, 1, 1), entry(1, 2, 9)]),
        "n1 delivers 1:2=i, which nobody proposed",
    ),
    (
        "Agreement",
        |state| delivers(state, &[entry(1, 2, 2)]),
        "n1 delivers 1:2=b, which others lack that have delivered 1:1=a, which it lacks",
    ),
    (
        "TotalOrder",
        |state| delivers(state, &[entry(1, 2, 2), entry(1, 1, 1)]),
        "n1 delivers 1:1=a as number 2, others as number 1",
    ),
    (
        "LocalPrimaryOrder",
        |state| {
            proposed(state, &entry(1, 2, 2), Some(Zxid::new(1, 1)));
            delivers(state, &[entry(1, 2, 2)])
        },
        "n1 delivers 1:2=b without 1:1 before it",
    ),
    (
        "GlobalPrimaryOrder",
        |state| delivers(state, &[entry(2, 1, 2), entry(1, 1, 1)]),
        "n1 delivers 1:1=a of an earlier leader after 2:1=b",
    ),
    (
        "PrimaryIntegrity",
        |state| {
            state.server_mut(1).delivered = 0;
            Event::Proposed { leader: 1, entry: entry(2, 1, 2) }
        },
        "n1 proposes 2:1=b before it delivers 1:1=a",
    ),
    (
        "PrimaryIntegrity",
        |state| {
            state.ghost_mut().began.insert(2, (2, 1));
            delivers(state, &[entry(1, 1, 1), entry(1, 2, 2)])
        },
        "n1 delivers 1:2=b, n2 had not when it proposed 2:1",
    ),
    (
        "CommittedLogMonotonicity",
        |state| {
            state.server_mut(2).written.history.clear();
            Event::Established { leader: 2, epoch: 2 }
        },
        "leader n3 of epoch 1 had committed 1:1=a, leader n2 of epoch 2 begins with nothing",
    ),
    (
        "ProcessConsistency",
        |state| {
            state.server_mut(1).disk.durable.history.push(entry(1, 9, 9));
            Event::Adopted { follower: 1, leader: 3 }
        },
        "after 1 common entries, n1 has 1:9=i on its disk, its leader n3 has nothing",
    ),
    (
        "LeaderLogCompleteness",
        |state| {
            state.server_mut(2).written.history.clear();
            Event::Established { leader: 2, epoch: 2 }
        },
        "1:1=a was committed; leader n2 of epoch 2 begins without it",
    ),
    (
        "LeaderLogCompleteness",
        |state| {
            let reign = Reign { epoch: 2, leader: 2, first: 1, last: 1 };
            state.ghost_mut().reigns.push(reign);
            delivers(state, &[entry(1, 1, 1), entry(1, 2, 2)])
        },
        "n1 delivers 1:2=b, without which n2 leads epoch 2",
    ),
    (
        "CommittedLogDurability",
        |_| Event::Dropped { server: 1, kept: 0 },
        "n1 drops 1:1=a, which is committed",
    ),
    (
        "CommittedLogDurability",
        |state| delivers(state, &[entry(1, 1, 1), entry(1, 2, 2)]),
        "n1 delivers 1:2=b, which is on the disks of 0 of 3 servers",
    ),
    (
        "MessageLegality",
        |_| Event::Nonsense { server: 1, what: "n1 cannot make sense of it".to_owned() },
        "n1 cannot make sense of it",
    ),
    (
        "SyncFreshness",
        |state| {
            state.ghost_mut().syncs.insert((2, 1), 1);
            state.server_mut(2).delivered = 0;
            Event::Answered { server: 2, token: 1 }
        },
        "n2 answers a sync without 1:1=a, which was committed before it",
    ),
    (
        "VotersDecide",
        |_| Event::Prospective { leader: 3, epoch: 2 },
        "n3 leads epoch 2 with the promises of 0 of 3 who vote",
    ),
    (
        "VotersDecide",
        |state| {
            state.observers = [1, 2].into();
            (state.rules.servers, state.server_mut(3).written.current) = (1, 0);
            Event::Established { leader: 3, epoch: 1 }
        },
        "n3 leads epoch 1 with the histories of 0 of 1 who vote",
    ),
    (
        "ObserversFollow",
        |state| {
            state.observers = [1].into();
            Event::Established { leader: 1, epoch: 2 }
        },
        "n1, an observer, leads epoch 2",
    ),
    (
        "ObserversFollow",
        |state| {
            state.observers = [1].into();
            delivers(state, &[entry(1, 1, 1), entry(1, 2, 2)])
        },
        "n1, an observer, delivers 1:2=b before all who vote",
    ),
];

/// n3 leads epoch 1, and all three have delivered 1:1=a.
fn sound() -> State {
    Prepared::Broadcast.state(&Bounds { servers: 3, ..Bounds::default() }, None)
}

/// As before, but all have promised and taken over this epoch since.
fn with_epoch(epoch: u32) -> State {
    let mut state = sound();
    for id in 1..=3 {
        let files = &mut state.server_mut(id).written;
        (files.accepted, files.current) = (epoch, epoch);
    }
    state
}

fn entry(epoch: u32, counter: u32, txn: Txn) -> Entry {
    Entry { zxid: Zxid::new(epoch, counter), txn }
}

/// n1 delivers the last entry of this history.
fn delivers(state: &mut State, history: &[Entry]) -> Event {
    state.server_mut(1).written.history = history.to_vec();
    Event::Delivered { server: 1, place: history.len() - 1 }
}

fn proposed(state: &mut State, entry: &Entry, previous: Option<Zxid>) {
    state.ghost_mut().proposals.insert(entry.zxid, Proposal { txn: entry.txn, previous });
}

fn leads(state: &mut State, id: u64, epoch: u32) {
    let phase = Phase::Synchronisation { unsynced: 0 };
    state.server_mut(id).role = Role::Leading(Leader {
        epoch,
        phase,
        learners: [].into(),
        outbid: None,
        overtaken: false,
        pinged: 0,
        syncs: Vec::new(),
    });
}
