//! What S3 takes: objects of the journal.

use super::answer::NotUnderstood;

/// The number of lines of an object, each of which is JSON and ends in a line feed.
pub(super) fn lines(body: &[u8]) -> Result<u64, NotUnderstood> {
    let lines = body.strip_suffix(b"\n").ok_or_else(|| NotUnderstood("an object without lines".to_owned()))?;
    let mut count = 0;
    for line in lines.split(|byte| *byte == b'\n') {
        if !(line.starts_with(b"{") && line.ends_with(b"}")) {
            return Err(NotUnderstood(format!("line {count} of an object")));
        }
        count += 1;
    }
    Ok(count)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lines_of_an_object_are_counted_and_nothing_else_is_an_object() {
        assert_eq!(lines(b"{}\n").unwrap(), 1);
        assert_eq!(lines(b"{\"a\":1}\n{}\n{}\n").unwrap(), 3);
        for wrong in ["", "\n", "{}", "{}\n{}", "{}\n\n", "a\n{}\n", "1f\r\n{}\n"] {
            assert!(lines(wrong.as_bytes()).is_err(), "{wrong:?}");
        }
    }
}
