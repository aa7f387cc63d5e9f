//! A client whose every connect and every operation is in the history.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use history::{Draft, Hex, Kind, Process, Recorder, Stat, f};
use serde_json::Value;
use tokio::time::sleep;
use wire::{Data, Request, Response, WatcherEvent};

use crate::client::{Client, ConnectError, Endpoint, Resume};
use crate::config::{Config, Server};
use crate::outcome::{Answer, Effect, Reply, outcome};
use crate::tally::Counter;
use crate::watching::Watching;

/// What clients share.
#[derive(Clone, Debug)]
pub(crate) struct Shared {
    pub(crate) config: Arc<Config>,
    pub(crate) recorder: Recorder,
    pub(crate) counter: Arc<Counter>,
}

/// Time between failed attempts to connect.
const BACK_OFF: Duration = Duration::from_millis(100);

/// One process of the history: its session as it wanders from server to server, and its
/// operations, one at a time.
#[derive(Debug)]
pub(crate) struct RecordedClient {
    shared: Shared,
    process: u64,
    server_idx: usize,
    client: Option<Client>,
    resume: Option<Resume>,
    hold_off: bool,
    /// The versions last seen.
    pub(crate) versions: BTreeMap<String, i32>,
    /// Sequential znodes of its making, oldest first.
    pub(crate) own: VecDeque<String>,
    /// The session's watches that have not been answered.
    pub(crate) watching: Watching,
}

impl RecordedClient {
    /// A process without a session, whose first server is `server_idx`.
    pub(crate) fn new(shared: Shared, process: u64, server_idx: usize) -> RecordedClient {
        RecordedClient {
            shared,
            process,
            server_idx,
            client: None,
            resume: None,
            hold_off: false,
            versions: BTreeMap::new(),
            own: VecDeque::new(),
            watching: Watching::default(),
        }
    }

    pub(crate) fn is_connected(&self) -> bool {
        self.client.is_some()
    }

    /// Keeps the session alive; returns when it is time to connect (again). May be cancelled.
    pub(crate) async fn idle(&mut self) {
        if let Some(client) = &mut self.client {
            client.keep_alive().await;
            self.leave();
        } else if self.hold_off {
            sleep(BACK_OFF).await;
        }
    }

    /// Tries once to go on with the session, or to open one if there is none, on the server at
    /// `server_idx`. Not to be cancelled: the history would lack the completion.
    pub(crate) async fn connect(&mut self, server_idx: usize) {
        self.leave();
        self.server_idx = server_idx;
        self.record(Kind::Invoke, f::CONNECT, |draft| draft);
        let attempt = Client::connect(&self.endpoint(), self.resume.as_ref()).await;
        self.hold_off = attempt.is_err();
        match attempt {
            Ok(client) => {
                self.enter(client);
                self.set_watches_again().await;
            }
            Err(error) => self.stay_out(&error),
        }
    }

    /// As [`connect`](RecordedClient::connect), on the next server in turn; the first time, on the
    /// first server.
    pub(crate) async fn connect_next(&mut self) {
        let first = self.resume.is_none() && !self.hold_off;
        let next = if first { self.server_idx } else { self.server_idx + 1 };
        self.connect(next % self.shared.config.servers.len()).await;
    }

    /// `sync`, then `getData`. The zxid and the Stat are getData's. Whether it is `ok`.
    pub(crate) async fn read(&mut self, key: &str) -> bool {
        self.record(Kind::Invoke, f::READ, |draft| draft.key(key));
        let synced = self.call(&Request::Sync { path: key.into() }).await;
        if outcome(Effect::Read, &synced) != Kind::Ok {
            self.complete_unsynced(key, &synced);
            return false;
        }
        let answer = self.call(&get_data(key)).await;
        self.complete_read(f::READ, key, &answer);
        outcome(Effect::Read, &answer) == Kind::Ok
    }

