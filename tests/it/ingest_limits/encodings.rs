//! Packed bodies as clients send them, over both protocols.

use std::io::Write as _;

use flate2::Compression;
use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};

use super::*;

pub(super) fn packed(bytes: &[u8]) -> Vec<(&'static str, Vec<u8>)> {
    let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
    let mut zlib = ZlibEncoder::new(Vec::new(), Compression::fast());
    let mut raw = DeflateEncoder::new(Vec::new(), Compression::fast());
    let mut zstd = zstd::stream::write::Encoder::new(Vec::new(), 1).unwrap();
    gzip.write_all(bytes).unwrap();
    zlib.write_all(bytes).unwrap();
    raw.write_all(bytes).unwrap();
    zstd.write_all(bytes).unwrap();
    let mut brotli = Vec::new();
    let params = brotli::enc::BrotliEncoderParams { quality: 1, ..Default::default() };
    brotli::BrotliCompress(&mut &bytes[..], &mut brotli, &params).unwrap();
    vec![
        ("gzip", gzip.finish().unwrap()),
        ("deflate", zlib.finish().unwrap()),
        ("deflate", raw.finish().unwrap()),
        ("zstd", zstd.finish().unwrap()),
        ("br", brotli),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn every_encoding_is_stored_over_both_protocols() {
    let server = start(BodyLimits::default(), 64 << 20);
    let clients = [reqwest::Client::new(), reqwest::Client::builder().http2_prior_knowledge().build().unwrap()];
    let mut expected = Vec::new();
    for client in clients {
        for number in 0..5_usize {
            let trace = expected.len() as u64 + 1;
            let (encoding, body) = packed(small_message(trace).as_bytes()).swap_remove(number);
            let answer =
                client.post(server.url()).header("content-encoding", encoding).body(body).send().await.unwrap();
            assert_eq!(answer.status(), 202, "{encoding}: {}", answer.text().await.unwrap());
            expected.push((trace, 1));
        }
    }
    assert_eq!(server.storage.stored(), expected);
    server.until_memory_is_back().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cut_body_of_any_encoding_is_a_400() {
    let server = start(BodyLimits::default(), 64 << 20);
    let client = reqwest::Client::new();
    for (encoding, body) in packed(small_message(5).repeat(50).as_bytes()) {
        for length in [1, 2, 10, body.len() / 2, body.len() - 1] {
            let cut = body[..length].to_vec();
            let answer = client.post(server.url()).header("content-encoding", encoding).body(cut).send().await.unwrap();
            assert_eq!(answer.status(), 400, "{encoding} cut to {length}: {}", answer.text().await.unwrap());
        }
    }
    assert_eq!(server.storage.stored(), []);
    server.until_memory_is_back().await;
}
