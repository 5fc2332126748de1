//! How a call passes through the network.

use std::time::Duration;

use super::{Call, Cloud, CloudService, CloudState, Effect, Network, Passage, Situation, milliseconds};
use crate::ports::{FailureKind, PortError, PortResult};
use crate::sale::FactId;
use crate::site_state::SiteState;

/// A process's view of the cloud in a region; the network distinguishes its calls from those of others. Cheap to clone.
#[derive(Clone)]
pub struct Client {
    pub(super) cloud: Cloud,
    pub(super) region: usize,
    pub(super) caller: u32,
}

impl Client {
    /// The switch of the client's region, whatever the network does.
    #[must_use]
    pub fn own_state(&self) -> Option<SiteState> {
        self.cloud.state(self.region)
    }

    /// The fact that can never be marked.
    #[must_use]
    pub fn resisting(&self) -> Option<FactId> {
        self.cloud.resisting()
    }

    /// A new id for a conditional write; a retry in the network repeats it.
    pub(super) fn new_attempt(&self) -> u64 {
        self.cloud.lock().next_sequence()
    }

    /// Makes a call whose effect may happen never, once or twice, early or late, as the network decides.
    pub(super) async fn call<R: Send>(
        &self,
        service: CloudService,
        operation: &'static str,
        deadline: Duration,
        effect: impl Fn(&mut CloudState, &dyn Network, Refused) -> R + Send + Sync + 'static,
    ) -> PortResult<R> {
        self.call_when(service, operation, deadline, || std::future::ready(()), effect).await
    }

    /// The same for a call that is answered once the other side is `ready`.
    pub(super) async fn call_when<R: Send, F: Future<Output = ()> + Send>(
        &self,
        service: CloudService,
        operation: &'static str,
        deadline: Duration,
        ready: impl Fn() -> F + Send + Sync,
        effect: impl Fn(&mut CloudState, &dyn Network, Refused) -> R + Send + Sync + 'static,
    ) -> PortResult<R> {
        let call = Call { region: self.region, caller: self.caller, service, operation };
        let network = &self.cloud.network;
        self.cloud.lock().calls += 1;
        let run = |refused: u32| self.cloud.look(|state| effect(state, &**network, Refused(refused)));
        let failed = |kind: FailureKind| PortError { operation, kind, detail: "as the network would have it".into() };
        match network.call(call) {
            Passage::Through { there, back, refused } => {
                pause(there).await;
                ready().await;
                let answer = run(refused);
                pause(back).await;
                Ok(answer)
            }
            Passage::Refused { after, kind } => {
                pause(after.min(deadline)).await;
                Err(failed(kind))
            }
            Passage::AnswerLost { there, back } => {
                pause(there).await;
                ready().await;
                drop(run(0));
                pause(back.min(deadline)).await;
                Err(failed(FailureKind::Unavailable))
            }
            Passage::Repeated { there, between, back } => {
                pause(there).await;
                ready().await;
                drop(run(0));
                self.cloud.lock().situations.meet(Situation::RepeatedEffect, true);
                pause(between).await;
                let answer = run(0);
                pause(back).await;
                Ok(answer)
            }
            Passage::Hanging { effect_after } => {
                if let Some(late) = effect_after {
                    self.cloud.look(|state| {
                        let due = (state.now + milliseconds(late), state.next_sequence());
                        let late: Effect = Box::new(move |state, network| {
                            state.situations.meet(Situation::LateEffect, true);
                            drop(effect(state, network, Refused(0)));
                        });
                        state.late.insert(due, late);
                    });
                }
                pause(deadline).await;
                Err(failed(FailureKind::Unavailable))
            }
            Passage::Never { takes_effect } => {
                if takes_effect {
                    ready().await;
                    drop(run(0));
                }
                std::future::pending().await
            }
        }
    }
}

/// The rejected entries of a batch, one bit each.
#[derive(Clone, Copy)]
pub(super) struct Refused(u32);

impl Refused {
    pub(super) fn entry(self, place: usize, operation: &'static str) -> PortResult<()> {
        let refused = u32::try_from(place).is_ok_and(|place| self.0.checked_shr(place).unwrap_or(0) & 1 == 1);
        let detail = || "this entry was refused".to_owned();
        if refused { Err(PortError { operation, kind: FailureKind::Unavailable, detail: detail() }) } else { Ok(()) }
    }
}

/// Fails a call with more entries than it takes.
pub(super) fn within(most: usize, entries: usize, operation: &'static str) -> PortResult<()> {
    let detail = || format!("{entries} entries in one call");
    if entries > most { Err(PortError { operation, kind: FailureKind::Rejected, detail: detail() }) } else { Ok(()) }
}

/// Whether some entries of a call were refused and others not.
pub(super) fn partly_refused<T>(results: &[PortResult<T>]) -> bool {
    results.iter().any(Result::is_err) && results.iter().any(Result::is_ok)
}

async fn pause(time: Duration) {
    if !time.is_zero() {
        tokio::time::sleep(time).await;
    }
}
