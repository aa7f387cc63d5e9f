//! The script's terms for what each server calls differently: the root, zxids, times, sessions.

use wire::{Data, Identity, OpResult, Request, Response, Stat};

use crate::play::What;

const ROOT: &str = "/r";
/// Clocks of a machine may differ by so much in what they round away.
const SLACK_MS: i64 = 2;

/// What the server's terms mean in one play.
///
/// Zxids count from 1, the creation of `/r`; what was before it is -2. Times are 1 if they are
/// those of the step whose transaction they belong to, 2 if not, 3 if that was before the script.
/// Sessions count from 1, as they were opened. Znodes have no order among their siblings.
///
/// Members are `{1}`, `{2}` and so on, in requests and in `/zookeeper/config`.
pub(crate) struct Names {
    root: String,
    /// `server.N=…`
    members: Vec<String>,
    first_zxid: i64,
    sessions: Vec<i64>,
    /// Of the steps up to now, in order.
    pub(crate) windows: Vec<Window>,
}

/// When a step happened.
pub(crate) struct Window {
    /// The last transaction at its end.
    pub(crate) upto: i64,
    pub(crate) before_ms: i64,
    pub(crate) after_ms: i64,
}

impl Names {
    pub(crate) fn new(root: &str, first_zxid: i64, members: &[String]) -> Names {
        let (root, members) = (root.to_owned(), members.to_vec());
        Names { root, members, first_zxid, sessions: Vec::new(), windows: Vec::new() }
    }

    /// Takes note of a session.
    pub(crate) fn session(&mut self, id: i64) {
        if !self.sessions.contains(&id) {
            self.sessions.push(id);
        }
    }

    /// The server's path for one of the script's.
    pub(crate) fn real_path(&self, path: &str) -> String {
        exchanged(path, ROOT, &self.root)
    }

    /// The request to send for one of the script's.
    pub(crate) fn real(&self, request: &Request) -> Request {
        let mut real = request.clone();
        each_path(&mut real, &|path| *path = self.real_path(path));
        if let Request::SetWatches { relative_zxid, .. }
        | Request::SetWatches2 { relative_zxid, .. } = &mut real
        {
            *relative_zxid += self.first_zxid;
        }
        if let Request::Reconfig { joining, new_members, .. } = &mut real {
            let texts = [joining].into_iter().chain(new_members);
            texts.for_each(|text| *text = self.real_members(text));
        }
        real
    }

    /// What was said, in the script's terms.
    pub(crate) fn of(&self, what: What) -> What {
        match what {
            What::Reply { xid, zxid, err, body } => What::Reply {
                xid,
                zxid: self.zxid(zxid),
                err,
                body: body.map(|body| self.body(body)),
            },
            What::Event { zxid, event, state, path } => {
                What::Event { zxid: self.zxid(zxid), event, state, path: self.path(&path) }
            }
            other => other,
        }
    }

    fn body(&self, mut body: Response) -> Response {
        match &mut body {
            Response::Create { path } | Response::Sync { path } => *path = self.path(path),
            Response::Create2 { path, stat } => {
                *path = self.path(path);
                *stat = self.stat(stat);
            }
            Response::GetData { data, stat } => {
                *stat = self.stat(stat);
                self.config(data, stat);
            }
            Response::Exists { stat }
            | Response::SetData { stat }
            | Response::GetAcl { stat, .. }
            | Response::SetAcl { stat } => *stat = self.stat(stat),
            Response::GetChildren { children } => self.children(children),
            Response::GetChildren2 { children, stat } => {
                self.children(children);
                *stat = self.stat(stat);
            }
            Response::GetEphemerals { paths } => {
                paths.iter_mut().for_each(|path| *path = self.path(path));
                paths.sort();
            }
            Response::Multi { results } => results.iter_mut().for_each(|one| self.result(one)),
            Response::WhoAmI { identities } => identities.sort_by(Identity::cmp),
            Response::AddWatch { .. } | Response::GetAllChildrenNumber { .. } => {}
        }
        body
    }

    fn result(&self, result: &mut OpResult) {
        match result {
            OpResult::Create { path } => *path = self.path(path),
            OpResult::Create2 { path, stat } => {
                *path = self.path(path);
                *stat = self.stat(stat);
            }
            OpResult::SetData { stat } => *stat = self.stat(stat),
            OpResult::GetData { data, stat } => {
                *stat = self.stat(stat);
                self.config(data, stat);
            }
            OpResult::GetChildren { children } => self.children(children),
            OpResult::Delete | OpResult::Check | OpResult::Error { .. } => {}
        }
    }

