//! Logs: one line per event, JSON unless on a terminal, written by a thread of its own.

use std::io::{BufWriter, IsTerminal};

use tracing_appender::non_blocking::{NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::time::SystemTime;

/// Lines that may wait for a slow reader of the log; more are dropped instead of delaying a sale.
const WAITING_LINES: usize = 8_192;

/// Maximum bytes of a write.
const WRITTEN_AT_ONCE: usize = 64 * 1024;

/// Format of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// One JSON object per line.
    Json,
    /// Human-readable text.
    Text,
}

/// Format and filter of the log.
#[derive(Debug)]
pub struct Logging {
    /// Format of a line; `None` selects it by whether standard output is a terminal.
    pub format: Option<LogFormat>,
    /// Filter of events.
    pub filter: EnvFilter,
}

impl Logging {
    /// Starts logging to standard output. Waiting lines are written when the guard is dropped.
    pub fn start(self) -> WorkerGuard {
        let terminal = std::io::stdout().is_terminal();
        // That thread flushes whenever no line waits, so a burst of lines takes one write.
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
