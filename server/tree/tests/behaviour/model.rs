//! The tree against a model too simple to be wrong: a map of paths, searched from end to end.

use std::collections::{BTreeMap, BTreeSet};

use crate::common::data;
use proptest::collection::vec;
use proptest::prelude::*;
use tree::{Reply, Tree, Txn, WriteOp};
use wire::{Acl, CreateMode, ErrorCode, OpResult, Stat};

const SESSIONS: std::ops::Range<i64> = 1..4;

/// Few names, so that writes meet.
fn path() -> impl Strategy<Value = String> {
    const PATHS: [&str; 10] =
        ["/", "/a", "/b", "/a/x", "/a/y", "/a/x/u", "/b/n", "/b/", "/zookeeper", "/a//b"];
    proptest::sample::select(&PATHS[..]).prop_map(str::to_owned)
}

fn op() -> impl Strategy<Value = WriteOp> {
    prop_oneof![4 => single(), 1 => vec(single(), 0..5).prop_map(|ops| WriteOp::Multi { ops })]
}

fn single() -> impl Strategy<Value = WriteOp> {
    let text = || "[a-z]{0,3}".prop_map(|text| data(&text));
    let version = || prop_oneof![3 => Just(-1), 2 => 0..3i32];
    let mode = (0..4i32).prop_map(|flags| CreateMode::from_flags(flags).expect("a mode"));
    prop_oneof![
        5 => (path(), text(), mode, any::<bool>()).prop_map(|(path, data, mode, with_stat)| {
            WriteOp::Create { path, data, acl: Acl::open(), mode, ttl_ms: -1, with_stat }
        }),
        3 => (path(), version()).prop_map(|(path, version)| WriteOp::Delete { path, version }),
        2 => (path(), text(), version())
            .prop_map(|(path, data, version)| WriteOp::SetData { path, data, version }),
        1 => (path(), version()).prop_map(|(path, version)| WriteOp::Check { path, version }),
        1 => Just(WriteOp::Error { code: ErrorCode::BadArguments }),
    ]
}

fn txn() -> impl Strategy<Value = Txn> {
    prop_oneof![
        2 => SESSIONS.prop_map(|id| Txn::CreateSession { id, timeout_ms: 5, password: [1; 16] }),
        1 => SESSIONS.prop_map(|id| Txn::CloseSession { id }),
        20 => (SESSIONS, any::<u16>(), op()).prop_map(|(session, time, op)| {
            Txn::Write { session, xid: 1, time_ms: time.into(), who: [].into(), enforce_quota: false, op }
        }),
    ]
}

/// A history that begins with open sessions, so that most writes are allowed.
pub(crate) fn txns() -> impl Strategy<Value = Vec<Txn>> {
    vec(txn(), 0..80).prop_map(|mut rest| {
        let mut all: Vec<Txn> = SESSIONS
            .map(|id| Txn::CreateSession { id, timeout_ms: 5, password: [1; 16] })
            .collect();
        all.append(&mut rest);
        all
    })
}

#[derive(Clone, Default)]
struct Entry {
    data: String,
    stat: Stat,
    creates: u32,
    deletes: u32,
}

#[derive(Clone, Default)]
struct Model {
    entries: BTreeMap<String, Entry>,
    sessions: BTreeSet<i64>,
}

impl Model {
    fn new() -> Model {
        let paths = ["/", "/zookeeper", "/zookeeper/config", "/zookeeper/quota"];
        let mut entries: BTreeMap<_, _> =
            paths.map(|path| (path.to_owned(), Entry::default())).into();
        entries.entry("/zookeeper/config".to_owned()).or_default().stat.aversion = -1;
        Model { entries, sessions: BTreeSet::new() }
    }

    fn apply(&mut self, zxid: i64, txn: &Txn) -> Result<Option<String>, ErrorCode> {
        match txn {
            Txn::CreateSession { id, .. } => {
                self.sessions.insert(*id);
                Ok(None)
            }
            Txn::CloseSession { id } => {
                self.sessions.remove(id);
                let owned = |entry: &Entry| entry.stat.ephemeral_owner == *id;
                let gone: Vec<String> = self
                    .entries
                    .iter()
                    .filter(|(_, entry)| owned(entry))
                    .map(|(path, _)| path.clone())
                    .collect();
                gone.iter().for_each(|path| self.remove(path, zxid));
                Ok(None)
            }
            Txn::Write { session, .. } if !self.sessions.contains(session) => {
                Err(ErrorCode::SessionExpired)
            }
            Txn::Write { session, time_ms, op, .. } => self.write(zxid, *session, *time_ms, op),
            Txn::Reap { .. } => panic!("not generated"),
        }
    }

