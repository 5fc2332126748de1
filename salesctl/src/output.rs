//! What a command prints: tables for people, JSON for programs.

use std::{
    fmt::{self, Display},
    io::{self, Write},
    time::{Duration, Instant},
};

use anstyle::{AnsiColor, Style};
use clap::{Args, ValueEnum};
use sales::{clock::Timestamp, standard_output};
use serde::Serialize;
use tabled::{builder::Builder, settings::Padding};

/// Format of results.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// Human-readable tables
    Table,
    /// One JSON document on standard output, everything else on standard error
    Json,
}

/// The option for the format.
#[derive(Debug, Args)]
pub(crate) struct OutputOptions {
    /// Output format
    #[arg(short, long, value_enum, default_value = "table", global = true)]
    output: Format,
}

impl OutputOptions {
    /// The format.
    pub(crate) fn format(&self) -> Format {
        self.output
    }
}

/// Style: all is well.
pub(crate) const GOOD: Style = AnsiColor::Green.on_default();
/// Style: needs attention.
pub(crate) const WARNING: Style = AnsiColor::Yellow.on_default();
/// Style: wrong.
pub(crate) const BAD: Style = AnsiColor::Red.on_default();
/// Style: neutral.
pub(crate) const PLAIN: Style = Style::new();
const HEAD: Style = Style::new().bold();

/// Prints a line on standard output. If that fails, the command ends: no one reads its output.
pub(crate) fn line(text: impl Display) {
    if let Err(error) = try_line(text) {
        end_unwritten(&error);
    }
}

/// The same for a command that must clean up before [`end_unwritten`].
pub(crate) fn try_line(text: impl Display) -> io::Result<()> {
    let mut output = anstream::stdout().lock();
    writeln!(output, "{text}").and_then(|()| output.flush())
}

/// Ends a command whose standard output cannot be written.
pub(crate) fn end_unwritten(error: &io::Error) -> ! {
    std::process::exit(standard_output::unwritten(error).into())
}

/// Prints a line on standard error, for anything that is not a result.
pub(crate) fn note(text: impl Display) {
    // If no one reads it, no one misses it.
    drop(writeln!(anstream::stderr().lock(), "{text}"));
}

/// Prints a question on standard error, without a line break.
pub(crate) fn ask(question: impl Display) {
    let mut output = anstream::stderr().lock();
    drop(write!(output, "{question}").and_then(|()| output.flush()));
}

/// Prints progress: with the results in a table, apart from them in JSON.
pub(crate) fn progress(format: Format, text: impl Display) {
    match format {
        Format::Table => line(text),
        Format::Json => note(text),
    }
}

/// Interval of a meter.
const TOLD_EVERY: Duration = Duration::from_secs(2);

/// Reports the progress of a long operation on standard error, every two seconds.
#[derive(Debug)]
pub(crate) struct Meter(Instant);

impl Meter {
    /// A meter; silent for the first two seconds.
    pub(crate) fn start() -> Self {
        Self(Instant::now())
    }

    /// Reports progress, if the interval has passed.
    pub(crate) fn at(&mut self, how_far: impl Display) {
        if self.0.elapsed() >= TOLD_EVERY {
            note(how_far);
            self.0 = Instant::now();
        }
    }
}

/// A result as a JSON document of several lines.
pub(crate) fn json(result: &impl Serialize) -> anyhow::Result<()> {
    line(serde_json::to_string_pretty(result)?);
    Ok(())
}

/// A result as a JSON document of one line, where several follow each other.
pub(crate) fn json_line(result: &impl Serialize) -> anyhow::Result<()> {
    line(serde_json::to_string(result)?);
    Ok(())
}

/// One cell of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Cell(String);

impl Cell {
    /// A cell with this text.
    pub(crate) fn new(text: impl Display, style: Style) -> Self {
        Self(format!("{style}{text}{style:#}"))
    }

    /// An unknown value.
    pub(crate) fn unknown() -> Self {
        Self::new("?", WARNING)
    }
}

impl<T: Display> From<T> for Cell {
    fn from(text: T) -> Self {
        Self::new(text, PLAIN)
    }
}

/// Text in columns, in the style of kubectl.
#[derive(Debug)]
pub(crate) struct Table(Builder);

impl Table {
    /// A table with these column names.
    pub(crate) fn new(head: &[&str]) -> Self {
        let mut table = Self(Builder::new());
        table.row(head.iter().map(|name| Cell::new(name, HEAD)));
        table
    }

    /// Adds a row.
    pub(crate) fn row(&mut self, cells: impl IntoIterator<Item = Cell>) {
        self.0.push_record(cells.into_iter().map(|Cell(text)| text));
    }
}

impl Display for Table {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut table = self.0.clone().build();
        table.with(tabled::settings::Style::empty()).with(Padding::new(0, 2, 0, 0));
        // The last column is padded, too.
        let lines = table.to_string().lines().map(str::trim_end).collect::<Vec<_>>().join("\n");
        formatter.write_str(&lines)
    }
}

/// A duration in short form: `45s`, `12m`, `3h`, `2d`.
pub(crate) fn duration(duration: Duration) -> String {
    match duration.as_secs() {
        seconds @ 0..120 => format!("{seconds}s"),
        seconds @ 120..7_200 => format!("{}m", seconds / 60),
        seconds @ 7_200..172_800 => format!("{}h", seconds / 3_600),
        seconds => format!("{}d", seconds / 86_400),
    }
}

/// Time since a moment.
pub(crate) fn age(moment: Timestamp, now: Timestamp) -> String {
    duration(now.since(moment))
}

/// A number with its noun, in singular or plural.
pub(crate) fn count(number: impl Into<u64>, one: &str, many: &str) -> String {
    match number.into() {
        1 => format!("1 {one}"),
        number => format!("{number} {many}"),
    }
}

/// Whether standard output is a terminal.
pub(crate) fn is_terminal() -> bool {
    io::IsTerminal::is_terminal(&io::stdout())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_what_is_in_them_and_colours_take_no_room() {
        let mut table = Table::new(&["REGION", "STATE", "QUEUE"]);
        table.row(["sa-east-1".into(), Cell::new("ACTIVE", GOOD), 0.into()]);
        table.row(["a".into(), Cell::unknown(), "".into()]);
        let plain = anstream::adapter::strip_str(&table.to_string()).to_string();
        assert_eq!(plain, "REGION     STATE   QUEUE\nsa-east-1  ACTIVE  0\na          ?");
    }

    #[test]
    fn durations_are_said_in_their_own_unit() {
        for (seconds, said) in [(0, "0s"), (119, "119s"), (120, "2m"), (7_200, "2h"), (172_800, "2d")] {
            assert_eq!(duration(Duration::from_secs(seconds)), said);
        }
    }
}
