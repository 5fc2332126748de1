//! One module per command.

pub(crate) mod aws;
pub(crate) mod demo;
pub(crate) mod drill;
pub(crate) mod lake;
pub(crate) mod sql;
pub(crate) mod up;