    fn write(
        &mut self,
        zxid: i64,
        session: i64,
        time: i64,
        op: &WriteOp,
    ) -> Result<Option<String>, ErrorCode> {
        match op {
            WriteOp::Error { code } => Err(*code),
            WriteOp::SetAcl { .. } | WriteOp::Reconfig { .. } => panic!("not generated"),
            WriteOp::Multi { ops } => Ok(Some(self.multi(zxid, session, time, ops))),
            WriteOp::Check { path, version } => {
                if path.contains("//") || path == "/b/" {
                    return Err(ErrorCode::BadArguments);
                }
                let entry = self.entries.get(path).ok_or(ErrorCode::NoNode)?;
                expect_version(entry, *version)?;
                Ok(None)
            }
            WriteOp::Create { path, data, mode, .. } => {
                let parent = parent(path);
                let above = self.entries.get_mut(&parent).ok_or(ErrorCode::NoNode)?;
                let number = format!("{:0>10}", above.creates);
                let path = path.clone() + if mode.is_sequential() { &number } else { "" };
                if path != "/" && path.split('/').skip(1).any(str::is_empty) {
                    return Err(ErrorCode::BadArguments);
                }
                let from_ephemeral = above.stat.ephemeral_owner != 0;
                if self.entries.contains_key(&path) {
                    return Err(ErrorCode::NodeExists);
                }
                if from_ephemeral {
                    return Err(ErrorCode::NoChildrenForEphemerals);
                }
                let above = self.entries.get_mut(&parent).expect("seen above");
                above.creates += 1;
                above.stat.pzxid = zxid;
                let stat = Stat {
                    czxid: zxid,
                    mzxid: zxid,
                    pzxid: zxid,
                    ctime: time,
                    mtime: time,
                    ephemeral_owner: if mode.is_ephemeral() { session } else { 0 },
                    ..Stat::default()
                };
                let entry = Entry { data: text(data), stat, ..Entry::default() };
                self.entries.insert(path.clone(), entry);
                Ok(Some(path))
            }
            WriteOp::Delete { path, version } => {
                if path == "/" || path.starts_with("/zookeeper") {
                    return Err(ErrorCode::BadArguments);
                }
                let entry = self.entries.get(path).ok_or(ErrorCode::NoNode)?;
                expect_version(entry, *version)?;
                if !self.children(path).is_empty() {
                    return Err(ErrorCode::NotEmpty);
                }
                self.remove(path, zxid);
                Ok(None)
            }
            WriteOp::SetData { path, data, version } => {
                if path.contains("//") || path == "/b/" {
                    return Err(ErrorCode::BadArguments);
                }
                let entry = self.entries.get_mut(path).ok_or(ErrorCode::NoNode)?;
                expect_version(entry, *version)?;
                entry.data = text(data);
                entry.stat.version += 1;
                entry.stat.mzxid = zxid;
                entry.stat.mtime = time;
                Ok(None)
            }
        }
    }

    /// On a copy, which is thrown away if an operation fails. Returns the codes of the results.
    fn multi(&mut self, zxid: i64, session: i64, time: i64, ops: &[WriteOp]) -> String {
        let mut copy = self.clone();
        let outcomes = ops.iter().map(|op| copy.write(zxid, session, time, op).err());
        let outcomes: Vec<_> = outcomes.collect();
        let codes: Vec<i32> = match outcomes.iter().position(Option::is_some) {
            None => {
                *self = copy;
                vec![0; ops.len()]
            }
            Some(culprit) => (0..ops.len())
                .map(|i| match outcomes[i] {
                    _ if i > culprit => -2,
                    Some(code) => code.code(),
                    None => 0,
                })
                .collect(),
        };
        format!("{codes:?}")
    }

    fn remove(&mut self, path: &str, zxid: i64) {
        self.entries.remove(path);
        let above = self.entries.get_mut(&parent(path)).expect("parents outlive children");
        above.deletes += 1;
        above.stat.pzxid = zxid;
    }

    fn children(&self, path: &str) -> Vec<String> {
        let prefix = if path == "/" { "/".to_owned() } else { format!("{path}/") };
        self.entries
            .keys()
            .filter_map(|other| other.strip_prefix(&prefix))
            .filter(|name| !name.is_empty() && !name.contains('/'))
            .map(str::to_owned)
            .collect()
    }

    fn stat(&self, path: &str) -> Stat {
        let entry = &self.entries[path];
        let from_the_start = match path {
            "/" => 1,
            "/zookeeper" => 2,
            _ => 0,
        };
        Stat {
            cversion: (entry.creates + entry.deletes) as i32 - from_the_start,
            data_length: entry.data.len() as i32,
            num_children: self.children(path).len() as i32,
            ..entry.stat
        }
    }
}

fn parent(path: &str) -> String {
    let (above, _) = path.rsplit_once('/').expect("generated paths have a slash");
    if above.is_empty() { "/".to_owned() } else { above.to_owned() }
}

