//! The wrapper over stores of tests.

use std::time::Duration;

use super::super::scripted::{Act, Scripted};
use super::*;
use crate::storage::{MemoryConfig, MemoryStorage};

const SECOND: Duration = Duration::from_secs(1);

fn throttle(script: impl IntoIterator<Item = Act>, bounds: (usize, usize)) -> (Arc<Throttle>, ThrottleMetrics) {
    let metrics = ThrottleMetrics::register(&Registry::new()).unwrap();
    let config = ThrottleConfig { concurrency_min: bounds.0, concurrency_max: bounds.1 };
    (Arc::new(Throttle::new(Arc::new(Scripted::new(script)), config, metrics.clone())), metrics)
}

#[tokio::test(start_paused = true)]
async fn no_more_writes_than_the_limit_run_at_once_and_the_others_wait() {
    let (store, metrics) = throttle(vec![Act::Stall(SECOND); 3], (1, 1));
    let writes: Vec<_> = (0..3)
        .map(|_| {
            let store = Arc::clone(&store);
            tokio::spawn(async move { store.write(&[Batch::default()]).await.remove(0) })
        })
        .collect();
    while metrics.queue_size.get() < 2 {
        tokio::task::yield_now().await;
    }
    assert_eq!((metrics.in_flight.get(), metrics.concurrency.get()), (1, 1));
    let start = Instant::now();
    for write in writes {
        write.await.unwrap().unwrap();
    }
    assert!(start.elapsed() >= 3 * SECOND, "one after another, by the paused clock");
    assert_eq!((metrics.in_flight.get(), metrics.queue_size.get()), (0, 0));
    assert_eq!((metrics.requests.get(), metrics.succeeded.get()), (3, 3));
}

#[tokio::test(start_paused = true)]
async fn a_writer_that_goes_away_leaves_its_place_to_others() {
    let (store, metrics) = throttle([Act::Stall(100 * SECOND)], (1, 1));
    let gone = tokio::time::timeout(SECOND, store.write(&[Batch::default()])).await;
    assert!(gone.is_err());
    assert_eq!(metrics.in_flight.get(), 0);
    assert!(store.write(&[Batch::default()]).await[0].is_ok());
}

#[tokio::test(start_paused = true)]
async fn failures_are_counted_by_what_they_say_about_capacity() {
    let script = [Act::Fail(ErrorKind::Unavailable, 0), Act::Fail(ErrorKind::Rejected, 0)];
    let (store, metrics) = throttle(script, (1, 4));
    for _ in 0..2 {
        assert!(store.write(&[Batch::default()]).await[0].is_err());
    }
    assert_eq!((metrics.dropped.get(), metrics.ignored.get(), metrics.succeeded.get()), (1, 1, 0));
}

#[tokio::test(start_paused = true)]
async fn the_bounds_end_where_the_store_does() {
    // The memory store serves four writes at once.
    let (store, metrics) = throttle([], (10, 200));
    assert_eq!(store.capabilities().concurrent_writes, 4);
    assert_eq!(metrics.concurrency.get(), 4);
    assert_eq!(store.health_name(), format!("Throttled{{{}}}", Scripted::new([]).health_name()));
}

mod conformance {
    use super::*;

    crate::storage_conformance_suite!(|options| async move {
        let inner = Arc::new(MemoryStorage::new(MemoryConfig::default(), options));
        let config = ThrottleConfig { concurrency_min: 1, concurrency_max: 200 };
        Throttle::new(inner, config, ThrottleMetrics::register(&Registry::new()).unwrap())
    });
}
