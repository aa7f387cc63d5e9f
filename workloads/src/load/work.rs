//! What one session of a load asks for, and what it expects to hear. Pure.

use std::fmt::{self, Write};

use wire::{Acl, Data, ErrorCode, Request, Response};

/// What the sessions of a load do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Work {
    /// Create znodes, each once.
    Create,
    /// Set the data of the session's first [`Work::KEYS`] znodes, in turn.
    SetData,
    /// Read the session's first [`Work::KEYS`] znodes, in turn.
    GetData,
    /// Seven reads and three writes of the same in every ten.
    Mixed,
    /// Delete what [`Work::Create`] created.
    Delete,
}

impl Work {
    /// Znodes of each session that reads and sets of data go round.
    pub const KEYS: u64 = 20;

    /// The operation that the session's `n`th request is.
    fn nth(self, n: u64) -> Work {
        match self {
            // 7 and 10 have no common divisor: the reads are spread evenly.
            Work::Mixed if n * 7 % 10 < 7 => Work::GetData,
            Work::Mixed => Work::SetData,
            one => one,
        }
    }

    /// The session's znode that its `n`th request is about.
    fn key(self, n: u64) -> u64 {
        match self {
            Work::Create | Work::Delete => n,
            Work::SetData | Work::GetData | Work::Mixed => n % Work::KEYS,
        }
    }
}

impl fmt::Display for Work {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Work::Create => "create",
            Work::SetData => "setData",
            Work::GetData => "getData",
            Work::Mixed => "mixed 70/30",
            Work::Delete => "delete",
        })
    }
}

/// The requests of one session. They are changed in place and not made anew: the load program
/// shares its processors with the servers.
#[derive(Debug)]
pub(super) struct Script {
    work: Work,
    root: String,
    client: usize,
    data: Data,
    create: Request,
    set_data: Request,
    get_data: Request,
    delete: Request,
    expected_path: String,
}

impl Script {
    pub(super) fn new(work: Work, root: &str, client: usize, data_len: usize) -> Script {
        let data: Data = Some(vec![b'z'; data_len].into());
        let path = String::new();
        let acl = Acl::open();
        Script {
            work,
            root: root.to_owned(),
            client,
            create: Request::Create { path: path.clone(), data: data.clone(), acl, flags: 0 },
            set_data: Request::SetData { path: path.clone(), data: data.clone(), version: -1 },
            get_data: Request::GetData { path: path.clone(), watch: false },
            delete: Request::Delete { path, version: -1 },
            data,
            expected_path: String::new(),
        }
    }

    /// The session's `n`th request.
    pub(super) fn request(&mut self, n: u64) -> &Request {
        let request = match self.work.nth(n) {
            Work::Create => &mut self.create,
            Work::SetData => &mut self.set_data,
            Work::GetData | Work::Mixed => &mut self.get_data,
            Work::Delete => &mut self.delete,
        };
        let (Request::Create { path, .. }
        | Request::SetData { path, .. }
        | Request::GetData { path, .. }
        | Request::Delete { path, .. }) = request
        else {
            unreachable!("these are all that a script has");
        };
        write_path(path, &self.root, self.client, self.work.key(n));
        request
    }

    /// The opcode of the session's `n`th request.
    pub(super) fn opcode(&self, n: u64) -> i32 {
        match self.work.nth(n) {
            Work::Create => self.create.opcode(),
            Work::SetData => self.set_data.opcode(),
            Work::GetData | Work::Mixed => self.get_data.opcode(),
            Work::Delete => self.delete.opcode(),
        }
    }

