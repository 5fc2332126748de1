//! Connections on which no client can ask for another protocol.
//!
//! A server may ignore `Upgrade` (RFC 9110, section 7.8), and these services speak HTTP/1.1 alone. actix-http does not
//! ignore it: it takes `Connection: upgrade` for the end of HTTP on the connection and closes it after an answer that says
//! `connection: upgrade`, and it takes `Upgrade: websocket` for a body without an end. Java's client asks for h2c with each
//! request. So actix-http never gets to see what was asked: `upgrade` among the options of `Connection`, and the protocols
//! of `Upgrade`, are overwritten in what is read, byte for byte.
//!
//! Only heads are looked at. Where one ends and the next begins follows from `Content-Length` and `Transfer-Encoding`, as it
//! does for actix-http; what this reads differently, actix-http refuses and closes the connection.

use std::io::{IoSlice, Result};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// A connection that hides what asks for another protocol from who reads.
#[derive(Debug)]
pub(super) struct NoUpgrade<S> {
    stream: S,
    requests: Requests,
}

impl<S> NoUpgrade<S> {
    pub(super) fn new(stream: S) -> Self {
        Self { stream, requests: Requests::default() }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for NoUpgrade<S> {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(context, buffer))?;
        self.requests.hide_upgrade(&mut buffer.filled_mut()[before..]);
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

/// What is written over what must not be seen: a character of a token, with which neither word is what it was.
const HIDDEN: u8 = b'-';

/// The longest line of a head of which more is looked at than what must be hidden.
const LONGEST_LINE: usize = 1024;

/// What has come of the requests on a connection, in any number of pieces.
#[derive(Debug, Default)]
struct Requests {
    part: Part,
    /// Where in a line of a head the next byte is.
    line: Line,
    /// The line so far, of a head or before a chunk.
    text: Vec<u8>,
    /// How the body of the request is framed whose head is being read.
    body: Body,
    /// Whether its request line has been read: empty lines before it are ignored (RFC 9112, section 2.2).
    begun: bool,
}

/// The part of a request that the next byte is in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Part {
    #[default]
    Head,
    /// A body, or a chunk's data with its line break. `left`: bytes still to come.
    Data { left: u64, chunked: bool },
    /// The line that says how long a chunk is.
    ChunkSize,
    /// The fields behind the last chunk.
    Trailers,
}

/// How a body is framed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Body {
    #[default]
    None,
    Length(u64),
    Chunked,
}

impl Requests {
    fn hide_upgrade(&mut self, bytes: &mut [u8]) {
        let mut rest = bytes;
        while !rest.is_empty() {
            if let Part::Data { left, chunked } = self.part {
                let skipped = usize::try_from(left).map_or(rest.len(), |left| left.min(rest.len()));
                rest = &mut rest[skipped..];
                self.part = match left - skipped as u64 {
                    0 if chunked => Part::ChunkSize,
                    0 => Part::Head,
                    left => Part::Data { left, chunked },
                };
                continue;
            }
            let (byte, behind) = rest.split_at_mut(1);
            if self.part == Part::Head {
                self.line = self.line.after(&mut byte[0]);
            }
            match byte[0] {
                b'\n' => self.end_line(),
                byte if self.text.len() < LONGEST_LINE => self.text.push(byte),
                _ => {}
            }
            rest = behind;
        }
    }

    fn end_line(&mut self) {
        let text = std::mem::take(&mut self.text);
        let line = text.trim_ascii();
        self.part = match self.part {
            Part::Head if !line.is_empty() => {
                if self.begun {
                    self.body = self.body.with_field(line);
                }
                self.begun = true;
                Part::Head
            }
            Part::Head if !self.begun => Part::Head,
            Part::Head => {
                self.begun = false;
                match std::mem::take(&mut self.body) {
                    Body::None | Body::Length(0) => Part::Head,
                    Body::Length(left) => Part::Data { left, chunked: false },
                    Body::Chunked => Part::ChunkSize,
                }
            }
            Part::ChunkSize => match chunk_size(line) {
                0 => Part::Trailers,
                size => Part::Data { left: size.saturating_add(LINE_BREAK), chunked: true },
            },
            Part::Trailers if line.is_empty() => Part::Head,
            part @ (Part::Trailers | Part::Data { .. }) => part,
        };
    }
}

/// The bytes of a line break behind the data of a chunk.
const LINE_BREAK: u64 = 2;

fn chunk_size(line: &[u8]) -> u64 {
    let digits = line.iter().map_while(|&byte| char::from(byte).to_digit(16));
    digits.fold(0, |size: u64, digit| size.saturating_mul(16).saturating_add(digit.into()))
}

