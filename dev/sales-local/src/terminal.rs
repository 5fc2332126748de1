//! The program's standard output.
//!
//! A closed pipe is not an error: further output is dropped. Any other write error does not stop what runs either, but
//! is reported in the end.

use std::{
    fmt::Display,
    future::Future,
    io::{ErrorKind, IsTerminal, Write, stdout},
    sync::OnceLock,
    time::Instant,
};

use anyhow::bail;

/// Prints one line.
pub(crate) fn line(text: impl Display) {
    write(format_args!("{text}\n"));
}

fn write(text: impl Display) {
    let mut output = stdout().lock();
    note_failure(write!(output, "{text}").and_then(|()| output.flush()));
}

/// The first error of writing to standard output.
static UNWRITTEN: OnceLock<String> = OnceLock::new();

/// Records the result of writing to standard output.
pub(crate) fn note_failure(written: std::io::Result<()>) {
    if let Err(error) = written
        && error.kind() != ErrorKind::BrokenPipe
    {
        drop(UNWRITTEN.set(error.to_string()));
    }
}

/// An error if output could not be written, other than a closed pipe.
pub(crate) fn check() -> anyhow::Result<()> {
    match UNWRITTEN.get() {
        Some(error) => bail!("standard output cannot be written: {error}"),
        None => Ok(()),
    }
}

/// Whether the output is a screen that can be redrawn.
fn is_screen() -> bool {
    stdout().is_terminal() && std::env::var_os("TERM").is_none_or(|kind| kind != "dumb")
}

/// A word of a command, quoted for a shell.
pub(crate) fn quoted(word: impl Display) -> String {
    let word = word.to_string();
    let is_plain = |character: char| character.is_ascii_alphanumeric() || "-_./:=@%+,".contains(character);
    if !word.is_empty() && word.chars().all(is_plain) { word } else { format!("'{}'", word.replace('\'', r"'\''")) }
}

/// Numbered steps of a long operation, each with its duration.
#[derive(Debug)]
pub(crate) struct Steps {
    done: usize,
    total: usize,
}

impl Steps {
    pub(crate) fn new(total: usize) -> Self {
        Self { done: 0, total }
    }

    /// A step without output of its own: its line ends with its duration.
    pub(crate) async fn quiet<T>(
        &mut self,
        what: &str,
        work: impl Future<Output = anyhow::Result<T>>,
    ) -> anyhow::Result<T> {
        self.done += 1;
        write(format_args!("[{}/{}] {what} ...", self.done, self.total));
        let started = Instant::now();
        let result = work.await;
        match result {
            Ok(_) => line(format_args!(" {:.1} s", started.elapsed().as_secs_f32())),
            Err(_) => line(" failed"),
        }
        result
    }

    /// A step with output of its own, between its line and its duration.
    pub(crate) async fn talking<T>(
        &mut self,
        what: &str,
        work: impl Future<Output = anyhow::Result<T>>,
    ) -> anyhow::Result<T> {
        self.done += 1;
        line(format_args!("[{}/{}] {what}", self.done, self.total));
        let started = Instant::now();
        let result = work.await?;
        line(format_args!("      done in {:.1} s", started.elapsed().as_secs_f32()));
        Ok(result)
    }
}

/// A few lines that change: redrawn in place on a screen, elsewhere printed again only on request.
#[derive(Debug)]
pub(crate) struct Live {
    screen: bool,
    drawn: usize,
}

impl Live {
    pub(crate) fn new() -> Self {
        Self { screen: is_screen(), drawn: 0 }
    }

    /// Whether this is redrawn in place, so that it can be shown as often as needed.
    pub(crate) fn is_redrawn(&self) -> bool {
        self.screen
    }

    /// Shows `text` in place of the previous text.
    pub(crate) fn show(&mut self, text: &str) {
        if !self.screen {
            return line(text);
        }
        // Moves back to the first line; each line is cleared before it is written, and truncated, not wrapped, at the
        // edge of the screen, since a wrapped line would add one to go back.
        let mut frame = String::from("\x1b[?7l");
        if self.drawn > 0 {
            frame.push_str(&format!("\x1b[{}A", self.drawn));
        }
        for row in text.lines() {
            frame.push_str(&format!("\r\x1b[2K{row}\n"));
        }
        frame.push_str("\x1b[?7h");
        write(frame);
        self.drawn = text.lines().count();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_quoted_where_a_shell_would_split_or_change_it() {
        assert_eq!(quoted("/srv/sales/target"), "/srv/sales/target");
        assert_eq!(quoted("/my work/it's"), r"'/my work/it'\''s'");
        assert_eq!(quoted("~/$HOME"), "'~/$HOME'");
    }
}
