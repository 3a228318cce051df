//! What only this store can get wrong; what every store owes is in the conformance suite.

mod conformance;
mod differential;
mod opening;
mod support;
mod writing;
