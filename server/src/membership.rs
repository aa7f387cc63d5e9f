//! Members as text: `server.N=…` lines, in `zoo.cfg`, in `/zookeeper/config` and in requests.

use std::collections::BTreeMap;
use std::sync::Arc;

use tree::Tree;
use zab::{Configuration, Member, Members, ServerId, Zxid};

use crate::config::ServerAddress;

/// The servers that a configuration file names; one alone if it names none.
pub(crate) fn initial(id: ServerId, servers: &BTreeMap<ServerId, ServerAddress>) -> Members {
    match servers.is_empty() {
        true => Members::of_voters([id]),
        false => of(servers),
    }
}

/// Servers as the protocol knows them.
pub(crate) fn of(servers: &BTreeMap<ServerId, ServerAddress>) -> Members {
    let member =
        |address: &ServerAddress| Member { votes: !address.observer, address: address.to_string() };
    Members(servers.iter().map(|(id, address)| (*id, member(address))).collect())
}

/// Where they are; empty for a server alone.
pub(crate) fn addresses(members: &Members) -> BTreeMap<ServerId, ServerAddress> {
    let address = |(id, member): (&ServerId, &Member)| Some((*id, member.address.parse().ok()?));
    members.0.iter().filter_map(address).collect()
}

/// The configuration in a tree's `/zookeeper/config`: none before the first reconfiguration.
pub(crate) fn in_tree(tree: &Tree) -> Option<Configuration> {
    let (data, _) = tree.get_data(tree::CONFIG).ok()?;
    let text = std::str::from_utf8(data.as_deref()?).ok()?;
    let version = text.lines().find_map(|line| line.strip_prefix("version="))?;
    let version = Zxid(u64::from_str_radix(version, 16).ok()?);
    let members = Arc::new(of(&parse(text.lines()).ok()?));
    Some(Configuration { version, members })
}

/// What `/zookeeper/config` says of a configuration.
pub(crate) fn data(configuration: &Configuration) -> String {
    let Configuration { version, members } = configuration;
    format!("{}\nversion={:x}", lines(members), version.0)
}

/// A line for each of them, without an end of line after the last.
pub(crate) fn lines(members: &Members) -> String {
    let line = |(id, member): (&ServerId, &Member)| format!("server.{id}={}", member.address);
    members.0.iter().map(line).collect::<Vec<_>>().join("\n")
}

/// Reads such lines, as in `/zookeeper/config`; other lines are passed over. Whether such members may
/// be is judged before they are put in order, not here: what is in force is in force.
///
/// # Errors
/// What is wrong, in words.
pub(crate) fn parse<'a>(
    lines: impl Iterator<Item = &'a str>,
) -> Result<BTreeMap<ServerId, ServerAddress>, String> {
    let mut servers = BTreeMap::new();
    for line in lines.map(str::trim) {
        if let Some(line) = line.strip_prefix("server.") {
            let (id, address) = server(line).map_err(|what| format!("server.{line}: {what}"))?;
            servers.insert(id, address);
        }
    }
    Ok(servers)
}

/// `N=…`
fn server(line: &str) -> Result<(ServerId, ServerAddress), String> {
    let (id, address) = line.split_once('=').ok_or("expected server.N=…")?;
    let id = id.parse().map_err(|_| "the id is a number".to_owned())?;
    Ok((id, address.parse()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "server.1=a:1:2:participant;0.0.0.0:3\nserver.2=b:1:2:observer";

    #[test]
    fn members_are_written_as_they_are_read() {
        let servers = parse(TEXT.lines().chain(["version=100000003"])).unwrap();
        let members = of(&servers);
        assert_eq!(lines(&members), TEXT);
        assert!(members.has_voter(1) && !members.has_voter(2));
        assert_eq!(addresses(&members), servers);
    }

    #[test]
    fn what_is_wrong_is_said() {
        for (text, why) in [
            ("server.x=a:1:2", "the id is a number"),
            ("server.1", "expected server.N="),
            ("server.1=a:1", "expected host:quorumPort"),
        ] {
            let error = parse(text.lines()).unwrap_err();
            assert!(error.contains(why), "{text}: {error}");
        }
    }
}
