//! The outermost layer of the stream: frames, and the four-letter words that share their port.

use std::ops::Range;

use crate::jute::{Error, Problem, Writer};

/// The default of `jute.maxbuffer`: the longest payload that a ZooKeeper server takes, in bytes.
pub const MAX_LEN_DEFAULT: usize = 0xf_ffff;

const LEN_BYTES: usize = 4;

/// Finds the first frame in the bytes received so far.
///
/// Returns where its payload is, or `None` if more bytes must come first. The range's end is the
/// number of bytes to drop from `buf` once the payload is used. A length that is negative or above
/// `len_max` is an error from which the stream cannot recover: close the connection.
pub fn next(buf: &[u8], len_max: usize) -> Result<Option<Range<usize>>, Error> {
    let Some(prefix) = buf.first_chunk::<LEN_BYTES>() else { return Ok(None) };
    let len = i32::from_be_bytes(*prefix);
    let len = check_len(len, len_max).map_err(|problem| Error {
        field: "frame length",
        offset: 0,
        problem,
    })?;
    let end = LEN_BYTES + len;
    Ok((buf.len() >= end).then_some(LEN_BYTES..end))
}

fn check_len(len: i32, limit: usize) -> Result<usize, Problem> {
    let len = usize::try_from(len).map_err(|_| Problem::Length(len))?;
    if len > limit { Err(Problem::TooLong { len, limit }) } else { Ok(len) }
}

/// Appends one frame to `out`: the length, and the payload that `body` writes.
pub fn write(out: &mut Vec<u8>, body: impl FnOnce(&mut Writer<'_>)) {
    let start = out.len();
    out.extend_from_slice(&[0; LEN_BYTES]);
    body(&mut Writer::new(out));
    let len = i32::try_from(out.len() - start - LEN_BYTES).expect("frames are far below 2 GiB");
    out[start..start + LEN_BYTES].copy_from_slice(&len.to_be_bytes());
}

macro_rules! four_letter_words {
    ($($(#[$doc:meta])* $name:ident = $word:literal,)*) => {
        /// The commands that an operator types on the client port ("ZooKeeper Commands" in the
        /// Administrator's Guide).
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum FourLetter {
            $($(#[$doc])* $name,)*
        }

        impl FourLetter {
            /// Every command.
            pub const ALL: &'static [FourLetter] = &[$(FourLetter::$name,)*];

            /// The word as it is typed.
            #[must_use]
            pub fn word(self) -> &'static str {
                match self {
                    $(FourLetter::$name => $word,)*
                }
            }
        }
    };
}

four_letter_words! {
    /// Configuration in use.
    Conf = "conf",
    /// Every connection with its counters.
    Cons = "cons",
    /// Reset the counters of every connection.
    Crst = "crst",
    /// Sizes of the data and log directories.
    Dirs = "dirs",
    /// Sessions and their ephemerals.
    Dump = "dump",
    /// The process's environment.
    Envi = "envi",
    /// Read the trace mask.
    Gtmk = "gtmk",
    /// Last state digests with their zxids.
    Hash = "hash",
    /// `rw` or `ro`.
    Isro = "isro",
    /// The monitoring variables, one per line.
    Mntr = "mntr",
    /// `imok`.
    Ruok = "ruok",
    /// Reset the server's counters.
    Srst = "srst",
    /// The server's state in a few lines.
    Srvr = "srvr",
    /// `srvr` and the connections.
    Stat = "stat",
    /// Set the trace mask (eight bytes follow).
    Stmk = "stmk",
    /// Watches by connection.
    Wchc = "wchc",
    /// Watches by path.
    Wchp = "wchp",
    /// Number of watches.
    Wchs = "wchs",
}

/// The command that a connection begins with, if it does not begin with a frame. No legal frame
/// is mistaken for one: as a length, every word is above 1.6 GB.
#[must_use]
pub fn four_letter_word(first: [u8; 4]) -> Option<FourLetter> {
    FourLetter::ALL.iter().copied().find(|word| word.word().as_bytes() == first)
}
