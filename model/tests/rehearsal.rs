//! A counterexample as what real servers must do: whether they did is told step by step.

use model::catalogue;
use model::zab::{Base, Expected, Move};
use model::{Budget, Counterexample, End};
use zab::{
    Config, Configuration, Digest, Durable, Input, Members, Peer, Record, ServerId, Timer, Timing,
};

#[test]
fn a_recorded_step_is_the_models_or_the_difference_is_told() {
    let parts = catalogue::rehearse(&stored("stale-leader", "X17"), &Base::default());
    let moves = parts.expect("it can be rehearsed").into_iter().flat_map(|part| part.moves);
    let mut steps = moves.filter_map(|one| match one {
        Move::Expect { server, step } => Some((server, step)),
        _ => None,
    });
    let (server, first): (ServerId, Box<Expected>) = steps.next().expect("servers start");
    assert_eq!(first.compare(&started(server)), Ok(()));
    let other = first.compare(&started(server + 1)).expect_err("it votes for itself");
    assert!(other.starts_with("the model does "), "{other}");

    let input = Input::Timer(Timer::Beat);
    let step = Record::Step { at: 0, via: None, input, out: Vec::new() };
    let told = first.compare(&line(&step)).expect_err("a start was expected");
    assert!(told.contains("the server Some(Timer(Beat))"), "{told}");
}

#[test]
fn who_asks_is_answered_in_turn() {
    let parts = catalogue::rehearse(&stored("stale-leader", "X17"), &Base::default());
    let last = parts.expect("it can be rehearsed").pop().expect("it has steps");
    assert_eq!(last.story.as_deref(), Some("a client of n1 asks for sync"));
    let kinds = [
        matches!(last.moves.first(), Some(Move::Sync { server: 1 })),
        matches!(last.moves.get(1), Some(Move::Expect { server: 1, .. })),
        // Two writes of the preparation and one of the counterexample came before.
        matches!(last.moves.get(2), Some(Move::Answered { turn: 3 })),
    ];
    assert_eq!(kinds, [true; 3], "{:?}", last.moves);
}

#[test]
fn what_processes_cannot_be_made_to_do_is_refused() {
    let votes = catalogue::rehearse(&stored("votes", "X8"), &Base::default());
    assert!(votes.expect_err("only votes").contains("cannot be brought about"));
    let paxos = catalogue::rehearse(&stored("paxos", "half-quorum"), &Base::default());
    assert!(paxos.expect_err("no servers").contains("no model of the server's own core"));
}

#[test]
fn a_base_is_a_history_without_a_snapshot() {
    assert!(Base::of(&started(1)).is_ok());
    assert!(Base::of("{}").is_err());
    let text = started(1).replace("\"snapshot\":0", "\"snapshot\":4294967297");
    assert!(Base::of(&text).expect_err("a snapshot").contains("a snapshot up to"));
}

/// The line that server `id` begins its trace with when its disk is empty.
fn started(id: ServerId) -> String {
    let timing = Timing { tick_ms: 2, init_limit: 10, sync_limit: 5, settle_ms: 1, resend_ms: 1 };
    let configuration = Configuration::initial(Members::of_voters(1..=3));
    let config = Config { id, configuration, timing, log_kept: 500, mutant: None };
    let (durable, mut out) = (Durable::<Digest>::nothing(), Vec::new());
    let _peer = Peer::<Digest, u64>::restart(config.clone(), durable.clone(), &mut out);
    line(&Record::Start { at: 0, config, durable, out })
}

fn line(record: &Record) -> String {
    serde_json::to_string(record).expect("records are plain values")
}

fn stored(name: &str, mutant: &str) -> Counterexample {
    let model = catalogue::find(name).expect("it is in the catalogue");
    let outcome = model.check(model.bounds, Some(mutant), Budget::default(), &mut |_| {});
    let End::Broken(chapter) = outcome.expect("the bounds make sense").end else {
        panic!("{mutant} is not found in {name}");
    };
    let mutant = Some(mutant.to_owned());
    Counterexample { version: 1, model: name.to_owned(), mutant, bounds: model.bounds, chapter }
}
