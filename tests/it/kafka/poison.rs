//! Messages that cannot be kept stop nothing, are counted by reason, and go to their topic unchanged.

use std::time::Duration;

use rdkafka::producer::{BaseRecord, Producer};

use super::broker::{flush, producer, read, send, servers, topic};
use super::{metric, metric_in, reads, wait_for};
use crate::binary::Process;
use crate::support::http::{Request, send as http};
use crate::support::server::{Server, Store};

const CALL_TIMEOUT: Duration = Duration::from_secs(30);

pub(crate) fn good(id: u64) -> String {
    format!(r#"[{{"traceId":"{id:016x}","id":"{id:016x}","name":"n","localEndpoint":{{"serviceName":"s"}}}}]"#)
}

/// What must not be kept, and why.
fn poison() -> Vec<(Vec<u8>, &'static str)> {
    let list = good(1).into_bytes();
    let one_bad = format!("{},{}", &good(1)[..good(1).len() - 1], r#"{"traceId":"","id":"1"}]"#);
    vec![
        (b"x".to_vec(), "unknown_format"),
        (b"[".to_vec(), "malformed"),
        (vec![0xff; 1_000], "unknown_format"),
        (list[..list.len() / 2].to_vec(), "malformed"),
        // Compressed by the program, not by its Kafka client.
        (vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0], "unknown_format"),
        ([b"[".as_slice(), &vec![b' '; 5 << 20]].concat(), "malformed"),
        (one_bad.into_bytes(), "malformed"),
        (vec![12, 0, 0, 0, 200], "malformed"),
        (vec![10, 200, 1, 2, 3], "malformed"),
    ]
}

fn poison_set(store: Store) {
    let (topic, letters) = (topic("poison", 1), topic("letters", 1));
    let mut variables = reads(servers(), &topic);
    variables.push(("KAFKA_DEAD_LETTER_TOPIC", &letters));
    let server = Server::start(store, &variables);
    let poison = poison();
    send(&topic, 0, [Vec::new(), good(7).into_bytes()]);
    send(&topic, 0, poison.iter().map(|(payload, _)| payload));
    send(&topic, 0, [good(8)]);
    let end = poison.len() as f64 + 3.0;
    wait_for("the whole topic is passed", || {
        (metric(&server, "kafka_collector_consumed_offset", &[&topic]) >= end).then_some(())
    });
    for id in [7, 8] {
        assert_eq!(server.get(&format!("/api/v2/trace/{id:016x}")).status, 200);
    }
    assert_eq!(server.get("/api/v2/trace/0000000000000001").status, 404, "nothing of a bad message is kept");
    let kinds = |reason: &str| poison.iter().filter(|(_, found)| *found == reason).count() as f64;
    for reason in ["unknown_format", "malformed"] {
        assert_eq!(metric(&server, "kafka_collector_poison_messages_total", &[reason]), kinds(reason), "{reason}");
    }
    assert_eq!(metric(&server, "zipkin_collector_messages_dropped_total", &["kafka"]), poison.len() as f64);
    assert_eq!(metric(&server, "zipkin_collector_messages_total", &["kafka"]), end);
    for (index, (letter, (payload, reason))) in read(&letters, poison.len()).iter().zip(&poison).enumerate() {
        assert!(letter.payload == *payload, "letter {index} is changed");
        let header = |name: &str| letter.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str());
        assert_eq!(header("zipkind-reason"), Some(*reason), "letter {index}");
        assert_eq!(header("zipkind-topic"), Some(topic.as_str()));
        assert_eq!(header("zipkind-partition"), Some("0"));
        assert_eq!(header("zipkind-offset"), Some((index + 2).to_string().as_str()));
        assert!(header("zipkind-detail").is_some_and(|detail| !detail.is_empty()));
    }
}

#[test]
fn poison_is_set_aside_and_its_neighbours_are_kept_in_memory() {
    poison_set(Store::Memory);
}

#[test]
fn poison_is_set_aside_and_its_neighbours_are_kept_in_sqlite() {
    poison_set(Store::Sqlite);
}

#[test]
fn a_message_that_the_database_refuses_is_set_aside_and_its_neighbours_are_kept() {
    let (topic, letters) = (topic("refused", 1), topic("refused-letters", 1));
    let url = zipkind::storage::database_servers::mysql_database(&crate::support::zipkin_tables());
    let folder = tempfile::tempdir().unwrap();
    let mut variables = reads(servers(), &topic);
    variables.extend([
        ("KAFKA_DEAD_LETTER_TOPIC", letters.as_str()),
        ("STORAGE_TYPE", "mysql"),
        ("MYSQL_JDBC_URL", url.as_str()),
    ]);
    // Zipkin's column for names has 255 characters.
    let refused = good(3).replace("\"n\"", &format!("\"{}\"", "n".repeat(300)));
    send(&topic, 0, [good(1), good(2), refused.clone(), good(4), good(5)]);
    let process = Process::start(folder.path(), &variables);
    let get = |target: &str| http(process.address(), &Request::new("GET", target)).unwrap();
    let value = |name: &str, label: &str| metric_in(&get("/prometheus").text(), name, &[label]);
    wait_for("all is passed", || (value("kafka_collector_consumed_offset", &topic) == 5.0).then_some(()));
    assert_eq!(value("kafka_collector_poison_messages_total", "refused_by_storage"), 1.0);
    for (id, kept) in [(1, 200), (2, 200), (3, 404), (4, 200), (5, 200)] {
        assert_eq!(get(&format!("/api/v2/trace/{id:016x}")).status, kept, "{id}");
    }
    let letter = read(&letters, 1).remove(0);
    assert_eq!(String::from_utf8(letter.payload).unwrap(), refused);
    let header = |name: &str| letter.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str());
    assert_eq!((header("zipkind-reason"), header("zipkind-offset")), (Some("refused_by_storage"), Some("2")));
}

#[test]
fn records_of_an_aborted_transaction_are_not_kept_and_leave_no_lag() {
    let topic = topic("aborted", 1);
    let server = Server::start(Store::Sqlite, &reads(servers(), &topic));
    let producer = producer(&[("transactional.id", &topic)]);
    producer.init_transactions(CALL_TIMEOUT).unwrap();
    for (id, commit) in [(1, true), (2, false), (3, true), (4, false)] {
        producer.begin_transaction().unwrap();
        let body = good(id);
        producer.send(BaseRecord::<(), str>::to(&topic).payload(&body)).map_err(|(error, _)| error).unwrap();
        flush(&producer);
        if commit {
            producer.commit_transaction(CALL_TIMEOUT).unwrap();
        } else {
            producer.abort_transaction(CALL_TIMEOUT).unwrap();
        }
    }
    // Four records and four markers.
    wait_for("everything is passed", || {
        let consumed = metric(&server, "kafka_collector_consumed_offset", &[&topic]);
        let lag = metric(&server, "kafka_collector_lag_messages", &[&topic]);
        (consumed == 8.0 && lag == 0.0).then_some(())
    });
    for (id, kept) in [(1, 200), (2, 404), (3, 200), (4, 404)] {
        assert_eq!(server.get(&format!("/api/v2/trace/{id:016x}")).status, kept, "{id}");
    }
    assert_eq!(metric(&server, "kafka_collector_missing_messages_total", &[]), 0.0);
    assert_eq!(metric(&server, "kafka_collector_topics_made_anew_total", &[]), 0.0);
}
