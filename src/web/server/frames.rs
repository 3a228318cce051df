//! Follows the frames of an HTTP/2 connection (RFC 9113, section 4.1) as far as a deadline or a metric needs: is a head half
//! there, and did the protocol library refuse one?
//!
//! Only lengths, kinds, flags and streams are looked at. What is wrong with frames is for the protocol library to say.

use std::collections::BTreeSet;

/// Length, kind, flags and stream: what every frame begins with.
const HEADER_BYTES: usize = 9;
const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const CONTINUATION: u8 = 9;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;
/// Bytes of a payload that are kept: enough for changes of the table's size and one short field.
const START_BYTES: usize = 24;
/// Streams of a connection whose answers are followed at once. Those that clients gave up never end here, so the oldest goes
/// when there are more.
const ANSWERS_MAX: usize = 1_024;

/// Cuts what one side sends into frames.
#[derive(Debug, Default)]
struct Cutter {
    header: [u8; HEADER_BYTES],
    header_bytes: usize,
    payload_bytes_left: usize,
    start: [u8; START_BYTES],
    start_bytes: usize,
}

/// A frame that has come to its end.
struct Frame<'a> {
    kind: u8,
    flags: u8,
    stream: u32,
    /// The first bytes of its payload, at most [`START_BYTES`].
    start: &'a [u8],
    /// True when `start` is all of it.
    is_short: bool,
}

impl Cutter {
    /// Takes bytes up to the end of the frame under way, which it returns once it is whole.
    fn next(&mut self, bytes: &mut &[u8]) -> Option<Frame<'_>> {
        if self.header_bytes == HEADER_BYTES && self.payload_bytes_left == 0 {
            (self.header_bytes, self.start_bytes) = (0, 0);
        }
        if self.header_bytes < HEADER_BYTES {
            let these = take(bytes, HEADER_BYTES - self.header_bytes);
            self.header[self.header_bytes..][..these.len()].copy_from_slice(these);
            self.header_bytes += these.len();
            if self.header_bytes < HEADER_BYTES {
                return None;
            }
            self.payload_bytes_left = self.payload_bytes();
        }
        let these = take(bytes, self.payload_bytes_left);
        self.payload_bytes_left -= these.len();
        let kept = these.len().min(START_BYTES - self.start_bytes);
        self.start[self.start_bytes..][..kept].copy_from_slice(&these[..kept]);
        self.start_bytes += kept;
        (self.payload_bytes_left == 0).then(|| self.frame())
    }

    fn payload_bytes(&self) -> usize {
        let [high, middle, low, ..] = self.header;
        usize::from(high) << 16 | usize::from(middle) << 8 | usize::from(low)
    }

    fn frame(&self) -> Frame<'_> {
        let [_, _, _, kind, flags, stream @ ..] = self.header;
        Frame {
            kind,
            flags,
            stream: u32::from_be_bytes(stream) & 0x7fff_ffff,
            start: &self.start[..self.start_bytes],
            is_short: self.payload_bytes() <= START_BYTES,
        }
    }

    /// A frame whose kind is not known yet, or one of any kind but DATA, is half there.
    fn is_amid_other_than_data(&self) -> bool {
        let is_mid_header = (1..HEADER_BYTES).contains(&self.header_bytes);
        is_mid_header || self.payload_bytes_left > 0 && self.header[3] != DATA
    }
}

fn take<'a>(bytes: &mut &'a [u8], most: usize) -> &'a [u8] {
    let (these, rest) = bytes.split_at(bytes.len().min(most));
    *bytes = rest;
    these
}

/// Where in its heads the peer is.
#[derive(Debug, Default)]
pub(super) struct Heads {
    frames: Cutter,
    /// HEADERS came, END_HEADERS did not.
    block_open: bool,
}

/// What some bytes did to the head under way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct HeadProgress {
    /// A head, or what could have been one, is complete.
    pub(super) ended: bool,
    /// One is half there now.
    pub(super) is_open: bool,
}

impl Heads {
    /// Goes on with the next bytes from the peer, of which the first ones come after the connection preface.
    pub(super) fn follow(&mut self, mut bytes: &[u8]) -> HeadProgress {
        let mut ended = false;
        while !bytes.is_empty() {
            let Some(frame) = self.frames.next(&mut bytes) else { break };
            if matches!(frame.kind, HEADERS | CONTINUATION) {
                self.block_open = frame.flags & END_HEADERS == 0;
            }
            ended |= !self.block_open;
        }
        // Bodies have a deadline of their own, so the rest of a DATA frame is no head.
        HeadProgress { ended, is_open: self.block_open || self.frames.is_amid_other_than_data() }
    }
}

/// Finds the answers that the protocol library gives without asking us: it refuses a head that is too large with a bare 431.
///
/// Every other answer has a date beside its status, so a whole answer of one field is such a refusal. Trailers may be one
/// field, too: they come on a stream that has its answer already.
#[derive(Debug, Default)]
pub(super) struct Refusals {
    frames: Cutter,
    /// Streams whose answers have begun and not ended.
    answered: BTreeSet<u32>,
}

impl Refusals {
    /// Goes on with the next bytes from us; returns how many heads they refuse.
    pub(super) fn follow(&mut self, mut bytes: &[u8]) -> u64 {
        let mut refused = 0;
        while !bytes.is_empty() {
            let Some(Frame { kind, flags, stream, start, is_short }) = self.frames.next(&mut bytes) else { break };
            let ends = kind == RST_STREAM || matches!(kind, DATA | HEADERS) && flags & END_STREAM != 0;
            if ends {
                let is_first = !self.answered.remove(&stream);
                refused += u64::from(kind == HEADERS && is_first && is_short && is_one_field(start));
            } else if kind == HEADERS {
                self.answered.insert(stream);
                if self.answered.len() > ANSWERS_MAX {
                    self.answered.pop_first();
                }
            }
        }
        refused
    }
}

