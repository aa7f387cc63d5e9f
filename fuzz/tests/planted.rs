//! Planted defects: what a decoder does wrong is found, in the usual number of cases.

use fuzz::{Counting, Target};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// A count, and that many names behind their lengths.
fn encode(names: &[&str]) -> Vec<u8> {
    let mut bytes = (names.len() as u32).to_be_bytes().to_vec();
    for name in names {
        bytes.extend((name.len() as u32).to_be_bytes());
        bytes.extend(name.as_bytes());
    }
    bytes
}

fn word(bytes: &[u8], at: usize) -> Option<usize> {
    let word = bytes.get(at..at.checked_add(4)?)?;
    Some(u32::from_be_bytes(word.try_into().ok()?) as usize)
}

/// Correct unless `defect` is one of the three.
fn decode(bytes: &[u8], defect: &str) -> Option<Vec<String>> {
    let count = word(bytes, 0)?;
    let mut names = Vec::new();
    if defect == "believes the count" && count < 1 << 30 {
        names.reserve_exact(count);
    }
    let mut at = 4;
    for _ in 0..count {
        let len = word(bytes, at)?;
        let name = match defect {
            "believes the length" => &bytes[at + 4..at + 4 + len],
            _ => bytes.get(at + 4..at.checked_add(4)?.checked_add(len)?)?,
        };
        names.push(match defect {
            "believes in UTF-8" => std::str::from_utf8(name).expect("text").to_owned(),
            _ => std::str::from_utf8(name).ok()?.to_owned(),
        });
        at += 4 + len;
    }
    Some(names)
}

fn target() -> Target<'static> {
    let samples = vec![encode(&[]), encode(&["a"]), encode(&["alpha", "beta", "", "gamma"])];
    Target { name: "names", samples, bytes_per_byte: 64, floor: 16 << 10 }
}

#[test]
fn a_careful_decoder_survives() {
    target().survives(|bytes| drop(decode(bytes, "none")));
}

#[test]
#[should_panic(expected = "names panics")]
fn a_length_that_is_believed_is_found() {
    target().survives(|bytes| drop(decode(bytes, "believes the length")));
}

#[test]
#[should_panic(expected = "names panics")]
fn text_that_is_believed_is_found() {
    target().survives(|bytes| drop(decode(bytes, "believes in UTF-8")));
}

#[test]
#[should_panic(expected = "names takes ")]
fn a_count_that_is_believed_is_found() {
    target().survives(|bytes| drop(decode(bytes, "believes the count")));
}
