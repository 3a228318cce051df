//! Follows the frames of an HTTP/2 connection (RFC 9113, section 4.1) as far as a deadline needs: is a head half there?
//!
//! Only lengths, kinds and one flag are looked at. What is wrong with frames is for the protocol library to say.

/// Length, kind, flags and stream: what every frame begins with.
const HEADER_BYTES: usize = 9;
const DATA: u8 = 0;
const HEADERS: u8 = 1;
const CONTINUATION: u8 = 9;
const END_HEADERS: u8 = 4;

/// Where in the frames the peer is.
#[derive(Debug, Default)]
pub(super) struct Frames {
    header: [u8; HEADER_BYTES],
    header_bytes: usize,
    payload_bytes_left: usize,
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

impl Frames {
    /// Goes on with the next bytes from the peer, of which the first ones come after the connection preface.
    pub(super) fn follow(&mut self, mut bytes: &[u8]) -> HeadProgress {
        let mut ended = false;
        while !bytes.is_empty() {
            if self.header_bytes < HEADER_BYTES {
                let taken = bytes.len().min(HEADER_BYTES - self.header_bytes);
                let (these, rest) = bytes.split_at(taken);
                self.header[self.header_bytes..][..taken].copy_from_slice(these);
                self.header_bytes += taken;
                bytes = rest;
                if self.header_bytes == HEADER_BYTES {
                    let [high, middle, low, ..] = self.header;
                    self.payload_bytes_left = usize::from(high) << 16 | usize::from(middle) << 8 | usize::from(low);
                }
            }
            let taken = bytes.len().min(self.payload_bytes_left);
            self.payload_bytes_left -= taken;
            bytes = &bytes[taken..];
            if self.header_bytes == HEADER_BYTES && self.payload_bytes_left == 0 {
                ended |= self.end_frame();
            }
        }
        HeadProgress { ended, is_open: self.is_head_open() }
    }

    /// True when no head is under way after this frame.
    fn end_frame(&mut self) -> bool {
        let [_, _, _, kind, flags, ..] = self.header;
        if matches!(kind, HEADERS | CONTINUATION) {
            self.block_open = flags & END_HEADERS == 0;
        }
        self.header_bytes = 0;
        !self.block_open
    }

    /// A frame whose kind is not known yet counts, and one of any kind but DATA: bodies have a deadline of their own.
    fn is_head_open(&self) -> bool {
        let is_mid_header = (1..HEADER_BYTES).contains(&self.header_bytes);
        let is_mid_payload = self.header_bytes == HEADER_BYTES && self.header[3] != DATA;
        self.block_open || is_mid_header || is_mid_payload
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
        let mut frames = Frames::default();
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
            let mut frames = Frames::default();
            frames.follow(&bytes[..cut]);
            let progress = frames.follow(&bytes[cut..]);
            assert!(!progress.is_open, "{cut}");
        }
        assert_eq!(Frames::default().follow(&bytes), HeadProgress { ended: true, is_open: false });
    }

    #[test]
    fn a_head_after_another_one_is_told_from_it() {
        let bytes = [frame(HEADERS, END_HEADERS, b"one"), frame(HEADERS, 0, b"two")].concat();
        assert_eq!(Frames::default().follow(&bytes), HeadProgress { ended: true, is_open: true });
    }
}
