//! What only this store can get wrong; what every store owes is in the conformance suite.

mod conformance;
mod differential;
mod opening;
mod pins;
mod recovery;
mod retention;
mod support;
mod upgrade;
mod writing;