/// Whether a block of fields (RFC 7541, section 6) is a single status, after changes of the table's size.
fn is_one_field(mut block: &[u8]) -> bool {
    while let [size @ 0x20..=0x3f, rest @ ..] = block {
        // All five bits set: the size goes on in bytes of which the last one has no high bit.
        let more = if *size == 0x3f { rest.iter().take_while(|byte| **byte >= 0x80).count() + 1 } else { 0 };
        block = rest.get(more..).unwrap_or_default();
    }
    match block {
        // From the tables.
        [0x80..=0xfe] | [0xff, 0..=0x7f] => true,
        // A value of its own for `:status` (entry 8): kept in the table, not kept, never to be kept.
        [0x48 | 0x08 | 0x18, length, value @ ..] => value.len() == usize::from(length & 0x7f),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(kind: u8, flags: u8, payload: &[u8]) -> Vec<u8> {
        let length = (payload.len() as u32).to_be_bytes();
        [&length[1..], &[kind, flags, 0, 0, 0, 1], payload].concat()
    }

    /// Whether a head is open after each byte.
    fn open_after_each(bytes: &[u8]) -> Vec<bool> {
        let mut frames = Heads::default();
        bytes.iter().map(|byte| frames.follow(&[*byte]).is_open).collect()
    }

    #[test]
    fn a_head_is_open_from_its_first_byte_to_the_end_of_its_block() {
        let block =
            [frame(HEADERS, 0, b"abc"), frame(CONTINUATION, 0, b"d"), frame(CONTINUATION, END_HEADERS, b"")].concat();
        let open = open_after_each(&block);
        assert!(open[..open.len() - 1].iter().all(|open| *open), "{open:?}");
        assert!(!open[open.len() - 1]);
    }

    #[test]
    fn the_rest_of_a_data_frame_is_no_head() {
        let open = open_after_each(&frame(DATA, 0, b"body"));
        assert_eq!(open, [[true; 8].as_slice(), &[false; 5]].concat());
    }

    #[test]
    fn whole_frames_of_other_kinds_leave_nothing_open_however_they_are_cut() {
        let bytes = [frame(4, 0, b"settings"), frame(6, 0, b"pingping"), frame(HEADERS, END_HEADERS, b"head")].concat();
        for cut in 0..=bytes.len() {
            let mut frames = Heads::default();
            frames.follow(&bytes[..cut]);
            let progress = frames.follow(&bytes[cut..]);
            assert!(!progress.is_open, "{cut}");
        }
        assert_eq!(Heads::default().follow(&bytes), HeadProgress { ended: true, is_open: false });
    }

    #[test]
    fn a_head_after_another_one_is_told_from_it() {
        let bytes = [frame(HEADERS, END_HEADERS, b"one"), frame(HEADERS, 0, b"two")].concat();
        assert_eq!(Heads::default().follow(&bytes), HeadProgress { ended: true, is_open: true });
    }

    /// A head whose block is `fields` on a stream.
    fn answer(stream: u8, flags: u8, fields: &[u8]) -> Vec<u8> {
        let mut bytes = frame(HEADERS, flags | END_HEADERS, fields);
        bytes[8] = stream;
        bytes
    }

    const STATUS_431: &[u8] = &[0x48, 0x83, 0x69, 0x90, 0xff];
    const STATUS_AND_DATE: &[u8] = &[0x88, 0xbe];

    #[test]
    fn a_bare_status_is_a_refusal_however_it_is_written_and_cut() {
        for status in [STATUS_431, &[0xbf], &[0x20, 0xbf], &[0x3f, 0xe1, 0x1f, 0x08, 3, b'4', b'3', b'1']] {
            let bytes = [answer(1, 0, STATUS_AND_DATE), answer(3, END_STREAM, status), frame(RST_STREAM, 0, &[0; 4])];
            let bytes = bytes.concat();
            for cut in 0..=bytes.len() {
                let mut refusals = Refusals::default();
                let (before, after) = (refusals.follow(&bytes[..cut]), refusals.follow(&bytes[cut..]));
                assert_eq!(before + after, 1, "{status:x?} cut at {cut}");
            }
        }
    }

    #[test]
    fn answers_with_more_than_a_status_and_trailers_are_no_refusals() {
        let mut refusals = Refusals::default();
        let whole = answer(1, END_STREAM, STATUS_AND_DATE);
        let with_trailers = [answer(3, 0, STATUS_AND_DATE), frame(DATA, 0, b"body"), answer(3, END_STREAM, &[0xc0])];
        let with_body = [answer(1, 0, &[0x88]), frame(DATA, END_STREAM, b"body")];
        let long = answer(5, END_STREAM, &[0x80; START_BYTES + 1]);
        for bytes in [whole, with_trailers.concat(), with_body.concat(), long] {
            assert_eq!(refusals.follow(&bytes), 0, "{bytes:x?}");
        }
        assert!(refusals.answered.is_empty());
    }

    #[test]
    fn answers_that_never_end_are_forgotten() {
        let mut refusals = Refusals::default();
        for stream in 0..2 * ANSWERS_MAX as u32 {
            let mut bytes = answer(0, 0, STATUS_AND_DATE);
            bytes[5..9].copy_from_slice(&stream.to_be_bytes());
            refusals.follow(&bytes);
        }
        assert_eq!(refusals.answered.len(), ANSWERS_MAX);
    }
}
