//! Numbered messages with every kind of field, and the comparison of all of it with what is stored: spans field by field,
//! links and RED with what the numbers say they must be.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use serde_json::{Value, json};

use crate::support::http::{Request, send};

/// Messages begin this long before now, so that none lies in the future.
const BEGIN_BEFORE_NOW_US: u64 = 30 * 60 * 1_000_000;
/// Time between two messages.
const MESSAGE_INTERVAL_US: u64 = 1_000;
/// Spans of a message: a trace of four, and one alone.
pub(crate) const SPANS_PER_MESSAGE: u64 = 5;
/// Ids that a `traceMany` request asks for.
const TRACES_PER_REQUEST: usize = 400;

/// Makes messages by their numbers.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Messages {
    begin_us: u64,
}

/// Calls and errors.
type Count = (u64, u64);

impl Messages {
    #[allow(clippy::disallowed_methods, reason = "spans of a test have times near now, within retention")]
    pub(crate) fn new() -> Self {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
        Self { begin_us: now.as_micros() as u64 - BEGIN_BEFORE_NOW_US }
    }

    pub(crate) fn body(self, number: u64) -> String {
        let [call, alone] = self.traces(number);
        Value::from([call, alone].concat()).to_string()
    }

    /// Both traces as they must be answered.
    fn traces(self, number: u64) -> [Vec<Value>; 2] {
        // Spread over the id space, as real ids are.
        let spread = number.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
        let (call, alone) =
            (format!("{spread:016x}{:016x}", number + 1), format!("{:016x}", spread.rotate_left(17) | 1));
        let id = |index: u64| format!("{:016x}", number * SPANS_PER_MESSAGE + index + 1);
        let at = self.begin_us + number * MESSAGE_INTERVAL_US;
        let [front, back, database] = services(number);
        let mut served = json!({
            "traceId": call, "parentId": id(1), "id": id(2), "kind": "SERVER", "name": "serve", "timestamp": at + 20,
            "duration": 60 + number % 50, "localEndpoint": {"serviceName": back, "ipv4": "10.0.0.2", "port": 8080},
            "remoteEndpoint": {"ipv6": "2001:db8::1"}, "tags": {"number": number.to_string(), "text": "Grüße, 日本 🎉"},
        });
        if is_error(number) {
            served["tags"]["error"] = "card refused".into();
        }
        let call = vec![
            json!({
                "traceId": call, "id": id(0), "kind": "SERVER", "name": "get /cart", "timestamp": at, "duration": 200,
                "localEndpoint": {"serviceName": front, "ipv4": "10.0.0.1"},
                "annotations": [{"timestamp": at + 1, "value": "begun"}, {"timestamp": at + 9, "value": "\"quoted\""}],
                "tags": {"http.path": format!("/cart/{number}"), "empty": ""},
            }),
            json!({
                "traceId": call, "parentId": id(0), "id": id(1), "kind": "CLIENT", "name": "call", "timestamp": at + 10,
                "duration": 100, "localEndpoint": {"serviceName": front, "ipv4": "10.0.0.1"},
            }),
            served,
            json!({
                "traceId": call, "parentId": id(2), "id": id(3), "kind": "CLIENT", "name": "select",
                "timestamp": at + 30, "duration": 1 + number % 30, "localEndpoint": {"serviceName": back},
                "remoteEndpoint": {"serviceName": database, "port": 3306}, "debug": true,
            }),
        ];
        let alone = vec![json!({
            "traceId": alone, "id": id(4), "kind": "SERVER", "name": "alone", "timestamp": at, "duration": 7,
            "localEndpoint": {"serviceName": front}, "remoteEndpoint": {"serviceName": "caller"}, "shared": true,
        })];
        [call, alone]
    }

