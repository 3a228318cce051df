//! Finding traces.

mod conditions;
mod window;

pub(super) use conditions::*;
pub(super) use window::*;
