//! The kernel's requests, answered from the image; or held, delayed and refused.

use std::ffi::{OsStr, OsString};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use fuser::{
    BsdFileFlags, Errno as Answer, FileAttr, FileHandle, FileType, Filesystem, FopenFlags,
    Generation, INodeNo, LockOwner, OpenFlags, RenameFlags, ReplyAttr, ReplyCreate, ReplyData,
    ReplyDirectory, ReplyEmpty, ReplyEntry, ReplyStatfs, ReplyWrite, Request, TimeOrNow,
    WriteFlags,
};
use nix::errno::Errno;

use super::content::{Content, PAGE};
use super::image::{Body, Dir, Image, Ino, Node};
use super::state::{Late, Shared, State, answer, finish};
use crate::fault::Ailment;

/// The kernel asks again each time, for a power cut changes names, sizes and bytes behind its back.
const NEVER_REMEMBER: Duration = Duration::ZERO;
/// What `statfs` says of a disk that is not nearly full.
const PLENTY: u64 = 1 << 34;
/// What the kernel talks to.
#[derive(Debug)]
pub(super) struct Driver(pub(super) Arc<Shared>);

impl Driver {
    fn attr(&self, ino: Ino) -> Result<FileAttr, Errno> {
        Ok(attr(ino, self.0.powered()?.image.node(ino)?))
    }

    /// Answers now, or leaves the answer to the clerk.
    fn create_file(&self, dir: Ino, name: &OsStr, mode: u32, reply: ReplyCreate) {
        let mut state = match self.0.powered() {
            Ok(state) => state,
            Err(errno) => return reply.error(answer(errno)),
        };
        let create = move |state: &mut State, name: &OsStr| {
            create(state, dir, name, mode, Body::File(Content::default()))
        };
        match state.illnesses.delay(Ailment::SlowCreate) {
            Duration::ZERO => created(reply, create(&mut state, name)),
            delay => {
                let (due, name) = (Instant::now() + delay, name.to_owned());
                let answer = move |state: Option<&mut State>| {
                    let file = state.map_or(Err(Errno::EIO), |state| create(state, &name));
                    created(reply, file);
                };
                self.0.answer_later(state, Late { due, answer: Box::new(answer) });
            }
        }
    }

    fn remove(&self, dir: Ino, name: &OsStr, is_dir: bool) -> Result<(), Errno> {
        self.0.powered()?.try_io(|image| image.remove(dir, name, is_dir))
    }

    /// Answers now, or leaves the answer to the clerk.
    fn sync(&self, ino: Ino, reply: ReplyEmpty) {
        let mut state = match self.0.powered() {
            Ok(state) => state,
            Err(errno) => return finish(reply, Err(errno)),
        };
        if state.illnesses.suffers(Ailment::FsyncError) || state.illnesses.suffers(Ailment::Eio) {
            state.image.fail_sync(ino);
            return finish(reply, Err(Errno::EIO));
        }
        match state.illnesses.delay(Ailment::Slow) {
            Duration::ZERO if !state.stalled => finish(reply, state.image.sync(ino)),
            delay => {
                let due = Instant::now() + delay;
                let answer = move |state: Option<&mut State>| {
                    let synced = state.map_or(Err(Errno::EIO), |state| state.image.sync(ino));
                    finish(reply, synced);
                };
                self.0.answer_later(state, Late { due, answer: Box::new(answer) });
            }
        }
    }
}

impl Filesystem for Driver {
    fn lookup(&self, _: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEntry) {
        let found = self.0.powered().and_then(|mut state| {
            let ino = state.image.lookup(parent.0, name)?;
            Ok(attr(ino, state.image.node(ino)?))
        });
        entry(reply, found);
    }

    fn forget(&self, _: &Request, ino: INodeNo, n_lookups: u64) {
        self.0.lock().image.forget(ino.0, n_lookups);
    }

