//! The last TCP segments of each flow that did not, or may not have, reached their receiver.
//!
//! While a link is cut, TCP retransmits at growing intervals, so that after the heal it would stay silent
//! for up to as long as the cut lasted. Sending the last lost segments again at the heal ends the wait:
//! their acknowledgement restarts the sender at once. TCP copes with duplicates (RFC 9293, 3.4), so a
//! segment that did arrive does no harm.

use std::collections::BTreeMap;

use super::port::IP_OFFSET;

/// What a segment asks for. The last of each kind is kept: an acknowledgement must not hide lost data.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Segment {
    Open,
    Data,
    Acknowledgement,
}

/// The two ports, as they stand in the header, and the kind.
type Flow = ([u8; 4], Segment);

/// Flows remembered per link; beyond that, the one silent for longest is forgotten.
const FLOWS_MAX: usize = 1024;

/// Frames of one link, at most one per flow and kind.
#[derive(Debug, Default)]
pub(super) struct Memory {
    frames: BTreeMap<Flow, (u64, Vec<u8>)>,
    n_seen: u64,
}

impl Memory {
    /// Remembers `frame` if it is TCP.
    pub(super) fn note(&mut self, frame: &[u8]) {
        let Some(flow) = flow(&frame[IP_OFFSET..]) else { return };
        self.n_seen += 1;
        self.frames.insert(flow, (self.n_seen, frame.to_vec()));
        if self.frames.len() > FLOWS_MAX {
            self.forget_oldest();
        }
    }

    /// All remembered frames, the oldest first.
    pub(super) fn into_frames(self) -> Vec<Vec<u8>> {
        let mut frames: Vec<_> = self.frames.into_values().collect();
        frames.sort_unstable_by_key(|(seen, _)| *seen);
        frames.into_iter().map(|(_, frame)| frame).collect()
    }

    fn forget_oldest(&mut self) {
        let oldest = self.frames.iter().min_by_key(|(_, (seen, _))| *seen).map(|(flow, _)| *flow);
        oldest.and_then(|flow| self.frames.remove(&flow));
    }
}

/// The flow of an IPv4 packet, if it is the first fragment of a TCP segment.
fn flow(ip: &[u8]) -> Option<Flow> {
    const TCP: u8 = 6;
    const FRAGMENT_OFFSET: u16 = 0x1fff;
    let header_len = usize::from(ip.first()? & 0xf) * 4;
    let fragment = u16::from_be_bytes(ip.get(6..8)?.try_into().ok()?) & FRAGMENT_OFFSET;
    if *ip.get(9)? != TCP || fragment != 0 {
        return None;
    }
    let total_len = usize::from(u16::from_be_bytes(ip.get(2..4)?.try_into().ok()?));
    let tcp = ip.get(header_len..)?;
    let ports = tcp.get(..4)?.try_into().ok()?;
    let payload = total_len.saturating_sub(header_len + usize::from(tcp.get(12)? >> 4) * 4);
    Some((ports, segment(*tcp.get(13)?, payload)))
}

fn segment(flags: u8, payload: usize) -> Segment {
    const FIN: u8 = 1;
    const SYN: u8 = 2;
    const RST: u8 = 4;
    match flags {
        flags if flags & SYN != 0 => Segment::Open,
        flags if flags & (FIN | RST) != 0 || payload > 0 => Segment::Data,
        _ => Segment::Acknowledgement,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ACK: u8 = 16;

    fn tcp_frame(port: u8, flags: u8, payload: &[u8]) -> Vec<u8> {
        let mut frame = vec![0; IP_OFFSET + 40];
        frame.extend_from_slice(payload);
        let ip = &mut frame[IP_OFFSET..];
        ip[0] = 0x45;
        ip[3] = 40 + payload.len() as u8;
        ip[9] = 6;
        ip[20 + 1] = port;
        ip[20 + 12] = 5 << 4;
        ip[20 + 13] = flags;
        frame
    }

    #[test]
    fn the_last_of_each_kind_is_kept_in_order() {
        let mut memory = Memory::default();
        let (open, old, new) =
            (tcp_frame(1, 2, b""), tcp_frame(1, ACK, b"old"), tcp_frame(1, ACK, b"new"));
        let (acknowledgement, reset) = (tcp_frame(1, ACK, b""), tcp_frame(2, 4, b""));
        for frame in [&open, &old, &acknowledgement, &new, &reset] {
            memory.note(frame);
        }
        assert_eq!(memory.into_frames(), [open, acknowledgement, new, reset]);
    }

    #[test]
    fn other_protocols_fragments_and_scraps_are_not_kept() {
        let mut memory = Memory::default();
        let mut udp = tcp_frame(1, ACK, b"x");
        udp[IP_OFFSET + 9] = 17;
        let mut fragment = tcp_frame(1, ACK, b"x");
        fragment[IP_OFFSET + 7] = 1;
        let whole = tcp_frame(1, ACK, b"");
        memory.note(&udp);
        memory.note(&fragment);
        for len in IP_OFFSET..IP_OFFSET + 33 {
            memory.note(&whole[..len]);
        }
        assert_eq!(memory.into_frames().len(), 0);
    }

    #[test]
    fn the_flow_silent_for_longest_is_forgotten_first() {
        let mut memory = Memory::default();
        for number in 0..=FLOWS_MAX {
            let mut frame = tcp_frame(0, ACK, b"x");
            frame[IP_OFFSET + 22..IP_OFFSET + 24].copy_from_slice(&(number as u16).to_be_bytes());
            memory.note(&frame);
        }
        let frames = memory.into_frames();
        assert_eq!(frames.len(), FLOWS_MAX);
        assert_eq!(frames[0][IP_OFFSET + 23], 1);
    }
}
