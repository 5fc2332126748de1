//! Connections that ignore requests for another protocol.
//!
//! A server may ignore `Upgrade` (RFC 9110, section 7.8), and these services only speak HTTP/1.1. actix-http does not
//! ignore it: it treats `Connection: upgrade` as the end of HTTP on the connection and closes it after a response with
//! `connection: upgrade`, and it treats `Upgrade: websocket` as a body without an end. Java's client requests h2c with
//! each request. So actix-http never sees these requests: `upgrade` among the options of `Connection`, and the
//! protocols of `Upgrade`, are overwritten in the received bytes.
//!
//! This does not look for the end of a request's head, which would take a second HTTP parser that agrees with the first
//! one in everything. It checks all lines, including those of bodies: no JSON text has a line that begins with a field
//! name and a colon, since JSON names are quoted and JSON strings have no line breaks.

use std::io::{IoSlice, Result};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// A connection that hides upgrade requests from its reader.
#[derive(Debug)]
pub(super) struct NoUpgrade<S> {
    stream: S,
    line: Line,
}

impl<S> NoUpgrade<S> {
    pub(super) fn new(stream: S) -> Self {
        Self { stream, line: Line::start() }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for NoUpgrade<S> {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(context, buffer))?;
        self.line.hide_upgrade(&mut buffer.filled_mut()[before..]);
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for NoUpgrade<S> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[IoSlice<'_>],
    ) -> Poll<Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, bytes)
    }
}

const UPGRADE: &[u8] = b"upgrade";
const CONNECTION: &[u8] = b"connection";

/// The byte that overwrites hidden text: a token character, which changes either word.
const HIDDEN: u8 = b'-';

/// Position of the next byte in its line. A line may arrive in any number of pieces.
#[derive(Clone, Copy, Debug)]
enum Line {
    /// In a possible name; this many bytes of each match so far.
    Name { upgrade: Option<usize>, connection: Option<usize> },
    /// In the value of `Upgrade`.
    Protocols,
    /// In the value of `Connection`; this many bytes of the option match so far.
    Options(Option<usize>),
    /// In a line without relevance.
    Other,
}

impl Line {
    const fn start() -> Self {
        Self::Name { upgrade: Some(0), connection: Some(0) }
    }

    fn hide_upgrade(&mut self, bytes: &mut [u8]) {
        let mut rest = bytes;
        while !rest.is_empty() {
            if matches!(self, Self::Other) {
                // Most bytes are in such lines.
                let Some(end) = rest.iter().position(|&byte| byte == b'\n') else { return };
                rest = &mut rest[end..];
            }
            let (byte, behind) = rest.split_at_mut(1);
            *self = self.after(&mut byte[0]);
            rest = behind;
        }
    }

    fn after(self, byte: &mut u8) -> Self {
        match self {
            _ if *byte == b'\n' => Self::start(),
            Self::Name { upgrade, .. } if *byte == b':' && upgrade == Some(UPGRADE.len()) => Self::Protocols,
            Self::Name { connection, .. } if *byte == b':' && connection == Some(CONNECTION.len()) => {
                Self::Options(Some(0))
            }
            Self::Name { upgrade, connection } => {
                match (matching(UPGRADE, upgrade, *byte), matching(CONNECTION, connection, *byte)) {
                    (None, None) => Self::Other,
                    (upgrade, connection) => Self::Name { upgrade, connection },
                }
            }
            Self::Protocols => {
                if byte.is_ascii_graphic() {
                    *byte = HIDDEN;
                }
                self
            }
            Self::Options(_) if b" \t,".contains(byte) => Self::Options(Some(0)),
            Self::Options(matched) => {
                let matched = matching(UPGRADE, matched, *byte);
                if matched == Some(UPGRADE.len()) {
                    *byte = HIDDEN;
                    return Self::Options(None);
                }
                Self::Options(matched)
            }
            Self::Other => self,
        }
    }
}

/// Number of bytes of `word` that match with `byte` as the next one, ignoring case.
fn matching(word: &[u8], matched: Option<usize>, byte: u8) -> Option<usize> {
    let matched = matched?;
    word.get(matched)?.eq_ignore_ascii_case(&byte).then_some(matched + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The received bytes of `sent` if it arrives in pieces of `size` bytes.
    fn read(sent: &str, size: usize) -> String {
        let (mut bytes, mut line) = (sent.as_bytes().to_vec(), Line::start());
        bytes.chunks_mut(size).for_each(|piece| line.hide_upgrade(piece));
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn what_asks_for_another_protocol_is_hidden_however_it_is_written_and_cut() {
        for (sent, expected) in [
            ("Connection: Upgrade, HTTP2-Settings\r\n", "Connection: Upgrad-, HTTP2-Settings\r\n"),
            ("connection:keep-alive,upgrade\n", "connection:keep-alive,upgrad-\n"),
            ("CONNECTION: close ,\tUPGRADE\r\n", "CONNECTION: close ,\tUPGRAD-\r\n"),
            ("Upgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n", "Upgrade: ---\r\nHTTP2-Settings: AAMAAABk\r\n"),
            ("uPgRaDe:websocket, h2c\r\n", "uPgRaDe:---------- ---\r\n"),
        ] {
            for before in ["", "POST /sales HTTP/1.1\r\nHost: upgrade\r\n", "{\"a\":1}GET / HTTP/1.1\n"] {
                for size in 1..12 {
                    let (sent, expected) = (format!("{before}{sent}\r\n"), format!("{before}{expected}\r\n"));
                    assert_eq!(read(&sent, size), expected, "in pieces of {size}");
                }
            }
        }
    }

    #[test]
    fn all_else_is_read_as_it_was_sent() {
        for sent in [
            "GET /upgrade: HTTP/1.1\r\nUpgrade-Insecure-Requests: 1\r\nX-Upgrade: h2c\r\n\r\n",
            "Connection: keep-alive, close, upgrad, HTTP2-Settings\r\n",
            "Connections: upgrade\r\nConnection-Upgrade: upgrade\r\nVary: upgrade\r\n",
            "{\n\"upgrade\": \"h2c\",\n\"connection\": \"upgrade\",\n\"product\": \"\\nupgrade: h2c\"\n}",
        ] {
            for size in [1, 3, 1024] {
                assert_eq!(read(sent, size), sent, "in pieces of {size}");
            }
        }
    }
}
