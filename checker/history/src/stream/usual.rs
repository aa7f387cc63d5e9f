//! Lines of JSON as nearly all are: flat, of known fields, without escapes, spaces only between
//! tokens. Four times as fast as serde, which is asked about every other line, and for every error.

use super::step::{Argument, Batch, Refusal, Step, Verb};
use crate::event::Kind;

/// How deep a value may nest that is skipped.
const DEPTH_MAX: u32 = 16;

/// The event on the line that begins at byte `from`, if it is a usual one of a client; and where the next
/// line begins.
pub(super) fn event(text: &[u8], from: usize, line: u64) -> Option<(Step, usize)> {
    let mut cursor = Cursor { text, at: from };
    let mut fields = Fields::default();
    cursor.object(|cursor, name| fields.take(cursor, name))?;
    let next = cursor.end()?;
    let step = Step {
        line,
        process: Some(fields.process?),
        kind: fields.kind?,
        verb: fields.verb?,
        value: fields.value,
        refusal: fields.refusal,
        version: fields.version,
        index: fields.index,
        time: fields.time,
        own: fields.own,
        key: fields.key,
    };
    Some((step, next))
}

#[derive(Default)]
struct Fields {
    /// Bits of the fields that were there: none comes twice.
    seen: u16,
    process: Option<u64>,
    kind: Option<Kind>,
    verb: Option<Verb>,
    value: Argument,
    refusal: Refusal,
    version: Option<i32>,
    index: Option<i64>,
    time: Option<i64>,
    own: bool,
    key: Option<(u32, u32)>,
}

impl Fields {
    fn take(&mut self, cursor: &mut Cursor<'_>, name: u64) -> Option<()> {
        match name {
            name::INDEX => {
                self.once(0)?;
                self.index = Some(cursor.integer()?);
            }
            name::TIME => {
                self.once(1)?;
                self.time = Some(cursor.integer()?);
            }
            name::PROCESS => {
                self.once(2)?;
                self.process = Some(u64::try_from(cursor.integer()?).ok()?);
            }
            name::TYPE => {
                self.once(3)?;
                self.kind = Some(kind(cursor.short()?)?);
            }
            name::F => {
                self.once(4)?;
                self.verb = Some(verb(cursor.short()?));
            }
            name::KEY => {
                self.once(5)?;
                self.key = cursor.key()?;
            }
            name::VALUE => {
                self.once(6)?;
                self.value = cursor.argument()?;
            }
            name::ERROR => {
                self.once(7)?;
                self.refusal = Refusal::named(cursor.string()?);
            }
            name::SESSION => self.once(8).and_then(|()| self.mark(cursor))?,
            name::ZXID => self.once(9).and_then(|()| self.mark(cursor))?,
            name::STAT => {
                self.once(10)?;
                self.own = true;
                self.version = cursor.version()?;
            }
            name::NODE => {
                self.once(11)?;
                cursor.string()?;
            }
            _ => cursor.skip(0)?,
        }
        Some(())
    }

    fn once(&mut self, field: u16) -> Option<()> {
        let bit = 1 << field;
        let new = self.seen & bit == 0;
        self.seen |= bit;
        new.then_some(())
    }

    fn mark(&mut self, cursor: &mut Cursor<'_>) -> Option<()> {
        self.own = true;
        cursor.string().map(drop)
    }
}

fn kind(name: u64) -> Option<Kind> {
    match name {
        name::INVOKE => Some(Kind::Invoke),
        name::OK => Some(Kind::Ok),
        name::FAIL => Some(Kind::Fail),
        name::INFO => Some(Kind::Info),
        _ => None,
    }
}

fn verb(name: u64) -> Verb {
    match name {
        name::READ => Verb::Read,
        name::WRITE => Verb::Write,
        name::CAS => Verb::Cas,
        _ => Verb::Other,
    }
}

