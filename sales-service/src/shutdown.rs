//! Shutdown by signals: the first one stops the intake, a second one ends the process.

use sales::signals::{EndSignal, Signals};
use tokio_util::sync::CancellationToken;

use crate::telemetry;

/// Cancelled at the first SIGTERM or SIGINT. The second one ends the process immediately.
///
/// # Errors
/// If the signals cannot be handled.
pub fn on_signals() -> std::io::Result<CancellationToken> {
    let mut signals = Signals::listen(&[EndSignal::Terminate, EndSignal::Interrupt])?;
    let shutdown = CancellationToken::new();
    let requested = shutdown.clone();
    tokio::spawn(async move {
        let first = signals.next().await.name();
        tracing::info!(signal = first, "stopping: finishing work in flight; a second signal stops immediately");
        requested.cancel();
        let second = signals.next().await;
        tracing::warn!(signal = second.name(), "stopped immediately: unfinished work will be retried");
        telemetry::flush();
        std::process::exit(second.exit_code().into());
    });
    Ok(shutdown)
}
