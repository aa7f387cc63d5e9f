//! A value from bytes that come in pieces: no more of them is held than a piece, and the string or
//! list of bytes that goes over its end.

use postcard::de_flavors::Flavor;
use postcard::{Deserializer, Error};
use serde::de::DeserializeOwned;

/// Joins pieces again. `next` puts the next one in the place of the one that was read; it says no when
/// there is none.
pub(crate) struct Joiner<F> {
    next: F,
    piece: Vec<u8>,
    /// What of the piece has been read.
    at: usize,
    /// What went over the end of a piece.
    joined: Vec<u8>,
}

impl<F: FnMut(&mut Vec<u8>) -> bool> Joiner<F> {
    pub(crate) fn new(next: F) -> Joiner<F> {
        Joiner { next, piece: Vec::new(), at: 0, joined: Vec::new() }
    }

    /// The value that the bytes from here on are, and whether they end with it.
    ///
    /// # Errors
    /// When they make no sense.
    pub(crate) fn value<S: DeserializeOwned>(self) -> Result<(S, bool), Error> {
        let mut decoder = Deserializer::from_flavor(self);
        Ok((S::deserialize(&mut decoder)?, decoder.finalize()?))
    }

    /// The next so many bytes. Room is made as they arrive, so that a lying length costs little.
    pub(crate) fn bytes(&mut self, n: usize) -> Result<&[u8], Error> {
        let start = self.at;
        if n <= self.piece.len() - start {
            self.at += n;
            return Ok(&self.piece[start..self.at]);
        }
        self.joined.clear();
        while self.joined.len() < n {
            self.refill()?;
            let bytes = &self.piece[self.at..];
            let bytes = &bytes[..bytes.len().min(n - self.joined.len())];
            self.joined.extend_from_slice(bytes);
            self.at += bytes.len();
        }
        Ok(&self.joined)
    }

    /// Goes to the next piece, if this one is read.
    fn refill(&mut self) -> Result<(), Error> {
        while self.at == self.piece.len() {
            self.at = 0;
            if !(self.next)(&mut self.piece) {
                self.piece.clear();
                return Err(Error::DeserializeUnexpectedEnd);
            }
        }
        Ok(())
    }
}

impl<'de, F: FnMut(&mut Vec<u8>) -> bool + 'de> Flavor<'de> for Joiner<F> {
    /// Was that all?
    type Remainder = bool;
    type Source = ();

    fn pop(&mut self) -> Result<u8, Error> {
        self.refill()?;
        self.at += 1;
        Ok(self.piece[self.at - 1])
    }

    /// Pieces go: what is kept must own its bytes.
    fn try_take_n(&mut self, _: usize) -> Result<&'de [u8], Error> {
        Err(Error::WontImplement)
    }

    fn try_take_n_temp<'a>(&'a mut self, n: usize) -> Result<&'a [u8], Error>
    where
        'de: 'a,
    {
        self.bytes(n)
    }

    fn finalize(mut self) -> Result<bool, Error> {
        Ok(self.refill().is_err())
    }
}
