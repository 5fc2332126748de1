//! The edge in front of two fake APIs: what goes where, its control API through the AWS SDK, and Terraform.

mod accelerators;
mod endpoint_groups;
mod fake;
mod in_flight;
mod listeners;
mod routing;
mod terraform;
