//! For the tests of decoders: bytes that are nearly right, and how much memory it takes to read
//! them. No decoders: each package tests its own.

mod counting;
mod damage;

use std::panic::{AssertUnwindSafe, catch_unwind};

use proptest::test_runner::{Config, TestCaseError, TestRunner};

pub use counting::{Counting, peak};
pub use damage::damaged;

/// Cases of one decoder, unless `PROPTEST_CASES` says how many.
const CASES: u32 = 3000;
/// What is damaged and decoded.
#[derive(Debug)]
pub struct Target<'a> {
    /// For messages.
    pub name: &'a str,
    /// Valid inputs: the more kinds, the more is found.
    pub samples: Vec<Vec<u8>>,
    /// Bytes of memory that each byte of input may take at once.
    pub bytes_per_byte: usize,
    /// Bytes that may be taken besides, however short the input.
    pub floor: usize,
}

impl Target<'_> {
    /// Decodes every sample, and then thousands of damaged ones and random bytes.
    ///
    /// # Panics
    /// With the smallest input found that makes `decode` panic or take too much memory; or when
    /// nothing counts memory, because [`Counting`] is not the program's allocator.
    pub fn survives(&self, decode: impl Fn(&[u8])) {
        assert!(peak(|| drop(vec![1u8; 9999])) >= 9999, "the allocator does not count");
        for sample in &self.samples {
            self.check(sample, &decode).unwrap_or_else(|why| panic!("a valid input: {why}"));
        }
        let usual = Config { failure_persistence: None, ..Config::default() };
        let config = match std::env::var_os("PROPTEST_CASES") {
            Some(_) => usual,
            None => Config { cases: CASES, ..usual },
        };
        let mut runner = TestRunner::new(config);
        let found = runner.run(&damaged(&self.samples), |bytes| {
            self.check(&bytes, &decode).map_err(TestCaseError::fail)
        });
        found.unwrap_or_else(|why| panic!("{}: {why}", self.name));
    }

    fn check(&self, bytes: &[u8], decode: &impl Fn(&[u8])) -> Result<(), String> {
        let mut outcome = Ok(());
        let peak = peak(|| outcome = catch_unwind(AssertUnwindSafe(|| decode(bytes))));
        let limit = self.floor + bytes.len() * self.bytes_per_byte;
        match outcome {
            Err(_) => Err(format!("{} panics", self.name)),
            Ok(()) if peak > limit => {
                Err(format!("{} takes {peak} bytes for {} of input", self.name, bytes.len()))
            }
            Ok(()) => Ok(()),
        }
    }
}
