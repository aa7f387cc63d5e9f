//! Events that set a fault off, outside of scenarios: the part behind the `@` of `kill:leader@epoch-change`.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::scenario::Sign;

/// What a fault waits for.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Trigger {
    /// A server writes its epoch to its disk.
    EpochChange,
    /// A server says in its output that it leads, follows or looks for a leader from now on.
    RoleChange,
    /// [`Sign::Changes`] of any server.
    Changes(Vec<String>),
    /// [`Sign::Logs`] of any server.
    Logs(String),
    /// So many operations succeeded since it began to wait.
    Answers(u64),
}

/// Where our server and Apache ZooKeeper keep their epochs.
const EPOCHS: [&str; 3] = ["state", "currentEpoch", "acceptedEpoch"];
/// What they say of their roles: ours the first, Apache ZooKeeper's `QuorumPeer` the others.
const ROLES: [&str; 4] = ["role role=", " - LOOKING", " - FOLLOWING", " - LEADING"];

const WAYS: &str =
    "epoch-change, role-change, changes:FILE|FILE, logs:TEXT, answers:N (the N-th from then on)";

impl Trigger {
    /// What to look out for on all servers; nothing for what the clients hear.
    pub fn sign(&self) -> Option<Sign> {
        let owned = |words: &[&str]| words.iter().copied().map(str::to_owned).collect();
        match self {
            Trigger::EpochChange => Some(Sign::Changes(owned(&EPOCHS))),
            Trigger::RoleChange => Some(Sign::Logs(owned(&ROLES))),
            Trigger::Changes(files) => Some(Sign::Changes(files.clone())),
            Trigger::Logs(text) => Some(Sign::Logs(vec![text.clone()])),
            Trigger::Answers(_) => None,
        }
    }
}

impl FromStr for Trigger {
    type Err = String;

    fn from_str(text: &str) -> Result<Trigger, String> {
        let wrong = || format!("nothing happens that is called `{text}`; there are: {WAYS}");
        match text.split_once(':').unwrap_or((text, "")) {
            ("epoch-change", "") => Ok(Trigger::EpochChange),
            ("role-change", "") => Ok(Trigger::RoleChange),
            ("changes", files) if files.split('|').all(|file| !file.is_empty()) => {
                Ok(Trigger::Changes(files.split('|').map(str::to_owned).collect()))
            }
            ("logs", said) if !said.is_empty() => Ok(Trigger::Logs(said.to_owned())),
            ("answers", count) => {
                count.parse().ok().filter(|n| *n > 0).map(Trigger::Answers).ok_or_else(wrong)
            }
            _ => Err(wrong()),
        }
    }
}

impl fmt::Display for Trigger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Trigger::EpochChange => f.write_str("epoch-change"),
            Trigger::RoleChange => f.write_str("role-change"),
            Trigger::Changes(files) => write!(f, "changes:{}", files.join("|")),
            Trigger::Logs(text) => write!(f, "logs:{text}"),
            Trigger::Answers(n) => write!(f, "answers:{n}"),
        }
    }
}

impl TryFrom<String> for Trigger {
    type Error = String;

    fn try_from(text: String) -> Result<Trigger, String> {
        text.parse()
    }
}

impl From<Trigger> for String {
    fn from(trigger: Trigger) -> String {
        trigger.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_read_as_it_is_written() {
        for text in [
            "epoch-change",
            "role-change",
            "changes:log.*|state",
            "logs:state replaced: all of it",
            "answers:100",
        ] {
            assert_eq!(text.parse().map(|trigger: Trigger| trigger.to_string()), Ok(text.into()));
        }
    }

    #[test]
    fn what_never_happens_is_refused_with_what_does() {
        for text in ["", "dawn", "epoch-change:2", "changes:", "changes:a||b", "logs:", "answers:0"]
        {
            let told = text.parse::<Trigger>().expect_err("it is wrong");
            assert_eq!(told, format!("nothing happens that is called `{text}`; there are: {WAYS}"));
        }
    }
}
