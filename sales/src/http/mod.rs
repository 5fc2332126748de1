//! What both services answer alike over HTTP, and how they start and stop serving.

pub mod healthcheck;
pub mod operations;
pub mod problem;
pub mod requests;
pub mod server;
pub mod tls;

pub use problem::Problem;
pub use tls::Transport;
