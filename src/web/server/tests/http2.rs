//! Heads over HTTP/2, frame by frame.

use super::*;

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const HEADERS: u8 = 1;
const SETTINGS: u8 = 4;
const CONTINUATION: u8 = 9;
/// END_STREAM and END_HEADERS.
const WHOLE: u8 = 5;

fn frame(kind: u8, flags: u8, stream: u8, payload: &[u8]) -> Vec<u8> {
    let length = (payload.len() as u32).to_be_bytes();
    [&length[1..], &[kind, flags, 0, 0, 0, stream], payload].concat()
}

/// The head of a `GET` as HPACK: three entries of the static table, the path, the authority.
fn get(path: &str) -> Vec<u8> {
    [&[0x82, 0x86, 0x04, path.len() as u8], path.as_bytes(), &[0x41, 1, b'a']].concat()
}

/// A connection on which both sides said what HTTP/2 begins with.
async fn connect(server: &Running) -> TcpStream {
    let mut stream = server.connect().await;
    stream.write_all(&[PREFACE, &frame(SETTINGS, 0, 0, &[])].concat()).await.unwrap();
    stream
}

/// Ends when the server does, whatever it says before.
async fn read_until_cut(stream: &mut (impl tokio::io::AsyncRead + Unpin)) {
    let mut bytes = Vec::new();
    let end = tokio::time::timeout(Duration::from_secs(10), stream.read_to_end(&mut bytes)).await;
    let _ = end.expect("the server leaves the connection open");
}

#[tokio::test]
async fn half_a_head_after_the_preface_is_cut() {
    let server = start(ServerLimits { idle_timeout: Duration::from_secs(60), ..quick() });
    let client = reqwest::Client::new();
    let halves = [
        frame(HEADERS, 0, 1, &get("/")),
        frame(HEADERS, WHOLE, 1, &get("/"))[..12].to_vec(),
        frame(HEADERS, WHOLE, 1, &get("/"))[..4].to_vec(),
        frame(SETTINGS, 0, 0, &[0; 6])[..10].to_vec(),
    ];
    for (number, half) in halves.iter().enumerate() {
        let mut stream = connect(&server).await;
        stream.write_all(half).await.unwrap();
        server.get_ok(&client).await;
        read_until_cut(&mut stream).await;
        server.until("http_server_connections_closed_total", Some("slow_head"), number as f64 + 1.0).await;
    }
}

#[tokio::test]
async fn a_head_that_goes_on_and_on_is_cut() {
    let server = start(ServerLimits { idle_timeout: Duration::from_secs(60), ..quick() });
    let (mut reader, mut writer) = connect(&server).await.into_split();
    writer.write_all(&frame(HEADERS, 0, 1, &get("/"))).await.unwrap();
    let trickle = tokio::spawn(async move {
        while writer.write_all(&frame(CONTINUATION, 0, 1, &[])).await.is_ok() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    });
    read_until_cut(&mut reader).await;
    trickle.await.unwrap();
    server.until("http_server_connections_closed_total", Some("slow_head"), 1.0).await;
}

#[tokio::test]
async fn half_a_head_beside_a_request_under_way_is_cut() {
    let server = start(ServerLimits { idle_timeout: Duration::from_secs(60), ..quick() });
    let mut stream = connect(&server).await;
    stream.write_all(&frame(HEADERS, WHOLE, 1, &get("/forever"))).await.unwrap();
    stream.write_all(&frame(HEADERS, 0, 3, &get("/"))).await.unwrap();
    read_until_cut(&mut stream).await;
    server.until("http_server_connections_closed_total", Some("slow_head"), 1.0).await;
}

#[tokio::test]
async fn a_connection_without_half_a_head_is_idle_and_not_slow() {
    let server = start(quick());
    let mut stream = connect(&server).await;
    stream.write_all(&frame(HEADERS, WHOLE, 1, &get("/"))).await.unwrap();
    read_until_cut(&mut stream).await;
    server.until("http_server_connections_closed_total", Some("idle"), 1.0).await;
    assert_eq!(server.metric("http_server_connections_closed_total", Some("slow_head")), 0.0);
}

#[tokio::test]
async fn a_head_that_is_too_large_over_http2_is_answered_and_counted() {
    let server = start(ServerLimits::default());
    let client = reqwest::Client::builder().http2_prior_knowledge().build().unwrap();
    let url = format!("http://{}/", server.address);
    for (length, status, refused) in [(60 << 10, 200, 0.0), (70 << 10, 431, 1.0), (70 << 10, 431, 2.0), (10, 200, 2.0)]
    {
        let answer = client.get(&url).header("x", "x".repeat(length)).send().await.unwrap();
        assert_eq!(answer.status(), status, "{length}");
        server.until("http_server_large_heads_total", None, refused).await;
    }
    assert_eq!(server.metric("http_server_large_heads_total", None), 2.0);
    assert_eq!(server.metric("http_server_connections_total", None), 1.0);
}
