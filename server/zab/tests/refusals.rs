//! What a leader may not say to its learner at that moment: it is left, and nothing is written. What others
//! say, a learner does not mind.

use zab::{
    Config, Configuration, Durable, Entry, Input, Members, Message, Output, Peer, Role, ServerId,
    Stance, Timer, Timing, Vote, Zxid,
};

type Words = Message<u64, u64>;

const LEADER: ServerId = 2;
/// Its epoch; the learner's history is of the one before.
const EPOCH: u32 = 2;

/// How far a learner is with its leader.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
enum Stage {
    Discovering,
    Synchronising,
    Adopted,
    Serving,
}

/// A learner whose disk is quick.
struct Learner {
    peer: Peer<u64, u64>,
    said: Vec<Output<u64, u64>>,
}

impl Learner {
    /// With entries 1:1 to 1:4, none of which it knows to be committed; then brought to a stage.
    fn at(stage: Stage) -> Learner {
        Learner::keeping(10, stage)
    }

    /// The same, that keeps so many entries in memory which it need not.
    fn keeping(log_kept: usize, stage: Stage) -> Learner {
        let timing =
            Timing { tick_ms: 10, init_limit: 5, sync_limit: 2, settle_ms: 20, resend_ms: 50 };
        let configuration = Configuration::initial(Members::of_voters(1..=2));
        let config = Config { id: 1, configuration, timing, log_kept, mutant: None };
        let log = (1..=4).map(|n| entry(1, n)).collect();
        let durable = Durable { accepted_epoch: 1, current_epoch: 1, log, ..Durable::nothing() };
        let mut said = Vec::new();
        let mut learner = Learner { peer: Peer::restart(config, durable, &mut said), said };
        learner.follow(EPOCH, stage);
        learner
    }

    /// Finds the leader of an epoch, and goes with it so far.
    fn follow(&mut self, epoch: u32, stage: Stage) {
        let vote = Vote { epoch: epoch - 1, zxid: Zxid::new(epoch, 9), leader: LEADER };
        let (round, stance) = (u64::from(epoch), Stance::Looking);
        let (version, logged) = (Zxid::ZERO, Zxid::ZERO);
        self.hear(Message::Notification { round, vote, stance, version, logged });
        self.input(Input::Connected { peer: LEADER });
        let committed = self.peer.last_logged();
        let steps = [
            (Stage::Synchronising, Message::LeaderInfo { epoch }),
            (Stage::Adopted, new_leader(epoch)),
            (Stage::Serving, Message::UpToDate { committed }),
        ];
        for (_, message) in steps.into_iter().filter(|(reached, _)| *reached <= stage) {
            self.hear(message);
        }
        assert!(self.stays(), "{stage:?} is not reached");
    }

    fn input(&mut self, input: Input<u64, u64>) {
        self.said.clear();
        self.peer.handle(input, &mut self.said);
        while let ops @ 1.. = self.writes() {
            self.said.retain(|output| !matches!(output, Output::Store(_)));
            self.peer.handle(Input::Stored { ops }, &mut self.said);
        }
    }

    fn writes(&self) -> usize {
        self.said.iter().filter(|output| matches!(output, Output::Store(_))).count()
    }

    fn hear(&mut self, message: Words) {
        self.input(Input::Received { from: LEADER, message });
    }

    fn stays(&self) -> bool {
        self.peer.role() != Role::Looking
    }

    /// What it does after that, if it stays.
    fn after(mut self, message: Words) -> Option<Learner> {
        self.hear(message);
        self.stays().then_some(self)
    }
}

fn entry(epoch: u32, counter: u32) -> Entry<u64> {
    Entry { zxid: Zxid::new(epoch, counter), txn: u64::from(counter) }
}

fn new_leader(epoch: u32) -> Words {
    Message::NewLeader { epoch, configuration: Configuration::initial(Members::of_voters(1..=2)) }
}

fn truncate(epoch: u32, counter: u32) -> Words {
    Message::Truncate { after: Zxid::new(epoch, counter) }
}

