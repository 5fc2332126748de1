//! The signals that ask a command to end: the first one lets it finish, the second one ends it immediately.

use anyhow::Context;
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::watch,
};

use crate::exit::{Exit, Interrupted};

/// Reports whether and by which signal the command was asked to end. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Interrupt(watch::Receiver<Option<i32>>);

impl Interrupt {
    /// Starts listening for the signals.
    pub(crate) fn listen() -> anyhow::Result<Self> {
        let [mut interrupt, mut terminate, mut hangup] = [
            listen_for(SignalKind::interrupt())?,
            listen_for(SignalKind::terminate())?,
            listen_for(SignalKind::hangup())?,
        ];
        let (heard, told) = watch::channel(None);
        tokio::spawn(async move {
            for count in 1.. {
                let kind = tokio::select! {
                    _ = interrupt.recv() => SignalKind::interrupt(),
                    _ = terminate.recv() => SignalKind::terminate(),
                    _ = hangup.recv() => SignalKind::hangup(),
                };
                if count > 1 {
                    std::process::exit(128 + kind.as_raw_value());
                }
                heard.send_replace(Some(kind.as_raw_value()));
            }
        });
        Ok(Self(told))
    }

    /// Waits for a signal, and returns how the command exits.
    pub(crate) async fn heard(&self) -> Exit {
        match self.0.clone().wait_for(Option::is_some).await.ok().and_then(|signal| *signal) {
            Some(signal) => Exit::Interrupted(signal),
            // The receiver is gone: the runtime is ending.
            None => std::future::pending().await,
        }
    }

    /// How the command exits if a signal has arrived, checked between two steps that must not be cancelled.
    pub(crate) fn so_far(&self) -> Option<Exit> {
        self.0.borrow().map(Exit::Interrupted)
    }

    /// The result of `work`, which a signal cancels.
    pub(crate) async fn unless_heard<T>(&self, work: impl Future<Output = T>) -> Result<T, Interrupted> {
        tokio::select! {
            result = work => Ok(result),
            exit = self.heard() => Err(Interrupted(exit)),
        }
    }
}

fn listen_for(kind: SignalKind) -> anyhow::Result<tokio::signal::unix::Signal> {
    signal(kind).context("cannot listen for signals")
}
