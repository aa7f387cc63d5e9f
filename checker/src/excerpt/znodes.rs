//! Excerpts of trees: a few paths and all above them, as if there were no others.
//!
//! What a path holds depends on nothing beside it but its session and the path above. What counts
//! children, or refuses for their sake, says nothing here.

use std::collections::BTreeSet;

use spec::Znodes;
use spec::znodes::{Op, Refusal, Ret, Stat, parent};
use stateright::semantics::SequentialSpec;

use super::{Excerpt, Excerpted, Whole};
use crate::engine::Call;

impl Excerpted for Znodes {
    type Part = Znodes;

    /// Of what began before the last call shown had ended; what was still open then may have happened
    /// or not.
    fn excerpt(whole: &Whole<'_, Self>, kept: &[usize]) -> Excerpt<Self> {
        let paths = paths(kept.iter().map(|&n| &whole.calls[n]));
        let last = kept.iter().filter_map(|&n| whole.calls[n].end).max().unwrap_or(0);
        let view = View { sessions: sessions(whole.calls, &paths), paths };
        let mut excerpt = Excerpt::from(Znodes::default());
        for (position, call) in whole.calls.iter().enumerate().filter(|(_, c)| c.start < last) {
            let open = call.end.is_some_and(|end| end > last);
            let told = call.ret.as_ref().filter(|_| !open);
            match view.shown(&call.op, told) {
                Shown::Nothing => {}
                Shown::Unclear => return Excerpt::from(Znodes::default()),
                Shown::As(op, ret) => {
                    let reads = ret
                        .as_ref()
                        .is_some_and(|ret| <Self as spec::Searchable>::is_read_only(&op, ret));
                    if !reads || kept.binary_search(&position).is_ok() {
                        let end = call.end.filter(|_| !open);
                        excerpt.push(position, Call { op, ret, start: call.start, end });
                    }
                }
            }
        }
        settled(excerpt, kept)
    }
}

/// Without its beginning, as long as one call comes after the other, which leaves nothing open. The
/// last change is told.
fn settled(mut excerpt: Excerpt<Znodes>, kept: &[usize]) -> Excerpt<Znodes> {
    let mut state = Znodes::default();
    let is_kept = |position: &usize| kept.binary_search(position).is_ok();
    let last_change = excerpt.positions.iter().rposition(|position| !is_kept(position));
    let mut n_settled = 0;
    for (n, call) in excerpt.calls.iter().enumerate().take(last_change.unwrap_or(0)) {
        let next = excerpt.calls.get(n + 1);
        let alone = call.end.is_some_and(|end| next.is_some_and(|next| end < next.start));
        let Some(ret) = call.ret.as_ref().filter(|_| alone) else { break };
        if is_kept(&excerpt.positions[n]) || !state.is_valid_step(&call.op, ret) {
            break;
        }
        n_settled = n + 1;
        excerpt.initial = state.clone();
    }
    excerpt.calls.drain(..n_settled);
    excerpt.positions.drain(..n_settled);
    excerpt
}

/// The paths that calls are about, and all above.
fn paths<'a>(calls: impl Iterator<Item = &'a Call<Znodes>>) -> BTreeSet<String> {
    let mut paths = BTreeSet::new();
    for call in calls {
        for (op, ret) in parts(&call.op, call.ret.as_ref()) {
            let mut at = path(op, ret);
            while let Some(path) = at {
                paths.insert(path.to_owned());
                at = parent(path);
            }
        }
    }
    paths
}

/// The sessions that may have znodes at these paths.
fn sessions(calls: &[Call<Znodes>], paths: &BTreeSet<String>) -> BTreeSet<u64> {
    let parts = calls.iter().flat_map(|call| parts(&call.op, call.ret.as_ref()));
    let owner = |(op, ret): (&Op, Option<&Ret>)| match op {
        Op::Create { owner, sequential, .. } => {
            let here =
                *sequential && ret.is_none() || path(op, ret).is_some_and(|p| paths.contains(p));
            owner.filter(|_| here)
        }
        _ => None,
    };
    parts.filter_map(owner).collect()
}

/// Itself, or the parts of a multi, with the results known.
fn parts<'a>(op: &'a Op, ret: Option<&'a Ret>) -> Vec<(&'a Op, Option<&'a Ret>)> {
    match (op, ret) {
        (Op::Multi(ops), Some(Ret::Multi(rets))) => ops.iter().zip(rets.iter().map(Some)).collect(),
        (Op::Multi(ops), _) => ops.iter().map(|op| (op, None)).collect(),
        (op, ret) => vec![(op, ret)],
    }
}

