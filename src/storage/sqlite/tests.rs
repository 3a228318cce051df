//! What only this store can get wrong; what every store owes is in the conformance suite.

mod conformance;
mod damage;
mod differential;
mod faults;
mod opening;
mod pins;
mod recovery;
mod retention;
mod scan;
mod steps;
mod support;
mod upgrade;
mod writing;

/// What a test does at each step of housekeeping.
pub(super) struct AtStep(pub(super) Box<dyn Fn(&'static str) + Send>);

impl std::fmt::Debug for AtStep {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("AtStep")
    }
}
