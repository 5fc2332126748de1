//! Accepts sales over HTTP.
//!
//! A request's way: [`routes`] reads and checks it and says what the answer is; [`register_sale`], [`find_sale`] and
//! [`cancel_sale`] decide, with what [`sales`] holds for them: [`grouped_writes`] puts new sales into the table, [`announcer`]
//! publishes what was accepted. [`app`] puts it together and serves.

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
