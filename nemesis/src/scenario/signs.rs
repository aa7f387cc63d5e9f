//! What a server leaves behind: changed files and lines in its output, looked at as often as one likes.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

use super::Sign;
use crate::process::Launch;

/// A look-out for a [`Sign`] of some servers. What was there before it began is no sign.
#[derive(Debug)]
pub struct Signs {
    sign: Sign,
    outputs: Vec<Output>,
    disks: Vec<PathBuf>,
    files: Files,
}

/// A file by path: inode number, length, time of its last change in nanoseconds.
type Files = BTreeMap<PathBuf, (u64, u64, i64)>;

#[derive(Debug)]
struct Output {
    path: PathBuf,
    /// Read up to here.
    at: u64,
    /// The line that is not complete yet.
    line: Vec<u8>,
}

impl Signs {
    /// Looks out for it from now on.
    pub fn of(servers: &[Launch], sign: Sign) -> Signs {
        let paths = servers.iter().flat_map(|server| [&server.stdout, &server.stderr]);
        let output = |path: &PathBuf| {
            let at = fs::metadata(path).map_or(0, |metadata| metadata.len());
            Output { path: path.clone(), at, line: Vec::new() }
        };
        let outputs = paths.map(output).collect();
        let disks = servers.iter().flat_map(|server| server.disks.clone()).collect();
        let mut signs = Signs { sign, outputs, disks, files: Files::new() };
        signs.files = signs.look();
        signs
    }

    /// Was there such a sign since the last call?
    pub fn seen(&mut self) -> bool {
        match &self.sign {
            Sign::Logs(text) => {
                let text = text.as_bytes();
                // Output that cannot be read shows nothing.
                self.outputs.iter_mut().any(|output| output.says(text).unwrap_or(false))
            }
            Sign::Changes(_) => {
                let now = self.look();
                let changed = now != self.files;
                self.files = now;
                changed
            }
        }
    }

    /// The files looked for, in the disks' folders and the folders in those.
    fn look(&self) -> Files {
        let Sign::Changes(names) = &self.sign else { return Files::new() };
        let mut files = Files::new();
        let mut folders: Vec<(PathBuf, bool)> =
            self.disks.iter().map(|disk| (disk.clone(), true)).collect();
        while let Some((folder, deeper)) = folders.pop() {
            // A folder that is not there yet has no files.
            for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
                let Ok(metadata) = entry.metadata() else { continue };
                let name = entry.file_name().to_string_lossy().into_owned();
                if metadata.is_dir() && deeper {
                    folders.push((entry.path(), false));
                } else if names.iter().any(|wanted| fits(wanted, &name)) {
                    let changed = metadata.mtime() * 1_000_000_000 + metadata.mtime_nsec();
                    files.insert(entry.path(), (metadata.ino(), metadata.len(), changed));
                }
            }
        }
        files
    }
}

impl Output {
    fn says(&mut self, text: &[u8]) -> io::Result<bool> {
        let mut file = File::open(&self.path)?;
        file.seek(SeekFrom::Start(self.at))?;
        let mut new = Vec::new();
        self.at += file.read_to_end(&mut new)? as u64;
        self.line.append(&mut new);
        let found = self.line.windows(text.len()).any(|part| part == text);
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

    fn launch(home: &std::path::Path) -> Launch {
        Launch {
            program: "true".into(),
            args: vec![],
            env: [].into(),
            cwd: home.into(),
            stdout: home.join("out"),
            stderr: home.join("err"),
            disks: vec![home.join("data")],
        }
    }

    #[test]
    fn files_that_appear_change_are_replaced_or_vanish_are_seen_once() {
        let home = tempfile::tempdir().expect("a scratch directory");
        let sign = Sign::Changes(vec!["state".into(), "log.*".into()]);
        let mut signs = Signs::of(&[launch(home.path())], sign);
        assert!(!signs.seen(), "there is nothing");
        let (data, deep) = (home.path().join("data"), home.path().join("data/g0"));
        fs::create_dir_all(&deep).expect("a scratch directory");
        fs::write(data.join("other"), "1").expect("a scratch directory");
        assert!(!signs.seen(), "nobody asked for it");
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
            assert!(signs.seen());
            assert!(!signs.seen(), "it was seen already");
        }
    }

    #[test]
    fn a_line_is_seen_even_if_it_comes_in_parts_and_only_if_it_is_new() {
        let home = tempfile::tempdir().expect("a scratch directory");
        let mut out = File::create(home.path().join("out")).expect("a scratch directory");
        let mut say = |text: &str| out.write_all(text.as_bytes()).expect("a scratch directory");
        say("Getting a snapshot\n");
        let mut signs = Signs::of(&[launch(home.path())], Sign::Logs("a snapshot".into()));
        assert!(!signs.seen(), "that was before");
        say("Getting a sn");
        assert!(!signs.seen());
        say("apshot from the leader\n");
        assert!(signs.seen());
        assert!(!signs.seen());
    }
}
