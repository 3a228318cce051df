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
    let budget = MemoryBudget::new(800);
    let mut first = budget.acquire(700, SHORT).await.unwrap();
    let waiting = tokio::spawn({
        let budget = budget.clone();
        async move { budget.acquire(300, Duration::from_secs(2)).await }
    });
    tokio::task::yield_now().await;
    assert!(!waiting.is_finished() && budget.is_short());
    first.shrink_to(400);
    let second = waiting.await.unwrap().unwrap();
    assert_eq!(second.bytes(), 300);
    assert_eq!(budget.used_bytes(), 700);
    assert!(!budget.is_short());
}

#[tokio::test(start_paused = true)]
async fn a_request_that_waited_long_enough_is_refused_and_counted() {
    let budget = MemoryBudget::new(800);
    let _held = budget.acquire(600, SHORT).await.unwrap();
    let start = tokio::time::Instant::now();
    let refused = budget.acquire(101, Duration::from_secs(2)).await.unwrap_err();
    assert_eq!(refused, MemoryRefused { bytes: 101, can_ever: true });
    assert_eq!(start.elapsed(), Duration::from_secs(2));
    assert_eq!(budget.inner.refusals.get(), 1);
    assert_eq!(budget.used_bytes(), 600, "a refused request leaves nothing behind");
    assert!(!budget.is_short());
}

#[tokio::test(start_paused = true)]
async fn more_than_there_can_ever_be_is_refused_at_once() {
    let budget = MemoryBudget::new(8 << 20);
    let start = tokio::time::Instant::now();
    assert!(!budget.acquire((7 << 20) + 1, Duration::from_secs(60)).await.unwrap_err().can_ever);
    let mut permit = budget.acquire(4 << 20, SHORT).await.unwrap();
    assert!(permit.grow((3 << 20) + 1, Duration::from_secs(60)).await.is_err());
    assert_eq!(start.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn small_permits_have_a_reserve_that_large_ones_do_not_touch() {
    let budget = MemoryBudget::new(8 << 20);
    let _large = budget.acquire(7 << 20, SHORT).await.unwrap();
    assert!(budget.acquire(RESERVE_PERMIT_BYTES_MAX + 1, SHORT).await.is_err());
    let mut becomes_large = budget.empty_permit();
    becomes_large.leave_reserve_alone();
    assert!(becomes_large.grow(1, SHORT).await.is_err());
    let small: Vec<_> = (0..4).filter_map(|_| budget.try_acquire(RESERVE_PERMIT_BYTES_MAX)).collect();
    assert_eq!((small.len(), budget.used_bytes()), (4, 8 << 20));
    assert!(budget.acquire(1, SHORT).await.is_err(), "the reserve is bounded as well");
    drop(small);
    let mut grows = budget.try_acquire(RESERVE_PERMIT_BYTES_MAX).unwrap();
    assert!(!grows.try_grow(1), "a permit that grows large leaves the rest of the reserve alone");
}

#[tokio::test(start_paused = true)]
async fn a_small_request_that_waits_takes_what_is_freed_first() {
    let budget = MemoryBudget::new(8 << 20);
    let large = budget.acquire(7 << 20, SHORT).await.unwrap();
    let small = budget.acquire(RESERVE_PERMIT_BYTES_MAX, SHORT).await.unwrap();
    let mut kept: Vec<_> = (0..3).map(|_| budget.try_acquire(RESERVE_PERMIT_BYTES_MAX).unwrap()).collect();
    for held in [small, large] {
        let waiting = tokio::spawn({
            let budget = budget.clone();
            async move { budget.acquire(RESERVE_PERMIT_BYTES_MAX, Duration::from_secs(2)).await }
        });
        tokio::task::yield_now().await;
        assert!(!waiting.is_finished());
        drop(held);
        kept.push(waiting.await.unwrap().unwrap());
    }
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
