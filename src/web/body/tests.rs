use std::sync::mpsc;
use std::time::Duration;

use prometheus::Registry;

use super::*;

/// One place for work, which is taken: the next large body waits its time and is refused, a small one goes on.
#[tokio::test]
async fn a_large_body_whose_turn_does_not_come_is_refused_and_counted() {
    let registry = Registry::new();
    let limits = BodyLimits {
        work_max: 1,
        work_wait: Duration::from_millis(20),
        inline_bytes_max: 100,
        inflated_bytes_max: 1 << 10,
        ..BodyLimits::default()
    };
    let bodies = BodyReader::register(limits, MemoryBudget::new(1 << 20), &registry).unwrap();
    let (has_begun, began) = tokio::sync::oneshot::channel();
    let (end, until_end) = mpsc::sync_channel::<()>(1);
    let held = bodies.work(101, move || {
        let _ = has_begun.send(());
        until_end.recv()
    });
    let others = async {
        began.await.unwrap();
        assert_eq!(bodies.work(101, || 1).await, Err(BodyError::Busy));
        assert_eq!(bodies.work(100, || 2).await, Ok(2));
        end.send(()).unwrap();
    };
    let (held, ()) = tokio::join!(held, others);
    assert_eq!(held, Ok(Ok(())));
    assert_eq!(bodies.work(101, || 3).await, Ok(3));
    assert_eq!(bodies.refused.with_label_values(&["busy"]).get(), 1);
}
