//! A listening socket that outlives the process: what systemd does, done here by the test, which holds the socket.

use std::collections::HashMap;
use std::io::BufReader;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use crate::binary::{PATIENCE, Process, zipkind};
use crate::support::http::{Request, Response, read_response, send};

/// Moves the sockets the test gives as standard input and standard error to where `LISTEN_FDS` wants them.
const HAND_OVER_ONE: &str = r#"exec 3<&0 0</dev/null; LISTEN_FDS=1 LISTEN_PID=$$ exec "$0""#;
const HAND_OVER_TWO: &str = r#"exec 3<&0 4<&2 0</dev/null 2>&1; LISTEN_FDS=2 LISTEN_PID=$$ exec "$0""#;
const RESTARTS: usize = 4;
/// Messages each client gets through between two restarts.
const MESSAGES_BETWEEN: u64 = 40;

fn inheriting(script: &str, directory: &Path, variables: &[(&str, &str)], socket: &TcpListener) -> Command {
    let mut command = Command::new("bash");
    let binary = zipkind(directory, variables);
    command.args(["-c", script]).arg(binary.get_program()).env_clear().current_dir(directory);
    let settings = binary.get_envs().filter_map(|(name, value)| Some((name, value?)));
    command.envs(settings).env("LOG_FORMAT", "json").env("PATH", "/usr/bin:/bin");
    let socket: OwnedFd = socket.try_clone().unwrap().into();
    command.stdin(Stdio::from(socket)).stdout(Stdio::piped());
    command
}

fn start(directory: &Path, variables: &[(&str, &str)], socket: &TcpListener) -> Process {
    Process::from_child(inheriting(HAND_OVER_ONE, directory, variables, socket).spawn().unwrap())
}

/// One client: posts spans until it is told to stop, and keeps the ids of those that were acknowledged.
struct Client {
    address: SocketAddr,
    keep_alive: bool,
    connection: Option<BufReader<TcpStream>>,
}

impl Client {
    fn post(&mut self, body: String) -> std::io::Result<Response> {
        let request = Request::new("POST", "/api/v2/spans").header("Content-Type", "application/json").body(body);
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => {
                let stream = TcpStream::connect(self.address)?;
                stream.set_read_timeout(Some(PATIENCE))?;
                stream.set_nodelay(true)?;
                BufReader::new(stream)
            }
        };
        request.write_to(self.address, connection.get_mut())?;
        let response = read_response(&mut connection, false)?;
        if self.keep_alive && response.header("connection") != Some("close") {
            self.connection = Some(connection);
        }
        Ok(response)
    }
}

/// What one client did: ids by trace, and everything that went wrong.
#[derive(Default)]
struct Done {
    acknowledged: Vec<(u64, u64)>,
    failures: Vec<String>,
}

