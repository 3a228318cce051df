//! Copies between stores.

use super::places::{Answers, Kind, Place, done, run, told};
use super::spans::{T_MS, Texts, messages};
use crate::binary::Process;
use zipkind::storage::database_servers::mysql_texts;

fn copy(from: &Place, to: &Place) -> String {
    done(&["copy", "--from", &from.address, "--to", &to.address])
}

fn count(answers: &Answers) -> usize {
    answers.traces.iter().map(|(_, spans)| spans.len()).sum()
}

#[tokio::test(flavor = "multi_thread")]
async fn stores_that_keep_all_answer_alike_after_a_copy() {
    let messages = messages(1, 300, Texts::Any);
    for from_kind in Kind::EXACT {
        let from = Place::new(from_kind);
        from.fill(&messages).await;
        let expected = from.answers().await;
        assert!(expected.red.is_some());
        assert!(expected.traces.len() > 250 && expected.links.len() > 10, "{}", expected.shown());
        for to_kind in Kind::EXACT {
            let to = Place::new(to_kind);
            let said = copy(&from, &to);
            let all = format!("{} spans", count(&expected));
            assert!(said.contains("copied ") && said.contains(&all), "{said}");
            assert!(said.contains(&format!("read back {all}, 0 missing")), "{said}");
            assert_eq!(to.answers().await, expected, "{from_kind:?} to {to_kind:?}");
        }
    }
}

/// Zipkin's tables hold less than is reported: what they give back is what must arrive elsewhere, and come back. Links are
/// counted from rows there, by rules of its own.
#[tokio::test(flavor = "multi_thread")]
async fn zipkins_tables_are_copied_to_every_store_and_back() {
    let first = Place::new(Kind::Zipkin);
    first.fill(&messages(2, 120, Texts::Plain)).await;
    let mut expected = first.answers().await;
    assert!(expected.traces.len() > 90 && expected.links.len() > 10, "{}", expected.shown());
    for kind in Kind::ALL {
        let between = Place::new(kind);
        copy(&first, &between);
        let mut answers = between.answers().await;
        sort(&mut answers, &mut expected);
        assert_eq!(answers.traces, expected.traces, "{kind:?}");
        let back = Place::new(Kind::Zipkin);
        copy(&between, &back);
        let mut answers = back.answers().await;
        sort(&mut answers, &mut expected);
        assert_eq!(answers, expected, "back from {kind:?}");
        let sql = "SELECT CAST(count(*) AS CHAR) FROM zipkin_spans";
        assert_eq!(mysql_texts(back.database_url(), sql), mysql_texts(first.database_url(), sql), "{kind:?}");
    }
}