    /// `getData` alone.
    pub(crate) async fn local_read(&mut self, key: &str) {
        self.record(Kind::Invoke, f::LOCAL_READ, |draft| draft.key(key));
        let answer = self.call(&get_data(key)).await;
        self.complete_read(f::LOCAL_READ, key, &answer);
    }

    /// `setData` whatever the version.
    pub(crate) async fn write(&mut self, key: &str, value: i64) {
        self.set(f::WRITE, key, value, -1, value.into()).await;
    }

    /// `setData` at the version last seen of `key`; at 0, a fresh znode's, if none was.
    pub(crate) async fn cas(&mut self, key: &str, value: i64) {
        let expected = self.versions.get(key).copied().unwrap_or(0);
        let argument = serde_json::json!([expected, value]);
        self.set(f::CAS, key, value, expected, argument).await;
    }

    async fn set(&mut self, f: &str, key: &str, value: i64, version: i32, argument: Value) {
        self.record(Kind::Invoke, f, |draft| draft.key(key).value(&argument));
        let data = Some(value.to_string().into_bytes().into());
        let answer = self.call(&Request::SetData { path: key.into(), data, version }).await;
        self.note_version(key, &answer);
        self.complete(f, Effect::Write, &answer, |draft| draft.key(key).value(&argument));
        self.after(&answer);
    }

    pub(crate) async fn call(&mut self, request: &Request) -> Answer {
        match &mut self.client {
            Some(client) => client.call(request).await,
            None => Err(crate::NoReply::Unsent("there is no connection".into())),
        }
    }

    fn complete_read(&mut self, f: &str, key: &str, answer: &Answer) {
        self.note_version(key, answer);
        self.complete(f, Effect::Read, answer, |draft| draft.key(key).value(value_read(answer)));
        self.after(answer);
    }

    /// A read whose sync failed has no result, and no zxid that its order could be checked by.
    fn complete_unsynced(&mut self, key: &str, synced: &Answer) {
        let error = format!("sync: {}", error(synced).unwrap_or_default());
        self.count_and_record(Kind::Fail, f::READ, |draft| draft.key(key).error(error));
        self.after(synced);
    }

    fn complete(
        &self,
        f: &str,
        effect: Effect,
        answer: &Answer,
        fill: impl FnOnce(Draft) -> Draft,
    ) {
        self.count_and_record(outcome(effect, answer), f, |draft| describe(fill(draft), answer));
    }

    pub(crate) fn count_and_record(&self, kind: Kind, f: &str, fill: impl FnOnce(Draft) -> Draft) {
        self.shared.counter.count(kind);
        self.record(kind, f, fill);
    }

    fn note_version(&mut self, key: &str, answer: &Answer) {
        if let Some(stat) = stat(answer) {
            self.versions.insert(key.into(), stat.version);
        }
    }

    /// Leaves a connection that is of no more use.
    pub(crate) fn after(&mut self, answer: &Answer) {
        let usable = match answer {
            Ok(Reply { result: Err(refusal), .. }) => !refusal.ends_connection(),
            Ok(_) => true,
            Err(_) => false,
        };
        if !usable {
            self.leave();
        }
    }

    fn enter(&mut self, client: Client) {
        self.client = Some(client);
        self.record(Kind::Ok, f::CONNECT, |draft| draft);
    }

    /// Records why there is no connection; a session that has expired is forgotten after that.
    fn stay_out(&mut self, error: &ConnectError) {
        self.record(error.outcome(), f::CONNECT, |draft| draft.error(error.to_string()));
        if matches!(error, ConnectError::Expired) {
            self.resume = None;
            self.watching = Watching::default();
        }
    }

    pub(crate) fn process(&self) -> u64 {
        self.process
    }

    /// The watch events that have come.
    pub(crate) fn take_events(&mut self) -> Vec<WatcherEvent> {
        self.client.as_mut().map(Client::take_events).unwrap_or_default()
    }

