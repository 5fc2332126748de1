//! Logs: one line an event, JSON unless a terminal is watching, written by a thread of their own.

use std::io::{BufWriter, IsTerminal};

use tracing_appender::non_blocking::{NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::time::SystemTime;

/// How many lines may wait for a slow reader of the log; more are dropped rather than hold up a sale.
const WAITING_LINES: usize = 8_192;

/// How many bytes of lines are written at a time, at most.
const WRITTEN_AT_ONCE: usize = 64 * 1024;

/// The shape of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// One JSON object a line.
    Json,
    /// For people.
    Text,
}

/// How and how much to log.
#[derive(Debug)]
pub struct Logging {
    /// The shape of a line; `None` leaves it to whether standard output is a terminal.
    pub format: Option<LogFormat>,
    /// Which events are logged.
    pub filter: EnvFilter,
}

impl Logging {
    /// Logs from now on, to standard output. What waits to be written is written when the guard is dropped.
    pub fn start(self) -> WorkerGuard {
        let terminal = std::io::stdout().is_terminal();
        // That thread flushes whenever no line waits: many lines go by one write when they come thick and fast.
        let output = BufWriter::with_capacity(WRITTEN_AT_ONCE, std::io::stdout());
        let (writer, guard) = NonBlockingBuilder::default().buffered_lines_limit(WAITING_LINES).finish(output);
        let lines = tracing_subscriber::fmt()
            .with_env_filter(self.filter)
            .with_writer(writer)
            .with_timer(SystemTime)
            .with_target(false);
        match self.format.unwrap_or(if terminal { LogFormat::Text } else { LogFormat::Json }) {
            LogFormat::Json => lines.json().flatten_event(true).with_span_list(false).init(),
            LogFormat::Text => lines.with_ansi(terminal).init(),
        }
        guard
    }
}