fn text(data: &wire::Data) -> String {
    String::from_utf8_lossy(data.as_deref().unwrap_or_default()).into_owned()
}

fn expect_version(entry: &Entry, version: i32) -> Result<(), ErrorCode> {
    let matches = version == -1 || version == entry.stat.version;
    matches.then_some(()).ok_or(ErrorCode::BadVersion)
}

fn codes(results: &[OpResult]) -> String {
    let codes = results.iter().map(|result| match result {
        OpResult::Error { code } => *code,
        _ => 0,
    });
    format!("{:?}", codes.collect::<Vec<_>>())
}

/// Ordered by parent, then name.
fn by_place<'a>(paths: impl Iterator<Item = &'a String>) -> Vec<&'a str> {
    let mut paths: Vec<_> = paths.map(String::as_str).collect();
    paths.sort_by_key(|path| path.rsplit_once('/'));
    paths
}

/// Everything a client could read, and the sums.
fn assert_same(tree: &Tree, model: &Model) {
    assert!(tree.paths().eq(by_place(model.entries.keys())));
    for (path, entry) in &model.entries {
        let (data, stat) = tree.get_data(path).expect("listed");
        assert_eq!((text(&data), stat), (entry.data.clone(), model.stat(path)), "{path}");
        let (children, _) = tree.get_children(path).expect("listed");
        assert_eq!(children, model.children(path), "{path}");
    }
    assert!(tree.sessions().map(|(id, _)| id).eq(model.sessions.iter().copied()));
    for (id, session) in tree.sessions() {
        let owned = model.entries.iter().filter(|(_, entry)| entry.stat.ephemeral_owner == id);
        assert!(session.ephemerals.iter().eq(by_place(owned.map(|(path, _)| path))));
    }
    let bytes: usize =
        model.entries.iter().map(|(path, entry)| path.len() + entry.data.len()).sum();
    assert_eq!(tree.data_size(), bytes as u64);
    assert_eq!(tree.digest(), tree.recompute_digest());
}

proptest! {
    #[test]
    fn the_tree_does_what_the_model_does(txns in txns()) {
        let (mut tree, mut model) = (Tree::new(), Model::new());
        for (zxid, txn) in (1..).zip(&txns) {
            let before = tree.digest();
            let applied = tree.apply(zxid, txn);
            let expected = model.apply(zxid as i64, txn);
            let path = applied.reply.clone().map(|reply| match reply {
                Reply::Create { path } | Reply::Create2 { path, .. } => Some(path.to_string()),
                Reply::Multi { results } => Some(codes(&results)),
                _ => None,
            });
            prop_assert_eq!(&path, &expected, "{:?}", txn);
            if expected.is_err() {
                prop_assert_eq!(before, tree.digest());
                prop_assert!(applied.fired.is_empty());
            }
            if let Ok(Reply::Create2 { path, stat }) = applied.reply {
                prop_assert_eq!(stat, model.stat(&path));
            }
            assert_same(&tree, &model);
        }
    }

    /// A server that loads a snapshot in mid-history goes on like one that never stopped.
    #[test]
    fn a_snapshot_restores_everything(txns in txns(), cut: prop::sample::Index) {
        let cut = cut.index(txns.len() + 1);
        let (mut whole, mut restored) = (Tree::new(), Tree::new());
        for (zxid, txn) in (1..).zip(&txns) {
            if zxid as usize == cut + 1 {
                let bytes = postcard::to_stdvec(&whole).expect("serialises");
                restored = postcard::from_bytes(&bytes).expect("reads what it wrote");
                prop_assert_eq!(&restored, &whole);
            }
            let applied = whole.apply(zxid, txn);
            if zxid as usize > cut {
                prop_assert_eq!(restored.apply(zxid, txn), applied);
                prop_assert_eq!(&restored, &whole);
            }
        }
    }

    /// Same transactions, same state; other states have other digests, and other histories other
    /// lineages.
    #[test]
    fn replicas_agree(txns in txns(), left_out: prop::sample::Index) {
        let run = |skip: Option<usize>| {
            let mut tree = Tree::new();
            for (i, txn) in txns.iter().enumerate().filter(|&(i, _)| Some(i) != skip) {
                tree.apply(i as u64 + 1, txn);
            }
            tree
        };
        let tree = run(None);
        prop_assert_eq!(&run(None), &tree);
        let other = run(Some(left_out.index(txns.len())));
        let same = other.paths().eq(tree.paths())
            && tree.paths().all(|path| other.get_data(path) == tree.get_data(path))
            && other.sessions().eq(tree.sessions());
        prop_assert_eq!(other.digest() == tree.digest(), same);
        prop_assert_ne!(other.lineage(), tree.lineage());
    }
}
