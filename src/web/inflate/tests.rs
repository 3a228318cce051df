use std::io::Write as _;

use flate2::Compression;
use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};

use super::*;

const WINDOW_LOG_MAX: u32 = 23;

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn zlib(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn raw_deflate(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn zstd_with_window(bytes: &[u8], window_log: u32) -> Vec<u8> {
    let mut encoder = zstd::stream::write::Encoder::new(Vec::new(), 3).unwrap();
    encoder.window_log(window_log).unwrap();
    encoder.include_contentsize(false).unwrap();
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn brotli_with(bytes: &[u8], lgwin: i32, large_window: bool) -> Vec<u8> {
    let params = brotli::enc::BrotliEncoderParams { quality: 5, lgwin, large_window, ..Default::default() };
    let mut out = Vec::new();
    brotli::BrotliCompress(&mut Cursor::new(bytes), &mut out, &params).unwrap();
    out
}

fn text() -> Vec<u8> {
    (0..5_000).flat_map(|number: u32| format!("span {number}, ").into_bytes()).collect()
}

fn packed(bytes: &[u8]) -> Vec<(Encoding, Vec<u8>)> {
    vec![
        (Encoding::Gzip, gzip(bytes)),
        (Encoding::Deflate, zlib(bytes)),
        (Encoding::Deflate, raw_deflate(bytes)),
        (Encoding::Zstd, zstd_with_window(bytes, 20)),
        (Encoding::Brotli, brotli_with(bytes, 22, false)),
    ]
}

fn inflate(encoding: Encoding, input: &[u8], step_bytes: usize) -> io::Result<Vec<u8>> {
    let mut inflater = Inflater::new(encoding, Bytes::copy_from_slice(input), WINDOW_LOG_MAX)?;
    loop {
        let target = inflater.len() + step_bytes;
        let step = inflater.fill_to(target)?;
        assert!(inflater.len() <= target, "a step gives no more than it was allowed");
        assert!(inflater.output.capacity() <= target.max(32), "a step allocates no more than it was allowed");
        if step == Step::Finished {
            return Ok(inflater.into_output());
        }
    }
}

#[test]
fn every_encoding_comes_out_whole_whatever_the_size_of_the_steps() {
    let text = text();
    for (encoding, input) in packed(&text) {
        for step_bytes in [7, 1_000, text.len() - 1, text.len(), text.len() + 1] {
            assert_eq!(inflate(encoding, &input, step_bytes).unwrap(), text, "{encoding:?} {step_bytes}");
        }
    }
}

#[test]
fn several_gzip_members_and_zstd_frames_follow_each_other() {
    let members = [gzip(b"first "), gzip(b""), gzip(b"second")].concat();
    assert_eq!(inflate(Encoding::Gzip, &members, 100).unwrap(), b"first second");
    let frames = [zstd_with_window(b"first ", 20), zstd_with_window(b"second", 20)].concat();
    assert_eq!(inflate(Encoding::Zstd, &frames, 100).unwrap(), b"first second");
}

#[test]
fn input_that_ends_early_is_an_error_at_every_byte() {
    for (encoding, input) in packed(b"not very long but long enough to be cut anywhere") {
        for length in 0..input.len() {
            // The zstd reader takes no bytes at all for no frames at all; callers treat an empty result as an error.
            if let Ok(output) = inflate(encoding, &input[..length], 1_000) {
                assert!(output.is_empty(), "{encoding:?} cut to {length} gave {output:?}");
            }
        }
    }
}

#[test]
fn random_changes_never_panic_and_never_exceed_the_step() {
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut random = move |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state % below as u64) as usize
    };
    for (encoding, input) in packed(&text()[..2_000]) {
        for _ in 0..500 {
            let mut changed = input.clone();
            for _ in 0..1 + random(4) {
                let at = random(changed.len());
                changed[at] = random(256) as u8;
            }
            let mut inflater = Inflater::new(encoding, changed.into(), WINDOW_LOG_MAX).unwrap();
            let _ = inflater.fill_to(100_000);
            assert!(inflater.output.capacity() <= 100_000);
        }
    }
}

#[test]
fn windows_beyond_the_limit_are_refused() {
    let text = text();
    assert!(inflate(Encoding::Zstd, &zstd_with_window(&text, WINDOW_LOG_MAX), 1 << 20).is_ok());
    assert!(inflate(Encoding::Zstd, &zstd_with_window(&text, WINDOW_LOG_MAX + 1), 1 << 20).is_err());
    assert!(inflate(Encoding::Brotli, &brotli_with(&text, 24, false), 1 << 20).is_ok());
    assert!(inflate(Encoding::Brotli, &brotli_with(&text, 28, true), 1 << 20).is_err());
}

#[test]
fn encodings_are_found_in_the_order_they_were_applied() {
    let of = |values: &[&'static str]| {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(CONTENT_ENCODING, http::HeaderValue::from_static(value));
        }
        Encoding::of(&headers)
    };
    assert_eq!(of(&[]), []);
    assert_eq!(of(&["identity, x-unknown"]), []);
    assert_eq!(of(&["identity, gzip"]), [Encoding::Gzip]);
    assert_eq!(of(&["X-GZIP"]), [Encoding::Gzip]);
    assert_eq!(of(&["deflate , BR", "zstd"]), [Encoding::Deflate, Encoding::Brotli, Encoding::Zstd]);
}