    fn getattr(&self, _: &Request, ino: INodeNo, _: Option<FileHandle>, reply: ReplyAttr) {
        match self.attr(ino.0) {
            Ok(attr) => reply.attr(&NEVER_REMEMBER, &attr),
            Err(errno) => reply.error(answer(errno)),
        }
    }

    fn setattr(
        &self,
        _: &Request,
        ino: INodeNo,
        mode: Option<u32>,
        _: Option<u32>,
        _: Option<u32>,
        size: Option<u64>,
        _: Option<TimeOrNow>,
        _: Option<TimeOrNow>,
        _: Option<SystemTime>,
        _: Option<FileHandle>,
        _: Option<SystemTime>,
        _: Option<SystemTime>,
        _: Option<SystemTime>,
        _: Option<BsdFileFlags>,
        reply: ReplyAttr,
    ) {
        let set = self.0.powered().and_then(|mut state| {
            if let Some(mode) = mode {
                state.image.node_mut(ino.0)?.mode = mode as u16 & 0o7777;
            }
            if let Some(size) = size {
                state.try_io(|image| image.set_len(ino.0, size))?;
            }
            Ok(attr(ino.0, state.image.node(ino.0)?))
        });
        match set {
            Ok(attr) => reply.attr(&NEVER_REMEMBER, &attr),
            Err(errno) => reply.error(answer(errno)),
        }
    }

    fn mkdir(&self, _: &Request, dir: INodeNo, name: &OsStr, mode: u32, _: u32, reply: ReplyEntry) {
        let made = self
            .0
            .powered()
            .and_then(|mut state| create(&mut state, dir.0, name, mode, Body::Dir(Dir::default())));
        entry(reply, made);
    }

    fn create(
        &self,
        _: &Request,
        parent: INodeNo,
        name: &OsStr,
        mode: u32,
        _: u32,
        _: i32,
        reply: ReplyCreate,
    ) {
        self.create_file(parent.0, name, mode, reply);
    }

    fn unlink(&self, _: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEmpty) {
        finish(reply, self.remove(parent.0, name, false));
    }

    fn rmdir(&self, _: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEmpty) {
        finish(reply, self.remove(parent.0, name, true));
    }

    fn rename(
        &self,
        _: &Request,
        parent: INodeNo,
        name: &OsStr,
        new_parent: INodeNo,
        new_name: &OsStr,
        flags: RenameFlags,
        reply: ReplyEmpty,
    ) {
        let replace = match flags {
            flags if flags.is_empty() => true,
            RenameFlags::RENAME_NOREPLACE => false,
            _ => return reply.error(Answer::EINVAL),
        };
        let (from, to) = ((parent.0, name), (new_parent.0, new_name));
        let renamed = self.0.powered();
        let renamed =
            renamed.and_then(|mut state| state.try_io(|image| image.rename(from, to, replace)));
        finish(reply, renamed);
    }

    fn read(
        &self,
        _: &Request,
        ino: INodeNo,
        _: FileHandle,
        offset: u64,
        size: u32,
        _: OpenFlags,
        _: Option<LockOwner>,
        reply: ReplyData,
    ) {
        let read = self.0.powered().and_then(|mut state| {
            state.try_io(|image| image.file(ino.0).map(|file| file.read(offset, size)))
        });
        match read {
            Ok(bytes) => reply.data(&bytes),
            Err(errno) => reply.error(answer(errno)),
        }
    }

    fn write(
        &self,
        _: &Request,
        ino: INodeNo,
        _: FileHandle,
        offset: u64,
        data: &[u8],
        _: WriteFlags,
        _: OpenFlags,
        _: Option<LockOwner>,
        reply: ReplyWrite,
    ) {
        let written = self.0.powered();
        let written =
            written.and_then(|mut state| state.try_io(|image| image.write(ino.0, offset, data)));
        match written {
            Ok(()) => reply.written(data.len() as u32),
            Err(errno) => reply.error(answer(errno)),
        }
    }

