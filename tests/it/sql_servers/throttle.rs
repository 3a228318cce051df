//! zipkin's variables of its throttle.

use super::trace;
use crate::support::server::{Server, Store};

#[test]
fn the_throttle_has_zipkins_metrics_and_name_and_keeps_within_the_connections() {
    let env = [
        ("STORAGE_THROTTLE_ENABLED", "true"),
        ("STORAGE_THROTTLE_MIN_CONCURRENCY", "2"),
        ("STORAGE_THROTTLE_MAX_QUEUE_SIZE", "100"),
        ("MYSQL_MAX_CONNECTIONS", "6"),
    ];
    let server = Server::start(Store::MysqlZipkin, &env);
    assert!(server.store_health_name().starts_with("Throttled{MySQLStorage{"), "{}", server.store_health_name());
    for number in 0..20 {
        trace(number).iter().for_each(|spans| server.post_spans(serde_json::to_vec(spans).unwrap()));
    }
    let metrics = server.get("/prometheus").text();
    let figure = |name: &str| -> f64 {
        let line = metrics.lines().find(|line| line.starts_with(&format!("zipkin_storage_throttle_{name} ")));
        let line = line.unwrap_or_else(|| panic!("{name} is not in {metrics}"));
        line.rsplit_once(' ').unwrap().1.parse().unwrap()
    };
    assert_eq!(figure("requests_succeeded_total"), 60.0);
    assert_eq!(figure("requests_total"), 60.0);
    assert_eq!((figure("requests_dropped_total"), figure("requests_ignored_total")), (0.0, 0.0));
    assert_eq!((figure("in_flight_requests"), figure("queue_size")), (0.0, 0.0));
    // Two connections stay for readers.
    assert!((2.0..=4.0).contains(&figure("concurrency")), "{}", figure("concurrency"));
}

#[test]
fn without_the_throttle_there_are_none_of_its_metrics() {
    let server = Server::start(Store::Memory, &[("STORAGE_THROTTLE_MAX_CONCURRENCY", "3")]);
    assert!(!server.get("/prometheus").text().contains("zipkin_storage_throttle"));
    assert_eq!(server.store_health_name(), "InMemoryStorage{}");
}
