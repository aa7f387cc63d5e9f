//! One connection of a client: raw frames, so that nothing that a server says is lost.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use wire::{ConnectRequest, ConnectResponse, Request, encode_request, xid};

/// How long any answer may take.
const WITHIN: Duration = Duration::from_secs(15);

/// What proves a session on another connection.
#[derive(Clone, Debug)]
pub(crate) struct Session {
    pub(crate) id: i64,
    pub(crate) password: Vec<u8>,
    /// Agreed when it was made.
    pub(crate) timeout_ms: i32,
}

impl Session {
    /// A session that is to be made.
    pub(crate) fn new() -> Session {
        Session { id: 0, password: vec![0; 16], timeout_ms: 0 }
    }
}

/// An open connection, with a session or before it.
pub(crate) struct Connection {
    stream: TcpStream,
    last_xid: i32,
}

impl Connection {
    /// Asks for a session. `None` as the answer: the server closed the connection without one.
    pub(crate) fn open(
        addr: SocketAddr,
        session: &Session,
        timeout_ms: i32,
    ) -> io::Result<(Connection, Option<ConnectResponse>)> {
        let stream = TcpStream::connect_timeout(&addr, WITHIN)?;
        stream.set_read_timeout(Some(WITHIN))?;
        stream.set_nodelay(true)?;
        let mut connection = Connection { stream, last_xid: 0 };
        let request = ConnectRequest {
            protocol_version: 0,
            last_zxid_seen: 0,
            timeout_ms,
            session_id: session.id,
            password: session.password.clone(),
            read_only: Some(false),
        };
        let mut bytes = Vec::new();
        request.encode(&mut bytes);
        connection.stream.write_all(&bytes)?;
        let payload = connection.receive()?;
        let response = payload.map(|bytes| ConnectResponse::decode(&bytes)).transpose();
        Ok((connection, response.map_err(io::Error::other)?))
    }

    /// Sends a request under the number that it must have; the number.
    pub(crate) fn send(&mut self, request: &Request) -> i32 {
        let number = match request {
            Request::Ping => xid::PING,
            Request::Auth { .. } => xid::AUTH,
            Request::SetWatches { .. } | Request::SetWatches2 { .. } => xid::SET_WATCHES,
            _ => {
                self.last_xid += 1;
                self.last_xid
            }
        };
        let mut bytes = Vec::new();
        encode_request(number, request, &mut bytes);
        // An error is a closed connection, which the next read tells.
        let _ = self.stream.write_all(&bytes);
        number
    }

    /// The next frame's payload; `None` when the server has closed the connection.
    pub(crate) fn receive(&mut self) -> io::Result<Option<Vec<u8>>> {
        let mut len = [0; 4];
        if let Err(error) = self.stream.read_exact(&mut len) {
            return if is_closed(&error) { Ok(None) } else { Err(error) };
        }
        let len = usize::try_from(i32::from_be_bytes(len)).map_err(io::Error::other)?;
        let mut payload = vec![0; len];
        self.stream.read_exact(&mut payload)?;
        Ok(Some(payload))
    }
}

fn is_closed(error: &io::Error) -> bool {
    use ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, UnexpectedEof};
    matches!(error.kind(), BrokenPipe | ConnectionAborted | ConnectionReset | UnexpectedEof)
}
