//! Traces and messages of real programs (`tests/corpora`), posted to the server and read back, on every store.

mod clients;
mod traces;

use serde_json::Value;

use crate::support::server::{Server, Store};

/// Stamps each check on both stores.
macro_rules! on_each_store {
    ($($test:ident),* $(,)?) => {
        mod memory {
            $(
                #[test]
                fn $test() {
                    super::$test(crate::support::server::Store::Memory);
                }
            )*
        }

        mod sqlite {
            $(
                #[test]
                fn $test() {
                    super::$test(crate::support::server::Store::Sqlite);
                }
            )*
        }
    };
}
use on_each_store;

fn start(store: Store) -> Server {
    Server::start(store, &[])
}

/// The stored spans of a trace.
fn stored_trace(server: &Server, trace_id: &str) -> Value {
    let response = server.get(&format!("/api/v2/trace/{trace_id}"));
    assert_eq!(response.status, 200, "{trace_id}: {}", response.text());
    response.json()
}
