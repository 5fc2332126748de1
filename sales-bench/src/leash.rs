//! What this program starts of itself ends with it, whatever ends it: the kernel closes the pipe between them.

use std::io;
use std::thread;

use tokio::sync::oneshot;

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
