//! What a server leaves behind: changed files and lines in its output, looked at as often as one likes.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

use super::Sign;
use crate::host::NodeId;
use crate::process::Launch;

/// A look-out for a [`Sign`] of some servers. What was there before it began is no sign.
#[derive(Debug)]
pub struct Signs {
    sign: Sign,
    outputs: Vec<Output>,
    disks: Vec<(NodeId, PathBuf)>,
    files: Files,
}

/// A file by path: whose it is, inode number, length, time of its last change in nanoseconds.
type Files = BTreeMap<PathBuf, (NodeId, u64, u64, i64)>;

#[derive(Debug)]
struct Output {
    node: NodeId,
    path: PathBuf,
    /// Read up to here.
    at: u64,
    /// The line that is not complete yet.
    line: Vec<u8>,
}

impl Signs {
    /// Looks out for it from now on.
    pub fn of(servers: &[(NodeId, Launch)], sign: Sign) -> Signs {
        let output = |node: NodeId, path: &PathBuf| {
            let at = fs::metadata(path).map_or(0, |metadata| metadata.len());
            Output { node, path: path.clone(), at, line: Vec::new() }
        };
        let outputs_of = |(node, server): &(NodeId, Launch)| {
            [output(*node, &server.stdout), output(*node, &server.stderr)]
        };
        let disks_of = |(node, server): &(NodeId, Launch)| {
            server.disks.iter().map(|disk| (*node, disk.clone())).collect::<Vec<_>>()
        };
        let outputs = servers.iter().flat_map(outputs_of).collect();
        let disks = servers.iter().flat_map(disks_of).collect();
        let mut signs = Signs { sign, outputs, disks, files: Files::new() };
        signs.files = signs.look();
        signs
    }

    /// Where there was such a sign since the last call; of several, one.
    pub fn seen(&mut self) -> Option<NodeId> {
        match &self.sign {
            Sign::Logs(texts) => {
                // Output that cannot be read shows nothing.
                let said = |output: &mut Output| output.says(texts).unwrap_or(false);
                self.outputs.iter_mut().find_map(|output| said(output).then_some(output.node))
            }
            Sign::Changes(_) => {
                let before = std::mem::take(&mut self.files);
                self.files = self.look();
                differing(&before, &self.files).or_else(|| differing(&self.files, &before))
            }
        }
    }

    /// The files looked for, in the disks' folders and the folders in those.
    fn look(&self) -> Files {
        let Sign::Changes(names) = &self.sign else { return Files::new() };
        let mut files = Files::new();
        let disk = |(node, disk): &(NodeId, PathBuf)| (*node, disk.clone(), true);
        let mut folders: Vec<(NodeId, PathBuf, bool)> = self.disks.iter().map(disk).collect();
        while let Some((node, folder, deeper)) = folders.pop() {
            // A folder that is not there yet has no files.
            for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
                let Ok(metadata) = entry.metadata() else { continue };
                let name = entry.file_name().to_string_lossy().into_owned();
                if metadata.is_dir() && deeper {
                    folders.push((node, entry.path(), false));
                } else if names.iter().any(|wanted| fits(wanted, &name)) {
                    let changed = metadata.mtime() * 1_000_000_000 + metadata.mtime_nsec();
                    files.insert(entry.path(), (node, metadata.ino(), metadata.len(), changed));
                }
            }
        }
        files
    }
}

/// Whose file in `files` is not so in `others`.
fn differing(files: &Files, others: &Files) -> Option<NodeId> {
    let other = files.iter().find(|(path, file)| others.get(*path) != Some(*file));
    other.map(|(_, (node, ..))| *node)
}

impl Output {
    fn says(&mut self, texts: &[String]) -> io::Result<bool> {
        let mut file = File::open(&self.path)?;
        file.seek(SeekFrom::Start(self.at))?;
        let mut new = Vec::new();
        self.at += file.read_to_end(&mut new)? as u64;
        self.line.append(&mut new);
        let is_there = |text: &String| self.line.windows(text.len()).any(|p| p == text.as_bytes());
        let found = texts.iter().any(is_there);
        let rest = self.line.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
        self.line.drain(..rest);
        Ok(found)
    }
}

/// `log.*` fits `log.1`.
fn fits(wanted: &str, name: &str) -> bool {
    match wanted.strip_suffix('*') {
        Some(prefix) => name.starts_with(prefix),
        None => name == wanted,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    const N7: NodeId = NodeId(7);

    fn launch(home: &std::path::Path) -> (NodeId, Launch) {
        let launch = Launch {
            program: "true".into(),
            args: vec![],
            env: [].into(),
            cwd: home.into(),
            stdout: home.join("out"),
            stderr: home.join("err"),
            disks: vec![home.join("data")],
        };
        (N7, launch)
    }

    #[test]
    fn files_that_appear_change_are_replaced_or_vanish_are_seen_once() {
        let home = tempfile::tempdir().expect("a scratch directory");
        let sign = Sign::Changes(vec!["state".into(), "log.*".into()]);
        let mut signs = Signs::of(&[launch(home.path())], sign);
        assert_eq!(signs.seen(), None, "there is nothing");
        let (data, deep) = (home.path().join("data"), home.path().join("data/g0"));
        fs::create_dir_all(&deep).expect("a scratch directory");
        fs::write(data.join("other"), "1").expect("a scratch directory");
        assert_eq!(signs.seen(), None, "nobody asked for it");
        let steps: [&dyn Fn() -> io::Result<()>; 4] = [
            &|| fs::write(data.join("state"), "1"),
            &|| {
                fs::write(data.join("new"), "1")
                    .and_then(|()| fs::rename(data.join("new"), data.join("state")))
            },
            &|| fs::write(deep.join("log.1"), "1"),
            &|| fs::remove_file(deep.join("log.1")),
        ];
        for step in steps {
            step().expect("a scratch directory");
            assert_eq!(signs.seen(), Some(N7));
            assert_eq!(signs.seen(), None, "it was seen already");
        }
    }

    #[test]
    fn a_line_is_seen_even_if_it_comes_in_parts_and_only_if_it_is_new() {
        let home = tempfile::tempdir().expect("a scratch directory");
        let mut out = File::create(home.path().join("out")).expect("a scratch directory");
        let mut say = |text: &str| out.write_all(text.as_bytes()).expect("a scratch directory");
        say("Getting a snapshot\n");
        let mut signs = Signs::of(&[launch(home.path())], Sign::Logs(vec!["a snapshot".into()]));
        assert_eq!(signs.seen(), None, "that was before");
        say("Getting a sn");
        assert_eq!(signs.seen(), None);
        say("apshot from the leader\n");
        assert_eq!(signs.seen(), Some(N7));
        assert_eq!(signs.seen(), None);
    }
}
