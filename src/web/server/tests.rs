use std::time::Duration;

use axum::routing::{get, post};
use prometheus::Registry;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::*;

/// A server on a free port that lives as long as this value.
struct Running {
    address: SocketAddr,
    registry: Registry,
    shutdown: CancellationToken,
    served: tokio::task::JoinHandle<ServeReport>,
}

fn start(limits: ServerLimits) -> Running {
    let router = Router::new()
        .route("/", get(|| async { "hello" }))
        .route("/big", get(|| async { vec![b'x'; 64 << 20] }))
        .route("/slow", get(|| async { tokio::time::sleep(Duration::from_millis(300)).await }))
        .route("/forever", get(|| async { std::future::pending::<()>().await }))
        .route(
            "/panic",
            get(|| async {
                if true {
                    panic!("a bug")
                }
            }),
        )
        .route("/echo", post(|body: Body| async { Response::new(body) }));
    let listener = bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let address = listener.local_addr().unwrap();
    let registry = Registry::new();
    let metrics = ServerMetrics::register(&registry).unwrap();
    let shutdown = CancellationToken::new();
    let served = tokio::spawn(serve(vec![(listener, router)], limits, metrics, shutdown.clone()));
    Running { address, registry, shutdown, served }
}

impl Running {
    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    async fn get_ok(&self, client: &reqwest::Client) {
        let answer = client.get(format!("http://{}/", self.address)).send().await.unwrap();
        assert_eq!(answer.text().await.unwrap(), "hello");
    }

    fn metric(&self, name: &str, reason: Option<&str>) -> f64 {
        let families = self.registry.gather();
        let family = families.iter().find(|family| family.name() == name).unwrap();
        let metrics = family.get_metric();
        let of_reason = |metric: &&prometheus::proto::Metric| {
            reason.is_none_or(|reason| metric.get_label().iter().any(|label| label.value() == reason))
        };
        let metric = metrics.iter().find(of_reason).unwrap();
        metric.get_counter().get_value() + metric.get_gauge().get_value()
    }

