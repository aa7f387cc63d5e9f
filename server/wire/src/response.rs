//! What a server answers.

use crate::event::WatcherEvent;
use crate::frame;
use crate::jute::{Data, Error, Problem, Reader, Writer};
use crate::multi::{self, OpResult};
use crate::opcode;
use crate::records::{Acl, Identity, ReplyHeader, Stat, xid};

const HEADER_BYTES: usize = 16;

/// The body of a successful reply: one variant per opcode that has one.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields are those of zookeeper.jute, under their names")]
pub enum Response {
    /// The path, with its number if the znode is sequential.
    Create { path: String },
    /// The same, and the new znode's stat.
    Create2 { path: String, stat: Stat },
    /// The znode exists.
    Exists { stat: Stat },
    /// Data and stat.
    GetData { data: Data, stat: Stat },
    /// The stat after the change.
    SetData { stat: Stat },
    /// Access control list and stat.
    GetAcl { acl: Vec<Acl>, stat: Stat },
    /// The stat after the change.
    SetAcl { stat: Stat },
    /// What each operation of a multi, or of a multiRead, came to.
    Multi { results: Vec<OpResult> },
    /// A watch is added; always 0.
    AddWatch { err: i32 },
    /// Paths.
    GetEphemerals { paths: Vec<String> },
    /// A number of znodes.
    GetAllChildrenNumber { number: i32 },
    /// Schemes and users, without their proofs.
    WhoAmI { identities: Vec<Identity> },
    /// Names of the children, without their parent's path.
    GetChildren { children: Vec<String> },
    /// Names of the children, and the parent's stat.
    GetChildren2 { children: Vec<String>, stat: Stat },
    /// The path of the request.
    Sync { path: String },
}

/// Appends a frame. Pass a body only with a header without error: ZooKeeper sends none with one.
pub fn encode_reply(header: ReplyHeader, body: Option<&Response>, out: &mut Vec<u8>) {
    debug_assert!(body.is_none() || header.err == 0, "an error has no body");
    frame::write(out, |writer| {
        header.write(writer);
        body.into_iter().for_each(|body| write_body(writer, body));
    });
}

/// Reads the payload of a reply to a request with this `opcode`. The body is `None` if the header
/// has an error or the operation has no result.
pub fn decode_reply(payload: &[u8], opcode: i32) -> Result<(ReplyHeader, Option<Response>), Error> {
    let mut reader = Reader::new(payload);
    let header = ReplyHeader::read(&mut reader)?;
    let body = if header.err == 0 { read_body(&mut reader, opcode)? } else { None };
    reader.finish("reply")?;
    Ok((header, body))
}

/// Appends the frame of a watch that fired at `zxid`.
pub fn encode_notification(zxid: i64, event: &WatcherEvent, out: &mut Vec<u8>) {
    frame::write(out, |writer| {
        ReplyHeader::ok(xid::NOTIFICATION, zxid).write(writer);
        event.write(writer);
    });
}

/// Reads the payload of a notification, that is, one whose header has [`xid::NOTIFICATION`].
/// The header's zxid is the transaction that fired the watch, or -1 from servers before 3.9.
pub fn decode_notification(payload: &[u8]) -> Result<(ReplyHeader, WatcherEvent), Error> {
    let mut reader = Reader::new(payload);
    let header = ReplyHeader::read(&mut reader)?;
    if header.xid != xid::NOTIFICATION {
        let problem = Problem::Unknown(header.xid);
        return Err(Error { field: "xid", offset: 0, problem });
    }
    let event = WatcherEvent::read(&mut reader, HEADER_BYTES)?;
    reader.finish("notification")?;
    Ok((header, event))
}

fn read_body(reader: &mut Reader<'_>, opcode: i32) -> Result<Option<Response>, Error> {
    Ok(Some(match opcode {
        opcode::CREATE => Response::Create { path: reader.string("path")? },
        opcode::CREATE2 | opcode::CREATE_CONTAINER | opcode::CREATE_TTL => {
            Response::Create2 { path: reader.string("path")?, stat: Stat::read(reader)? }
        }
        opcode::EXISTS => Response::Exists { stat: Stat::read(reader)? },
        opcode::GET_DATA | opcode::RECONFIG => {
            Response::GetData { data: reader.data("data")?, stat: Stat::read(reader)? }
        }
        opcode::SET_DATA => Response::SetData { stat: Stat::read(reader)? },
        opcode::GET_ACL => {
            Response::GetAcl { acl: Acl::read_list(reader)?, stat: Stat::read(reader)? }
        }
        opcode::GET_CHILDREN => Response::GetChildren { children: reader.strings("children")? },
        opcode::GET_CHILDREN2 => Response::GetChildren2 {
            children: reader.strings("children")?,
            stat: Stat::read(reader)?,
        },
        opcode::SYNC => Response::Sync { path: reader.string("path")? },
        opcode::SET_ACL => Response::SetAcl { stat: Stat::read(reader)? },
        opcode::MULTI | opcode::MULTI_READ => {
            Response::Multi { results: multi::read_results(reader)? }
        }
        opcode::ADD_WATCH => Response::AddWatch { err: reader.int("err")? },
        opcode::GET_EPHEMERALS => Response::GetEphemerals { paths: reader.strings("ephemerals")? },
        opcode::GET_ALL_CHILDREN_NUMBER => {
            Response::GetAllChildrenNumber { number: reader.int("totalNumber")? }
        }
        opcode::WHO_AM_I => Response::WhoAmI { identities: Identity::read_list(reader)? },
        opcode::DELETE
        | opcode::PING
        | opcode::AUTH
        | opcode::SET_WATCHES
        | opcode::SET_WATCHES2
        | opcode::CHECK_WATCHES
        | opcode::REMOVE_WATCHES
        | opcode::CLOSE_SESSION => return Ok(None),
        unknown => {
            let problem = Problem::Unknown(unknown);
            return Err(Error { field: "opcode", offset: HEADER_BYTES, problem });
        }
    }))
}

fn write_body(writer: &mut Writer<'_>, body: &Response) {
    match body {
        Response::Create { path } | Response::Sync { path } => writer.string(path),
        Response::Create2 { path, stat } => {
            writer.string(path);
            stat.write(writer);
        }
        Response::Exists { stat } | Response::SetData { stat } | Response::SetAcl { stat } => {
            stat.write(writer);
        }
        Response::Multi { results } => multi::write_results(results, writer),
        Response::AddWatch { err: number } | Response::GetAllChildrenNumber { number } => {
            writer.int(*number);
        }
        Response::WhoAmI { identities } => Identity::write_list(identities, writer),
        Response::GetData { data, stat } => {
            writer.buffer(data.as_deref());
            stat.write(writer);
        }
        Response::GetAcl { acl, stat } => {
            Acl::write_list(acl, writer);
            stat.write(writer);
        }
        Response::GetChildren { children: texts } | Response::GetEphemerals { paths: texts } => {
            writer.strings(texts);
        }
        Response::GetChildren2 { children, stat } => {
            writer.strings(children);
            stat.write(writer);
        }
    }
}