/// Names of fewer than eight bytes as numbers, which are compared at once.
mod name {
    pub(super) const INDEX: u64 = number(b"index");
    pub(super) const TIME: u64 = number(b"time");
    pub(super) const PROCESS: u64 = number(b"process");
    pub(super) const TYPE: u64 = number(b"type");
    pub(super) const F: u64 = number(b"f");
    pub(super) const KEY: u64 = number(b"key");
    pub(super) const VALUE: u64 = number(b"value");
    pub(super) const ERROR: u64 = number(b"error");
    pub(super) const SESSION: u64 = number(b"session");
    pub(super) const ZXID: u64 = number(b"zxid");
    pub(super) const STAT: u64 = number(b"stat");
    pub(super) const NODE: u64 = number(b"node");
    pub(super) const VERSION: u64 = number(b"version");
    pub(super) const INVOKE: u64 = number(b"invoke");
    pub(super) const OK: u64 = number(b"ok");
    pub(super) const FAIL: u64 = number(b"fail");
    pub(super) const INFO: u64 = number(b"info");
    pub(super) const READ: u64 = number(b"read");
    pub(super) const WRITE: u64 = number(b"write");
    pub(super) const CAS: u64 = number(b"cas");

    const fn number(name: &[u8]) -> u64 {
        assert!(name.len() < 8, "too long for a number");
        let (mut number, mut at) = (0, 0);
        while at < name.len() {
            number |= (name[at] as u64) << (8 * at);
            at += 1;
        }
        number
    }
}

/// Where the first byte from `at` on is that is not plain: a control, a quote, a backslash, or no ASCII.
/// Eight are looked at at once.
fn plain(text: &[u8], mut at: usize) -> usize {
    while let Some(word) = text.get(at..at + 8) {
        let odd = odd(u64::from_le_bytes(word.try_into().expect("eight bytes")));
        if odd != 0 {
            return at + odd.trailing_zeros() as usize / 8;
        }
        at += 8;
    }
    let is_odd = |byte: &u8| odd(u64::from_le_bytes([*byte; 8])) != 0;
    text[at..].iter().position(is_odd).map_or(text.len(), |length| at + length)
}

/// The high bit of the first byte that is not plain, and perhaps of some after it (Warren, "Hacker's
/// Delight", 6-1).
fn odd(word: u64) -> u64 {
    const EACH: u64 = u64::from_le_bytes([1; 8]);
    let below = |word: u64, least: u64| word.wrapping_sub(EACH * least) & !word;
    let is = |byte: u8| below(word ^ (EACH * u64::from(byte)), 1);
    (word | below(word, 0x20) | is(b'"') | is(b'\\')) & (EACH << 7)
}

struct Cursor<'a> {
    text: &'a [u8],
    at: usize,
}

impl<'a> Cursor<'a> {
    /// The next byte that is no space.
    fn peek(&mut self) -> Option<u8> {
        loop {
            match *self.text.get(self.at)? {
                b' ' | b'\t' | b'\r' => self.at += 1,
                byte => return Some(byte),
            }
        }
    }

    fn eat(&mut self, wanted: u8) -> Option<()> {
        (self.peek()? == wanted).then(|| self.at += 1)
    }

    /// Where the line after this one begins, if this one ends here.
    fn end(&mut self) -> Option<usize> {
        match self.peek() {
            None => Some(self.at),
            Some(b'\n') => Some(self.at + 1),
            Some(_) => None,
        }
    }

    fn object(&mut self, mut field: impl FnMut(&mut Cursor<'a>, u64) -> Option<()>) -> Option<()> {
        self.eat(b'{')?;
        loop {
            let name = self.short()?;
            self.eat(b':')?;
            field(self, name)?;
            match self.peek()? {
                b',' => self.at += 1,
                b'}' => break,
                _ => return None,
            }
        }
        self.at += 1;
        Some(())
    }

    /// A string of plain ASCII.
    fn string(&mut self) -> Option<&'a [u8]> {
        self.eat(b'"')?;
        let from = self.at;
        self.at = plain(self.text, from);
        let text = &self.text[from..self.at];
        (*self.text.get(self.at)? == b'"').then(|| self.at += 1)?;
        Some(text)
    }

