//! Plays one case.

use serde_json::Value;

use super::NAMES_THE_STORE;
use super::expectation::check;
use crate::support::http::{Request, send};
use crate::support::read_json;
use crate::support::server::{Server, Store};

/// A recorded case.
pub(super) struct Case {
    json: Value,
}

/// Reads a case by its name.
pub(super) fn load(name: &str) -> Case {
    let json = read_json(&format!("recorded/{name}.json"));
    assert_eq!(json["name"], name);
    Case { json }
}

impl Case {
    pub(super) fn is_quirk(&self) -> bool {
        self.json["quirk"] == true
    }

    /// Its POST requests.
    pub(super) fn posts(&self) -> Vec<Request> {
        let steps = self.json["steps"].as_array().expect("steps").iter();
        steps.map(request).filter(|request| request.method == "POST").collect()
    }

    pub(super) fn env(&self) -> Vec<(&str, &str)> {
        let env = self.json["env"].as_object();
        env.into_iter().flatten().map(|(name, value)| (name.as_str(), value.as_str().expect("text"))).collect()
    }
}

/// What differs from the recording, in words; empty when the case passes. Stops at the first step that differs.
pub(super) fn replay(store: Store, name: &str) -> Vec<String> {
    let case = load(name);
    let server = Server::start(store, &case.env());
    for (index, step) in case.json["steps"].as_array().expect("steps").iter().enumerate() {
        let request = request(step);
        let expect = expectation(&server, name, &step["expect"]);
        let mut problems = match send(server.address(), &request) {
            Ok(response) => check(&expect, &response),
            Err(error) => vec![format!("request failed: {error}")],
        };
        if !problems.is_empty() {
            let target: String = request.target.chars().take(160).collect();
            problems.insert(0, format!("step {} {} {target}", index + 1, request.method));
            return problems;
        }
    }
    Vec::new()
}

fn request(step: &Value) -> Request {
    let text = |name: &str| step[name].as_str().expect("text");
    let mut request = Request::new(text("method"), text("path"));
    for (name, value) in step["headers"].as_object().into_iter().flatten() {
        request = request.header(name, value.as_str().expect("text"));
    }
    request.body = body(step);
    request
}

fn body(step: &Value) -> Option<Vec<u8>> {
    if let Some(base64) = step["body_base64"].as_str() {
        return Some(decode_base64(base64));
    }
    if let Some(recipe) = step["body_gen"].as_object() {
        let part = |name: &str| recipe.get(name).and_then(Value::as_str).unwrap_or_default();
        let count = recipe["count"].as_u64().expect("a number") as usize;
        return Some(format!("{}{}{}", part("prefix"), part("unit").repeat(count), part("suffix")).into_bytes());
    }
    step["body"].as_str().map(|text| text.as_bytes().to_vec())
}

pub(super) fn decode_base64(text: &str) -> Vec<u8> {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.decode(text).expect("base64")
}

/// The recording, with the name of the store that is tested.
fn expectation(server: &Server, name: &str, expect: &Value) -> Value {
    let mut expect = expect.clone();
    if let (true, Some(body)) = (NAMES_THE_STORE.contains(&name), expect["body"].as_str()) {
        expect["body"] = body.replace("InMemoryStorage{}", &server.store_health_name()).into();
    }
    expect
}
