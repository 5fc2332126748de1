//! Accepts sales over HTTP.
//!
//! A request's way: [`requests`] reads and checks it, [`routes`] says what the answer is, [`register_sale`] and
//! [`cancel_sale`] decide, [`grouped_writes`] puts new sales into the table, [`announcer`] tells the regions.

pub mod announcer;
pub mod cancel_sale;
pub mod config;
pub mod grouped_writes;
pub mod metrics;
pub mod register_sale;
pub mod requests;
pub mod routes;
pub mod server;
