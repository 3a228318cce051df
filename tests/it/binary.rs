//! The real binary as a process, and servers in this one.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use zipkind::config::Config;
use zipkind::server::Server;

/// How long a process may take for what should take no time: long enough for a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// Tests run side by side; only those of the OTLP ports open some.
const NO_OTLP_PORTS: [(&str, &str); 2] = [("COLLECTOR_OTLP_HTTP_PORT", "0"), ("COLLECTOR_OTLP_GRPC_PORT", "0")];

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

/// A running binary. Killed when dropped.
pub(crate) struct Process {
    child: Child,
    address: SocketAddr,
    log: BufReader<std::process::ChildStdout>,
    /// Lines read while waiting for the start.
    started: Vec<String>,
}

impl Process {
    /// Starts the binary on a free port and waits until it says that it serves.
    pub(crate) fn start(directory: &Path, variables: &[(&str, &str)]) -> Self {
        let mut command =
            zipkind(directory, &[("SERVER_ADDRESS", "127.0.0.1"), ("QUERY_PORT", "0"), ("LOG_FORMAT", "json")]);
        Self::from_child(command.envs(variables.iter().copied()).stdout(Stdio::piped()).spawn().unwrap())
    }

    /// A binary that was started in another way, with its output piped and its log in JSON.
    pub(crate) fn from_child(mut child: Child) -> Self {
        let log = BufReader::new(child.stdout.take().unwrap());
        let nowhere = SocketAddr::from(([0, 0, 0, 0], 0));
        let mut process = Self { child, address: nowhere, log, started: Vec::new() };
        process.address = process.wait_for_address();
        process
    }

    fn wait_for_address(&mut self) -> SocketAddr {
        loop {
            let mut line = String::new();
            let bytes = self.log.read_line(&mut line).unwrap();
            assert_ne!(bytes, 0, "the server ended before it served: {:?}", self.started);
            let event: serde_json::Value = serde_json::from_str(&line).unwrap();
            self.started.push(line);
            if let Some(address) = event["address"].as_str() {
                return address.parse().unwrap();
            }
        }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.child.id() as i32), signal).unwrap();
    }

    /// Waits for the end; its status, and all that was logged.
    pub(crate) fn wait(mut self) -> (ExitStatus, String) {
        let mut log = self.started.concat();
        self.log.read_to_string(&mut log).unwrap();
        let status = wait_for(&mut self.child);
        (status, log)
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
