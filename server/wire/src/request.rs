//! What a client asks for.

use crate::frame;
use crate::jute::{Data, Error, Reader, Writer};
use crate::multi;
use crate::opcode;
use crate::records::{Acl, RequestHeader};

/// A request without its header: one variant per opcode.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields are those of zookeeper.jute, under their names")]
pub enum Request {
    /// Create a znode. `flags` is a [`crate::CreateMode`].
    Create { path: String, data: Data, acl: Vec<Acl>, flags: i32 },
    /// The same, with the new znode's stat in the reply.
    Create2 { path: String, data: Data, acl: Vec<Acl>, flags: i32 },
    /// The same, for a container.
    CreateContainer { path: String, data: Data, acl: Vec<Acl>, flags: i32 },
    /// The same, for a znode that lives `ttl` milliseconds after it was last set.
    CreateTtl { path: String, data: Data, acl: Vec<Acl>, flags: i32, ttl: i64 },
    /// Delete a znode if it has this version; -1 is any.
    Delete { path: String, version: i32 },
    /// A znode's stat, if it exists. The watch is set even if it does not.
    Exists { path: String, watch: bool },
    /// A znode's data and stat.
    GetData { path: String, watch: bool },
    /// Set a znode's data if it has this version; -1 is any.
    SetData { path: String, data: Data, version: i32 },
    /// A znode's access control list and stat.
    GetAcl { path: String },
    /// Replace a znode's access control list if it was replaced so often before; -1 is any.
    SetAcl { path: String, acl: Vec<Acl>, version: i32 },
    /// The names of a znode's children.
    GetChildren { path: String, watch: bool },
    /// The names of a znode's children, and its stat.
    GetChildren2 { path: String, watch: bool },
    /// Wait until this server has seen everything committed before.
    Sync { path: String },
    /// Fail unless a znode has this version; -1 is any. Only in a multi: alone it is
    /// [`Request::Unknown`] to a server.
    Check { path: String, version: i32 },
    /// Writes (creates, delete, setData, check) as one transaction.
    Multi { ops: Vec<Request> },
    /// Several reads (getData, getChildren), each with a result of its own.
    MultiRead { ops: Vec<Request> },
    /// Keep the session alive.
    Ping,
    /// Present credentials.
    Auth { auth_type: i32, scheme: String, auth: Data },
    /// Arm these watches again, or fire those that would have fired since `relative_zxid`.
    SetWatches { relative_zxid: i64, data: Vec<String>, exist: Vec<String>, child: Vec<String> },
    /// The same, and persistent watches.
    SetWatches2 {
        relative_zxid: i64,
        data: Vec<String>,
        exist: Vec<String>,
        child: Vec<String>,
        persistent: Vec<String>,
        persistent_recursive: Vec<String>,
    },
    /// Set a watch that stays; `mode` is an [`crate::AddWatchMode`].
    AddWatch { path: String, mode: i32 },
    /// Whether this connection has a watch; `watcher_type` is a [`crate::WatcherType`].
    CheckWatches { path: String, watcher_type: i32 },
    /// Take a watch of this connection back.
    RemoveWatches { path: String, watcher_type: i32 },
    /// Paths of the session's ephemerals that begin so.
    GetEphemerals { prefix: String },
    /// Number of a znode's descendants.
    GetAllChildrenNumber { path: String },
    /// The identities of the connection.
    WhoAmI,
    /// Change the members of the ensemble: `joining` and `leaving` (with commas between them) or,
    /// if there are any, `new_members` as a whole; if the present configuration is
    /// `cur_config_id`, -1 is any.
    Reconfig { joining: String, leaving: String, new_members: Option<String>, cur_config_id: i64 },
    /// End the session.
    CloseSession,
    /// An operation that this crate cannot decode; answer `Unimplemented`.
    Unknown { opcode: i32 },
    /// An operation whose body cannot be decoded; answer `MarshallingError`.
    Unreadable { opcode: i32 },
}

