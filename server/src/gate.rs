//! The gate: a server in which nothing happens but what is ordered, a line of JSON at a time, on its
//! standard input. With `gate=true` one order of events, out of all that can happen, is played on a real
//! process with its real sockets and disk.

use std::collections::{BTreeSet, VecDeque};
use std::io::{self, BufRead, Write};
use std::thread;

use tokio::sync::mpsc::UnboundedSender;
use tracing::error;
use zab::{Command, ServerId, Store};

use crate::links::LinkEvent;
use crate::proposal::{State, Txn};
use crate::storage::Report;

/// What waits for an order, oldest first.
#[derive(Default)]
pub(crate) struct Gate {
    pub(crate) events: VecDeque<LinkEvent>,
    pub(crate) writes: VecDeque<Store<Txn, State>>,
    /// Of writes that are done.
    pub(crate) reports: VecDeque<Report>,
    /// What is sent to these is lost.
    pub(crate) cut: BTreeSet<ServerId>,
}

/// Reads orders from standard input until it ends, or says what cannot be understood.
///
/// # Errors
/// When no thread can be started.
pub(crate) fn listen(orders: UnboundedSender<Command>) -> io::Result<()> {
    let read = move || {
        for line in io::stdin().lock().lines() {
            let order = line.map_err(|error| error.to_string());
            match order.and_then(|line| parse(&line)) {
                Ok(order) => {
                    let _stopping = orders.send(order);
                }
                Err(what) => return error!("standard input: {what}"),
            }
        }
    };
    thread::Builder::new().name("gate".to_owned()).spawn(read).map(drop)
}

fn parse(line: &str) -> Result<Command, String> {
    serde_json::from_str(line).map_err(|error| format!("{error}: {line}"))
}

/// Tells that the last order is carried out.
pub(crate) fn done() {
    // Nobody listens any more: the end of standard input says so too.
    let _ = writeln!(io::stdout().lock(), "done").and_then(|()| io::stdout().flush());
}
