//! Stores into JSON lines and back.

use std::io::Write;
use std::process::Stdio;

use super::places::{Kind, Place, done, run, told};
use super::spans::{Texts, messages};

#[tokio::test(flavor = "multi_thread")]
async fn what_is_exported_and_imported_again_is_the_same() {
    let messages = messages(6, 200, Texts::Any);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("spans.jsonl");
    for kind in Kind::EXACT {
        let from = Place::new(kind);
        from.fill(&messages).await;
        let expected = from.answers().await;
        std::fs::write(&file, done(&["export", "--from", &from.address])).unwrap();
        let to = Place::new(Kind::Sqlite);
        for _ in 0..2 {
            let said = done(&["import", file.to_str().unwrap(), "--to", &to.address]);
            assert!(said.contains("imported"), "{said}");
            assert_eq!(to.answers().await, expected, "{kind:?}");
        }
    }
    // Zipkin's tables give what they give.
    let from = Place::new(Kind::Zipkin);
    from.fill(&super::spans::messages(7, 50, Texts::Plain)).await;
    let exported = done(&["export", "--from", &from.address]);
    let expected = from.answers().await;
    assert_eq!(exported.lines().count(), expected.traces.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_archive_comes_in_from_standard_input() {
    let from = Place::new(Kind::Native);
    from.fill(&messages(8, 60, Texts::Any)).await;
    let exported = done(&["export", "--from", &from.address]);
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packed.write_all(exported.as_bytes()).unwrap();
    let to = Place::new(Kind::Postgres);
    let mut command = crate::binary::zipkind(to.folder(), &[]);
    command.args(["store", "import", "-", "--to", &to.address]);
    let mut process = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    process.stdin.take().unwrap().write_all(&packed.finish().unwrap()).unwrap();
    let output = process.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", told(&output));
    assert_eq!(to.answers().await, from.answers().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_lines_and_refused_spans_are_named_by_their_number() {
    let to = Place::new(Kind::Zipkin);
    let file = to.folder().join("spans.jsonl");
    let good = |id: u32| format!(r#"{{"traceId":"{id:x}","id":"{id:x}","name":"fine","tags":{{"k":"v"}}}}"#);
    let long = format!(r#"{{"traceId":"9","id":"9","name":"{}"}}"#, "n".repeat(300));
    let text = format!("{}\n{{\"traceId\":\"x\"}}\n[{},{}]\nnot json\n{long}\n{}", good(1), good(2), good(3), good(4));
    std::fs::write(&file, text).unwrap();
    let output = run(&["import", file.to_str().unwrap(), "--to", &to.address]);
    let said = told(&output);
    assert_eq!(output.status.code(), Some(1), "{said}");
    for part in [
        "line 2: ",
        "line 4: ",
        "line 5: span 0000000000000009",
        "imported 4 spans of 6 lines",
        "2 lines could not be read",
        "1 spans were refused",
    ] {
        assert!(said.contains(part), "{part} is not in {said}");
    }
    assert_eq!(to.answers().await.traces.len(), 4);
}
