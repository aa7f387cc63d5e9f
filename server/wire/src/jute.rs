//! Jute's binary encoding: big-endian numbers, length-prefixed bytes, no tags.

use std::sync::Arc;

/// The content of a znode, or any other jute buffer. `None` is jute's null, which ZooKeeper keeps
/// distinct from an empty buffer.
pub type Data = Option<Arc<[u8]>>;

/// Why a payload is not the record it should be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field} at byte {offset}: {problem}")]
pub struct Error {
    /// The field that could not be read, by its name in `zookeeper.jute`.
    pub field: &'static str,
    /// Where the field begins, in bytes from the start of the payload (of the buffer, for a
    /// frame's length).
    pub offset: usize,
    /// What is wrong with it.
    pub problem: Problem,
}

/// What is wrong with a field.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// The payload ends before the field does.
    #[error("needs {needed} bytes, {left} are left")]
    Truncated {
        /// The bytes that the field, or the rest of it, takes at least.
        needed: usize,
        /// The bytes that the payload still has.
        left: usize,
    },
    /// A length below -1, or a null where the record allows none.
    #[error("length {0} is not allowed")]
    Length(i32),
    /// A frame above the limit.
    #[error("length {len} is above the limit of {limit} bytes (jute.maxbuffer)")]
    TooLong {
        /// The length that the frame claims.
        len: usize,
        /// The limit it was held against.
        limit: usize,
    },
    /// A string that is not UTF-8.
    #[error("not UTF-8")]
    NotUtf8,
    /// A number that stands for nothing.
    #[error("unknown value {0}")]
    Unknown(i32),
    /// Bytes behind the end of the record.
    #[error("{0} bytes too many")]
    Trailing(usize),
}

/// Reads one payload, field by field. No length is believed before the bytes behind it are seen,
/// so that memory use is bounded by the payload.
#[derive(Clone, Debug)]
pub struct Reader<'a> {
    payload: &'a [u8],
    offset: usize,
}

impl<'a> Reader<'a> {
    /// Starts at the first byte of `payload`.
    #[must_use]
    pub fn new(payload: &'a [u8]) -> Reader<'a> {
        Reader { payload, offset: 0 }
    }

    /// A 4-byte integer.
    pub fn int(&mut self, field: &'static str) -> Result<i32, Error> {
        self.array(field).map(i32::from_be_bytes)
    }

    /// An 8-byte integer.
    pub fn long(&mut self, field: &'static str) -> Result<i64, Error> {
        self.array(field).map(i64::from_be_bytes)
    }

    /// One byte; like Java, anything but 0 is true.
    pub fn boolean(&mut self, field: &'static str) -> Result<bool, Error> {
        self.array(field).map(|[byte]: [u8; 1]| byte != 0)
    }

    /// A length and that many bytes; -1 is null.
    pub fn buffer(&mut self, field: &'static str) -> Result<Option<&'a [u8]>, Error> {
        let start = self.offset;
        match self.int(field)? {
            -1 => Ok(None),
            len => {
                let len = usize::try_from(len).map_err(|_| Error {
                    field,
                    offset: start,
                    problem: Problem::Length(len),
                })?;
                self.take(field, len).map(Some)
            }
        }
    }

    /// A buffer, copied.
    pub fn data(&mut self, field: &'static str) -> Result<Data, Error> {
        Ok(self.buffer(field)?.map(Arc::from))
    }

    /// A UTF-8 string. Null is refused.
    pub fn string<S: From<&'a str>>(&mut self, field: &'static str) -> Result<S, Error> {
        let offset = self.offset;
        let fail = |problem| Error { field, offset, problem };
        let bytes = self.buffer(field)?.ok_or_else(|| fail(Problem::Length(-1)))?;
        let text = std::str::from_utf8(bytes).map_err(|_| fail(Problem::NotUtf8))?;
        Ok(text.into())
    }

    /// The same, where null is allowed: it is read as empty. Some clients (kazoo) send it for
    /// an empty string.
    pub fn string_or_null<S: From<&'a str>>(&mut self, field: &'static str) -> Result<S, Error> {
        Ok(self.optional_string(field)?.unwrap_or_else(|| "".into()))
    }

