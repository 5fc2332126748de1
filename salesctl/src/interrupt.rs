//! The signals that ask a command to end: the first one lets it finish, the second one ends it immediately.

use anyhow::Context;
use sales::signals::{EndSignal, Signals};
use tokio::sync::watch;

use crate::exit::{Exit, Interrupted};

/// Reports whether and by which signal the command was asked to end. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Interrupt(watch::Receiver<Option<EndSignal>>);

impl Interrupt {
    /// Starts listening for the signals.
    pub(crate) fn listen() -> anyhow::Result<Self> {
        let all = [EndSignal::Interrupt, EndSignal::Terminate, EndSignal::Hangup];
        let mut signals = Signals::listen(&all).context("cannot listen for signals")?;
        let (heard, told) = watch::channel(None);
        tokio::spawn(async move {
            heard.send_replace(Some(signals.next().await));
            std::process::exit(signals.next().await.exit_code().into());
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
