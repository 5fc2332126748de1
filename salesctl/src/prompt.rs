//! Confirmation before a change.

use std::io::{IsTerminal, stdin};

use anyhow::Context;
use tokio::io::{AsyncBufReadExt, BufReader};

use crate::{config::InvalidConfig, output};

/// Asks for confirmation. Without a terminal, the command needs `--yes`.
pub(crate) async fn confirm(question: &str) -> anyhow::Result<bool> {
    if !stdin().is_terminal() {
        return Err(InvalidConfig::new("nothing was done: no terminal to confirm on; pass --yes").into());
    }
    output::ask(format_args!("{question} [y/N] "));
    let mut answer = String::new();
    BufReader::new(tokio::io::stdin()).read_line(&mut answer).await.context("cannot read the answer")?;
    Ok(matches!(answer.trim().to_lowercase().as_str(), "y" | "yes"))
}
