//! What clients of the znodes workload say and are told, for histories written by hand.

use history::znode::{Ask, Change, Told, WatchEvent, ZnodeStat};
use history::{Hex, Kind, Process, f};

use crate::story::Story;

pub(crate) const Z: &str = "/z0";

/// A request of client c in its session, 0x100 + c, on server c; and its completion.
impl Story {
    pub(crate) fn asks(&mut self, client: u64, ask: &Ask) {
        let session = self.session(client);
        let event = self.event(Process::Client(client), Kind::Invoke, ask.name(), ask);
        event.session = Some(session);
    }

    pub(crate) fn does(&mut self, client: u64, ask: &Ask, zxid: u64, told: &Told) {
        self.asks(client, ask);
        let session = self.session(client);
        let event = self.complete(client, Kind::Ok, ask.name(), serde_json::json!(told));
        event.zxid = Some(Hex(zxid));
        event.session = Some(session);
    }

    pub(crate) fn refused(
        &mut self,
        client: u64,
        ask: &Ask,
        zxid: u64,
        error: &str,
        told: Option<&Told>,
    ) {
        self.asks(client, ask);
        let event = self.complete(client, Kind::Fail, ask.name(), serde_json::json!(told));
        event.zxid = Some(Hex(zxid));
        event.error = Some(error.to_owned());
    }

    pub(crate) fn loses(&mut self, client: u64, ask: &Ask) {
        self.asks(client, ask);
        self.info(client, ask.name());
    }

    pub(crate) fn is_told(&mut self, client: u64, path: &str, change: Change) {
        let value = WatchEvent { client, path: path.to_owned(), change };
        self.event(Process::watch(), Kind::Info, f::WATCH, value);
    }

    pub(crate) fn session(&self, client: u64) -> Hex {
        Hex(0x100 + client)
    }
}

pub(crate) fn create(path: &str, value: i64) -> Ask {
    Ask::Create { path: path.to_owned(), value, ephemeral: false, sequential: false }
}

pub(crate) fn ephemeral(path: &str, value: i64) -> Ask {
    Ask::Create { path: path.to_owned(), value, ephemeral: true, sequential: false }
}

pub(crate) fn sequential(value: i64) -> Ask {
    Ask::Create { path: format!("{Z}/s-"), value, ephemeral: false, sequential: true }
}

pub(crate) fn set(path: &str, value: i64, version: i32) -> Ask {
    Ask::Set { path: path.to_owned(), value, version }
}

pub(crate) fn delete(path: &str) -> Ask {
    Ask::Delete { path: path.to_owned(), version: -1 }
}

pub(crate) fn get(path: &str, watch: bool) -> Ask {
    Ask::Get { path: path.to_owned(), watch }
}

pub(crate) fn children(watch: bool) -> Ask {
    Ask::Children { path: Z.to_owned(), watch, sync: false }
}

/// A znode with two digits of data.
pub(crate) fn stat(czxid: u64, mzxid: u64, version: i32) -> ZnodeStat {
    ZnodeStat {
        czxid: Hex(czxid),
        mzxid: Hex(mzxid),
        pzxid: Hex(czxid),
        version,
        cversion: 0,
        owner: Hex(0),
        length: 2,
        children: 0,
    }
}

pub(crate) fn owned(client: u64, zxid: u64) -> ZnodeStat {
    ZnodeStat { owner: Hex(0x100 + client), ..stat(zxid, zxid, 0) }
}

pub(crate) fn parent(pzxid: u64, cversion: i32, children: i32) -> ZnodeStat {
    ZnodeStat { pzxid: Hex(pzxid), cversion, children, length: 0, ..stat(1, 1, 0) }
}

pub(crate) fn made(path: &str, stat: ZnodeStat) -> Told {
    Told::Created { path: path.to_owned(), stat: Some(stat) }
}

pub(crate) fn data(value: i64, stat: ZnodeStat) -> Told {
    Told::Data { value: Some(value), stat }
}

pub(crate) fn names(names: &[&str], stat: ZnodeStat) -> Told {
    Told::Children { names: names.iter().map(ToString::to_string).collect(), stat }
}

pub(crate) fn errors(codes: &[i32]) -> Told {
    Told::Multi { results: codes.iter().map(|&code| Told::Error { code }).collect() }
}
