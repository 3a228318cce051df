//! What was sent, what was answered, and the comparison with what is there.

use std::collections::HashMap;
use std::net::SocketAddr;

use crate::support::http::{Request, send};

/// Spans of one message: one trace of three spans, one of a single span.
const SPANS_PER_MESSAGE: u64 = 4;
/// Ids a `traceMany` request asks for.
const TRACES_PER_REQUEST: usize = 400;

/// What a sender knows of its message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// Answered 202.
    Acknowledged,
    /// Sent, and the connection broke or another answer came.
    Unknown,
}

/// Messages by number, and their fates.
#[derive(Debug, Default)]
pub(crate) struct Oracle {
    fates: HashMap<u64, Fate>,
}

/// Trace ids of a message.
fn trace_ids(number: u64) -> [String; 2] {
    // Spread over the id space, as real ids are.
    let spread = number.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    [format!("{spread:016x}{:016x}", number + 1), format!("{:016x}", spread.rotate_left(17) | 1)]
}

fn span_id(number: u64, index: u64) -> String {
    format!("{:016x}", number * SPANS_PER_MESSAGE + index + 1)
}

/// The body of a message.
pub(crate) fn body(number: u64) -> String {
    let [long, single] = trace_ids(number);
    let timestamp = 1_795_000_000_000_000 + number * 1_000;
    let span = |trace_id: &str, index: u64| {
        let id = span_id(number, index);
        format!(
            r#"{{"traceId":"{trace_id}","id":"{id}","name":"step{index}","timestamp":{timestamp},"duration":{},"localEndpoint":{{"serviceName":"crash{}"}},"tags":{{"number":"{number}"}}}}"#,
            index + 1,
            number % 7,
        )
    };
    format!("[{},{},{},{}]", span(&long, 0), span(&long, 1), span(&long, 2), span(&single, 3))
}

/// Posts one message; `None` when the connection broke.
pub(crate) fn post(address: SocketAddr, number: u64) -> Option<u16> {
    let request = Request::new("POST", "/api/v2/spans").header("Content-Type", "application/json");
    send(address, &request.header("Connection", "close").body(body(number))).ok().map(|response| response.status)
}

impl Oracle {
    pub(crate) fn note(&mut self, number: u64, fate: Fate) {
        self.fates.insert(number, fate);
    }

    pub(crate) fn merge(&mut self, other: Self) {
        self.fates.extend(other.fates);
    }

    pub(crate) fn acknowledged(&self) -> usize {
        self.fates.values().filter(|fate| **fate == Fate::Acknowledged).count()
    }

    /// Messages whose senders would send them again.
    pub(crate) fn unknown(&self) -> Vec<u64> {
        self.fates.iter().filter(|(_, fate)| **fate == Fate::Unknown).map(|(number, _)| *number).collect()
    }

    /// All that is wrong with the store at `address`: spans missing or doubled of acknowledged messages, parts or doubles of
    /// the others.
    pub(crate) fn faults(&self, address: SocketAddr) -> Vec<String> {
        let found = self.read_all(address);
        let mut faults = Vec::new();
        for (number, fate) in &self.fates {
            let counts: Vec<usize> =
                (0..SPANS_PER_MESSAGE).map(|index| found.get(&span_id(*number, index)).copied().unwrap_or(0)).collect();
            let whole = counts.iter().all(|count| *count == 1);
            let absent = counts.iter().all(|count| *count == 0);
            if !(whole || absent && *fate == Fate::Unknown) {
                faults.push(format!("message {number} ({fate:?}): its spans are there {counts:?} times"));
            }
        }
        faults
    }

    /// How often each span is there.
    fn read_all(&self, address: SocketAddr) -> HashMap<String, usize> {
        let ids: Vec<String> = self.fates.keys().flat_map(|number| trace_ids(*number)).collect();
        let mut found = HashMap::new();
        for ids in ids.chunks(TRACES_PER_REQUEST) {
            let target = format!("/api/v2/traceMany?traceIds={}", ids.join(","));
            let response = send(address, &Request::new("GET", &target)).unwrap();
            assert_eq!(response.status, 200, "{}", response.text());
            let traces: Vec<Vec<serde_json::Value>> = serde_json::from_str(&response.text()).unwrap();
            for span in traces.iter().flatten() {
                *found.entry(span["id"].as_str().unwrap().to_owned()).or_insert(0) += 1;
            }
        }
        found
    }
}
