//! Which configuration a server goes by, from its disk on.

use std::sync::Arc;

use zab::{
    Config, Configuration, Durable, Entry, Input, Members, Message, Output, Peer, Role, ServerId,
    Stance, Timer, Timing, Transaction, Vote, Zxid,
};

/// A reconfiguration, or anything else.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Txn(Option<Arc<Members>>);

impl Transaction for Txn {
    fn members(&self) -> Option<&Arc<Members>> {
        self.0.as_ref()
    }
}

type Outputs = Vec<Output<Txn, u64>>;

/// The reconfiguration in the log.
const VERSION: Zxid = Zxid(0x1_0000_0002);

/// Server 1 of two, with 1:1 to 1:3 in its log, of which 1:2 makes them three.
fn restarted(settled: Zxid, out: &mut Outputs) -> Peer<Txn, u64> {
    let timing = Timing { tick_ms: 10, init_limit: 5, sync_limit: 2, settle_ms: 20, resend_ms: 50 };
    let configuration = Configuration::initial(Members::of_voters(1..=2));
    let config = Config { id: 1, configuration, timing, log_kept: 10, mutant: None };
    let log = [None, Some(Arc::new(Members::of_voters(1..=3))), None];
    let entry = |(n, members)| Entry { zxid: Zxid::new(1, n), txn: Txn(members) };
    let log = (1..).zip(log).map(entry).collect();
    let (accepted_epoch, current_epoch) = (1, 1);
    let durable = Durable { accepted_epoch, current_epoch, settled, log, ..Durable::nothing() };
    Peer::restart(config, durable, out)
}

#[test]
fn what_is_settled_is_in_force_from_the_start() {
    for (settled, in_force, next) in
        [(Zxid::ZERO, Zxid::ZERO, Some(VERSION)), (VERSION, VERSION, None)]
    {
        let peer = restarted(settled, &mut Vec::new());
        assert_eq!(peer.configuration().version, in_force);
        assert_eq!(peer.next_configuration().map(|next| next.version), next);
    }
}

/// Of a log that loses a reconfiguration, nothing of it is left.
#[test]
fn a_reconfiguration_goes_with_its_entry() {
    for (after, next) in [(Zxid::new(1, 1), None), (VERSION, Some(VERSION))] {
        let mut out = Vec::new();
        let mut peer = restarted(Zxid::ZERO, &mut out);
        let vote = Vote { epoch: 1, zxid: Zxid::new(1, 9), leader: 2 };
        let (stance, version, logged) = (Stance::Looking, Zxid::ZERO, VERSION);
        let looking = Message::Notification { round: 1, vote, stance, version, logged };
        let hear = |from, message| Input::Received { from, message };
        for input in [
            hear(2, looking.clone()),
            hear(3, looking),
            Input::Connected { peer: 2 },
            hear(2, Message::LeaderInfo { epoch: 2 }),
            Input::Stored { ops: 1 },
            hear(2, Message::Truncate { after }),
        ] {
            peer.handle(input, &mut out);
        }
        assert_eq!(peer.last_logged(), after, "it has a leader");
        assert_eq!(peer.next_configuration().map(|next| next.version), next);
    }
}

#[test]
fn news_of_members_is_news_once() {
    let mut peer = restarted(Zxid::ZERO, &mut Vec::new());
    let members = Arc::new(Members::of_voters(1..=4));
    let told = Message::Members(Configuration { version: Zxid::new(1, 7), members });
    for is_news in [true, false] {
        let mut out = Vec::new();
        peer.handle(Input::Received { from: 2, message: told.clone() }, &mut out);
        let contacts = out.iter().any(|output| matches!(output, Output::Contacts(_)));
        assert_eq!(contacts, is_news, "{out:?}");
        assert_eq!(out.is_empty(), !is_news, "{out:?}");
    }
}

#[test]
fn who_voted_before_the_news_is_asked_again() {
    for (is_news, role) in
        [(false, Role::Leading { epoch: 0, serving: false }), (true, Role::Looking)]
    {
        let mut out = Outputs::new();
        let mut peer = restarted(Zxid::ZERO, &mut out);
        let vote = Vote { epoch: 1, zxid: Zxid::new(1, 3), leader: 1 };
        let (stance, version, logged) = (Stance::Looking, Zxid::ZERO, VERSION);
        let message = Message::Notification { round: 1, vote, stance, version, logged };
        peer.handle(Input::Received { from: 2, message }, &mut out);
        if is_news {
            let members = Arc::new(Members::of_voters(1..=3));
            let message = Message::Members(Configuration { version: Zxid::new(1, 7), members });
            peer.handle(Input::Received { from: 3, message }, &mut out);
        }
        peer.handle(Input::Timer(Timer::Settle), &mut out);
        assert_eq!(peer.role(), role);
    }
}

/// Who has other members in its log may wait for votes that this server does not know of.
#[test]
fn those_whose_logs_have_other_members_are_not_taken_for_all() {
    let says = |from, logged| {
        let vote = Vote { epoch: 1, zxid: Zxid::new(1, 9), leader: 2 };
        let (stance, version) = (Stance::Looking, Zxid::ZERO);
        let message = Message::Notification { round: 1, vote, stance, version, logged };
        Input::Received { from, message }
    };
    let decided = |all: &[(ServerId, Zxid)]| {
        let mut out = Outputs::new();
        let mut peer = restarted(Zxid::ZERO, &mut out);
        all.iter().for_each(|(from, logged)| peer.handle(says(*from, *logged), &mut out));
        peer.role() != Role::Looking
    };
    assert!(decided(&[(2, VERSION), (3, VERSION)]));
    assert!(!decided(&[(2, Zxid::ZERO), (3, VERSION)]));
    assert!(decided(&[(2, Zxid::ZERO), (3, VERSION), (2, VERSION)]));
}

