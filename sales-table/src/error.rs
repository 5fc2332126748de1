//! Why the table cannot be read, or not be changed. It is as it was.

use sales::ports::PortError;
use thiserror::Error;

use crate::data_file::NotADataFile;
use crate::delta::LogError;

/// A failure to read or change the table.
#[derive(Debug, Error)]
pub enum TableError {
    /// A call failed.
    #[error(transparent)]
    Port(#[from] PortError),
    /// The log of the table is damaged.
    #[error(transparent)]
    Log(#[from] LogError),
    /// A file of the table is damaged.
    #[error("{0}: {1}")]
    File(String, NotADataFile),
    /// An object that the table names is not there, or no longer.
    #[error("{0} does not exist")]
    Gone(String),
    /// An object of the fold's state is damaged.
    #[error("{0} is not what a builder writes")]
    State(String),
}
