//! Small bodies that become large.

use super::encodings::packed;
use super::*;

const MIB: usize = 1 << 20;

#[tokio::test(flavor = "multi_thread")]
async fn parallel_bombs_of_every_encoding_stay_within_a_small_budget() {
    let limits = BodyLimits { inflated_bytes_max: 8 * MIB, ..BodyLimits::default() };
    let server = start(limits, 24 * MIB);
    let client = server.well_behaved_client();
    let bombs = packed(&vec![b'['; 32 * MIB]);
    for (encoding, bomb) in bombs {
        let attacks: Vec<_> = (0..32)
            .map(|_| {
                let request = reqwest::Client::new().post(server.url()).header("content-encoding", encoding);
                tokio::spawn(request.body(bomb.clone()).send())
            })
            .collect();
        let mut too_large = 0;
        for attack in attacks {
            let status = attack.await.unwrap().unwrap().status().as_u16();
            // Beyond the limit, or no memory to find that out now.
            assert!([413, 503].contains(&status), "{encoding}: {status}");
            too_large += usize::from(status == 413);
        }
        assert!(too_large > 0, "{encoding}");
    }
    client.was_served().await;
    server.until_memory_is_back().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bombs_within_bombs_are_found() {
    let limits = BodyLimits { inflated_bytes_max: 8 * MIB, ..BodyLimits::default() };
    let server = start(limits, 64 * MIB);
    let (_, inner) = packed(&vec![b'['; 32 * MIB]).swap_remove(0);
    for (encoding, outer) in packed(&inner) {
        let request = reqwest::Client::new().post(server.url()).header("content-encoding", format!("gzip, {encoding}"));
        let answer = request.body(outer).send().await.unwrap();
        assert_eq!(answer.status(), 413, "{encoding}");
    }
    server.until_memory_is_back().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_message_below_the_limit_is_stored() {
    let server = start(BodyLimits::default(), 256 * MIB);
    let client = server.well_behaved_client();
    let spans: Vec<String> =
        (1..=40_000).map(|id| format!(r#"{{"traceId":"5","id":"{id:x}","name":"get"}}"#)).collect();
    for (encoding, body) in packed(format!("[{}]", spans.join(",")).as_bytes()) {
        let before = server.storage.stored().len();
        let request = reqwest::Client::new().post(server.url()).header("content-encoding", encoding);
        let answer = request.body(body).send().await.unwrap();
        assert_eq!(answer.status(), 202, "{encoding}: {}", answer.text().await.unwrap());
        assert!(server.storage.stored().len() >= before + 40_000, "{encoding}");
    }
    client.was_served().await;
    server.until_memory_is_back().await;
}
