//! A ZooKeeper client of a few lines: one request at a time, blocking, with a deadline.

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::Duration;

use wire::{
    Acl, ConnectRequest, ConnectResponse, CreateMode, ErrorCode, Request, Response, WatcherEvent,
    decode_notification, decode_reply, encode_request,
};

/// The timeout that a session is asked for, where nobody says otherwise.
const TIMEOUT_MS: i32 = 20_000;
/// The longest answer: that of a multiRead.
const ANSWER_MAX: usize = 65 << 20;
/// How long any answer may take.
const WITHIN: Duration = Duration::from_secs(10);

/// A connection with a session.
pub(crate) struct Client<S = TcpStream> {
    stream: S,
    xid: i32,
    session: Session,
}

/// What a session is resumed with.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Session {
    id: i64,
    password: Vec<u8>,
    /// The newest state that its client has seen.
    zxid: i64,
}

impl Session {
    /// The request that opens it, or resumes it.
    pub(crate) fn handshake(&self, timeout_ms: i32, read_only: bool) -> Vec<u8> {
        let Session { id, mut password, zxid } = self.clone();
        password.resize(16, 0);
        let request = ConnectRequest {
            protocol_version: 0,
            last_zxid_seen: zxid,
            timeout_ms,
            session_id: id,
            password,
            read_only: Some(read_only),
        };
        let mut bytes = Vec::new();
        request.encode(&mut bytes);
        bytes
    }
}

/// What a server answered: the zxid, and the body or the error.
pub(crate) struct Answer {
    pub(crate) zxid: i64,
    pub(crate) result: Result<Option<Response>, ErrorCode>,
}

impl Client {
    /// Opens a session. An error too if the server is not serving: it closes the connection.
    pub(crate) fn connect(addr: SocketAddr) -> io::Result<Client> {
        Client::open(dial(addr)?)
    }

    /// Opens a session with this timeout.
    pub(crate) fn connect_for(addr: SocketAddr, timeout_ms: i32) -> io::Result<Client> {
        Ok(Client::greet(dial(addr)?, false, Session::default(), timeout_ms)?.0)
    }

    /// Opens a session that can do with reads; and whether these are all that it gets.
    pub(crate) fn connect_read_only(addr: SocketAddr) -> io::Result<(Client, bool)> {
        Client::greet(dial(addr)?, true, Session::default(), TIMEOUT_MS)
    }

