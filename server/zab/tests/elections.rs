//! Whose word counts in an election, and until when.

use zab::{
    Config, Configuration, Durable, Input, Members, Message, Output, Peer, Role, ServerId, Stance,
    Timing, Vote, Zxid,
};

type Outputs = Vec<Output<u64, u64>>;
type Said = Input<u64, u64>;

/// What a server says in the first round, which is that of a server just started.
const ROUND: u64 = 1;

/// A server of three, and an observer 4, that has just been started.
struct Looking {
    peer: Peer<u64, u64>,
    said: Outputs,
}

impl Looking {
    fn started(id: ServerId) -> Looking {
        let timing =
            Timing { tick_ms: 10, init_limit: 5, sync_limit: 2, settle_ms: 20, resend_ms: 50 };
        let configuration = Configuration::initial(Members::of(1..=3, [4]));
        let config = Config { id, configuration, timing, log_kept: 10, mutant: None };
        let mut said = Vec::new();
        let peer = Peer::restart(config, Durable::nothing(), &mut said);
        Looking { peer, said }
    }

    /// Its role after it has heard these, one after another.
    fn hears(mut self, all: &[Said]) -> Role {
        all.iter().for_each(|one| self.input(one.clone()));
        self.peer.role()
    }

    fn input(&mut self, input: Said) {
        self.said.clear();
        self.peer.handle(input, &mut self.said);
    }

    fn votes_for(&self, leader: ServerId) -> bool {
        self.said.iter().any(|output| {
            matches!(output, Output::Send { message: Message::Notification { vote, .. }, .. }
                if vote.leader == leader)
        })
    }
}

/// A server says whom it is for, or follows.
fn says(from: ServerId, stance: Stance, round: u64, leader: ServerId) -> Said {
    let vote = Vote { epoch: 0, zxid: Zxid::ZERO, leader };
    let (version, logged) = (Zxid::ZERO, Zxid::ZERO);
    let message = Message::Notification { round, vote, stance, version, logged };
    Input::Received { from, message }
}

#[test]
fn who_cannot_be_reached_makes_no_majority() {
    let alone = [1, 2].map(|peer| Input::Unreachable { peer });
    assert_eq!(Looking::started(3).hears(&alone), Role::Looking);
}

#[test]
fn who_can_be_reached_again_is_waited_for() {
    let away = Input::Unreachable { peer: 1 };
    let back = says(1, Stance::Looking, ROUND, 1);
    let agrees = says(2, Stance::Looking, ROUND, 3);
    let leads = Role::Leading { epoch: 0, serving: false };
    assert_eq!(Looking::started(3).hears(&[away.clone(), agrees.clone()]), leads);
    assert_eq!(Looking::started(3).hears(&[away, back, agrees]), Role::Looking);
}

/// They follow what it was before it was started again: it has no quorum's votes.
#[test]
fn a_leader_is_not_elected_by_those_that_follow_it_still() {
    let following = [1, 3].map(|from| says(from, Stance::Following, ROUND + 6, 2));
    assert_eq!(Looking::started(2).hears(&following), Role::Looking);
}

#[test]
fn who_looks_again_follows_nobody() {
    let follows = says(1, Stance::Following, ROUND + 6, 2);
    let looks = says(1, Stance::Looking, ROUND, 1);
    let leads = says(2, Stance::Leading, ROUND + 6, 2);
    let joined = Looking::started(3).hears(&[follows.clone(), leads.clone()]);
    assert_eq!(joined, Role::Following { leader: 2, epoch: 0, serving: false });
    assert_eq!(Looking::started(3).hears(&[follows, looks, leads]), Role::Looking);
}

#[test]
fn who_comes_to_follow_one_that_is_for_another_is_turned_away() {
    let comes = || {
        let message = Message::FollowerInfo { accepted_epoch: 0 };
        Input::Received { from: 2, message }
    };
    let turned_away = Output::Disconnect { peer: 2 };
    let mut server = Looking::started(1);
    server.input(comes());
    assert!(!server.said.contains(&turned_away));
    server.input(says(3, Stance::Looking, ROUND, 3));
    assert!(server.said.contains(&turned_away));
    server.input(comes());
    assert!(server.said.contains(&turned_away));
}

#[test]
fn whom_an_observer_follows_is_nobodys_vote() {
    for (from, is_vote) in [(4, false), (3, true)] {
        let mut server = Looking::started(1);
        server.input(says(from, Stance::Following, ROUND, 2));
        assert_eq!(server.votes_for(2), is_vote, "from {from}");
    }
}
