//! How a server ended, and what the process tells its parent.

use std::process::ExitCode;

use tracing::{error, info};

/// Something was lost on the way out, or could not be ended in time.
const EXIT_LOST: u8 = 2;

/// How a server ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ending {
    /// Connections that were cut because their requests did not end in time.
    pub connections_cut: usize,
    /// Spans that were still waiting when the time was over. Where senders are answered when stored, they were told.
    pub spans_lost: u64,
    /// The store said that it is closed.
    pub storage_closed: bool,
}

impl Ending {
    /// True when nothing was lost.
    #[must_use]
    pub fn is_clean(self) -> bool {
        self.spans_lost == 0 && self.storage_closed
    }

    /// Status of the process: 0 when nothing was lost, else 2.
    #[must_use]
    pub fn exit_code(self) -> ExitCode {
        if self.is_clean() { ExitCode::SUCCESS } else { ExitCode::from(EXIT_LOST) }
    }

    pub(super) fn log(self) {
        if self.is_clean() {
            info!(connections_cut = self.connections_cut, "ended, nothing was lost");
        } else {
            error!(
                spans_lost = self.spans_lost,
                connections_cut = self.connections_cut,
                storage_closed = self.storage_closed,
                "ended with losses"
            );
        }
    }
}
