//! History of a region's state: the versions of its parameter that SSM keeps.

use aws_sdk_ssm::{Client, types::ParameterHistory};

use super::{Patience, RegionCloud, trouble::Trouble};

const KEY: &str = "state_parameter";

/// One version of the parameter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Version {
    /// Version number.
    pub(crate) version: i64,
    /// Value.
    pub(crate) value: String,
    /// Time of the write, in milliseconds since 1970.
    pub(crate) at_ms: Option<i64>,
    /// ARN of the writer.
    pub(crate) by: Option<String>,
    /// Description, of this write or of an earlier one.
    pub(crate) description: Option<String>,
}

impl RegionCloud {
    /// All versions that SSM has kept, at most a hundred, oldest first.
    pub(crate) async fn state_versions(&self) -> Result<Vec<Version>, Trouble> {
        let parameter = self.named(KEY, self.resources.state_parameter.as_ref())?;
        let client = Client::new(&self.sdk(Patience::Change));
        let pages = client.get_parameter_history().name(parameter).into_paginator().send();
        let pages = pages.collect::<Result<Vec<_>, _>>().await;
        let pages = pages.map_err(|error| Trouble::of_sdk(&self.key(KEY), "GetParameterHistory", error))?;
        let versions = pages.into_iter().flat_map(|page| page.parameters.unwrap_or_default());
        let mut versions: Vec<_> = versions.map(Version::of).collect();
        versions.sort_by_key(|version| version.version);
        Ok(versions)
    }
}

impl Version {
    fn of(history: ParameterHistory) -> Self {
        Self {
            version: history.version,
            value: history.value.unwrap_or_default().trim().to_owned(),
            at_ms: history.last_modified_date.and_then(|date| date.to_millis().ok()),
            by: history.last_modified_user,
            description: history.description.filter(|description| !description.is_empty()),
        }
    }
}
