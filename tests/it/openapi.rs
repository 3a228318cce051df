//! The server answers what its description says, at every address the description gives.

use serde_json::Value;

use crate::support::http::{Request, Response};
use crate::support::server::{Server, Store};

const METHODS: [&str; 5] = ["get", "post", "put", "delete", "patch"];

/// A described operation at one of its addresses.
struct Operation<'a> {
    method: &'a str,
    base: String,
    path: &'a str,
    description: &'a Value,
}

fn operations(description: &Value) -> Vec<Operation<'_>> {
    let mut operations = Vec::new();
    for (path, item) in description["paths"].as_object().unwrap() {
        for method in METHODS {
            let Some(operation) = item.get(method) else { continue };
            let servers = operation.get("servers").or(item.get("servers")).unwrap_or(&description["servers"]);
            for server in servers.as_array().unwrap() {
                let base = server["url"].as_str().unwrap().trim_end_matches('/').to_owned();
                operations.push(Operation { method, base, path, description: operation });
            }
        }
    }
    operations
}

fn resolve<'a>(root: &'a Value, value: &'a Value) -> &'a Value {
    match value.get("$ref").and_then(Value::as_str) {
        Some(reference) => root.pointer(reference.trim_start_matches('#')).unwrap(),
        None => value,
    }
}

fn as_text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// A request with the example of every parameter that must be there, and with the example of the body.
fn example_request(root: &Value, operation: &Operation<'_>) -> Request {
    let mut path = operation.path.to_owned();
    let (mut query, mut headers) = (Vec::new(), Vec::new());
    for parameter in operation.description["parameters"].as_array().into_iter().flatten() {
        let parameter = resolve(root, parameter);
        if !parameter["required"].as_bool().unwrap_or(false) {
            continue;
        }
        let name = parameter["name"].as_str().unwrap();
        let example = as_text(parameter.get("example").unwrap_or_else(|| panic!("{name} has no example")));
        match parameter["in"].as_str().unwrap() {
            "path" => path = path.replace(&format!("{{{name}}}"), &example),
            "header" => headers.push((name.to_owned(), example)),
            _ => query.push(format!("{name}={example}")),
        }
    }
    let query = if query.is_empty() { String::new() } else { format!("?{}", query.join("&")) };
    let request = Request::new(&operation.method.to_uppercase(), &format!("{}{path}{query}", operation.base));
    let request = headers.iter().fold(request, |request, (name, value)| request.header(name, value));
    let Some(schema) = operation.description.pointer("/requestBody/content/application~1json/schema") else {
        return request;
    };
    let schema = resolve(root, schema);
    let example = match schema.get("items") {
        Some(item) => Value::Array(vec![resolve(root, item)["example"].clone()]),
        None => schema["example"].clone(),
    };
    request.header("Content-Type", "application/json").body(example.to_string())
}

/// Fails unless the status, and the media type of a body, are described.
fn assert_described(root: &Value, operation: &Operation<'_>, request: &Request, response: &Response) {
    let place = format!("{} {} answered {}", request.method, request.target, response.status);
    let described = &operation.description["responses"][response.status.to_string()];
    assert!(described.is_object(), "{place}, which is not described: {}", response.text());
    let content = resolve(root, described).get("content").and_then(Value::as_object);
    match (content, response.header("content-type")) {
        (None, found) => assert!(response.body.is_empty(), "{place} with a body, which is not described: {found:?}"),
        (Some(content), Some(found)) => {
            let known = content.contains_key(found) || content.contains_key("*/*");
            assert!(known, "{place} with {found}, which is not described");
        }
        (Some(_), None) => panic!("{place} without a media type"),
    }
}

#[test]
fn every_described_path_answers_as_described() {
    let server = Server::start(Store::Sqlite, &[("PIN_ENABLED", "true")]);
    let root = server.get("/api/ext/v1/openapi.json").json();
    let operations = operations(&root);
    assert!(operations.len() > 40, "{}", operations.len());
    // What is posted first is there to be read.
    let mut ordered: Vec<&Operation<'_>> = operations.iter().collect();
    let comes_later = |operation: &Operation<'_>| (operation.method != "post", operation.path.contains("/pin"));
    ordered.sort_by_key(|operation| comes_later(operation));
    for operation in ordered {
        let request = example_request(&root, operation);
        let response = server.send(&request);
        assert_described(&root, operation, &request, &response);
        let found = response.status < 400 || operation.path == "/zipkin/{path}";
        assert!(found, "{} {}: {} {}", request.method, request.target, response.status, response.text());
    }
}

#[test]
fn methods_that_are_not_described_are_not_served() {
    let server = Server::start(Store::Memory, &[("PIN_ENABLED", "true")]);
    let root = server.get("/api/ext/v1/openapi.json").json();
    let operations = operations(&root);
    for operation in &operations {
        for method in METHODS {
            let same = |other: &&Operation<'_>| other.path == operation.path && other.base == operation.base;
            if operations.iter().filter(same).any(|other| other.method == method) {
                continue;
            }
            let mut request = example_request(&root, operation);
            request.method = method.to_uppercase();
            let status = server.send(&request).status;
            // Redirects answer any method, as zipkin's do.
            let redirect = operation.description["responses"].get("302").is_some();
            assert!(matches!(status, 404 | 405) || redirect && status == 302, "{method} {}: {status}", request.target);
        }
    }
}

#[test]
fn the_description_is_kept_by_clients_until_it_changes() {
    let server = Server::start(Store::Memory, &[("QUERY_ENABLED", "false")]);
    let first = server.get("/api/ext/v1/openapi.json");
    assert_eq!((first.status, first.header("content-type")), (200, Some("application/json; charset=utf-8")));
    let tag = first.header("etag").unwrap();
    let again = server.send(&Request::new("GET", "/api/ext/v1/openapi.json").header("If-None-Match", tag));
    assert_eq!((again.status, again.body.len()), (304, 0));
}
