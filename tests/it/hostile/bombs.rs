//! Small bodies that become large: in every encoding, many at once.

use super::*;

/// What inflates to one byte more than is allowed.
const ALLOWED: u64 = 64 * MIB;

/// `bytes` times the same byte, packed. Made without ever being in memory whole.
fn bomb(encoding: &str, bytes: u64) -> Vec<u8> {
    let mut plain = std::io::repeat(b'[').take(bytes);
    let mut packed = Vec::new();
    match encoding {
        "gzip" => {
            let mut encoder = flate2::write::GzEncoder::new(packed, flate2::Compression::best());
            std::io::copy(&mut plain, &mut encoder).unwrap();
            encoder.finish().unwrap()
        }
        "deflate" => {
            let mut encoder = flate2::write::ZlibEncoder::new(packed, flate2::Compression::best());
            std::io::copy(&mut plain, &mut encoder).unwrap();
            encoder.finish().unwrap()
        }
        "zstd" => zstd::stream::encode_all(plain, 1).unwrap(),
        _ => {
            let params = brotli::enc::BrotliEncoderParams { quality: 4, ..Default::default() };
            brotli::BrotliCompress(&mut plain, &mut packed, &params).unwrap();
            packed
        }
    }
}

fn throw(siege: &Siege, encoding: &str, bomb: &[u8], at_once: usize) {
    let request = Request::new("POST", "/api/v2/spans").header("Content-Encoding", encoding).body(bomb);
    let address = siege.address();
    let attacks: Vec<_> = (0..at_once)
        .map(|_| {
            let request = request.clone();
            std::thread::spawn(move || send(address, &request).expect("an answer").status)
        })
        .collect();
    siege.until_served_again();
    let statuses: Vec<u16> = attacks.into_iter().map(|attack| attack.join().unwrap()).collect();
    // Beyond the limit, or no room to find that out now.
    assert!(statuses.iter().all(|status| [413, 503].contains(status)), "{encoding}: {statuses:?}");
    assert!(statuses.contains(&413), "{encoding}: {statuses:?}");
    eprintln!("{encoding}, {} bytes, {at_once} at once: {statuses:?}", bomb.len());
}

#[test]
fn bombs_of_every_encoding_are_refused_alone_and_32_at_once() {
    let sizes = scaled(vec![ALLOWED + 1], vec![ALLOWED + 1, 1024 * MIB]);
    let siege = Siege::begin(&[]);
    for bytes in sizes {
        for encoding in ["gzip", "deflate", "zstd", "br"] {
            let bomb = bomb(encoding, bytes);
            assert!((bomb.len() as u64) < bytes / 500, "{encoding}: {}", bomb.len());
            throw(&siege, encoding, &bomb, 1);
            throw(&siege, encoding, &bomb, 32);
        }
    }
    assert!(siege.metric("http_request_bodies_refused_total", "inflated_too_large") > 0.0);
    siege.end("bombs, with a budget of 256 MiB", 500);
}
