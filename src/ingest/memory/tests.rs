use super::*;

const SHORT: Duration = Duration::from_millis(50);

#[tokio::test(start_paused = true)]
async fn a_permit_gives_its_bytes_back_when_dropped() {
    let budget = MemoryBudget::new(100);
    let permit = budget.acquire(60, SHORT).await.unwrap();
    assert_eq!((permit.bytes(), budget.used_bytes()), (60, 60));
    drop(permit);
    assert_eq!(budget.used_bytes(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_request_waits_for_bytes_and_gets_them_as_they_are_freed() {
    let budget = MemoryBudget::new(100);
    let mut first = budget.acquire(80, SHORT).await.unwrap();
    let waiting = tokio::spawn({
        let budget = budget.clone();
        async move { budget.acquire(50, Duration::from_secs(2)).await }
    });
    tokio::task::yield_now().await;
    assert!(!waiting.is_finished());
    first.shrink_to(50);
    let second = waiting.await.unwrap().unwrap();
    assert_eq!(second.bytes(), 50);
    assert_eq!(budget.used_bytes(), 100);
}

#[tokio::test(start_paused = true)]
async fn a_request_that_waited_long_enough_is_refused_and_counted() {
    let budget = MemoryBudget::new(100);
    let _held = budget.acquire(80, SHORT).await.unwrap();
    let start = tokio::time::Instant::now();
    let refused = budget.acquire(21, Duration::from_secs(2)).await.unwrap_err();
    assert_eq!(refused, MemoryRefused { bytes: 21 });
    assert_eq!(start.elapsed(), Duration::from_secs(2));
    assert_eq!(budget.inner.refusals.get(), 1);
    assert_eq!(budget.used_bytes(), 80, "a refused request leaves nothing behind");
}

#[tokio::test(start_paused = true)]
async fn more_than_the_whole_budget_is_refused_at_once() {
    let budget = MemoryBudget::new(100);
    let start = tokio::time::Instant::now();
    assert!(budget.acquire(101, Duration::from_secs(60)).await.is_err());
    let mut permit = budget.acquire(60, SHORT).await.unwrap();
    assert!(permit.grow(41, Duration::from_secs(60)).await.is_err());
    assert_eq!(start.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn permits_split_and_merge_without_changing_the_sum() {
    let budget = MemoryBudget::new(100);
    let mut permit = budget.acquire(60, SHORT).await.unwrap();
    let part = permit.split(25);
    assert_eq!((permit.bytes(), part.bytes(), budget.used_bytes()), (35, 25, 60));
    let rest = permit.split(1_000);
    assert_eq!((permit.bytes(), rest.bytes()), (0, 35));
    permit.merge(part);
    assert_eq!((permit.bytes(), budget.used_bytes()), (25, 60));
    drop((permit, rest));
    assert_eq!(budget.used_bytes(), 0);
}

#[test]
fn the_metrics_show_what_is_taken_at_that_moment() {
    let registry = Registry::new();
    let budget = MemoryBudget::new(100);
    budget.register(&registry).unwrap();
    let shown = |name: &str| {
        let family = registry.gather().into_iter().find(|family| family.name() == name).unwrap();
        family.get_metric()[0].get_gauge().get_value()
    };
    let permit = budget.try_acquire(40).unwrap();
    assert_eq!((shown("memory_budget_used_bytes"), shown("memory_budget_limit_bytes")), (40.0, 100.0));
    drop(permit);
    assert_eq!(shown("memory_budget_used_bytes"), 0.0);
}

#[test]
fn the_default_is_bounded_and_meminfo_is_read() {
    assert!((1 << 20..=BYTES_DEFAULT_MAX).contains(&memory_bytes_default()));
    assert_eq!(total_of_meminfo("MemTotal:       16384 kB\nMemFree: 1 kB\n"), Some(16 << 20));
    assert_eq!(total_of_meminfo("nothing"), None);
}
