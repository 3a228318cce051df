//! Inflates request bodies, one bounded step at a time: who calls says how much may come out before the next step.

use std::io::{self, Cursor, Read};

use brotli::reader::StandardAlloc;
use brotli::{BrotliDecompressStream, BrotliResult, BrotliState};
use bytes::Bytes;
use flate2::bufread::{DeflateDecoder, MultiGzDecoder, ZlibDecoder};
use http::HeaderMap;
use http::header::CONTENT_ENCODING;

/// How a body is packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// One or more gzip members.
    Gzip,
    /// zlib as the standard says, or raw deflate as some clients send.
    Deflate,
    /// One or more zstd frames.
    Zstd,
    /// Brotli.
    Brotli,
}

impl Encoding {
    /// The name in `content-encoding`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Gzip => "gzip",
            Self::Deflate => "deflate",
            Self::Zstd => "zstd",
            Self::Brotli => "br",
        }
    }

    /// Most bytes a decoder of this encoding keeps beside what comes out.
    #[must_use]
    pub fn window_bytes_max(self, zstd_window_log_max: u32) -> usize {
        match self {
            Self::Gzip | Self::Deflate => 64 << 10,
            Self::Zstd => 1_usize.checked_shl(zstd_window_log_max).unwrap_or(usize::MAX),
            Self::Brotli => 16 << 20,
        }
    }

    /// The encodings of a request in the order in which they were applied. Unknown ones are passed over, as zipkin does,
    /// which also goes by the letters `gzip` wherever they stand.
    #[must_use]
    pub fn of(headers: &HeaderMap) -> Vec<Self> {
        let values = headers.get_all(CONTENT_ENCODING).iter();
        let names = values.flat_map(|value| value.as_bytes().split(|byte| *byte == b','));
        names.filter_map(|name| Self::from_name(name.trim_ascii())).collect()
    }

    fn from_name(name: &[u8]) -> Option<Self> {
        if name.windows(4).any(|letters| letters.eq_ignore_ascii_case(b"gzip")) {
            return Some(Self::Gzip);
        }
        let known = [(b"deflate".as_slice(), Self::Deflate), (b"zstd", Self::Zstd), (b"br", Self::Brotli)];
        known.into_iter().find(|(known, _)| name.eq_ignore_ascii_case(known)).map(|(_, encoding)| encoding)
    }
}

/// One body being inflated.
pub struct Inflater {
    source: Box<dyn Read + Send>,
    output: Vec<u8>,
}

/// Whether there is more to come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Everything came out.
    Finished,
    /// The room of this step is full; there may be more.
    Full,
}

impl Inflater {
    /// Prepares to inflate `input`. Little memory is taken before the first step.
    ///
    /// # Errors
    /// When the decoder cannot be made.
    pub fn new(encoding: Encoding, input: Bytes, zstd_window_log_max: u32) -> io::Result<Self> {
        let source: Box<dyn Read + Send> = match encoding {
            Encoding::Gzip => Box::new(MultiGzDecoder::new(Cursor::new(input))),
            Encoding::Deflate if is_zlib(&input) => Box::new(ZlibDecoder::new(Cursor::new(input))),
            Encoding::Deflate => Box::new(DeflateDecoder::new(Cursor::new(input))),
            Encoding::Zstd => {
                let mut decoder = zstd::stream::read::Decoder::with_buffer(Cursor::new(input))?;
                decoder.window_log_max(zstd_window_log_max)?;
                Box::new(decoder)
            }
            Encoding::Brotli => Box::new(BrotliReader::new(input)),
        };
        Ok(Self { source, output: Vec::new() })
    }

    /// How many bytes came out so far.
    #[must_use]
    pub fn len(&self) -> usize {
        self.output.len()
    }

    /// True when nothing came out so far.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.output.is_empty()
    }

    /// Inflates until `bytes` bytes are there altogether. No more than that is allocated for them.
    ///
    /// # Errors
    /// When the input is not what its encoding says, or ends early.
    pub fn fill_to(&mut self, bytes: usize) -> io::Result<Step> {
        let room = bytes.saturating_sub(self.output.len());
        self.output.reserve_exact(room);
        let read = self.source.by_ref().take(room as u64).read_to_end(&mut self.output)?;
        Ok(if read < room { Step::Finished } else { Step::Full })
    }

    /// What came out.
    #[must_use]
    pub fn into_output(self) -> Vec<u8> {
        self.output
    }
}

impl std::fmt::Debug for Inflater {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Inflater").field("output_bytes", &self.output.len()).finish_non_exhaustive()
    }
}

/// The two bytes of a zlib header: method deflate, and a multiple of 31 together.
fn is_zlib(input: &[u8]) -> bool {
    matches!(input, [first, second, ..]
        if first & 0x0f == 8 && (u16::from(*first) << 8 | u16::from(*second)) % 31 == 0)
}

/// The library's own reader also takes "large window" streams, whose window may be 1 GiB; this one does not.
struct BrotliReader {
    input: Bytes,
    read: usize,
    finished: bool,
    state: Box<BrotliState<StandardAlloc, StandardAlloc, StandardAlloc>>,
}

impl BrotliReader {
    fn new(input: Bytes) -> Self {
        let allocator = StandardAlloc::default;
        let state = Box::new(BrotliState::new_strict(allocator(), allocator(), allocator()));
        Self { input, read: 0, finished: false, state }
    }
}

impl Read for BrotliReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.finished || buffer.is_empty() {
            return Ok(0);
        }
        let mut available_in = self.input.len() - self.read;
        let (mut available_out, mut written, mut total) = (buffer.len(), 0, 0);
        let result = BrotliDecompressStream(
            &mut available_in,
            &mut self.read,
            &self.input,
            &mut available_out,
            &mut written,
            buffer,
            &mut total,
            &mut self.state,
        );
        match result {
            BrotliResult::ResultSuccess => self.finished = true,
            BrotliResult::NeedsMoreOutput => {}
            BrotliResult::NeedsMoreInput if written > 0 => {}
            BrotliResult::NeedsMoreInput => return Err(io::ErrorKind::UnexpectedEof.into()),
            BrotliResult::ResultFailure => return Err(io::ErrorKind::InvalidData.into()),
        }
        Ok(written)
    }
}

#[cfg(test)]
mod tests;
