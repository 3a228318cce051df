//! Attacks in HTTP/2 frames, over cleartext with prior knowledge.

use super::*;

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const GOAWAY: u8 = 7;
const CONTINUATION: u8 = 9;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;
const SETTINGS_ACK: u8 = 1;
/// `ENHANCE_YOUR_CALM`.
const CALM: u32 = 11;

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = (payload.len() as u32).to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// `GET /health/live` as HPACK.
fn head() -> Vec<u8> {
    let path = b"/health/live";
    [&[0x82, 0x86, 0x04, path.len() as u8][..], path, &[0x41, 1, b'a']].concat()
}

fn connect(siege: &Siege) -> TcpStream {
    let mut stream = siege.connect();
    stream.write_all(&[PREFACE, &frame(SETTINGS, 0, 0, &[]), &frame(SETTINGS, SETTINGS_ACK, 0, &[])].concat()).unwrap();
    stream
}

/// Writes what `next` gives until the server ends the connection or there is no more; the error code of its GOAWAY.
fn attack(stream: &TcpStream, mut next: impl FnMut() -> Option<Vec<u8>>) -> Option<u32> {
    let mut reader = stream.try_clone().unwrap();
    reader.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    let answers = std::thread::spawn(move || {
        let mut bytes = Vec::new();
        let _ = reader.read_to_end(&mut bytes);
        bytes
    });
    let mut writer = stream;
    while let Some(bytes) = next() {
        if writer.write_all(&bytes).is_err() {
            break;
        }
    }
    goaway_code(&answers.join().unwrap())
}

fn goaway_code(mut bytes: &[u8]) -> Option<u32> {
    let mut code = None;
    while bytes.len() >= 9 {
        let length = usize::from(bytes[0]) << 16 | usize::from(bytes[1]) << 8 | usize::from(bytes[2]);
        let Some(payload) = bytes.get(9..9 + length) else { break };
        if bytes[3] == GOAWAY {
            code = Some(u32::from_be_bytes(payload[4..8].try_into().unwrap()));
        }
        bytes = &bytes[9 + length..];
    }
    code
}

fn siege() -> Siege {
    Siege::begin(&[("HTTP_HEAD_TIMEOUT", "2s"), ("HTTP_IDLE_TIMEOUT", "4s")])
}

#[test]
fn requests_that_are_reset_at_once_end_the_connection() {
    let siege = siege();
    let mut stream = 1;
    let code = attack(&connect(&siege), || {
        let open_and_reset = |stream: u32| {
            let reset = frame(RST_STREAM, 0, stream, &8_u32.to_be_bytes());
            [frame(HEADERS, END_STREAM | END_HEADERS, stream, &head()), reset].concat()
        };
        let burst = (0..100).flat_map(|index| open_and_reset(stream + index * 2)).collect();
        stream += 200;
        (stream < 400_000).then_some(burst)
    });
    assert_eq!(code, Some(CALM));
    assert!(stream < 400_000, "all 200,000 were taken");
    siege.end("rapid reset", 300);
}

#[test]
fn heads_without_end_are_refused_before_they_take_memory() {
    let siege = siege();
    for payload in [&b""[..], b"\x82", &[0x82; 16_384]] {
        let mut sent = 0;
        let stream = connect(&siege);
        (&stream).write_all(&frame(HEADERS, 0, 1, &head())).unwrap();
        attack(&stream, || {
            sent += 1;
            (sent < 200_000).then(|| frame(CONTINUATION, 0, 1, payload))
        });
        assert!(sent < 200_000, "{} bytes each: all were taken", payload.len());
    }
    siege.end("CONTINUATION flood", 300);
}

#[test]
fn small_heads_that_become_large_are_refused() {
    let siege = siege();
    // A header of 3,900 bytes for the table, and thousands of references of one byte to it: 16 KiB stand for 60 MiB.
    let long_integer = |value: usize| [0x7f, ((value - 127) & 0x7f | 0x80) as u8, ((value - 127) >> 7) as u8];
    let entry = [&[0x40, 1, b'x'][..], &long_integer(3_900), &[b'y'; 3_900]].concat();
    let bomb = [head(), entry, vec![0xbe; 12_000]].concat();
    let attacks: Vec<_> = (0..32)
        .map(|_| {
            let (stream, bomb) = (connect(&siege), bomb.clone());
            std::thread::spawn(move || {
                (&stream).write_all(&frame(HEADERS, END_STREAM | END_HEADERS, 1, &bomb)).unwrap();
                let mut bytes = [0; 4096];
                stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
                let mut answer = Vec::new();
                // Until HEADERS (431), RST_STREAM or GOAWAY is there, or the end.
                while let Ok(count @ 1..) = (&stream).read(&mut bytes) {
                    answer.extend_from_slice(&bytes[..count]);
                    if kinds(&answer).iter().any(|kind| [HEADERS, RST_STREAM, GOAWAY].contains(kind)) {
                        break;
                    }
                }
                kinds(&answer)
            })
        })
        .collect();
    for attack in attacks {
        let kinds = attack.join().unwrap();
        assert!(kinds.iter().any(|kind| [HEADERS, RST_STREAM, GOAWAY].contains(kind)), "{kinds:?}");
    }
    siege.end("header bombs", 300);
}

fn kinds(mut bytes: &[u8]) -> Vec<u8> {
    let mut kinds = Vec::new();
    while bytes.len() >= 9 {
        let length = usize::from(bytes[0]) << 16 | usize::from(bytes[1]) << 8 | usize::from(bytes[2]);
        kinds.push(bytes[3]);
        bytes = bytes.get(9 + length..).unwrap_or_default();
    }
    kinds
}

#[test]
fn floods_of_pings_settings_and_empty_frames_cost_no_memory() {
    let siege = siege();
    let floods = [frame(PING, 0, 0, &[7; 8]), frame(SETTINGS, 0, 0, &[0, 3, 0, 0, 0, 100]), frame(0x42, 0, 0, &[])];
    for flood in floods {
        let burst = flood.repeat(100);
        let mut sent = 0;
        let stream = connect(&siege);
        stream.set_write_timeout(Some(Duration::from_secs(10))).unwrap();
        attack(&stream, || {
            sent += 1;
            (sent < 500).then(|| burst.clone())
        });
    }
    siege.end("floods of frames", 300);
}

#[test]
fn two_hundred_half_heads_are_cut_at_their_deadline() {
    let siege = siege();
    let halves: Vec<_> = (0..200)
        .map(|_| {
            let stream = connect(&siege);
            (&stream).write_all(&frame(HEADERS, 0, 1, &head())).unwrap();
            stream
        })
        .collect();
    siege.until_served_again();
    for mut stream in halves {
        stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        let mut bytes = Vec::new();
        let end = stream.read_to_end(&mut bytes);
        assert!(!end.is_err_and(|error| error.kind() == std::io::ErrorKind::WouldBlock), "the connection stays open");
    }
    assert_eq!(siege.metric("http_server_connections_closed_total", "slow_head"), 200.0);
    siege.end("200 half heads over HTTP/2", 300);
}
