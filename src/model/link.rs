//! Calls between services.

/// An edge of the dependency graph over some window of time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DependencyLink {
    /// Lower-case name of the service that called.
    pub parent: String,
    /// Lower-case name of the service that was called.
    pub child: String,
    /// Calls, at least one.
    pub call_count: u64,
    /// Calls that failed, at most `call_count`.
    pub error_count: u64,
}
