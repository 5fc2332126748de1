//! The switch, in an SSM parameter.

use std::time::Duration;

use aws_sdk_ssm::Client;

use super::{Connection, Deadline, failure};
use crate::health::Dependency;
use crate::ports::{FailureKind, PortError, PortResult, SiteSwitch};
use crate::site_state::SiteState;

/// No client waits for it, and it is read again soon.
const DEADLINE: Deadline =
    Deadline { attempts: 2, attempt: Duration::from_millis(1_500), operation: Duration::from_secs(3) };

/// [`SiteSwitch`] on SSM.
#[derive(Clone, Debug)]
pub struct SsmSiteSwitch {
    client: Client,
    parameter: String,
    dependency: Dependency,
}

impl SsmSiteSwitch {
    /// The switch in the parameter of this name or ARN.
    #[must_use]
    pub fn new(connection: &Connection, parameter: String, dependency: Dependency) -> Self {
        let config = aws_sdk_ssm::config::Builder::from(&connection.0)
            .retry_config(DEADLINE.retries())
            .timeout_config(DEADLINE.timeouts());
        Self { client: Client::from_conf(config.build()), parameter, dependency }
    }
}

impl SiteSwitch for SsmSiteSwitch {
    async fn read(&self) -> PortResult<SiteState> {
        let operation = "GetParameter";
        let answer = self.client.get_parameter().name(&self.parameter).send().await;
        let state = answer.map_err(|error| failure::of_resource(operation, error)).and_then(|answer| {
            let value = answer.parameter.and_then(|parameter| parameter.value).unwrap_or_default();
            value.parse().map_err(|_| PortError {
                operation,
                kind: FailureKind::Invalid,
                detail: format!("the parameter must be ACTIVE or PASSIVE, not {value:?}"),
            })
        });
        self.dependency.observe(operation, state)
    }
}
