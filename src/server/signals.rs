//! Signals that end the process.

use std::future::Future;

use tokio::signal::unix::{Signal, SignalKind, signal};

/// Status of a process that was told twice to end.
const EXIT_FORCED: i32 = 2;

/// Listens from now on; resolves at the first signal, with its name.
pub(super) fn first() -> std::io::Result<impl Future<Output = &'static str>> {
    let (terminate, interrupt) = listen()?;
    Ok(received(terminate, interrupt))
}

/// Ends the process at once when a further signal comes: someone does not want to wait.
pub(super) fn exit_at_next() {
    let Ok((terminate, interrupt)) = listen() else { return };
    tokio::spawn(async move {
        let name = received(terminate, interrupt).await;
        tracing::error!(signal = name, "ended at once, what was waiting is lost");
        std::process::exit(EXIT_FORCED);
    });
}

fn listen() -> std::io::Result<(Signal, Signal)> {
    Ok((signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?))
}

async fn received(mut terminate: Signal, mut interrupt: Signal) -> &'static str {
    tokio::select! {
        _ = terminate.recv() => "SIGTERM",
        _ = interrupt.recv() => "SIGINT",
    }
}