    /// Goes on with a session on another connection. `None` if the servers say that it is over.
    pub(crate) fn resume(addr: SocketAddr, session: Session) -> io::Result<Option<Client>> {
        match Client::greet(dial(addr)?, false, session, TIMEOUT_MS) {
            Ok((client, _)) => Ok(Some(client)),
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Sends bytes as they are, and reads until the server closes the connection.
    pub(crate) fn exchange(self, bytes: &[u8]) -> io::Result<Vec<u8>> {
        until_closed(self.stream, bytes)
    }
}

impl<S: Read + Write> Client<S> {
    /// Opens a session over a connection.
    pub(crate) fn open(stream: S) -> io::Result<Client<S>> {
        Ok(Client::greet(stream, false, Session::default(), TIMEOUT_MS)?.0)
    }

    fn greet(
        stream: S,
        read_only: bool,
        session: Session,
        timeout_ms: i32,
    ) -> io::Result<(Client<S>, bool)> {
        let bytes = session.handshake(timeout_ms, read_only);
        let zxid = session.zxid;
        let mut client = Client { stream, xid: 0, session };
        client.stream.write_all(&bytes)?;
        let response = ConnectResponse::decode(&client.receive()?).map_err(io::Error::other)?;
        match response.session_id {
            0 => Err(io::Error::new(io::ErrorKind::PermissionDenied, "the session was refused")),
            id => {
                client.session = Session { id, password: response.password, zxid };
                Ok((client, response.read_only == Some(true)))
            }
        }
    }

    /// To go on with on another connection.
    pub(crate) fn session(&self) -> Session {
        self.session.clone()
    }

    pub(crate) fn call(&mut self, request: &Request) -> io::Result<Answer> {
        self.xid += 1;
        let mut bytes = Vec::new();
        encode_request(self.xid, request, &mut bytes);
        self.stream.write_all(&bytes)?;
        let reply = self.receive()?;
        let opcode = request.opcode();
        let (header, body) = decode_reply(&reply, opcode).map_err(io::Error::other)?;
        let result = match (header.err, ErrorCode::from_i32(header.err)) {
            (0, _) => Ok(body),
            (_, Some(code)) => Err(code),
            (code, None) => return Err(io::Error::other(format!("error code {code}"))),
        };
        assert_eq!(header.xid, self.xid, "replies keep the order of requests");
        self.session.zxid = self.session.zxid.max(header.zxid);
        Ok(Answer { zxid: header.zxid, result })
    }

    /// The next watch event.
    pub(crate) fn event(&mut self) -> io::Result<WatcherEvent> {
        let payload = self.receive()?;
        Ok(decode_notification(&payload).map_err(io::Error::other)?.1)
    }

    pub(crate) fn create(&mut self, path: &str, data: &[u8]) -> io::Result<Answer> {
        self.call(&Request::Create {
            path: path.to_owned(),
            data: Some(data.into()),
            acl: Acl::open(),
            flags: CreateMode::Persistent.flags(),
        })
    }

    pub(crate) fn set(&mut self, path: &str, data: &[u8]) -> io::Result<Answer> {
        let data = Some(data.into());
        self.call(&Request::SetData { path: path.to_owned(), data, version: -1 })
    }

    /// The data of a znode, as this server has it.
    pub(crate) fn get(&mut self, path: &str) -> io::Result<Vec<u8>> {
        let answer = self.call(&Request::GetData { path: path.to_owned(), watch: false })?;
        match answer.result {
            Ok(Some(Response::GetData { data, .. })) => Ok(data.unwrap_or_default().to_vec()),
            other => Err(io::Error::other(format!("{path}: {other:?}"))),
        }
    }

    /// The same, but more could follow: it is the server that ends the connection.
    pub(crate) fn cut_off(mut self, bytes: &[u8]) -> io::Result<Vec<u8>> {
        let mut answer = Vec::new();
        match self.stream.write_all(bytes).and_then(|()| self.stream.read_to_end(&mut answer)) {
            Err(error) if !is_closed(&error) => Err(error),
            _ => Ok(answer),
        }
    }

    /// Sends bytes as they are, and reads nothing. The connection is open until it is dropped.
    pub(crate) fn send_only(mut self, bytes: &[u8]) -> Client<S> {
        self.stream.write_all(bytes).expect("the server reads");
        self
    }

    /// Sends a frame as it is; the payload of the next answer.
    pub(crate) fn answer_to(&mut self, frame: &[u8]) -> io::Result<Vec<u8>> {
        self.stream.write_all(frame)?;
        self.receive()
    }

    /// The payload of the next frame.
    pub(crate) fn receive(&mut self) -> io::Result<Vec<u8>> {
        let mut len = [0; 4];
        self.stream.read_exact(&mut len)?;
        let len = usize::try_from(i32::from_be_bytes(len)).map_err(io::Error::other)?;
        assert!(len <= ANSWER_MAX, "a frame of {len} bytes");
        let mut payload = vec![0; len];
        self.stream.read_exact(&mut payload)?;
        Ok(payload)
    }
}

/// The answer to a four-letter word.
pub(crate) fn four_letters(addr: SocketAddr, word: &str) -> io::Result<String> {
    let mut stream = dial(addr)?;
    stream.write_all(word.as_bytes())?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}

/// `Mode` or `Zxid` of a server that is serving.
pub(crate) fn srvr(addr: SocketAddr, field: &str) -> Option<String> {
    let answer = four_letters(addr, "srvr").ok()?;
    let lines = answer.lines().filter_map(|line| line.split_once(": "));
    lines.filter(|(name, _)| *name == field).map(|(_, value)| value.to_owned()).next()
}

/// Sends bytes as they are on a new connection, and reads until the server closes it.
pub(crate) fn exchange(addr: SocketAddr, bytes: &[u8]) -> io::Result<Vec<u8>> {
    until_closed(dial(addr)?, bytes)
}

/// What came before the server closed the connection, politely or not. An error: it did not.
fn until_closed(mut stream: TcpStream, bytes: &[u8]) -> io::Result<Vec<u8>> {
    let mut answer = Vec::new();
    let sent = stream.write_all(bytes).and_then(|()| stream.shutdown(Shutdown::Write));
    match sent.and_then(|()| stream.read_to_end(&mut answer)) {
        Err(error) if !is_closed(&error) => Err(error),
        _ => Ok(answer),
    }
}

fn is_closed(error: &io::Error) -> bool {
    use io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, NotConnected};
    matches!(error.kind(), BrokenPipe | ConnectionAborted | ConnectionReset | NotConnected)
}

/// A connection on which nothing takes for ever.
pub(crate) fn dial(addr: SocketAddr) -> io::Result<TcpStream> {
    let stream = TcpStream::connect_timeout(&addr, WITHIN)?;
    stream.set_read_timeout(Some(WITHIN))?;
    stream.set_write_timeout(Some(WITHIN))?;
    stream.set_nodelay(true)?;
    Ok(stream)
}
