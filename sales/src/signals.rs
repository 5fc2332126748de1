//! The signals that ask a process to end.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};

/// A signal that asks a process to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EndSignal {
    /// SIGINT: Ctrl-C.
    Interrupt,
    /// SIGTERM: the platform stops it.
    Terminate,
    /// SIGHUP: its terminal was closed.
    Hangup,
}

impl EndSignal {
    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Interrupt => "SIGINT",
            Self::Terminate => "SIGTERM",
            Self::Hangup => "SIGHUP",
        }
    }

    /// The exit code of a process that ends by it, as a shell reports it: 128 + its number.
    #[must_use]
    pub fn exit_code(self) -> u8 {
        match self {
            Self::Hangup => 128 + 1,
            Self::Interrupt => 128 + 2,
            Self::Terminate => 128 + 15,
        }
    }

    fn kind(self) -> SignalKind {
        match self {
            Self::Interrupt => SignalKind::interrupt(),
            Self::Terminate => SignalKind::terminate(),
            Self::Hangup => SignalKind::hangup(),
        }
    }
}

/// Listens for signals, which then no longer end the process by themselves.
#[derive(Debug)]
pub struct Signals(Vec<(EndSignal, Signal)>);

impl Signals {
    /// Listens for these signals from now on.
    ///
    /// # Errors
    /// If they cannot be handled.
    pub fn listen(signals: &[EndSignal]) -> io::Result<Self> {
        signals.iter().map(|it| Ok((*it, signal(it.kind())?))).collect::<io::Result<_>>().map(Self)
    }

    /// Waits for the next one.
    pub async fn next(&mut self) -> EndSignal {
        let next = self.0.iter_mut().map(|(which, signal)| {
            Box::pin(async move {
                signal.recv().await;
                *which
            })
        });
        futures::future::select_all(next).await.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exit_codes_are_those_of_a_shell() {
        for signal in [EndSignal::Interrupt, EndSignal::Terminate, EndSignal::Hangup] {
            assert_eq!(i32::from(signal.exit_code()), 128 + signal.kind().as_raw_value(), "{}", signal.name());
        }
    }
}
