//! Whatever comes over the wire, in whatever order, a peer neither panics nor loses its footing.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use zab::{
    Config, Configuration, Durable, Entry, Input, Members, Message, Output, Peer, Role, ServerId,
    Stance, Timer, Timing, Vote, Zxid,
};

type Inputs = Input<u8, u8>;
type Words = Message<u8, u8>;

#[test]
fn senseless_inputs_are_survived() {
    let mut served = [0; 2];
    for seed in 0..400 {
        play(&mut ChaCha8Rng::seed_from_u64(seed), &mut served);
    }
    assert!(served.iter().all(|count| *count > 100), "too little is reached: {served:?}");
}

/// Feeds a peer 3000 inputs; counts how often that made it serve as a follower or as a leader.
fn play(rng: &mut ChaCha8Rng, served: &mut [usize; 2]) {
    let mut out = Vec::new();
    let mut peer = Peer::restart(config(rng), durable(rng), &mut out);
    let writes = |out: &[_]| out.iter().filter(|output| matches!(output, Output::Store(_))).count();
    let mut pending = writes(&out);
    for step in 0..3000 {
        let before = peer.delivered();
        let input = match rng.random_range(0..4) {
            0..=2 if pending > 0 => Input::Stored { ops: rng.random_range(1..=pending) },
            3 if rng.random_bool(0.2) => input(rng),
            _ => fitting(rng, step, &peer),
        };
        if let Input::Stored { ops } = input {
            pending -= ops;
        }
        out.clear();
        peer.handle(input, &mut out);
        pending += writes(&out);
        check_deliveries(&peer, before, &out);
        for output in &out {
            match output {
                Output::Role(Role::Following { serving: true, .. }) => served[0] += 1,
                Output::Role(Role::Leading { serving: true, .. }) => served[1] += 1,
                _ => {}
            }
        }
    }
}

/// Deliveries ascend from the last one, or from a reset, and end where the peer says.
fn check_deliveries(peer: &Peer<u8, u8>, mut last: Zxid, out: &[Output<u8, u8>]) {
    for output in out {
        match output {
            Output::Deliver(entry) => {
                assert!(entry.zxid > last);
                last = entry.zxid;
            }
            Output::Reset { zxid, .. } => last = *zxid,
            _ => {}
        }
    }
    assert_eq!(last, peer.delivered());
    assert!(peer.delivered() <= peer.last_logged());
    assert!(peer.last_logged().epoch() <= peer.epochs().accepted);
}

fn config(rng: &mut ChaCha8Rng) -> Config {
    let timing = Timing { tick_ms: 10, init_limit: 5, sync_limit: 2, settle_ms: 20, resend_ms: 50 };
    let voters = 1..=rng.random_range(2..=4);
    let configuration = Configuration::initial(Members::of(voters, [5]));
    Config { id: 1, configuration, timing, log_kept: rng.random_range(0..3), mutant: None }
}

fn durable(rng: &mut ChaCha8Rng) -> Durable<u8> {
    let log: Vec<_> = (1..=rng.random_range(0..3)).map(|n| entry(Zxid::new(1, n))).collect();
    Durable { accepted_epoch: 1, current_epoch: 1, log, ..Durable::nothing() }
}

fn entry(zxid: Zxid) -> Entry<u8> {
    Entry { zxid, txn: 7 }
}

fn input(rng: &mut ChaCha8Rng) -> Inputs {
    let peer = rng.random_range(0..=5);
    match rng.random_range(0..22) {
        0 => Input::Timer(timer(rng)),
        20 => Input::Unreachable { peer },
        1 => Input::Timer(Timer::Settle),
        2 => Input::Connected { peer },
        3 if rng.random_bool(0.2) => Input::Disconnected { peer },
        4 => Input::Submit { txn: 7 },
        5 => Input::Sync { token: 7 },
        6 => Input::Compact { upto: zxid(rng) },
        21 => Input::Forget { upto: zxid(rng) },
        _ => Input::Received { from: peer, message: message(rng, peer) },
    }
}

/// One that may make sense to the peer as it is. Rounds of elections outrun the peer's own.
fn fitting(rng: &mut ChaCha8Rng, step: u64, peer: &Peer<u8, u8>) -> Inputs {
    match peer.role() {
        Role::Looking => {
            let leader = rng.random_range(1..=2);
            let vote = Vote { epoch: 9, zxid: Zxid::new(9, 9), leader };
            let (round, stance) = (step / 10 * 100, Stance::Looking);
            let (version, logged) = (Zxid::ZERO, Zxid::ZERO);
            let message = Message::Notification { round, vote, stance, version, logged };
            match rng.random_range(0..3) {
                0 => Input::Timer(Timer::Settle),
                1 => Input::Received { from: 2, message: follower_info(peer) },
                _ => Input::Received { from: rng.random_range(2..=4), message },
            }
        }
        Role::Following { leader, epoch: 0, .. } | Role::Observing { leader, epoch: 0, .. }
            if rng.random_bool(0.5) =>
        {
            Input::Connected { peer: leader }
        }
        Role::Following { leader, epoch, .. } | Role::Observing { leader, epoch, .. } => {
            Input::Received { from: leader, message: from_leader(rng, peer, epoch) }
        }
        Role::Leading { epoch, .. } => {
            let from = rng.random_range(2..=4);
            Input::Received { from, message: from_learner(rng, peer, epoch) }
        }
    }
}

