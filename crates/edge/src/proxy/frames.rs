//! Where the frames of a WebSocket begin and end (RFC 6455, section 5.2), so that a last one can be put behind them.
//!
//! Guards against a word of ours in the middle of somebody's frame. It looks at heads alone, for a few instructions per
//! frame, and does *not* know what the frames say, or whether they are valid.

/// Bytes of a head without its mask: two, and up to eight for the length.
const HEAD_BYTES_MAX: usize = 10;
const OPCODE_CLOSE: u8 = 0x8;
/// "Going away" (section 7.4.1).
const GOING_AWAY: [u8; 2] = 1_001_u16.to_be_bytes();

/// Who is spoken to: what goes to a server is masked (section 5.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum To {
    Visitor,
    Application,
}

/// One direction of a WebSocket.
#[derive(Clone, Debug)]
pub(super) struct Frames {
    to: To,
    head: [u8; HEAD_BYTES_MAX],
    /// Bytes of the current head that have passed, the mask included; 0 between two frames.
    head_bytes: usize,
    payload_left: u64,
    /// Whether its last frame has passed.
    closed: bool,
}

impl Frames {
    pub(super) fn new(to: To) -> Self {
        Self {
            to,
            head: [0; HEAD_BYTES_MAX],
            head_bytes: 0,
            payload_left: 0,
            closed: false,
        }
    }

    /// Whether nothing is half-way.
    pub(super) fn is_between(&self) -> bool {
        self.head_bytes == 0 && self.payload_left == 0
    }

    /// Sees `bytes` pass.
    pub(super) fn pass(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let count = self.pass_one(bytes);
            bytes = bytes.get(count..).unwrap_or_default();
        }
    }

    /// Sees `bytes` pass up to the end of the frame that they begin with, and says how many those are.
    pub(super) fn pass_one(&mut self, bytes: &[u8]) -> usize {
        let mut count = 0;
        while let Some(byte) = bytes.get(count) {
            if self.payload_left > 0 {
                let rest = (bytes.len() - count) as u64;
                let taken = rest.min(self.payload_left);
                self.payload_left -= taken;
                count += taken as usize;
            } else {
                self.push(*byte);
                count += 1;
            }
            if self.is_between() {
                break;
            }
        }
        count
    }

    fn push(&mut self, byte: u8) {
        if let Some(place) = self.head.get_mut(self.head_bytes) {
            *place = byte;
        }
        self.head_bytes += 1;
        let [first, second, length @ ..] = self.head;
        let (masked, short) = (second & 0x80 != 0, second & 0x7f);
        let length_bytes = match short {
            126 => 2,
            127 => 8,
            _ => 0,
        };
        if self.head_bytes < 2 || self.head_bytes < 2 + length_bytes + if masked { 4 } else { 0 } {
            return;
        }
        let long = |bytes: &[u8]| {
            bytes
                .iter()
                .fold(0, |length, byte| length << 8 | u64::from(*byte))
        };
        self.payload_left = match length_bytes {
            0 => u64::from(short),
            _ => long(&length[..length_bytes]),
        };
        self.head_bytes = 0;
        self.closed |= first & 0xf == OPCODE_CLOSE;
    }

    /// The frame that says that we are going away, if one may follow now.
    pub(super) fn farewell(&self) -> Option<Vec<u8>> {
        if self.closed || !self.is_between() {
            return None;
        }
        let [high, low] = GOING_AWAY;
        Some(match self.to {
            To::Visitor => vec![0x80 | OPCODE_CLOSE, 2, high, low],
            // Masks keep visitors from choosing the bytes on the way. These two nobody chooses, and nothing is on the way.
            To::Application => vec![0x80 | OPCODE_CLOSE, 0x80 | 2, 0, 0, 0, 0, high, low],
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn frame(opcode: u8, masked: bool, payload: usize) -> Vec<u8> {
        let mut bytes = vec![0x80 | opcode];
        let mask = if masked { 0x80 } else { 0 };
        match payload {
            0..126 => bytes.push(mask | payload as u8),
            126..65_536 => {
                bytes.push(mask | 126);
                bytes.extend((payload as u16).to_be_bytes());
            }
            _ => {
                bytes.push(mask | 127);
                bytes.extend((payload as u64).to_be_bytes());
            }
        }
        bytes.extend([0xff; 4].iter().filter(|_| masked));
        bytes.extend(vec![0xff; payload]);
        bytes
    }

    #[test]
    fn the_last_word_is_a_whole_frame_and_said_once() {
        let mut frames = Frames::new(To::Visitor);
        assert_eq!(frames.farewell().unwrap(), [0x88, 2, 0x03, 0xe9]);
        frames.pass(&frame(1, false, 5)[..4]);
        assert_eq!(frames.farewell(), None, "somebody is speaking");
        frames.pass(&frame(1, false, 5)[4..]);
        assert!(frames.farewell().is_some());
        frames.pass(&frame(OPCODE_CLOSE, false, 2));
        assert_eq!(frames.farewell(), None, "nothing follows a close");
        let mut to_application = Frames::new(To::Application);
        let word = to_application.farewell().unwrap();
        to_application.pass(&word);
        assert!(to_application.is_between() && to_application.closed);
    }

    proptest! {
        #[test]
        fn every_end_is_found_however_the_bytes_come(
            sizes in proptest::collection::vec(
                prop_oneof![0usize..130, 65_530usize..65_540, Just(70_000)], 1..6),
            masked in any::<bool>(),
            step in 1usize..5_000,
        ) {
            let all: Vec<Vec<u8>> = sizes.iter().map(|size| frame(2, masked, *size)).collect();
            let (bytes, mut frames) = (all.concat(), Frames::new(To::Visitor));
            let mut ends = Vec::new();
            let mut at = 0;
            while at < bytes.len() {
                let piece = &bytes[at..bytes.len().min(at + step)];
                at += frames.pass_one(piece);
                if frames.is_between() {
                    ends.push(at);
                }
            }
            let wanted: Vec<usize> = all.iter().scan(0, |end, frame| { *end += frame.len(); Some(*end) }).collect();
            prop_assert_eq!(ends, wanted);
            let mut whole = Frames::new(To::Visitor);
            bytes.chunks(step).for_each(|piece| whole.pass(piece));
            prop_assert!(whole.is_between());
        }

        #[test]
        fn no_bytes_are_too_many(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            Frames::new(To::Application).pass(&bytes);
        }
    }
}
