//! `server.N=host:quorumPort:electionPort[:participant|observer][;[address:]clientPort]`.

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use zab::ServerId;

/// The longest host name (RFC 1035).
const HOST_MAX: usize = 255;

/// Where a server of the ensemble listens, and whether it votes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerAddress {
    /// Host name or address.
    pub host: String,
    /// Learners connect here to a leader.
    pub quorum_port: u16,
    /// Votes arrive here.
    pub election_port: u16,
    /// It follows the leader, but its votes and acknowledgements do not count.
    pub observer: bool,
    /// Where its clients connect, if the line says so.
    pub client: Option<(String, u16)>,
}

impl FromStr for ServerAddress {
    type Err = String;

    fn from_str(text: &str) -> Result<ServerAddress, String> {
        let (main, client) = match text.split_once(';') {
            Some((main, client)) => (main, Some(client_address(client)?)),
            None => (text, None),
        };
        let (main, observer) = match main.rsplit_once(':') {
            Some((rest, "participant")) => (rest, false),
            Some((rest, "observer")) => (rest, true),
            Some((_, role)) if role.parse::<u16>().is_err() => {
                return Err(format!("expected a port, participant or observer, found {role:?}"));
            }
            _ => (main, false),
        };
        let mut parts = main.rsplitn(3, ':');
        let (Some(election), Some(quorum), Some(host)) = (parts.next(), parts.next(), parts.next())
        else {
            return Err("expected host:quorumPort:electionPort".to_owned());
        };
        Ok(ServerAddress {
            host: host_name(host)?,
            quorum_port: port(quorum, "quorumPort")?,
            election_port: port(election, "electionPort")?,
            observer,
            client,
        })
    }
}

/// As ZooKeeper writes it into `/zookeeper/config`.
impl fmt::Display for ServerAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let role = if self.observer { "observer" } else { "participant" };
        let host = bracketed(&self.host);
        write!(f, "{host}:{}:{}:{role}", self.quorum_port, self.election_port)?;
        match &self.client {
            Some((host, port)) => write!(f, ";{}:{port}", bracketed(host)),
            None => Ok(()),
        }
    }
}

/// What is claimed twice, in words, by two servers or by one: its second claimant could not listen.
pub(crate) fn distinct_ports(servers: &BTreeMap<ServerId, ServerAddress>) -> Result<(), String> {
    let mut taken = BTreeMap::new();
    for (id, address) in servers {
        for (host, port) in claimed(address) {
            match taken.insert((host, port), id) {
                Some(other) if other == id => {
                    return Err(format!("server.{id} claims {host}:{port} twice"));
                }
                Some(other) => {
                    return Err(format!("server.{other} and server.{id} both claim {host}:{port}"));
                }
                None => {}
            }
        }
    }
    Ok(())
}

/// The ports of a server. One for clients from everywhere is on its own host; one for clients on its
/// own machine may be another server's on another machine.
fn claimed(address: &ServerAddress) -> impl Iterator<Item = (&str, u16)> {
    let ServerAddress { host, quorum_port, election_port, client, .. } = address;
    let client = client.as_ref().and_then(|(client, port)| match client.as_str() {
        "0.0.0.0" | "::" => Some((host.as_str(), *port)),
        client if is_loopback(client) && !is_loopback(host) => None,
        client => Some((client, *port)),
    });
    [(host.as_str(), *quorum_port), (host.as_str(), *election_port)].into_iter().chain(client)
}

fn is_loopback(host: &str) -> bool {
    host == "localhost" || host.parse().is_ok_and(|address: IpAddr| address.is_loopback())
}

fn client_address(text: &str) -> Result<(String, u16), String> {
    let (host, number) = text.rsplit_once(':').unwrap_or(("0.0.0.0", text));
    Ok((host_name(host)?, port(number, "clientPort")?))
}

fn host_name(text: &str) -> Result<String, String> {
    let host = text.trim_matches(['[', ']']);
    match host {
        "" => Err("the host is missing".to_owned()),
        _ if host.len() > HOST_MAX || host.contains(char::is_whitespace) => {
            Err(format!("expected a host, found {host:?}"))
        }
        _ => Ok(host.to_owned()),
    }
}

fn port(text: &str, name: &str) -> Result<u16, String> {
    let port = text.parse::<u16>().ok().filter(|port| *port > 0);
    port.ok_or_else(|| format!("{name}: expected a port from 1 to 65535, found {text:?}"))
}

fn bracketed(host: &str) -> String {
    if host.contains(':') { format!("[{host}]") } else { host.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_what_was_read() {
        for (text, written) in [
            ("h:1:2", "h:1:2:participant"),
            ("h:1:2;3", "h:1:2:participant;0.0.0.0:3"),
            ("10.0.0.1:1:2:observer;10.0.0.1:3", "10.0.0.1:1:2:observer;10.0.0.1:3"),
            ("[::1]:1:2:participant;[::]:3", "[::1]:1:2:participant;[::]:3"),
        ] {
            let address: ServerAddress = text.parse().unwrap();
            assert_eq!(address.to_string(), written);
            assert_eq!(written.parse(), Ok(address));
        }
    }

    #[test]
    fn what_makes_no_sense_is_refused_in_words() {
        for (text, why) in [
            ("some thing", "expected host:quorumPort:electionPort"),
            ("h:1", "expected host:quorumPort:electionPort"),
            (":1:2", "the host is missing"),
            ("h:1:2:leader", "expected a port, participant or observer"),
            ("h:1:70000", "expected a port"),
            ("h:0:2", "quorumPort: expected a port"),
            ("h h:1:2", "expected a host"),
            ("h:1:2;x", "clientPort: expected a port"),
        ] {
            let error = text.parse::<ServerAddress>().unwrap_err();
            assert!(error.contains(why), "{text}: {error}");
        }
    }

    fn claims(lines: &[&str]) -> Result<(), String> {
        distinct_ports(&(1..).zip(lines.iter().map(|line| line.parse().unwrap())).collect())
    }

    #[test]
    fn a_port_claimed_twice_is_named() {
        for (lines, why) in [
            (&["h:1:1"][..], "server.1 claims h:1 twice"),
            (&["h:1:2;1"], "server.1 claims h:1 twice"),
            (&["h:1:2;h:2"], "server.1 claims h:2 twice"),
            (&["127.0.0.1:1:2;127.0.0.1:2"], "server.1 claims 127.0.0.1:2 twice"),
            (&["h:1:2", "h:1:4"], "server.1 and server.2 both claim h:1"),
            (&["h:1:2", "h:3:2"], "server.1 and server.2 both claim h:2"),
            (&["h:1:2", "h:2:3"], "server.1 and server.2 both claim h:2"),
            (&["h:1:2;3", "h:4:5;3"], "server.1 and server.2 both claim h:3"),
            (&["h:1:2;[::]:3", "h:3:5"], "server.1 and server.2 both claim h:3"),
            (&["h:1:2;g:3", "i:1:2;g:3"], "server.1 and server.2 both claim g:3"),
        ] {
            assert_eq!(claims(lines), Err(why.to_owned()), "{lines:?}");
        }
    }

    #[test]
    fn the_same_port_of_other_machines_is_another() {
        for lines in [
            ["h:1:2;3", "i:1:2;3"],
            ["h:1:2;127.0.0.1:3", "i:1:2;127.0.0.1:3"],
            ["h:1:2;localhost:1", "i:1:2;[::1]:1"],
        ] {
            assert_eq!(claims(&lines), Ok(()), "{lines:?}");
        }
    }
}
