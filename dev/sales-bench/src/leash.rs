//! What this program starts of itself ends with it, whatever ends it: the kernel closes the pipe between them. A bare call,
//! which does not look at its pipe, fails as soon as the endpoint that it calls has ended.

use std::ffi::OsStr;
use std::io;
use std::process::Stdio;
use std::thread;

use anyhow::Context;
use tokio::process::Command;
use tokio::sync::oneshot;

/// This program again, to be started with other arguments.
pub(crate) fn own(arguments: impl IntoIterator<Item = impl AsRef<OsStr>>) -> anyhow::Result<Command> {
    let mut command = Command::new(std::env::current_exe().context("cannot find this program's executable")?);
    command.args(arguments).stdin(Stdio::piped()).kill_on_drop(true);
    Ok(command)
}

/// Resolves when standard input is closed, by whoever has started this process.
///
/// It is read on a thread of its own, which sleeps meanwhile: the reads of an asynchronous one would keep the process
/// alive.
pub(crate) fn let_go() -> oneshot::Receiver<()> {
    let (closed, is_closed) = oneshot::channel();
    thread::spawn(move || {
        // What comes is of no interest, and an input that can not be read is as good as closed.
        drop(io::copy(&mut io::stdin().lock(), &mut io::sink()));
        drop(closed);
    });
    is_closed
}