/// Alone, and asked for a second member: until that one has a say, there is no third.
#[test]
fn one_reconfiguration_is_under_way_at_a_time() {
    let timing = Timing { tick_ms: 10, init_limit: 5, sync_limit: 2, settle_ms: 20, resend_ms: 50 };
    let configuration = Configuration::initial(Members::of_voters([1]));
    let config = Config { id: 1, configuration, timing, log_kept: 10, mutant: None };
    let mut out = Outputs::new();
    let mut peer = Peer::<Txn, u64>::restart(config, Durable::nothing(), &mut out);
    let mut input = |input| {
        heard(&mut peer, input, &mut out);
        peer.last_logged()
    };
    input(Input::Stored { ops: 0 });
    let to = |voters| Txn(Some(Arc::new(Members::of_voters(1..=voters))));
    assert_eq!(input(Input::Submit { txn: to(2) }), Zxid::new(1, 1));
    assert_eq!(input(Input::Submit { txn: to(3) }), Zxid::new(1, 1));
    assert_eq!(input(Input::Submit { txn: Txn(None) }), Zxid::new(1, 2));
}

#[test]
fn who_knows_only_older_members_is_told() {
    for (version, told) in [(Zxid::ZERO, true), (VERSION, false)] {
        let mut out = Vec::new();
        let mut peer = restarted(VERSION, &mut out);
        out.clear();
        let vote = Vote { epoch: 1, zxid: Zxid::ZERO, leader: 2 };
        let (stance, logged) = (Stance::Looking, version);
        let message = Message::Notification { round: 1, vote, stance, version, logged };
        peer.handle(Input::Received { from: 2, message }, &mut out);
        let news = Output::Send { to: 2, message: Message::Members(peer.configuration().clone()) };
        assert_eq!(out.contains(&news), told, "{version}");
    }
}

/// A leader that removes itself needs the others for it, and takes nothing more once they have it.
#[test]
fn who_is_no_member_of_the_next_configuration_does_not_count_in_it() {
    let mut out = Outputs::new();
    let mut peer = leading_three(&mut out);
    let removed = Zxid::new(1, 1);
    let without_it = Txn(Some(Arc::new(Members::of_voters(1..=2))));
    heard(&mut peer, Input::Submit { txn: without_it }, &mut out);
    assert_eq!(peer.last_logged(), removed);
    for (from, in_force) in [(1, Zxid::ZERO), (2, removed)] {
        let message = Message::Ack { zxid: removed };
        heard(&mut peer, Input::Received { from, message }, &mut out);
        assert_eq!(peer.configuration().version, in_force, "after the word of {from}");
    }
    heard(&mut peer, Input::Submit { txn: Txn(None) }, &mut out);
    assert_eq!(peer.last_logged(), removed);
}

#[test]
fn who_does_not_serve_yet_has_no_quorum_to_reconfigure_with() {
    let mut out = Outputs::new();
    let mut peer = elected_of_three(&mut out);
    let here = Members::of_voters([3]);
    assert!(!peer.has_quorum_of(&here));
    bring(&mut peer, 1, &mut out);
    assert!(peer.has_quorum_of(&here));
}

/// Server 3, which the others have just elected, with nothing in its log.
fn elected_of_three(out: &mut Outputs) -> Peer<Txn, u64> {
    let timing = Timing { tick_ms: 10, init_limit: 5, sync_limit: 2, settle_ms: 20, resend_ms: 50 };
    let configuration = Configuration::initial(Members::of_voters(1..=3));
    let config = Config { id: 3, configuration, timing, log_kept: 10, mutant: None };
    let mut peer = Peer::restart(config, Durable::nothing(), out);
    let vote = Vote { epoch: 0, zxid: Zxid::ZERO, leader: 3 };
    let (stance, version, logged) = (Stance::Looking, Zxid::ZERO, Zxid::ZERO);
    for from in [1, 2] {
        let message = Message::Notification { round: 1, vote, stance, version, logged };
        heard(&mut peer, Input::Received { from, message }, out);
    }
    peer
}

fn leading_three(out: &mut Outputs) -> Peer<Txn, u64> {
    let mut peer = elected_of_three(out);
    bring(&mut peer, 1, out);
    bring(&mut peer, 2, out);
    assert_eq!(peer.role(), Role::Leading { epoch: 1, serving: true });
    peer
}

fn bring(peer: &mut Peer<Txn, u64>, from: ServerId, out: &mut Outputs) {
    for message in [
        Message::FollowerInfo { accepted_epoch: 0 },
        Message::AckEpoch { current_epoch: 0, last: Zxid::ZERO, snapshot: Zxid::ZERO },
        Message::AckLeader { epoch: 1 },
    ] {
        heard(peer, Input::Received { from, message }, out);
    }
}

/// The peer's disk is quick.
fn heard(peer: &mut Peer<Txn, u64>, input: Input<Txn, u64>, out: &mut Outputs) {
    peer.handle(input, out);
    while let ops @ 1.. = out.iter().filter(|one| matches!(one, Output::Store(_))).count() {
        out.clear();
        peer.handle(Input::Stored { ops }, out);
    }
}