    async fn until(&self, name: &str, reason: Option<&str>, value: f64) {
        let reached = async {
            while self.metric(name, reason) != value {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        let waited = tokio::time::timeout(Duration::from_secs(10), reached).await;
        assert!(waited.is_ok(), "{name} {reason:?} is {} and not {value}", self.metric(name, reason));
    }
}

/// Everything until the server closes; the test fails when it does not.
async fn read_to_end(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    let read = tokio::time::timeout(Duration::from_secs(10), stream.read_to_end(&mut bytes)).await;
    // A reset is an end as well.
    let _ = read.expect("the server leaves the connection open");
    String::from_utf8_lossy(&bytes).into_owned()
}

async fn read_head(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    while !bytes.ends_with(b"\r\n\r\n") {
        bytes.push(stream.read_u8().await.unwrap());
    }
    String::from_utf8(bytes).unwrap()
}

fn quick() -> ServerLimits {
    ServerLimits {
        head_timeout: Duration::from_millis(200),
        idle_timeout: Duration::from_millis(600),
        write_timeout: Duration::from_millis(300),
        shutdown_timeout: Duration::from_secs(5),
        ..ServerLimits::default()
    }
}

#[tokio::test]
async fn both_protocols_are_served_on_one_socket() {
    let server = start(ServerLimits::default());
    server.get_ok(&reqwest::Client::new()).await;
    let http2 = reqwest::Client::builder().http2_prior_knowledge().build().unwrap();
    server.get_ok(&http2).await;
    let answer = http2.post(format!("http://{}/echo", server.address)).body("x".repeat(1 << 20)).send().await.unwrap();
    assert_eq!(answer.version(), http::Version::HTTP_2);
    assert_eq!(answer.bytes().await.unwrap().len(), 1 << 20);
}

#[tokio::test]
async fn an_offer_to_upgrade_is_not_taken_and_the_connection_stays_usable() {
    let server = start(ServerLimits::default());
    let mut stream = server.connect().await;
    for _ in 0..2 {
        let head = "POST /echo HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n\
                    HTTP2-Settings: AAMAAABkAAQCAAAAAAIAAAAA\r\nContent-Length: 5\r\n\r\nspans";
        stream.write_all(head.as_bytes()).await.unwrap();
        assert!(read_head(&mut stream).await.starts_with("HTTP/1.1 200 OK"));
        let mut body = [0; 5];
        stream.read_exact(&mut body).await.unwrap();
        assert_eq!(&body, b"spans");
    }
}

#[tokio::test]
async fn a_panic_is_answered_with_500_and_the_connection_lives_on() {
    let server = start(ServerLimits::default());
    let mut stream = server.connect().await;
    for _ in 0..2 {
        stream.write_all(b"GET /panic HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
        let head = read_head(&mut stream).await;
        assert!(head.starts_with("HTTP/1.1 500"), "{head}");
        let mut body = [0; 25];
        stream.read_exact(&mut body).await.unwrap();
        assert_eq!(&body, b"500 Internal Server Error");
    }
    assert_eq!(server.metric("http_server_panics_total", None), 2.0);
}

#[tokio::test]
async fn slow_heads_of_both_protocols_are_cut_while_others_are_served() {
    let server = start(quick());
    let client = reqwest::Client::new();
    for start in ["", "G", "GET / HTTP/1.1\r\nHost: a\r\nX-Slow: ", "PRI * HTTP/2.0\r\n"] {
        let before = server.metric("http_server_connections_closed_total", Some("slow_head"));
        let mut stream = server.connect().await;
        let began = std::time::Instant::now();
        stream.write_all(start.as_bytes()).await.unwrap();
        server.get_ok(&client).await;
        assert_eq!(read_to_end(&mut stream).await, "", "{start:?}");
        assert!(began.elapsed() >= Duration::from_millis(190), "{start:?} {:?}", began.elapsed());
        server.until("http_server_connections_closed_total", Some("slow_head"), before + 1.0).await;
    }
}

#[tokio::test]
async fn a_head_that_trickles_in_on_a_used_connection_is_cut() {
    let server = start(quick());
    let (mut reader, mut writer) = server.connect().await.into_split();
    writer.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\nGET / HTTP/1.1\r\nX: ").await.unwrap();
    let trickle = tokio::spawn(async move {
        while writer.write_all(b"x").await.is_ok() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    });
    let mut bytes = Vec::new();
    let end = tokio::time::timeout(Duration::from_secs(10), reader.read_to_end(&mut bytes)).await;
    let _ = end.expect("a head without end keeps the connection open");
    assert!(bytes.ends_with(b"hello"), "the first request was answered");
    trickle.await.unwrap();
}

#[tokio::test]
async fn idle_connections_are_ended_after_their_time_and_not_before() {
    let server = start(quick());
    let mut stream = server.connect().await;
    for _ in 0..3 {
        // Longer than a head may take, shorter than idleness.
        tokio::time::sleep(Duration::from_millis(150)).await;
        stream.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
        read_head(&mut stream).await;
        stream.read_exact(&mut [0; 5]).await.unwrap();
    }
    let began = std::time::Instant::now();
    assert_eq!(read_to_end(&mut stream).await, "");
    assert!(began.elapsed() >= Duration::from_millis(500), "{:?}", began.elapsed());
    server.until("http_server_connections_closed_total", Some("idle"), 1.0).await;
    server.until("http_server_connections", None, 0.0).await;
}

#[tokio::test]
async fn a_client_that_does_not_read_its_answer_is_cut() {
    let server = start(quick());
    let mut stream = server.connect().await;
    stream.write_all(b"GET /big HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
    server.until("http_server_connections_closed_total", Some("slow_reader"), 1.0).await;
    server.until("http_server_connections", None, 0.0).await;
}

#[tokio::test]
async fn a_request_that_takes_long_is_not_taken_for_an_idle_connection() {
    let server = start(ServerLimits { idle_timeout: Duration::from_millis(50), ..quick() });
    let answer = reqwest::get(format!("http://{}/slow", server.address)).await.unwrap();
    assert_eq!(answer.status(), 200);
}

#[tokio::test]
async fn a_head_that_is_too_large_is_answered_with_431() {
    let server = start(ServerLimits::default());
    for (length, status) in [(60 << 10, "200"), (70 << 10, "431")] {
        let mut stream = server.connect().await;
        let head = format!("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nX: {}\r\n\r\n", "x".repeat(length));
        let _ = stream.write_all(head.as_bytes()).await;
        let answer = read_to_end(&mut stream).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{length} {answer}");
    }
    server.until("http_server_large_heads_total", None, 1.0).await;
}

#[tokio::test]
async fn connections_beyond_the_limit_are_closed_at_once_and_places_become_free() {
    let server = start(ServerLimits { connections_max: 2, ..ServerLimits::default() });
    let first = server.connect().await;
    let _second = server.connect().await;
    server.until("http_server_connections", None, 2.0).await;
    let mut third = server.connect().await;
    assert_eq!(read_to_end(&mut third).await, "");
    assert_eq!(server.metric("http_server_connections_refused_total", None), 1.0);
    drop(first);
    server.until("http_server_connections", None, 1.0).await;
    server.get_ok(&reqwest::Client::new()).await;
}

#[tokio::test]
async fn at_shutdown_requests_under_way_are_answered_and_idle_connections_closed() {
    let server = start(ServerLimits::default());
    let mut idle = server.connect().await;
    let mut busy = server.connect().await;
    busy.write_all(b"GET /slow HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
    idle.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
    read_head(&mut idle).await;
    idle.read_exact(&mut [0; 5]).await.unwrap();
    server.shutdown.cancel();
    assert_eq!(read_to_end(&mut idle).await, "");
    assert!(read_to_end(&mut busy).await.starts_with("HTTP/1.1 200 OK"));
    assert_eq!(server.served.await.unwrap(), ServeReport::default());
    assert!(TcpStream::connect(server.address).await.is_err(), "the socket is closed");
}

#[tokio::test]
async fn a_request_that_comes_just_after_the_shutdown_began_is_answered_and_told_that_the_connection_ends() {
    let server = start(ServerLimits::default());
    let (mut fresh, mut used) = (server.connect().await, server.connect().await);
    used.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
    read_head(&mut used).await;
    used.read_exact(&mut [0; 5]).await.unwrap();
    server.until("http_server_connections_total", None, 2.0).await;
    server.shutdown.cancel();
    // Long enough that both would be closed by now, were they closed at once.
    tokio::time::sleep(FAREWELL / 20).await;
    for stream in [&mut fresh, &mut used] {
        stream.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
        let answer = read_to_end(stream).await;
        assert!(answer.starts_with("HTTP/1.1 200 OK") && answer.ends_with("hello"), "{answer}");
        assert!(answer.contains("connection: close"), "{answer}");
    }
    assert_eq!(server.served.await.unwrap(), ServeReport::default());
}

#[tokio::test]
async fn a_request_that_never_ends_is_cut_at_the_deadline_of_the_shutdown() {
    let server = start(ServerLimits { shutdown_timeout: Duration::from_millis(200), ..ServerLimits::default() });
    let mut stream = server.connect().await;
    stream.write_all(b"GET /forever HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
    server.until("http_server_connections", None, 1.0).await;
    tokio::time::sleep(Duration::from_millis(50)).await;
    server.shutdown.cancel();
    assert_eq!(server.served.await.unwrap(), ServeReport { connections_cut: 1 });
    assert_eq!(read_to_end(&mut stream).await, "");
}

#[tokio::test]
async fn the_ipv6_wildcard_takes_both_families() {
    let listener = bind("[::]:0".parse().unwrap()).unwrap();
    let address = listener.local_addr().unwrap();
    assert!(TcpStream::connect(("127.0.0.1", address.port())).await.is_ok());
    if address.is_ipv6() {
        assert!(TcpStream::connect(("::1", address.port())).await.is_ok());
    }
}

mod http2;