    /// All that is wrong with the store at `address`, in which messages `0..sent` must be, once, and nothing else.
    pub(crate) fn faults(self, address: SocketAddr, sent: u64) -> Vec<String> {
        let mut faults = Vec::new();
        let per_request = TRACES_PER_REQUEST as u64 / 2;
        for first in (0..sent).step_by(per_request as usize) {
            let numbers = first..sent.min(first + per_request);
            let expected: Vec<Vec<Value>> = numbers.flat_map(|number| self.traces(number)).collect();
            self.compare(address, expected, &mut faults);
        }
        let window = (sent * MESSAGE_INTERVAL_US).div_ceil(1_000) + 120_000;
        let window = format!("endTs={}&lookback={window}", self.begin_us / 1_000 + window - 60_000);
        let links = links(&get(address, &format!("/api/v2/dependencies?{window}")));
        let (links_expected, requests_expected) = counts(sent);
        if links != links_expected {
            faults.push(format!("links are {links:?} and not {links_expected:?}"));
        }
        let requests = requests(&get(address, &format!("/api/ext/v1/red?{window}")));
        if requests != requests_expected {
            faults.push(format!("requests are {requests:?} and not {requests_expected:?}"));
        }
        faults
    }

    fn compare(self, address: SocketAddr, expected: Vec<Vec<Value>>, faults: &mut Vec<String>) {
        let id_of = |trace: &[Value]| trace[0]["traceId"].as_str().unwrap().to_owned();
        let ids: Vec<String> = expected.iter().map(|trace| id_of(trace)).collect();
        let found = get(address, &format!("/api/v2/traceMany?traceIds={}", ids.join(",")));
        let mut found: BTreeMap<String, Vec<Value>> =
            serde_json::from_value::<Vec<Vec<Value>>>(found).unwrap().into_iter().map(|t| (id_of(&t), t)).collect();
        for expected in expected {
            let mut trace = found.remove(&id_of(&expected)).unwrap_or_default();
            trace.sort_by_key(|span| span["id"].to_string());
            if trace != expected {
                faults.push(format!("{} is not {}", Value::from(trace), Value::from(expected)));
            }
        }
    }
}

fn is_error(number: u64) -> bool {
    number.is_multiple_of(4)
}

fn services(number: u64) -> [String; 3] {
    [format!("front{}", number % 3), format!("back{}", number % 5), format!("database{}", number % 2)]
}

/// Links and requests of services that the messages must give.
fn counts(sent: u64) -> (BTreeMap<String, Count>, BTreeMap<String, Count>) {
    let (mut links, mut requests) = (BTreeMap::<String, Count>::new(), BTreeMap::<String, Count>::new());
    let add = |counts: &mut BTreeMap<String, Count>, key: String, error: bool| {
        let count = counts.entry(key).or_default();
        *count = (count.0 + 1, count.1 + u64::from(error));
    };
    for number in 0..sent {
        let ([front, back, database], error) = (services(number), is_error(number));
        add(&mut links, format!("{front}>{back}"), error);
        add(&mut links, format!("{back}>{database}"), false);
        add(&mut links, format!("caller>{front}"), false);
        add(&mut requests, front.clone(), false);
        add(&mut requests, front, false);
        add(&mut requests, back, error);
    }
    (links, requests)
}

fn get(address: SocketAddr, target: &str) -> Value {
    let response = send(address, &Request::new("GET", target)).unwrap();
    assert_eq!(response.status, 200, "{}", response.text());
    serde_json::from_str(&response.text()).unwrap()
}

fn links(answer: &Value) -> BTreeMap<String, Count> {
    let text = |link: &Value, name: &str| link[name].as_str().unwrap().to_owned();
    let number = |link: &Value, name: &str| link[name].as_u64().unwrap_or(0);
    let link = |link: &Value| {
        let edge = format!("{}>{}", text(link, "parent"), text(link, "child"));
        (edge, (number(link, "callCount"), number(link, "errorCount")))
    };
    answer.as_array().unwrap().iter().map(link).collect()
}

fn requests(answer: &Value) -> BTreeMap<String, Count> {
    let mut counts = BTreeMap::<String, Count>::new();
    for series in answer["series"].as_array().unwrap().iter().filter(|series| series["type"] == "service") {
        let count = counts.entry(series["serviceName"].as_str().unwrap().to_owned()).or_default();
        for point in series["points"].as_array().unwrap() {
            count.0 += point["calls"].as_u64().unwrap();
            count.1 += point["errors"].as_u64().unwrap_or(0);
        }
    }
    counts
}
