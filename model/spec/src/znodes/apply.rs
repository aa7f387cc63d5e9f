//! What each operation does to the tree.

use std::sync::Arc;

use super::path::{below, parent};
use super::{Op, Refusal, Ret, Stat, Znode, Znodes};

const ANY: i32 = -1;

impl Znodes {
    /// Does what is asked, or nothing.
    pub(super) fn apply(&mut self, op: &Op) -> Result<Ret, Refusal> {
        match op {
            Op::Create { path, data, owner, sequential } => {
                self.create(path, data, *owner, *sequential)
            }
            Op::Delete { path, version } => self.delete(path, *version),
            Op::Set { path, data, version } => self.set(path, data, *version),
            Op::Check { path, version } => {
                at_version(self.node(path)?, *version)?;
                Ok(Ret::Done)
            }
            Op::Get { path } => {
                Ok(Ret::Data { data: self.node(path)?.data.to_string(), stat: self.stat(path)? })
            }
            Op::Exists { path } => Ok(Ret::Stat(self.stat(path)?)),
            Op::Children { path } => {
                let stat = self.stat(path)?;
                Ok(Ret::Children { names: self.children(path).map(str::to_owned).collect(), stat })
            }
            Op::Multi(ops) => self.multi(ops),
            Op::Close { session } => self.close(*session),
        }
    }

    fn create(
        &mut self,
        path: &str,
        data: &str,
        owner: Option<u64>,
        sequential: bool,
    ) -> Result<Ret, Refusal> {
        if owner.is_some_and(|session| self.closed.contains(&session)) {
            return Err(Refusal::SessionExpired);
        }
        let numbered_at_root = sequential.then_some("/");
        let Some(above) = parent(path).or(numbered_at_root) else {
            return Err(Refusal::NodeExists);
        };
        let above_it = self.node(above)?;
        let number = if sequential { format!("{:010}", above_it.created) } else { String::new() };
        let path = format!("{path}{number}");
        if self.nodes.contains_key(&*path) {
            return Err(Refusal::NodeExists);
        }
        if above_it.owner.is_some() {
            return Err(Refusal::NoChildrenForEphemerals);
        }
        let created = above_it.created.wrapping_add(1);
        self.change(above, |node| node.created = created);
        let node = Znode { data: Arc::from(data), owner, ..Znode::default() };
        Arc::make_mut(&mut self.nodes).insert(Arc::from(&*path), node);
        let stat = self.stat(&path)?;
        Ok(Ret::Created { path, stat })
    }

    fn delete(&mut self, path: &str, version: i32) -> Result<Ret, Refusal> {
        if path == "/" {
            return Err(Refusal::BadArguments);
        }
        at_version(self.node(path)?, version)?;
        if self.children(path).next().is_some() {
            return Err(Refusal::NotEmpty);
        }
        Arc::make_mut(&mut self.nodes).remove(path);
        Ok(Ret::Done)
    }

    fn set(&mut self, path: &str, data: &str, version: i32) -> Result<Ret, Refusal> {
        at_version(self.node(path)?, version)?;
        self.change(path, |node| {
            node.data = Arc::from(data);
            node.version = node.version.wrapping_add(1);
        });
        Ok(Ret::Stat(self.stat(path)?))
    }

    fn multi(&mut self, ops: &[Op]) -> Result<Ret, Refusal> {
        let mut after = self.clone();
        let each: Result<Vec<Ret>, Refusal> = ops.iter().map(|op| after.apply(op)).collect();
        let each = each?;
        *self = after;
        Ok(Ret::Multi(each))
    }

    fn close(&mut self, session: u64) -> Result<Ret, Refusal> {
        if !Arc::make_mut(&mut self.closed).insert(session) {
            return Err(Refusal::SessionExpired);
        }
        if self.nodes.values().any(|node| node.owner == Some(session)) {
            Arc::make_mut(&mut self.nodes).retain(|_, node| node.owner != Some(session));
        }
        Ok(Ret::Done)
    }

    fn node(&self, path: &str) -> Result<&Znode, Refusal> {
        self.nodes.get(path).ok_or(Refusal::NoNode)
    }

    fn change(&mut self, path: &str, change: impl FnOnce(&mut Znode)) {
        if let Some(node) = Arc::make_mut(&mut self.nodes).get_mut(path) {
            change(node);
        }
    }

    /// The names of its children.
    fn children(&self, path: &str) -> impl Iterator<Item = &str> {
        let prefix = below(path);
        let skip = prefix.len();
        let from: Arc<str> = Arc::from(&*prefix);
        let all = self.nodes.range(from..).map(|(path, _)| &**path);
        let inside = all.take_while(move |path| path.starts_with(&prefix));
        inside.map(move |path| &path[skip..]).filter(|name| !name.is_empty() && !name.contains('/'))
    }

    fn stat(&self, path: &str) -> Result<Stat, Refusal> {
        let node = self.node(path)?;
        let children = self.children(path).count();
        let n_children = i32::try_from(children).unwrap_or(i32::MAX);
        // As many creations as there were, and as many deletions as children are missing.
        let cversion = node.created.wrapping_mul(2).wrapping_sub(n_children);
        Ok(Stat {
            version: Some(node.version),
            cversion: Some(cversion),
            owner: Some(node.owner.unwrap_or(0)),
            length: Some(node.data.len()),
            children: Some(children),
        })
    }
}

fn at_version(node: &Znode, version: i32) -> Result<(), Refusal> {
    if version == ANY || version == node.version { Ok(()) } else { Err(Refusal::BadVersion) }
}
