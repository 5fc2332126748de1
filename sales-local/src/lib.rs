//! Two regions on one machine: an AWS emulator, the API and the worker of each region, and the two entrances in
//! front of both.

pub mod aws_endpoint;
pub mod dns;
pub mod edge;
pub mod emulator;
pub mod http_client;
mod http_proxy;
pub mod ports;
pub mod process;
pub mod resources;
pub mod sealed;
pub mod services;
pub mod testing;
pub mod workspace;