#[test]
fn what_has_no_place_at_a_stage_ends_it() {
    let snapshot = |epoch| Message::Snapshot { zxid: Zxid::new(epoch, 9), state: 7 };
    let zxid = Zxid::new(1, 4);
    let (commit, up_to_date) = (Message::Commit { zxid }, Message::UpToDate { committed: zxid });
    let info = |epoch| Message::LeaderInfo { epoch };
    let propose = |epoch, counter| Message::Propose(entry(epoch, counter));
    let synced = Message::SyncReply { token: 1 };
    use Stage::{Adopted, Discovering, Serving, Synchronising};
    for (stage, message, may) in [
        (Discovering, info(0), false),
        (Discovering, info(EPOCH), true),
        (Synchronising, info(EPOCH), false),
        (Serving, info(EPOCH + 1), false),
        (Discovering, truncate(1, 4), false),
        (Synchronising, truncate(1, 4), true),
        (Adopted, truncate(1, 4), false),
        (Serving, truncate(1, 4), false),
        (Discovering, snapshot(1), false),
        (Synchronising, snapshot(EPOCH), true),
        (Synchronising, snapshot(EPOCH + 1), false),
        (Adopted, snapshot(EPOCH), false),
        (Discovering, propose(1, 5), false),
        (Synchronising, propose(1, 5), true),
        (Synchronising, propose(1, 6), false),
        (Synchronising, propose(1, 4), false),
        (Serving, propose(EPOCH, 1), true),
        (Serving, propose(EPOCH + 1, 1), false),
        (Discovering, new_leader(EPOCH), false),
        (Synchronising, new_leader(EPOCH), true),
        (Synchronising, new_leader(EPOCH + 1), false),
        (Adopted, new_leader(EPOCH), false),
        (Serving, new_leader(EPOCH), false),
        (Synchronising, up_to_date.clone(), false),
        (Adopted, up_to_date.clone(), true),
        (Adopted, Message::UpToDate { committed: Zxid::new(1, 5) }, false),
        (Serving, up_to_date, false),
        (Synchronising, commit.clone(), false),
        (Adopted, commit.clone(), false),
        (Serving, commit, true),
        (Serving, Message::Commit { zxid: Zxid::new(1, 3) }, false),
        (Serving, Message::Commit { zxid: Zxid::new(1, 5) }, false),
        (Adopted, synced.clone(), false),
        (Serving, synced, true),
        (Serving, Message::Ack { zxid }, false),
    ] {
        let learner = Learner::at(stage);
        let (last, epochs) = (learner.peer.last_logged(), learner.peer.epochs());
        let mut after = learner;
        after.hear(message.clone());
        assert_eq!(after.stays(), may, "{stage:?}: {message:?}");
        if !may {
            assert_eq!(after.peer.last_logged(), last, "{stage:?}: {message:?}");
            assert_eq!(after.peer.epochs(), epochs, "{stage:?}: {message:?}");
        }
    }
}

/// Its disk is slow: the leader cannot know its history yet.
#[test]
fn nothing_is_proposed_before_the_promise_is_durable() {
    let mut learner = Learner::at(Stage::Discovering);
    for message in [Message::LeaderInfo { epoch: EPOCH }, Message::Propose(entry(1, 5))] {
        assert!(learner.stays());
        learner.peer.handle(Input::Received { from: LEADER, message }, &mut learner.said);
    }
    assert!(!learner.stays());
}

/// A snapshot's log is that of a history without holes too.
#[test]
fn what_follows_a_snapshot_follows_without_holes() {
    let installing = || {
        let snapshot = Message::Snapshot { zxid: Zxid::new(1, 9), state: 7 };
        Learner::at(Stage::Synchronising).after(snapshot).expect("it has its place")
    };
    for (counter, may) in [(10, true), (11, false), (9, false)] {
        let after = installing().after(Message::Propose(entry(1, counter)));
        assert_eq!(after.is_some(), may, "1:{counter}");
    }
    assert!(installing().after(truncate(1, 9)).is_none(), "there is no log to cut yet");
    let whole = installing().after(new_leader(EPOCH)).expect("it has its place");
    assert_eq!(whole.peer.last_logged(), Zxid::new(1, 9));
}

#[test]
fn only_what_is_in_memory_is_a_place_to_cut_at() {
    for (after, may) in [((1, 4), true), ((1, 2), true), ((0, 0), true), ((1, 5), false)] {
        let learner = Learner::at(Stage::Synchronising).after(truncate(after.0, after.1));
        assert_eq!(learner.is_some(), may, "after {after:?}");
    }
}

/// The snapshot on disk cannot be cut, even where the log in memory reaches below it.
#[test]
fn nothing_is_cut_below_the_snapshot() {
    for (counter, may) in [(1, false), (2, true), (3, true)] {
        let mut learner = Learner::at(Stage::Serving);
        learner.input(Input::Compact { upto: Zxid::new(1, 2) });
        learner.input(Input::Disconnected { peer: LEADER });
        learner.follow(EPOCH + 1, Stage::Synchronising);
        assert_eq!(learner.after(truncate(1, counter)).is_some(), may, "after 1:{counter}");
    }
}

