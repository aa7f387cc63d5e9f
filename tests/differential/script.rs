//! Scripts of requests, drawn from a seed. Pure.
//!
//! Scripts live below `/r`, whatever the servers call that znode, and count zxids from the one
//! that created it. What ends Apache ZooKeeper 3.8.0 is left out: a `createTTL` with a persistent
//! znode's flags and a negative time to live, and, with several servers, a `check` outside of a
//! multi, which its followers do not understand. So is what gives a znode two kinds of watch of one
//! session: there, the later replaces the earlier (ZOOKEEPER-4466).

use std::collections::BTreeSet;
use std::fmt;

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use wire::{Acl, Data, Request};

/// Sessions that take part in a script.
pub(crate) const SESSIONS: usize = 3;
const STEPS: usize = 40;
/// Says who the members are.
pub(crate) const CONFIG: &str = "/zookeeper/config";

/// One thing that happens before the next one does.
#[derive(Clone, PartialEq)]
pub(crate) struct Step {
    /// Who does it, from 0 on.
    pub(crate) session: usize,
    pub(crate) action: Action,
}

#[derive(Clone, PartialEq)]
pub(crate) enum Action {
    /// A request. Its paths and zxids are the script's.
    Call(Request),
    /// The connection breaks, and the client resumes its session with this timeout.
    Reconnect { timeout_ms: i32 },
    /// Somebody tries to resume the session with a wrong password.
    Intrude,
    /// Another session, which owns this new znode, falls silent until it has expired.
    Expire { path: String },
}

impl fmt::Debug for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "session {}: ", self.session)?;
        match &self.action {
            Action::Call(request) => write!(f, "{request:?}"),
            Action::Reconnect { timeout_ms } => write!(f, "reconnects ({timeout_ms} ms)"),
            Action::Intrude => write!(f, "somebody else comes with a wrong password"),
            Action::Expire { path } => write!(f, "another session expires, owner of {path:?}"),
        }
    }
}

/// The script of a seed.
pub(crate) fn script(seed: u64) -> Vec<Step> {
    let mut draw = Draw { rng: ChaCha8Rng::seed_from_u64(seed), members: 0 };
    // Waiting for a session to expire takes a second.
    let expiry = draw.chance(3).then(|| draw.below(STEPS));
    draw.steps(expiry)
}

/// The script of a seed for three servers: with reconfigurations that change no member, and without
/// what takes its time.
pub(crate) fn script_for_three(seed: u64) -> Vec<Step> {
    Draw { rng: ChaCha8Rng::seed_from_u64(seed), members: 3 }.steps(None)
}

/// Which znodes each session has watched in which way: ordinary, persistent, recursive.
#[derive(Default)]
struct Kinds([[BTreeSet<String>; 3]; SESSIONS]);

impl Kinds {
    /// Whether a step gives no znode a second kind of watch of one session.
    fn are_kept_apart(&mut self, step: &Step) -> bool {
        let Action::Call(request) = &step.action else { return true };
        let more = watched(request);
        let kinds = &mut self.0[step.session];
        for (kind, paths) in kinds.iter_mut().zip(&more) {
            kind.extend(paths.iter().map(ToString::to_string));
        }
        let n_kinds = |path: &str| kinds.iter().filter(|paths| paths.contains(path)).count();
        more.iter().flatten().all(|path| n_kinds(path) == 1)
    }
}

fn watched(request: &Request) -> [Vec<&String>; 3] {
    match request {
        Request::Exists { path, watch: true }
        | Request::GetData { path, watch: true }
        | Request::GetChildren { path, watch: true }
        | Request::GetChildren2 { path, watch: true } => [vec![path], vec![], vec![]],
        Request::AddWatch { path, mode: 0 } => [vec![], vec![path], vec![]],
        Request::AddWatch { path, mode: 1 } => [vec![], vec![], vec![path]],
        Request::SetWatches { data, exist, child, .. } => {
            [[data, exist, child].into_iter().flatten().collect(), vec![], vec![]]
        }
        Request::SetWatches2 { data, exist, child, persistent, persistent_recursive, .. } => [
            [data, exist, child].into_iter().flatten().collect(),
            persistent.iter().collect(),
            persistent_recursive.iter().collect(),
        ],
        _ => [vec![], vec![], vec![]],
    }
}

