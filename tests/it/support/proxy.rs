//! A TCP proxy that slows down, cuts and refuses connections, as a test tells it.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::sync_channel;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// Parts of a stream that are on their way, at most: beyond it the sender is held back.
const PARTS_MAX: usize = 256;

/// Stands between a server and its clients until it is dropped; then nothing passes any more.
pub(crate) struct Proxy {
    address: SocketAddr,
    state: Arc<State>,
}

struct State {
    to: Mutex<SocketAddr>,
    latency_ms: AtomicU64,
    is_away: AtomicBool,
    is_over: AtomicBool,
    /// Both ends of every connection.
    streams: Mutex<Vec<TcpStream>>,
}

impl Proxy {
    /// A port of its own before the server at `to`.
    pub(crate) fn before(to: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let state = Arc::new(State {
            to: Mutex::new(to),
            latency_ms: AtomicU64::new(0),
            is_away: AtomicBool::new(false),
            is_over: AtomicBool::new(false),
            streams: Mutex::default(),
        });
        let shared = Arc::clone(&state);
        std::thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                if shared.is_over.load(Ordering::SeqCst) {
                    return;
                }
                shared.connect(client);
            }
        });
        Self { address, state }
    }

    /// An address of a database with the proxy's port instead of the server's.
    pub(crate) fn in_url(&self, url: &str) -> String {
        let (before, after) = url.split_once("127.0.0.1:").expect("a server on loopback");
        let (_, path) = after.split_once('/').expect("a database");
        format!("{before}127.0.0.1:{}/{path}", self.address.port())
    }

    /// Every part of a stream takes that much longer, each way.
    pub(crate) fn set_latency(&self, latency: Duration) {
        self.state.latency_ms.store(latency.as_millis() as u64, Ordering::SeqCst);
    }

    /// Ends every connection with a reset, in the middle of whatever it was.
    pub(crate) fn reset_all(&self) {
        for stream in self.state.streams.lock().unwrap().drain(..) {
            let _ = socket2::SockRef::from(&stream).set_linger(Some(Duration::ZERO));
            let _ = stream.shutdown(Shutdown::Both);
        }
    }

    /// From now on the server is not there, or is there again.
    pub(crate) fn set_away(&self, is_away: bool) {
        self.state.is_away.store(is_away, Ordering::SeqCst);
        if is_away {
            self.reset_all();
        }
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.state.is_over.store(true, Ordering::SeqCst);
        self.reset_all();
        // Wakes up the one that accepts.
        let _ = TcpStream::connect(self.address);
    }
}

impl State {
    fn connect(self: &Arc<Self>, client: TcpStream) {
        // Dropped: closed at once.
        if self.is_away.load(Ordering::SeqCst) {
            return;
        }
        let Ok(server) = TcpStream::connect(*self.to.lock().unwrap()) else { return };
        for stream in [&client, &server] {
            stream.set_nodelay(true).unwrap();
        }
        let ways = [(&client, &server), (&server, &client)];
        let ways = ways.map(|(from, to)| (from.try_clone().unwrap(), to.try_clone().unwrap()));
        {
            let mut streams = self.streams.lock().unwrap();
            // It may have gone away just now.
            if self.is_away.load(Ordering::SeqCst) {
                return;
            }
            streams.extend([client, server]);
        }
        for (from, to) in ways {
            self.carry(from, to);
        }
    }

    /// One way: who reads notes the time, who writes waits for it.
    fn carry(self: &Arc<Self>, mut from: TcpStream, mut to: TcpStream) {
        let (parts, waiting) = sync_channel::<(Instant, Vec<u8>)>(PARTS_MAX);
        let state = Arc::clone(self);
        std::thread::spawn(move || {
            let mut bytes = vec![0; 64 << 10];
            while let Ok(read @ 1..) = from.read(&mut bytes) {
                let latency = Duration::from_millis(state.latency_ms.load(Ordering::SeqCst));
                if parts.send((Instant::now() + latency, bytes[..read].to_vec())).is_err() {
                    return;
                }
            }
        });
        std::thread::spawn(move || {
            for (due, part) in waiting {
                std::thread::sleep(due.saturating_duration_since(Instant::now()));
                if to.write_all(&part).is_err() {
                    break;
                }
            }
            let _ = to.shutdown(Shutdown::Both);
        });
    }
}