impl Body {
    /// As a field of the head says; a transfer coding comes before a length.
    fn with_field(self, line: &[u8]) -> Self {
        let Some(colon) = line.iter().position(|&byte| byte == b':') else { return self };
        let (name, value) = (&line[..colon], line[colon + 1..].trim_ascii());
        if name.eq_ignore_ascii_case(b"transfer-encoding") {
            return Self::Chunked;
        }
        let length = std::str::from_utf8(value).ok().and_then(|value| value.parse().ok());
        match (self, length) {
            (Self::Chunked, _) => self,
            (_, Some(length)) if name.eq_ignore_ascii_case(b"content-length") => Self::Length(length),
            _ => self,
        }
    }
}

/// Where in a line the next byte is. A line may come in any number of pieces.
#[derive(Clone, Copy, Debug)]
enum Line {
    /// In a name that may be one of the two. Holds the number of matching bytes of each.
    Name { upgrade: Option<usize>, connection: Option<usize> },
    /// In the value of `Upgrade`.
    Protocols,
    /// In the value of `Connection`. Holds the number of bytes that match the option.
    Options(Option<usize>),
    /// In a line that does not matter.
    Other,
}

impl Default for Line {
    fn default() -> Self {
        Self::Name { upgrade: Some(0), connection: Some(0) }
    }
}

impl Line {
    fn after(self, byte: &mut u8) -> Self {
        match self {
            _ if *byte == b'\n' => Self::default(),
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

/// How many bytes of `word` match with `byte` as the next one, of either case.
fn matching(word: &[u8], matched: Option<usize>, byte: u8) -> Option<usize> {
    let matched = matched?;
    word.get(matched)?.eq_ignore_ascii_case(&byte).then_some(matched + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is read of `sent` when it arrives in pieces of `size` bytes.
    fn read(sent: &str, size: usize) -> String {
        let (mut bytes, mut requests) = (sent.as_bytes().to_vec(), Requests::default());
        bytes.chunks_mut(size).for_each(|piece| requests.hide_upgrade(piece));
        String::from_utf8(bytes).unwrap()
    }

    const GET: &str = "GET / HTTP/1.1\r\nHost: upgrade\r\n";

    #[test]
    fn what_asks_for_another_protocol_is_hidden_however_it_is_written_and_cut() {
        for (sent, expected) in [
            ("Connection: Upgrade, HTTP2-Settings\r\n", "Connection: Upgrad-, HTTP2-Settings\r\n"),
            ("connection:keep-alive,upgrade\n", "connection:keep-alive,upgrad-\n"),
            ("CONNECTION: close ,\tUPGRADE\r\n", "CONNECTION: close ,\tUPGRAD-\r\n"),
            ("Upgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n", "Upgrade: ---\r\nHTTP2-Settings: AAMAAABk\r\n"),
            ("uPgRaDe:websocket, h2c\r\n", "uPgRaDe:---------- ---\r\n"),
        ] {
            for before in [
                "",
                "\r\n",
                "GET / HTTP/1.1\r\n\r\n",
                "GET / HTTP/1.1\nContent-Length: 0\n\n",
                "POST / HTTP/1.1\r\nContent-Length: 9\r\n\r\n{\n\"a\":1\n}",
                "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n2;a=b\r\n{}\r\n1A\r\n\nupgrade: 0\n\n0\r\n\r\n        \r\n0\r\n\r\n",
                "POST / HTTP/1.1\r\ncontent-length: 5\r\ntransfer-encoding: Chunked\r\n\r\n0\r\nA: b\r\n\r\n",
            ] {
                for size in 1..12 {
                    let sent = format!("{before}{GET}{sent}\r\n");
                    let expected = format!("{before}{GET}{expected}\r\n");
                    assert_eq!(read(&sent, size), expected, "in pieces of {size}");
                }
            }
        }
    }

    #[test]
    fn all_else_is_read_as_it_was_sent() {
        let body = "{\n\"upgrade\": \"h2c\",\nConnection: upgrade\r\n\r\nupgrade: h2c\n}";
        let chunks: String = body
            .as_bytes()
            .chunks(13)
            .map(|chunk| format!("{:x}\r\n{}\r\n", chunk.len(), std::str::from_utf8(chunk).unwrap()))
            .collect();
        for sent in [
            "GET /upgrade: HTTP/1.1\r\nUpgrade-Insecure-Requests: 1\r\nX-Upgrade: h2c\r\n\r\n".to_owned(),
            format!("{GET}Connection: keep-alive, close, upgrad, HTTP2-Settings\r\n\r\n"),
            format!("{GET}Connections: upgrade\r\nConnection-Upgrade: upgrade\r\nVary: upgrade\r\n\r\n"),
            format!("{GET}Content-Length: {}\r\n\r\n{body}{GET}\r\n", body.len()),
            format!("{GET}Transfer-Encoding: chunked\r\n\r\n{chunks}0\r\nUpgrade: h2c\r\n\r\n{GET}\r\n"),
            format!("{GET}Transfer-Encoding: chunked\r\n\r\n25\r\nupgrade: v2 now, connection: upgrade\n\r\n"),
        ] {
            for size in [1, 2, 3, 7, 1024] {
                assert_eq!(read(&sent, size), sent, "in pieces of {size}");
            }
        }
    }
}
