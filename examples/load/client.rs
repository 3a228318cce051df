//! A plain HTTP/1.1 connection for posting, and the check that what was accepted can be read.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use crate::Options;

/// One keep-alive connection.
pub(crate) struct Connection {
    reader: BufReader<TcpStream>,
    head: String,
}

impl Connection {
    /// Connects; a server that is not there ends the run.
    pub(crate) fn open(address: &str, format: &str) -> Self {
        let stream = TcpStream::connect(address).unwrap_or_else(|error| {
            eprintln!("cannot connect to {address}: {error}");
            std::process::exit(2);
        });
        let _ = stream.set_nodelay(true);
        let _ = stream.set_read_timeout(Some(Duration::from_secs(60)));
        let media_type = if format == "json" { "application/json" } else { "application/x-protobuf" };
        let head = format!("POST /api/v2/spans HTTP/1.1\r\nhost: {address}\r\ncontent-type: {media_type}\r\n");
        Self { reader: BufReader::new(stream), head }
    }

    /// Posts a message; true for 202.
    pub(crate) fn post(&mut self, body: &[u8]) -> bool {
        self.exchange(body).unwrap_or_else(|error| {
            eprintln!("connection lost: {error}");
            std::process::exit(2);
        })
    }

    fn exchange(&mut self, body: &[u8]) -> std::io::Result<bool> {
        let mut request = Vec::with_capacity(self.head.len() + 32 + body.len());
        request.extend_from_slice(self.head.as_bytes());
        write!(request, "content-length: {}\r\n\r\n", body.len())?;
        request.extend_from_slice(body);
        self.reader.get_mut().write_all(&request)?;
        let mut line = String::new();
        self.reader.read_line(&mut line)?;
        let status = line.split_whitespace().nth(1).unwrap_or_default().to_owned();
        let mut length = 0_usize;
        loop {
            line.clear();
            if self.reader.read_line(&mut line)? == 0 {
                return Err(std::io::ErrorKind::UnexpectedEof.into());
            }
            if line == "\r\n" {
                break;
            }
            if let Some((name, value)) = line.split_once(':')
                && name.eq_ignore_ascii_case("content-length")
            {
                length = value.trim().parse().unwrap_or(0);
            }
        }
        let mut answer = vec![0; length];
        self.reader.read_exact(&mut answer)?;
        Ok(status == "202")
    }
}

/// Reads a sample of traces and counts the accepted spans that are not in the answers.
pub(crate) fn read_back(options: &Options, samples: &[(String, Vec<String>)]) -> usize {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let Ok(runtime) = runtime else { std::process::exit(2) };
    let step = (samples.len() / options.read_back.max(1)).max(1);
    let chosen = samples.iter().step_by(step).take(options.read_back);
    runtime.block_on(async {
        let client = reqwest::Client::new();
        let mut missing = 0;
        for (trace_id, expected) in chosen {
            let url = format!("http://{}/api/v2/trace/{trace_id}", options.address);
            let found = span_ids(&client, &url).await;
            missing += expected.iter().filter(|id| !found.contains_key(*id)).count();
        }
        missing
    })
}

async fn span_ids(client: &reqwest::Client, url: &str) -> HashMap<String, usize> {
    let mut found = HashMap::new();
    // zipkin-server stores after its answer, so a trace may need a moment to be there.
    for _ in 0..20 {
        if let Ok(answer) = client.get(url).send().await
            && let Ok(spans) = answer.json::<Vec<serde_json::Value>>().await
        {
            for span in spans {
                *found.entry(span["id"].as_str().unwrap_or_default().to_owned()).or_insert(0) += 1;
            }
            return found;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    found
}
