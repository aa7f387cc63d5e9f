//! The znodes workload's side of a recorded client: any request, and the events that come between.

use history::znode::{Ask, Told, WatchEvent};
use history::{Draft, Hex, Kind, Process, f};
use wire::Request;

use crate::outcome::{Answer, Effect, outcome};
use crate::recorded::{RecordedClient, describe};
use crate::tree;
use crate::znodes::LAST_SEEN;

impl RecordedClient {
    /// Asks, with versions filled in; what was told, if it succeeded.
    pub(crate) async fn ask(&mut self, ask: &Ask) -> Option<Told> {
        let ask = self.filled_in(ask);
        self.record_events();
        self.record(Kind::Invoke, ask.name(), |draft| draft.value(&ask));
        let reply = self.answer_to(&ask).await;
        self.record_events();
        let answer = tree::with_refusal(&reply);
        let effect = if ask.is_write() { Effect::Write } else { Effect::Read };
        let told = tree::told(&reply);
        let kind = outcome(effect, &answer);
        self.count_and_record(kind, ask.name(), |draft| {
            let draft = told.iter().fold(draft, Draft::value);
            describe(draft, &answer)
        });
        self.watching.left(&ask, &answer);
        self.after(&answer);
        if ask == Ask::Close {
            self.forget_session();
        }
        let told = told.filter(|_| kind == Kind::Ok)?;
        self.note(&ask, &told);
        Some(told)
    }

    /// On a new connection of the session: the server is told of the watches that are still open.
    pub(crate) async fn set_watches_again(&mut self) {
        let since = Hex(self.last_zxid());
        if let Some(ask) = self.watching.again(since) {
            self.ask(&ask).await;
        }
    }

    /// Deletes the oldest sequential znode that this client has made and not deleted.
    pub(crate) async fn delete_own(&mut self) {
        if let Some(path) = self.own.pop_front() {
            self.ask(&Ask::Delete { path, version: -1 }).await;
        }
    }

    /// Reads a parent (`sync` first) and all of its children. Whether everything was answered.
    pub(crate) async fn read_family(&mut self, parent: &str) -> bool {
        let children = Ask::Children { path: parent.to_owned(), watch: false, sync: true };
        let Some(Told::Children { names, .. }) = self.ask(&children).await else { return false };
        for name in names {
            self.ask(&Ask::Get { path: format!("{parent}/{name}"), watch: false }).await;
        }
        self.is_connected()
    }

    async fn answer_to(&mut self, ask: &Ask) -> Answer {
        if let Ask::Children { path, sync: true, .. } = ask {
            let synced = self.call(&Request::Sync { path: path.clone() }).await;
            if outcome(Effect::Read, &synced) != Kind::Ok {
                return synced;
            }
        }
        self.call(&tree::request(ask)).await
    }

    fn filled_in(&self, ask: &Ask) -> Ask {
        let mut ask = ask.clone();
        match &mut ask {
            Ask::Delete { path, version }
            | Ask::Set { path, version, .. }
            | Ask::Check { path, version }
                if *version == LAST_SEEN =>
            {
                *version = self.versions.get(path).copied().unwrap_or(0);
            }
            Ask::Multi { ops } => *ops = ops.iter().map(|op| self.filled_in(op)).collect(),
            _ => {}
        }
        ask
    }

    fn note(&mut self, ask: &Ask, told: &Told) {
        for (ask, told) in ask.parts().iter().zip(told.parts()) {
            if let (Some(path), Some(stat)) = (ask.path(), told.stat()) {
                self.versions.insert(path.to_owned(), stat.version);
            }
            if let (Ask::Create { sequential: true, .. }, Told::Created { path, .. }) = (ask, told)
            {
                self.own.push_back(path.clone());
            }
        }
    }

    /// Records the watch events that have come, before anything that came after them.
    pub(crate) fn record_events(&mut self) {
        for event in self.take_events() {
            let Some(change) = tree::change(event.event_type) else { continue };
            self.watching.answered(&event.path, change);
            let value = WatchEvent { client: self.process(), path: event.path, change };
            let draft = Draft::new(Process::watch(), Kind::Info, f::WATCH).value(value);
            self.record_draft(draft);
        }
    }
}
