//! Where operators ask: four-letter words on the client port, commands and metrics over HTTP.
//!
//! A question becomes an event of the engine, which answers with plain [`Facts`]. They are put into
//! words by pure functions, outside the engine.

mod commands;
mod facts;
mod http;
mod prometheus;
mod replication;
mod variables;
mod words;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use tokio::sync::mpsc::UnboundedSender;
use tokio::sync::oneshot;
use wire::frame::FourLetter;

pub(crate) use facts::{ClientFacts, Facts, Leading, SessionFacts, Want};
pub(crate) use http::{serve_admin, serve_metrics};

use crate::Config;
use crate::clients::{ClientEvent, ConnId, Counters, Registry, Stats};

/// ZooKeeper's version with the protocol that we speak, in the form that clients parse.
pub(crate) fn version() -> String {
    format!("3.8.0-zoobreak-{}", env!("CARGO_PKG_VERSION"))
}

/// What the engine is asked.
#[derive(Debug)]
pub(crate) struct Question {
    pub(crate) want: Want,
    pub(crate) answer: oneshot::Sender<Box<Facts>>,
}

/// The way to the engine's facts, and what is known without it.
#[derive(Clone, Debug)]
pub(crate) struct Desk {
    pub(crate) config: Arc<Config>,
    pub(crate) registry: Arc<Registry>,
    pub(crate) events: UnboundedSender<ClientEvent>,
    /// Kept for `gtmk` and `stmk`; it traces nothing.
    pub(crate) trace_mask: Arc<AtomicI64>,
}

/// One connection, as `cons` shows it.
pub(crate) struct Guest {
    pub(crate) stats: Arc<Stats>,
    pub(crate) counters: Counters,
    /// Its session, if it has one.
    pub(crate) client: Option<ClientFacts>,
}

impl Desk {
    pub(crate) fn new(
        config: &Config,
        registry: Arc<Registry>,
        events: UnboundedSender<ClientEvent>,
    ) -> Desk {
        // ZooTrace's default mask.
        let trace_mask = Arc::new(AtomicI64::new(0o462));
        Desk { config: Arc::new(config.clone()), registry, events, trace_mask }
    }

    /// The answer to a four-letter word; `argument` is that of `stmk`.
    pub(crate) async fn word(&self, word: FourLetter, argument: i64) -> String {
        if !self.config.four_letter_words.contains(&word) {
            return words::not_allowed(word);
        }
        match word {
            FourLetter::Ruok => return "imok".to_owned(),
            FourLetter::Gtmk => return self.trace_mask.load(Ordering::Relaxed).to_string(),
            FourLetter::Stmk => {
                self.trace_mask.store(argument, Ordering::Relaxed);
                return argument.to_string();
            }
            FourLetter::Envi => return words::environment(),
            _ => {}
        }
        // None: the engine has stopped, and the process is about to.
        let facts = self.ask(words::wants(word)).await;
        match facts.filter(|facts| facts.mode.is_some()) {
            Some(facts) => self.told(word, &facts),
            None => words::not_serving(word),
        }
    }

    fn told(&self, word: FourLetter, facts: &Facts) -> String {
        match word {
            FourLetter::Conf => words::configuration(&self.config, facts),
            FourLetter::Dirs => words::directories(bytes_in(&self.config.data_dir)),
            FourLetter::Cons => words::connections(&self.guests(facts)),
            FourLetter::Stat => words::stat(facts, &self.registry.latencies(), &self.guests(facts)),
            FourLetter::Srvr => words::server(facts, &self.registry.latencies()),
            FourLetter::Mntr => words::monitor(&self.variables(facts)),
            FourLetter::Crst => {
                self.reset_connections();
                "Connection stats reset.\n".to_owned()
            }
            FourLetter::Srst => {
                self.registry.reset();
                "Server stats reset.\n".to_owned()
            }
            FourLetter::Dump => words::dump(facts, &self.guests(facts)),
            FourLetter::Hash => words::digests(facts),
            FourLetter::Isro => if facts.is_read_only() { "ro" } else { "rw" }.to_owned(),
            FourLetter::Wchs => words::watch_summary(facts),
            FourLetter::Wchc => words::watches_by_session(facts),
            FourLetter::Wchp => words::watches_by_path(facts),
            FourLetter::Ruok | FourLetter::Gtmk | FourLetter::Stmk | FourLetter::Envi => {
                String::new()
            }
        }
    }

    async fn ask(&self, want: Want) -> Option<Box<Facts>> {
        let (answer, facts) = oneshot::channel();
        self.events.send(ClientEvent::Ask(Question { want, answer })).ok()?;
        facts.await.ok()
    }

    fn guests(&self, facts: &Facts) -> Vec<Guest> {
        let guest = |(conn, stats): (ConnId, Arc<Stats>)| {
            let counters = stats.counters();
            Guest { stats, counters, client: facts.clients.get(&conn).copied() }
        };
        self.registry.connections().into_iter().map(guest).collect()
    }

    fn variables(&self, facts: &Facts) -> Vec<(&'static str, variables::Variable)> {
        variables::variables(facts, &self.registry)
    }

    fn reset_connections(&self) {
        self.registry.connections().iter().for_each(|(_, stats)| stats.reset());
    }
}

/// Bytes in the files below a directory. What cannot be read has none: files come and go here.
fn bytes_in(directory: &Path) -> u64 {
    let Ok(entries) = std::fs::read_dir(directory) else { return 0 };
    let size = |entry: std::fs::DirEntry| match entry.metadata() {
        Ok(metadata) if metadata.is_dir() => bytes_in(&entry.path()),
        Ok(metadata) => metadata.len(),
        Err(_) => 0,
    };
    entries.flatten().map(size).sum()
}
