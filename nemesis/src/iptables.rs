//! Packet filter rules in a node's namespace, each added and removed by exact specification.
//!
//! Rules drop at INPUT, as a broken network would: a sender behind OUTPUT would be told (EPERM). All
//! changes to one namespace are one `iptables-restore --noflush`, hence all or nothing; see iptables(8).

use std::fmt;
use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use serde::Serialize;

use crate::fault::FaultId;
use crate::namespace::Namespace;
use crate::switch::Link;

/// A rule against what one host sends to another, in the namespace of the latter.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize)]
pub struct Rule {
    /// The fault that the rule belongs to; it is part of the rule, so equal cuts do not get mixed up.
    pub fault: FaultId,
    /// Whose packets to whom.
    #[serde(flatten)]
    pub link: Link,
    /// Which packets, and what becomes of them.
    pub action: Action,
}

/// What a rule does to the packets of its link.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Action {
    /// Drops all.
    #[default]
    Drop,
    /// Drops TCP segments to this port.
    DropTo(u16),
    /// Drops TCP segments from this port.
    DropFrom(u16),
    /// Answers TCP segments with a reset. Resets pass: else each side would swallow the other's answers.
    Reset,
}

impl Action {
    /// The matches of the rule and its target, as iptables prints them.
    fn spec(self) -> (String, &'static str) {
        match self {
            Action::Drop => (String::new(), "DROP"),
            Action::DropTo(port) => (format!("-p tcp -m tcp --dport {port} "), "DROP"),
            Action::DropFrom(port) => (format!("-p tcp -m tcp --sport {port} "), "DROP"),
            Action::Reset => {
                let no_reset = "-p tcp -m tcp ! --tcp-flags RST RST ".to_owned();
                (no_reset, "REJECT --reject-with tcp-reset")
            }
        }
    }
}

/// A rule as the kernel has it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Counted {
    /// Its specification, as iptables prints it.
    pub spec: String,
    /// Packets that met it.
    pub packets: u64,
}

/// Why iptables did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum IptablesError {
    /// The program is not there.
    #[error("`{0}` is neither in $PATH nor in /usr/sbin or /sbin: install the package iptables")]
    Missing(&'static str),
    /// It could not be run, or did not end in time.
    #[error("cannot run `{0}`: {1}")]
    Run(String, #[source] io::Error),
    /// It refused.
    #[error("`{0}` failed: {1}")]
    Refused(String, String),
    /// It agreed, and the rules tell otherwise.
    #[error("iptables does not keep its rules: {0}")]
    Unfaithful(String),
}

/// The programs of iptables, known to work here.
#[derive(Debug, Clone)]
pub struct Iptables {
    program: PathBuf,
    restore: PathBuf,
    version: String,
}

impl Iptables {
    /// Finds the programs and tries them in `scratch`: one rule is added, listed and removed.
    pub fn detect(scratch: &Namespace) -> Result<Iptables, IptablesError> {
        let (program, restore) = (find("iptables")?, find("iptables-restore")?);
        let version = output(Command::new(&program).arg("--version"), "", scratch)?;
        let iptables = Iptables { program, restore, version: version.trim().to_owned() };
        iptables.rehearse(scratch)?;
        Ok(iptables)
    }

    /// As the program says it: `iptables v1.8.9 (nf_tables)`.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// Adds all rules, which must have one receiver, in its namespace; or none, if it fails.
    pub fn add(&self, ns: &Namespace, rules: &[Rule]) -> Result<(), IptablesError> {
        self.change(ns, "-A", rules)
    }

    /// Removes exactly these rules; or none, if one of them is not there.
    pub fn remove(&self, ns: &Namespace, rules: &[Rule]) -> Result<(), IptablesError> {
        self.change(ns, "-D", rules)
    }

    /// Every rule of ours in the namespace, with its counter.
    pub fn list(&self, ns: &Namespace) -> Result<Vec<Counted>, IptablesError> {
        let listing = self.list_all(ns)?;
        Ok(listing.lines().filter(|line| line.contains(TAG)).filter_map(parse_rule).collect())
    }

    fn list_all(&self, ns: &Namespace) -> Result<String, IptablesError> {
        output(Command::new(&self.program).args(["-w", "5", "-v", "-S", "INPUT"]), "", ns)
    }

    fn change(&self, ns: &Namespace, verb: &str, rules: &[Rule]) -> Result<(), IptablesError> {
        let lines: String = rules.iter().map(|rule| format!("{verb} {rule}\n")).collect();
        let input = format!("*filter\n{lines}COMMIT\n");
        output(Command::new(&self.restore).args(["-w", "5", "--noflush"]), &input, ns).map(drop)
    }

    fn rehearse(&self, ns: &Namespace) -> Result<(), IptablesError> {
        use crate::host::Host::{Clients, Observer};
        let rule = Rule {
            fault: FaultId(0),
            link: Link { src: Observer, dst: Clients },
            action: Action::Drop,
        };
        self.add(ns, &[rule])?;
        let added = self.list(ns)?;
        self.remove(ns, &[rule])?;
        let left = self.list(ns)?;
        if added.iter().any(|c| rule.is(c)) && !left.iter().any(|c| rule.is(c)) {
            return Ok(());
        }
        Err(IptablesError::Unfaithful(format!(
            "added {rule}, saw {added:?}, removed it, saw {left:?}"
        )))
    }
}

/// Marks the comments of our rules.
const TAG: &str = "zoobreak-";

impl fmt::Display for Rule {
    /// The specification, in the order in which iptables prints it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (src, dst) = (self.link.src.addr(), self.link.dst.addr());
        let (fault, (matches, target)) = (self.fault, self.action.spec());
        let comment = format!("-m comment --comment {TAG}{fault}");
        write!(f, "INPUT -s {src}/32 -d {dst}/32 {matches}{comment} -j {target}")
    }
}

