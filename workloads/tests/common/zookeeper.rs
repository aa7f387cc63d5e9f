//! A ZooKeeper in memory: several listeners, one state, and switches to make trouble with.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard};

use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio::task::JoinSet;
use wire::frame::FourLetter;
use wire::{ConnectRequest, ConnectResponse, Data, ErrorCode, Request, Response, Stat};
use workloads::Server;

use super::peer::{Peer, listen, session_response};

/// The ensemble; its servers end when it is dropped.
pub(crate) struct FakeZooKeeper {
    shared: Arc<Shared>,
    servers: Vec<Server>,
    _tasks: JoinSet<()>,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    hang_up: Notify,
}

/// What the servers know, and what is wrong with them.
#[derive(Default)]
pub(crate) struct State {
    zxid: i64,
    znodes: BTreeMap<String, (Data, Stat)>,
    sessions: BTreeSet<i64>,
    next_session: i64,
    /// Every handshake so far.
    pub(crate) handshakes: Vec<ConnectRequest>,
    /// Servers, by position, that hang up in the handshake.
    pub(crate) refusing: BTreeSet<usize>,
    /// How many of the coming writes are done, but not answered: the connection is closed instead.
    pub(crate) unanswered: u32,
    /// The server that claims to lead.
    pub(crate) leader: usize,
}

impl FakeZooKeeper {
    pub(crate) async fn start(n_servers: usize) -> FakeZooKeeper {
        let shared = Arc::new(Shared::default());
        let mut servers = Vec::new();
        let mut tasks = JoinSet::new();
        for idx in 0..n_servers {
            let (listener, addr) = listen().await;
            servers.push(Server { name: format!("n{}", idx + 1), addr });
            tasks.spawn(serve(Arc::clone(&shared), idx, listener));
        }
        FakeZooKeeper { shared, servers, _tasks: tasks }
    }

    pub(crate) fn servers(&self) -> Vec<Server> {
        self.servers.clone()
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.shared.state.lock().unwrap()
    }

    /// Closes every connection, whatever it is waiting for.
    pub(crate) fn hang_up(&self) {
        self.shared.hang_up.notify_waiters();
    }

    /// Forgets every session and closes every connection.
    pub(crate) fn expire_sessions(&self) {
        self.state().sessions.clear();
        self.hang_up();
    }
}

async fn serve(shared: Arc<Shared>, idx: usize, listener: TcpListener) {
    let mut connections = JoinSet::new();
    loop {
        let peer = Peer::accept(&listener).await;
        connections.spawn(serve_until_hung_up(Arc::clone(&shared), idx, peer));
    }
}

async fn serve_until_hung_up(shared: Arc<Shared>, idx: usize, peer: Peer) {
    tokio::select! {
        () = shared.hang_up.notified() => {}
        _ = converse(&shared, idx, peer) => {}
    }
}

/// One connection's life; `None` when it is over.
async fn converse(shared: &Shared, idx: usize, mut peer: Peer) -> Option<()> {
    if let Some(word) = peer.four_letter_word().await {
        let text = shared.state.lock().unwrap().srvr(idx, word);
        peer.send(text.as_bytes()).await;
        return None;
    }
    let request = ConnectRequest::decode(&peer.payload().await?).unwrap();
    let response = shared.state.lock().unwrap().connect(idx, &request)?;
    peer.connect_response(&response).await;
    loop {
        let (header, request) = peer.request().await?;
        let (zxid, result) = shared.state.lock().unwrap().answer(request)?;
        match result {
            Ok(body) => peer.reply(header.xid, zxid, body.as_ref()).await,
            Err(error) => peer.refuse(header.xid, zxid, error).await,
        }
    }
}

impl State {
    fn srvr(&self, idx: usize, word: FourLetter) -> String {
        assert_eq!(word, FourLetter::Srvr);
        let mode = if idx == self.leader { "leader" } else { "follower" };
        format!("Zookeeper version: fake\nZxid: {:#x}\nMode: {mode}\n", self.zxid)
    }

    fn connect(&mut self, idx: usize, request: &ConnectRequest) -> Option<ConnectResponse> {
        self.handshakes.push(request.clone());
        if self.refusing.contains(&idx) || request.last_zxid_seen > self.zxid {
            return None;
        }
        if request.session_id == 0 {
            self.next_session += 1;
            self.zxid += 1;
            self.sessions.insert(self.next_session);
            return Some(session_response(self.next_session, request.timeout_ms));
        }
        let known = self.sessions.contains(&request.session_id);
        Some(match known {
            true => session_response(request.session_id, request.timeout_ms),
            false => ConnectResponse::refusal(request.read_only),
        })
    }

    /// The zxid and the result of a request; `None` if the connection is to be closed.
    fn answer(&mut self, request: Request) -> Option<(i64, Result<Option<Response>, ErrorCode>)> {
        let write = matches!(request, Request::SetData { .. });
        let result = self.apply(request);
        if write && self.unanswered > 0 {
            self.unanswered -= 1;
            return None;
        }
        Some((self.zxid, result))
    }

    fn apply(&mut self, request: Request) -> Result<Option<Response>, ErrorCode> {
        match request {
            Request::Ping => Ok(None),
            Request::Sync { path } => Ok(Some(Response::Sync { path })),
            Request::GetData { path, .. } => self.get(&path).map(Some),
            Request::SetData { path, data, version } => self.set(&path, data, version).map(Some),
            Request::Create { path, data, .. } => self.create(path, data).map(Some),
            other => panic!("the workload does not use {other:?}"),
        }
    }

    fn get(&self, path: &str) -> Result<Response, ErrorCode> {
        let (data, stat) = self.znodes.get(path).ok_or(ErrorCode::NoNode)?;
        Ok(Response::GetData { data: data.clone(), stat: *stat })
    }

    fn set(&mut self, path: &str, data: Data, version: i32) -> Result<Response, ErrorCode> {
        self.zxid += 1;
        let znode = self.znodes.get_mut(path).ok_or(ErrorCode::NoNode)?;
        if version != -1 && version != znode.1.version {
            return Err(ErrorCode::BadVersion);
        }
        znode.0 = data;
        znode.1.version += 1;
        znode.1.mzxid = self.zxid;
        Ok(Response::SetData { stat: znode.1 })
    }

    fn create(&mut self, path: String, data: Data) -> Result<Response, ErrorCode> {
        self.zxid += 1;
        if self.znodes.contains_key(&path) {
            return Err(ErrorCode::NodeExists);
        }
        let stat = Stat { czxid: self.zxid, mzxid: self.zxid, ..Stat::default() };
        self.znodes.insert(path.clone(), (data, stat));
        Ok(Response::Create { path })
    }
}
