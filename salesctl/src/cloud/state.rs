//! The parameter that says whether a region processes sales.

use aws_sdk_ssm::{Client, types::ParameterType};
use sales::{
    clock::{Clock, Timestamp},
    site_state::SiteState,
};
use serde::Serialize;

use super::{Patience, RegionCloud, reason, trouble::Trouble};

const KEY: &str = "state_parameter";

/// The value of the parameter, and the time of its last change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct StateParameter {
    /// `ACTIVE`, `PASSIVE`, or an invalid value.
    pub(crate) value: String,
    /// Time of the last write, in seconds since 1970.
    pub(crate) since: Option<i64>,
}

impl StateParameter {
    /// The state, unless the value is invalid.
    pub(crate) fn site_state(&self) -> Option<SiteState> {
        self.value.parse().ok()
    }

    /// Time of the last write.
    pub(crate) fn since(&self) -> Option<Timestamp> {
        self.since.and_then(Timestamp::from_unix_seconds)
    }
}

impl RegionCloud {
    /// Reads the region's state parameter.
    pub(crate) async fn state(&self) -> Result<StateParameter, Trouble> {
        let parameter = self.named(KEY, self.resources.state_parameter.as_ref())?;
        let answer = Client::new(&self.sdk(Patience::Glance)).get_parameter().name(parameter).send().await;
        let answer = answer.map_err(|error| Trouble::of_sdk(&self.key(KEY), "GetParameter", error))?;
        let parameter = answer.parameter.ok_or_else(|| Trouble::new("GetParameter: no parameter in the response"))?;
        Ok(StateParameter {
            value: parameter.value.unwrap_or_default().trim().to_owned(),
            since: parameter.last_modified_date.map(|date| date.secs()),
        })
    }

    /// Writes the region's state; `reason` is stored with it.
    pub(crate) async fn set_state(&self, state: SiteState, reason: Option<&str>) -> Result<(), Trouble> {
        let parameter = self.named(KEY, self.resources.state_parameter.as_ref())?;
        let client = Client::new(&self.sdk(Patience::Change));
        let description = reason::written(reason, Clock::system().now().unix_seconds());
        let request = client.put_parameter().name(parameter).value(state.name()).description(description);
        let answer = request.r#type(ParameterType::String).overwrite(true).send().await;
        answer.map(drop).map_err(|error| Trouble::of_sdk(&self.key(KEY), "PutParameter", error))
    }
}
