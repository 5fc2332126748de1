//! The switch of each region.

use std::time::Duration;

use super::{Client, CloudService};
use crate::ports::{FailureKind, PortError, PortResult, SiteSwitch};
use crate::site_state::SiteState;

/// The real one's deadline.
const DEADLINE: Duration = Duration::from_secs(3);

/// [`SiteSwitch`] in memory.
#[derive(Clone)]
pub struct MemorySiteSwitch(Client);

impl Client {
    /// The switch.
    #[must_use]
    pub fn site_switch(&self) -> MemorySiteSwitch {
        MemorySiteSwitch(self.clone())
    }
}

impl SiteSwitch for MemorySiteSwitch {
    async fn read(&self) -> PortResult<SiteState> {
        let (region, operation) = (self.0.region, "GetParameter");
        let state =
            self.0.call(CloudService::Switch, operation, DEADLINE, move |state, _, _| state.switches[region]).await?;
        state.ok_or(PortError { operation, kind: FailureKind::Missing, detail: "there is no such parameter".into() })
    }
}
