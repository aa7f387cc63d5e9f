//! A step of Paxos in words.

use super::{Action, Ballot, Decree, Flaw, Paxos, Words, step};

pub(crate) fn tell(model: &Paxos, before: &Decree, action: &Action) -> String {
    let what = act(model, action);
    let after = step::apply(model, before, action);
    let learnt = after.chosen.difference(&before.chosen).next();
    match learnt {
        Some((client, value)) => format!("{what}; client {client} takes {value} for chosen"),
        None => what,
    }
}

fn act(model: &Paxos, action: &Action) -> String {
    match action {
        Action::Begin(client) if model.reads(*client) => format!("client {client} reads"),
        Action::Begin(client) => format!("client {client} proposes {client}"),
        Action::Ask { acceptor, words } => format!("to acceptor {acceptor}: {}", message(words)),
        Action::Answer(words) => message(words),
        Action::Crash(acceptor) if model.flaw == Some(Flaw::Forgetful) => {
            format!("acceptor {acceptor} crashes, comes back and has forgotten everything")
        }
        Action::Crash(acceptor) => format!("acceptor {acceptor} crashes and comes back"),
    }
}

fn message(words: &Words) -> String {
    match words {
        Words::Prepare { ballot } => format!("prepare {}", name(*ballot)),
        Words::Promise { ballot, acceptor, accepted: None } => {
            format!("acceptor {acceptor} promises {}, having accepted nothing", name(*ballot))
        }
        Words::Promise { ballot, acceptor, accepted: Some((earlier, value)) } => format!(
            "acceptor {acceptor} promises {}, having accepted {value} in {}",
            name(*ballot),
            name(*earlier)
        ),
        Words::Accept { ballot, value } => format!("accept {value} in {}", name(*ballot)),
        Words::Accepted { ballot, acceptor, value } => {
            format!("acceptor {acceptor} has accepted {value} in {}", name(*ballot))
        }
    }
}

fn name(ballot: Ballot) -> String {
    format!("ballot {}.{}", ballot.round, ballot.client)
}