fn follower_info(peer: &Peer<u8, u8>) -> Words {
    Message::FollowerInfo { accepted_epoch: peer.epochs().accepted.saturating_sub(1) }
}

fn from_leader(rng: &mut ChaCha8Rng, peer: &Peer<u8, u8>, epoch: u32) -> Words {
    let zxid = peer.last_logged();
    match rng.random_range(0..7) {
        _ if epoch == 0 => Message::LeaderInfo { epoch: peer.epochs().accepted.saturating_add(1) },
        0 | 1 if peer.epochs().current < epoch => new_leader(rng, epoch),
        0..=2 if !peer.role().serving() => Message::UpToDate { committed: zxid },
        0..=4 if peer.role().serving() => Message::Commit { zxid },
        5 if peer.epochs().current < epoch => Message::Truncate { after: peer.delivered() },
        _ => Message::Propose(entry(Zxid(zxid.0 + 1))),
    }
}

fn from_learner(rng: &mut ChaCha8Rng, peer: &Peer<u8, u8>, epoch: u32) -> Words {
    match rng.random_range(0..8) {
        _ if epoch == 0 => follower_info(peer),
        0 => follower_info(peer),
        1 | 2 => Message::AckEpoch { current_epoch: 0, last: zxid(rng), snapshot: Zxid::ZERO },
        3 | 4 => Message::AckLeader { epoch },
        5 => Message::Ack { zxid: peer.last_logged() },
        6 => Message::SyncRequest { token: 7 },
        _ => Message::Forward { txn: 7 },
    }
}

/// Most often with the members that the peer knows already.
fn new_leader(rng: &mut ChaCha8Rng, epoch: u32) -> Words {
    let configuration = Configuration::initial(Members::of_voters(1..=3));
    let configuration = if rng.random_ratio(1, 50) { members(rng) } else { configuration };
    Message::NewLeader { epoch, configuration }
}

fn members(rng: &mut ChaCha8Rng) -> Configuration {
    let voters = (1..=5).filter(|_| rng.random_bool(0.5)).collect::<Vec<ServerId>>();
    let version = Zxid::new(1, rng.random_range(0..3));
    Configuration { version, members: Members::of_voters(voters).into() }
}

fn timer(rng: &mut ChaCha8Rng) -> Timer {
    [Timer::Resend, Timer::Settle, Timer::Init, Timer::Beat][rng.random_range(0..4)]
}

fn message(rng: &mut ChaCha8Rng, from: ServerId) -> Words {
    match rng.random_range(0..25) {
        0 | 1 => {
            let stance = [Stance::Looking, Stance::Following, Stance::Leading];
            let vote = Vote { epoch: epoch(rng), zxid: zxid(rng), leader: rng.random_range(0..5) };
            let stance = stance[rng.random_range(0..3)];
            let (round, version, logged) = (rng.random_range(0..3), zxid(rng), zxid(rng));
            Message::Notification { round, vote, stance, version, logged }
        }
        2 => {
            let vote = Vote { epoch: 1, zxid: Zxid::new(1, 2), leader: from };
            let (stance, version, logged) = (Stance::Leading, Zxid::ZERO, Zxid::ZERO);
            Message::Notification { round: 1, vote, stance, version, logged }
        }
        3 | 4 => Message::FollowerInfo { accepted_epoch: epoch(rng) },
        5 | 6 => Message::LeaderInfo { epoch: epoch(rng) },
        7 | 8 => {
            let (current_epoch, last, snapshot) = (epoch(rng), zxid(rng), zxid(rng));
            Message::AckEpoch { current_epoch, last, snapshot }
        }
        9 => Message::Truncate { after: zxid(rng) },
        10 => Message::Snapshot { zxid: zxid(rng), state: 7 },
        11 | 12 => Message::Propose(entry(zxid(rng))),
        13 | 14 => {
            let epoch = epoch(rng);
            new_leader(rng, epoch)
        }
        15 | 16 => Message::AckLeader { epoch: epoch(rng) },
        17 => Message::UpToDate { committed: zxid(rng) },
        18 => Message::Ack { zxid: zxid(rng) },
        19 => Message::Commit { zxid: zxid(rng) },
        20 => Message::Ping { seq: rng.random_range(0..3) },
        21 => Message::Pong { seq: rng.random_range(0..3) },
        22 => Message::Forward { txn: 7 },
        23 => Message::Members(members(rng)),
        _ => Message::SyncRequest { token: 7 },
    }
}

/// Seldom the last one there is: a peer that has accepted it can follow no one any more.
fn epoch(rng: &mut ChaCha8Rng) -> u32 {
    if rng.random_ratio(1, 5000) { u32::MAX } else { rng.random_range(0..5) }
}

fn zxid(rng: &mut ChaCha8Rng) -> Zxid {
    match rng.random_range(0..20) {
        0 => Zxid(u64::MAX),
        1 => Zxid::new(1, u32::MAX),
        2 => Zxid::ZERO,
        _ => Zxid::new(rng.random_range(1..4), rng.random_range(0..4)),
    }
}