/// Of its own snapshots the newest counts; one of a state that was thrown away since does not.
#[test]
fn a_snapshot_counts_from_the_last_one_to_what_is_delivered() {
    for (stage, snapshots, after, may) in [
        (Stage::Serving, &[3, 2][..], 2, false),
        (Stage::Serving, &[3, 2], 3, true),
        (Stage::Adopted, &[3], 2, true),
    ] {
        let mut learner = Learner::at(stage);
        for counter in snapshots {
            learner.input(Input::Compact { upto: Zxid::new(1, *counter) });
        }
        learner.input(Input::Disconnected { peer: LEADER });
        learner.follow(EPOCH + 1, Stage::Synchronising);
        let cut = learner.after(truncate(1, after));
        assert_eq!(cut.is_some(), may, "{stage:?}, {snapshots:?}, after 1:{after}");
    }
}

/// What was delivered is taken back by delivering anew from the snapshot: it must be in memory.
#[test]
fn what_was_delivered_and_forgotten_is_not_cut() {
    for (forgotten, after, may) in
        [(None, 3, true), (None, 4, true), (Some(3), 3, false), (Some(3), 4, true)]
    {
        let mut learner = Learner::keeping(0, Stage::Serving);
        if let Some(counter) = forgotten {
            learner.input(Input::Forget { upto: Zxid::new(1, counter) });
        }
        learner.input(Input::Disconnected { peer: LEADER });
        learner.follow(EPOCH + 1, Stage::Synchronising);
        let Some(cut) = learner.after(truncate(1, after)) else {
            assert!(!may, "forgotten {forgotten:?}, after 1:{after}");
            continue;
        };
        assert!(may, "forgotten {forgotten:?}, after 1:{after}");
        let taken_back = Output::Reset { zxid: Zxid::ZERO, state: None };
        assert_eq!(cut.said.contains(&taken_back), after < 4, "after 1:{after}");
    }
}

/// Whatever others do, it goes on with its leader, and turns them away.
#[test]
fn others_do_not_come_between_a_learner_and_its_leader() {
    const OTHER: ServerId = 3;
    let away = Output::Disconnect { peer: OTHER };
    let message = Message::Propose(entry(EPOCH, 1));
    for (input, said) in [
        (Input::Disconnected { peer: OTHER }, None),
        (Input::Connected { peer: OTHER }, Some(&away)),
        (Input::Received { from: OTHER, message }, Some(&away)),
        (Input::Connected { peer: LEADER }, None),
    ] {
        let mut learner = Learner::at(Stage::Serving);
        let last = learner.peer.last_logged();
        learner.input(input.clone());
        assert!(learner.stays() && learner.peer.last_logged() == last, "{input:?}");
        assert!(learner.said.iter().eq(said), "{input:?}: {:?}", learner.said);
    }
}

/// Until it is brought up, it is given up when that takes too long, and asks nothing of its leader.
#[test]
fn a_learner_asks_and_has_time_once_it_serves() {
    let init = Input::Timer(Timer::Init);
    for (stage, serves) in [(Stage::Adopted, false), (Stage::Serving, true)] {
        for (input, message) in [
            (Input::Submit { txn: 7 }, Message::Forward { txn: 7 }),
            (Input::Sync { token: 7 }, Message::SyncRequest { token: 7 }),
        ] {
            let mut learner = Learner::at(stage);
            learner.input(input);
            let asked = learner.said == [Output::Send { to: LEADER, message }];
            assert_eq!(asked, serves, "{stage:?}: {:?}", learner.said);
        }
        let mut learner = Learner::at(stage);
        learner.input(init.clone());
        assert_eq!(learner.stays(), serves, "{stage:?}");
    }
}

/// Each of its words counts anew; a learner that hears none for `syncLimit` ticks looks for another.
#[test]
fn a_leader_is_given_up_after_so_much_silence_and_no_less() {
    let mut learner = Learner::at(Stage::Serving);
    for _ in 0..2 {
        (0..4).for_each(|_| learner.input(Input::Timer(Timer::Beat)));
        assert!(learner.stays());
        learner.hear(Message::Ping { seq: 0 });
    }
    (0..5).for_each(|_| learner.input(Input::Timer(Timer::Beat)));
    assert!(!learner.stays());
}
