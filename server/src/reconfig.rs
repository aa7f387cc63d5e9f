//! What a reconfiguration asks for, and the members that come of it. Pure.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use wire::{ErrorCode, Identity};
use zab::{Members, ServerId};

use crate::ServerAddress;
use crate::config::distinct_ports;
use crate::membership;
use crate::proposal::Origin;

/// A client's `reconfig`, on its way to the leader.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Ask {
    pub(crate) origin: Origin,
    pub(crate) session: i64,
    pub(crate) xid: i32,
    pub(crate) who: Arc<[Identity]>,
    pub(crate) change: Change,
}

/// The request, field by field.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Change {
    /// `server.N=…`, with commas between them: added, or given another role or place.
    pub(crate) joining: String,
    /// Ids, with commas between them.
    pub(crate) leaving: String,
    /// If present, all members, and the other two do not count.
    pub(crate) new_members: Option<String>,
    /// The version that the present configuration must have; -1 is any.
    pub(crate) version: i64,
}

impl Change {
    /// The members that it makes of the present ones, of which `participants_min` must vote.
    ///
    /// # Errors
    /// As in ZooKeeper: `MarshallingError` for leaving ids that are no numbers, `BadArguments` for
    /// whatever else makes no sense.
    pub(crate) fn apply(
        &self,
        present: &Members,
        participants_min: usize,
    ) -> Result<Members, ErrorCode> {
        let servers = match &self.new_members {
            None => self.step(membership::addresses(present))?,
            Some(all) => parse(all).ok_or(ErrorCode::BadArguments)?,
        };
        distinct_ports(&servers).map_err(|_| ErrorCode::BadArguments)?;
        let members = membership::of(&servers);
        match members.voters().count() >= participants_min {
            true => Ok(members),
            false => Err(ErrorCode::BadArguments),
        }
    }

    fn step(
        &self,
        mut servers: BTreeMap<ServerId, ServerAddress>,
    ) -> Result<BTreeMap<ServerId, ServerAddress>, ErrorCode> {
        for id in parts(&self.leaving) {
            servers.remove(&id.parse().map_err(|_| ErrorCode::MarshallingError)?);
        }
        let joining = parse(&self.joining).ok_or(ErrorCode::BadArguments)?;
        // Without it clients would not find the server.
        if joining.values().any(|address| address.client.is_none()) {
            return Err(ErrorCode::BadArguments);
        }
        servers.extend(joining);
        Ok(servers)
    }
}

/// All parts are servers.
fn parse(text: &str) -> Option<BTreeMap<ServerId, ServerAddress>> {
    let lines: Vec<&str> = parts(text).filter(|part| !part.starts_with("version=")).collect();
    let all = lines.iter().all(|line| line.starts_with("server."));
    membership::parse(lines.into_iter()).ok().filter(|_| all)
}

fn parts(text: &str) -> impl Iterator<Item = &str> {
    text.split([',', '\n']).map(str::trim).filter(|part| !part.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    const PRESENT: &str = "server.1=a:1:2:participant\nserver.2=b:1:2:participant;0.0.0.0:3";

    fn after(joining: &str, leaving: &str, all: Option<&str>) -> Result<String, ErrorCode> {
        let present = membership::of(&membership::parse(PRESENT.lines()).unwrap());
        let [joining, leaving] = [joining, leaving].map(ToOwned::to_owned);
        let new_members = all.map(ToOwned::to_owned);
        let change = Change { joining, leaving, new_members, version: -1 };
        change.apply(&present, 2).map(|members| membership::lines(&members))
    }

    #[test]
    fn servers_join_leave_and_change() {
        let third = "server.3=c:1:2:observer;0.0.0.0:3";
        assert_eq!(after(third, "", None), Ok(format!("{PRESENT}\n{third}")));
        let moved = "server.1=d:1:2:participant;d:3";
        let (_, second) = PRESENT.split_once('\n').unwrap();
        assert_eq!(after(moved, "", None), Ok(format!("{moved}\n{second}")));
        let both = format!("server.3=c:1:2;3, {moved}");
        let expected = "server.1=d:1:2:participant;d:3\nserver.3=c:1:2:participant;0.0.0.0:3";
        assert_eq!(after(&both, "2", None), Ok(expected.to_owned()));
        let whole = "server.7=g:1:2;3,server.8=h:1:2;3\nversion=100000000";
        let expected = "server.7=g:1:2:participant;0.0.0.0:3\nserver.8=h:1:2:participant;0.0.0.0:3";
        assert_eq!(after("", "", Some(whole)), Ok(expected.to_owned()));
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        for (joining, leaving, all) in [
            ("some thing", "", None),
            ("server.3=c:1:2", "", None),
            ("server.3=b:1:9;3", "", None),
            ("server.3=c:1:1;3", "", None),
            ("server.3=c:1:2;b:3", "", None),
            ("server.3=c:1:2;3,server.4=c:4:5;3", "", None),
            ("", "", Some("server.1=a:1:2,server.2=b:1:2,server.3=b:4:1")),
            ("", "2", None),
            ("server.2=b:1:2:observer;3", "", None),
            ("", "", Some("server.1=a:1:2")),
            ("", "", Some("")),
        ] {
            let after = after(joining, leaving, all);
            assert_eq!(after, Err(ErrorCode::BadArguments), "{joining} {leaving} {all:?}");
        }
        assert_eq!(after("", "x", None), Err(ErrorCode::MarshallingError));
    }
}
