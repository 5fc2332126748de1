//! The entry points in front of two fake APIs. The accelerator's stand-in: routing, its control API through the AWS
//! SDK, and Terraform. The stand-in for the DNS name: routing.

mod accelerators;
mod endpoint_groups;
mod fake;
mod in_flight;
mod listeners;
mod name;
mod routing;
mod terraform;
