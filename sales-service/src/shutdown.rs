//! Shutdown by signals: the first one stops the intake, a second one ends the process.

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// Cancelled at the first SIGTERM or SIGINT. The second one ends the process immediately.
///
/// # Errors
/// If the signals cannot be handled.
pub fn on_signals() -> std::io::Result<CancellationToken> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let shutdown = CancellationToken::new();
    let requested = shutdown.clone();
    tokio::spawn(async move {
        for signals in 1.. {
            let (name, number) = tokio::select! {
                _ = terminate.recv() => ("SIGTERM", SignalKind::terminate().as_raw_value()),
                _ = interrupt.recv() => ("SIGINT", SignalKind::interrupt().as_raw_value()),
            };
            if signals > 1 {
                tracing::warn!(signal = name, "stopped immediately: unfinished work will be retried");
                std::process::exit(128 + number);
            }
            tracing::info!(signal = name, "stopping: finishing work in flight; a second signal stops immediately");
            requested.cancel();
        }
    });
    Ok(shutdown)
}
