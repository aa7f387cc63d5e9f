//! The tree against the specification that histories are checked with: each answer is one that it allows.

use std::collections::BTreeMap;
use std::sync::Arc;

use proptest::prelude::*;
use spec::znodes::{self, Op, Refusal, Ret, Znode, Znodes, is_path};
use stateright::semantics::SequentialSpec;
use tree::{Applied, Reply, Tree, Txn, WriteOp};
use wire::{Data, ErrorCode, OpResult, Stat};

use crate::model::txns;

/// The specification's state, and by what number it knows the sessions that are open: a number that
/// was closed once is never open again.
struct Expected {
    state: Znodes,
    sessions: BTreeMap<i64, u64>,
    n_sessions: u64,
}

impl Expected {
    /// With the znodes that no request made.
    fn new() -> Expected {
        let mut state = Znodes::default();
        let system = ["/zookeeper", "/zookeeper/config", "/zookeeper/quota"];
        let blank = system.map(|path| (Arc::from(path), Znode::default()));
        Arc::make_mut(&mut state.nodes).extend(blank);
        Expected { state, sessions: BTreeMap::new(), n_sessions: 0 }
    }

    fn apply(&mut self, txn: &Txn, applied: &Applied) {
        match txn {
            Txn::CreateSession { id, .. } => {
                self.n_sessions += 1;
                self.sessions.entry(*id).or_insert(self.n_sessions);
            }
            Txn::CloseSession { id } => {
                if let Some(session) = self.sessions.remove(id) {
                    self.state.invoke(&Op::Close { session });
                }
            }
            Txn::Write { session, op, .. } => match self.sessions.get(session) {
                Some(session) => self.write(*session, op, &applied.reply),
                None => assert_eq!(applied.reply, Err(ErrorCode::SessionExpired)),
            },
            Txn::Reap { .. } => panic!("not generated"),
        }
    }

    fn write(&mut self, session: u64, asked: &WriteOp, reply: &Result<Reply, ErrorCode>) {
        let Some(op) = operation(session, asked) else { return };
        let ret = match reply {
            Err(code) => Ret::Refused(refusal(code.code())),
            Ok(reply) => self.answer(reply),
        };
        let before = self.state.clone();
        assert!(self.state.is_valid_step(&op, &ret), "{op:?} -> {ret:?} after {before:?}");
    }

    fn answer(&self, reply: &Reply) -> Ret {
        match reply {
            Reply::Create { path } => created(path, znodes::Stat::default()),
            Reply::Create2 { path, stat } => created(path, self.stat(stat)),
            Reply::SetData { stat } => Ret::Stat(self.stat(stat)),
            Reply::Delete | Reply::Check => Ret::Done,
            Reply::Multi { results } => self.results(results),
            other => panic!("not asked for: {other:?}"),
        }
    }

    /// 0 is the code of what came before the operation that failed, -2 of what came after.
    fn results(&self, results: &[OpResult]) -> Ret {
        let code = |result: &OpResult| match result {
            OpResult::Error { code: 0 | -2 } => None,
            OpResult::Error { code } => Some(*code),
            _ => None,
        };
        if let Some(code) = results.iter().find_map(code) {
            return Ret::Refused(refusal(code));
        }
        let each = results.iter().map(|result| match result {
            OpResult::Create { path } => created(path, znodes::Stat::default()),
            OpResult::Create2 { path, stat } => created(path, self.stat(stat)),
            OpResult::SetData { stat } => Ret::Stat(self.stat(stat)),
            OpResult::Delete | OpResult::Check => Ret::Done,
            other => panic!("not asked for: {other:?}"),
        });
        Ret::Multi(each.collect())
    }

    /// What every znode shows.
    fn reads(&mut self, tree: &Tree) {
        let paths: Vec<String> = tree.paths().map(str::to_owned).collect();
        for path in paths {
            let (data, stat) = tree.get_data(&path).expect("it is there");
            let ret = Ret::Data { data: text(&data), stat: self.stat(&stat) };
            self.allows(&Op::Get { path: path.clone() }, &ret);
            let (names, stat) = tree.get_children(&path).expect("it is there");
            let names = names.into_iter().collect();
            let ret = Ret::Children { names, stat: self.stat(&stat) };
            self.allows(&Op::Children { path }, &ret);
        }
        assert_eq!(tree.node_count(), self.state.nodes.len());
    }

    fn allows(&mut self, op: &Op, ret: &Ret) {
        assert!(self.state.is_valid_step(op, ret), "{op:?} -> {ret:?} of {:?}", self.state);
    }

    fn stat(&self, stat: &Stat) -> znodes::Stat {
        let owner = self.sessions.get(&stat.ephemeral_owner).copied();
        znodes::Stat {
            version: Some(stat.version),
            cversion: Some(stat.cversion),
            owner: Some(if stat.ephemeral_owner == 0 { 0 } else { owner.unwrap_or(u64::MAX) }),
            length: usize::try_from(stat.data_length).ok(),
            children: usize::try_from(stat.num_children).ok(),
        }
    }
}

fn created(path: &str, stat: znodes::Stat) -> Ret {
    Ret::Created { path: path.to_owned(), stat }
}

/// None of what the specification says nothing about: paths that are none, and ZooKeeper's own.
fn operation(session: u64, op: &WriteOp) -> Option<Op> {
    let legal = |path: &str| is_path(path).then(|| path.to_owned());
    Some(match op {
        WriteOp::Create { path, data, mode, .. } => {
            let sequential = mode.is_sequential();
            let number = if sequential { "0" } else { "" };
            legal(&format!("{path}{number}"))?;
            let owner = mode.is_ephemeral().then_some(session);
            Op::Create { path: path.clone(), data: text(data), owner, sequential }
        }
        WriteOp::Delete { path, .. } if path.starts_with("/zookeeper") => return None,
        WriteOp::Delete { path, version } => Op::Delete { path: legal(path)?, version: *version },
        WriteOp::SetData { path, data, version } => {
            Op::Set { path: legal(path)?, data: text(data), version: *version }
        }
        WriteOp::Check { path, version } => Op::Check { path: legal(path)?, version: *version },
        WriteOp::Multi { ops } => {
            Op::Multi(ops.iter().map(|op| operation(session, op)).collect::<Option<_>>()?)
        }
        _ => return None,
    })
}

fn refusal(code: i32) -> Refusal {
    match ErrorCode::from_i32(code) {
        Some(ErrorCode::NoNode) => Refusal::NoNode,
        Some(ErrorCode::NodeExists) => Refusal::NodeExists,
        Some(ErrorCode::BadVersion) => Refusal::BadVersion,
        Some(ErrorCode::NotEmpty) => Refusal::NotEmpty,
        Some(ErrorCode::NoChildrenForEphemerals) => Refusal::NoChildrenForEphemerals,
        Some(ErrorCode::SessionExpired) => Refusal::SessionExpired,
        Some(ErrorCode::BadArguments) => Refusal::BadArguments,
        other => panic!("the specification does not know {other:?} ({code})"),
    }
}

fn text(data: &Data) -> String {
    String::from_utf8_lossy(data.as_deref().unwrap_or_default()).into_owned()
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn answers_are_those_of_the_specification(txns in txns()) {
        let (mut tree, mut expected) = (Tree::new(), Expected::new());
        for (zxid, txn) in (1..).zip(&txns) {
            let applied = tree.apply(zxid, txn);
            expected.apply(txn, &applied);
        }
        expected.reads(&tree);
    }
}