    /// Whether the `n`th request was answered as it should be; if not, what is wrong.
    pub(super) fn check(&mut self, n: u64, err: i32, body: Option<Response>) -> Result<(), String> {
        if err != 0 {
            return Err(ErrorCode::from_i32(err).map_or(format!("error {err}"), |e| e.to_string()));
        }
        let len = self.data.as_ref().map_or(0, |data| data.len());
        match (self.work.nth(n), body) {
            (Work::Create, Some(Response::Create { path })) => self.check_path(n, &path),
            (Work::SetData, Some(Response::SetData { stat })) => {
                agree("bytes in its stat", stat.data_length as usize, len)
            }
            (Work::GetData, Some(Response::GetData { data, .. })) if data == self.data => Ok(()),
            (Work::GetData, Some(Response::GetData { data, .. })) => {
                let n_bytes = data.map_or(0, |data| data.len());
                Err(format!("{n_bytes} bytes of data that are not those written"))
            }
            (Work::Delete, None) => Ok(()),
            _ => Err("a body of another kind".to_owned()),
        }
    }

    /// The `n`th request in words: "getData of /bench/0-3".
    pub(super) fn describe(&self, n: u64) -> String {
        let mut text = String::new();
        write_path(&mut text, &self.root, self.client, self.work.key(n));
        format!("{} of {text}", self.work.nth(n))
    }

    fn check_path(&mut self, n: u64, path: &str) -> Result<(), String> {
        write_path(&mut self.expected_path, &self.root, self.client, self.work.key(n));
        if path == self.expected_path { Ok(()) } else { Err(format!("it created {path}")) }
    }
}

fn agree(what: &str, is: usize, should_be: usize) -> Result<(), String> {
    if is == should_be { Ok(()) } else { Err(format!("{is} {what} instead of {should_be}")) }
}

fn write_path(path: &mut String, root: &str, client: usize, key: u64) {
    path.clear();
    write!(path, "{root}/{client}-{key}").expect("a string takes everything");
}

#[cfg(test)]
mod tests {
    use wire::Stat;

    use super::*;

    fn path(request: &Request) -> &str {
        match request {
            Request::Create { path, .. }
            | Request::SetData { path, .. }
            | Request::GetData { path, .. }
            | Request::Delete { path, .. } => path,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn creates_are_of_new_znodes_and_sets_go_round() {
        let mut create = Script::new(Work::Create, "/r", 3, 4);
        assert_eq!(path(create.request(0)), "/r/3-0");
        assert_eq!(path(create.request(25)), "/r/3-25");
        let mut set = Script::new(Work::SetData, "/r", 3, 4);
        assert_eq!(path(set.request(25)), "/r/3-5");
    }

    #[test]
    fn mixed_is_seven_reads_in_ten() {
        let mut mixed = Script::new(Work::Mixed, "/r", 0, 4);
        let reads = (0..1000).filter(|n| matches!(mixed.request(*n), Request::GetData { .. }));
        assert_eq!(reads.count(), 700);
    }

    #[test]
    fn only_the_reply_expected_will_do() {
        let stat = Stat { data_length: 4, ..Stat::default() };
        let ok = |work, body| Script::new(work, "/r", 1, 4).check(2, 0, body);
        let created = |path: &str| Some(Response::Create { path: path.to_owned() });
        let read = |data: &[u8]| Some(Response::GetData { data: Some(data.into()), stat });
        assert_eq!(ok(Work::Create, created("/r/1-2")), Ok(()));
        assert_eq!(ok(Work::SetData, Some(Response::SetData { stat })), Ok(()));
        assert_eq!(ok(Work::GetData, read(b"zzzz")), Ok(()));
        assert_eq!(ok(Work::Delete, None), Ok(()));

        assert!(ok(Work::Create, created("/r/1-3")).unwrap_err().contains("it created /r/1-3"));
        assert!(ok(Work::GetData, read(b"zzz")).unwrap_err().contains("3 bytes"));
        assert!(ok(Work::GetData, read(b"zzzy")).is_err());
        assert!(ok(Work::GetData, None).is_err());
        assert!(ok(Work::Create, None).is_err());
        let longer = Stat { data_length: 5, ..stat };
        assert!(ok(Work::SetData, Some(Response::SetData { stat: longer })).is_err());
        assert_eq!(
            Script::new(Work::GetData, "/r", 1, 4).check(2, -101, None),
            Err("NoNode".to_owned())
        );
    }
}
