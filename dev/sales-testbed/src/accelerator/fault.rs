//! Errors of the API.

use std::fmt::{self, Display};

/// An error, by its name in the SDKs.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct ApiError {
    pub(super) name: &'static str,
    pub(super) message: String,
}

impl ApiError {
    pub(super) fn new(name: &'static str, message: impl Into<String>) -> Self {
        Self { name, message: message.into() }
    }

    pub(super) fn unknown_operation(name: &str) -> Self {
        Self::new("UnknownOperationException", format!("unknown operation {name:?}"))
    }

    pub(super) fn invalid(message: impl Into<String>) -> Self {
        Self::new("InvalidArgumentException", message)
    }

    pub(super) fn limit_exceeded(message: impl Into<String>) -> Self {
        Self::new("LimitExceededException", message)
    }

    pub(super) fn accelerator_not_found(arn: &str) -> Self {
        Self::new("AcceleratorNotFoundException", format!("no accelerator {arn:?}"))
    }

    pub(super) fn listener_not_found(arn: &str) -> Self {
        Self::new("ListenerNotFoundException", format!("no listener {arn:?}"))
    }

    pub(super) fn endpoint_group_not_found(arn: &str) -> Self {
        Self::new("EndpointGroupNotFoundException", format!("no endpoint group {arn:?}"))
    }
}

impl Display for ApiError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: {}", self.name, self.message)
    }
}

impl std::error::Error for ApiError {}
