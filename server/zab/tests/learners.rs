//! What a learner may not say to its leader at that moment: its connection ends, and the leader goes on.

use zab::{
    Config, Configuration, Durable, Entry, Input, Members, Message, Output, Peer, Role, ServerId,
    Stance, Timer, Timing, Vote, Zxid,
};

type Words = Message<u64, u64>;

/// Does all as it should, and makes a quorum with the leader.
const GOOD: ServerId = 1;
/// The one that is looked at.
const OTHER: ServerId = 2;
const LEADER: ServerId = 3;
const EPOCH: u32 = 2;

/// How far the leader is with the other learner.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
enum Stage {
    Told,
    Synchronising,
    Adopted,
}

/// A leader that serves, and whose disk is quick.
struct Leader {
    peer: Peer<u64, u64>,
    said: Vec<Output<u64, u64>>,
}

impl Leader {
    fn at(stage: Stage) -> Leader {
        let mut leader = Leader::elected();
        leader.bring(GOOD, Stage::Adopted);
        assert!(leader.serves(), "a quorum is enough");
        leader.bring(OTHER, stage);
        leader
    }

    /// Nobody has come yet.
    fn elected() -> Leader {
        let timing =
            Timing { tick_ms: 10, init_limit: 5, sync_limit: 2, settle_ms: 20, resend_ms: 50 };
        let configuration = Configuration::initial(Members::of_voters(1..=3));
        let config = Config { id: LEADER, configuration, timing, log_kept: 10, mutant: None };
        let log = (1..=4).map(|n| Entry { zxid: Zxid::new(1, n), txn: n.into() }).collect();
        let durable = Durable { accepted_epoch: 1, current_epoch: 1, log, ..Durable::nothing() };
        let mut said = Vec::new();
        let mut leader = Leader { peer: Peer::restart(config, durable, &mut said), said };
        for from in [GOOD, OTHER] {
            leader.hear(from, vote(1));
        }
        leader
    }

    fn bring(&mut self, learner: ServerId, stage: Stage) {
        self.hear(learner, Message::FollowerInfo { accepted_epoch: 1 });
        let steps = [(Stage::Synchronising, ack_epoch()), (Stage::Adopted, ack_leader(EPOCH))];
        for (_, message) in steps.into_iter().filter(|(reached, _)| *reached <= stage) {
            self.hear(learner, message);
            assert!(!self.dismisses(learner), "{stage:?} is not reached");
        }
    }

    fn hear(&mut self, from: ServerId, message: Words) {
        self.input(Input::Received { from, message });
    }

    fn input(&mut self, input: Input<u64, u64>) {
        self.said.clear();
        self.peer.handle(input, &mut self.said);
        while let ops @ 1.. =
            self.said.iter().filter(|output| matches!(output, Output::Store(_))).count()
        {
            self.said.retain(|output| !matches!(output, Output::Store(_)));
            self.peer.handle(Input::Stored { ops }, &mut self.said);
        }
    }

    fn serves(&self) -> bool {
        matches!(self.peer.role(), Role::Leading { serving: true, .. })
    }

    fn dismisses(&self, learner: ServerId) -> bool {
        self.said.contains(&Output::Disconnect { peer: learner })
    }
}

fn vote(round: u64) -> Words {
    let vote = Vote { epoch: 1, zxid: Zxid::new(1, 4), leader: LEADER };
    let (version, logged) = (Zxid::ZERO, Zxid::ZERO);
    Message::Notification { round, vote, stance: Stance::Looking, version, logged }
}

fn ack_epoch() -> Words {
    Message::AckEpoch { current_epoch: 1, last: Zxid::new(1, 4), snapshot: Zxid::ZERO }
}

fn ack_leader(epoch: u32) -> Words {
    Message::AckLeader { epoch }
}

#[test]
fn what_has_no_place_at_a_stage_ends_the_connection() {
    let ack = |counter| Message::Ack { zxid: Zxid::new(1, counter) };
    let pong = |seq| Message::Pong { seq };
    let (forward, sync) = (Message::Forward { txn: 7 }, Message::SyncRequest { token: 7 });
    let newer =
        Message::AckEpoch { current_epoch: EPOCH, last: Zxid::new(EPOCH, 9), snapshot: Zxid::ZERO };
    use Stage::{Adopted, Synchronising, Told};
    for (stage, message, may) in [
        (Told, ack_epoch(), true),
        // Its history is newer than the leader's, which a quorum has taken over: it is cut.
        (Told, newer, true),
        (Synchronising, ack_epoch(), false),
        (Adopted, ack_epoch(), false),
        (Told, ack_leader(EPOCH), false),
        (Synchronising, ack_leader(EPOCH), true),
        (Synchronising, ack_leader(EPOCH - 1), false),
        (Adopted, ack_leader(EPOCH), false),
        (Told, ack(4), false),
        (Synchronising, ack(4), false),
        (Adopted, ack(4), true),
        (Adopted, ack(5), false),
        (Told, pong(0), false),
        (Synchronising, pong(0), true),
        (Adopted, pong(0), true),
        (Adopted, pong(1), false),
        (Told, forward.clone(), false),
        (Synchronising, forward.clone(), false),
        (Adopted, forward, true),
        (Told, sync.clone(), false),
        (Synchronising, sync.clone(), false),
        (Adopted, sync, true),
        (Adopted, Message::Ping { seq: 0 }, false),
    ] {
        let mut leader = Leader::at(stage);
        let last = leader.peer.last_logged();
        leader.hear(OTHER, message.clone());
        assert_eq!(leader.dismisses(OTHER), !may, "{stage:?}: {message:?}");
        assert!(leader.serves(), "{stage:?}: {message:?}");
        assert!(may || leader.peer.last_logged() == last, "{stage:?}: {message:?}");
    }
}

