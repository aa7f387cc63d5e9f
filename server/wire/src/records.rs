//! Records that are more than a few fields of one request.

use serde::{Deserialize, Serialize};
use smol_str::SmolStr;

use crate::error_code::ErrorCode;
use crate::jute::{Error, Reader, Writer};

/// Numbers in a header's `xid` that are not a client's count of its requests.
pub mod xid {
    /// A watch fired.
    pub const NOTIFICATION: i32 = -1;
    /// A ping and its reply.
    pub const PING: i32 = -2;
    /// Credentials.
    pub const AUTH: i32 = -4;
    /// Watches armed again.
    pub const SET_WATCHES: i32 = -8;
}

/// Bits of [`Acl::perms`].
pub mod perms {
    /// Read data and children.
    pub const READ: i32 = 1;
    /// Set data.
    pub const WRITE: i32 = 2;
    /// Create children.
    pub const CREATE: i32 = 4;
    /// Delete children.
    pub const DELETE: i32 = 8;
    /// Set the list itself.
    pub const ADMIN: i32 = 16;
    /// All of them.
    pub const ALL: i32 = 31;
}

/// Stands before every request but the first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RequestHeader {
    /// The client's number for the request, or one of [`xid`]'s.
    pub xid: i32,
    /// One of [`crate::opcode`]'s.
    pub opcode: i32,
}

/// Stands before every reply and every notification.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReplyHeader {
    /// The request's, or [`xid::NOTIFICATION`].
    pub xid: i32,
    /// The transaction of a write, failed writes included; for a read, the last transaction
    /// that the server had applied.
    pub zxid: i64,
    /// 0, or the code of an error; then no body follows.
    pub err: i32,
}

impl ReplyHeader {
    /// The header of a success.
    #[must_use]
    pub fn ok(xid: i32, zxid: i64) -> ReplyHeader {
        ReplyHeader { xid, zxid, err: 0 }
    }

    /// The header, and all, of a failure.
    #[must_use]
    pub fn failure(xid: i32, zxid: i64, error: ErrorCode) -> ReplyHeader {
        ReplyHeader { xid, zxid, err: error.code() }
    }

    /// Reads the header of a payload, so that a client knows which decoder the rest is for.
    pub fn peek(payload: &[u8]) -> Result<ReplyHeader, Error> {
        ReplyHeader::read(&mut Reader::new(payload))
    }

    pub(crate) fn read(reader: &mut Reader<'_>) -> Result<ReplyHeader, Error> {
        Ok(ReplyHeader {
            xid: reader.int("xid")?,
            zxid: reader.long("zxid")?,
            err: reader.int("err")?,
        })
    }

    pub(crate) fn write(self, writer: &mut Writer<'_>) {
        writer.int(self.xid);
        writer.long(self.zxid);
        writer.int(self.err);
    }
}

/// A znode's metadata: 68 bytes on the wire.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Stat {
    /// The transaction that created the znode.
    pub czxid: i64,
    /// The transaction that last set its data.
    pub mzxid: i64,
    /// When it was created, in milliseconds since 1970.
    pub ctime: i64,
    /// When its data was last set, in milliseconds since 1970.
    pub mtime: i64,
    /// How often its data was set.
    pub version: i32,
    /// How often a child was created or deleted.
    pub cversion: i32,
    /// How often its access control list was set.
    pub aversion: i32,
    /// The session that owns it, 0 if it is not ephemeral.
    pub ephemeral_owner: i64,
    /// Bytes of data.
    pub data_length: i32,
    /// Number of children.
    pub num_children: i32,
    /// The transaction that last created or deleted a child, or created the znode.
    pub pzxid: i64,
}

impl Stat {
    pub(crate) fn read(reader: &mut Reader<'_>) -> Result<Stat, Error> {
        Ok(Stat {
            czxid: reader.long("czxid")?,
            mzxid: reader.long("mzxid")?,
            ctime: reader.long("ctime")?,
            mtime: reader.long("mtime")?,
            version: reader.int("version")?,
            cversion: reader.int("cversion")?,
            aversion: reader.int("aversion")?,
            ephemeral_owner: reader.long("ephemeralOwner")?,
            data_length: reader.int("dataLength")?,
            num_children: reader.int("numChildren")?,
            pzxid: reader.long("pzxid")?,
        })
    }

    pub(crate) fn write(&self, writer: &mut Writer<'_>) {
        writer.long(self.czxid);
        writer.long(self.mzxid);
        writer.long(self.ctime);
        writer.long(self.mtime);
        writer.int(self.version);
        writer.int(self.cversion);
        writer.int(self.aversion);
        writer.long(self.ephemeral_owner);
        writer.int(self.data_length);
        writer.int(self.num_children);
        writer.long(self.pzxid);
    }
}