struct Draw {
    rng: ChaCha8Rng,
    /// 0: one server alone, which has no members.
    members: usize,
}

impl Draw {
    fn steps(&mut self, expiry: Option<usize>) -> Vec<Step> {
        let mut kinds = Kinds::default();
        let steps = (0..STEPS).map(|at| self.step(expiry == Some(at)));
        steps.filter(|step| kinds.are_kept_apart(step)).collect()
    }

    fn below(&mut self, n: usize) -> usize {
        self.rng.random_range(0..n)
    }

    fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    fn one_of<T: Copy>(&mut self, items: &[T]) -> T {
        items[self.below(items.len())]
    }

    fn step(&mut self, expiry: bool) -> Step {
        let session = self.below(SESSIONS);
        let action = match self.below(100) {
            _ if expiry => Action::Expire { path: self.path() },
            _ if self.members > 0 && self.chance(6) => Action::Call(self.reconfig()),
            0 => Action::Intrude,
            1 | 2 => Action::Reconnect { timeout_ms: self.one_of(&[30_000, 45_000, i32::MAX]) },
            3 => Action::Call(Request::CloseSession),
            4..=8 => Action::Call(self.authentication()),
            9..=50 => Action::Call(self.write()),
            51..=58 => Action::Call(self.multi()),
            59..=80 => Action::Call(self.read()),
            _ => Action::Call(self.watching()),
        };
        Step { session, action }
    }

    fn write(&mut self) -> Request {
        match self.below(10) {
            0..=4 => self.create(),
            5 | 6 => Request::Delete { path: self.path(), version: self.version() },
            7 | 8 => self.set_data(),
            _ => {
                let (path, version) = (self.path_to_change(), self.version());
                Request::SetAcl { path, acl: self.acl(), version }
            }
        }
    }

    fn create(&mut self) -> Request {
        let (path, data, acl) = (self.path_to_create(), self.data(), self.acl());
        match self.below(12) {
            0..=5 => Request::Create { path, data, acl, flags: self.flags() },
            6..=9 => Request::Create2 { path, data, acl, flags: self.flags() },
            10 => {
                let flags = if self.chance(95) { 4 } else { self.one_of(&[0, 1, 3, 5, 9]) };
                Request::CreateContainer { path, data, acl, flags }
            }
            _ => {
                let flags =
                    if self.chance(95) { self.one_of(&[5, 6]) } else { self.one_of(&[4, 0, 9]) };
                let ttl = match flags {
                    5 | 6 => self.one_of(&[1 << 30, 1 << 39, 0, -1, 1 << 40, i64::MAX]),
                    // A negative one ends Apache ZooKeeper.
                    _ => 1 << 30,
                };
                Request::CreateTtl { path, data, acl, flags, ttl }
            }
        }
    }

    fn set_data(&mut self) -> Request {
        let (path, version) = (self.path_to_change(), self.version());
        Request::SetData { path, data: self.data(), version }
    }

    fn multi(&mut self) -> Request {
        let n = self.below(5);
        let op = |draw: &mut Draw| match draw.below(6) {
            0 => Request::Check { path: draw.path(), version: draw.version() },
            1 | 2 => draw.create(),
            3 => Request::Delete { path: draw.path(), version: draw.version() },
            _ => draw.set_data(),
        };
        Request::Multi { ops: (0..n).map(|_| op(self)).collect() }
    }

    fn read(&mut self) -> Request {
        let (path, watch) = (self.path(), self.chance(50));
        match self.below(14) {
            0..=2 => Request::Exists { path, watch },
            3..=5 => Request::GetData { path, watch },
            6 | 7 => Request::GetChildren { path, watch },
            8 => Request::GetChildren2 { path, watch },
            9 => Request::GetAcl { path },
            10 => Request::Sync { path },
            11 => Request::GetEphemerals { prefix: self.prefix() },
            12 => Request::GetAllChildrenNumber { path },
            _ => self.rare_read(),
        }
    }