impl Request {
    /// The number of the operation.
    #[must_use]
    pub fn opcode(&self) -> i32 {
        match self {
            Request::Create { .. } => opcode::CREATE,
            Request::Create2 { .. } => opcode::CREATE2,
            Request::CreateContainer { .. } => opcode::CREATE_CONTAINER,
            Request::CreateTtl { .. } => opcode::CREATE_TTL,
            Request::Delete { .. } => opcode::DELETE,
            Request::Exists { .. } => opcode::EXISTS,
            Request::GetData { .. } => opcode::GET_DATA,
            Request::SetData { .. } => opcode::SET_DATA,
            Request::GetAcl { .. } => opcode::GET_ACL,
            Request::SetAcl { .. } => opcode::SET_ACL,
            Request::Check { .. } => opcode::CHECK,
            Request::Multi { .. } => opcode::MULTI,
            Request::MultiRead { .. } => opcode::MULTI_READ,
            Request::GetChildren { .. } => opcode::GET_CHILDREN,
            Request::GetChildren2 { .. } => opcode::GET_CHILDREN2,
            Request::Sync { .. } => opcode::SYNC,
            Request::Ping => opcode::PING,
            Request::Auth { .. } => opcode::AUTH,
            Request::SetWatches { .. } => opcode::SET_WATCHES,
            Request::SetWatches2 { .. } => opcode::SET_WATCHES2,
            Request::AddWatch { .. } => opcode::ADD_WATCH,
            Request::CheckWatches { .. } => opcode::CHECK_WATCHES,
            Request::RemoveWatches { .. } => opcode::REMOVE_WATCHES,
            Request::GetEphemerals { .. } => opcode::GET_EPHEMERALS,
            Request::GetAllChildrenNumber { .. } => opcode::GET_ALL_CHILDREN_NUMBER,
            Request::WhoAmI => opcode::WHO_AM_I,
            Request::Reconfig { .. } => opcode::RECONFIG,
            Request::CloseSession => opcode::CLOSE_SESSION,
            Request::Unknown { opcode } | Request::Unreadable { opcode } => *opcode,
        }
    }
}

/// Reads a payload. An opcode that is not known is [`Request::Unknown`], not an error: the stream
/// is in order and the client deserves an answer. After an error see
/// [`unreadable_request`].
pub fn decode_request(payload: &[u8]) -> Result<(RequestHeader, Request), Error> {
    let mut reader = Reader::new(payload);
    let header = RequestHeader { xid: reader.int("xid")?, opcode: reader.int("type")? };
    let request = read_body(&mut reader, header.opcode)?;
    if !matches!(request, Request::Unknown { .. }) {
        reader.finish("request")?;
    }
    Ok((header, request))
}

/// What a payload is that [`decode_request`] has refused. `None`: the connection must be closed,
/// because there is no header, or because it is credentials that cannot be read.
#[must_use]
pub fn unreadable_request(payload: &[u8]) -> Option<(RequestHeader, Request)> {
    let mut reader = Reader::new(payload);
    let header = RequestHeader { xid: reader.int("xid").ok()?, opcode: reader.int("type").ok()? };
    let opcode = header.opcode;
    (opcode != opcode::AUTH).then_some((header, Request::Unreadable { opcode }))
}

/// Appends a frame. For [`Request::Unknown`] and [`Request::Unreadable`] the body is empty.
pub fn encode_request(xid: i32, request: &Request, out: &mut Vec<u8>) {
    frame::write(out, |writer| {
        writer.int(xid);
        writer.int(request.opcode());
        write_body(writer, request);
    });
}

pub(crate) fn read_body(reader: &mut Reader<'_>, opcode: i32) -> Result<Request, Error> {
    Ok(match opcode {
        opcode::CREATE => {
            let (path, data, acl, flags) = read_create(reader)?;
            Request::Create { path, data, acl, flags }
        }
        opcode::CREATE2 => {
            let (path, data, acl, flags) = read_create(reader)?;
            Request::Create2 { path, data, acl, flags }
        }
        opcode::CREATE_CONTAINER => {
            let (path, data, acl, flags) = read_create(reader)?;
            Request::CreateContainer { path, data, acl, flags }
        }
        opcode::CREATE_TTL => {
            let (path, data, acl, flags) = read_create(reader)?;
            Request::CreateTtl { path, data, acl, flags, ttl: reader.long("ttl")? }
        }
        opcode::DELETE => Request::Delete { path: path(reader)?, version: reader.int("version")? },
        opcode::EXISTS => Request::Exists { path: path(reader)?, watch: watch(reader)? },
        opcode::GET_DATA => Request::GetData { path: path(reader)?, watch: watch(reader)? },
        opcode::SET_DATA => Request::SetData {
            path: path(reader)?,
            data: reader.data("data")?,
            version: reader.int("version")?,
        },
        opcode::GET_ACL => Request::GetAcl { path: path(reader)? },
        opcode::SET_ACL => Request::SetAcl {
            path: path(reader)?,
            acl: Acl::read_list(reader)?,
            version: reader.int("version")?,
        },
        opcode::MULTI => Request::Multi { ops: multi::read_writes(reader)? },
        opcode::MULTI_READ => Request::MultiRead { ops: multi::read_reads(reader)? },
        opcode::GET_CHILDREN => Request::GetChildren { path: path(reader)?, watch: watch(reader)? },
        opcode::GET_CHILDREN2 => {
            Request::GetChildren2 { path: path(reader)?, watch: watch(reader)? }
        }
        opcode::SYNC => Request::Sync { path: path(reader)? },
        opcode::PING => Request::Ping,
        opcode::AUTH => Request::Auth {
            auth_type: reader.int("type")?,
            scheme: reader.string("scheme")?,
            auth: reader.data("auth")?,
        },
        opcode::SET_WATCHES => Request::SetWatches {
            relative_zxid: reader.long("relativeZxid")?,
            data: reader.strings("dataWatches")?,
            exist: reader.strings("existWatches")?,
            child: reader.strings("childWatches")?,
        },
        opcode::SET_WATCHES2 => Request::SetWatches2 {
            relative_zxid: reader.long("relativeZxid")?,
            data: reader.strings("dataWatches")?,
            exist: reader.strings("existWatches")?,
            child: reader.strings("childWatches")?,
            persistent: reader.strings("persistentWatches")?,
            persistent_recursive: reader.strings("persistentRecursiveWatches")?,
        },
        opcode::ADD_WATCH => Request::AddWatch { path: path(reader)?, mode: reader.int("mode")? },
        opcode::CHECK_WATCHES => {
            Request::CheckWatches { path: path(reader)?, watcher_type: reader.int("type")? }
        }
        opcode::REMOVE_WATCHES => {
            Request::RemoveWatches { path: path(reader)?, watcher_type: reader.int("type")? }
        }
        opcode::GET_EPHEMERALS => {
            Request::GetEphemerals { prefix: reader.string_or_null("prefixPath")? }
        }
        opcode::GET_ALL_CHILDREN_NUMBER => Request::GetAllChildrenNumber { path: path(reader)? },
        opcode::WHO_AM_I => Request::WhoAmI,
        opcode::RECONFIG => Request::Reconfig {
            joining: reader.string_or_null("joiningServers")?,
            leaving: reader.string_or_null("leavingServers")?,
            new_members: reader.optional_string("newMembers")?,
            cur_config_id: reader.long("curConfigId")?,
        },
        opcode::CLOSE_SESSION => Request::CloseSession,
        opcode => Request::Unknown { opcode },
    })
}

