//! The HTTP side that both services share, and how they start and stop serving.

mod expectation;
pub mod healthcheck;
mod no_upgrade;
pub mod operations;
pub mod problem;
pub mod requests;
pub mod routing;
pub mod server;
pub mod tls;

pub use problem::Problem;
pub use tls::Transport;