impl Rule {
    /// True if `counted` is this rule.
    pub fn is(&self, counted: &Counted) -> bool {
        counted.spec == self.to_string()
    }
}

/// `-A INPUT -s … -m comment --comment zoobreak-f1 -c PACKETS BYTES -j DROP`
fn parse_rule(line: &str) -> Option<Counted> {
    let words: Vec<_> = line.strip_prefix("-A ")?.split_whitespace().collect();
    let at = words.iter().position(|word| *word == "-c")?;
    let packets = words.get(at + 1)?.parse().ok()?;
    let spec = [words.get(..at)?, words.get(at + 3..)?].concat().join(" ").replace('"', "");
    Some(Counted { spec, packets })
}

fn find(name: &'static str) -> Result<PathBuf, IptablesError> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain([PathBuf::from("/usr/sbin"), PathBuf::from("/sbin")])
        .map(|folder| folder.join(name))
        .find(|program| is_program(program))
        .ok_or(IptablesError::Missing(name))
}

fn is_program(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    path.metadata().is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
}

/// Longer than iptables waits for its own lock (`-w 5`).
const TIME_LIMIT: Duration = Duration::from_secs(10);

/// Runs `command` in `ns` with `input`, and returns what it printed.
fn output(command: &mut Command, input: &str, ns: &Namespace) -> Result<String, IptablesError> {
    let shown = format!("{command:?}").replace('"', "");
    let mut run = || ns.run(|| talk(command, input))?;
    let (ok, text) = run().map_err(|e| IptablesError::Run(shown.clone(), e))?;
    if ok { Ok(text) } else { Err(IptablesError::Refused(shown, text.trim().to_owned())) }
}

fn talk(command: &mut Command, input: &str) -> io::Result<(bool, String)> {
    let (reader, writer) = io::pipe()?;
    command.stdin(Stdio::piped()).stdout(writer.try_clone()?).stderr(writer);
    let mut child = command.spawn()?;
    // The command keeps its copies of the pipe's writing end; without ours, its exit ends the text.
    command.stdout(Stdio::null()).stderr(Stdio::null());
    let text = converse(&mut child, input, reader);
    if text.is_err() {
        child.kill()?;
    }
    let status = child.wait()?;
    Ok((status.success(), text?))
}

/// The input is far smaller than a pipe's buffer, so that writing it first cannot block.
fn converse(child: &mut Child, input: &str, reader: io::PipeReader) -> io::Result<String> {
    if let Some(mut stdin) = child.stdin.take() {
        stdin.write_all(input.as_bytes())?;
    }
    read_until(reader, Instant::now() + TIME_LIMIT)
}

fn read_until(mut reader: io::PipeReader, deadline: Instant) -> io::Result<String> {
    let mut text = Vec::new();
    let mut chunk = [0; 4096];
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let timeout = PollTimeout::try_from(left).unwrap_or(PollTimeout::MAX);
        if poll(&mut [PollFd::new(reader.as_fd(), PollFlags::POLLIN)], timeout)? == 0 {
            return Err(io::ErrorKind::TimedOut.into());
        }
        match reader.read(&mut chunk)? {
            0 => return Ok(String::from_utf8_lossy(&text).into_owned()),
            len => text.extend_from_slice(&chunk[..len]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::{Host, NodeId};

    const RULE: Rule = Rule {
        fault: FaultId(7),
        link: Link { src: Host::Node(NodeId(3)), dst: Host::Clients },
        action: Action::Drop,
    };

    #[test]
    fn a_listed_rule_is_recognised_by_its_whole_specification() {
        let line = "-A INPUT -s 10.77.0.3/32 -d 10.77.0.200/32 -m comment --comment zoobreak-f7 \
                    -c 12 3456 -j DROP";
        let counted = parse_rule(line).expect("this is what iptables prints");
        assert_eq!(counted.packets, 12);
        assert!(RULE.is(&counted));
        assert!(!Rule { fault: FaultId(8), ..RULE }.is(&counted));
        let quoted = line.replace("zoobreak-f7", "\"zoobreak-f7\"");
        assert!(RULE.is(&parse_rule(&quoted).expect("older versions print quotes")));
    }

    #[test]
    fn other_lines_are_no_rules() {
        for line in ["", "-P INPUT ACCEPT -c 0 0", "# Warning", "-A INPUT -j DROP", "-A INPUT -c"] {
            assert_eq!(parse_rule(line), None, "{line}");
        }
    }
}