fn read_create(reader: &mut Reader<'_>) -> Result<(String, Data, Vec<Acl>, i32), Error> {
    Ok((path(reader)?, reader.data("data")?, Acl::read_list(reader)?, reader.int("flags")?))
}

fn path(reader: &mut Reader<'_>) -> Result<String, Error> {
    reader.string("path")
}

fn watch(reader: &mut Reader<'_>) -> Result<bool, Error> {
    reader.boolean("watch")
}

pub(crate) fn write_body(writer: &mut Writer<'_>, request: &Request) {
    match request {
        Request::Create { path, data, acl, flags }
        | Request::Create2 { path, data, acl, flags }
        | Request::CreateContainer { path, data, acl, flags } => {
            write_create(writer, path, data, acl, *flags);
        }
        Request::CreateTtl { path, data, acl, flags, ttl } => {
            write_create(writer, path, data, acl, *flags);
            writer.long(*ttl);
        }
        Request::Delete { path, version } | Request::Check { path, version } => {
            writer.string(path);
            writer.int(*version);
        }
        Request::Exists { path, watch }
        | Request::GetData { path, watch }
        | Request::GetChildren { path, watch }
        | Request::GetChildren2 { path, watch } => {
            writer.string(path);
            writer.boolean(*watch);
        }
        Request::SetData { path, data, version } => {
            writer.string(path);
            writer.buffer(data.as_deref());
            writer.int(*version);
        }
        Request::SetAcl { path, acl, version } => {
            writer.string(path);
            Acl::write_list(acl, writer);
            writer.int(*version);
        }
        Request::Multi { ops } | Request::MultiRead { ops } => multi::write_ops(writer, ops),
        Request::GetAcl { path }
        | Request::Sync { path }
        | Request::GetAllChildrenNumber { path }
        | Request::GetEphemerals { prefix: path } => writer.string(path),
        Request::AddWatch { path, mode: number }
        | Request::CheckWatches { path, watcher_type: number }
        | Request::RemoveWatches { path, watcher_type: number } => {
            writer.string(path);
            writer.int(*number);
        }
        Request::Auth { auth_type, scheme, auth } => {
            writer.int(*auth_type);
            writer.string(scheme);
            writer.buffer(auth.as_deref());
        }
        Request::SetWatches { relative_zxid, data, exist, child } => {
            writer.long(*relative_zxid);
            [data, exist, child].into_iter().for_each(|paths| writer.strings(paths));
        }
        Request::SetWatches2 {
            relative_zxid,
            data,
            exist,
            child,
            persistent,
            persistent_recursive,
        } => {
            writer.long(*relative_zxid);
            [data, exist, child, persistent, persistent_recursive]
                .into_iter()
                .for_each(|paths| writer.strings(paths));
        }
        Request::Reconfig { joining, leaving, new_members, cur_config_id } => {
            [joining, leaving].into_iter().for_each(|text| writer.string(text));
            writer.buffer(new_members.as_ref().map(String::as_bytes));
            writer.long(*cur_config_id);
        }
        Request::Ping
        | Request::WhoAmI
        | Request::CloseSession
        | Request::Unknown { .. }
        | Request::Unreadable { .. } => {}
    }
}

fn write_create(writer: &mut Writer<'_>, path: &str, data: &Data, acl: &[Acl], flags: i32) {
    writer.string(path);
    writer.buffer(data.as_deref());
    Acl::write_list(acl, writer);
    writer.int(flags);
}