    fn rare_read(&mut self) -> Request {
        let op = |draw: &mut Draw| match draw.chance(50) {
            true => Request::GetData { path: draw.path(), watch: draw.chance(50) },
            false => Request::GetChildren { path: draw.path(), watch: draw.chance(50) },
        };
        match self.below(4) {
            0 => Request::WhoAmI,
            1 if self.members == 0 && self.chance(20) => {
                // Never the version. One that holds is never answered by Apache ZooKeeper.
                Request::Check { path: self.path(), version: 7777 }
            }
            1 => Request::Unknown { opcode: self.one_of(&[999, 10, -1, 20, -10]) },
            _ => Request::MultiRead { ops: (0..self.below(4)).map(|_| op(self)).collect() },
        }
    }

    /// What changes no member: who leads would be a matter of time.
    fn reconfig(&mut self) -> Request {
        let (joining, leaving, new_members) = self.one_of(&[
            ("", "", Some("{1},{2},{3}")),
            ("", "", Some("{3},{2},{1}")),
            ("some thing", "x", Some("{1},{2},{3}")),
            ("{2}", "", None),
            ("{1},{3}", "", None),
            ("", "9", None),
            ("{2}", "7,9", None),
            ("", "x", None),
            ("some thing", "", None),
            ("", "", Some("some thing")),
            ("", "", Some("")),
            ("server.3=127.0.0.1:1:2", "", None),
            ("server.8=10.9.9.9:1:1:observer;3", "", None),
            ("server.8=10.9.9.9:1:2:observer;3,server.9=10.9.9.9:4:2:observer;5", "", None),
            ("", "1,2,3", None),
            ("", "", None),
        ]);
        let (joining, leaving) = (joining.to_owned(), leaving.to_owned());
        let new_members = new_members.map(str::to_owned);
        let cur_config_id = self.one_of(&[-1, -1, -1, -1, -1, 0, 7, i64::MAX]);
        Request::Reconfig { joining, leaving, new_members, cur_config_id }
    }

    fn watching(&mut self) -> Request {
        let path = self.path();
        match self.below(12) {
            0..=4 => Request::AddWatch { path, mode: self.one_of(&[0, 0, 0, 1, 1, 1, 2, -1]) },
            5 | 6 => Request::CheckWatches { path, watcher_type: self.watcher_type() },
            7..=9 => Request::RemoveWatches { path, watcher_type: self.watcher_type() },
            10 => Request::SetWatches {
                relative_zxid: self.zxid(),
                data: self.paths(),
                exist: self.paths(),
                child: self.paths(),
            },
            _ => Request::SetWatches2 {
                relative_zxid: self.zxid(),
                data: self.paths(),
                exist: self.paths(),
                child: self.paths(),
                persistent: self.paths(),
                persistent_recursive: self.paths(),
            },
        }
    }

    fn authentication(&mut self) -> Request {
        let (scheme, credentials): (_, &[u8]) = self.one_of(&[
            ("digest", b"alice:a".as_slice()),
            ("digest", b"alice:a"),
            ("digest", b"bob:b"),
            ("digest", b"super:test"),
            ("digest", b"no colon"),
            ("digest", b""),
            ("digest", b"a:b:c"),
            ("digest", b"\xff\xfe:\x00"),
            ("ip", b""),
            ("ip", b"10.0.0.1"),
            ("world", b"anyone"),
            ("nobody knows", b"x"),
            ("", b""),
        ]);
        let auth = Some(credentials.into());
        Request::Auth { auth_type: self.one_of(&[0, 0, 7]), scheme: scheme.into(), auth }
    }

    fn path(&mut self) -> String {
        const USUAL: &[&str] = &[
            "/r",
            "/r/a",
            "/r/a",
            "/r/a",
            "/r/a/b",
            "/r/a/b",
            "/r/a/b/c",
            "/r/d",
            "/r/d",
            "/r/d/e",
            "/r/s0000000000",
            "/r/s0000000001",
            "/r/s0000000002",
            "/r/a/s0000000000",
            "/r/a/0000000001",
            "/r/none",
            "/r/none/at/all",
        ];
        const ODD: &[&str] = &[
            "/",
            "/",
            "r",
            "/r/",
            "/r/a/",
            "/r//a",
            "/r/.",
            "/r/./a",
            "/r/../a",
            "/r/...",
            "/r/a\0",
            "/r/\u{1}",
            "/r/\u{1f}",
            "/r/ ",
            "/r/\u{7f}",
            "/r/\u{9f}",
            "/r/\u{a0}",
            "/r/\u{d7ff}",
            "/r/\u{e000}",
            "/r/\u{f8ff}",
            "/r/\u{fff0}",
            "/r/\u{ffef}",
            "/r/\u{1f600}",
            "/r/ünï",
            "/r/a b",
            "/r/%2f",
            "/zookeeper",
            "/zookeeper/quota",
            "//",
            "/r/none/",
            "/r/none//a",
        ];
        if self.members > 0 && self.chance(2) {
            return CONFIG.to_owned();
        }
        let few = if self.chance(8) { ODD } else { USUAL };
        self.one_of(few).to_owned()
    }

