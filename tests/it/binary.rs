//! The real binary as a process, and servers in this one.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use zipkind::config::Config;
use zipkind::server::Server;

/// How long a process may take for what should take no time: long enough for a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// Tests run side by side; only those of the OTLP ports open some.
pub(crate) const NO_OTLP_PORTS: [(&str, &str); 2] =
    [("COLLECTOR_OTLP_HTTP_PORT", "0"), ("COLLECTOR_OTLP_GRPC_PORT", "0")];

/// A configuration as of these environment variables, on a free port of this machine.
pub(crate) fn configuration(variables: &[(&str, &str)]) -> Config {
    let directory = tempfile::tempdir().unwrap();
    let local = [("SERVER_ADDRESS", "127.0.0.1"), ("QUERY_PORT", "0"), ("STORAGE_TYPE", "mem")];
    let local = local.iter().chain(&NO_OTLP_PORTS);
    let pairs = local.chain(variables).map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    let environment: HashMap<String, String> = pairs.collect();
    Config::load(&[], &environment, directory.path()).unwrap()
}

/// A server in this process, over memory unless the variables say otherwise.
pub(crate) async fn server(variables: &[(&str, &str)]) -> Server {
    Server::start(configuration(variables)).await.unwrap()
}

/// The binary, without any environment but what the test gives.
pub(crate) fn zipkind(directory: &Path, variables: &[(&str, &str)]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_zipkind"));
    command.env_clear().envs(NO_OTLP_PORTS).envs(variables.iter().copied()).current_dir(directory);
    command
}

/// A running binary, its log and where it listens. Killed when dropped.
pub(crate) struct Process {
    child: Child,
    address: SocketAddr,
    log: Arc<Mutex<String>>,
    readers: Vec<JoinHandle<()>>,
}

impl Process {
    /// Starts the binary on a free port and waits until it says that it serves.
    pub(crate) fn start(directory: &Path, variables: &[(&str, &str)]) -> Self {
        let local =
            [("SERVER_ADDRESS", "127.0.0.1"), ("QUERY_PORT", "0"), ("LOG_FORMAT", "json"), ("RUST_BACKTRACE", "1")];
        let mut command = zipkind(directory, &local);
        command.envs(variables.iter().copied()).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        Self::from_child(command.spawn().expect("the server starts"))
    }

    /// A binary that was started in another way, with its output piped and its log in JSON.
    pub(crate) fn from_child(mut child: Child) -> Self {
        let log = Arc::new(Mutex::new(String::new()));
        let (sender, addresses) = sync_channel(1);
        let mut readers = vec![follow(child.stdout.take().expect("piped"), Arc::clone(&log), sender.clone())];
        readers.extend(child.stderr.take().map(|errors| follow(errors, Arc::clone(&log), sender)));
        let nowhere = SocketAddr::from(([0, 0, 0, 0], 0));
        let mut process = Self { child, address: nowhere, log, readers };
        match addresses.recv_timeout(PATIENCE) {
            Ok(address) => process.address = address,
            // Both outputs ended, because the process did; or it takes too long.
            Err(_) => panic!("the server does not serve:\n{}", process.log()),
        }
        process
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// The number of the process.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// All that it logged so far.
    pub(crate) fn log(&self) -> String {
        self.log.lock().unwrap().clone()
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.child.id() as i32), signal).unwrap();
    }

    /// Waits for the end; its status, and all that was logged.
    pub(crate) fn wait(mut self) -> (ExitStatus, String) {
        let status = wait_for(&mut self.child);
        for reader in std::mem::take(&mut self.readers) {
            reader.join().unwrap();
        }
        (status, self.log())
    }

    /// The file system as this process sees it.
    pub(crate) fn root(&self) -> std::path::PathBuf {
        format!("/proc/{}/root", self.child.id()).into()
    }

    /// Kills the one child of this process, and waits for both: for a server under a tracer.
    pub(crate) fn kill_tracee(self) {
        let id = self.child.id();
        let children = std::fs::read_to_string(format!("/proc/{id}/task/{id}/children")).unwrap();
        kill(Pid::from_raw(children.trim().parse().unwrap()), Signal::SIGKILL).unwrap();
        self.wait();
    }

    pub(crate) fn terminate(self) -> (ExitStatus, String) {
        self.signal(Signal::SIGTERM);
        self.wait()
    }
}

/// Keeps the log and looks in it for the address.
fn follow(
    output: impl Read + Send + 'static,
    log: Arc<Mutex<String>>,
    addresses: SyncSender<SocketAddr>,
) -> JoinHandle<()> {
    std::thread::spawn(move || {
        for line in BufReader::new(output).lines().map_while(Result::ok) {
            if let Some(address) = served_address(&line) {
                let _ = addresses.try_send(address);
            }
            let mut log = log.lock().unwrap();
            log.push_str(&line);
            log.push('\n');
        }
    })
}

/// The event that says so is the only one with an address.
fn served_address(line: &str) -> Option<SocketAddr> {
    let event: serde_json::Value = serde_json::from_str(line).ok()?;
    event["address"].as_str()?.parse().ok()
}

fn wait_for(child: &mut Child) -> ExitStatus {
    let start = Instant::now();
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return status;
        }
        assert!(start.elapsed() < PATIENCE, "the process does not end");
        std::thread::sleep(Duration::from_millis(5));
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