    /// The same, where null is not the same as empty.
    pub fn optional_string<S: From<&'a str>>(
        &mut self,
        field: &'static str,
    ) -> Result<Option<S>, Error> {
        match self.clone().int(field)? {
            -1 => self.int(field).map(|_| None),
            _ => self.string(field).map(Some),
        }
    }

    /// A count and that many items, each of at least four bytes. Null is read as empty, as
    /// ZooKeeper's server does.
    pub fn vector<T>(
        &mut self,
        field: &'static str,
        mut item: impl FnMut(&mut Self) -> Result<T, Error>,
    ) -> Result<Vec<T>, Error> {
        let count = self.count(field)?;
        let mut items = Vec::new();
        for _ in 0..count {
            items.push(item(self)?);
        }
        Ok(items)
    }

    /// Vectors of strings.
    pub fn strings(&mut self, field: &'static str) -> Result<Vec<String>, Error> {
        self.vector(field, |reader| reader.string(field))
    }

    /// Bytes read so far.
    #[must_use]
    pub fn offset(&self) -> usize {
        self.offset
    }

    /// Whether every byte has been read.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.left() == 0
    }

    /// Ends the reading of `record`: bytes that are left are an error.
    pub fn finish(&self, record: &'static str) -> Result<(), Error> {
        match self.left() {
            0 => Ok(()),
            left => {
                let problem = Problem::Trailing(left);
                Err(Error { field: record, offset: self.offset, problem })
            }
        }
    }

    fn left(&self) -> usize {
        self.payload.len() - self.offset
    }

    fn count(&mut self, field: &'static str) -> Result<usize, Error> {
        const ITEM_BYTES_MIN: usize = 4;
        let offset = self.offset;
        let fail = |problem| Error { field, offset, problem };
        let count = match self.int(field)? {
            -1 => 0,
            count => usize::try_from(count).map_err(|_| fail(Problem::Length(count)))?,
        };
        let needed = count.saturating_mul(ITEM_BYTES_MIN);
        if needed > self.left() {
            return Err(fail(Problem::Truncated { needed, left: self.left() }));
        }
        Ok(count)
    }

    fn take(&mut self, field: &'static str, len: usize) -> Result<&'a [u8], Error> {
        let left = self.left();
        if len > left {
            let problem = Problem::Truncated { needed: len, left };
            return Err(Error { field, offset: self.offset, problem });
        }
        let bytes = &self.payload[self.offset..self.offset + len];
        self.offset += len;
        Ok(bytes)
    }

    fn array<const N: usize>(&mut self, field: &'static str) -> Result<[u8; N], Error> {
        let bytes = self.take(field, N)?;
        Ok(bytes.try_into().expect("take returns as many bytes as asked"))
    }
}

/// Appends fields to a buffer. Lengths are 32-bit: a caller never hands over 2 GiB.
#[derive(Debug)]
pub struct Writer<'a> {
    out: &'a mut Vec<u8>,
}

impl<'a> Writer<'a> {
    /// Appends to `out`.
    pub fn new(out: &'a mut Vec<u8>) -> Writer<'a> {
        Writer { out }
    }

    /// A 4-byte integer.
    pub fn int(&mut self, value: i32) {
        self.out.extend_from_slice(&value.to_be_bytes());
    }

    /// An 8-byte integer.
    pub fn long(&mut self, value: i64) {
        self.out.extend_from_slice(&value.to_be_bytes());
    }

    /// One byte, 0 or 1.
    pub fn boolean(&mut self, value: bool) {
        self.out.push(u8::from(value));
    }

    /// A length and the bytes; `None` is null.
    pub fn buffer(&mut self, bytes: Option<&[u8]>) {
        match bytes {
            None => self.int(-1),
            Some(bytes) => {
                self.len(bytes.len());
                self.out.extend_from_slice(bytes);
            }
        }
    }

    /// A string.
    pub fn string(&mut self, text: &str) {
        self.buffer(Some(text.as_bytes()));
    }

    /// A count and the items, written by `item`.
    pub fn vector<T>(&mut self, items: &[T], mut item: impl FnMut(&mut Self, &T)) {
        self.len(items.len());
        for each in items {
            item(self, each);
        }
    }

    /// A vector of strings.
    pub fn strings(&mut self, texts: &[String]) {
        self.vector(texts, |writer, text| writer.string(text));
    }

    fn len(&mut self, len: usize) {
        self.int(i32::try_from(len).expect("fields are far below 2 GiB"));
    }
}