#[test]
fn a_stranger_is_sent_away() {
    let mut leader = Leader::at(Stage::Told);
    leader.hear(4, Message::Pong { seq: 0 });
    assert!(leader.dismisses(4) && leader.serves());
    leader.input(Input::Connected { peer: 4 });
    assert!(leader.dismisses(4) && leader.serves());
    leader.input(Input::Timer(Timer::Init));
    assert!(leader.serves(), "it has been long enough in office");
}

/// `initLimit` for a learner that is brought up, `syncLimit` for one that is; each word counts anew.
#[test]
fn a_learner_is_given_up_after_so_much_silence_and_no_less() {
    for (stage, beats) in [(Stage::Synchronising, 10), (Stage::Adopted, 4)] {
        let mut leader = Leader::at(stage);
        let mut beat = |n, given_up| {
            for _ in 0..n {
                leader.input(Input::Timer(Timer::Beat));
                assert_eq!(leader.dismisses(OTHER), given_up, "{stage:?}");
                leader.hear(GOOD, Message::Pong { seq: 0 });
            }
        };
        beat(beats, false);
        beat(1, true);
        let mut leader = Leader::at(stage);
        for _ in 0..2 * beats {
            leader.input(Input::Timer(Timer::Beat));
            assert!(!leader.dismisses(OTHER), "{stage:?}");
            leader.hear(GOOD, Message::Pong { seq: 0 });
            leader.hear(OTHER, Message::Pong { seq: 0 });
        }
    }
}

/// Its promise may have been made to this leader: once a quorum has made it, it cannot harm.
#[test]
fn a_learner_that_has_promised_this_epoch_may_come_again() {
    for (accepted_epoch, stays) in [(EPOCH - 1, true), (EPOCH, true), (EPOCH + 1, false)] {
        let mut leader = Leader::at(Stage::Adopted);
        leader.input(Input::Disconnected { peer: OTHER });
        leader.hear(OTHER, Message::FollowerInfo { accepted_epoch });
        let told = Message::LeaderInfo { epoch: EPOCH };
        assert_eq!(leader.said.contains(&Output::Send { to: OTHER, message: told }), stays);
        assert_eq!(leader.serves(), stays, "accepted epoch {accepted_epoch}");
    }
}

/// Its clients have gone with the connection they asked on.
#[test]
fn who_left_or_came_again_is_owed_no_answer() {
    let joins = Message::FollowerInfo { accepted_epoch: EPOCH };
    for (meanwhile, answered) in [
        (Input::Timer(Timer::Beat), true),
        (Input::Received { from: OTHER, message: joins }, false),
        (Input::Disconnected { peer: OTHER }, false),
    ] {
        let mut leader = Leader::at(Stage::Adopted);
        leader.hear(OTHER, Message::SyncRequest { token: 7 });
        leader.input(meanwhile.clone());
        leader.hear(GOOD, Message::Pong { seq: 1 });
        let reply = Output::Send { to: OTHER, message: Message::SyncReply { token: 7 } };
        assert_eq!(leader.said.contains(&reply), answered, "{meanwhile:?}");
    }
}

/// What it has may have been committed, unless its promise is not needed.
#[test]
fn a_newer_history_ends_a_leader_that_needs_the_promise_of_who_has_it() {
    const OBSERVER: ServerId = 4;
    for (learner, stays) in [(OTHER, false), (OBSERVER, true)] {
        let mut leader = Leader::elected();
        for from in [GOOD, learner] {
            leader.hear(from, Message::FollowerInfo { accepted_epoch: 1 });
        }
        let (last, snapshot) = (Zxid::new(1, 9), Zxid::ZERO);
        leader.hear(learner, Message::AckEpoch { current_epoch: 1, last, snapshot });
        assert_eq!(leader.peer.role() != Role::Looking, stays, "{learner}");
    }
}

#[test]
fn a_sync_waits_for_a_quorum_that_has_the_leaders_history() {
    let done = Output::SyncDone { token: 7 };
    let mut leader = Leader::at(Stage::Synchronising);
    leader.input(Input::Sync { token: 7 });
    for (from, is_done) in [(OTHER, false), (GOOD, true)] {
        leader.hear(from, Message::Pong { seq: 1 });
        assert_eq!(leader.said.contains(&done), is_done, "{from} follows");
    }

    // Asked before it serves, it promises nothing.
    let mut leader = Leader::elected();
    leader.input(Input::Sync { token: 7 });
    leader.bring(GOOD, Stage::Adopted);
    leader.hear(GOOD, Message::Pong { seq: 1 });
    assert!(!leader.said.contains(&done));
}

#[test]
fn a_server_is_no_learner_of_its_own() {
    let mut leader = Leader::at(Stage::Adopted);
    leader.hear(LEADER, Message::FollowerInfo { accepted_epoch: 1 });
    assert_eq!(leader.said, []);
}

/// Who looks elsewhere, in another round, disturbs nobody that leads; it is told who does.
#[test]
fn the_looks_of_others_cost_no_leader() {
    const STRANGER: ServerId = 4;
    let looking = vote(9);
    let members = Configuration::initial(Members::of_voters(1..=3));
    for (from, message) in [(OTHER, looking.clone()), (OTHER, Message::Members(members))] {
        let mut leader = Leader::at(Stage::Adopted);
        leader.hear(from, message);
        assert!(leader.serves() && !leader.dismisses(OTHER));
    }
    // Nobody has joined: another participant is looked for anew, and nobody else.
    for (from, leads) in [(STRANGER, true), (OTHER, false)] {
        let mut leader = Leader::elected();
        leader.hear(from, looking.clone());
        assert_eq!(leader.peer.role() != Role::Looking, leads, "{from}");
    }
}
