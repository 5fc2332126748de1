//! The entrances in front of two fake APIs. The accelerator's stand-in: what goes where, its control API through the AWS SDK, and Terraform.
//! The name that DNS answers: what goes where.

mod accelerators;
mod endpoint_groups;
mod fake;
mod in_flight;
mod listeners;
mod name;
mod routing;
mod terraform;
