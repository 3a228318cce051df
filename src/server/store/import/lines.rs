//! Lines of a file as spans, one bad line at a time.

use std::io::{BufRead, BufReader, Read};

use flate2::bufread::MultiGzDecoder;
use serde::de::IgnoredAny;

use crate::codec::{self, DecodeLimits, Format};
use crate::model::SpanBatch;

const BUFFER_BYTES: usize = 256 << 10;
/// The first bytes of gzip.
const GZIP: [u8; 2] = [0x1f, 0x8b];

/// What a line holds.
#[derive(Debug)]
pub(super) struct Item {
    /// Counted from 1.
    pub(super) line: u64,
    /// Its spans, or why there are none.
    pub(super) spans: Result<SpanBatch, String>,
}

/// Goes through the lines; empty ones are left out.
pub(super) struct Lines {
    input: Box<dyn BufRead + Send>,
    limits: DecodeLimits,
    /// Longest line.
    bytes_max: usize,
    line: u64,
    is_over: bool,
}

impl Lines {
    pub(super) fn new(input: impl Read + Send + 'static, limits: DecodeLimits, bytes_max: usize) -> Self {
        let mut input = BufReader::with_capacity(BUFFER_BYTES, input);
        // What cannot be read is told with the first line.
        let is_gzip = input.fill_buf().is_ok_and(|start| start.starts_with(&GZIP));
        let input: Box<dyn BufRead + Send> = match is_gzip {
            true => Box::new(BufReader::with_capacity(BUFFER_BYTES, MultiGzDecoder::new(input))),
            false => Box::new(input),
        };
        Self { input, limits, bytes_max, line: 0, is_over: false }
    }

    /// The next line without its end, as far as it is not too long; `None` at the end of the input.
    fn read(&mut self) -> std::io::Result<Option<Result<Vec<u8>, String>>> {
        let mut line = Vec::new();
        let limit = self.bytes_max as u64 + 1;
        let read = (&mut self.input).take(limit).read_until(b'\n', &mut line)?;
        if read == 0 {
            return Ok(None);
        }
        if line.ends_with(b"\n") {
            line.pop();
        } else if read as u64 == limit {
            self.skip_line()?;
            return Ok(Some(Err(format!("is longer than {} bytes", self.bytes_max))));
        }
        Ok(Some(Ok(line)))
    }

    fn skip_line(&mut self) -> std::io::Result<()> {
        loop {
            let (skipped, is_end) = match self.input.fill_buf()? {
                [] => return Ok(()),
                bytes => match memchr::memchr(b'\n', bytes) {
                    Some(end) => (end + 1, true),
                    None => (bytes.len(), false),
                },
            };
            self.input.consume(skipped);
            if is_end {
                return Ok(());
            }
        }
    }
}

impl Iterator for Lines {
    type Item = Item;

    fn next(&mut self) -> Option<Item> {
        while !self.is_over {
            self.line += 1;
            let line = self.line;
            match self.read() {
                Ok(None) => self.is_over = true,
                Ok(Some(Ok(text))) => {
                    let text = text.trim_ascii();
                    if !text.is_empty() {
                        return Some(Item { line, spans: decode(text, &self.limits) });
                    }
                }
                Ok(Some(Err(reason))) => return Some(Item { line, spans: Err(reason) }),
                Err(error) => {
                    // What comes after cannot be told from here.
                    self.is_over = true;
                    return Some(Item { line, spans: Err(format!("the input ends here: {error}")) });
                }
            }
        }
        None
    }
}

/// A span or a list of spans, and nothing behind it.
fn decode(text: &[u8], limits: &DecodeLimits) -> Result<SpanBatch, String> {
    // The decoder takes what follows a list for none of its business, as zipkin does; here it would be lost.
    let mut values = serde_json::Deserializer::from_slice(text).into_iter::<IgnoredAny>();
    if values.next().is_some_and(|value| value.is_ok()) && values.byte_offset() < text.len() {
        return Err(format!("goes on behind its value, at byte {}", values.byte_offset()));
    }
    let list;
    let body = if text.starts_with(b"{") {
        list = [b"[", text, b"]"].concat();
        &list
    } else {
        text
    };
    if !body.starts_with(b"[") {
        return Err("is neither a span nor a list of spans".to_owned());
    }
    codec::decode(Format::JsonV2, body, limits).map_err(|error| error.to_string().trim_end().to_owned())
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    const SPAN: &str = r#"{"traceId":"1","id":"2"}"#;

    fn read(input: Vec<u8>) -> Vec<(u64, Result<usize, String>)> {
        let lines =
            Lines::new(std::io::Cursor::new(input), DecodeLimits { spans_max: 3, ..DecodeLimits::default() }, 200);
        lines.map(|item| (item.line, item.spans.map(|spans| spans.len()))).collect()
    }

    fn gzip(text: &str) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(text.as_bytes()).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn spans_and_lists_are_read_from_lines_of_any_end() {
        let text = format!("{SPAN}\r\n[{SPAN},{SPAN}]\n\n  \n[]\n{SPAN}");
        let expected = vec![(1, Ok(1)), (2, Ok(2)), (5, Ok(0)), (6, Ok(1))];
        assert_eq!(read(text.clone().into_bytes()), expected);
        // Two members behind each other, as `cat a.gz b.gz` makes them.
        let (first, second) = text.split_at(20);
        assert_eq!(read([gzip(first), gzip(second)].concat()), expected);
        assert_eq!(read(Vec::new()), []);
    }

    #[test]
    fn a_bad_line_is_named_and_the_others_are_read() {
        let long = format!(r#"{{"traceId":"1","id":"2","name":"{}"}}"#, "x".repeat(300));
        let bad = ["{}", "17", "[{\"traceId\":", &format!("{SPAN}{SPAN}"), &format!("[{SPAN}] x"), &long, "\u{0}"];
        for bad in bad {
            let lines = read(format!("{SPAN}\n{bad}\n{SPAN}\n").into_bytes());
            assert_eq!(lines.len(), 3, "{bad}: {lines:?}");
            assert_eq!((&lines[0], &lines[2]), (&(1, Ok(1)), &(3, Ok(1))), "{bad}");
            assert!(lines[1].1.is_err(), "{bad}");
        }
        let many = format!("[{0},{0},{0},{0}]\n{SPAN}", SPAN);
        assert_eq!(read(many.into_bytes())[1], (2, Ok(1)));
    }

    #[test]
    fn a_torn_archive_gives_what_is_whole() {
        let mut text = String::new();
        for number in 1..5_000 {
            text.push_str(&format!("{{\"traceId\":\"{number:x}\",\"id\":\"{:x}\"}}\n", number * 7919));
        }
        let mut packed = gzip(&text);
        packed.truncate(packed.len() / 2);
        let lines = read(packed);
        let (last, whole) = lines.split_last().unwrap();
        assert!(whole.len() > 100 && whole.iter().all(|(_, spans)| spans.is_ok()));
        assert!(last.1.as_ref().unwrap_err().contains("the input ends here"), "{last:?}");
    }
}
