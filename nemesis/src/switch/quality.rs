//! What a bad link does to its packets. Pure: the same seed and arrivals give the same fates.

use std::time::{Duration, Instant};

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

/// How bad a link is. The default is a perfect one. Shares are per mille of the packets.
///
/// A packet is what the sender's kernel hands over: with segmentation offload up to 64 KiB.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Quality {
    /// Share that vanishes.
    pub loss: u32,
    /// Share that is damaged. A receiver finds the checksum wrong and discards it without a word, so the
    /// switch does: within one machine checksums are not filled in, and a flipped bit would
    /// reach the program, which real networks practically never do to TCP.
    pub corrupt: u32,
    /// Share that arrives twice.
    pub duplicate: u32,
    /// Share that is held back, so that later packets overtake it.
    pub reorder: u32,
    /// How long every packet travels.
    pub delay_ms: u32,
    /// Added to the delay: evenly between nothing and this. The order stays.
    pub jitter_ms: u32,
    /// Capacity; what would wait longer than [`QUEUE_MAX`] is dropped. 0: without limit.
    pub rate_kbit: u32,
    /// The link is bad for so long, then perfect for `good_ms`, and so on. 0: always bad.
    pub bad_ms: u32,
    /// See `bad_ms`.
    pub good_ms: u32,
}

/// The longest queue in front of a link with a limited rate.
pub const QUEUE_MAX: Duration = Duration::from_millis(500);

/// How much longer than the others a packet travels that shall be overtaken.
const HELD_BACK: Duration = Duration::from_millis(20);

/// What happened to the packets of a bad link.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize)]
pub struct Tally {
    /// All that arrived at the switch.
    pub packets: u64,
    /// Vanished.
    pub lost: u64,
    /// Discarded as damaged.
    pub corrupted: u64,
    /// Did not fit into the queue.
    pub overflowed: u64,
    /// Sent twice.
    pub duplicated: u64,
    /// Held back.
    pub reordered: u64,
    /// Arrived a millisecond or more after they were sent.
    pub delayed: u64,
}

impl Quality {
    /// What was asked for and happened to no packet, in words: then nobody felt it.
    pub fn unfelt(&self, tally: &Tally) -> Vec<String> {
        let slow = self.delay_ms + self.jitter_ms + self.rate_kbit;
        [
            (self.loss, tally.lost, "lost"),
            (self.corrupt, tally.corrupted, "damaged"),
            (self.duplicate, tally.duplicated, "duplicated"),
            (self.reorder, tally.reordered, "overtaken"),
            (slow, tally.delayed, "delayed"),
        ]
        .into_iter()
        .filter(|&(asked, happened, _)| asked > 0 && happened == 0)
        .map(|(_, _, what)| format!("no packet was {what}"))
        .collect()
    }
}

impl std::ops::AddAssign for Tally {
    fn add_assign(&mut self, other: Tally) {
        self.packets += other.packets;
        self.lost += other.lost;
        self.corrupted += other.corrupted;
        self.overflowed += other.overflowed;
        self.duplicated += other.duplicated;
        self.reordered += other.reordered;
        self.delayed += other.delayed;
    }
}

/// A packet that will arrive.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Passage {
    pub(super) at: Instant,
    pub(super) twice: bool,
}

/// Decides about the packets of one link in order of arrival.
#[derive(Debug)]
pub(super) struct Shaper {
    quality: Quality,
    rng: ChaCha8Rng,
    since: Instant,
    /// When the last packet in order arrives.
    last: Instant,
    /// When the link has sent all that waits for it.
    idle: Instant,
    pub(super) tally: Tally,
}

impl Shaper {
    pub(super) fn new(quality: Quality, seed: u64, now: Instant) -> Shaper {
        let rng = ChaCha8Rng::seed_from_u64(seed);
        Shaper { quality, rng, since: now, last: now, idle: now, tally: Tally::default() }
    }

    /// What becomes of a packet of `len` bytes that was sent at `now`; `None` if it does not arrive.
    pub(super) fn pass(&mut self, now: Instant, len: usize) -> Option<Passage> {
        self.tally.packets += 1;
        let dice = Dice::roll(&self.quality, &mut self.rng);
        if self.is_good(now) {
            return Some(Passage { at: self.in_order(now), twice: false });
        }
        if dice.lost || dice.corrupted {
            self.tally.lost += u64::from(dice.lost);
            self.tally.corrupted += u64::from(dice.corrupted && !dice.lost);
            return None;
        }
        let at = self.sent(now, len)? + dice.travel;
        let at = if dice.reordered { at + HELD_BACK } else { self.in_order(at) };
        self.tally.duplicated += u64::from(dice.duplicated);
        self.tally.reordered += u64::from(dice.reordered);
        self.tally.delayed += u64::from(at - now >= Duration::from_millis(1));
        Some(Passage { at, twice: dice.duplicated })
    }

    fn is_good(&self, now: Instant) -> bool {
        let (bad, good) = (u128::from(self.quality.bad_ms), u128::from(self.quality.good_ms));
        let round = (now - self.since).as_millis().checked_rem(bad + good);
        round.is_some_and(|at| at >= bad)
    }