    /// The session is over, or is left to expire: the next connection opens another.
    pub(crate) fn forget_session(&mut self) {
        self.leave();
        self.resume = None;
        self.watching = Watching::default();
    }

    /// The largest zxid that the session has been shown.
    pub(crate) fn last_zxid(&self) -> u64 {
        self.client.as_ref().map_or(0, Client::last_zxid)
    }

    fn leave(&mut self) {
        self.record_events();
        if let Some(client) = self.client.take() {
            self.resume = Some(client.leave());
        }
    }

    /// Records an event of this client. `connect` names the server as its value.
    pub(crate) fn record(&self, kind: Kind, f: &str, fill: impl FnOnce(Draft) -> Draft) {
        let mut draft = Draft::new(Process::Client(self.process), kind, f);
        if f == f::CONNECT {
            draft = draft.value(&self.server().name);
        }
        self.record_draft(fill(draft));
    }

    /// Adds what is known of server and session.
    pub(crate) fn record_draft(&self, draft: Draft) {
        let draft = draft.node(&self.server().name);
        let draft = self.session().into_iter().fold(draft, Draft::session);
        self.shared.recorder.record(draft);
    }

    fn session(&self) -> Option<u64> {
        let current = self.client.as_ref().map(Client::session);
        current.or_else(|| self.resume.as_ref().map(|resume| resume.session))
    }

    fn server(&self) -> &Server {
        &self.shared.config.servers[self.server_idx]
    }

    fn endpoint(&self) -> Endpoint {
        self.shared.config.endpoint(self.server().addr)
    }
}

fn get_data(key: &str) -> Request {
    Request::GetData { path: key.into(), watch: false }
}

/// Adds what an answer carries: zxid, Stat, error.
pub(crate) fn describe(mut draft: Draft, answer: &Answer) -> Draft {
    if let Some(zxid) = answer.as_ref().ok().map(|reply| reply.zxid).filter(|zxid| *zxid > 0) {
        draft = draft.zxid(zxid);
    }
    if let Some(stat) = stat(answer) {
        draft = draft.stat(stat);
    }
    match error(answer) {
        Some(error) => draft.error(error),
        None => draft,
    }
}

fn error(answer: &Answer) -> Option<String> {
    match answer {
        Ok(Reply { result: Ok(_), .. }) => None,
        Ok(Reply { result: Err(refusal), .. }) => Some(refusal.to_string()),
        Err(no_reply) => Some(no_reply.to_string()),
    }
}

fn stat(answer: &Answer) -> Option<Stat> {
    let (Response::GetData { stat, .. } | Response::SetData { stat }) = body(answer)? else {
        return None;
    };
    Some(Stat {
        czxid: Hex(stat.czxid.cast_unsigned()),
        mzxid: Hex(stat.mzxid.cast_unsigned()),
        version: stat.version,
    })
}

fn body(answer: &Answer) -> Option<&Response> {
    answer.as_ref().ok()?.result.as_ref().ok()?.as_ref()
}

fn value_read(answer: &Answer) -> Value {
    match body(answer) {
        Some(Response::GetData { data, .. }) => value(data),
        _ => Value::Null,
    }
}

/// The integer that `data` spells; null if it is empty. Anything else was written by nobody: it
/// is kept as text, for the checker to find.
fn value(data: &Data) -> Value {
    let bytes = data.as_deref().unwrap_or_default();
    if bytes.is_empty() {
        return Value::Null;
    }
    let text = String::from_utf8_lossy(bytes);
    text.parse::<i64>().map_or_else(|_| Value::from(text.as_ref()), Value::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_integers_null_or_evidence() {
        let value = |text: &str| value(&Some(text.as_bytes().into()));
        assert_eq!(value("3000017"), Value::from(3_000_017));
        assert_eq!(value(""), Value::Null);
        assert_eq!(super::value(&None), Value::Null);
        assert_eq!(value("300\u{fffd}"), Value::from("300\u{fffd}"));
    }
}