/// Orders that zipkin does not promise.
fn sort(answers: &mut Answers, expected: &mut Answers) {
    for answers in [answers, expected] {
        answers.links.sort_by_key(|link| (link.parent.clone(), link.child.clone()));
        for (_, spans) in &mut answers.traces {
            spans.sort_by_key(|span| format!("{span:?}"));
            // Facts are ordered by time and text there.
            spans.iter_mut().for_each(|span| span.tags.sort());
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_copy_changes_nothing() {
    let from = Place::new(Kind::Sqlite);
    from.fill(&messages(3, 200, Texts::Plain)).await;
    for (kind, tables) in [
        (Kind::Native, ["zipkind_fragment", "zipkind_service_traces"]),
        (Kind::Zipkin, ["zipkin_spans", "zipkin_annotations"]),
    ] {
        let to = Place::new(kind);
        let mut states = Vec::new();
        for _ in 0..3 {
            let said = copy(&from, &to);
            assert!(!said.contains("before this run"), "{said}");
            let rows = tables.map(|table| {
                mysql_texts(to.database_url(), &format!("SELECT CAST(count(*) AS CHAR) FROM {table}")).remove(0)
            });
            states.push((rows, to.answers().await));
        }
        assert_eq!(states[0], states[1]);
        assert_eq!(states[1], states[2]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_window_takes_whole_traces_that_reach_into_it() {
    let from = Place::new(Kind::Postgres);
    from.fill(&messages(4, 200, Texts::Any)).await;
    let all = from.answers().await;
    // RFC 3339 of the minutes 3 and 6 behind the beginning.
    let [since, until] = [3, 6].map(|minutes: i64| {
        let ms = u64::try_from(T_MS + minutes * 60_000).unwrap();
        humantime::format_rfc3339_millis(std::time::UNIX_EPOCH + std::time::Duration::from_millis(ms)).to_string()
    });
    for kind in Kind::EXACT {
        let to = Place::new(kind);
        done(&["copy", "--from", &from.address, "--to", &to.address, "--since", &since, "--until", &until]);
        let (start_us, end_us) = ((T_MS + 180_000) * 1000, (T_MS + 360_000) * 1000 + 999);
        let lows: Vec<u64> = all
            .traces
            .iter()
            .filter(|(_, spans)| {
                spans.iter().any(|s| s.timestamp_us.is_some_and(|us| (start_us..=end_us).contains(&us)))
            })
            .map(|(id, _)| id.low())
            .collect();
        // Ids that share their low half go together.
        let mut expected = all.traces.clone();
        expected.retain(|(id, _)| lows.contains(&id.low()));
        assert!(expected.len() > 20 && expected.len() < all.traces.len(), "{} of {}", expected.len(), all.shown());
        assert_eq!(to.answers().await.traces, expected, "{kind:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_is_copied_beside_the_server_that_has_it_open() {
    let from = Place::new(Kind::Sqlite);
    let process =
        Process::start(from.folder(), &[("SQLITE_PATH", from.file().to_str().unwrap()), ("RETENTION_MAX_AGE", "0")]);
    let body = r#"[{"traceId":"a1","id":"1","timestamp":1700000000000000,"localEndpoint":{"serviceName":"shop"}}]"#;
    let request =
        crate::support::http::Request::new("POST", "/api/v2/spans").header("Content-Type", "application/json");
    let sent = crate::support::http::send(process.address(), &request.body(body)).unwrap();
    assert_eq!(sent.status, 202);
    let to = Place::new(Kind::Sqlite);
    copy(&from, &to);
    assert_eq!(count(&to.answers().await), 1);
    // The other way round it is in use.
    let output = run(&["copy", "--from", &to.address, "--to", &from.address]);
    assert_eq!(output.status.code(), Some(1));
    assert!(told(&output).contains("is open in another process"), "{}", told(&output));
}

#[tokio::test(flavor = "multi_thread")]
async fn spans_that_the_target_cannot_hold_are_named_and_all_others_copied() {
    let from = Place::new(Kind::Sqlite);
    let long = format!(r#"{{"traceId":"b2","id":"2","name":"{}","tags":{{"k":"v"}}}}"#, "n".repeat(300));
    let spans = zipkind::model::testing::spans_from_json(&format!(
        r#"[{{"traceId":"b2","id":"1","name":"short","tags":{{"k":"v"}}}},{long},{{"traceId":"c3","id":"3","tags":{{"k":"v"}}}}]"#
    ));
    from.fill(&[spans]).await;
    let to = Place::new(Kind::Zipkin);
    let output = run(&["copy", "--from", &from.address, "--to", &to.address]);
    let said = told(&output);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(
        said.contains("span 0000000000000002 of trace 00000000000000b2: a span's name of 300 characters"),
        "{said}"
    );
    assert!(said.contains("1 spans were refused") && said.contains("0 missing"), "{said}");
    assert_eq!(count(&to.answers().await), 2);
}

#[test]
fn what_makes_no_sense_is_said() {
    let place = Place::new(Kind::Sqlite);
    for (arguments, reason) in [
        (vec!["copy", "--from", &place.address, "--to", &place.address], "both stores are sqlite:"),
        (vec!["copy"], "--from"),
        (vec!["copy", "--from", "mem:", "--to", &place.address], "keeps nothing beyond its process"),
        (vec!["copy", "--from", "redis://h", "--to", &place.address], "does not begin with sqlite:"),
        (vec!["copy", "--from", "sqlite:/nowhere/x.db", "--to", &place.address], "cannot be read"),
        (vec!["export", "--since", "soon"], "nor an age like 7d"),
    ] {
        let output = run(&arguments);
        assert_eq!(output.status.code(), Some(1), "{arguments:?}");
        assert!(told(&output).contains(reason), "{arguments:?}: {}", told(&output));
    }
}
