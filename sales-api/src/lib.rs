//! Accepts sales over HTTP.
//!
//! Path of a request: [`routes`] parses and validates it, and builds the response; [`sign_in`] tells who asks; [`register_sale`], [`find_sale`] and
//! [`cancel_sale`] decide, with the resources in [`sales`]: [`grouped_writes`] puts new sales into the table, and
//! [`announcer`] publishes accepted facts. [`app`] assembles all of it and serves.

pub mod announcer;
pub mod app;
pub mod cancel_sale;
pub mod config;
pub mod find_sale;
pub mod grouped_writes;
pub mod metrics;
pub mod register_sale;
pub mod routes;
pub mod sales;
pub mod sign_in;
