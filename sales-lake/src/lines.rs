//! The facts in the objects of the journal, part by part: an object may be of any size.
//!
//! A line that no worker writes is counted and passed over, and so is the end of an object without a line feed, unless it
//! is a whole fact: what is foreign never keeps back what is ours.

use sales::journal;
use sales::sale::Fact;

/// Bytes that are read at a time.
pub const PART: u64 = 8 * 1024 * 1024;

/// Longer lines are foreign: the longest product has 4 KiB, up to six times as many in JSON.
const LONGEST_LINE: usize = 64 * 1024;

/// The lines of one object, as far as it has been read.
#[derive(Debug, Default)]
pub struct Lines {
    begun: Vec<u8>,
    too_long: bool,
    /// Lines so far.
    pub number: u64,
    /// Foreign lines so far.
    pub foreign: u64,
    /// The first foreign line, and what is wrong with it.
    pub first_foreign: Option<(u64, String)>,
}

impl Lines {
    /// Reads the next part; `each` gets its facts.
    pub fn read(&mut self, part: &[u8], mut each: impl FnMut(Fact)) {
        let mut rest = part;
        while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
            let (line, after) = rest.split_at(end);
            if self.begun.is_empty() && !self.too_long {
                self.line(line, &mut each);
            } else {
                self.begin(line);
                self.finish(&mut each);
            }
            rest = &after[1..];
        }
        self.begin(rest);
    }

    /// Ends the object.
    pub fn end(&mut self, mut each: impl FnMut(Fact)) {
        if !self.begun.is_empty() || self.too_long {
            self.finish(&mut each);
        }
    }

    fn begin(&mut self, bytes: &[u8]) {
        if self.begun.len() + bytes.len() > LONGEST_LINE {
            self.too_long = true;
            self.begun.clear();
        } else if !self.too_long {
            self.begun.extend_from_slice(bytes);
        }
    }

    fn finish(&mut self, each: &mut impl FnMut(Fact)) {
        if std::mem::take(&mut self.too_long) {
            self.number += 1;
            self.note_foreign("line is too long".to_owned());
        } else {
            let line = std::mem::take(&mut self.begun);
            self.line(&line, each);
        }
    }

    fn line(&mut self, line: &[u8], each: &mut impl FnMut(Fact)) {
        self.number += 1;
        match std::str::from_utf8(line) {
            Ok(text) => match journal::parse(text) {
                Ok(fact) => each(fact),
                Err(error) => self.note_foreign(error.to_string()),
            },
            Err(error) => self.note_foreign(error.to_string()),
        }
    }

    fn note_foreign(&mut self, problem: String) {
        self.foreign += 1;
        let number = self.number;
        self.first_foreign.get_or_insert((number, problem));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINE: &str = r#"{"id":"0192f5c0-7c1d-7a3e-8f11-0123456789ab","product":"Livro","amount":14.5,"sale_processed":false,"timestamp":1764547199}"#;

    fn read(content: &[u8], part: usize) -> (usize, Lines) {
        let (mut lines, mut facts) = (Lines::default(), 0);
        for part in content.chunks(part) {
            lines.read(part, |_| facts += 1);
        }
        lines.end(|_| facts += 1);
        (facts, lines)
    }

    #[test]
    fn every_fact_is_read_however_the_object_is_cut() {
        let content = format!("{LINE}\n").repeat(50);
        for part in [1, 7, LINE.len(), LINE.len() + 1, 1_000, content.len()] {
            let (facts, lines) = read(content.as_bytes(), part);
            assert_eq!((facts, lines.number, lines.foreign), (50, 50, 0), "{part}");
        }
        assert_eq!(read(LINE.as_bytes(), 10).0, 1, "the last line feed is missing");
        assert_eq!(read(b"", 10).1.number, 0);
    }

    #[test]
    fn foreign_and_half_written_lines_are_counted_and_keep_back_no_other() {
        let long = "x".repeat(LONGEST_LINE * 3);
        let half = &LINE[..60];
        let content =
            [LINE.as_bytes(), b"\n{}\n\n\xff\xfe\n", long.as_bytes(), b"\n", LINE.as_bytes(), b"\n", half.as_bytes()];
        let content = content.concat();
        for part in [1_000, content.len()] {
            let (facts, lines) = read(&content, part);
            assert_eq!((facts, lines.number, lines.foreign), (2, 7, 5), "{part}");
            assert_eq!(lines.first_foreign.unwrap().0, 2);
        }
    }
}
