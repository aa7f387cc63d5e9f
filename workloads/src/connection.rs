//! A TCP connection that carries frames.

use std::io;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use wire::frame;

/// Frames in, frames out. Every method may be cancelled at any await and called again: what was
/// received or not yet sent stays in the buffers.
#[derive(Debug)]
pub(crate) struct Connection {
    stream: TcpStream,
    inbox: Vec<u8>,
    outbox: Vec<u8>,
}

impl Connection {
    pub(crate) fn new(stream: TcpStream) -> Connection {
        Connection { stream, inbox: Vec::new(), outbox: Vec::new() }
    }

    /// The socket; what was received and not taken is lost.
    pub(crate) fn into_stream(self) -> TcpStream {
        self.stream
    }

    /// Queues what `encode` appends.
    pub(crate) fn queue(&mut self, encode: impl FnOnce(&mut Vec<u8>)) {
        encode(&mut self.outbox);
    }

    /// Bytes queued and not yet handed to the kernel.
    pub(crate) fn unsent(&self) -> usize {
        self.outbox.len()
    }

    /// Hands the queue to the kernel.
    pub(crate) async fn flush(&mut self) -> io::Result<()> {
        while !self.outbox.is_empty() {
            let n = self.stream.write(&self.outbox).await?;
            if n == 0 {
                return Err(io::ErrorKind::WriteZero.into());
            }
            self.outbox.drain(..n);
        }
        Ok(())
    }

    /// Waits for the next frame and returns its payload.
    pub(crate) async fn receive(&mut self) -> io::Result<Vec<u8>> {
        loop {
            if let Some(payload) = self.take_frame()? {
                return Ok(payload);
            }
            if self.stream.read_buf(&mut self.inbox).await? == 0 {
                return Err(io::Error::new(
                    io::ErrorKind::UnexpectedEof,
                    "the server closed the connection",
                ));
            }
        }
    }

    fn take_frame(&mut self) -> io::Result<Option<Vec<u8>>> {
        let found = frame::next(&self.inbox, frame::MAX_LEN_DEFAULT).map_err(io::Error::other)?;
        Ok(found.map(|range| {
            let payload = self.inbox[range.clone()].to_vec();
            self.inbox.drain(..range.end);
            payload
        }))
    }
}