    /// Changes outside of `/r` would outlive the script.
    fn path_to_change(&mut self) -> String {
        let path = self.path();
        if path == "/" || path.starts_with("/zookeeper") { "/r".to_owned() } else { path }
    }

    fn path_to_create(&mut self) -> String {
        match self.below(10) {
            0 | 1 => "/r/s".to_owned(),
            2 => self.one_of(&["/r/a/s", "/r/a/", "/r/", ""]).to_owned(),
            _ => {
                let path = self.path();
                if path.starts_with("/r/") { path } else { "/r/a".to_owned() }
            }
        }
    }

    fn prefix(&mut self) -> String {
        match self.below(4) {
            0 => self.one_of(&["", "/", " ", "/r/s", "/r/a/", "nothing", "/r/a/b/c/d"]).to_owned(),
            _ => self.path(),
        }
    }

    fn paths(&mut self) -> Vec<String> {
        (0..self.below(3)).map(|_| self.path()).collect()
    }

    fn data(&mut self) -> Data {
        let long = [b'x'; 1500];
        let choices: [Option<&[u8]>; 5] =
            [None, Some(b""), Some(b"a"), Some(b"some data"), Some(&long)];
        self.one_of(&choices).map(Into::into)
    }

    fn version(&mut self) -> i32 {
        self.one_of(&[-1, -1, -1, -1, 0, 0, 0, 1, 2, 7, -2, i32::MIN])
    }

    fn flags(&mut self) -> i32 {
        match self.below(100) {
            0 | 1 => self.one_of(&[4, 5, 6]),
            2..=5 => self.one_of(&[7, -1, 100]),
            _ => self.one_of(&[0, 0, 0, 1, 1, 2, 3]),
        }
    }

    fn watcher_type(&mut self) -> i32 {
        self.one_of(&[1, 1, 2, 2, 3, 3, 3, 4, 5, 0, 6, -1])
    }

    /// Relative to the creation of `/r`.
    fn zxid(&mut self) -> i64 {
        self.one_of(&[0, 1, 5, 10, 20, 1_000_000])
    }

    fn acl(&mut self) -> Vec<Acl> {
        if self.chance(65) {
            return Acl::open();
        }
        let n = self.one_of(&[0, 1, 1, 1, 1, 2, 3]);
        (0..n).map(|_| self.entry()).collect()
    }

    fn entry(&mut self) -> Acl {
        let (scheme, id) = self.one_of(&[
            ("world", "anyone"),
            ("world", "anyone"),
            ("world", "someone"),
            ("auth", ""),
            ("auth", ""),
            ("auth", "anything"),
            ("digest", "alice:9zY2pTXoEg6sGXTnGuWDcuPCOCw="),
            ("digest", "alice"),
            ("digest", "a:b:c"),
            ("digest", ":"),
            ("digest", ""),
            ("ip", "127.0.0.1"),
            ("ip", "127.0.0.0/8"),
            ("ip", "10.1.2.3"),
            ("ip", "10.1.2.3/33"),
            ("ip", "10.1.2"),
            ("ip", "::1"),
            ("ip", ""),
            ("super", ""),
            ("super", "alice"),
            ("sasl", "alice"),
            ("x509", "CN=alice"),
            ("", ""),
        ]);
        let perms = self.one_of(&[31, 31, 31, 1, 2, 4, 8, 16, 15, 17, 0, 32, -1]);
        Acl { perms, scheme: scheme.into(), id: id.into() }
    }
}
