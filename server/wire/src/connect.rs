//! The handshake that opens a session or resumes one.

use crate::frame;
use crate::jute::{Error, Reader};

/// The first record that a client sends. It has no header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConnectRequest {
    /// Always 0.
    pub protocol_version: i32,
    /// The largest zxid that the client has seen; a server behind it must not serve it.
    pub last_zxid_seen: i64,
    /// The session timeout that the client would like, in milliseconds.
    pub timeout_ms: i32,
    /// The session to resume, or 0 for a new one.
    pub session_id: i64,
    /// The password of that session: 16 bytes, but only the server that made it can say.
    pub password: Vec<u8>,
    /// Whether a read-only server will do. `None` when absent: clients before 3.4 do not send it,
    /// and do not expect it in the response.
    pub read_only: Option<bool>,
}

impl ConnectRequest {
    /// Reads a payload.
    pub fn decode(payload: &[u8]) -> Result<ConnectRequest, Error> {
        let mut reader = Reader::new(payload);
        let request = ConnectRequest {
            protocol_version: reader.int("protocolVersion")?,
            last_zxid_seen: reader.long("lastZxidSeen")?,
            timeout_ms: reader.int("timeOut")?,
            session_id: reader.long("sessionId")?,
            password: reader.buffer("passwd")?.unwrap_or_default().to_vec(),
            read_only: read_only(&mut reader)?,
        };
        reader.finish("ConnectRequest")?;
        Ok(request)
    }

    /// Appends a frame.
    pub fn encode(&self, out: &mut Vec<u8>) {
        frame::write(out, |writer| {
            writer.int(self.protocol_version);
            writer.long(self.last_zxid_seen);
            writer.int(self.timeout_ms);
            writer.long(self.session_id);
            writer.buffer(Some(&self.password));
            self.read_only.into_iter().for_each(|flag| writer.boolean(flag));
        });
    }
}

/// The answer to a [`ConnectRequest`]. It has no header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConnectResponse {
    /// Always 0.
    pub protocol_version: i32,
    /// The session timeout in force, in milliseconds; 0 if the session is refused.
    pub timeout_ms: i32,
    /// The session; 0 if it is refused.
    pub session_id: i64,
    /// What proves the session on another connection: 16 bytes.
    pub password: Vec<u8>,
    /// Whether the server is read-only. Present if, and only if, the request had the field.
    pub read_only: Option<bool>,
}

impl ConnectResponse {
    /// The answer to a client whose session has expired or whose password is wrong.
    #[must_use]
    pub fn refusal(read_only: Option<bool>) -> ConnectResponse {
        ConnectResponse {
            protocol_version: 0,
            timeout_ms: 0,
            session_id: 0,
            password: vec![0; 16],
            read_only,
        }
    }

    /// Reads a payload.
    pub fn decode(payload: &[u8]) -> Result<ConnectResponse, Error> {
        let mut reader = Reader::new(payload);
        let response = ConnectResponse {
            protocol_version: reader.int("protocolVersion")?,
            timeout_ms: reader.int("timeOut")?,
            session_id: reader.long("sessionId")?,
            password: reader.buffer("passwd")?.unwrap_or_default().to_vec(),
            read_only: read_only(&mut reader)?,
        };
        reader.finish("ConnectResponse")?;
        Ok(response)
    }

    /// Appends a frame.
    pub fn encode(&self, out: &mut Vec<u8>) {
        frame::write(out, |writer| {
            writer.int(self.protocol_version);
            writer.int(self.timeout_ms);
            writer.long(self.session_id);
            writer.buffer(Some(&self.password));
            self.read_only.into_iter().for_each(|flag| writer.boolean(flag));
        });
    }
}

fn read_only(reader: &mut Reader<'_>) -> Result<Option<bool>, Error> {
    if reader.is_empty() { Ok(None) } else { reader.boolean("readOnly").map(Some) }
}
