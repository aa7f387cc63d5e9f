//! What a watch reports.

use serde::{Deserialize, Serialize};

use crate::jute::{Error, Problem, Reader, Writer};

/// Values of [`WatcherEvent::state`]; a server sends only this one.
pub mod state {
    /// The session is connected.
    pub const SYNC_CONNECTED: i32 = 3;
}

/// What happened to a watched znode.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[repr(i32)]
pub enum EventType {
    /// Nothing: the state of the session changed.
    None = -1,
    /// It was created.
    NodeCreated = 1,
    /// It was deleted.
    NodeDeleted = 2,
    /// Its data was set.
    NodeDataChanged = 3,
    /// A child was created or deleted.
    NodeChildrenChanged = 4,
}

impl EventType {
    /// The number on the wire.
    #[must_use]
    pub fn code(self) -> i32 {
        self as i32
    }

    /// The event that a number stands for, if any.
    #[must_use]
    pub fn from_i32(code: i32) -> Option<EventType> {
        match code {
            -1 => Some(EventType::None),
            1 => Some(EventType::NodeCreated),
            2 => Some(EventType::NodeDeleted),
            3 => Some(EventType::NodeDataChanged),
            4 => Some(EventType::NodeChildrenChanged),
            _ => None,
        }
    }
}

/// How a persistent watch is set (`AddWatchMode`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AddWatchMode {
    /// The znode's data and children.
    Persistent,
    /// The znode and all below it, but no changes of children.
    PersistentRecursive,
}

impl AddWatchMode {
    /// The mode that a number stands for, if any.
    #[must_use]
    pub fn from_i32(code: i32) -> Option<AddWatchMode> {
        match code {
            0 => Some(AddWatchMode::Persistent),
            1 => Some(AddWatchMode::PersistentRecursive),
            _ => None,
        }
    }
}

/// Which watches of a connection are meant (`Watcher.WatcherType`, as of 3.9).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum WatcherType {
    /// One-shot watches of children.
    Children,
    /// One-shot watches of data or existence.
    Data,
    /// Every kind.
    Any,
    /// Persistent watches.
    Persistent,
    /// Persistent recursive watches.
    PersistentRecursive,
}

impl WatcherType {
    /// The type that a number stands for, if any.
    #[must_use]
    pub fn from_i32(code: i32) -> Option<WatcherType> {
        match code {
            1 => Some(WatcherType::Children),
            2 => Some(WatcherType::Data),
            3 => Some(WatcherType::Any),
            4 => Some(WatcherType::Persistent),
            5 => Some(WatcherType::PersistentRecursive),
            _ => None,
        }
    }
}

/// The body of a notification.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WatcherEvent {
    /// What happened.
    pub event_type: EventType,
    /// The state of the session: one of [`state`]'s.
    pub state: i32,
    /// To which znode.
    pub path: String,
}

impl WatcherEvent {
    /// An event as a server sends it.
    #[must_use]
    pub fn new(event_type: EventType, path: impl Into<String>) -> WatcherEvent {
        WatcherEvent { event_type, state: state::SYNC_CONNECTED, path: path.into() }
    }

    pub(crate) fn read(reader: &mut Reader<'_>, offset: usize) -> Result<WatcherEvent, Error> {
        let code = reader.int("type")?;
        let unknown = Error { field: "type", offset, problem: Problem::Unknown(code) };
        Ok(WatcherEvent {
            event_type: EventType::from_i32(code).ok_or(unknown)?,
            state: reader.int("state")?,
            path: reader.string("path")?,
        })
    }

    pub(crate) fn write(&self, writer: &mut Writer<'_>) {
        writer.int(self.event_type.code());
        writer.int(self.state);
        writer.string(&self.path);
    }
}
