//! All that the program says on standard output.
//!
//! Someone who stops reading is no error: what is said to nobody is dropped. What cannot be written for another reason does not
//! stop what runs either, but is an error in the end.

use std::{
    fmt::Display,
    future::Future,
    io::{ErrorKind, IsTerminal, Write, stdout},
    sync::OnceLock,
    time::Instant,
};

use anyhow::bail;

/// Says one line.
pub(crate) fn line(text: impl Display) {
    write(format_args!("{text}\n"));
}

fn write(text: impl Display) {
    let mut output = stdout().lock();
    note_failure(write!(output, "{text}").and_then(|()| output.flush()));
}

/// The first reason for which standard output could not be written.
static UNWRITTEN: OnceLock<String> = OnceLock::new();

/// Notes what has become of writing on standard output.
pub(crate) fn note_failure(written: std::io::Result<()>) {
    if let Err(error) = written
        && error.kind() != ErrorKind::BrokenPipe
    {
        drop(UNWRITTEN.set(error.to_string()));
    }
}

/// An error if something could not be written, other than because nobody reads it.
pub(crate) fn check() -> anyhow::Result<()> {
    match UNWRITTEN.get() {
        Some(error) => bail!("standard output cannot be written: {error}"),
        None => Ok(()),
    }
}

/// Whether somebody sees this on a screen that can be redrawn.
fn is_screen() -> bool {
    stdout().is_terminal() && std::env::var_os("TERM").is_none_or(|kind| kind != "dumb")
}

/// A word of a command as a shell reads it back.
pub(crate) fn quoted(word: impl Display) -> String {
    let word = word.to_string();
    let is_plain = |character: char| character.is_ascii_alphanumeric() || "-_./:=@%+,".contains(character);
    if !word.is_empty() && word.chars().all(is_plain) { word } else { format!("'{}'", word.replace('\'', r"'\''")) }
}

/// The steps of something that takes a while, numbered, each with the time that it took.
#[derive(Debug)]
pub(crate) struct Steps {
    done: usize,
    total: usize,
}

impl Steps {
    pub(crate) fn new(total: usize) -> Self {
        Self { done: 0, total }
    }

    /// A step that says nothing itself: its time ends its line.
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

    /// A step whose own output follows its line, and its time that.
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

/// A few lines that change: redrawn in place on a screen, said anew elsewhere only when that is asked for.
#[derive(Debug)]
pub(crate) struct Live {
    screen: bool,
    drawn: usize,
}

impl Live {
    pub(crate) fn new() -> Self {
        Self { screen: is_screen(), drawn: 0 }
    }

    /// Whether this is redrawn in place, so that it can be shown as often as one likes.
    pub(crate) fn is_redrawn(&self) -> bool {
        self.screen
    }

    /// Shows `text` in place of what was shown before.
    pub(crate) fn show(&mut self, text: &str) {
        if !self.screen {
            return line(text);
        }
        // Back to the first line of the last time; each line cleared before it is written, and cut off, not wrapped,
        // at the edge of the screen, since a wrapped line would be one more to go back.
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
