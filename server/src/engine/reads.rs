//! Requests answered from this server's tree, and the watches they leave.

use wire::{
    AddWatchMode, Data, ErrorCode, Identity, OpResult, Request, Response, Stat, WatcherEvent,
    WatcherType, encode_notification, perms,
};

use super::Engine;
use super::requests::reply_frame;
use crate::Mutant;
use crate::auth;
use crate::clients::ConnId;
use crate::membership;

/// Bytes that a multiRead reads: a request of some kilobytes may ask for gigabytes.
const MULTI_READ_MAX: usize = 64 << 20;

impl Engine {
    /// Answers a read, and leaves the watch it asks for.
    pub(super) fn execute(&mut self, conn: ConnId, xid: i32, request: Request) -> Vec<u8> {
        let zxid = self.tree.last_zxid();
        let result = self.read(conn, request);
        reply_frame(xid, zxid, result)
    }

    fn read(&mut self, conn: ConnId, request: Request) -> Result<Option<Response>, ErrorCode> {
        let Some(client) = self.clients.get(&conn) else { return Err(ErrorCode::SessionExpired) };
        let (session, who) = (client.session, client.who());
        let response = match request {
            Request::Exists { path, watch } => self.exists(conn, &who, &path, watch)?,
            Request::GetData { path, watch } => {
                self.tree.authorize(&path, perms::READ, &who)?;
                let (data, stat) = self.data(&path)?;
                if watch {
                    self.watches.watch_data(conn, &path);
                }
                Response::GetData { data, stat }
            }
            Request::GetChildren { path, watch } => {
                let (children, _) = self.children(conn, &who, &path, watch)?;
                Response::GetChildren { children }
            }
            Request::GetChildren2 { path, watch } => {
                let (children, stat) = self.children(conn, &who, &path, watch)?;
                Response::GetChildren2 { children, stat }
            }
            Request::GetAcl { path } => {
                let (acl, stat) = self.tree.get_acl(&path, &who)?;
                Response::GetAcl { acl, stat: self.shown(&path, stat) }
            }
            Request::MultiRead { ops } => Response::Multi { results: self.read_all(&who, ops) },
            Request::Unreadable { .. } => return Err(ErrorCode::MarshallingError),
            Request::WhoAmI => Response::WhoAmI { identities: auth::users(&who) },
            Request::GetEphemerals { prefix } => {
                Response::GetEphemerals { paths: self.ephemerals(session, &prefix) }
            }
            Request::GetAllChildrenNumber { path } => {
                self.tree.authorize(&path, perms::READ, &who)?;
                let number = self.tree.descendants(&path)?;
                Response::GetAllChildrenNumber { number: i32::try_from(number).unwrap_or(i32::MAX) }
            }
            Request::SetWatches { relative_zxid, data, exist, child } => {
                self.set_watches(conn, relative_zxid, &data, &exist, &child);
                return Ok(None);
            }
            Request::SetWatches2 {
                relative_zxid,
                data,
                exist,
                child,
                persistent,
                persistent_recursive,
            } => {
                self.set_watches(conn, relative_zxid, &data, &exist, &child);
                self.add_watches(conn, &persistent, AddWatchMode::Persistent);
                self.add_watches(conn, &persistent_recursive, AddWatchMode::PersistentRecursive);
                return Ok(None);
            }
            Request::AddWatch { path, mode } => {
                let mode = AddWatchMode::from_i32(mode).ok_or(ErrorCode::MarshallingError)?;
                self.add_watches(conn, &[path], mode);
                Response::AddWatch { err: 0 }
            }
            Request::CheckWatches { path, watcher_type } => {
                let has = self.watches.has(conn, &path, kind(watcher_type)?);
                return if has { Ok(None) } else { Err(ErrorCode::NoWatcher) };
            }
            Request::RemoveWatches { path, watcher_type } => {
                let had = self.watches.remove(conn, &path, kind(watcher_type)?);
                return if had { Ok(None) } else { Err(ErrorCode::NoWatcher) };
            }
            _ => return Err(ErrorCode::Unimplemented),
        };
        Ok(Some(response))
    }

    fn data(&self, path: &str) -> Result<(Data, Stat), ErrorCode> {
        let (data, stat) = self.tree.get_data(path)?;
        let members = self.first_members(path, &stat).map(|text| text.into_bytes().into());
        Ok((members.or(data), self.shown(path, stat)))
    }

    /// A stat, with the length of the data that are shown.
    fn shown(&self, path: &str, stat: Stat) -> Stat {
        let members = self.first_members(path, &stat);
        let length =
            members.map_or(stat.data_length, |text| text.len().try_into().unwrap_or(i32::MAX));
        Stat { data_length: length, ..stat }
    }

