//! How bodies arrive: whole, in chunks, slowly, too large, after a question.

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn chunked_bodies_are_read_whatever_the_chunks() {
    let server = start(BodyLimits::default(), 64 << 20);
    let mut stream = server.connect().await;
    write(&mut stream, "POST /api/v2/spans HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n").await;
    for byte in small_message(7).bytes() {
        write(&mut stream, &format!("1\r\n{}\r\n", char::from(byte))).await;
    }
    write(&mut stream, "0\r\n\r\n").await;
    let head = read_head(&mut stream).await;
    assert!(head.starts_with("HTTP/1.1 202"), "{head}");
    assert_eq!(server.storage.stored(), [(7, 1)]);
    server.until_memory_is_back().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_asks_first_is_told_to_go_on_or_not() {
    let server = start(BodyLimits::default(), 64 << 20);
    let mut stream = server.connect().await;
    let body = small_message(8);
    let ask = |length: usize| {
        format!("POST /api/v2/spans HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: {length}\r\n\r\n")
    };
    write(&mut stream, &ask(body.len())).await;
    assert!(read_head(&mut stream).await.starts_with("HTTP/1.1 100 Continue"));
    write(&mut stream, &body).await;
    assert!(read_head(&mut stream).await.starts_with("HTTP/1.1 202"));
    write(&mut stream, &ask((10 << 20) + 1)).await;
    let answer = read_to_end(&mut stream).await;
    assert!(answer.starts_with("HTTP/1.1 413"), "{answer}");
    assert!(answer.ends_with("413 Request Entity Too Large"), "{answer}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sender_of_too_much_reads_why_and_its_connection_ends() {
    let server = start(BodyLimits { wire_bytes_max: 1 << 20, ..BodyLimits::default() }, 64 << 20);
    let client = server.well_behaved_client();
    let (length, piece) = (4 << 20, "x".repeat(1 << 16));
    let heads = [
        format!("POST /api/v2/spans HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\r\n"),
        "POST /api/v2/spans HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n".to_owned(),
    ];
    for head in heads {
        let mut stream = server.connect().await;
        write(&mut stream, &head).await;
        for _ in 0..length / piece.len() {
            // As most clients do, everything is sent before the answer is looked at.
            let chunk = format!("10000\r\n{piece}\r\n");
            write(&mut stream, if head.contains("chunked") { &chunk } else { &piece }).await;
        }
        if head.contains("chunked") {
            write(&mut stream, "0\r\n\r\n").await;
        }
        let answer = read_to_end(&mut stream).await;
        assert!(answer.starts_with("HTTP/1.1 413"), "{answer}");
        assert!(answer.contains("content-type: text/*\r\n"), "{answer}");
        assert!(answer.contains("connection: close\r\n"), "{answer}");
        assert!(answer.ends_with("\r\n\r\n413 Request Entity Too Large"), "{answer}");
    }
    assert_eq!(server.refused("too_large"), 2);
    client.was_served().await;
    server.until_memory_is_back().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_does_not_come_in_time_is_answered_with_408() {
    let server = start(BodyLimits { timeout: Duration::from_millis(300), ..BodyLimits::default() }, 64 << 20);
    let client = server.well_behaved_client();
    let heads = ["Content-Length: 100\r\n\r\n[{", "Transfer-Encoding: chunked\r\n\r\n2\r\n[{\r\n"];
    for head in heads {
        let mut stream = server.connect().await;
        write(&mut stream, &format!("POST /api/v2/spans HTTP/1.1\r\nHost: a\r\n{head}")).await;
        let answer = read_to_end(&mut stream).await;
        assert!(answer.starts_with("HTTP/1.1 408"), "{answer}");
    }
    assert_eq!(server.refused("timeout"), 2);
    client.was_served().await;
    server.until_memory_is_back().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_body_over_http2_does_not_outlive_its_time() {
    let server = start(BodyLimits { timeout: Duration::from_millis(300), ..BodyLimits::default() }, 64 << 20);
    let client = reqwest::Client::builder().http2_prior_knowledge().build().unwrap();
    let piece = http_body::Frame::data(bytes::Bytes::from_static(b"[{"));
    let first = futures_util::stream::iter([Ok::<_, std::io::Error>(piece)]);
    let never_ends = futures_util::StreamExt::chain(first, futures_util::stream::pending());
    let body = reqwest::Body::wrap(http_body_util::StreamBody::new(never_ends));
    let answer = client.post(server.url()).body(body).send().await.unwrap();
    assert_eq!((answer.status().as_u16(), answer.version()), (408, reqwest::Version::HTTP_2));
    let answer = client.post(server.url()).body(small_message(3)).send().await.unwrap();
    assert_eq!(answer.status(), 202, "the connection serves others");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_breaks_off_leaves_nothing_behind() {
    let server = start(BodyLimits::default(), 64 << 20);
    for head in ["Content-Length: 1000\r\n\r\n[{", "Transfer-Encoding: chunked\r\n\r\n2\r\n[{\r\nzz\r\n"] {
        let mut stream = server.connect().await;
        write(&mut stream, &format!("POST /api/v2/spans HTTP/1.1\r\nHost: a\r\n{head}")).await;
        drop(stream);
    }
    server.until_memory_is_back().await;
    let answer = reqwest::Client::new().post(server.url()).body(small_message(3)).send().await.unwrap();
    assert_eq!(answer.status(), 202);
    assert_eq!(server.storage.stored(), [(3, 1)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn promised_bytes_take_no_memory_and_stalled_ones_give_it_back_when_others_wait() {
    let server = start(BodyLimits { timeout: Duration::from_secs(6), ..BodyLimits::default() }, 8 << 20);
    let client = server.well_behaved_client();
    let head = format!("POST /api/v2/spans HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n", 10 << 20);
    let mut promised = Vec::new();
    for _ in 0..50 {
        let mut stream = server.connect().await;
        write(&mut stream, &head).await;
        promised.push(stream);
    }
    assert!(server.budget.used_bytes() < 1 << 20, "{}", server.budget.used_bytes());
    // Each of these has sent enough to hold a good part of the memory, and stalls.
    let mut stalled = Vec::new();
    for number in 0..100 {
        if number >= 30 {
            // Whoever waited gave up before a stalled one was looked at: more who wait.
            if server.refused("too_slow") > 0 {
                break;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        let mut stream = server.connect().await;
        write(&mut stream, &head).await;
        let (mut reader, mut writer) = stream.into_split();
        stalled.push(tokio::spawn(async move {
            let piece = vec![b'['; 600 << 10];
            let _ = writer.write_all(&piece).await;
            let mut answer = Vec::new();
            let _ = reader.read_to_end(&mut answer).await;
            drop(writer);
            String::from_utf8_lossy(&answer).into_owned()
        }));
    }
    let mut answers = Vec::new();
    for task in stalled {
        let answer =
            tokio::time::timeout(Duration::from_secs(25), task).await.expect("an answer long before 30 s").unwrap();
        answers.push(answer.get(..12).unwrap_or_default().to_owned());
    }
    assert!(answers.iter().all(|answer| ["HTTP/1.1 408", "HTTP/1.1 503"].contains(&answer.as_str())), "{answers:?}");
    assert!(server.refused("too_slow") > 0);
    client.was_served().await;
    drop(promised);
    server.until_memory_is_back().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn many_small_bodies_that_stall_do_not_keep_others_out() {
    // All wait in one line, the well-behaved client among them, and each second those who hold memory and stall are cut, a
    // quarter of all: the line is over long before anybody in it gives up.
    let server = start(BodyLimits { memory_wait: Duration::from_secs(15), ..BodyLimits::default() }, 4 << 20);
    let client = server.well_behaved_client();
    let piece = vec![b'['; 20 << 10];
    let mut attacks = Vec::new();
    for number in 0..400 {
        let mut stream = server.connect().await;
        let length = if number % 2 == 0 {
            "Content-Length: 30000\r\n\r\n"
        } else {
            "Transfer-Encoding: chunked\r\n\r\n7000\r\n"
        };
        write(&mut stream, &format!("POST /api/v2/spans HTTP/1.1\r\nHost: a\r\n{length}")).await;
        stream.write_all(&piece).await.unwrap();
        attacks.push(stream);
    }
    let cut = async {
        while server.refused("too_slow") < 100 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, cut).await.expect("bodies that stall are cut");
    client.was_served().await;
    drop(attacks);
    server.until_memory_is_back().await;
}
