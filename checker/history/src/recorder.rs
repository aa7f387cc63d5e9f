//! Writes a history as it happens.

use std::fs::File;
use std::io::{self, Write};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use serde::Serialize;
use serde_json::Value;

use crate::event::{Event, Hex, Kind, Phase, Process, Stat, f};

/// Appends events to one file, in one order, from any thread.
///
/// Each event is one `write(2)`: after a kill -9 of the harness, the file holds every event up to
/// that instant, and at most its last line is cut.
#[derive(Clone, Debug)]
pub struct Recorder {
    start: Instant,
    file: Arc<Mutex<Numbered>>,
}

#[derive(Debug)]
struct Numbered {
    file: File,
    next: u64,
    failed: Option<String>,
}

/// An event before the recorder gives it index and time.
#[derive(Clone, Debug)]
pub struct Draft(Event);

impl Draft {
    /// An event with process, kind and operation; the rest is empty.
    #[must_use]
    pub fn new(process: Process, kind: Kind, f: &str) -> Draft {
        Draft(Event {
            index: 0,
            time: 0,
            process,
            kind,
            f: f.to_owned(),
            key: None,
            value: Value::Null,
            error: None,
            node: None,
            session: None,
            zxid: None,
            stat: None,
        })
    }

    /// Sets the znode.
    #[must_use]
    pub fn key(mut self, key: impl Into<String>) -> Draft {
        self.0.key = Some(key.into());
        self
    }

    /// Sets argument or result.
    #[must_use]
    pub fn value(mut self, value: impl Serialize) -> Draft {
        self.0.value = serde_json::to_value(value).expect("values of events have string keys");
        self
    }

    /// Sets why it failed.
    #[must_use]
    pub fn error(mut self, error: impl Into<String>) -> Draft {
        self.0.error = Some(error.into());
        self
    }

    /// Sets the server.
    #[must_use]
    pub fn node(mut self, node: impl Into<String>) -> Draft {
        self.0.node = Some(node.into());
        self
    }

    /// Sets the session.
    #[must_use]
    pub fn session(mut self, session: u64) -> Draft {
        self.0.session = Some(Hex(session));
        self
    }

    /// Sets the reply's zxid.
    #[must_use]
    pub fn zxid(mut self, zxid: u64) -> Draft {
        self.0.zxid = Some(Hex(zxid));
        self
    }

    /// Sets the reply's Stat.
    #[must_use]
    pub fn stat(mut self, stat: Stat) -> Draft {
        self.0.stat = Some(stat);
        self
    }
}

impl Recorder {
    /// Starts a history at `path`; the clock starts now.
    ///
    /// # Errors
    /// When the file exists or cannot be made.
    pub fn create(path: &Path) -> io::Result<Recorder> {
        let file = File::options().append(true).create_new(true).open(path)?;
        let file = Arc::new(Mutex::new(Numbered { file, next: 0, failed: None }));
        Ok(Recorder { start: Instant::now(), file })
    }

    /// Nanoseconds since the run began.
    #[must_use]
    pub fn now(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }

    /// Appends an event and returns it as written. Order, index and time agree.
    ///
    /// A write error (a full disk) does not stop the clients; it is kept, and
    /// [`finish`](Recorder::finish) returns it.
    pub fn record(&self, draft: Draft) -> Event {
        let mut event = draft.0;
        let mut numbered = self.file.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        event.index = numbered.next;
        event.time = self.now();
        numbered.next += 1;
        let mut line = serde_json::to_vec(&event).expect("events have string keys");
        line.push(b'\n');
        if numbered.failed.is_none()
            && let Err(error) = numbered.file.write_all(&line)
        {
            numbered.failed = Some(format!("history: event {}: {error}", event.index));
        }
        event
    }

    /// Records that the run enters a phase.
    pub fn phase(&self, phase: Phase) {
        self.record(Draft::new(Process::run(), Kind::Info, f::PHASE).value(phase));
    }

    /// Makes the file durable.
    ///
    /// # Errors
    /// The first write that failed, or the sync's error.
    pub fn finish(&self) -> io::Result<()> {
        let numbered = self.file.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        match &numbered.failed {
            Some(error) => Err(io::Error::other(error.clone())),
            None => numbered.file.sync_all(),
        }
    }
}
