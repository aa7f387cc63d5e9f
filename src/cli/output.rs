//! Standard output, for readers that may leave early (`zoobreak test --dry-run | head`).

use std::io::{self, ErrorKind, Write};

/// Gives `write` a buffered standard output. A reader that has gone is no error.
pub(super) fn to_stdout(write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> io::Result<()> {
    let mut out = io::BufWriter::new(io::stdout().lock());
    match write(&mut out).and_then(|()| out.flush()) {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        done => done,
    }
}
