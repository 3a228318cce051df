//! A plain HTTP/1.1 connection for posting, and the check that what was accepted can be read.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use crate::{Options, SentFormat};

/// One keep-alive connection.
pub(crate) enum Connection {
    Http { reader: BufReader<TcpStream>, head: String },
    Grpc { runtime: tokio::runtime::Runtime, client: reqwest::Client, url: String },
}

/// Ends the run: a load that is not what was asked for measures nothing.
fn give_up(reason: &dyn std::fmt::Display) -> ! {
    eprintln!("{reason}");
    std::process::exit(2);
}

impl Connection {
    /// Connects; a server that is not there ends the run.
    pub(crate) fn open(address: &str, format: SentFormat) -> Self {
        let (path, media_type) = match format {
            SentFormat::Json => ("/api/v2/spans", "application/json"),
            SentFormat::Proto3 => ("/api/v2/spans", "application/x-protobuf"),
            SentFormat::Otlp => ("/v1/traces", "application/x-protobuf"),
            SentFormat::OtlpJson => ("/v1/traces", "application/json"),
            SentFormat::Grpc => return Self::open_grpc(address, "zipkin.proto3.SpanService/Report"),
            SentFormat::OtlpGrpc => {
                let method = "opentelemetry.proto.collector.trace.v1.TraceService/Export";
                return Self::open_grpc(address, method);
            }
        };
        let stream = TcpStream::connect(address)
            .unwrap_or_else(|error| give_up(&format_args!("cannot connect to {address}: {error}")));
        let _ = stream.set_nodelay(true);
        let _ = stream.set_read_timeout(Some(Duration::from_secs(60)));
        let head = format!("POST {path} HTTP/1.1\r\nhost: {address}\r\ncontent-type: {media_type}\r\n");
        Self::Http { reader: BufReader::new(stream), head }
    }

    fn open_grpc(address: &str, method: &str) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.unwrap_or_else(|error| give_up(&error));
        let client = reqwest::Client::builder().http2_prior_knowledge().timeout(Duration::from_secs(60)).build();
        let client = client.unwrap_or_else(|error| give_up(&error));
        Self::Grpc { runtime, client, url: format!("http://{address}/{method}") }
    }

    /// Posts a message; true when it was accepted.
    pub(crate) fn post(&mut self, body: &[u8]) -> bool {
        match self {
            Self::Http { reader, head } => {
                exchange(reader, head, body).unwrap_or_else(|error| give_up(&format_args!("connection lost: {error}")))
            }
            Self::Grpc { runtime, client, url } => runtime
                .block_on(call(client, url, body))
                .unwrap_or_else(|error| give_up(&format_args!("connection lost: {error}"))),
        }
    }
}

/// A unary call. A refusal has its status in the head, a success after the message, which is there then.
async fn call(client: &reqwest::Client, url: &str, message: &[u8]) -> reqwest::Result<bool> {
    let mut frame = Vec::with_capacity(5 + message.len());
    frame.push(0);
    frame.extend_from_slice(&(message.len() as u32).to_be_bytes());
    frame.extend_from_slice(message);
    let request = client.post(url).header("content-type", "application/grpc").header("te", "trailers");
    let answer = request.body(frame).send().await?;
    let refused = answer.headers().get("grpc-status").is_some_and(|status| status != "0");
    let succeeded = answer.status().is_success() && !refused;
    Ok(answer.bytes().await?.len() >= 5 && succeeded)
}

fn exchange(reader: &mut BufReader<TcpStream>, head: &str, body: &[u8]) -> std::io::Result<bool> {
    let mut request = Vec::with_capacity(head.len() + 32 + body.len());
    request.extend_from_slice(head.as_bytes());
    write!(request, "content-length: {}\r\n\r\n", body.len())?;
    request.extend_from_slice(body);
    reader.get_mut().write_all(&request)?;
    let mut line = String::new();
    reader.read_line(&mut line)?;
    let status = line.split_whitespace().nth(1).unwrap_or_default().to_owned();
    let mut length = 0_usize;
    loop {
        line.clear();
        if reader.read_line(&mut line)? == 0 {
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
    reader.read_exact(&mut answer)?;
    Ok(matches!(status.as_str(), "200" | "202"))
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
