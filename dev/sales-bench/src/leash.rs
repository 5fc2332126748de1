//! Child processes end with this program, however it ends: the kernel closes the pipe between them. A bare call, which
//! does not read its pipe, fails as soon as its endpoint has ended.

use std::ffi::OsStr;
use std::io;
use std::process::Stdio;
use std::thread;

use anyhow::Context;
use tokio::process::Command;
use tokio::sync::oneshot;

/// This program, to be started with other arguments.
pub(crate) fn own(arguments: impl IntoIterator<Item = impl AsRef<OsStr>>) -> anyhow::Result<Command> {
    let mut command = Command::new(std::env::current_exe().context("cannot find this program's executable")?);
    command.args(arguments).stdin(Stdio::piped()).kill_on_drop(true);
    Ok(command)
}

/// Resolves when standard input is closed by the parent process.
///
/// A separate thread reads it, and sleeps meanwhile: asynchronous reads would keep the process alive.
pub(crate) fn let_go() -> oneshot::Receiver<()> {
    let (closed, is_closed) = oneshot::channel();
    thread::spawn(move || {
        // The input does not matter, and an unreadable one counts as closed.
        drop(io::copy(&mut io::stdin().lock(), &mut io::sink()));
        drop(closed);
    });
    is_closed
}