    fn stat(&self, stat: &Stat) -> Stat {
        Stat {
            czxid: self.zxid(stat.czxid),
            mzxid: self.zxid(stat.mzxid),
            pzxid: self.zxid(stat.pzxid),
            ctime: self.time(stat.ctime, stat.czxid),
            mtime: self.time(stat.mtime, stat.mzxid),
            ephemeral_owner: self.owner(stat.ephemeral_owner),
            ..*stat
        }
    }

    fn real_members(&self, text: &str) -> String {
        let named = (1..).zip(&self.members);
        named.fold(text.to_owned(), |text, (n, line)| text.replace(&format!("{{{n}}}"), line))
    }

    /// The members and the version in what `/zookeeper/config` says. Its length is that of the
    /// addresses.
    fn config(&self, data: &mut Data, stat: &mut Stat) {
        let text = data.as_deref().and_then(|bytes| std::str::from_utf8(bytes).ok());
        let Some((members, version)) = text.and_then(|text| text.rsplit_once("\nversion=")) else {
            return;
        };
        let Ok(version) = i64::from_str_radix(version, 16) else { return };
        let named = (1..).zip(&self.members);
        let members = named
            .fold(members.to_owned(), |text, (n, line)| text.replace(line, &format!("{{{n}}}")));
        *data = Some(format!("{members}\nversion={}", self.zxid(version)).into_bytes().into());
        stat.data_length = -1;
    }

    fn zxid(&self, zxid: i64) -> i64 {
        match zxid {
            0 | -1 => zxid,
            known if known >= self.first_zxid => known - self.first_zxid + 1,
            _ => -2,
        }
    }

    fn time(&self, time: i64, zxid: i64) -> i64 {
        if time == 0 {
            return 0;
        }
        if zxid < self.first_zxid {
            return 3;
        }
        let Some(step) = self.windows.iter().find(|window| window.upto >= zxid) else { return 2 };
        let step = step.before_ms - SLACK_MS..=step.after_ms + SLACK_MS;
        if step.contains(&time) { 1 } else { 2 }
    }

    fn owner(&self, owner: i64) -> i64 {
        match self.sessions.iter().position(|id| *id == owner) {
            Some(idx) => idx as i64 + 1,
            None if owner == 0 => 0,
            None => -1,
        }
    }

    fn path(&self, path: &str) -> String {
        exchanged(path, &self.root, ROOT)
    }

    fn children(&self, children: &mut [String]) {
        for name in children.iter_mut().filter(|name| **name == self.root[1..]) {
            *name = ROOT[1..].to_owned();
        }
        children.sort();
    }
}

/// The path with another beginning, if it has this one.
fn exchanged(path: &str, from: &str, to: &str) -> String {
    match path.strip_prefix(from) {
        Some(rest) if rest.is_empty() || rest.starts_with('/') => format!("{to}{rest}"),
        _ => path.to_owned(),
    }
}

fn each_path(request: &mut Request, change: &impl Fn(&mut String)) {
    match request {
        Request::Create { path, .. }
        | Request::Create2 { path, .. }
        | Request::CreateContainer { path, .. }
        | Request::CreateTtl { path, .. }
        | Request::Delete { path, .. }
        | Request::Exists { path, .. }
        | Request::GetData { path, .. }
        | Request::SetData { path, .. }
        | Request::GetAcl { path }
        | Request::SetAcl { path, .. }
        | Request::GetChildren { path, .. }
        | Request::GetChildren2 { path, .. }
        | Request::Sync { path }
        | Request::Check { path, .. }
        | Request::AddWatch { path, .. }
        | Request::CheckWatches { path, .. }
        | Request::RemoveWatches { path, .. }
        | Request::GetEphemerals { prefix: path }
        | Request::GetAllChildrenNumber { path } => change(path),
        Request::Multi { ops } | Request::MultiRead { ops } => {
            ops.iter_mut().for_each(|op| each_path(op, change));
        }
        Request::SetWatches { data, exist, child, .. } => {
            [data, exist, child].into_iter().flatten().for_each(change);
        }
        Request::SetWatches2 { data, exist, child, persistent, persistent_recursive, .. } => {
            let lists = [data, exist, child, persistent, persistent_recursive];
            lists.into_iter().flatten().for_each(change);
        }
        Request::Ping
        | Request::Auth { .. }
        | Request::WhoAmI
        | Request::Reconfig { .. }
        | Request::CloseSession
        | Request::Unknown { .. }
        | Request::Unreadable { .. } => {}
    }
}
