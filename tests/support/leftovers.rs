//! What a harness could leave behind: processes, namespaces, interfaces, mounts, rules.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Everything of this machine that a harness might change. Two equal ones: it did not.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Surroundings {
    mounts: String,
    interfaces: BTreeSet<String>,
    named_namespaces: BTreeSet<String>,
    /// `None` without the right or the program to list them.
    rules: Option<String>,
}

impl Surroundings {
    pub(crate) fn now() -> Surroundings {
        Surroundings {
            mounts: fs::read_to_string("/proc/self/mountinfo").expect("proc is mounted"),
            interfaces: names("/sys/class/net"),
            named_namespaces: names("/run/netns"),
            rules: rules(),
        }
    }
}

/// The processes of a harness, found in three ways, and the namespaces that they live in.
#[derive(Debug)]
pub(crate) struct Family {
    /// In their command lines: the directory of the results.
    mark: String,
    pub(crate) members: BTreeSet<u32>,
    /// Not those of this test.
    pub(crate) namespaces: BTreeSet<PathBuf>,
}

impl Family {
    /// Everything that descends from process `root`, which have `mark` in their arguments.
    pub(crate) fn of(root: u32, mark: &Path) -> Family {
        let mark = mark.display().to_string();
        let members = descendants(root);
        let ours: BTreeSet<PathBuf> = namespaces_of(std::process::id()).collect();
        let theirs = members.iter().flat_map(|pid| namespaces_of(*pid));
        let namespaces = theirs.filter(|namespace| !ours.contains(namespace)).collect();
        Family { mark, members, namespaces }
    }

    /// A process, its first child, the first child of that, and so on.
    pub(crate) fn line_of_descent(&self, root: u32) -> Vec<u32> {
        let is_child = |pid: &&u32, of: u32| status(**pid, "PPid:") == Some(of.to_string());
        let next = |parent: &u32| self.members.iter().find(|pid| is_child(pid, *parent)).copied();
        std::iter::successors(Some(root), next).collect()
    }

    /// How many processes have the mark.
    pub(crate) fn n_marked(&self) -> usize {
        pids().filter(|pid| command_line(*pid).contains(&self.mark)).count()
    }

    /// Processes that belong to it and still live.
    pub(crate) fn alive(&self) -> Vec<u32> {
        pids().filter(|pid| is_alive(*pid) && self.is_ours(*pid)).collect()
    }

    fn is_ours(&self, pid: u32) -> bool {
        self.members.contains(&pid)
            || command_line(pid).contains(&self.mark)
            || namespaces_of(pid).any(|namespace| self.namespaces.contains(&namespace))
    }
}

fn pids() -> impl Iterator<Item = u32> {
    let entries = fs::read_dir("/proc").expect("proc is mounted").flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}

fn descendants(root: u32) -> BTreeSet<u32> {
    let parents: BTreeMap<u32, u32> = pids().filter_map(|pid| Some((pid, parent(pid)?))).collect();
    let mut found = BTreeSet::from([root]);
    loop {
        let n_found = found.len();
        let children = parents.iter().filter(|(_, parent)| found.contains(parent));
        let children: Vec<u32> = children.map(|(pid, _)| *pid).collect();
        found.extend(children);
        if found.len() == n_found {
            return found;
        }
    }
}

/// A zombie only waits for its parent to take note.
fn is_alive(pid: u32) -> bool {
    status(pid, "State:").is_some_and(|state| !state.starts_with(['Z', 'X']))
}

fn status(pid: u32, field: &str) -> Option<String> {
    let text = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let value = text.lines().find_map(|line| line.strip_prefix(field))?;
    Some(value.trim().to_owned())
}

fn command_line(pid: u32) -> String {
    let bytes = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Those that may be seen: an ordinary user sees only some processes' namespaces.
fn namespaces_of(pid: u32) -> impl Iterator<Item = PathBuf> {
    let link = move |kind: &str| fs::read_link(format!("/proc/{pid}/ns/{kind}")).ok();
    ["net", "pid", "mnt"].into_iter().filter_map(link)
}

/// What a process sees mounted; empty if it has ended.
pub(crate) fn mounts_of(pid: u32) -> String {
    fs::read_to_string(format!("/proc/{pid}/mountinfo")).unwrap_or_default()
}

pub(crate) fn parent(pid: u32) -> Option<u32> {
    status(pid, "PPid:")?.parse().ok()
}

/// Everything that the kernel says of a process, for messages of failed assertions.
pub(crate) fn status_of(pid: u32) -> String {
    let read = |file: &str| fs::read_to_string(format!("/proc/{pid}/{file}")).unwrap_or_default();
    format!("{}\n{}{}", command_line(pid), read("status"), read("stack"))
}

/// Regular files of a disk; neither devices nor pipes, nor what `/proc` shows of another process.
pub(crate) fn files_open_for_writing(pid: u32) -> Vec<PathBuf> {
    let links = fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
    let written = links.map(|link| link.path()).filter(|link| {
        // The link's own mode says how the file was opened.
        let is_writable = fs::symlink_metadata(link).is_ok_and(|link| link.mode() & 0o200 != 0);
        is_writable && fs::metadata(link).is_ok_and(|file| file.is_file())
    });
    let files = written.filter_map(|link| fs::read_link(link).ok());
    files.filter(|file| !file.starts_with("/proc")).collect()
}

fn names(directory: &str) -> BTreeSet<String> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
}

/// The packet filter's rules of this network namespace, without comments, which tell the time.
fn rules() -> Option<String> {
    let listing = Command::new("/usr/sbin/iptables-save").output().ok()?;
    let text = String::from_utf8_lossy(&listing.stdout).into_owned();
    let lines = text.lines().filter(|line| !line.starts_with(['#', ':']));
    listing.status.success().then(|| lines.collect::<Vec<_>>().join("\n"))
}
