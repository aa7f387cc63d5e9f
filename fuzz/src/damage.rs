//! What crashes, lying peers and bad disks make of valid bytes.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;

/// Numbers that lengths and counts go wrong with.
const NUMBERS: [u64; 12] = [
    0,
    1,
    0x7f,
    0xff,
    0xffff,
    0x10_0000,
    0x3fff_ffff,
    0x7fff_ffff,
    0xffff_ffff,
    0x8000_0000,
    0x7fff_ffff_ffff_ffff,
    u64::MAX,
];

/// One thing that goes wrong.
#[derive(Clone, Debug)]
enum Damage {
    Cut(Index),
    FlipBit(Index, u8),
    SetByte(Index, u8),
    /// A number of 1, 2, 4 or 8 bytes, in either order.
    SetNumber(Index, usize, usize, bool),
    Insert(Index, Vec<u8>),
    Remove(Index, usize),
    Repeat(Index, usize, usize),
    /// The rest is another sample's.
    Splice(Index, Index),
}

/// Samples with up to four things wrong, and now and then bytes that were never right.
pub fn damaged(samples: &[Vec<u8>]) -> impl Strategy<Value = Vec<u8>> + use<> {
    let samples = samples.to_vec();
    let nearly = (any::<Index>(), vec(damage(), 1..5)).prop_map(move |(which, damages)| {
        let mut bytes = which.get(&samples).clone();
        damages.iter().for_each(|damage| damage.apply(&mut bytes, &samples));
        bytes
    });
    let random = vec(any::<u8>(), 0..200);
    prop_oneof![9 => nearly, 1 => random]
}

fn damage() -> impl Strategy<Value = Damage> {
    let at = any::<Index>;
    prop_oneof![
        at().prop_map(Damage::Cut),
        (at(), 0..8u8).prop_map(|(at, bit)| Damage::FlipBit(at, bit)),
        (at(), any::<u8>()).prop_map(|(at, byte)| Damage::SetByte(at, byte)),
        (at(), 0..4usize, 0..NUMBERS.len(), any::<bool>())
            .prop_map(|(at, width, number, big)| Damage::SetNumber(at, 1 << width, number, big)),
        (at(), vec(any::<u8>(), 1..20)).prop_map(|(at, bytes)| Damage::Insert(at, bytes)),
        (at(), 1..20usize).prop_map(|(at, n)| Damage::Remove(at, n)),
        (at(), 1..20usize, 1..200usize).prop_map(|(at, n, times)| Damage::Repeat(at, n, times)),
        (at(), at()).prop_map(|(at, other)| Damage::Splice(at, other)),
    ]
}

impl Damage {
    fn apply(&self, bytes: &mut Vec<u8>, samples: &[Vec<u8>]) {
        if bytes.is_empty() {
            return;
        }
        match self {
            Damage::Cut(at) => bytes.truncate(at.index(bytes.len())),
            Damage::FlipBit(at, bit) => *at.get_mut(bytes) ^= 1 << bit,
            Damage::SetByte(at, byte) => *at.get_mut(bytes) = *byte,
            Damage::SetNumber(at, width, number, big) => {
                let (little, large) =
                    (NUMBERS[*number].to_le_bytes(), NUMBERS[*number].to_be_bytes());
                let number = if *big { &large[8 - width..] } else { &little[..*width] };
                let at = at.index(bytes.len());
                let end = (at + width).min(bytes.len());
                bytes[at..end].copy_from_slice(&number[..end - at]);
            }
            Damage::Insert(at, more) => {
                let at = at.index(bytes.len());
                bytes.splice(at..at, more.iter().copied());
            }
            Damage::Remove(at, n) => {
                let at = at.index(bytes.len());
                bytes.drain(at..(at + n).min(bytes.len()));
            }
            Damage::Repeat(at, n, times) => {
                let at = at.index(bytes.len());
                let part = bytes[at..(at + n).min(bytes.len())].repeat(*times);
                bytes.splice(at..at, part);
            }
            Damage::Splice(at, other) => {
                let other = other.get(samples);
                bytes.truncate(at.index(bytes.len()));
                bytes.extend_from_slice(&other[bytes.len().min(other.len())..]);
            }
        }
    }
}