/// One entry of an access control list.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Acl {
    /// What is allowed: bits of [`perms`].
    pub perms: i32,
    /// How identities are proved: `world`, `digest`, `ip`, …
    #[serde(deserialize_with = "crate::text::deserialize")]
    pub scheme: SmolStr,
    /// To whom it is allowed, in the scheme's terms.
    #[serde(deserialize_with = "crate::text::deserialize")]
    pub id: SmolStr,
}

impl Acl {
    /// Everything to everybody (`OPEN_ACL_UNSAFE`).
    #[must_use]
    pub fn open() -> Vec<Acl> {
        vec![Acl { perms: perms::ALL, scheme: "world".into(), id: "anyone".into() }]
    }

    /// Whether it is for everybody who connects.
    #[must_use]
    pub fn is_for_anyone(&self) -> bool {
        self.scheme == "world" && self.id == "anyone"
    }

    pub(crate) fn read_list(reader: &mut Reader<'_>) -> Result<Vec<Acl>, Error> {
        reader.vector("acl", |reader| {
            Ok(Acl {
                perms: reader.int("perms")?,
                scheme: reader.string_or_null("scheme")?,
                id: reader.string_or_null("id")?,
            })
        })
    }

    pub(crate) fn write_list(list: &[Acl], writer: &mut Writer<'_>) {
        writer.vector(list, |writer, acl| {
            writer.int(acl.perms);
            writer.string(&acl.scheme);
            writer.string(&acl.id);
        });
    }
}

/// Who somebody is, as far as a server believes it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Identity {
    /// How it was proved: `ip`, `digest`, `super`, …
    pub scheme: SmolStr,
    /// Who, in the scheme's terms.
    pub id: SmolStr,
}

impl Identity {
    /// An identity.
    #[must_use]
    pub fn new(scheme: impl Into<SmolStr>, id: impl Into<SmolStr>) -> Identity {
        Identity { scheme: scheme.into(), id: id.into() }
    }

    pub(crate) fn read_list(reader: &mut Reader<'_>) -> Result<Vec<Identity>, Error> {
        reader.vector("clientInfo", |reader| {
            Ok(Identity { scheme: reader.string("authScheme")?, id: reader.string("user")? })
        })
    }

    pub(crate) fn write_list(list: &[Identity], writer: &mut Writer<'_>) {
        writer.vector(list, |writer, identity| {
            writer.string(&identity.scheme);
            writer.string(&identity.id);
        });
    }
}

/// What kind of znode to create.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[repr(i32)]
pub enum CreateMode {
    /// Stays until it is deleted.
    Persistent = 0,
    /// Goes with the session that created it.
    Ephemeral = 1,
    /// Persistent, with a number appended to its name.
    PersistentSequential = 2,
    /// Ephemeral, with a number appended to its name.
    EphemeralSequential = 3,
    /// Deleted by the server some time after its last child.
    Container = 4,
    /// Deleted by the server when it has no children and was not set for its time to live.
    Ttl = 5,
    /// The same, with a number appended to its name.
    TtlSequential = 6,
}

impl CreateMode {
    /// Reads the flags of a create request, or `BadArguments`.
    pub fn from_flags(flags: i32) -> Result<CreateMode, ErrorCode> {
        match flags {
            0 => Ok(CreateMode::Persistent),
            1 => Ok(CreateMode::Ephemeral),
            2 => Ok(CreateMode::PersistentSequential),
            3 => Ok(CreateMode::EphemeralSequential),
            4 => Ok(CreateMode::Container),
            5 => Ok(CreateMode::Ttl),
            6 => Ok(CreateMode::TtlSequential),
            _ => Err(ErrorCode::BadArguments),
        }
    }

    /// The flags of a create request.
    #[must_use]
    pub fn flags(self) -> i32 {
        self as i32
    }

    /// Whether the znode goes with its session.
    #[must_use]
    pub fn is_ephemeral(self) -> bool {
        matches!(self, CreateMode::Ephemeral | CreateMode::EphemeralSequential)
    }

    /// Whether a number is appended to the name.
    #[must_use]
    pub fn is_sequential(self) -> bool {
        matches!(
            self,
            CreateMode::PersistentSequential
                | CreateMode::EphemeralSequential
                | CreateMode::TtlSequential
        )
    }

    /// Whether the znode has a time to live.
    #[must_use]
    pub fn is_ttl(self) -> bool {
        matches!(self, CreateMode::Ttl | CreateMode::TtlSequential)
    }
}
