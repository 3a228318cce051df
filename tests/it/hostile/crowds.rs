//! Many connections that are slow, idle or greedy.

use std::path::{Path, PathBuf};

use super::*;

/// A control group whose process is killed when it takes more memory. Gone when dropped, after its process.
struct MemoryLimit(PathBuf);

impl MemoryLimit {
    /// `None` where this user may not make one: the peak of the process is compared all the same.
    fn set(process: u32, bytes: u64) -> Option<Self> {
        let (first, second) = (Path::new("/sys/fs/cgroup/memory"), Path::new("/sys/fs/cgroup"));
        let (root, file) = if first.is_dir() { (first, "memory.limit_in_bytes") } else { (second, "memory.max") };
        let folder = root.join(format!("zipkind-hostile-{process}"));
        std::fs::create_dir(&folder).ok()?;
        let limit = Self(folder);
        std::fs::write(limit.0.join(file), bytes.to_string()).ok()?;
        std::fs::write(limit.0.join("cgroup.procs"), process.to_string()).ok()?;
        Some(limit)
    }
}

impl Drop for MemoryLimit {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir(&self.0);
    }
}

fn write_all(streams: &mut [TcpStream], text: &str) {
    for stream in streams {
        let _ = stream.write_all(text.as_bytes());
    }
}

/// Everything until the server ends the connection.
fn read_to_end(stream: &mut TcpStream) -> String {
    stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    let mut bytes = Vec::new();
    match stream.read_to_end(&mut bytes) {
        Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => panic!("the connection stays open"),
        // A reset is an end as well.
        _ => String::from_utf8_lossy(&bytes).into_owned(),
    }
}

#[test]
fn slow_heads_and_slow_bodies_of_200_connections_are_ended() {
    let siege = Siege::begin(&[("HTTP_HEAD_TIMEOUT", "1s"), ("HTTP_BODY_TIMEOUT", "2s")]);
    // Each says something at once: one that is silent for a second has a slow head, too.
    let slow = |text: &str| {
        let mut stream = siege.connect();
        stream.write_all(text.as_bytes()).unwrap();
        stream
    };
    let mut heads: Vec<_> = (0..200).map(|_| slow("GET /health HTTP/1.1\r\nHost: a\r\nX-Slow: ")).collect();
    let head = "POST /api/v2/spans HTTP/1.1\r\nHost: a\r\nContent-Length: 5000\r\n\r\n";
    let mut bodies: Vec<_> = (0..200).map(|_| slow(head)).collect();
    for _ in 0..5 {
        write_all(&mut heads, "x");
        write_all(&mut bodies, "[");
        siege.until_served_again();
    }
    assert!(heads.iter_mut().all(|stream| read_to_end(stream).is_empty()));
    for stream in &mut bodies {
        let answer = read_to_end(stream);
        assert!(answer.starts_with("HTTP/1.1 408"), "{answer}");
    }
    assert_eq!(siege.metric("http_server_connections_closed_total", "slow_head"), 200.0);
    assert_eq!(siege.metric("http_request_bodies_refused_total", "\"timeout\""), 200.0);
    siege.end("200 slow heads and 200 slow bodies", 300);
}

#[test]
fn two_thousand_idle_connections_cost_little_and_end_in_time() {
    let siege = Siege::begin(&[("HTTP_IDLE_TIMEOUT", "3s")]);
    let mut idle: Vec<_> = (0..2000).map(|_| siege.connect()).collect();
    // Half of them were of use once.
    for stream in &mut idle[..1000] {
        stream.write_all(b"GET /health/live HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
    }
    siege.until_served_again();
    for stream in &mut idle[..1000] {
        assert!(read_to_end(stream).starts_with("HTTP/1.1 200"));
    }
    siege.end("2,000 idle connections", 300);
}

#[test]
fn greedy_connections_stay_within_the_memory_there_is() {
    let (connections, budget, peak_mib_max) = scaled((100, "32MiB", 256), (2000, "128MiB", 512));
    let siege = Siege::begin(&[("INGEST_MEMORY_BYTES", budget), ("MEM_MAX_BYTES", "64MiB")]);
    let limit = is_long().then(|| MemoryLimit::set(siege.server.id(), peak_mib_max * MIB));
    let is_limited = limit.as_ref().is_some_and(Option::is_some);
    let address = siege.address();
    // Within the limit of a body, and as large as it goes.
    let padding = "x".repeat((10 << 20) - 100);
    let body = format!(r#"[{{"traceId":"9","id":"9","tags":{{"padding":"{padding}"}}}}]"#);
    let request = Request::new("POST", "/api/v2/spans").body(body);
    let request = Arc::new(request);
    let attacks: Vec<_> = (0..connections)
        .map(|_| {
            let request = Arc::clone(&request);
            // All of them at once, of which the machine holds the threads easily with small stacks.
            let thread = std::thread::Builder::new().stack_size(128 << 10);
            thread.spawn(move || send(address, &request).map_or(0, |answer| answer.status)).unwrap()
        })
        .collect();
    siege.until_served_again();
    let mut counted = std::collections::BTreeMap::<u16, usize>::new();
    for attack in attacks {
        *counted.entry(attack.join().unwrap()).or_default() += 1;
    }
    eprintln!("{connections} connections x 10 MiB, in a control group of {peak_mib_max} MiB: {is_limited}");
    eprintln!("{counted:?} (0: cut before an answer was read)");
    // 202 for those that had room, 503 and 408 for those that had none.
    assert!(counted.keys().all(|status| [0, 202, 408, 503].contains(status)), "{counted:?}");
    assert!(counted.contains_key(&202), "{counted:?}");
    siege.end("greedy connections", peak_mib_max);
}