    fn flush(&self, _: &Request, _: INodeNo, _: FileHandle, _: LockOwner, reply: ReplyEmpty) {
        reply.ok();
    }

    fn fsync(&self, _: &Request, ino: INodeNo, _: FileHandle, _: bool, reply: ReplyEmpty) {
        self.sync(ino.0, reply);
    }

    fn fsyncdir(&self, _: &Request, ino: INodeNo, _: FileHandle, _: bool, reply: ReplyEmpty) {
        self.sync(ino.0, reply);
    }

    fn readdir(
        &self,
        _: &Request,
        ino: INodeNo,
        _: FileHandle,
        offset: u64,
        mut reply: ReplyDirectory,
    ) {
        let listed = self.0.powered().and_then(|state| list(&state.image, ino.0));
        match listed {
            Ok(entries) => {
                let rest = (1..).zip(entries).skip(offset as usize);
                for (next, (ino, kind, name)) in rest {
                    if reply.add(INodeNo(ino), next, kind, name) {
                        break;
                    }
                }
                reply.ok();
            }
            Err(errno) => reply.error(answer(errno)),
        }
    }

    fn statfs(&self, _: &Request, _: INodeNo, reply: ReplyStatfs) {
        let state = self.0.lock();
        let used = state.image.allocated() / PAGE;
        let free = state.image.room().unwrap_or(PLENTY) / PAGE;
        let (page, name_max, n_files) = (PAGE as u32, 255, 1 << 20);
        reply.statfs(used + free, free, free, n_files, n_files, page, name_max, page);
    }
}

fn create(
    state: &mut State,
    dir: Ino,
    name: &OsStr,
    mode: u32,
    body: Body,
) -> Result<FileAttr, Errno> {
    let ino = state.try_io(|image| image.create(dir, name, mode as u16, body))?;
    Ok(attr(ino, state.image.node(ino)?))
}

fn created(reply: ReplyCreate, file: Result<FileAttr, Errno>) {
    match file {
        Ok(attr) => {
            let (generation, handle, flags) = (Generation(0), FileHandle(0), FopenFlags::empty());
            reply.created(&NEVER_REMEMBER, &attr, generation, handle, flags);
        }
        Err(errno) => reply.error(answer(errno)),
    }
}

/// `.`, `..`, and what has a name.
fn list(image: &Image, ino: Ino) -> Result<Vec<(Ino, FileType, OsString)>, Errno> {
    let dots = [".", ".."].map(|name| (ino, FileType::Directory, name.into()));
    let mut entries = dots.to_vec();
    for (name, child) in &image.dir(ino)?.names {
        entries.push((*child, kind(image.node(*child)?), name.clone()));
    }
    Ok(entries)
}

fn kind(node: &Node) -> FileType {
    match node.body {
        Body::Dir(_) => FileType::Directory,
        Body::File(_) => FileType::RegularFile,
    }
}

/// Times are not kept: they are those of 1970.
fn attr(ino: Ino, node: &Node) -> FileAttr {
    let (size, allocated) = match &node.body {
        Body::Dir(_) => (0, 0),
        Body::File(content) => (content.len(), content.allocated()),
    };
    FileAttr {
        ino: INodeNo(ino),
        size,
        blocks: allocated / 512,
        atime: UNIX_EPOCH,
        mtime: UNIX_EPOCH,
        ctime: UNIX_EPOCH,
        crtime: UNIX_EPOCH,
        kind: kind(node),
        perm: node.mode,
        nlink: 1,
        uid: nix::unistd::getuid().as_raw(),
        gid: nix::unistd::getgid().as_raw(),
        rdev: 0,
        blksize: PAGE as u32,
        flags: 0,
    }
}

fn entry(reply: ReplyEntry, found: Result<FileAttr, Errno>) {
    match found {
        Ok(attr) => reply.entry(&NEVER_REMEMBER, &attr, Generation(0)),
        Err(errno) => reply.error(answer(errno)),
    }
}
