//! The edge in front of two fake APIs: what goes where, and its control API through the AWS SDK.

mod accelerators;
mod endpoint_groups;
mod fake;
mod in_flight;
mod listeners;
mod routing;