    fn in_order(&mut self, at: Instant) -> Instant {
        self.last = self.last.max(at);
        self.last
    }

    /// When the last bit has left; `None` if the queue is full.
    fn sent(&mut self, now: Instant, len: usize) -> Option<Instant> {
        if self.quality.rate_kbit == 0 {
            return Some(now);
        }
        let takes = Duration::from_micros(len as u64 * 8000 / u64::from(self.quality.rate_kbit));
        let sent = self.idle.max(now) + takes;
        if sent - now > QUEUE_MAX {
            self.tally.overflowed += 1;
            return None;
        }
        self.idle = sent;
        Some(sent)
    }
}

/// All chances of one packet. Always as many draws, so that a packet's luck depends on its number alone.
struct Dice {
    lost: bool,
    corrupted: bool,
    duplicated: bool,
    reordered: bool,
    travel: Duration,
}

impl Dice {
    fn roll(quality: &Quality, rng: &mut ChaCha8Rng) -> Dice {
        let mut one_of = |per_mille: u32| rng.random_range(0..1000) < per_mille;
        Dice {
            lost: one_of(quality.loss),
            corrupted: one_of(quality.corrupt),
            duplicated: one_of(quality.duplicate),
            reordered: one_of(quality.reorder),
            travel: travel(quality, rng),
        }
    }
}

fn travel(quality: &Quality, rng: &mut ChaCha8Rng) -> Duration {
    let jitter = rng.random_range(0..=u64::from(quality.jitter_ms) * 1000);
    Duration::from_millis(u64::from(quality.delay_ms)) + Duration::from_micros(jitter)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    /// `n` packets of 1000 bytes, one each millisecond: when each arrived, counted from its sending.
    fn run(quality: Quality, n: u32) -> (Vec<Option<Duration>>, Tally) {
        let start = Instant::now();
        let mut shaper = Shaper::new(quality, 7, start);
        let fate = |i: u32| {
            let sent = start + MS * i;
            shaper.pass(sent, 1000).map(|passage| passage.at - sent)
        };
        let fates = (0..n).map(fate).collect();
        (fates, shaper.tally)
    }

    #[test]
    fn a_perfect_link_does_nothing_and_is_felt_by_nobody() {
        let (fates, tally) = run(Quality::default(), 100);
        assert!(fates.iter().all(|fate| *fate == Some(Duration::ZERO)));
        assert_eq!(tally, Tally { packets: 100, ..Tally::default() });
    }

    #[test]
    fn shares_are_met_and_the_same_seed_repeats_them() {
        let quality =
            Quality { loss: 100, corrupt: 20, duplicate: 50, reorder: 30, ..Quality::default() };
        let (fates, tally) = run(quality, 10_000);
        assert!((900..1100).contains(&tally.lost), "{tally:?}");
        assert!((140..220).contains(&tally.corrupted), "{tally:?}");
        assert!((380..500).contains(&tally.duplicated), "{tally:?}");
        assert!((210..330).contains(&tally.reordered), "{tally:?}");
        assert_eq!(run(quality, 10_000), (fates, tally));
        assert_eq!(quality.unfelt(&tally), [""; 0]);
    }

    #[test]
    fn delay_keeps_the_order_and_its_bounds() {
        let (fates, tally) = run(Quality { delay_ms: 5, jitter_ms: 10, ..Quality::default() }, 500);
        let arrivals: Vec<_> =
            fates.iter().zip(0..).map(|(fate, i)| fate.expect("none is lost") + MS * i).collect();
        assert!(arrivals.is_sorted());
        assert!(fates.iter().flatten().all(|d| (MS * 5..=MS * 15).contains(d)));
        assert_eq!(tally.delayed, 500);
    }

    #[test]
    fn what_is_held_back_is_overtaken() {
        let (fates, tally) = run(Quality { reorder: 100, ..Quality::default() }, 500);
        let late = fates.iter().flatten().filter(|d| **d == HELD_BACK).count() as u64;
        assert_eq!((late, late > 0), (tally.reordered, true));
    }

    #[test]
    fn a_narrow_link_queues_and_then_overflows() {
        let (fates, tally) = run(Quality { rate_kbit: 1000, ..Quality::default() }, 500);
        assert_eq!(fates[0], Some(MS * 8));
        assert!(fates.iter().flatten().all(|d| *d <= QUEUE_MAX));
        assert!(tally.overflowed > 300, "{tally:?}");
    }

    #[test]
    fn bad_times_alternate_with_good_ones() {
        let quality = Quality { loss: 1000, bad_ms: 10, good_ms: 30, ..Quality::default() };
        let (fates, _) = run(quality, 80);
        let lost: Vec<_> = (0..80).filter(|i| fates[*i].is_none()).collect();
        assert_eq!(lost, (0..10).chain(40..50).collect::<Vec<_>>());
    }

    #[test]
    fn what_happened_to_no_packet_is_told() {
        let quality = Quality { loss: 1, delay_ms: 1, ..Quality::default() };
        let told = quality.unfelt(&Tally { packets: 9, ..Tally::default() });
        assert_eq!(told, ["no packet was lost", "no packet was delayed"]);
    }
}
