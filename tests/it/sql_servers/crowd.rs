//! Three processes write one database at once, with overlapping duplicates: equal to a recount.

use std::net::SocketAddr;

use serde_json::Value;

use super::{answers, trace};
use crate::support::http::{Request, send};
use crate::support::server::{Server, Store, database_url};

const TRACES: u64 = 150;
/// Senders that are told 503 come again; a store that never takes a message is noticed.
const TRIES_MAX: usize = 100;

/// Messages of one reporter, in groups of `of` traces.
fn messages(reporter: usize, of: u64) -> Vec<Vec<Value>> {
    let group = |first: u64| (first..(first + of).min(TRACES)).flat_map(|n| trace(n)[reporter].clone()).collect();
    (0..TRACES).step_by(of as usize).map(group).collect()
}

fn deliver(address: SocketAddr, messages: &[Vec<Value>]) {
    for message in messages {
        let body = serde_json::to_vec(message).unwrap();
        let request = Request::new("POST", "/api/v2/spans").header("Content-Type", "application/json").body(body);
        let taken = (0..TRIES_MAX).any(|_| {
            let response = send(address, &request).unwrap();
            assert!([202, 503].contains(&response.status), "{}", response.text());
            response.status == 202
        });
        assert!(taken, "no message is taken");
    }
}

fn three_processes_equal_a_recount(store: Store) {
    let url = database_url(store);
    let env = [("AUTOCOMPLETE_KEYS", "env")];
    let start = |_| Server::start_on(store, url.clone(), &env);
    let servers: Vec<Server> = (0..3).map(start).collect();
    std::thread::scope(|scope| {
        for (index, server) in servers.iter().enumerate() {
            for reporter in 0..3 {
                scope.spawn(move || {
                    // Each process gets everything, cut into other messages; one of them in reversed order.
                    let mut messages = messages(reporter, [3, 5, 8][index]);
                    if index == 1 {
                        messages.reverse();
                    }
                    deliver(server.address(), &messages);
                });
            }
        }
    });
    let recount = Server::start(Store::Memory, &env);
    (0..3).for_each(|reporter| deliver(recount.address(), &messages(reporter, 10)));
    let expected = answers(&recount, TRACES);
    for server in &servers {
        for ((path, found), (_, expected)) in answers(server, TRACES).iter().zip(&expected) {
            assert_eq!(found, expected, "{store:?} {path}");
        }
    }
}

#[test]
fn three_processes_on_one_postgres_count_everything_once() {
    three_processes_equal_a_recount(Store::Postgres);
}

#[test]
fn three_processes_on_one_mariadb_count_everything_once() {
    three_processes_equal_a_recount(Store::MysqlNative);
}
