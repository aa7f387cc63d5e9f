//! What a server says of itself on its client port.

use std::io::{self, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::time::Duration;

use server::Config;

/// How long the answer may take. A server that hangs gives none.
const WITHIN: Duration = Duration::from_secs(2);

/// A server that is serving.
#[derive(Debug)]
pub(super) struct Serving {
    pub(super) pid: u32,
    /// `leader`, `follower`, `standalone`, …
    pub(super) mode: String,
}

/// Asks the client port; `None` if whoever listens there does not serve.
///
/// # Errors
/// When nobody answers.
pub(super) fn probe(config: &Config) -> io::Result<Option<Serving>> {
    let figures = four_letters(config, "mntr")?;
    let figure = |name: &str| {
        let lines = figures.lines().filter_map(|line| line.split_once('\t'));
        lines.filter(|(key, _)| *key == name).map(|(_, value)| value.to_owned()).next()
    };
    let pid = figure("zk_process_id").and_then(|pid| pid.parse().ok());
    Ok(pid.zip(figure("zk_server_state")).map(|(pid, mode)| Serving { pid, mode }))
}

/// Where a client on this machine reaches the server.
pub(super) fn client_address(config: &Config) -> (&str, u16) {
    let host = match config.client_address.as_deref() {
        None | Some("0.0.0.0") => "127.0.0.1",
        Some("::") => "::1",
        Some(host) => host,
    };
    (host, config.client_port)
}

fn four_letters(config: &Config, word: &str) -> io::Result<String> {
    let mut last = io::Error::from(io::ErrorKind::NotFound);
    for address in client_address(config).to_socket_addrs()? {
        match TcpStream::connect_timeout(&address, WITHIN) {
            Ok(stream) => return ask(stream, word),
            Err(error) => last = error,
        }
    }
    Err(last)
}

fn ask(mut stream: TcpStream, word: &str) -> io::Result<String> {
    stream.set_read_timeout(Some(WITHIN))?;
    stream.write_all(word.as_bytes())?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}
