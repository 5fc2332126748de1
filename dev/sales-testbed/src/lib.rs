//! The pipeline's environment on one machine, for `cargo local` and for tests.
//!
//! [`emulator`] runs an AWS emulator, [`resources`] creates each region's resources in it, [`services`] builds and
//! starts the API and the worker as [`process`]es, [`accelerator`] and [`dns`] are the two entry points in front of
//! them. [`aws_endpoint`] is a region's AWS that can be lost, and [`testing`] has what tests add: proxies that make
//! calls fail, sandboxes, and the commands as their users start them. [`user_pools`] are for clients that sign in. The system tests are in `tests/`.

pub mod accelerator;
pub mod aws_endpoint;
pub mod cargo;
pub mod dns;
pub mod emulator;
pub mod http_client;
mod http_proxy;
pub mod local_ports;
pub mod openmetrics;
pub mod process;
pub mod resources;
pub mod sealed;
pub mod services;
pub mod tcp_ports;
pub mod testing;
pub mod user_pools;
pub mod workspace;
