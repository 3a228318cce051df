//! The limit of open files, which a shell sets low and connections need high.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tracing::warn;

/// Files that are open besides connections: database, logs, listeners.
const OTHER_FILES: u64 = 64;

/// Raises the limit as far as this user may, and warns when it is lower than the most connections need.
pub(super) fn raise_limit(connections_max: usize) {
    let limit = getrlimit(Resource::Nofile);
    let needed = connections_max as u64 + OTHER_FILES;
    let allowed = limit.maximum.unwrap_or(u64::MAX);
    // Raised no further than needed: some kernels keep a table of this size for each process.
    let wanted = needed.min(allowed);
    if limit.current.is_some_and(|current| current < wanted) {
        let raised = Rlimit { current: Some(wanted), maximum: limit.maximum };
        if let Err(error) = setrlimit(Resource::Nofile, raised) {
            warn!(%error, files_wanted = wanted, "the limit of open files could not be raised");
            return;
        }
    }
    if wanted < needed {
        warn!(files_allowed = wanted, connections_max, "fewer files may be open than HTTP_CONNECTIONS_MAX asks for");
    }
}