fn run_client(number: u64, address: SocketAddr, stop: Arc<AtomicBool>, count: Arc<AtomicU64>) -> JoinHandle<Done> {
    std::thread::spawn(move || {
        let mut client = Client { address, keep_alive: number.is_multiple_of(2), connection: None };
        let mut done = Done::default();
        let mut id = 0;
        while !stop.load(Ordering::Relaxed) {
            id += 1;
            let trace_id = number * 1_000 + id / 20 + 1;
            let body = format!(r#"[{{"traceId":"{trace_id:x}","id":"{id:x}","timestamp":1472470996199000}}]"#);
            match client.post(body) {
                Ok(response) if response.status == 202 => done.acknowledged.push((trace_id, id)),
                Ok(response) => done.failures.push(format!("{}: {}", response.status, response.text())),
                Err(error) => done.failures.push(error.to_string()),
            }
            count.fetch_add(1, Ordering::Relaxed);
        }
        done
    })
}

fn wait_for_messages(counts: &[Arc<AtomicU64>], more: u64) {
    let goals: Vec<u64> = counts.iter().map(|count| count.load(Ordering::Relaxed) + more).collect();
    let start = Instant::now();
    while counts.iter().zip(&goals).any(|(count, goal)| count.load(Ordering::Relaxed) < *goal) {
        assert!(start.elapsed() < PATIENCE, "the clients get no answers");
        std::thread::sleep(Duration::from_millis(2));
    }
}

#[test]
fn restarts_under_load_refuse_and_reset_no_connection_and_lose_no_span() {
    let directory = tempfile::tempdir().unwrap();
    let socket = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap();
    let variables = [("STORAGE_TYPE", "sqlite"), ("SQLITE_PATH", directory.path().to_str().unwrap())];
    let mut process = start(directory.path(), &variables, &socket);
    assert_eq!(process.address(), address, "it listens on the socket it was given");

    let stop = Arc::new(AtomicBool::new(false));
    let counts: Vec<Arc<AtomicU64>> = (0..6).map(|_| Arc::default()).collect();
    let clients: Vec<_> = counts
        .iter()
        .enumerate()
        .map(|(number, count)| run_client(number as u64, address, Arc::clone(&stop), Arc::clone(count)))
        .collect();
    for _ in 0..RESTARTS {
        wait_for_messages(&counts, MESSAGES_BETWEEN);
        process.signal(Signal::SIGTERM);
        let (status, log) = process.wait();
        assert_eq!(status.code(), Some(0), "{log}");
        assert!(log.contains("ended, nothing was lost"), "{log}");
        process = start(directory.path(), &variables, &socket);
    }
    wait_for_messages(&counts, MESSAGES_BETWEEN);
    stop.store(true, Ordering::Relaxed);
    let done: Vec<Done> = clients.into_iter().map(|client| client.join().unwrap()).collect();

    let failures: Vec<&String> = done.iter().flat_map(|done| &done.failures).collect();
    assert!(failures.is_empty(), "{failures:?}");
    let mut acknowledged: HashMap<u64, Vec<u64>> = HashMap::new();
    for (trace_id, id) in done.iter().flat_map(|done| &done.acknowledged) {
        acknowledged.entry(*trace_id).or_default().push(*id);
    }
    assert!(acknowledged.values().map(Vec::len).sum::<usize>() > RESTARTS * 6 * MESSAGES_BETWEEN as usize);
    for (trace_id, ids) in acknowledged {
        let trace = send(address, &Request::new("GET", &format!("/api/v2/trace/{trace_id:x}"))).unwrap().json();
        let stored: Vec<&str> = trace.as_array().unwrap().iter().map(|span| span["id"].as_str().unwrap()).collect();
        for id in ids {
            assert!(stored.contains(&format!("{id:016x}").as_str()), "span {id:x} of trace {trace_id:x} is lost");
        }
    }
}

#[test]
fn what_memory_holds_is_acknowledged_before_the_end_and_no_client_hears_an_error() {
    let directory = tempfile::tempdir().unwrap();
    let socket = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap();
    let process = start(directory.path(), &[("STORAGE_TYPE", "mem")], &socket);
    let stop = Arc::new(AtomicBool::new(false));
    let counts: Vec<Arc<AtomicU64>> = (0..4).map(|_| Arc::default()).collect();
    let clients: Vec<_> = counts
        .iter()
        .enumerate()
        .map(|(number, count)| run_client(number as u64, address, Arc::clone(&stop), Arc::clone(count)))
        .collect();
    wait_for_messages(&counts, MESSAGES_BETWEEN);
    process.signal(Signal::SIGTERM);
    let (status, log) = process.wait();
    assert_eq!(status.code(), Some(0), "{log}");
    assert!(log.contains("ended, nothing was lost"), "{log}");
    // The clients wait in the socket's queue now; the next process answers them.
    let _next = start(directory.path(), &[("STORAGE_TYPE", "mem")], &socket);
    wait_for_messages(&counts, MESSAGES_BETWEEN);
    stop.store(true, Ordering::Relaxed);
    for client in clients {
        assert_eq!(client.join().unwrap().failures, Vec::<String>::new());
    }
}

#[test]
fn the_name_of_a_socket_says_that_it_is_for_otlp() {
    let directory = tempfile::tempdir().unwrap();
    let (main, otlp) = (TcpListener::bind("127.0.0.1:0").unwrap(), TcpListener::bind("127.0.0.1:0").unwrap());
    let variables = [("STORAGE_TYPE", "mem"), ("LISTEN_FDNAMES", "zipkind.socket:otlp-http")];
    let mut command = inheriting(HAND_OVER_TWO, directory.path(), &variables, &main);
    command.stderr(Stdio::from(OwnedFd::from(otlp.try_clone().unwrap())));
    let process = Process::from_child(command.spawn().unwrap());
    assert_eq!(process.address(), main.local_addr().unwrap());
    let export = Request::new("POST", "/v1/traces").header("Content-Type", "application/json").body("{}");
    let otlp = otlp.local_addr().unwrap();
    assert_eq!(send(otlp, &export).unwrap().status, 200);
    assert_eq!(send(otlp, &Request::new("GET", "/health")).unwrap().status, 404, "nothing else is there");
    assert_eq!(send(process.address(), &Request::new("GET", "/health")).unwrap().status, 200);
}

#[test]
fn the_service_manager_is_told_of_the_start_and_the_end() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("notify");
    let manager = UnixDatagram::bind(&path).unwrap();
    manager.set_read_timeout(Some(PATIENCE)).unwrap();
    let told = || {
        let mut buffer = [0; 256];
        let length = manager.recv(&mut buffer).unwrap();
        String::from_utf8_lossy(&buffer[..length]).trim_end().to_owned()
    };
    let variables = [("STORAGE_TYPE", "mem"), ("NOTIFY_SOCKET", path.to_str().unwrap())];
    let process = Process::start(directory.path(), &variables);
    assert_eq!(told(), "READY=1");
    process.signal(Signal::SIGTERM);
    assert_eq!(told(), "STOPPING=1");
    assert_eq!(process.wait().0.code(), Some(0));
}