    /// A string of plain ASCII as a number, as in [`name`]; 0 if it is as long as that or longer.
    fn short(&mut self) -> Option<u64> {
        self.eat(b'"')?;
        let word = self.text.get(self.at..self.at + 8)?;
        let word = u64::from_le_bytes(word.try_into().expect("eight bytes"));
        let length = odd(word).trailing_zeros() / 8;
        if length == 8 {
            self.at -= 1;
            return self.string().map(|_| 0);
        }
        self.at += length as usize;
        (self.text[self.at] == b'"').then(|| self.at += 1)?;
        Some(word & !(u64::MAX << (8 * length)))
    }

    /// A whole number of at most 18 digits.
    fn integer(&mut self) -> Option<i64> {
        let negative = self.peek()? == b'-';
        self.at += usize::from(negative);
        let from = self.at;
        let mut number = 0i64;
        while let Some(digit @ b'0'..=b'9') = self.text.get(self.at) {
            number = number.wrapping_mul(10).wrapping_add(i64::from(digit - b'0'));
            self.at += 1;
        }
        let digits = self.at - from;
        let plain = (1..=18).contains(&digits) && (digits == 1 || self.text[from] != b'0');
        let whole = !matches!(self.text.get(self.at), Some(b'.' | b'e' | b'E'));
        (plain && whole && !(negative && number == 0)).then_some(if negative {
            -number
        } else {
            number
        })
    }

    fn word(&mut self, word: &[u8]) -> Option<()> {
        self.peek()?;
        let there = self.text[self.at..].starts_with(word);
        there.then(|| self.at += word.len())
    }

    /// Where a key is: a string with its quotes, or a number.
    fn key(&mut self) -> Option<Option<(u32, u32)>> {
        let first = self.peek()?;
        let from = self.at;
        match first {
            b'n' => return self.word(b"null").map(|()| None),
            b'"' => self.string().map(drop)?,
            _ => self.integer().map(drop)?,
        }
        Some(Some(Batch::span(from..self.at)?))
    }

    fn argument(&mut self) -> Option<Argument> {
        let first = self.peek()?;
        let from = self.at;
        let simple = match first {
            b'n' => self.word(b"null").map(|()| Argument::Nil),
            b'-' | b'0'..=b'9' => self.integer().map(Argument::Int),
            b'[' => self.pair(),
            _ => None,
        };
        simple.or_else(|| {
            self.at = from;
            self.skip(0).map(|()| Argument::Other)
        })
    }

    fn pair(&mut self) -> Option<Argument> {
        self.eat(b'[')?;
        let first = self.integer()?;
        self.eat(b',')?;
        let second = self.integer()?;
        self.eat(b']')?;
        Some(Argument::Pair(first, second))
    }

    /// The version in a Stat.
    fn version(&mut self) -> Option<Option<i32>> {
        let mut version = None;
        self.object(|cursor, name| match name {
            name::VERSION => {
                version = Some(i32::try_from(cursor.integer()?).ok()?);
                Some(())
            }
            _ => cursor.string().map(drop),
        })?;
        Some(version)
    }

    /// Any value without escapes.
    fn skip(&mut self, depth: u32) -> Option<()> {
        match self.peek()? {
            _ if depth > DEPTH_MAX => None,
            b'"' => self.string().map(drop),
            b'{' => self.object(|cursor, _| cursor.skip(depth + 1)),
            b'[' => self.list(depth),
            b'n' => self.word(b"null"),
            b't' => self.word(b"true"),
            b'f' => self.word(b"false"),
            _ => self.integer().map(drop),
        }
    }

    fn list(&mut self, depth: u32) -> Option<()> {
        self.eat(b'[')?;
        loop {
            self.skip(depth + 1)?;
            match self.peek()? {
                b',' => self.at += 1,
                b']' => break,
                _ => return None,
            }
        }
        self.at += 1;
        Some(())
    }
}