/// The znode; of a sequential one, its path without the number if that is not known.
fn path<'a>(op: &'a Op, ret: Option<&'a Ret>) -> Option<&'a str> {
    if let Some(Ret::Created { path, .. }) = ret {
        return Some(path);
    }
    match op {
        Op::Create { path, .. }
        | Op::Delete { path, .. }
        | Op::Set { path, .. }
        | Op::Check { path, .. }
        | Op::Get { path }
        | Op::Exists { path }
        | Op::Children { path } => Some(path),
        Op::Multi(_) | Op::Close { .. } => None,
    }
}

struct View {
    paths: BTreeSet<String>,
    sessions: BTreeSet<u64>,
}

/// What of a call is about the paths.
enum Shown {
    Nothing,
    As(Op, Option<Ret>),
    /// It may have made a znode at any of them.
    Unclear,
}

impl View {
    fn shown(&self, op: &Op, ret: Option<&Ret>) -> Shown {
        match (op, ret) {
            (Op::Close { session }, None | Some(Ret::Done)) if self.sessions.contains(session) => {
                Shown::As(op.clone(), ret.cloned())
            }
            (Op::Multi(_), None | Some(Ret::Multi(_))) => self.multi(op, ret),
            (Op::Multi(_) | Op::Close { .. }, _) => Shown::Nothing,
            (op, ret) => self.one(op, ret),
        }
    }

    fn multi(&self, op: &Op, ret: Option<&Ret>) -> Shown {
        let (mut ops, mut rets) = (Vec::new(), Vec::new());
        for (op, told) in parts(op, ret) {
            match self.one(op, told) {
                Shown::Nothing => {}
                Shown::Unclear => return Shown::Unclear,
                Shown::As(op, told) => {
                    ops.push(op);
                    rets.extend(told);
                }
            }
        }
        match ops.is_empty() {
            true => Shown::Nothing,
            false => Shown::As(Op::Multi(ops), ret.map(|_| Ret::Multi(rets))),
        }
    }

    fn one(&self, op: &Op, ret: Option<&Ret>) -> Shown {
        let Some(at) = path(op, ret) else { return Shown::Nothing };
        if matches!(op, Op::Create { sequential: true, .. }) && ret.is_none() {
            let possible = self.paths.iter().any(|path| path.starts_with(at));
            return if possible { Shown::Unclear } else { Shown::Nothing };
        }
        if !self.paths.contains(at) {
            return Shown::Nothing;
        }
        match ret {
            None => Shown::As(op.clone(), None),
            Some(ret) => self.answer(at, op, ret).map_or(Shown::Nothing, |ret| {
                let op = match op {
                    Op::Create { data, owner, .. } => Op::Create {
                        path: at.to_owned(),
                        data: data.clone(),
                        owner: *owner,
                        sequential: false,
                    },
                    op => op.clone(),
                };
                Shown::As(op, Some(ret))
            }),
        }
    }

    /// What the answer says of these paths; none if nothing.
    fn answer(&self, at: &str, op: &Op, ret: &Ret) -> Option<Ret> {
        Some(match ret {
            Ret::Refused(refusal) if !is_of_the_path(op, *refusal) => return None,
            Ret::Created { path, stat } => {
                Ret::Created { path: path.clone(), stat: without_children(*stat) }
            }
            Ret::Stat(stat) => Ret::Stat(without_children(*stat)),
            Ret::Data { data, stat } => {
                Ret::Data { data: data.clone(), stat: without_children(*stat) }
            }
            Ret::Children { names, stat } => {
                let above = if at == "/" { "" } else { at };
                let here = |name: &&String| self.paths.contains(&format!("{above}/{name}"));
                let names = names.iter().filter(here).cloned().collect();
                Ret::Children { names, stat: without_children(*stat) }
            }
            Ret::Refused(_) | Ret::Multi(_) | Ret::Done => ret.clone(),
        })
    }
}

/// Is it refused because of what the path itself holds?
fn is_of_the_path(op: &Op, refusal: Refusal) -> bool {
    match (op, refusal) {
        (Op::Create { sequential, .. }, Refusal::NodeExists) => !sequential,
        (Op::Create { .. }, _) => false,
        (_, refusal) => matches!(refusal, Refusal::NoNode | Refusal::BadVersion),
    }
}

fn without_children(stat: Stat) -> Stat {
    Stat { cversion: None, children: None, ..stat }
}
