//! Asks a server what it is: the four-letter word `srvr`, which Apache ZooKeeper allows by default.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::socket;

/// What a server says it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// It leads. A standalone server is a leader without followers.
    Leader,
    /// It follows. An observer is a follower without a vote.
    Follower,
    /// It runs but does not serve: electing, synchronising or shutting down.
    Looking,
    /// It did not answer in time, or not in words we know.
    Unreachable,
}

impl Role {
    /// The word for it in a history.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Role::Leader => "leader",
            Role::Follower => "follower",
            Role::Looking => "looking",
            Role::Unreachable => "unreachable",
        }
    }
}

/// One answer of one server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Observation {
    /// What it is.
    pub role: Role,
    /// The last zxid it has processed, where it serves.
    pub zxid: Option<u64>,
}

impl Observation {
    /// A server that did not answer.
    pub const UNREACHABLE: Observation = Observation { role: Role::Unreachable, zxid: None };

    /// The epoch of its last zxid. A leader starts its epoch with a zxid of its own, so for a
    /// leader this is the epoch it leads; a follower may still report the epoch before.
    #[must_use]
    pub fn epoch(&self) -> Option<u32> {
        self.zxid.and_then(|zxid| u32::try_from(zxid >> 32).ok())
    }
}

/// Asks the server at `addr`, from local address `source` if given. A failure is an observation
/// too: whatever is not answered within `timeout` is [`Role::Unreachable`].
pub async fn probe(addr: SocketAddr, source: Option<IpAddr>, timeout: Duration) -> Observation {
    let answer = four_letters(addr, source, b"srvr", timeout).await;
    answer.map_or(Observation::UNREACHABLE, |text| parse_srvr(&text))
}

/// A server's answer to a four-letter word, if there is one within `timeout`.
pub(crate) async fn four_letters(
    addr: SocketAddr,
    source: Option<IpAddr>,
    word: &[u8; 4],
    timeout: Duration,
) -> Option<String> {
    tokio::time::timeout(timeout, ask(addr, source, word)).await.ok()?.ok()
}

/// What the text of a `srvr` answer says.
#[must_use]
pub fn parse_srvr(text: &str) -> Observation {
    if text.contains("not currently serving requests") {
        return Observation { role: Role::Looking, zxid: None };
    }
    match field(text, "Mode").and_then(role) {
        Some(role) => Observation { role, zxid: field(text, "Zxid").and_then(hex) },
        None => Observation::UNREACHABLE,
    }
}

/// Longer than any answer asked for; a server that goes on talking is cut off here.
const ANSWER_MAX: u64 = 64 * 1024;

async fn ask(addr: SocketAddr, source: Option<IpAddr>, word: &[u8; 4]) -> io::Result<String> {
    let mut stream = socket::connect(addr, source).await?;
    stream.write_all(word).await?;
    let mut answer = Vec::new();
    stream.take(ANSWER_MAX).read_to_end(&mut answer).await?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

fn field<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    text.lines().filter_map(|line| line.split_once(':')).find(|(n, _)| *n == name).map(|(_, v)| v)
}

fn role(mode: &str) -> Option<Role> {
    match mode.trim() {
        "leader" | "standalone" => Some(Role::Leader),
        "follower" | "observer" => Some(Role::Follower),
        _ => None,
    }
}

fn hex(text: &str) -> Option<u64> {
    u64::from_str_radix(text.trim().strip_prefix("0x")?, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const APACHE_LEADER: &str = "\
Zookeeper version: 3.8.0-11+deb12u2, built on 2024-06-16 12:00 UTC
Latency min/avg/max: 0/1.25/14
Received: 121
Sent: 120
Connections: 2
Outstanding: 0
Zxid: 0x300000007
Mode: leader
Node count: 5
Proposal sizes last/min/max: 36/36/48
";

    fn observed(role: Role, zxid: u64) -> Observation {
        Observation { role, zxid: Some(zxid) }
    }

    #[test]
    fn a_leader_and_its_epoch() {
        let leader = parse_srvr(APACHE_LEADER);
        assert_eq!(leader, observed(Role::Leader, 0x3_0000_0007));
        assert_eq!(leader.epoch(), Some(3));
    }

    #[test]
    fn the_other_modes() {
        let mode = |mode| parse_srvr(&APACHE_LEADER.replace("leader", mode)).role;
        assert_eq!(mode("follower"), Role::Follower);
        assert_eq!(mode("observer"), Role::Follower);
        assert_eq!(mode("standalone"), Role::Leader);
        assert_eq!(mode("read-only"), Role::Unreachable);
    }

    #[test]
    fn a_server_without_quorum_is_looking() {
        let text = "This ZooKeeper instance is not currently serving requests\n";
        assert_eq!(parse_srvr(text), Observation { role: Role::Looking, zxid: None });
    }

    #[test]
    fn nonsense_is_unreachable() {
        assert_eq!(parse_srvr(""), Observation::UNREACHABLE);
        assert_eq!(parse_srvr("HTTP/1.1 400 Bad Request\r\n"), Observation::UNREACHABLE);
        let odd = parse_srvr("Zxid: seven\nMode: follower\n");
        assert_eq!(odd, Observation { role: Role::Follower, zxid: None });
    }
}