    /// Before the first reconfiguration `/zookeeper/config` has no data in the tree: it shows the
    /// members that the servers were started with, if there are more than one server alone.
    fn first_members(&self, path: &str, stat: &Stat) -> Option<String> {
        let is_empty = path == tree::CONFIG && stat.data_length == 0;
        let shows = is_empty && !self.config.servers.is_empty();
        shows.then(|| membership::data(self.peer.configuration()))
    }

    /// The watch is set even if the znode does not exist, but not if its stat is not for this
    /// client (ZOOKEEPER-2590).
    fn exists(
        &mut self,
        conn: ConnId,
        who: &[Identity],
        path: &str,
        watch: bool,
    ) -> Result<Response, ErrorCode> {
        if path.contains('\0') {
            return Err(ErrorCode::BadArguments);
        }
        let allowed = self.tree.authorize(path, perms::READ, who);
        if watch && matches!(allowed, Ok(()) | Err(ErrorCode::NoNode)) {
            self.watches.watch_data(conn, path);
        }
        allowed?;
        Ok(Response::Exists { stat: self.shown(path, self.tree.exists(path)?) })
    }

    fn children(
        &mut self,
        conn: ConnId,
        who: &[Identity],
        path: &str,
        watch: bool,
    ) -> Result<(Vec<String>, Stat), ErrorCode> {
        self.tree.authorize(path, perms::READ, who)?;
        let (children, stat) = self.tree.get_children(path)?;
        if watch {
            self.watches.watch_children(conn, path);
        }
        Ok((children, self.shown(path, stat)))
    }

    /// The operations of a multiRead. From the one on for which the reply has no room, all are refused.
    fn read_all(&self, who: &[Identity], ops: Vec<Request>) -> Vec<OpResult> {
        let mut bytes = 0;
        let read = |op| {
            let result = (bytes <= MULTI_READ_MAX).then(|| self.read_one(who, op));
            bytes += result.as_ref().map_or(0, length);
            let code = ErrorCode::MarshallingError.code();
            result.filter(|_| bytes <= MULTI_READ_MAX).unwrap_or(OpResult::Error { code })
        };
        ops.into_iter().map(read).collect()
    }

    /// One operation of a multiRead. It leaves no watch, whatever it says, as in ZooKeeper.
    fn read_one(&self, who: &[Identity], op: Request) -> OpResult {
        let read = || match op {
            Request::GetData { path, .. } => {
                self.tree.authorize(&path, perms::READ, who)?;
                let (data, stat) = self.data(&path)?;
                Ok(OpResult::GetData { data, stat })
            }
            Request::GetChildren { path, .. } => {
                self.tree.authorize(&path, perms::READ, who)?;
                let (children, _) = self.tree.get_children(&path)?;
                Ok(OpResult::GetChildren { children })
            }
            _ => Err(ErrorCode::Unimplemented),
        };
        read().unwrap_or_else(|code: ErrorCode| OpResult::Error { code: code.code() })
    }

    fn ephemerals(&self, session: i64, prefix: &str) -> Vec<String> {
        let everything = matches!(prefix.trim(), "" | "/");
        let session = self.tree.session(session);
        let paths = session.into_iter().flat_map(|session| session.ephemerals.iter());
        paths
            .filter(|path| everything || path.starts_with(prefix))
            .map(ToString::to_string)
            .collect()
    }

    fn add_watches(&mut self, conn: ConnId, paths: &[String], mode: AddWatchMode) {
        for path in paths {
            self.watches.add_watch(conn, path, mode);
        }
    }

    fn set_watches(
        &mut self,
        conn: ConnId,
        relative_zxid: i64,
        data: &[String],
        exist: &[String],
        child: &[String],
    ) {
        let blindly = self.mutant == Some(Mutant::WatchesSetBlindly);
        let relative_zxid = if blindly { i64::MAX } else { relative_zxid };
        let missed = self.watches.set_watches(conn, &self.tree, relative_zxid, data, exist, child);
        let Some(client) = self.clients.get(&conn) else { return };
        for fired in missed {
            let mut bytes = Vec::new();
            let event = WatcherEvent::new(fired.event, &*fired.path);
            encode_notification(-1, &event, &mut bytes);
            client.tell(bytes);
        }
    }
}

/// Bytes of what was read.
fn length(result: &OpResult) -> usize {
    match result {
        OpResult::GetData { data, .. } => data.as_deref().map_or(0, <[u8]>::len),
        OpResult::GetChildren { children } => children.iter().map(|name| 4 + name.len()).sum(),
        _ => 0,
    }
}

fn kind(watcher_type: i32) -> Result<WatcherType, ErrorCode> {
    WatcherType::from_i32(watcher_type).ok_or(ErrorCode::MarshallingError)
}
