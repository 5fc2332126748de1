//! The lake's table: what a row, a file and a version of it are, and how they are read.
//!
//! Begin with [`row`]: how the facts of a sale become one row, whatever their order. [`data_file`] is a file of rows;
//! [`delta`] is the log of the table by the format's own library, without a call; [`log_store`] keeps it in the bucket.
//! [`state`] remembers what of the journal is in the table, [`pace`] says how soon that is. [`objects`] reads files and state. `sales-lake` builds the table
//! with these, and `salesctl` looks into it.

pub mod data_file;
pub mod delta;
pub mod error;
pub mod log_store;
pub mod objects;
pub mod pace;
pub mod row;
pub mod state;
